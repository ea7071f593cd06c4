"""Stumbles: where visits to the shop failed again and again, or lost their way."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.inputs import HOURLY_SOURCE
from c360_assets.terms.pages import UNKNOWN, path_of
from c360_assets.terms.time import until

# What failed says so in its action, or in its page where that is not a product's.
FAILURE = r"(?i)error|fail|(^|[^a-z])bugs?([^a-z]|$)"
FAILURES = 2
RAGE_EVENTS, RAGE_SECONDS = 4, 10
TURNS = 4  # A > B > A > B
# What is done on a page, often several lines at once, is no way from page to page.
DONE_ON_PAGES = ("add_to_favorite", "add_to_cart", "order_placed")


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def stumbles(web_analytics: ir.Table, sessions: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per web session by as_of, kind of stumble and place."""
    events = _events(web_analytics, as_of)
    met = ibis.union(_repeated_failures(events, sessions), _lost_ways(events, sessions))
    here, before = path_of(met.page), path_of(met.page_before)
    between = ibis.least(here, before) + " <> " + ibis.greatest(here, before)
    place = before.isnull().ifelse(here.fill_null(UNKNOWN), between)
    placed = met.select("session_id", "kind", "example_count", place=place)
    return placed.group_by("session_id", "kind", "place").agg(example_count=placed.example_count.sum().cast("int64"))


def _events(web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    # Only filtered: columns made here for both who read it would be kept for all events, 130 s instead of 70.
    happened = until(web_analytics, "activity_ts", as_of)
    return happened.filter(happened.session_id.notnull())


def _page(events: ir.Table) -> ir.StringColumn:
    return _part(events.page_url, "?", 1).nullif("")


def _met(
    rows: ir.Table, kind: ir.Value, page: ir.Value, count: ir.Value, page_before: ir.Value | None = None
) -> ir.Table:
    before = ibis.null("string") if page_before is None else page_before
    return rows.select("session_id", kind=kind, page=page, page_before=before, example_count=count)


def _repeated_failures(events: ir.Table, sessions: ir.Table) -> ir.Table:
    """Visits that met the same failure again, or began the same checkout again and never ordered."""
    action, page = events.event_action, _page(events)
    is_failure = action.re_search(FAILURE) | (events.product_sku.isnull() & page.re_search(FAILURE)).fill_null(False)
    steps = events.select(
        "session_id", "activity_ts", action=action, step=page.fill_null(action), is_failure=is_failure
    )
    suspects = steps.filter(steps.is_failure | (steps.action == "checkout"))
    known = suspects.join(sessions.select("session_id", "order_count"), "session_id")
    failed = known.filter(known.is_failure | (known.order_count == 0))
    # Events of one moment are lines of one event.
    times = failed.group_by("session_id", "action", "step").agg(times=failed.activity_ts.nunique())
    again = times.filter(times.times >= FAILURES)
    return _met(again, ibis.literal("repeated_failure"), again.step, again.times)


def _lost_ways(events: ir.Table, sessions: ir.Table) -> ir.Table:
    """Visits that go back and forth between two pages, or do the same on one page again and again in haste."""
    long = sessions.filter(sessions.event_count >= min(TURNS, RAGE_EVENTS)).select("session_id")
    moves = events.filter(events.event_action.notin(DONE_ON_PAGES))
    moves = moves.select("session_id", "activity_ts", "event_action", step=_page(moves).fill_null(moves.event_action))
    found = _turns(_stays(moves.semi_join(long, "session_id")))
    kind = found.is_rage.ifelse("rage_repeat", "back_and_forth")
    return _met(found, kind, found.step, ibis.literal(1, type="int64"), found.is_rage.ifelse(None, found.step_before))


def _stays(moves: ir.Table) -> ir.Table:
    """The first event of each stay at a page, and those in haste: the same as the ones just before."""
    in_order = ibis.window(group_by=moves.session_id, order_by=[moves.activity_ts, moves.step, moves.event_action])
    back = range(1, RAGE_EVENTS)
    same_step = [moves.step == moves.step.lag(events).over(in_order) for events in back]
    same_action = [moves.event_action == moves.event_action.lag(events).over(in_order) for events in back]
    first_at = moves.activity_ts.lag(RAGE_EVENTS - 1).over(in_order)
    in_time = moves.activity_ts <= first_at + ibis.interval(seconds=RAGE_SECONDS)
    marked = moves.select(
        "session_id",
        "activity_ts",
        "step",
        is_new=(~same_step[0]).fill_null(True),
        is_rage=ibis.and_(in_time, *same_step, *same_action).fill_null(False),
    )
    return marked.filter(marked.is_new | marked.is_rage)


def _turns(stays: ir.Table) -> ir.Table:
    """The events in haste, and the stays that come after enough others at the same two pages in turn."""
    in_order = ibis.window(group_by=[stays.session_id, stays.is_new], order_by=[stays.activity_ts, stays.step])
    steps = [stays.step, *(stays.step.lag(places).over(in_order) for places in range(1, TURNS))]
    returns = [steps[place] == steps[place + 2] for place in range(TURNS - 2)]
    marked = stays.mutate(step_before=steps[1], is_turn=ibis.and_(stays.is_new, *returns).fill_null(False))
    return marked.filter(marked.is_rage | marked.is_turn)


@ibis.udf.scalar.builtin(name="split_part")  # type: ignore[untyped-decorator]
def _part(text: str, separator: str, position: int) -> str:  # type: ignore[empty-body]
    """The text between two separators, counted from 1."""
