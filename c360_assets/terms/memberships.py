"""Who is in which segment of every segmentation, and what the customers of a segment sum up to."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

RULED = (
    "customer_segment",
    "engagement_level",
    "value_tier",
    "lifecycle_stage",
    "price_range",
    "activity_trend",
    "persona",
)
# The subscription lies over every segment; audiences are many to many; clusters come from k-means.
PREMIUM, AUDIENCE, CLUSTER = "premium", "audience", "cluster"
PREMIUM_SEGMENT = "Premium"
# Those that put a customer into one segment at most.
SINGLE = (*RULED, PREMIUM, CLUSTER)


def placed(customer_segments: ir.Table, clusters: ir.Table) -> ir.Table:
    """One row per customer, a column for each segmentation in which a customer has one segment or none."""
    joined = customer_segments.left_join(clusters.select("customer_id", cluster="cluster_name"), "customer_id")
    premium = joined.is_premium.ifelse(ibis.literal(PREMIUM_SEGMENT), ibis.null("string"))
    return joined.select("customer_id", *RULED, CLUSTER, premium=premium)


def totals(
    measured: ir.Table,
    customer_segments: ir.Table,
    audiences: ir.Table,
    clusters: ir.Table,
    sums: Mapping[str, ibis.Deferred],
) -> ir.Table:
    """One row per segmentation and segment that somebody is in: `sums` over `measured`, a row for each customer.

    What is summed must add up, as counts and sums of exact numbers do: customers are summed once for each combination
    of segments, of which there are few, and the combinations once for each segmentation.
    """
    together = measured.inner_join(placed(customer_segments, clusters), "customer_id")
    combinations = together.group_by(SINGLE).agg(**sums)
    each = _longer(combinations)
    whole = each.group_by("segmentation", "segment", "is_sensitive").agg(**{name: each[name].sum() for name in sums})
    listed = measured.inner_join(_listed(audiences), "customer_id")
    overlapping = listed.group_by("segmentation", "segment", "is_sensitive").agg(**sums)
    return ibis.union(whole, overlapping.cast(whole.schema()))


def _longer(placed: ir.Table) -> ir.Table:
    """A row for each segment, with whatever else the table holds."""
    rows = placed.pivot_longer(list(SINGLE), names_to="segmentation", values_to="segment")
    return rows.filter(rows.segment.notnull()).mutate(is_sensitive=False)


def _listed(audiences: ir.Table) -> ir.Table:
    return audiences.select(
        "customer_id",
        segmentation=ibis.literal(AUDIENCE),
        segment=audiences.audience,
        is_sensitive=audiences.is_sensitive,
    )
