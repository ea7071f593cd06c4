"""Weekly sales: whole weeks without gaps, and every level adds up to the total."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import ibis.expr.types as ir
import pytest
from hypothesis import given, settings

from c360_assets.analytics.value.weekly_sales import LEVELS, weekly_sales
from c360_assets.terms.time import Clock
from c360_assets.terms.weeks import MOST_WEEKS, last_week
from tests.tables import computed, function_of, money, rows, table

# A Monday.
FIRST = datetime(2026, 3, 2)
PRODUCTS = [
    {"sku_id": "s1", "product_id": "p1", "product_name": "Mug", "product_category": "Home", "brand_id": "b1"},
    {"sku_id": "s2", "product_id": "p1", "product_name": "Jar", "product_category": "Home", "brand_id": "b1"},
    {"sku_id": "s3", "product_id": "p2", "product_category": "Toys", "brand_id": "b2", "brand_name": "Toyland"},
]
CUSTOMERS = [{"customer_id": "ann", "country": "NL"}]
COLUMNS = ("level", "series_id", "week_on", "series_name", "revenue", "quantity", "order_count")
Row = dict[str, Any]


def order(order_id: str, days: float | None, amount: int | None, **values: Any) -> Row:
    ordered_at = None if days is None else FIRST + timedelta(days=days)
    worth = None if amount is None else money(str(amount))
    good = {"order_id": order_id, "ordered_at": ordered_at, "is_completed": True, "refunded_amount": money("0")}
    return good | {"order_amount": worth} | values


def line(order_id: str, sku: str | None, amount: int | None, quantity: int = 1, kind: str = "sale") -> Row:
    product = {"s1": "p1", "s2": "p1", "s3": "p2"}.get(sku or "")
    return {
        "order_line_id": f"{order_id} {sku} {kind}", "order_id": order_id, "sku_id": sku, "product_id": product,
        "net_amount": None if amount is None else money(str(amount)), "quantity": money(str(quantity)),
        "line_kind": kind,
    }  # fmt: skip


def sold(orders: list[Row], lines: list[Row], now: str = "2026-03-24", zone: str = "UTC") -> ir.Table:
    moment = table("as_of", {"as_of": datetime.fromisoformat(now), "timezone": zone})
    # Another clock than UTC Sail does not know.
    made = computed(weekly_sales) if zone == "UTC" else function_of(weekly_sales)
    return made(
        table("orders", *orders), table("order_lines", *lines), table("products", *PRODUCTS),
        table("customers", *CUSTOMERS), moment,
    )  # fmt: skip


def told(orders: list[Row], lines: list[Row], level: str, *columns: str, **asked: str) -> list[tuple[Any, ...]]:
    """Rows of a level, without it."""
    found = rows(sold(orders, lines, **asked), *COLUMNS)
    kept = [dict(zip(COLUMNS, row, strict=True)) for row in sorted(found) if row[0] == level]
    return [tuple(row[name] for name in columns) for row in kept]


def week(number: int) -> date:
    return (FIRST + timedelta(weeks=number)).date()


ORDERS = [
    order("o1", 1, 30, customer_id="ann"), order("o2", 2, 12, shipping_country="DE", customer_id="ann"),
    order("o3", 16, 5),
]  # fmt: skip
LINES = [line("o1", "s1", 10, 2), line("o1", "s3", 20), line("o2", "s2", 12, 3), line("o3", "s3", 5)]


def test_each_level_says_what_was_sold_in_every_week() -> None:
    # The first order came on a Tuesday: its week is not whole.
    moved = [ORDERS[0] | {"ordered_at": FIRST}, *ORDERS[1:]]
    assert told(moved, LINES, "total", "series_id", "week_on", "revenue", "quantity", "order_count") == [
        ("total", week(0), 42, 6, 2), ("total", week(1), 0, 0, 0), ("total", week(2), 5, 1, 1),
    ]  # fmt: skip
    assert told(moved, LINES, "category", "series_id", "week_on", "revenue", "order_count") == [
        ("Home", week(0), 22, 2), ("Home", week(1), 0, 0), ("Home", week(2), 0, 0),
        ("Toys", week(0), 20, 1), ("Toys", week(1), 0, 0), ("Toys", week(2), 5, 1),
    ]  # fmt: skip
    countries = told(moved, LINES, "country", "series_id", "week_on", "revenue")
    assert [row for row in countries if row[2]] == [("DE", week(0), 12), ("NL", week(0), 30), ("unknown", week(2), 5)]
    assert set(told(moved, LINES, "product", "series_id", "series_name")) == {("p1", "Jar"), ("p2", "p2")}
    assert set(told(moved, LINES, "brand", "series_id", "series_name")) == {("b1", "b1"), ("b2", "Toyland")}


@pytest.mark.parametrize(
    ("begins", "now", "weeks"),
    [
        (0, "2026-03-24", [0, 1, 2]),
        (0.5, "2026-03-24", [0, 1, 2]),
        (1, "2026-03-24", [2]),
        (0, "2026-03-22T23:59:59", [0, 1, 2]),
        (0, "2026-03-22T23:59:58", [0, 1]),
        (0, "2026-03-08T12:00:00", []),
    ],
)
def test_weeks_are_whole(begins: float, now: str, weeks: list[int]) -> None:
    orders = [order("o1", begins, 5), order("o2", 15, 5)]
    assert told(orders, [], "total", "week_on", now=now) == [(week(number),) for number in weeks]


def test_weeks_are_those_of_the_shops_clock() -> None:
    # In Auckland it is Monday already.
    orders = [order("o1", -1 + 13 / 24, 5), order("o2", 6 + 13 / 24, 7)]
    found = told(orders, [], "total", "week_on", "revenue", now="2026-03-15T12:00", zone="Pacific/Auckland")
    assert found == [(week(0), 5), (week(1), 7)]
    assert told(orders, [], "total", "week_on", "revenue", now="2026-03-16T12:00") == [(week(0), 7), (week(1), 0)]


def test_refunds_lower_revenue_and_not_demand() -> None:
    orders = [order("o1", 0, 10), order("o2", 8, 0, is_completed=False, refunded_amount=money("4"))]
    lines = [line("o1", "s1", 10, 2), line("o2", "s1", -4, -1, "return")]
    found = told(orders, lines, "product", "week_on", "revenue", "quantity", "order_count")
    assert found == [(week(0), 10, 2, 1), (week(1), -4, 0, 0), (week(2), 0, 0, 0)]


def test_what_no_line_tells_is_unknown() -> None:
    orders = [order("o1", 0, 30), order("o2", 1, 8), order("o3", 2, None), order("o4", None, 99)]
    lines = [line("o1", "s1", 10), line("o1", "s9", 15, 4), line("o4", "s1", 99)]
    found = told(orders, lines, "category", "series_id", "week_on", "revenue", "quantity", "order_count")
    # 5 of the order's 30 are in none of its lines; the second has none, and the third neither lines nor a value.
    assert [row for row in found if row[1] == week(0)] == [("Home", week(0), 10, 1, 1), ("unknown", week(0), 28, 4, 3)]


def test_no_date_no_rows() -> None:
    assert rows(sold([], []), "level") == []
    assert rows(sold([order("o1", None, 5)], []), "level") == []
    empty = computed(weekly_sales)(
        table("orders"), table("order_lines"), table("products"), table("customers"), table("as_of")
    )
    assert rows(empty, "level") == []


def test_a_mistyped_year_makes_no_rows() -> None:
    orders = [order("o1", 0, 5, ordered_at=datetime(1970, 1, 1)), order("o2", 1, 7)]
    assert told(orders, [], "total", "week_on", "revenue") == [(week(0), 7), (week(1), 0), (week(2), 0)]


def test_no_more_than_so_many_weeks_are_told() -> None:
    orders = [order(f"o{number}", -7 * number, 1) for number in range(MOST_WEEKS + 9)]
    assert len(told(orders, [], "total", "week_on")) == MOST_WEEKS


SKUS = st.sampled_from(["s1", "s2", "s3", "s9", None])


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(-5, 9), SKUS, st.booleans()), max_size=12))
def test_every_level_adds_up_to_the_total_and_the_order_of_rows_changes_nothing(
    given_rows: list[tuple[int, int, str | None, bool]],
) -> None:
    orders, lines = [], []
    for number, (days, amount, sku, has_line) in enumerate(given_rows):
        back = max(-amount, 0)
        worth = {"is_completed": not back, "refunded_amount": money(str(back)), "customer_id": "ann"}
        orders.append(order(f"o{number}", days, max(amount, 0), **worth))
        if has_line:
            lines.append(line(f"o{number}", sku, amount, 1 if amount >= 0 else -1, "return" if back else "sale"))
    now = "2026-04-01"
    found = rows(sold(orders, lines, now), *COLUMNS)
    sums: dict[tuple[str, date], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for level, _, on, _, revenue, quantity, _ in found:
        sums[level, on][0] += revenue
        sums[level, on][1] += quantity
    weeks = {on for level, on in sums if level == "total"}
    for level in LEVELS:
        for on in weeks:
            assert sums[level, on] == sums["total", on]
    assert sorted(rows(sold(orders[::-1], lines[::-1], now), *COLUMNS)) == sorted(found)


def test_what_comes_after_as_of_is_in_no_week() -> None:
    later = [*ORDERS, order("o9", 40, 100)]
    assert sorted(rows(sold(later, LINES), *COLUMNS)) == sorted(rows(sold(ORDERS, LINES), *COLUMNS))


def test_the_last_week_is_over() -> None:
    assert last_week(Clock(None, "UTC")) is None
    assert last_week(Clock(datetime(2026, 3, 9), "UTC")) == week(0)
    assert last_week(Clock(datetime(2026, 3, 8, 23, 59, 58), "UTC")) == week(-1)
    assert last_week(Clock(datetime(2026, 3, 8, 23, 30), "Europe/Berlin")) == week(0)
