"""Session paths: what each visit did, in order, from which journeys, drop-offs and moments of truth are counted."""

from collections.abc import Callable
from datetime import datetime

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.activity import ORDER_PLACED, said_again
from c360_assets.terms.inputs import HOURLY_SOURCE
from c360_assets.terms.time import until

SEPARATOR = " > "
OTHER = "(other)"
# An event is one number, its microsecond since the earliest a contract allows and its action: lists of such numbers
# take a third of the time and memory of lists with text. Two centuries to the latest leave room for so many actions.
EPOCH = datetime(1900, 1, 1)
MOST_ACTIONS = 1024


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def session_paths(web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per web session by as_of with a step: one that only says again what was ordered has none."""
    has_session = web_analytics.session_id.notnull()
    # Each from the source itself: the engine would keep in memory all the events that two parts of a query share.
    clicks = web_analytics.filter(has_session & (web_analytics.event_action == ORDER_PLACED))
    again = said_again(until(clicks, "activity_ts", as_of))
    names = _names(web_analytics)
    happened = until(web_analytics.filter(has_session), "activity_ts", as_of)
    # By an anti join the engine would hold whichever side it takes for the smaller one, and take it wrong.
    events = happened.filter(happened.activity_uuid.notin(again.activity_uuid)).cross_join(names)
    microsecond = events.activity_ts.delta(EPOCH, unit="microsecond")
    action = ibis.greatest(events["names"].index(events.event_action), 0)
    visits = events.group_by("session_id").agg(events=(microsecond * MOST_ACTIONS + action).collect())
    done = visits.select("session_id", actions=visits.events.sort().map(lambda event: event % MOST_ACTIONS))
    steps = done.select("session_id", steps=done.actions.filter(_differs_from_the_last(done.actions)))
    named = steps.cross_join(names)
    return named.select(
        "session_id",
        path=named.steps.map(lambda step: named["names"][step]).join(SEPARATOR),
        step_count=named.steps.length(),
    )


def _names(events: ir.Table) -> ir.Table:
    """One row with the actions by the alphabet; before them the name of those that would be too many."""
    known = events.agg(names=events.event_action.collect(distinct=True, order_by=events.event_action))
    return known.select(names=ibis.array([OTHER]).concat(known["names"][: MOST_ACTIONS - 1]))


def _differs_from_the_last(actions: ir.ArrayColumn) -> Callable[[ir.Value, ir.IntegerValue], ir.BooleanValue]:
    return lambda action, place: (place == 0) | (actions[place - 1] != action)
