"""Journey steps: from which action visits go on to which, and where they are lost."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.session_paths import SEPARATOR

START = "(start)"
END = "(end)"
KEY = ("from_action", "to_action")


@dg.asset
def journey_steps(session_paths: ir.Table) -> ir.Table:
    """One row per action and the next one, from the start of visits to their end."""
    # Most visits share their path with many others, so that few paths are taken apart.
    paths = session_paths.group_by("path").agg(visits=session_paths.count())
    steps = paths.path.split(SEPARATOR)
    transitions = ibis.array([START]).concat(steps).zip(steps.concat([END]))
    passed = _counted(paths.select("visits", step=transitions.unnest()), "transition_count")
    met = _counted(paths.select("visits", step=transitions.unique().unnest()), "session_count")
    counted = passed.join(met, KEY)
    left = counted.transition_count.sum().over(group_by=counted.from_action)
    return counted.mutate(share_of_from=counted.transition_count / left, is_drop_off=counted.to_action == END)


def _counted(steps: ir.Table, name: str) -> ir.Table:
    pairs = steps.select("visits", from_action=steps.step.f1, to_action=steps.step.f2)
    return pairs.group_by(KEY).agg(pairs.visits.sum().cast("int64").name(name))
