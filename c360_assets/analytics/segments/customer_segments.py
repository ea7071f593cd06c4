"""Customer segments: who belongs where, by the rules in governance/segments.yaml."""

from collections.abc import Callable
from itertools import chain

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.segment_rules import first, matching, reasons, with_interests
from c360_assets.terms.texts import joined_texts
from governance.segments import Rules

RFM = (
    "recency_days",
    "frequency",
    "monetary",
    "recency_score",
    "frequency_score",
    "monetary_score",
    "rfm_code",
)


@dg.asset
def customer_segments(
    features: ir.Table, category_interest: ir.Table, rules: dg.ResourceParam[Callable[[], Rules]]
) -> ir.Table:
    """One row per customer known to any system, in at most one segment of each kind."""
    now = rules()
    audiences = [audience for audience in now.audiences if not audience.sensitive]
    asked = chain(*now.segmentations.values(), now.traits, audiences)
    described = with_interests(features, category_interest, asked)
    segments = {name: first(described, segmentation) for name, segmentation in now.segmentations.items()}
    held = matching(described, now.traits)
    return described.select(
        "customer_id",
        "is_premium",
        *RFM,
        **segments,
        primary_segment=first(described, audiences),
        persona_traits=joined_texts([holds.ifelse(name, ibis.null("string")) for name, holds in held.items()]),
        unknown_because=reasons(described, now.partial),
        rule_version=ibis.literal(now.full_version),
    )
