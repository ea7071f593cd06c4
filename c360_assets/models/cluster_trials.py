"""Cluster trials: how many clusters of customers there are, and how well every other number would do."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms import clustering
from c360_assets.terms.arrays import floats
from c360_assets.terms.cluster_names import TRAITS

# What customers are known by, however alike: recency, frequency and monetary value.
KEPT = ("recency_days", "frequency", "monetary")
SKEWED = frozenset(trait.feature for trait in TRAITS if trait.is_skewed)
TYPES = pa.schema(
    {
        "k": pa.int32(),
        "silhouette": pa.float64(),
        "stability": pa.float64(),
        "inertia": pa.float64(),
        "smallest_share": pa.float64(),
        "is_chosen": pa.bool_(),
        "reason": pa.string(),
        "sample_count": pa.int64(),
        "features_used": pa.string(),
    }
)


@dg.asset
def cluster_trials(features: ir.Table) -> ir.Table:
    """One row per number of clusters tried, from 2 to 10."""
    customers = prepared(measured(features))
    common = {"sample_count": len(customers.sample), "features_used": ", ".join(customers.features) or None}
    tried = [{**vars(trial), **common} for trial in clustering.trials(customers)]
    counted = _active(features).customer_id.count().as_scalar()
    return ibis.memtable(pa.Table.from_pylist(tried, schema=TYPES)).mutate(customer_count=counted)


def measured(features: ir.Table) -> pa.Table:
    """What customers are clustered by, of those who ordered or visited, by customer_id."""
    measures = {trait.feature: features[trait.feature].cast("float64") for trait in TRAITS}
    return _active(features).select("customer_id", **measures).order_by("customer_id").to_pyarrow()


def _active(features: ir.Table) -> ir.Table:
    """Nobody else has a behaviour to be clustered by."""
    return features.filter((features.frequency > 0) | (features.session_count.fill_null(0) > 0))


def prepared(customers: pa.Table) -> clustering.Prepared:
    """Customers as points."""
    ids = customers["customer_id"].to_pylist()
    values = {trait.feature: floats(customers[trait.feature]) for trait in TRAITS}
    return clustering.prepared(ids, values, SKEWED, KEPT)
