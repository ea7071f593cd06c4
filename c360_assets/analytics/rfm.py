"""Recency, frequency and monetary value: how each customer has bought so far."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import moment
from c360_assets.conformed.products import MONEY

BINS = 5


@dg.asset
def rfm(orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer with a completed order, each measure scored 1 (worst) to 5."""
    ordering = orders.filter(orders.customer_id.notnull()).group_by("customer_id")
    bought = ordering.agg(
        frequency=orders.is_completed.sum(),
        monetary=orders.order_amount.sum().fill_null(0).cast(MONEY),
        returned_amount=orders.returned_amount.sum().cast(MONEY),
        first_ordered_at=orders.ordered_at.min(where=orders.is_completed),
        last_ordered_at=orders.ordered_at.max(where=orders.is_completed),
    )
    buyers = bought.filter(bought.frequency > 0)
    measured = buyers.mutate(recency_days=moment(as_of).delta(buyers.last_ordered_at, unit="day").cast("int32"))
    scored = measured.mutate(
        recency_score=score(measured, -measured.recency_days),
        frequency_score=score(measured, measured.frequency),
        monetary_score=score(measured, measured.monetary),
    )
    return scored.mutate(
        rfm_code=scored.recency_score.cast("string")
        + scored.frequency_score.cast("string")
        + scored.monetary_score.cast("string")
    )


def score(customers: ir.Table, best_last: ir.NumericColumn, per: str | None = None) -> ir.IntegerColumn:
    """1 + the share of customers who are worse, in fifths, rounded down: equal values score alike, null stays null.

    With `per`, among the customers who share that column's value. What is null ranks last and is not counted.
    """
    worse = ibis.rank().over(group_by=per, order_by=best_last)
    scored = (1 + worse * BINS // best_last.count().over(group_by=per)).cast("int32")
    return best_last.notnull().ifelse(scored, ibis.null("int32"))
