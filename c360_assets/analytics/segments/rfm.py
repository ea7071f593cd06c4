"""Recency, frequency and monetary value: how each customer has bought so far."""

from collections.abc import Callable, Sequence

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.joins import widened
from c360_assets.terms.time import clock

BINS = 5
# Fewer different values cannot fill the bins, and of shorter histories recency tells nothing.
LEAST_VALUES, LEAST_DAYS = 5, 56


@dg.asset
def rfm(orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer with a completed order, each measure scored 1 (worst) to 5."""
    ordering = orders.filter(orders.customer_id.notnull()).group_by("customer_id")
    bought = ordering.agg(
        frequency=orders.is_completed.sum(),
        monetary=(orders.order_amount.fill_null(0) - orders.refunded_amount).sum().cast(MONEY),
        gross_monetary=orders.order_amount.sum().fill_null(0).cast(MONEY),
        returned_amount=orders.returned_amount.sum().cast(MONEY),
        first_ordered_at=orders.ordered_at.min(where=orders.is_completed),
        last_ordered_at=orders.ordered_at.max(where=orders.is_completed),
    )
    buyers, now = bought.filter(bought.frequency > 0), clock(as_of)
    measured = buyers.mutate(
        recency_days=now.days_since(buyers.last_ordered_at).cast("int32"),
        history_days=now.days_since(buyers.first_ordered_at).cast("int32"),
    )
    scored = with_scores(measured).drop("history_days")
    return scored.mutate(
        rfm_code=scored.recency_score.cast("string")
        + scored.frequency_score.cast("string")
        + scored.monetary_score.cast("string")
    )


def with_scores(buyers: ir.Table, per: Sequence[str] = ()) -> ir.Table:
    """Adds recency_score, frequency_score and monetary_score, 1 (worst) to 5, among the buyers who share `per`.

    A score is one more than the share of those who are worse and half of those who are equal, in fifths: equal values
    score alike, and where all are equal they score 3. It is null where the value is, for a measure of fewer than five
    different values, and for recency where the longest history_days are less than eight weeks.
    """
    scored = buyers
    for measure, best in (("recency_days", ibis.desc), ("frequency", ibis.asc), ("monetary", ibis.asc)):
        scores = _scores(buyers, measure, best, per)
        scored = widened(scored, [*per, measure], scores)
    return scored.rename(recency_score="recency_days_score")


def _scores(buyers: ir.Table, measure: str, best_last: Callable[[str], ir.Value], per: Sequence[str]) -> ir.Table:
    """One row per value of a measure, with the score of whoever has it."""
    known = buyers.filter(buyers[measure].notnull())
    counted = known.group_by(*per, measure).agg(equal=known.count(), longest=known.history_days.max())
    all_of_them = ibis.window(group_by=per)
    up_to = ibis.cumulative_window(group_by=per, order_by=best_last(measure))
    ranked = counted.mutate(
        worse=counted.equal.sum().over(up_to) - counted.equal,
        total=counted.equal.sum().over(all_of_them),
        values=counted.count().over(all_of_them),
        longest=counted.longest.max().over(all_of_them),
    )
    score = 1 + (2 * ranked.worse + ranked.equal) * BINS // (2 * ranked.total)
    is_told = ranked["values"] >= LEAST_VALUES
    if measure == "recency_days":
        is_told = is_told & (ranked.longest + 1 >= LEAST_DAYS)
    name = f"{measure}_score"
    return ranked.filter(is_told).select(*per, measure, **{name: score.cast("int32")})
