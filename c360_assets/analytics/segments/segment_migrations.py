"""Segment migrations: from which segment into which customers moved, month by month."""

import dagster as dg
import ibis
import ibis.expr.types as ir

SEGMENTATIONS = ("engagement_level", "customer_segment")
NEW = "(new)"


@dg.asset
def segment_migrations(monthly_segments: ir.Table) -> ir.Table:
    """One row per segmentation, month after the first, and pair of segments that some customer moved between."""
    moves = _moves(monthly_segments)
    return ibis.union(*[_counted(moves, segmentation) for segmentation in SEGMENTATIONS])


def _moves(monthly_segments: ir.Table) -> ir.Table:
    """One row per month and combination of segments, and of those a month before, with its customers."""
    past = ibis.window(group_by=monthly_segments.customer_id, order_by=monthly_segments.month_on)
    paired = monthly_segments.select(
        "month_on",
        "is_whole",
        *SEGMENTATIONS,
        **{f"from_{name}": monthly_segments[name].lag().over(past) for name in SEGMENTATIONS},
    )
    return paired.group_by(paired.columns).agg(customers=paired.count())


def _counted(moves: ir.Table, segmentation: str) -> ir.Table:
    named = moves.filter(moves[segmentation].notnull())
    later = named.mutate(first_month=named.month_on.min().over()).filter(ibis._.month_on > ibis._.first_month)
    counted = later.group_by(
        "month_on",
        "is_whole",
        from_segment=later[f"from_{segmentation}"].fill_null(NEW),
        to_segment=later[segmentation],
    ).agg(customer_count=later.customers.sum().cast("int64"))
    leaving = ibis.window(group_by=[counted.month_on, counted.from_segment])
    all_leaving = counted.customer_count.sum().over(leaving)
    return counted.mutate(
        segmentation=ibis.literal(segmentation),
        rate=counted.customer_count.cast("float64") / all_leaving.cast("float64"),
    )
