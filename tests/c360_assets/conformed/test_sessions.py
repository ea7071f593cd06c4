"""Sessions: what a visit led to, from its events."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.conformed.sessions import sessions
from tests.tables import at, computed, rows, table

NOW = at("2026-06-30")
MORNING = datetime(2026, 6, 1, 9)


def event(uuid: str, second: float, action: str = "page_view", **more: Any) -> dict[str, Any]:
    moment = MORNING + timedelta(seconds=second)
    return {"activity_uuid": uuid, "session_id": "s", "activity_ts": moment, "event_action": action, **more}


def web(*events: dict[str, Any]) -> Any:
    return table("sources/web_analytics", *events)


def test_a_session_tells_what_the_visit_led_to() -> None:
    visit = web(
        event("a", 0, page_url="/", visitor_id="v"),
        event("b", 30, "product_view", entity_id="ann", page_url="/p"),
        event("c", 40, "add_to_favorite"),
        event("d", 50, "add_to_cart"),
        event("e", 60, "add_to_cart"),
        event("f", 70, "checkout", page_url="/checkout"),
        event("g", 90, "order_placed", order_id="o"),
        event("h", 90, "order_placed", order_id="o"),
    )
    counts = ("product_view_count", "favorite_count", "cart_count", "checkout_count", "order_count", "event_count")
    told = ("entity_id", "visitor_id", "engagement_minutes", "entry_page", "exit_page", "is_bounce")
    assert rows(computed(sessions)(visit, NOW), *counts) == [(1, 1, 2, 1, 1, 8)]
    assert rows(computed(sessions)(visit, NOW), *told) == [("ann", "v", 1.5, "/", "/checkout", False)]


def test_a_visit_begins_when_the_source_says_but_not_after_its_first_event() -> None:
    visits = web(
        event("a", 60, visit_start_ts=MORNING),
        event("b", 60, session_id="late", visit_start_ts=MORNING + timedelta(hours=1)),
        event("c", 60, session_id="untold"),
    )
    first = MORNING + timedelta(minutes=1)
    assert rows(computed(sessions)(visits, NOW), "session_id", "started_at", "ended_at", "engagement_minutes") == [
        ("late", first, first, 0.0),
        ("s", MORNING, first, 1.0),
        ("untold", first, first, 0.0),
    ]


def test_device_and_traffic_are_those_of_the_first_event_that_has_one() -> None:
    visit = web(
        event("z", 1, device=None, traffic_channel="email"),
        event("y", 2, device="mobile", traffic_channel="organic"),
        event("x", 3, device="desktop", traffic_source="google"),
    )
    assert rows(computed(sessions)(visit, NOW), "device", "traffic_channel", "traffic_source") == [
        ("mobile", "email", "google")
    ]


def test_events_a_microsecond_apart_keep_their_order() -> None:
    visit = web(*(event(f"e{n}", n * 1e-6, page_url=f"/{n}") for n in range(50)))
    assert rows(computed(sessions)(visit, NOW), "entry_page", "exit_page") == [("/0", "/49")]


def test_a_cart_is_abandoned_where_no_order_follows() -> None:
    visits = web(
        event("a", 0, "add_to_cart", session_id="left"),
        event("b", 0, "add_to_cart", session_id="bought"),
        event("c", 5, "order_placed", session_id="bought"),
        event("d", 0, session_id="looked"),
    )
    assert rows(computed(sessions)(visits, NOW), "session_id", "is_cart_abandoned", "is_bounce", "order_count") == [
        ("bought", False, False, 1),
        ("left", True, True, 0),
        ("looked", False, True, 0),
    ]


def test_events_without_a_session_or_after_as_of_are_left_out() -> None:
    visits = web(event("a", 0), event("b", 0, session_id=None), event("c", 60 * 60 * 24 * 60))
    assert rows(computed(sessions)(visits, NOW), "session_id", "event_count") == [("s", 1)]


def test_no_events_make_no_sessions() -> None:
    assert rows(computed(sessions)(web(), table("as_of", {"as_of": None})), "session_id") == []


VISITS = st.lists(
    st.tuples(
        st.sampled_from(["s", "t", "u"]),
        st.integers(0, 4),
        st.sampled_from(["page_view", "product_view", "add_to_cart", "order_placed"]),
        st.sampled_from([None, "mobile", "desktop", "tablet"]),
        st.sampled_from([None, "o", "p"]),
    ),
    max_size=20,
)
ALL = ("session_id", "started_at", "ended_at", "event_count", "cart_count", "order_count", "is_bounce", "device")


@settings(max_examples=25, deadline=None)
@given(VISITS, st.randoms(use_true_random=False))
def test_the_order_of_rows_is_irrelevant_even_for_events_of_one_moment(visits: list[Any], random: Any) -> None:
    events = [
        event(str(n), second, action, session_id=session, device=device, order_id=order, page_url=str(n))
        for n, (session, second, action, device, order) in enumerate(visits)
    ]
    shuffled = random.sample(events, len(events))
    pages = ("entry_page", "exit_page")
    assert rows(computed(sessions)(web(*events), NOW), *ALL, *pages) == rows(
        computed(sessions)(web(*shuffled), NOW), *ALL, *pages
    )


@settings(max_examples=25, deadline=None)
@given(VISITS)
def test_sessions_equal_a_plain_loop_where_no_two_events_coincide(visits: list[Any]) -> None:
    events = [
        event(str(n), second * 100 + n, action, session_id=session, device=device, order_id=order)
        for n, (session, second, action, device, order) in enumerate(visits)
    ]
    # An order is of the session that said first that it was placed.
    placed = [e for e in events if e["event_action"] == "order_placed"]
    placed.sort(key=lambda e: e["activity_ts"], reverse=True)
    first = {e["order_id"] or e["activity_uuid"]: e["session_id"] for e in placed}
    expected = []
    for session in sorted({found["session_id"] for found in events}):
        visit = sorted((e for e in events if e["session_id"] == session), key=lambda e: e["activity_ts"])
        orders = [order for order, placer in first.items() if placer == session]
        devices = [e["device"] for e in visit if e["device"]]
        expected.append((
            session, visit[0]["activity_ts"], visit[-1]["activity_ts"], len(visit),
            sum(e["event_action"] == "add_to_cart" for e in visit), len(orders), len(visit) == 1,
            devices[0] if devices else None,
        ))  # fmt: skip
    assert rows(computed(sessions)(web(*events), NOW), *ALL) == expected
