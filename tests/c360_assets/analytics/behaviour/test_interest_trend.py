"""Interest trend: the last thirty days, and what is not known of them."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.interest_trend import interest_trend
from tests.tables import at, computed, day, rows, table

NOW = at("2026-06-30T12:00:00")
TODAY = day("2026-06-30")


def event(uuid: str, ago: int, customer: str | None = "ann") -> dict[str, Any]:
    return {"activity_uuid": uuid, "activity_ts": TODAY - timedelta(days=ago, seconds=-1), "entity_id": customer}


def session(session_id: str, ago: int) -> dict[str, Any]:
    return {"session_id": session_id, "started_at": TODAY - timedelta(days=ago)}


def order(order_id: str, ago: int | None, *, is_completed: bool = True) -> dict[str, Any]:
    ordered_at = None if ago is None else TODAY - timedelta(days=ago)
    return {"order_id": order_id, "ordered_at": ordered_at, "is_completed": is_completed}


def trend(as_of: Any = NOW, **held: list[dict[str, Any]]) -> Any:
    names = ("product_views", "items_added_to_favorite", "items_added_to_cart", "sessions", "orders")
    return computed(interest_trend)(*(table(name, *held.get(name, [])) for name in names), as_of)


def test_each_day_tells_what_happened_on_it() -> None:
    found = trend(
        product_views=[event("1", 0), event("2", 0), event("3", 0, "bob"), event("4", 40)],
        items_added_to_favorite=[event("5", 0, "cid"), event("6", 1)],
        items_added_to_cart=[event("7", 0, None)],
        sessions=[session("s", 0)],
        orders=[order("o", 0), order("p", 0, is_completed=False), order("q", 60)],
    )
    columns = ("product_view_count", "favorite_count", "cart_count", "session_count", "customer_count", "order_count")
    days = rows(found, "active_on", *columns, "reason")
    assert len(days) == 30
    assert days[0] == (date(2026, 6, 1), 0, 0, 0, 0, 0, 0, None)
    assert days[-2] == (date(2026, 6, 29), 0, 1, 0, 0, 1, 0, None)
    assert days[-1] == (date(2026, 6, 30), 3, 1, 1, 1, 3, 1, None)


def test_the_average_spans_seven_days_and_those_before_the_first_shown() -> None:
    views = [event(str(ago), ago) for ago in range(29, 60)]
    found = rows(trend(product_views=views), "active_on", "product_view_count", "seven_day_average")
    assert found[:2] == [(date(2026, 6, 1), 1, 7 / 7), (date(2026, 6, 2), 0, 6 / 7)]
    assert found[-1] == (date(2026, 6, 30), 0, 0.0)


def test_days_before_the_first_event_are_unknown_and_not_nothing() -> None:
    found = trend(product_views=[event("1", 8)], orders=[order("o", 3)])
    days = rows(found, "active_on", "product_view_count", "order_count", "seven_day_average", "reason")
    assert days[20] == (date(2026, 6, 21), None, None, None, "no web events; no dated orders")
    assert days[21] == (date(2026, 6, 22), 1, None, None, "no dated orders")
    assert days[27:] == [
        (date(2026, 6, 28), 0, 0, 1 / 7, None),
        (date(2026, 6, 29), 0, 0, 0.0, None),
        (date(2026, 6, 30), 0, 0, 0.0, None),
    ]


def test_orders_are_told_where_there_are_no_web_events() -> None:
    found = trend(orders=[order("o", 0), order("p", 200), order("q", None)])
    columns = ("active_on", "session_count", "customer_count", "order_count", "seven_day_average", "reason")
    assert rows(found, *columns)[-1] == (date(2026, 6, 30), None, None, 1, None, "no web events")


def test_where_nothing_is_dated_there_are_no_days() -> None:
    assert rows(trend(table("as_of", {"as_of": None}), orders=[order("o", None)]), "active_on") == []


EVENTS = st.lists(st.tuples(st.integers(0, 45), st.sampled_from(["ann", "bob", None])), min_size=1, max_size=25)


@settings(max_examples=25, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_the_trend_equals_a_plain_loop_whatever_the_order_of_rows(seen: list[Any], random: Any) -> None:
    first = max(ago for ago, _ in seen)
    expected = []
    for ago in range(29, -1, -1):
        views = sum(other == ago for other, _ in seen)
        week = sum(ago <= other < ago + 7 for other, _ in seen)
        customers = {who for other, who in seen if other == ago and who}
        known = ago <= first
        average = week / 7 if ago + 6 <= first else None
        expected.append((views if known else None, len(customers) if known else None, average))
    views_held = [event(str(number), ago, who) for number, (ago, who) in enumerate(seen)]
    random.shuffle(views_held)
    columns = ("product_view_count", "customer_count", "seven_day_average")
    assert rows(trend(product_views=views_held), *columns, by="active_on") == expected
