"""Category interest: looking, wishing and buying weighed together."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.category_interest import category_interest
from tests.tables import at, computed, day, money, rows, table

NOW = at("2026-06-30T12:00:00")
TODAY = day("2026-06-30")
PRODUCTS = table(
    "products",
    {"sku_id": "boots", "product_category": "Shoes"},
    {"sku_id": "scarf", "product_category": "Wool"},
    {"sku_id": "thing", "product_category": None},
)
CATEGORIES = {"boots": "Shoes", "scarf": "Wool", "thing": None}


def event(uuid: str, sku: str, customer: str | None = "ann", ago: int = 1) -> dict[str, Any]:
    moment = TODAY - timedelta(days=ago)
    return {"activity_uuid": uuid, "activity_ts": moment, "entity_id": customer, "product_sku": sku}


def wish(uuid: str, sku: str, customer: str | None = "ann", ago: int = 1) -> dict[str, Any]:
    return event(uuid, sku, customer, ago) | {"category_name": CATEGORIES[sku]}


def line(line_id: str, order: str, sku: str, amount: str | None, **more: Any) -> dict[str, Any]:
    return {
        "order_line_id": line_id, "order_id": order, "customer_id": "ann", "sku_id": sku, "ordered_at": TODAY,
        "quantity": 2, "line_amount": amount and money(amount), "line_kind": "sale", **more,
    }  # fmt: skip


def interest(
    views: Sequence[Any] = (), favorites: Sequence[Any] = (), carts: Sequence[Any] = (), lines: Sequence[Any] = ()
) -> Any:
    return computed(category_interest)(
        table("product_views", *views),
        table("items_added_to_favorite", *favorites),
        table("items_added_to_cart", *carts),
        table("order_lines", *lines),
        PRODUCTS,
        NOW,
    )


def test_interest_weighs_views_favorites_carts_and_orders() -> None:
    found = interest(
        views=[event("1", "boots"), event("2", "boots", ago=90), event("3", "scarf")],
        favorites=[wish("4", "scarf")],
        carts=[wish("5", "scarf", ago=200)],
        lines=[line("l1", "o", "boots", "10"), line("l2", "o", "boots", "5.50"), line("l3", "p", "boots", None)],
    )
    counts = ("view_count", "favorite_count", "cart_count", "line_count", "order_count", "item_count")
    assert rows(found, "category", *counts) == [("Shoes", 2, 0, 0, 3, 2, 6), ("Wool", 1, 1, 1, 0, 0, 0)]
    told = ("spent_amount", "last_at", "recent_interest_count", "interest_share", "preference_rank")
    assert rows(found, "category", *told) == [
        ("Shoes", money("15.50"), TODAY, 1, 17 / 23, 1),
        ("Wool", money("0"), TODAY - timedelta(days=1), 2, 6 / 23, 2),
    ]


def test_only_known_customers_and_categories_and_lines_sold_count() -> None:
    found = interest(
        views=[event("1", "boots", None), event("2", "thing"), event("3", "gone")],
        favorites=[wish("4", "boots", None), wish("5", "thing")],
        lines=[
            line("l1", "o", "boots", "1", customer_id=None),
            line("l2", "o", "thing", "1"),
            line("l3", "o", "boots", "1", line_kind="return"),
        ],
    )
    assert rows(found, "customer_id") == []


def test_equal_interest_is_ranked_by_what_was_spent_and_then_by_the_alphabet() -> None:
    spent = interest(lines=[line("l1", "o", "boots", "1"), line("l2", "o", "scarf", "2")])
    assert rows(spent, "preference_rank", "category") == [(1, "Wool"), (2, "Shoes")]
    looked = interest(views=[event("1", "scarf"), event("2", "boots")])
    assert rows(looked, "preference_rank", "category", "interest_share") == [(1, "Shoes", 0.5), (2, "Wool", 0.5)]


def test_orders_without_dates_still_tell_of_interest() -> None:
    found = interest(lines=[line("l1", "o", "boots", "1", ordered_at=None)])
    assert rows(found, "category", "last_at", "interest_share") == [("Shoes", None, 1.0)]


KINDS = ("view_count", "favorite_count", "cart_count", "line_count")
HAPPENED = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(["boots", "scarf"]), st.sampled_from(["ann", "bob"])), max_size=25
)


@settings(max_examples=25, deadline=None)
@given(HAPPENED, st.randoms(use_true_random=False))
def test_interest_equals_a_plain_loop_whatever_the_order_of_rows(happened: list[Any], random: Any) -> None:
    weights = dict(zip(KINDS, (1, 2, 3, 5), strict=True))
    weighed: dict[tuple[str, str], int] = defaultdict(int)
    for kind, sku, who in happened:
        weighed[who, str(CATEGORIES[sku])] += weights[kind]
    totals: dict[str, int] = defaultdict(int)
    for (who, _), weight in weighed.items():
        totals[who] += weight
    expected = sorted((who, category, weight / totals[who]) for (who, category), weight in weighed.items())
    made = {"view_count": event, "favorite_count": wish, "cart_count": wish}
    held: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for number, (kind, sku, who) in enumerate(happened):
        is_line = kind == "line_count"
        row = (
            line(str(number), str(number), sku, "1", customer_id=who) if is_line else made[kind](str(number), sku, who)
        )
        held[kind].append(row)
    for kind in KINDS:
        random.shuffle(held[kind])
    found = interest(*(held[kind] for kind in KINDS))
    assert sorted(rows(found, "customer_id", "category", "interest_share")) == expected
