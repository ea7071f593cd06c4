"""The four activity streams: occurrence, recurrence, products, and orders from any channel."""

from datetime import datetime
from typing import Any

from c360_assets.conformed.items_added_to_cart import items_added_to_cart
from c360_assets.conformed.items_added_to_favorite import items_added_to_favorite
from c360_assets.conformed.order_placed import order_placed
from c360_assets.conformed.product_views import product_views
from c360_assets.conformed.transactions import transactions
from tests.tables import at, computed, day, money, rows, table

NOW = at("2026-06-30")
PRODUCT = {
    "sku_id": "s",
    "product_id": "p",
    "product_name": "Boots",
    "list_price": money("20"),
    "sale_price": money("15"),
}


def event(uuid: str, at_day: str, action: str = "product_view", **more: Any) -> dict[str, Any]:
    return {"activity_uuid": uuid, "activity_ts": day(at_day), "event_action": action, "entity_id": "ann", **more}


def test_a_view_knows_how_many_came_before_and_when_the_next_comes() -> None:
    web = table(
        "sources/web_analytics",
        event("b", "2026-01-02"),
        event("a", "2026-01-01"),
        event("c", "2026-01-02"),
        event("x", "2026-01-01", entity_id=None),
        event("bob", "2026-01-05", entity_id="bob"),
        event("cart", "2026-01-01", "add_to_cart"),
        event("later", "2026-07-01"),
    )
    found = rows(computed(product_views)(web, NOW), "activity_uuid", "activity_occurrence", "activity_repeated_at")
    assert found == [
        ("a", 1, day("2026-01-02")),
        ("b", 2, day("2026-01-02")),
        ("bob", 1, None),
        ("c", 3, None),
        ("x", None, None),
    ]


def test_a_view_knows_its_year_and_month() -> None:
    web = table("sources/web_analytics", event("a", "2025-12-31"))
    assert rows(computed(product_views)(web, NOW), "activity_year", "activity_month") == [(2025, 12)]


def test_a_cart_knows_the_product_and_what_it_would_be_worth() -> None:
    added = event("a", "2026-01-01", "add_to_cart", product_sku="s", quantity=2)
    web = table("sources/web_analytics", added, added | {"activity_uuid": "b", "price": 12.5})
    found = rows(
        computed(items_added_to_cart)(web, table("products", PRODUCT), NOW),
        "activity_uuid",
        "product_name",
        "product_price",
        "order_value",
    )
    assert found == [("a", "Boots", money("15"), money("30")), ("b", "Boots", money("12.5"), money("25"))]


def test_a_favourite_without_quantity_is_worth_nothing() -> None:
    web = table("sources/web_analytics", event("a", "2026-01-01", "add_to_favorite", product_sku="gone"))
    found = rows(
        computed(items_added_to_favorite)(web, table("products", PRODUCT), NOW),
        "product_sku",
        "product_name",
        "order_value",
    )
    assert found == [("gone", None, None)]


def placed(web: list[dict[str, Any]], orders: list[dict[str, Any]], lines: list[dict[str, Any]]) -> Any:
    return computed(order_placed)(
        table("sources/web_analytics", *web),
        table("orders", *orders),
        table("order_lines", *lines),
        table("products", PRODUCT),
        NOW,
    )


def test_an_order_is_placed_once_per_line_and_counted_once_per_order() -> None:
    orders = [
        {"order_id": "o1", "customer_id": "ann", "ordered_at": day("2026-01-01"), "order_status": "delivered"},
        {"order_id": "o2", "customer_id": "ann", "ordered_at": day("2026-02-01"), "transaction_id": "t2"},
        {"order_id": "adj", "customer_id": "ann", "ordered_at": day("2026-01-15"), "order_status": "adjustment"},
    ]
    lines = [
        {"order_line_id": "l1", "order_id": "o1", "sku_id": "s", "quantity": 2, "unit_price": money("10")},
        {"order_line_id": "l2", "order_id": "o1", "sku_id": "s", "quantity": 1, "unit_price": None},
        {"order_line_id": "l3", "order_id": "o2", "sku_id": "s", "quantity": 1, "unit_price": money("10")},
        {"order_line_id": "l4", "order_id": "o2", "sku_id": "s", "quantity": -1, "unit_price": money("10")},
        {"order_line_id": "l5", "order_id": "adj", "sku_id": "s", "quantity": 1, "unit_price": money("10")},
    ]
    web = [
        event("click", "2026-01-01", "order_placed", order_id="o1", session_id="w", traffic_channel="email"),
        event("again", "2026-01-02", "order_placed", order_id="o1", session_id="w2"),
    ]
    found = rows(
        placed(web, orders, lines),
        *(
            "activity_uuid",
            "activity_occurrence",
            "activity_repeated_at",
            "session_id",
            "transaction_id",
            "order_value",
        ),
    )
    assert found == [
        ("l1", 1, day("2026-02-01"), "w", "o1", money("20")),
        ("l2", 1, day("2026-02-01"), "w", "o1", money("15")),
        ("l3", 2, None, None, "t2", money("10")),
    ]


def test_a_web_order_the_shop_does_not_know_is_kept() -> None:
    web = [
        event("a", "2026-01-01", "order_placed", product_sku="s", quantity=1),
        event("b", "2026-01-03", "order_placed", order_id="unknown"),
        event("c", "2026-01-04", "order_placed", product_sku="s", quantity=2, price=12.5),
    ]
    found = rows(placed(web, [], []), "activity_uuid", "activity_occurrence", "order_id", "order_value")
    assert found == [("a", 1, None, money("15")), ("b", 2, "unknown", None), ("c", 3, None, money("25"))]


def test_the_session_of_an_order_is_one_that_an_event_names_though_another_event_names_none() -> None:
    orders = [{"order_id": "o1", "customer_id": "ann", "ordered_at": day("2026-01-01")}]
    lines = [{"order_line_id": "l1", "order_id": "o1", "quantity": 1}]
    lost = event("a", "2026-01-01", "order_placed", order_id="o1", traffic_channel="direct")
    kept = event("b", "2026-01-02", "order_placed", order_id="o1", session_id="w", traffic_channel="email")
    columns = ("activity_uuid", "session_id", "traffic_channel")
    assert rows(placed([lost, kept], orders, lines), *columns) == [("l1", "w", "email")]
    assert rows(placed([lost], orders, lines), *columns) == [("l1", None, "direct")]


def test_a_web_order_said_with_and_without_login_is_there_once() -> None:
    web = [
        event("a", "2026-01-01", "order_placed", order_id="o9", product_sku="s"),
        event("b", "2026-01-01", "order_placed", order_id="o9", entity_id=None),
    ]
    assert rows(placed(web, [], []), "activity_uuid", "activity_occurrence") == [("a", 1), ("b", None)]


def test_a_transaction_knows_its_customer_and_how_long_it_took() -> None:
    paid = table(
        "sources/transactions",
        {"transaction_id": "t", "order_id": "o", "amount": 9.99, "transaction_ts": datetime(2026, 1, 1, 0, 1, 30)},
        {"transaction_id": "u", "order_id": "none", "transaction_ts": day("2026-01-01")},
    )
    orders = table("orders", {"order_id": "o", "customer_id": "ann", "ordered_at": day("2026-01-01")})
    found = rows(
        computed(transactions)(paid, orders, NOW), "transaction_id", "customer_id", "amount", "processing_seconds"
    )
    assert found == [("t", "ann", money("9.99"), 90), ("u", None, None, None)]
