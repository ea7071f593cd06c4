"""Frictions: where visits to the shop stumble, what they leave behind there, and what to mend first."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import HOURLY_SOURCE, until
from c360_assets.conformed.products import MONEY
from c360_assets.conformed.session_paths import OTHER

# What failed says so in its action, or in its page where that is not a product's.
FAILURE = r"(?i)error|fail|(^|[^a-z])bugs?([^a-z]|$)"
FAILURES = 2
RAGE_EVENTS, RAGE_SECONDS = 4, 10
TURNS = 4  # A > B > A > B
# What is done on a page, often several lines at once, is no way from page to page.
DONE_ON_PAGES = ("add_to_favorite", "add_to_cart", "order_placed")
HIGH_SHARE, MEDIUM_SHARE = 0.05, 0.01
TOP_PLACES = 50
UNKNOWN = "(unknown)"
HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*"
QUERY = r"[?#;].*$"
# Parts of a path that tell who or which one instead of where: those with an at sign or four digits.
IDENTIFIER = r"[^/]*(@|%40|[0-9][^/]*[0-9][^/]*[0-9][^/]*[0-9])[^/]*"


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def frictions(web_analytics: ir.Table, sessions: ir.Table, items_added_to_cart: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per kind of friction and place, the most frequent places by name and all others of the kind together."""
    events = _events(web_analytics, as_of)
    met = ibis.union(
        _abandoned(sessions, "abandoned_cart", "cart_count"),
        _abandoned(sessions, "abandoned_checkout", "checkout_count"),
        _repeated_failures(events, sessions),
        _lost_ways(events, sessions),
    )
    touched = _gathered(_placed(met)).join(sessions.select("session_id", "entity_id"), "session_id")
    measured = touched.left_join(_left_in_carts(items_added_to_cart, sessions), "session_id")
    summed = measured.group_by("kind", "place").agg(
        session_count=measured.count(),
        customer_count=measured.entity_id.nunique(),
        example_count=measured.example_count.sum().cast("int64"),
        lost_value=measured.cart_value.sum().cast(MONEY),
    )
    return _ranked(summed.mutate(session_share=summed.session_count / sessions.count().as_scalar()))


def _events(web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    # Only filtered: columns made here for both who read it would be kept for all events, 130 s instead of 70.
    happened = until(web_analytics, "activity_ts", as_of)
    return happened.filter(happened.session_id.notnull())


def _page(events: ir.Table) -> ir.StringColumn:
    return _part(events.page_url, "?", 1).nullif("")


def _abandoned(sessions: ir.Table, kind: str, count: str) -> ir.Table:
    """Visits that began it and did not order, with the page they left from."""
    left = sessions.filter((sessions[count] > 0) & (sessions.order_count == 0))
    return _met(left, ibis.literal(kind), left.exit_page, left[count])


def _met(
    rows: ir.Table, kind: ir.Value, page: ir.Value, count: ir.Value, page_before: ir.Value | None = None
) -> ir.Table:
    before = ibis.null("string") if page_before is None else page_before
    return rows.select("session_id", kind=kind, page=page, page_before=before, example_count=count)


def _repeated_failures(events: ir.Table, sessions: ir.Table) -> ir.Table:
    """Visits that met the same failure again, or began the same checkout again and never ordered."""
    action, page = events.event_action, _page(events)
    is_failure = action.re_search(FAILURE) | (events.product_sku.isnull() & page.re_search(FAILURE)).fill_null(False)
    told = events.select("session_id", "activity_ts", action=action, step=page.fill_null(action), is_failure=is_failure)
    suspects = told.filter(told.is_failure | (told.action == "checkout"))
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
    told = moves.select(
        "session_id",
        "activity_ts",
        "step",
        is_new=(~same_step[0]).fill_null(True),
        is_rage=ibis.and_(in_time, *same_step, *same_action).fill_null(False),
    )
    return told.filter(told.is_new | told.is_rage)


def _turns(stays: ir.Table) -> ir.Table:
    """The events in haste, and the stays that come after enough others at the same two pages in turn."""
    in_order = ibis.window(group_by=[stays.session_id, stays.is_new], order_by=[stays.activity_ts, stays.step])
    steps = [stays.step, *(stays.step.lag(places).over(in_order) for places in range(1, TURNS))]
    returns = [steps[place] == steps[place + 2] for place in range(TURNS - 2)]
    told = stays.mutate(step_before=steps[1], is_turn=ibis.and_(stays.is_new, *returns).fill_null(False))
    return told.filter(told.is_rage | told.is_turn)


def _placed(met: ir.Table) -> ir.Table:
    places = met.select("session_id", "kind", "example_count", here=_path(met.page), before=_path(met.page_before))
    between = ibis.least(places.here, places.before) + " <> " + ibis.greatest(places.here, places.before)
    place = places.before.isnull().ifelse(places.here.fill_null(UNKNOWN), between)
    return places.select("session_id", "kind", "example_count", place=place)


def _path(page: ir.StringColumn) -> ir.StringColumn:
    """The path of a page without host, query and identifiers."""
    path = page.re_replace(HOST, "").re_replace(QUERY, "").re_replace(IDENTIFIER, "*").re_replace("(.)/+$", r"\1")
    return (path == "").ifelse("/", path)


def _gathered(placed: ir.Table) -> ir.Table:
    """One row per visit, kind and place, the rare places of a kind together."""
    met = placed.group_by("session_id", "kind", "place").agg(example_count=placed.example_count.sum())
    sizes = met.group_by("kind", "place").agg(visits=met.count())
    by_size = ibis.window(group_by=sizes.kind, order_by=[sizes.visits.desc(), sizes.place])
    top = sizes.mutate(position=ibis.row_number().over(by_size))
    named = met.left_join(top.filter(top.position < TOP_PLACES).select("kind", "place"), ["kind", "place"])
    kept = named.select("session_id", "kind", "example_count", place=named.place_right.fill_null(OTHER))
    return kept.group_by("session_id", "kind", "place").agg(example_count=kept.example_count.sum())


def _left_in_carts(items_added_to_cart: ir.Table, sessions: ir.Table) -> ir.Table:
    """What lies in the carts of visits that did not order, where prices are known."""
    items = items_added_to_cart.semi_join(sessions.filter(sessions.is_cart_abandoned), "session_id")
    return items.group_by("session_id").agg(cart_value=items.order_value.sum())


def _ranked(summed: ir.Table) -> ir.Table:
    share = summed.session_share
    by_size = [summed.session_count.desc(), summed.kind, summed.place]
    return summed.mutate(
        priority=ibis.cases((share >= HIGH_SHARE, "High"), (share >= MEDIUM_SHARE, "Medium"), else_="Low"),
        rank=(1 + ibis.row_number().over(order_by=by_size)).cast("int32"),
    )


@ibis.udf.scalar.builtin(name="split_part")  # type: ignore[untyped-decorator]
def _part(text: str, separator: str, position: int) -> str:  # type: ignore[empty-body]
    """The text between two separators, counted from 1."""
