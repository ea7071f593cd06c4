"""As of: the newest event, or the moment asked for."""

from datetime import datetime, timedelta

import pytest

from c360_assets.conformed.as_of import AsOf, as_of
from c360_assets.terms.time import clock, until
from tests.tables import at, day, rows, table

EMPTY = {
    name: table(f"sources/{name}") for name in ("orders", "web_analytics", "review", "support_ticket", "survey_answer")
}


def test_as_of_is_the_newest_thing_a_customer_did() -> None:
    sources = EMPTY | {
        "orders": table("sources/orders", {"order_id": "o", "ordered_at": day("2026-05-01")}),
        "review": table("sources/review", {"review_id": "r", "reviewed_at": day("2026-05-03")}),
    }
    assert rows(as_of(config=AsOf(), timezone="UTC", **sources), "as_of") == [(day("2026-05-03"),)]


def test_as_of_is_the_moment_asked_for() -> None:
    assert rows(as_of(config=AsOf(as_of="2026-04-01T12:00:00"), timezone="UTC", **EMPTY), "as_of") == [
        (datetime(2026, 4, 1, 12),)
    ]


def test_as_of_is_unknown_where_nothing_is_dated() -> None:
    assert rows(as_of(config=AsOf(), timezone="UTC", **EMPTY), "as_of") == [(None,)]


@pytest.mark.parametrize(
    ("strays", "others", "newest"),
    [
        (["2042-05-01"], 5, "2024-01-05"),
        (["2042-05-01"], 1, "2042-05-01"),
        (["2042-05-01", "2042-05-02"], 197, "2042-05-02"),
        (["2042-05-01", "2042-05-02"], 198, "2024-07-16"),
        (["2042-05-01", "2071-05-01"], 300, "2024-10-26"),
        (["2025-02-08"], 5, "2025-02-08"),
        (["2025-02-09"], 5, "2024-01-05"),
        (["1999-05-01"], 5, "2024-01-05"),
    ],
)
def test_an_event_far_after_all_others_does_not_move_the_moment(strays: list[str], others: int, newest: str) -> None:
    usual = [day("2024-01-01") + timedelta(days=number) for number in range(others)]
    sources = EMPTY | {
        "orders": table("sources/orders", *({"order_id": f"{at}", "ordered_at": at} for at in usual)),
        "review": table("sources/review", *({"review_id": at, "reviewed_at": day(at)} for at in strays)),
    }
    assert rows(as_of(config=AsOf(), timezone="UTC", **sources), "as_of") == [(day(newest),)]


def test_until_keeps_the_past_and_the_undated() -> None:
    orders = table(
        "sources/orders",
        {"order_id": "past", "ordered_at": day("2026-01-01")},
        {"order_id": "future", "ordered_at": day("2026-01-03")},
        {"order_id": "undated"},
    )
    assert rows(until(orders, "ordered_at", at("2026-01-02")), "order_id") == [("past",), ("undated",)]
    assert len(rows(until(orders, "ordered_at", table("as_of", {"as_of": None})), "order_id")) == 3


def test_days_are_counted_by_the_shops_clock() -> None:
    # In Chicago it is still the evening of the 31st of January.
    now = clock(table("as_of", {"as_of": datetime(2026, 2, 1, 3), "timezone": "America/Chicago"}))
    moments = table("orders", *[{"order_id": f"{hour}", "ordered_at": datetime(2026, 1, 31, hour)} for hour in (5, 6)])
    counted = moments.mutate(days=now.days_since(moments.ordered_at), shown=now.local(moments.ordered_at))
    assert rows(counted, "order_id", "days", "shown") == [
        ("5", 1, datetime(2026, 1, 30, 23)),
        ("6", 0, day("2026-01-31")),
    ]
