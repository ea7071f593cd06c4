"""As of: the newest event, or the moment asked for."""

from datetime import datetime

from c360_assets.conformed.as_of import AsOf, as_of, until
from tests.tables import at, day, rows, table

EMPTY = {
    name: table(f"sources/{name}") for name in ("orders", "web_analytics", "review", "support_ticket", "survey_answer")
}


def test_as_of_is_the_newest_thing_a_customer_did() -> None:
    sources = EMPTY | {
        "orders": table("sources/orders", {"order_id": "o", "ordered_at": day("2026-05-01")}),
        "review": table("sources/review", {"review_id": "r", "reviewed_at": day("2026-05-03")}),
    }
    assert rows(as_of(config=AsOf(), **sources), "as_of") == [(day("2026-05-03"),)]


def test_as_of_is_the_moment_asked_for() -> None:
    assert rows(as_of(config=AsOf(as_of="2026-04-01T12:00:00"), **EMPTY), "as_of") == [(datetime(2026, 4, 1, 12),)]


def test_as_of_is_unknown_where_nothing_is_dated() -> None:
    assert rows(as_of(config=AsOf(), **EMPTY), "as_of") == [(None,)]


def test_until_keeps_the_past_and_the_undated() -> None:
    orders = table(
        "sources/orders",
        {"order_id": "past", "ordered_at": day("2026-01-01")},
        {"order_id": "future", "ordered_at": day("2026-01-03")},
        {"order_id": "undated"},
    )
    assert rows(until(orders, "ordered_at", at("2026-01-02")), "order_id") == [("past",), ("undated",)]
    assert len(rows(until(orders, "ordered_at", table("as_of", {"as_of": None})), "order_id")) == 3
