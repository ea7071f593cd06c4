"""Churn scores: how likely each customer is not to come back, why, and what to do about it."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.terms import classifiers
from c360_assets.terms.arrays import Floats
from c360_assets.terms.churn import columns_of, foreseen_by
from c360_assets.terms.churn_reasons import reasons
from c360_assets.terms.classifiers import Fitted
from c360_assets.terms.joins import widened
from governance.playbook import Churn, Playbook

NEVER_BOUGHT = "no completed order with a date"
DECIMALS = 6
BATCH = 50_000
TYPES = pa.schema(
    {
        "customer_id": pa.string(),
        "churn_probability": pa.float64(),
        "churn_band": pa.string(),
        "horizon_days": pa.int32(),
        "churn_reasons": pa.string(),
        "is_early_warning": pa.bool_(),
        "intervention": pa.string(),
        "expected_next_order_days": pa.int32(),
        "model_hash": pa.string(),
    }
)


@dg.asset
def churn_scores(
    features: ir.Table,
    churn_model: ir.Table,
    playbook: dg.ResourceParam[Callable[[], Playbook]],
    currency: dg.ResourceParam[str],
) -> ir.Table:
    """One row per customer known to any system, with a probability or the reason why there is none."""
    candidates = churn_model.select("candidate", "is_chosen", "reason", "fitted_model", "model_hash").to_pyarrow()
    chosen = [row for row in candidates.to_pylist() if row["is_chosen"]]
    buyers = foreseen_by(features)
    scored = _scored(buyers, chosen[0], playbook().churn, currency) if chosen else TYPES.empty_table()
    why = ibis.literal(None if chosen else _reason(candidates), type="string")
    wide = widened(features.select("customer_id"), "customer_id", ibis.memtable(scored), _bought(buyers))
    unknown = wide.has_bought.isnull().ifelse(NEVER_BOUGHT, why)
    told = wide.mutate(unknown_because=wide.churn_probability.isnull().ifelse(unknown, None))
    return told.drop("has_bought")


def _bought(buyers: ir.Table) -> ir.Table:
    return buyers.select("customer_id", has_bought=ibis.literal(True))


def _reason(candidates: pa.Table) -> str:
    return candidates["reason"][0].as_py() if len(candidates) else "no model of churn was trained yet"


def _scored(buyers: ir.Table, chosen: dict[str, Any], churn: Churn, currency: str) -> pa.Table:
    model = classifiers.from_text(chosen["fitted_model"]) | {"hash": chosen["model_hash"]}
    rows = buyers.order_by("customer_id").to_pyarrow()
    # Of a million customers what is said in words would not fit into memory beside their features.
    parts = [_part(rows.slice(start, BATCH), model, churn, currency) for start in range(0, len(rows), BATCH)]
    return pa.concat_tables([TYPES.empty_table(), *parts])


def _part(rows: pa.Table, model: Fitted, churn: Churn, currency: str) -> pa.Table:
    columns = columns_of(rows)
    said = classifiers.probabilities(model, columns).round(DECIMALS)
    bands = np.where(said >= churn.high_from, "High", np.where(said >= churn.threshold, "Medium", "Low"))
    horizon = rows["horizon_days"].to_numpy()
    still_here = rows["recency_days"].to_numpy() <= horizon
    return pa.table(
        {
            "customer_id": rows["customer_id"],
            "churn_probability": said,
            "churn_band": bands,
            "horizon_days": horizon,
            "churn_reasons": reasons(model, columns, rows.to_pylist(), currency),
            "is_early_warning": still_here & (said >= churn.threshold),
            "intervention": [churn.interventions[band] for band in bands.tolist()],
            "expected_next_order_days": _expected_days(model, said),
            "model_hash": [model["hash"]] * len(rows),
        },
        schema=TYPES,
    )


def _expected_days(model: Fitted, said: Floats) -> list[int | None]:
    """After how many days half of the customers with such a probability had ordered again."""
    upto, days = model["returns"]["upto"], model["returns"]["days"]
    return [days[group] for group in np.searchsorted(upto, said)]
