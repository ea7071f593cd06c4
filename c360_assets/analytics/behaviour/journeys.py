"""Journeys: the ways through the shop that most visits take, and which of them lead to an order."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.session_paths import OTHER, SEPARATOR

MAX_STEPS = 8
TOP_PATHS = 100


@dg.asset
def journeys(session_paths: ir.Table, sessions: ir.Table) -> ir.Table:
    """One row per path through the shop, the most frequent by name and all others together."""
    ends = _ends(session_paths)
    top = _top(ends)
    walked = session_paths.select("session_id", journey=_shown(session_paths))
    visits = walked.left_join(top, "journey").select("session_id", rank=top["rank"].fill_null(TOP_PATHS + 1))
    return _sized(ends, top).join(_measured(visits.join(sessions, "session_id")), "rank")


def _shown(paths: ir.Table) -> ir.StringValue:
    begun = paths.path.split(SEPARATOR)[:MAX_STEPS].join(SEPARATOR)
    return (paths.step_count <= MAX_STEPS).ifelse(paths.path, begun + SEPARATOR + "...")


def _ends(session_paths: ir.Table) -> ir.Table:
    """One row per journey and action it ends with, which a path that is cut does not tell."""
    # Most visits share their path with many others, so that few paths are taken apart.
    paths = session_paths.group_by("path", "step_count").agg(visits=session_paths.count())
    ending = paths.select(
        "visits",
        journey=_shown(paths),
        steps=ibis.least(paths.step_count, MAX_STEPS),
        last_action=paths.path.split(SEPARATOR)[-1],
    )
    return ending.group_by("journey", "steps", "last_action").agg(visits=ending.visits.sum().cast("int64"))


def _top(ends: ir.Table) -> ir.Table:
    sized = ends.group_by("journey").agg(visits=ends.visits.sum())
    rank = 1 + ibis.row_number().over(order_by=[sized.visits.desc(), sized.journey])
    ranked = sized.select("journey", rank=rank.cast("int32"))
    return ranked.filter(ranked["rank"] <= TOP_PATHS)


def _sized(ends: ir.Table, top: ir.Table) -> ir.Table:
    """One row per path kept: how many visits took it, and how most of them ended."""
    named = ends.left_join(top, "journey")
    is_named = named.journey_right.notnull()
    kept = named.select(
        "visits",
        "last_action",
        path=is_named.ifelse(named.journey, OTHER),
        rank=named["rank"].fill_null(TOP_PATHS + 1),
        step_count=is_named.ifelse(named.steps, None),
    )
    ended = kept.group_by("path", "rank", "step_count", "last_action").agg(visits=kept.visits.sum())
    sized = ended.group_by("path", "rank", "step_count").agg(
        session_count=ended.visits.sum().cast("int64"),
        last_action=ended.last_action.first(order_by=[ended.visits.desc(), ended.last_action]),
    )
    return sized.mutate(session_share=sized.session_count / sized.session_count.sum().over())


def _measured(visits: ir.Table) -> ir.Table:
    seconds = visits.ended_at.delta(visits.started_at, unit="second")
    summed = visits.group_by("rank").agg(
        customer_count=visits.entity_id.nunique(),
        order_count=visits.count(where=visits.order_count > 0),
        seconds=seconds.sum(),
        visits=visits.count(),
    )
    return summed.select(
        "rank",
        "customer_count",
        "order_count",
        conversion_rate=summed.order_count / summed.visits,
        average_minutes=summed.seconds.cast("float64") / (60 * summed.visits).cast("float64"),
    )
