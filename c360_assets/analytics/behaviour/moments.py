"""Moments of truth: the actions after which visits end in an order more often than without them."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.session_paths import SEPARATOR
from c360_assets.terms.activity import ORDER_PLACED
from c360_assets.terms.intervals import Z

# With fewer visits on either side the normal interval says nothing.
MIN_SESSIONS = 30


@dg.asset
def moments(session_paths: ir.Table) -> ir.Table:
    """One row per action that visits do before they order or leave."""
    return _compared(_counted(session_paths))


def _counted(session_paths: ir.Table) -> ir.Table:
    """Visits with the action before their first order and all visits, and those of them that ordered."""
    # Most visits share their path with many others, so that few paths are taken apart.
    paths = session_paths.group_by("path").agg(visits=session_paths.count())
    steps = paths.path.split(SEPARATOR)
    split = paths.select("visits", steps=steps, has_ordered=steps.contains(ORDER_PLACED))
    before = split.steps[: split.steps.index(ORDER_PLACED)]
    deciding = split.has_ordered.ifelse(before, split.steps).unique()
    done = split.select("visits", "has_ordered", action=deciding.unnest())
    counted = done.group_by("action").agg(
        session_count=done.visits.sum().cast("int64"),
        order_count=done.visits.sum(where=done.has_ordered).fill_null(0).cast("int64"),
    )
    everything = split.agg(
        all_sessions=split.visits.sum().cast("int64"),
        all_orders=split.visits.sum(where=split.has_ordered).fill_null(0).cast("int64"),
    )
    return counted.cross_join(everything)


def _compared(counted: ir.Table) -> ir.Table:
    with_others = counted.mutate(
        other_session_count=counted.all_sessions - counted.session_count,
        other_order_count=counted.all_orders - counted.order_count,
        session_share=counted.session_count / counted.all_sessions,
    ).drop("all_sessions", "all_orders")
    rated = with_others.mutate(
        conversion_rate=with_others.order_count / with_others.session_count,
        other_conversion_rate=with_others.other_order_count / with_others.other_session_count.nullif(0),
    )
    difference = rated.conversion_rate - rated.other_conversion_rate
    half = _half_of_difference(rated)
    by_weight = [difference.abs().desc(nulls_first=False), rated.action]
    return rated.mutate(
        lift=rated.conversion_rate / rated.other_conversion_rate.nullif(0),
        difference=difference,
        difference_low=difference - half,
        difference_high=difference + half,
        is_significant=difference.abs() > half,
        rank=(1 + ibis.row_number().over(order_by=by_weight)).cast("int32"),
    )


def _half_of_difference(rated: ir.Table) -> ir.FloatingValue:
    """Half the width of the 95 % normal interval for the difference of two shares, null where visits are too few."""
    share, other = rated.conversion_rate, rated.other_conversion_rate
    variance = share * (1 - share) / rated.session_count + other * (1 - other) / rated.other_session_count.nullif(0)
    enough = ibis.least(rated.session_count, rated.other_session_count) >= MIN_SESSIONS
    return enough.ifelse(Z * variance.sqrt(), None)
