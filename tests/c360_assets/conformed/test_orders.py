"""Order lines and orders: what counts as a sale, and what it is worth."""

from typing import Any

import pytest

from c360_assets.conformed.order_lines import order_lines
from c360_assets.conformed.orders import orders
from c360_assets.conformed.products import products
from tests.tables import at, computed, day, money, rows, table

NOW = at("2026-06-30")


def lines_of(lines: list[dict[str, Any]], order: dict[str, Any], product: dict[str, Any] | None = None) -> Any:
    source = table("sources/orders", {"order_id": "o", "ordered_at": day("2026-01-01"), **order})
    catalogue = computed(products)(
        table("sources/product", *([{"sku_id": "s", "product_id": "p", **product}] if product else [])),
        table("sources/brand"),
        NOW,
    )
    items = table("sources/order_line_item", *[{"order_id": "o", **line} for line in lines])
    return computed(order_lines)(items, source, catalogue, NOW), source


@pytest.mark.parametrize(
    ("status", "quantity", "price", "kind"),
    [
        ("completed", 1, 2.0, "sale"),
        ("Delivered ", 1, 2.0, "sale"),
        (None, 1, 2.0, "sale"),
        ("delivred", 1, 2.0, "sale"),
        ("completed", 0, 2.0, "other"),
        ("completed", -1, 2.0, "return"),
        ("completed", 1, -2.0, "return"),
        ("completed", -1, None, "return"),
        (None, -1, 2.0, "return"),
        ("cancelled", -1, 2.0, "other"),
        ("adjustment", -1, 2.0, "other"),
        ("completed", 1, 0.0, "other"),
        ("completed", 1, 0.5, "sale"),
        ("completed", 1, None, "sale"),
        ("cancelled", 1, 2.0, "other"),
        ("adjustment", 1, 2.0, "other"),
        ("returned", -1, 2.0, "return"),
        ("returned", 1, 2.0, "return"),
    ],
)
def test_a_sale_is_a_completed_order_with_a_quantity_and_no_price_of_zero_and_a_return_is_negative(
    status: str | None, quantity: int, price: float | None, kind: str
) -> None:
    lines, _ = lines_of([{"order_li_id": "l", "qty": quantity, "unit_price": price}], {"order_status": status})
    assert rows(lines, "line_kind") == [(kind,)]


@pytest.mark.parametrize(
    ("source_price", "sale_price", "list_price", "expected"),
    [(1.005, 2.0, 3.0, "1.005"), (None, 2.0, 3.0, "2"), (None, None, 3.0, "3")],
)
def test_price_is_the_sources_else_the_sale_price_else_the_list_price(
    source_price: float | None, sale_price: float | None, list_price: float, expected: str
) -> None:
    lines, _ = lines_of(
        [{"order_li_id": "l", "product_id": "p", "qty": 3, "unit_price": source_price}],
        {},
        {"sale_price": sale_price, "list_price": list_price},
    )
    assert rows(lines, "unit_price", "line_amount", "sku_id") == [(money(expected), 3 * money(expected), "s")]


def test_a_product_with_two_skus_does_not_double_a_line() -> None:
    catalogue = computed(products)(
        table("sources/product", {"sku_id": "s2", "product_id": "p"}, {"sku_id": "s1", "product_id": "p"}),
        table("sources/brand"),
        NOW,
    )
    line = table("sources/order_line_item", {"order_li_id": "l", "order_id": "o", "product_id": "p", "qty": 1})
    lines = computed(order_lines)(line, table("sources/orders", {"order_id": "o"}), catalogue, NOW)
    assert rows(lines, "order_line_id", "sku_id") == [("l", "s1")]


def test_a_line_without_its_order_waits() -> None:
    line = table("sources/order_line_item", {"order_li_id": "l", "order_id": "late", "qty": 1})
    assert rows(computed(order_lines)(line, table("sources/orders"), table("products"), NOW), "order_line_id") == []


def test_an_order_is_worth_its_sale_lines_less_the_discount() -> None:
    lines, source = lines_of(
        [
            {"order_li_id": "1", "qty": 2, "unit_price": 10.0},
            {"order_li_id": "2", "qty": 1, "unit_price": 5.5},
            {"order_li_id": "3", "qty": 1, "unit_price": 0.0},
        ],
        {"order_status": "delivered", "discounted_amount": 0.5, "shipping_amount": 4.0, "total_amount": 29.0},
    )
    found = rows(
        computed(orders)(source, lines, NOW),
        "line_count",
        "item_count",
        "lines_amount",
        "order_amount",
        "returned_amount",
    )
    assert found == [(2, 3, money("25.5"), money("25"), money("0"))]


def test_an_order_without_lines_is_worth_its_total_less_shipping() -> None:
    lines, source = lines_of([], {"order_status": "completed", "shipping_amount": 4.0, "total_amount": 29.0})
    columns = ("line_count", "item_count", "order_amount")
    assert rows(computed(orders)(source, lines, NOW), *columns) == [(0, 0, money("25"))]
    lines, source = lines_of([], {"order_status": "completed", "total_amount": 29.0})
    assert rows(computed(orders)(source, lines, NOW), *columns) == [(0, 0, money("29"))]


def test_an_order_with_an_unpriced_line_is_worth_its_total_less_shipping_if_that_is_known() -> None:
    lines = [{"order_li_id": "1", "qty": 2}, {"order_li_id": "2", "qty": 1, "unit_price": 5.0}]
    for head, worth in (({"shipping_amount": 4.0, "total_amount": 29.0}, money("25")), ({}, None)):
        built, source = lines_of(lines, head)
        found = rows(computed(orders)(source, built, NOW), "line_count", "item_count", "lines_amount", "order_amount")
        assert found == [(2, 3, None, worth)]


@pytest.mark.parametrize(
    ("lines", "is_completed", "worth", "returned"),
    [
        ([(1, 130.0), (-1, 120.0)], True, "130", "120"),
        ([(-1, 120.0)], False, "0", "120"),
        ([(1, 0.0)], True, "0", "0"),
        ([], True, None, "0"),
    ],
    ids=["exchanged", "only handed back", "a gift", "no lines"],
)
def test_goods_handed_back_are_told_beside_what_was_bought(
    lines: list[tuple[int, float]], is_completed: bool, worth: str | None, returned: str
) -> None:
    items = [{"order_li_id": f"{n}", "qty": qty, "unit_price": price} for n, (qty, price) in enumerate(lines)]
    built, source = lines_of(items, {"order_status": "completed"})
    found = rows(computed(orders)(source, built, NOW), "is_completed", "order_amount", "returned_amount")
    assert found == [(is_completed, money(worth) if worth else None, money(returned))]


@pytest.mark.parametrize("quantity", [-2, 2])
def test_a_return_is_worth_what_came_back_and_nothing_as_an_order(quantity: int) -> None:
    lines, source = lines_of(
        [{"order_li_id": "1", "qty": quantity, "unit_price": 10.0}], {"order_status": "returned", "total_amount": 1.0}
    )
    found = rows(computed(orders)(source, lines, NOW), "is_completed", "order_amount", "returned_amount")
    assert found == [(False, money("0"), money("20"))]


def test_an_anonymous_order_is_kept() -> None:
    lines, source = lines_of([{"order_li_id": "1", "qty": 1, "unit_price": 10.0}], {"customer_id": None})
    assert rows(computed(orders)(source, lines, NOW), "is_anonymous", "is_completed", "order_amount") == [
        (True, True, money("10"))
    ]


def test_orders_after_as_of_are_not_known_yet() -> None:
    lines, source = lines_of([{"order_li_id": "1", "qty": 1, "unit_price": 1.0}], {"ordered_at": day("2026-07-01")})
    assert rows(lines, "order_line_id") == []
    assert rows(computed(orders)(source, lines, NOW), "order_id") == []
