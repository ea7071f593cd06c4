"""Cohorts: how many of the customers who first bought in the same month come back, and what they spend over time."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.time import Clock, clock


@dg.asset
def cohorts(orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per month of a first completed order and each month from then to as_of, 0 being the first."""
    now = clock(as_of)
    active = _active_months(orders, now)
    grid = _grid(active, now)
    happened = active.group_by("first_month", "month").agg(
        retained_count=active.count(),
        order_count=active.order_count.sum().cast("int64"),
        revenue=active.revenue.sum().cast(MONEY),
    )
    joined = grid.left_join(happened, ["first_month", "month"])
    filled = joined.mutate(
        retained_count=joined.retained_count.fill_null(0),
        order_count=joined.order_count.fill_null(0),
        revenue=joined.revenue.fill_null(0).cast(MONEY),
    )
    so_far = ibis.cumulative_window(group_by=filled.first_month, order_by=filled.month)
    summed = filled.mutate(cumulative_revenue=filled.revenue.sum().over(so_far).cast(MONEY))
    return summed.select(
        "customer_count",
        "retained_count",
        "order_count",
        "revenue",
        "cumulative_revenue",
        cohort_month=ibis.date(summed.first_month // 12, summed.first_month % 12 + 1, 1),
        month_offset=(summed.month - summed.first_month).cast("int32"),
        retention_rate=summed.retained_count.cast("float64") / summed.customer_count.cast("float64"),
        cumulative_revenue_per_customer=summed.cumulative_revenue.cast("float64")
        / summed.customer_count.cast("float64"),
        is_complete=summed.month < summed.last_month,
    )


def _active_months(orders: ir.Table, now: Clock) -> ir.Table:
    """One row per customer and month with a completed order, beside the month of the first; months are numbered."""
    bought = orders.filter(orders.is_completed, orders.customer_id.notnull(), orders.ordered_at.notnull())
    monthly = bought.group_by("customer_id", month=_number(now.local(bought.ordered_at))).agg(
        order_count=bought.count(), revenue=bought.order_amount.sum()
    )
    first = monthly.group_by(buyer="customer_id").agg(first_month=monthly.month.min())
    return monthly.inner_join(first, monthly.customer_id == first.buyer).drop("customer_id", "buyer")


def _grid(active: ir.Table, now: Clock) -> ir.Table:
    """Every cohort with its size in every month up to that of as_of."""
    sizes = active.group_by("first_month").agg(customer_count=(active.month == active.first_month).sum())
    dated = sizes.mutate(last_month=_number(now.today))
    return dated.mutate(month=ibis.range(dated.first_month, dated.last_month + 1).unnest())


def _number(at: ir.TimestampValue) -> ir.IntegerValue:
    """Months since the year 0."""
    return at.year().cast("int64") * 12 + at.month() - 1
