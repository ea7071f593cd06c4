"""Customer 360: everything about a customer in one row."""

from datetime import datetime

from c360_assets.serving.customer_360 import customer_360
from tests.tables import at, day, money, rows, table

ZERO = money("0")


def test_a_profile_joins_who_they_are_what_they_bought_and_how_they_behave() -> None:
    profile = customer_360(
        table("customers", {"customer_id": "ann", "city": "Austin", "is_registered": True, "email_address": "ann@example.com"}),
        table(
            "customer_segments",
            {
                "customer_id": "ann", "frequency": 2, "monetary": money("50"), "recency_days": 10,
                "customer_segment": "New", "engagement_level": "Champions", "primary_segment": "Repeat Buyers",
            },
        ),
        table(
            "orders",
            {"order_id": "1", "customer_id": "ann", "ordered_at": day("2026-01-01"), "is_completed": True, "item_count": 2,
             "returned_amount": ZERO, "payment_method": "card"},
            {"order_id": "2", "customer_id": "ann", "ordered_at": day("2026-02-01"), "is_completed": True, "item_count": 1,
             "returned_amount": ZERO, "payment_method": "cash"},
            {"order_id": "3", "customer_id": "ann", "ordered_at": day("2026-03-01"), "is_completed": False, "item_count": 9,
             "returned_amount": money("5"), "payment_method": "cash"},
        ),
        table(
            "order_lines",
            {"order_line_id": "1", "customer_id": "ann", "sku_id": "hat", "line_amount": money("30"), "line_kind": "sale"},
            {"order_line_id": "2", "customer_id": "ann", "sku_id": "shoe", "line_amount": money("20"), "line_kind": "sale"},
            {"order_line_id": "3", "customer_id": "ann", "sku_id": "shoe", "line_amount": money("90"), "line_kind": "return"},
        ),
        table(
            "products",
            {"sku_id": "hat", "product_category": "Accessories", "brand_name": "B"},
            {"sku_id": "shoe", "product_category": "Footwear", "brand_name": "A"},
        ),
        table("product_views", {"activity_uuid": "v", "entity_id": "ann", "activity_ts": datetime(2026, 6, 1, 10)}),
        table("items_added_to_favorite"),
        table("items_added_to_cart", {"activity_uuid": "c", "entity_id": "ann", "activity_ts": day("2026-05-01")}),
        at("2026-06-30"),
    )  # fmt: skip
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
