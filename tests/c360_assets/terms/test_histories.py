"""Purchase histories: days on which customers bought, by the shop's clock, up to a day."""

from datetime import date, datetime

import ibis.expr.types as ir

from c360_assets.terms.histories import histories
from c360_assets.terms.time import Clock
from tests.c360_assets.buyers import order
from tests.tables import day, money, rows, table

COLUMNS = (
    "customer_id", "repeat_purchase_count", "last_days", "history_days", "value_count", "value_total",
)  # fmt: skip
BERLIN = Clock(datetime(2026, 6, 30, 12), "Europe/Berlin")


def known(*orders: dict[str, object], until: str = "2026-06-30") -> ir.Table:
    return histories(table("orders", *orders), BERLIN, date.fromisoformat(until))


def test_what_is_bought_on_one_day_of_the_shop_is_one_purchase() -> None:
    found = known(
        order("ann", datetime(2026, 6, 1, 8), money("10"), "1"),
        order("ann", datetime(2026, 6, 10, 8), money("20"), "2"),
        order("ann", datetime(2026, 6, 10, 21), money("5"), "3"),
        # Past midnight in Berlin.
        order("ann", datetime(2026, 6, 10, 23), money("7"), "4"),
        order("bob", datetime(2026, 6, 29, 8), money("99"), "5"),
    )
    assert rows(found, *COLUMNS) == [
        ("ann", 2, 10, 29, 2, money("32")),
        ("bob", 0, 0, 1, 0, money("0")),
    ]


def test_what_came_later_is_not_known() -> None:
    orders = [order("ann", day(on), money("10"), on) for on in ("2026-01-01", "2026-02-01", "2026-03-01")]
    assert rows(known(*orders, until="2026-02-01"), *COLUMNS) == [("ann", 1, 31, 31, 1, money("10"))]
    assert rows(known(*orders, until="2026-01-31"), *COLUMNS) == [("ann", 0, 0, 30, 0, money("0"))]
    assert rows(known(*orders, until="2025-12-31"), *COLUMNS) == []


def test_orders_without_date_or_customer_or_that_came_to_nothing_do_not_count() -> None:
    found = known(
        order("ann", day("2026-06-01"), money("10"), "1"),
        order("ann", None, money("10"), "2"),
        order(None, day("2026-06-02"), money("10"), "3"),
        order("ann", day("2026-06-03"), money("0"), "4", is_completed=False),
    )
    assert rows(found, *COLUMNS) == [("ann", 0, 0, 29, 0, money("0"))]


def test_a_purchase_of_unknown_value_counts_and_its_value_does_not() -> None:
    found = known(
        order("ann", day("2026-06-01"), money("10"), "1"),
        order("ann", day("2026-06-05"), None, "2"),
        order("ann", day("2026-06-09"), money("8"), "3"),
        order("ann", day("2026-06-11"), money("8"), "4"),
        order("ann", day("2026-06-11"), None, "5"),
    )
    assert rows(found, *COLUMNS) == [("ann", 3, 10, 29, 1, money("8"))]
