"""Browsing: sessions summed up per customer."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.browsing import browsing
from tests.tables import at, computed, day, rows, table

NOW = at("2026-06-30T12:00:00")


def session(session_id: str, customer: str | None, on: str, **more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("product_view_count", "favorite_count", "cart_count", "order_count"), 0)
    return {
        "session_id": session_id, "entity_id": customer, "started_at": day(on), "ended_at": day(on),
        "is_bounce": False, "is_cart_abandoned": False, **counts, **more,
    }  # fmt: skip


def test_browsing_sums_up_the_sessions_of_each_customer() -> None:
    visits = table(
        "sessions",
        session("1", "ann", "2026-06-01", product_view_count=3, favorite_count=1, cart_count=2, order_count=1),
        session("2", "ann", "2026-06-02", cart_count=1, is_cart_abandoned=True),
        session("3", "ann", "2026-06-03", product_view_count=1, is_bounce=True),
        session("4", "bob", "2026-06-04", is_bounce=True),
        session("5", None, "2026-06-05", product_view_count=9),
    )
    counts = ("session_count", "product_view_count", "favorite_count", "cart_count", "abandoned_cart_count")
    found = rows(
        computed(browsing)(visits, NOW), "customer_id", *counts, "web_order_count", "bounce_rate", "last_seen_at"
    )
    assert found == [
        ("ann", 3, 4, 1, 3, 1, 1, 1 / 3, day("2026-06-03")),
        ("bob", 1, 0, 0, 0, 0, 0, 1.0, day("2026-06-04")),
    ]


def test_the_last_ninety_days_stand_apart_from_the_ninety_before() -> None:
    starts = ("2026-06-30", "2026-04-02", "2026-04-01", "2026-01-02", "2026-01-01")
    visits = table("sessions", *(session(on, "ann", on) for on in starts))
    assert rows(computed(browsing)(visits, NOW), "recent_session_count", "former_session_count") == [(2, 2)]


def test_the_preferred_device_is_that_of_most_sessions_and_the_alphabet_settles_ties() -> None:
    visits = table(
        "sessions",
        session("1", "ann", "2026-06-01", device="tablet", traffic_channel="social"),
        session("2", "ann", "2026-06-01", device="tablet", traffic_channel="email"),
        session("3", "ann", "2026-06-01", device="desktop"),
        session("4", "bob", "2026-06-01"),
    )
    found = rows(computed(browsing)(visits, NOW), "customer_id", "preferred_device", "preferred_traffic_channel")
    assert found == [("ann", "tablet", "email"), ("bob", None, None)]


def test_without_sessions_nobody_browses() -> None:
    assert rows(computed(browsing)(table("sessions"), table("as_of", {"as_of": None})), "customer_id") == []


VISITS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", None]),
        st.integers(0, 200),
        st.integers(0, 5000),
        st.sampled_from([None, "a", "b"]),
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(VISITS, st.randoms(use_true_random=False))
def test_browsing_equals_a_plain_loop_whatever_the_order_of_rows(visits: list[Any], random: Any) -> None:
    today = day("2026-06-30")
    literal = [
        session(str(n), customer, "2026-06-30", device=device)
        | {"started_at": today - timedelta(days=ago), "ended_at": today - timedelta(days=ago, seconds=-seconds)}
        for n, (customer, ago, seconds, device) in enumerate(visits)
    ]
    expected = []
    for customer in sorted({who for who, *_ in visits if who}):
        mine = [visit[1:] for visit in visits if visit[0] == customer]
        devices = [device for _, _, device in mine if device]
        preferred = min(set(devices), key=lambda device: (-devices.count(device), device), default=None)
        recent = sum(ago < 90 for ago, _, _ in mine)
        minutes = sum(seconds for _, seconds, _ in mine) / 60
        expected.append((customer, len(mine), minutes, recent, preferred))
    random.shuffle(literal)
    columns = ("customer_id", "session_count", "engagement_minutes", "recent_session_count", "preferred_device")
    assert rows(computed(browsing)(table("sessions", *literal), NOW), *columns) == expected
