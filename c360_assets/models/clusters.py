"""Clusters: customers who behave alike, found by k-means and called by what sets them apart."""

from collections.abc import Collection

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.models.cluster_trials import measured, prepared
from c360_assets.terms import clustering
from c360_assets.terms.cluster_names import ABSENCES, names
from c360_assets.terms.clustering import Floats, Integers, Prepared
from c360_assets.terms.joins import widened

INACTIVE = "no completed order and no visit"
UNDECIDED = "no number of clusters was chosen"


@dg.asset
def clusters(features: ir.Table, cluster_trials: ir.Table) -> ir.Table:
    """One row per customer known to any system, in one cluster, or in none with the reason."""
    rows = measured(features)
    customers = prepared(rows)
    k = cluster_trials.filter(cluster_trials.is_chosen).k.max().to_pyarrow().as_py()
    reason = customers.reason or (UNDECIDED if k is None else None)
    placed = _nowhere(rows, reason) if reason else _placed(rows, customers, k)
    found = ibis.memtable(placed)
    joined = widened(features.select("customer_id"), "customer_id", found)
    is_inactive = joined.cluster_id.isnull() & joined.reason.isnull()
    return joined.mutate(reason=is_inactive.ifelse(INACTIVE, joined.reason))


def _nowhere(rows: pa.Table, reason: str) -> pa.Table:
    nothing = {
        "cluster_id": pa.int32(),
        "cluster_name": pa.string(),
        "distance": pa.float64(),
        "feature_count": pa.int32(),
        "filled_feature_count": pa.int32(),
    }
    placed = {name: pa.nulls(len(rows), kind) for name, kind in nothing.items()}
    return pa.table({"customer_id": rows["customer_id"], **placed, "reason": pa.repeat(reason, len(rows))})


def _placed(rows: pa.Table, customers: Prepared, k: int) -> pa.Table:
    centres = clustering.centres(customers, k)
    nearest, distances = clustering.assigned(customers.points, centres)
    order = _by_spending(rows["monetary"].to_numpy(), centres, nearest)
    labels = np.argsort(order)[nearest]
    differences = _differences(customers.points, labels, len(order))
    named = names(customers.features, differences, _absent(rows, customers.features, labels, len(order)))
    return pa.table(
        {
            "customer_id": rows["customer_id"],
            "cluster_id": pa.array(labels + 1, pa.int32()),
            "cluster_name": pa.array(named).take(pa.array(labels)),
            "distance": distances,
            "feature_count": pa.repeat(pa.scalar(len(customers.features), pa.int32()), len(rows)),
            "filled_feature_count": pa.array(customers.filled, pa.int32()),
            "reason": pa.nulls(len(rows), pa.string()),
        }
    )


def _by_spending(monetary: Floats, centres: Floats, nearest: Integers) -> list[int]:
    """The clusters from the highest mean spending to the lowest; where it is equal, by their centres."""
    spent = [round(float(monetary[nearest == label].mean()), 4) for label in range(len(centres))]
    return sorted(range(len(centres)), key=lambda label: (-spent[label], tuple(centres[label])))


def _differences(points: Floats, labels: Integers, count: int) -> Floats:
    """Mean of each cluster less the mean of all, in standard deviations."""
    means = [points[labels == label].mean(axis=0) for label in range(count)]
    differences: Floats = np.stack(means) - points.mean(axis=0)
    return differences


def _absent(rows: pa.Table, features: Collection[str], labels: Integers, count: int) -> list[dict[str, float]]:
    """For each cluster the share of its members who have nothing of a feature, such as orders."""
    nothing = {feature: rows[feature].to_numpy() == 0 for feature in ABSENCES if feature in features}
    return [
        {feature: float(is_nothing[labels == label].mean()) for feature, is_nothing in nothing.items()}
        for label in range(count)
    ]
