"""The Customer Value & Engagement Action Matrix: who is worth how much, how engaged, and what to do about it."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.rates import rate
from governance.segments import Rules

NOBODY = "no customer has both an engagement level and a value tier"


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
    # Where nobody can be placed, an empty cell says nothing of those customers.
    is_told = joined.customers.sum().over() > 0
    filled = joined.mutate(
        customer_count=is_told.ifelse(joined.customers.fill_null(0), None),
        historical_value=is_told.ifelse(joined.historical_value.fill_null(0), None).cast(MONEY),
        reason=is_told.fill_null(False).ifelse(ibis.null("string"), NOBODY),
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
        reason=filled.reason,
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
