"""Churn predictions: what was said of customers at past moments, kept until it is known what they did."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.churn import LONGEST_HORIZON
from c360_assets.terms.joins import widened
from c360_assets.terms.time import clock

# Once every horizon is over, the next are kept; and all of them for so long after.
EVERY_DAYS, KEPT_DAYS = LONGEST_HORIZON, 400
MOMENT = "timestamp(6)"


@dg.asset
def churn_predictions(
    churn_scores: ir.Table,
    churn_model: ir.Table,
    as_of: ir.Table,
    former: dg.ResourceParam[Callable[[str], ir.Table]],
) -> ir.Table:
    """One row per moment of which predictions are kept and customer with a probability."""
    moment, held = clock(as_of).moment, former("churn_predictions")
    if moment is None:
        return held
    at = ibis.literal(moment, type=MOMENT)
    others = held.filter(held.predicted_at != at, held.predicted_at >= at - ibis.interval(days=KEPT_DAYS))
    lately = others.filter(others.predicted_at < at, others.predicted_at > at - ibis.interval(days=EVERY_DAYS))
    if lately.count().to_pyarrow().as_py():
        return others
    return ibis.union(others, _said(churn_scores, churn_model).mutate(predicted_at=at).select(held.columns))


def _said(churn_scores: ir.Table, churn_model: ir.Table) -> ir.Table:
    """What is said now, and what was promised of it."""
    scored = churn_scores.filter(churn_scores.churn_probability.notnull())
    promised = churn_model.filter(churn_model.is_chosen).select("model_hash", promised_auc="auc_low")
    return widened(
        scored.select("customer_id", "churn_probability", "horizon_days", "model_hash"), "model_hash", promised
    )
