"""Purchase histories: when each customer bought, as lifetime models see it."""

from datetime import date

import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.time import Clock


def histories(orders: ir.Table, clock: Clock, until: date) -> ir.Table:
    """One row per customer with a completed order by the end of that day: what is known of him then.

    What he buys on one day of the shop is one purchase. `repeat_purchase_count` are purchases after the first,
    `last_days` the days from the first to the last, `history_days` those from the first to the day that is given;
    `value_count` and `value_total` are of the repeat purchases that have a known value. Orders without date or customer
    do not count.
    """
    dated = purchase_days(orders, clock)
    days = dated.filter(dated.purchased_on <= ibis.literal(until))
    first_on = days.purchased_on.min().over(group_by="customer_id")
    days = days.mutate(first_on=first_on, is_repeat=days.purchased_on > first_on)
    return days.group_by("customer_id").agg(
        repeat_purchase_count=days.is_repeat.sum().cast("int64"),
        last_days=days.purchased_on.max().delta(days.first_on.min(), unit="day").cast("int64"),
        history_days=ibis.literal(until).delta(days.first_on.min(), unit="day").cast("int64"),
        value_count=(days.is_repeat & days.amount.notnull()).sum().cast("int64"),
        value_total=days.amount.sum(where=days.is_repeat).fill_null(0).cast(MONEY),
    )


def purchase_days(orders: ir.Table, clock: Clock) -> ir.Table:
    """One row per customer and day of the shop on which he bought: the day and what he bought for, if all is known."""
    bought = orders.filter(orders.is_completed, orders.customer_id.notnull(), orders.ordered_at.notnull())
    on_days = bought.mutate(purchased_on=clock.local(bought.ordered_at).date())
    return on_days.group_by("customer_id", "purchased_on").agg(
        amount=on_days.order_amount.isnull().any().ifelse(None, on_days.order_amount.sum()).cast(MONEY)
    )
