"""Churn performance: how good what was said of customers turned out to be, once it was known what they did."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.churn import LONGEST_HORIZON
from c360_assets.terms.time import clock


@dg.asset
def churn_performance(churn_predictions: ir.Table, orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per moment of which predictions are kept; figures are empty until the longest horizon is over."""
    ranked = _ranked(_outcomes(churn_predictions, orders, as_of))
    judged = ranked.group_by("predicted_at").agg(
        model_hash=ranked.model_hash.min(),
        promised_auc=ranked.promised_auc.min(),
        customer_count=ranked.count(),
        mean_probability=ranked.churn_probability.mean().round(6),
        churned_count=ranked.has_churned.sum(),
        ranks=ranked["rank"].sum(where=ranked.has_churned),
        squares=((ranked.churn_probability - ranked.has_churned.cast("float64")) ** 2).mean(),
    )
    known_at = judged.predicted_at + ibis.interval(days=LONGEST_HORIZON)
    is_known = (known_at <= clock(as_of).now).fill_null(False)
    churned, stayed = judged.churned_count, judged.customer_count - judged.churned_count
    # The share of pairs in the right order, by the ranks of those who left (Mann and Whitney, 1947).
    pairs = (judged.ranks - churned * (churned + 1) / 2) / (churned * stayed).nullif(0)
    figures = {
        "churn_share": churned / judged.customer_count,
        "auc": pairs,
        "brier": judged.squares,
    }
    return judged.select(
        "predicted_at",
        "model_hash",
        "customer_count",
        "mean_probability",
        "promised_auc",
        known_at=known_at,
        is_known=is_known,
        **{name: is_known.ifelse(value.round(6), None) for name, value in figures.items()},
    )


def _outcomes(churn_predictions: ir.Table, orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """Each prediction with what came of it: whether no completed order followed within the horizon."""
    shop = clock(as_of)
    bought = orders.filter(orders.is_completed, orders.ordered_at.notnull()).select("customer_id", "ordered_at")
    days = shop.local(bought.ordered_at).delta(shop.local(churn_predictions.predicted_at), unit="day")
    is_kept = [
        churn_predictions.customer_id == bought.customer_id,
        bought.ordered_at > churn_predictions.predicted_at,
        days <= churn_predictions.horizon_days,
    ]
    came = churn_predictions.semi_join(bought, is_kept).select("customer_id", "predicted_at", has_come=True)
    told = churn_predictions.left_join(came, ["customer_id", "predicted_at"])
    return told.mutate(has_churned=told.has_come.isnull())


def _ranked(outcomes: ir.Table) -> ir.Table:
    """Each with its rank among those of its moment, from the least likely on; equals share the middle one."""
    by_chance = ibis.window(group_by=outcomes.predicted_at, order_by=outcomes.churn_probability)
    equals = outcomes.count().over(ibis.window(group_by=[outcomes.predicted_at, outcomes.churn_probability]))
    # Ibis counts ranks from 0.
    return outcomes.mutate(rank=ibis.rank().over(by_chance) + (equals + 1) / 2)
