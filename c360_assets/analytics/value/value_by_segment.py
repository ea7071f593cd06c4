"""Value by segment: the historical customer lifetime value of every segmentation's segments."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.analytics.segments.rfm_distribution import median
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.rates import rate
from c360_assets.terms.texts import UNKNOWN

SEGMENTATIONS = (
    "engagement_level",
    "customer_segment",
    "primary_segment",
    "value_tier",
    "lifecycle_stage",
    "persona",
)
PREMIUM = "is_premium"


@dg.asset
def value_by_segment(customer_segments: ir.Table, features: ir.Table) -> ir.Table:
    """One row per segmentation and segment that some customer is in."""
    valued = features.select("customer_id", "frequency", "gross_monetary", "historical_value", PREMIUM)
    joined = customer_segments.select("customer_id", *SEGMENTATIONS).inner_join(valued, "customer_id")
    premium = ibis.cases((joined.is_premium, "premium"), (~joined.is_premium, "not premium"))
    segments = {name: joined[name] for name in SEGMENTATIONS} | {PREMIUM: premium}
    return ibis.union(*[_summed(joined, name, segment) for name, segment in segments.items()])


def _summed(customers: ir.Table, segmentation: str, segment: ir.StringValue) -> ir.Table:
    summed = customers.group_by(segment=segment.fill_null(UNKNOWN)).agg(
        customer_count=customers.count(),
        buyer_count=(customers.frequency > 0).sum(),
        historical_value=customers.historical_value.sum().cast(MONEY),
        median_value=median(customers.historical_value),
        order_count=customers.frequency.sum(),
        bought=customers.gross_monetary.sum(),
        premium_count=customers.is_premium.sum(),
        told_count=customers.is_premium.count(),
    )
    return summed.select(
        "segment",
        "customer_count",
        "buyer_count",
        "historical_value",
        "median_value",
        segmentation=ibis.literal(segmentation),
        value_share=rate(summed.historical_value, summed.historical_value.sum().over()),
        average_value=rate(summed.historical_value, summed.customer_count),
        average_order_amount=rate(summed.bought, summed.order_count),
        orders_per_customer=rate(summed.order_count, summed.customer_count),
        premium_share=rate(summed.premium_count, summed.told_count),
    )
