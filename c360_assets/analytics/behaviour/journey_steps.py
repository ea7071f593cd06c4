"""Journey steps: from which action visits go on to which, and where they are lost."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.session_paths import SEPARATOR

START = "(start)"
END = "(end)"


@dg.asset
def journey_steps(session_paths: ir.Table) -> ir.Table:
    """One row per action and the next one, from the start of visits to their end."""
    # Most visits share their path with many others, so that few paths are taken apart.
    paths = session_paths.group_by("path").agg(visits=session_paths.count())
    actions = ibis.array([START]).concat(paths.path.split(SEPARATOR)).concat([END])
    # One unnest: of two, engines make pairs of the same place, or every pair.
    placed = paths.mutate(actions=actions, place=ibis.range(actions.length() - 1).unnest())
    steps = placed.select(
        "path", "visits", from_action=placed.actions[placed.place], to_action=placed.actions[placed.place + 1]
    )
    taken = steps.group_by("path", "visits", "from_action", "to_action").agg(times=steps.count())
    counted = taken.group_by("from_action", "to_action").agg(
        transition_count=(taken.times * taken.visits).sum().cast("int64"),
        session_count=taken.visits.sum().cast("int64"),
    )
    left = counted.transition_count.sum().over(group_by=counted.from_action)
    return counted.mutate(share_of_from=counted.transition_count / left, is_drop_off=counted.to_action == END)
