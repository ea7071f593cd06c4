"""Feature drift: whether customers of today are like those that the model of churn learnt from."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.churn import FEATURES, foreseen_by, sampled
from c360_assets.terms.joins import widened
from c360_assets.terms.rates import rate

PARTS = 10
ENDS = [f"end_of_{part}" for part in range(PARTS - 1)]
# Below, the index is mostly chance.
LEAST_CUSTOMERS = 500
SOME, MUCH = 0.1, 0.25
EMPTY_BIN = 0.5
UNKNOWN = -1


@dg.asset
def feature_drift(features: ir.Table, churn_examples: ir.Table, churn_model: ir.Table) -> ir.Table:
    """One row per feature; none where there is nobody to compare."""
    then, now = _values(sampled(churn_examples), False), _values(foreseen_by(features), True)
    compared = widened(_indexed(_binned(ibis.union(then, now), then)), "feature", _used(churn_model))
    known = compared.mutate(
        psi=compared.has_enough.ifelse(compared.index, None),
        reason=compared.has_enough.ifelse(None, ibis.literal(f"fewer than {LEAST_CUSTOMERS} examples or customers")),
        is_used=compared.is_used.fill_null(False),
    )
    drift = ibis.cases((known.psi < SOME, "none"), (known.psi < MUCH, "some"), (known.psi >= MUCH, "much"))
    return known.mutate(drift=drift).select(
        "feature",
        "psi",
        "drift",
        "is_used",
        "example_count",
        "customer_count",
        "example_unknown_share",
        "customer_unknown_share",
        "reason",
    )


def _values(rows: ir.Table, is_now: bool) -> ir.Table:
    """A row per customer, cutoff and feature."""
    numbers = rows.select(**{name: rows[name].cast("float64") for name in FEATURES})
    return numbers.pivot_longer(list(FEATURES), names_to="feature", values_to="value").mutate(is_now=is_now)


def _binned(values: ir.Table, then: ir.Table) -> ir.Table:
    """How many of then and of now lie in each tenth of those of then, or are unknown."""
    placed = values.left_join(_ends(then), "feature")
    above = sum((placed[end] < placed.value).cast("int32").fill_null(0) for end in ENDS)
    place = placed.value.isnull().ifelse(UNKNOWN, above)
    binned = placed.mutate(place=place).group_by("feature", "place")
    return binned.agg(example_count=(~placed.is_now).sum(), customer_count=placed.is_now.sum())


def _ends(values: ir.Table) -> ir.Table:
    """The greatest value of each tenth of a feature but the last."""
    known = values.filter(values.value.notnull())
    by_value = ibis.window(group_by="feature", order_by="value")
    count = known.count().over(ibis.window(group_by="feature"))
    parts = known.mutate(part=(ibis.row_number().over(by_value) * PARTS) // count)
    ends = {end: parts.value.max(where=parts.part == part) for part, end in enumerate(ENDS)}
    return parts.group_by("feature").agg(**ends)


def _indexed(bins: ir.Table) -> ir.Table:
    """The population stability index of each feature: the sum of (q - p) ln(q / p) over its bins.

    An empty bin counts as half a row, as it does in the rules of contracts.
    """
    of_feature = ibis.window(group_by=bins.feature)
    p, q = (
        rate(bins[name].cast("float64").nullif(0).fill_null(EMPTY_BIN), bins[name].sum().over(of_feature))
        for name in ("example_count", "customer_count")
    )
    parts = bins.mutate(part=(q - p) * (q / p).ln(), is_unknown=bins.place == UNKNOWN)
    summed = parts.group_by("feature").agg(
        index=parts.part.sum().round(6),
        **{name: parts[name].sum() for name in ("example_count", "customer_count")},
        **{f"unknown_{name}": parts[name].sum(where=parts.is_unknown) for name in ("example_count", "customer_count")},
    )
    return summed.mutate(
        has_enough=ibis.least(summed.example_count, summed.customer_count) >= LEAST_CUSTOMERS,
        example_unknown_share=rate(summed.unknown_example_count.fill_null(0), summed.example_count),
        customer_unknown_share=rate(summed.unknown_customer_count.fill_null(0), summed.customer_count),
    )


def _used(churn_model: ir.Table) -> ir.Table:
    """The features that the chosen candidate looks at."""
    chosen = churn_model.filter(churn_model.is_chosen)
    return chosen.select(feature=chosen.features_used.split(", ").unnest(), is_used=True)
