"""Category distribution: sales, views and carts by kind of product."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.category_distribution import category_distribution
from tests.tables import computed, money, rows, table

CATALOGUE = ({"sku_id": "boots", "product_category": "Shoes"}, {"sku_id": "scarf", "product_category": "Wool"})
COLUMNS = ("category", "customer_count", "order_count", "item_count", "revenue", "revenue_share")


def line(number: int, order: str, sku: str | None, amount: str | None, **more: Any) -> dict[str, Any]:
    return {
        "order_line_id": str(number), "order_id": order, "customer_id": "ann", "sku_id": sku, "quantity": 2,
        "line_amount": amount and money(amount), "line_kind": "sale", **more,
    }  # fmt: skip


def distribution(lines: list[dict[str, Any]], views: tuple[Any, ...] = (), carts: tuple[Any, ...] = ()) -> Any:
    """`views` and `carts` name the product of each event."""
    viewed = ({"activity_uuid": str(n), "product_sku": sku} for n, sku in enumerate(views))
    carted = ({"activity_uuid": str(n), "product_sku": sku} for n, sku in enumerate(carts))
    events = table("product_views", *viewed), table("items_added_to_cart", *carted)
    return computed(category_distribution)(table("order_lines", *lines), *events, table("products", *CATALOGUE))


def test_sales_are_told_by_category_and_share_of_revenue() -> None:
    found = distribution([
        line(1, "o", "boots", "30"),
        line(2, "o", "boots", "15", customer_id="bob"),
        line(3, "p", "boots", "15", customer_id=None),
        line(4, "p", "scarf", "20"),
        line(5, "p", "scarf", "99", line_kind="return"),
    ])  # fmt: skip
    assert rows(found, *COLUMNS) == [
        ("Shoes", 2, 2, 6, money("60"), 0.75),
        ("Wool", 1, 1, 2, money("20"), 0.25),
    ]


def test_views_and_carts_stand_beside_the_orders() -> None:
    found = distribution([line(1, "o", "boots", "30")], views=("boots",) * 4, carts=("scarf",))
    assert rows(found, "category", "view_count", "cart_count", "view_to_order_rate") == [
        ("Shoes", 4, 0, 0.25),
        ("Wool", 0, 1, None),
    ]


def test_what_has_no_category_is_kept_as_unknown() -> None:
    found = distribution([line(1, "o", "gone", "5"), line(2, "o", None, None)], views=(None, "gone"))
    unknown = found.filter(found.category == "unknown")
    assert rows(unknown, *COLUMNS, "view_count") == [("unknown", 1, 1, 4, money("5"), 1.0, 2)]


def test_a_category_of_which_nothing_is_sold_is_listed_and_has_no_share_where_nothing_is() -> None:
    columns = ("category", "revenue", "revenue_share", "view_count", "view_to_order_rate")
    assert rows(distribution([], views=("boots",)), *columns) == [
        ("Shoes", money("0"), None, 1, None),
        ("Wool", money("0"), None, 0, None),
    ]
    assert rows(distribution([]), *columns) == [
        ("Shoes", money("0"), None, None, None),
        ("Wool", money("0"), None, None, None),
    ]


SOLD = st.lists(
    st.tuples(st.sampled_from(["boots", "scarf", "gone"]), st.integers(0, 99_999), st.sampled_from(["ann", "bob"])),
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(SOLD, st.randoms(use_true_random=False))
def test_no_sale_is_lost_whatever_the_order_of_rows(sold: list[Any], random: Any) -> None:
    lines = [
        line(n, str(n), sku, str(cents)) | {"line_amount": money(f"{cents}e-2"), "customer_id": who}
        for n, (sku, cents, who) in enumerate(sold)
    ]
    names = {"boots": "Shoes", "scarf": "Wool", "gone": "unknown"}
    expected = []
    for sku, category in names.items():
        mine = [row for row in lines if row["sku_id"] == sku]
        revenue = sum((row["line_amount"] for row in mine), money("0"))
        if mine or sku != "gone":
            expected.append((category, len({row["customer_id"] for row in mine}), len(mine), revenue))
    random.shuffle(lines)
    assert rows(distribution(lines), "category", "customer_count", "order_count", "revenue") == expected
