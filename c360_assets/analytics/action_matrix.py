"""The Customer Value & Engagement Action Matrix: who is worth how much, how engaged, and what to do about it."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.products import MONEY
from c360_assets.conformed.rates import rate
from governance.segments import Rules


@dg.asset
def action_matrix(
    customer_segments: ir.Table, features: ir.Table, rules: dg.ResourceParam[Callable[[], Rules]]
) -> ir.Table:
    """One row per engagement level and value tier, customers or none."""
    tiers = customer_segments.select("customer_id", "engagement_level", "value_tier")
    valued = tiers.inner_join(features, "customer_id")
    summed = valued.group_by("engagement_level", "value_tier").agg(
        customers=valued.count(),
        historical_value=valued.historical_value.sum(),
        recency_sum=valued.recency_days.sum(),
        recency_count=valued.recency_days.count(),
        premium_count=valued.is_premium.sum(),
        told_count=valued.is_premium.count(),
    )
    joined = _cells(rules()).left_join(summed, ["engagement_level", "value_tier"])
    filled = joined.mutate(
        customer_count=joined.customers.fill_null(0),
        historical_value=joined.historical_value.fill_null(0).cast(MONEY),
    )
    return filled.select(
        "engagement_level",
        "value_tier",
        "action",
        "priority",
        "customer_count",
        "historical_value",
        customer_share=rate(filled.customer_count, filled.customer_count.sum().over()),
        value_share=rate(filled.historical_value, filled.historical_value.sum().over()),
        average_value=rate(filled.historical_value, filled.customer_count),
        average_recency_days=rate(filled.recency_sum, filled.recency_count),
        premium_share=rate(filled.premium_count, filled.told_count),
    )


def _cells(rules: Rules) -> ir.Table:
    """Every cell of the matrix with its action and priority."""
    cells = [
        ibis.struct(
            {
                "engagement_level": level.name,
                "value_tier": tier.name,
                "action": rules.action_matrix[level.name][tier.name].action,
                "priority": rules.action_matrix[level.name][tier.name].priority,
            }
        )
        for level in rules.engagement_level.rules
        for tier in rules.value_tier.rules
    ]
    return ibis.array(cells).unnest().name("cell").as_table().unpack("cell")
