"""Customer 360: everything about a customer in one row."""

from datetime import datetime
from typing import Any

from c360_assets.serving.customer_360 import customer_360
from tests.tables import at, day, money, rows, table

ZERO = money("0")
ANN = {"customer_id": "ann"}


def order(order_id: str, on: str, **more: Any) -> dict[str, Any]:
    return {**ANN, "order_id": order_id, "ordered_at": day(on), "is_completed": True, "returned_amount": ZERO, **more}


def line(line_id: str, sku: str, amount: str, kind: str = "sale") -> dict[str, Any]:
    return {**ANN, "order_line_id": line_id, "sku_id": sku, "line_amount": money(amount), "line_kind": kind}


def test_a_profile_joins_who_they_are_what_they_bought_and_how_they_behave() -> None:
    profile = customer_360(
        table("customers", {**ANN, "city": "Austin", "is_registered": True, "email_address": "ann@example.com"}),
        table("customer_segments", {**ANN, "frequency": 2, "monetary": money("50"), "customer_segment": "New"}),
        table(
            "orders",
            order("1", "2026-01-01", payment_method="card", item_count=2),
            order("2", "2026-02-01", payment_method="cash", item_count=1),
            order(
                "3", "2026-03-01", payment_method="cash", item_count=9, is_completed=False, returned_amount=money("5")
            ),
        ),
        table("order_lines", line("1", "hat", "30"), line("2", "shoe", "20"), line("3", "shoe", "90", "return")),
        table(
            "products",
            {"sku_id": "hat", "product_category": "Accessories", "brand_name": "B"},
            {"sku_id": "shoe", "product_category": "Footwear", "brand_name": "A"},
        ),
        table("product_views", {"activity_uuid": "v", "entity_id": "ann", "activity_ts": datetime(2026, 6, 1, 10)}),
        table("items_added_to_favorite"),
        table("items_added_to_cart", {"activity_uuid": "c", "entity_id": "ann", "activity_ts": day("2026-05-01")}),
        at("2026-06-30"),
    )
    columns = (
        "customer_id", "city", "frequency", "average_order_amount", "returned_amount", "item_count",
        "preferred_category", "preferred_brand", "preferred_payment_method", "product_view_count", "favorite_count",
        "cart_count", "last_seen_at", "last_ordered_at", "as_of",
    )  # fmt: skip
    assert rows(profile, *columns) == [
        (
            "ann", "Austin", 2, 25.0, money("5"), 3, "Accessories", "B", "card", 1, 0, 1,
            datetime(2026, 6, 1, 10), day("2026-02-01"), day("2026-06-30"),
        )
    ]  # fmt: skip
    assert "email_address" not in profile.columns


def test_who_only_registered_has_a_profile_with_zeros() -> None:
    segments = table("customer_segments", {"customer_id": "bob", "frequency": 0, "monetary": ZERO})
    empty = [table(key) for key in ("orders", "order_lines", "products", "product_views")]
    wish = [table(key) for key in ("items_added_to_favorite", "items_added_to_cart")]
    people = table("customers", {"customer_id": "bob", "is_registered": True})
    profile = customer_360(people, segments, *empty, *wish, at("2026-06-30"))
    columns = ("customer_id", "frequency", "average_order_amount", "returned_amount", "cart_count", "last_seen_at")
    assert rows(profile, *columns) == [("bob", 0, None, ZERO, 0, None)]
