"""Churn metrics: how good each candidate was on customers of a time it had not seen, figure by figure."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms import classifiers, judging
from c360_assets.terms.churn import judged_models, unseen
from governance.playbook import Playbook

FIGURES = {
    "AUC-ROC": judging.auc,
    "PR-AUC": judging.average_precision,
    "Brier score": judging.brier,
    "log loss": judging.log_loss,
    "lift of the top tenth": judging.lift,
}
DECIMALS = 6
TYPES = pa.schema(
    {
        "candidate": pa.string(),
        "metric": pa.string(),
        "value": pa.float64(),
        "value_low": pa.float64(),
        "value_high": pa.float64(),
        "threshold": pa.float64(),
    }
)


@dg.asset
def churn_metrics(
    churn_examples: ir.Table, churn_model: ir.Table, playbook: dg.ResourceParam[Callable[[], Playbook]]
) -> ir.Table:
    """One row per candidate and metric, none where no model could be judged."""
    judged_by = unseen(churn_examples)
    threshold = playbook().churn.threshold
    figures = {**FIGURES, **judging.at_threshold(threshold)}
    found = [
        {
            "candidate": name,
            "metric": metric,
            "value": round(value, DECIMALS),
            "value_low": round(low, DECIMALS),
            "value_high": round(high, DECIMALS),
            "threshold": None if metric in FIGURES else round(threshold, DECIMALS),
        }
        for name, model in judged_models(churn_model).items()
        for metric, (value, low, high) in judging.judged(
            classifiers.probabilities(model, judged_by.columns), judged_by.has_churned, figures
        ).items()
    ]
    return ibis.memtable(pa.Table.from_pylist(found, schema=TYPES))
