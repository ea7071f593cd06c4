"""Hourly activity: the hours of the week, and what cannot be known of them."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.hourly_activity import hourly_activity
from tests.tables import at, computed, rows, table

MONDAY = datetime(2026, 6, 1)
NOW = at("2026-06-30")


def session(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    return {"session_id": str(number), "started_at": at, "product_view_count": 0, "cart_count": 0, **more}


def order(number: int, at: datetime | None, *, is_completed: bool = True) -> dict[str, Any]:
    return {"order_id": str(number), "ordered_at": at, "is_completed": is_completed}


def hours(visits: list[dict[str, Any]], orders: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    """Values of each hour of the week in turn."""
    found: Any = computed(hourly_activity)(table("sessions", *visits), table("orders", *orders), NOW)
    return [tuple(r[name] for name in columns) for r in found.order_by("weekday", "hour").to_pyarrow().to_pylist()]


def test_sessions_and_orders_fall_into_the_hour_of_the_week_in_which_they_began() -> None:
    sunday_night, sunday_before = MONDAY - timedelta(minutes=1), MONDAY - timedelta(days=8)
    visits = [
        session(1, MONDAY, product_view_count=3, cart_count=1),
        session(2, MONDAY + timedelta(minutes=59), product_view_count=2),
        session(3, sunday_night),
        session(4, sunday_before),
    ]
    orders = [order(1, sunday_night), order(4, sunday_before), order(2, MONDAY, is_completed=False), order(3, None)]
    found = hours(visits, orders, "weekday", "hour", "session_count", "product_view_count", "cart_count", "order_count")
    assert len(found) == 168
    assert found[0] == (1, 0, 2, 5, 1, 0)
    assert found[1] == (1, 1, 0, 0, 0, 0)
    assert found[-1] == (7, 23, 1, 0, 0, 1)
    assert hours(visits, orders, "session_share", "order_share", "reason")[0] == (2 / 4, 0.0, None)


def test_orders_with_dates_only_tell_no_hours() -> None:
    visits = [session(n, MONDAY + timedelta(days=6 * n, hours=9)) for n in (0, 1)]
    orders = [order(1, MONDAY), order(2, MONDAY + timedelta(days=1))]
    found = hours(visits, orders, "session_count", "order_count", "order_share", "reason")
    assert found[9] == (1, None, None, "orders carry dates, not times")
    assert set(found) == {found[0], found[9]}


def test_sessions_with_dates_only_tell_no_hours_either() -> None:
    orders = [order(n, MONDAY + timedelta(days=6 * n, hours=1)) for n in (0, 1)]
    found = hours([session(1, MONDAY)], orders, "session_count", "reason")
    assert set(found) == {(None, "web events carry dates, not times")}


def test_less_than_a_week_tells_no_hours_for_some_were_never_there() -> None:
    visits = [session(n, MONDAY + timedelta(days=n, hours=9)) for n in (0, 5)]
    orders = [order(1, MONDAY + timedelta(hours=9))]
    columns = ("session_count", "order_count", "order_share", "reason")
    reason = "web events of less than a week are held; orders of less than a week are held"
    assert set(hours(visits, orders, *columns)) == {(None, None, None, reason)}
    visits.append(session(9, MONDAY + timedelta(days=6, hours=9)))
    assert hours(visits, orders, *columns)[9] == (1, None, None, "orders of less than a week are held")


def test_with_nothing_held_all_hours_are_there_and_say_why_they_are_empty() -> None:
    columns = ("session_count", "cart_count", "session_share", "order_count", "reason")
    found = hours([], [order(1, None)], *columns)
    assert found == [(None, None, None, None, "no web events; no dated orders")] * 168


MINUTES = st.lists(st.integers(0, 60 * 24 * 30), min_size=1, max_size=20)


@settings(max_examples=25, deadline=None)
@given(MINUTES, st.randoms(use_true_random=False))
def test_hours_equal_a_plain_loop_whatever_the_order_of_rows(minutes: list[int], random: Any) -> None:
    moments = [MONDAY + timedelta(minutes=minute, seconds=1) for minute in (0, 8640, *minutes)]
    expected = Counter((moment.isoweekday(), moment.hour) for moment in moments)
    visits = [session(number, moment) for number, moment in enumerate(moments)]
    random.shuffle(visits)
    found = hours(visits, [], "weekday", "hour", "session_count")
    assert {(weekday, hour): count for weekday, hour, count in found if count} == expected


def test_the_hours_hold_every_session_and_order() -> None:
    visits = [session(n, MONDAY + timedelta(hours=7 * n)) for n in range(50)]
    orders = [order(n, MONDAY + timedelta(hours=5 * n)) for n in range(70)]
    found: Any = computed(hourly_activity)(table("sessions", *visits), table("orders", *orders), NOW)
    totals = found.agg(sessions=found.session_count.sum().cast("int64"), orders=found.order_count.sum().cast("int64"))
    assert rows(totals, "sessions", "orders") == [(50, 70)]
