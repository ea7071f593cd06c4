"""Churn deciles: whether who is said to be likeliest to leave leaves most often, and as often as said."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.terms import classifiers
from c360_assets.terms.arrays import Floats
from c360_assets.terms.churn import Flags, judged_models, unseen

DECILES = 10
DECIMALS = 6
TYPES = pa.schema(
    {
        "candidate": pa.string(),
        "is_chosen": pa.bool_(),
        "decile": pa.int32(),
        "customer_count": pa.int64(),
        "mean_probability": pa.float64(),
        "churn_share": pa.float64(),
        "lift": pa.float64(),
        "captured_share": pa.float64(),
    }
)


@dg.asset
def churn_deciles(churn_examples: ir.Table, churn_model: ir.Table) -> ir.Table:
    """One row per candidate and tenth of the customers it was judged by, 1 being likeliest to leave."""
    judged = unseen(churn_examples)
    chosen = set(churn_model.filter(churn_model.is_chosen).candidate.to_pyarrow().to_pylist())
    found = [
        {"candidate": name, "is_chosen": name in chosen, **row}
        for name, model in judged_models(churn_model).items()
        for row in _tenths(classifiers.probabilities(model, judged.columns), judged.has_churned)
    ]
    return ibis.memtable(pa.Table.from_pylist(found, schema=TYPES))


def _tenths(said: Floats, has_churned: Flags) -> list[dict[str, float]]:
    """Each tenth, of which one may have a customer more than another; equals stay in the order of their IDs."""
    order = np.argsort(-said, kind="stable")
    usual, lost = has_churned.mean(), has_churned.sum()
    rows, so_far = list[dict[str, float]](), 0
    for decile, members in enumerate(np.array_split(order, DECILES), 1):
        share = float(has_churned[members].mean())
        so_far += int(has_churned[members].sum())
        rows.append(
            {
                "decile": decile,
                "customer_count": len(members),
                "mean_probability": round(float(said[members].mean()), DECIMALS),
                "churn_share": round(share, DECIMALS),
                "lift": round(share / usual, DECIMALS),
                "captured_share": round(so_far / lost, DECIMALS),
            }
        )
    return rows
