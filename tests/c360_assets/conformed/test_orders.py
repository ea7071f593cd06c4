"""Order lines and orders: what counts as a sale, and what it is worth."""

from typing import Any

import pytest

from c360_assets.conformed.order_lines import order_lines
from c360_assets.conformed.orders import orders
from c360_assets.conformed.products import products
from tests.tables import at, computed, day, money, rows, table

NOW = at("2026-06-30")


def lines_of(lines: list[dict[str, Any]], order: dict[str, Any], product: dict[str, Any] | None = None) -> Any:
    head = {"order_id": "o", "ordered_at": day("2026-01-01"), "order_status": "completed", **order}
    source = table("sources/orders", head)
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
        ("paid", 1, 2.0, "sale"),
        (None, 1, 2.0, "other"),
        ("delivred", 1, 2.0, "other"),
        ("delivred", -1, 2.0, "other"),
        ("pending", 1, 2.0, "other"),
        ("failed", 1, 2.0, "other"),
        ("refunded", 1, 2.0, "return"),
        ("completed", 0, 2.0, "other"),
        ("completed", -1, 2.0, "return"),
        ("completed", 1, -2.0, "return"),
        ("completed", -1, None, "return"),
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
def test_a_sale_is_an_order_of_a_status_that_says_so_with_a_quantity_and_no_price_of_zero(
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
    ("lines", "status", "is_completed", "worth", "returned", "refunded"),
    [
        ([(1, 130.0), (-1, 120.0)], "completed", True, "130", "120", "120"),
        ([(1, 130.0), (-1, -120.0)], "completed", True, "130", "120", "120"),
        ([(-1, 120.0)], "completed", False, "0", "120", "120"),
        ([(-1, 120.0)], "refunded", False, "0", "120", "120"),
        ([(1, 120.0)], "refunded", False, "0", "120", "0"),
        ([(1, 0.0)], "completed", True, "0", "0", "0"),
        ([], "completed", True, None, "0", "0"),
    ],
    ids=[
        "exchanged",
        "exchanged, both signs turned",
        "only handed back",
        "credit note",
        "order that was refunded",
        "a gift",
        "no lines",
    ],
)
def test_goods_handed_back_are_told_beside_what_was_bought_and_take_back_what_was_counted(
    lines: list[tuple[int, float]], status: str, is_completed: bool, worth: str | None, returned: str, refunded: str
) -> None:
    items = [{"order_li_id": f"{n}", "qty": qty, "unit_price": price} for n, (qty, price) in enumerate(lines)]
    built, source = lines_of(items, {"order_status": status})
    columns = ("is_completed", "order_amount", "returned_amount", "refunded_amount")
    expected = (is_completed, money(worth) if worth else None, money(returned), money(refunded))
    assert rows(computed(orders)(source, built, NOW), *columns) == [expected]


@pytest.mark.parametrize(
    "line", [{"unit_price": 111.0}, {"unit_price": -111.0}, {"line_amount": 555.0}, {"line_amount": -555.0}]
)
def test_what_came_back_is_an_amount_below_zero_whatever_signs_the_source_writes(line: dict[str, Any]) -> None:
    built, _ = lines_of([{"order_li_id": "1", "qty": -5, **line}], {"order_status": "completed"})
    columns = ("quantity", "unit_price", "line_amount", "net_amount", "line_kind")
    assert rows(built, *columns) == [(money("-5"), money("111"), money("-555"), money("-555"), "return")]


@pytest.mark.parametrize(("total", "is_completed", "refunded"), [(-20.0, False, "20"), (20.0, True, "0")])
def test_a_head_without_lines_and_of_a_total_below_zero_is_a_return(
    total: float, is_completed: bool, refunded: str
) -> None:
    built, source = lines_of([], {"total_amount": total})
    found = rows(computed(orders)(source, built, NOW), "is_completed", "order_amount", "refunded_amount")
    assert found == [(is_completed, money("20" if is_completed else "0"), money(refunded))]


def test_a_line_of_an_amount_below_zero_is_a_return_whatever_quantity_and_price_say() -> None:
    line = {"qty": 1, "unit_price": 9.99}
    items = [{"order_li_id": "1", "line_amount": -9.99, **line}, {"order_li_id": "2", "line_amount": 9.99, **line}]
    built, source = lines_of(items, {})
    assert rows(built, "order_line_id", "line_kind") == [("1", "return"), ("2", "sale")]
    worth = (money("9.99"), money("9.99"))
    assert rows(computed(orders)(source, built, NOW), "order_amount", "refunded_amount") == [worth]


@pytest.mark.parametrize(
    ("status", "sign", "refunded"), [("returned", 1, "0"), ("refunded", -1, "25"), ("completed", -1, "25")]
)
def test_a_return_without_lines_is_worth_its_total_less_shipping_and_tax(status: str, sign: int, refunded: str) -> None:
    head = {"shipping_amount": sign * 3.0, "tax_amount": sign * 1.0, "total_amount": sign * 29.0}
    built, source = lines_of([], {"order_status": status, **head})
    found = rows(computed(orders)(source, built, NOW), "order_amount", "returned_amount", "refunded_amount")
    assert found == [(money("0"), money("25"), money(refunded))]


@pytest.mark.parametrize("sign", [1, -1])
def test_lines_bear_a_discount_on_the_order_by_amount_and_to_the_last_digit(sign: int) -> None:
    prices = (10.0, 10.0, 10.0, 0.0, -5.0)
    items = [{"order_li_id": f"{n}", "qty": 1, "unit_price": price} for n, price in enumerate(prices)]
    items[0]["discount_amount"] = sign * 2.0
    built, source = lines_of(items, {"discounted_amount": sign * 1.0, "total_amount": 22.0})
    shares = rows(built, "order_line_id", "discount_amount", "net_amount")
    assert [share for _, share, _ in shares] == [money(text) for text in ("2.3333", "0.3334", "0.3333", "0", "0")]
    assert [net for *_, net in shares] == [money(text) for text in ("7.6667", "9.6666", "9.6667", "0", "-5")]
    found = rows(computed(orders)(source, built, NOW), "discount_amount", "order_amount", "refunded_amount")
    assert found == [(money("3"), money("27"), money("5"))]


@pytest.mark.parametrize(
    ("line", "price", "amount"),
    [
        ({"qty": 3, "unit_price": 1 / 3}, "0.3333", "1"),
        ({"qty": 3, "line_amount": 1.0}, "0.3333", "1"),
        ({"qty": 3, "line_amount": 1.0, "unit_price": 0.33}, "0.33", "1"),
        ({"qty": 0.375, "unit_price": 11.99}, "11.99", "4.4963"),
    ],
)
def test_an_amount_is_rounded_once(line: dict[str, Any], price: str, amount: str) -> None:
    built, _ = lines_of([{"order_li_id": "l", **line}], {})
    assert rows(built, "unit_price", "line_amount", "line_kind") == [(money(price), money(amount), "sale")]


@pytest.mark.parametrize(
    ("status", "then"),
    [("delivered", "placed"), ("completed", "placed"), ("returned", "placed"), ("cancelled", "cancelled")],
)
def test_what_is_delivered_after_as_of_was_placed_then(status: str, then: str) -> None:
    head = {"order_status": status, "ordered_at": day("2026-06-29"), "order_delivery_date": day("2026-07-02")}
    built, source = lines_of([{"order_li_id": "l", "qty": 1, "unit_price": 2.0}], head)
    found = rows(computed(orders)(source, built, NOW), "order_status", "delivered_at", "is_completed")
    assert found == [(then, None, then == "placed")]
    later = at("2026-07-03")
    assert rows(computed(orders)(source, built, later), "order_status", "delivered_at") == [(status, day("2026-07-02"))]


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


@pytest.mark.parametrize(
    ("order", "line", "flags", "flags_of_another"),
    [
        ({"promo_code": " SPRING "}, {}, (None, True), (None, False)),
        ({"discounted_amount": -2.0}, {}, (True, None), (False, None)),
        ({}, {"discount_amount": 1.0}, (True, None), (False, None)),
        ({"discounted_amount": 2.0, "has_discount": False}, {}, (False, None), (False, None)),
        ({"promo_code": "SPRING", "has_promo_code": False}, {}, (None, False), (None, False)),
        ({"promo_code": " ", "discounted_amount": 0.0}, {}, (None, None), (None, None)),
    ],
)
def test_discount_and_code_are_what_the_source_says_else_what_is_seen_where_any_order_has_them(
    order: dict[str, Any],
    line: dict[str, Any],
    flags: tuple[bool | None, bool | None],
    flags_of_another: tuple[bool | None, bool | None],
) -> None:
    head = {"ordered_at": day("2026-01-01"), "order_status": "completed"}
    source = table("sources/orders", {"order_id": "a", **head, **order}, {"order_id": "b", **head})
    item = {"order_id": "a", "order_li_id": "l", "qty": 1, "unit_price": 10.0, **line}
    lines = computed(order_lines)(table("sources/order_line_item", item), source, table("products"), NOW)
    found = rows(computed(orders)(source, lines, NOW), "order_id", "has_discount", "has_promo_code")
    assert found == [("a", *flags), ("b", *flags_of_another)]


def test_a_line_keeps_its_promotion() -> None:
    lines, _ = lines_of([{"order_li_id": "l", "qty": 1, "unit_price": 1.0, "promotion": " 3 for 2"}], {})
    assert rows(lines, "promotion") == [("3 for 2",)]


def test_a_price_beyond_all_prices_stops_nothing() -> None:
    lines, _ = lines_of([{"order_li_id": "l", "qty": 0.0001, "line_amount": 9e9}], {})
    assert rows(lines, "unit_price", "line_amount", "line_kind") == [(None, money("9000000000"), "sale")]
