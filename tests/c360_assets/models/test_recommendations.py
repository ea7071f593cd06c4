"""Recommendations: what each customer is shown, in what order, and why in words."""

import random
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pytest

from c360_assets.models.recommendation_model import recommendation_model
from c360_assets.models.recommendations import recommendations
from governance.recommendations import Exclusions
from tests.c360_assets.shoppers import types
from tests.tables import CONTRACTS, at, rows, table

AS_OF = "2026-06-30"
COLUMNS = CONTRACTS["recommendations"].column_names
NOTHING = Exclusions(version="1")
WAYS = {"buy again": "personal frequency", "discover": "item cosine", "joined": "buy again first"}
Row = dict[str, Any]


def line(customer: str, product: str, days_ago: int | None) -> Row:
    ordered_at = None if days_ago is None else datetime.fromisoformat(AS_OF) - timedelta(days=days_ago)
    order = f"{customer} {days_ago}"
    return {
        "order_line_id": f"{order} {product}", "order_id": order, "customer_id": customer, "product_id": product,
        "ordered_at": ordered_at, "line_kind": "sale",
    }  # fmt: skip


def product(one: str, **more: Any) -> Row:
    return {"sku_id": one, "product_id": one, "product_name": one.capitalize(), "product_category": "Drinks", **more}


LINES = [
    *[line("ann", "tea", days) for days in (67, 46, 25)],
    line("ann", "cup", 25),
    *[line("bob", one, days) for one in ("tea", "pot") for days in (9, 8)],
    *[line(who, one, 1) for who in ("cy", "dee") for one in ("cup", "spoon")],
    line("eve", "hat", 0),
]
PRODUCTS = [product(one) for one in ("tea", "cup", "pot", "spoon")] + [product("hat", product_category="Hats")]
CUSTOMERS = ("ann", "bob", "cy", "dee", "eve", "new")


def recommended(
    lines: list[Row] = LINES,
    products: list[Row] = PRODUCTS,
    customers: tuple[str, ...] = CUSTOMERS,
    ways: dict[str, str] = WAYS,
    out: Exclusions = NOTHING,
) -> ir.Table:
    chosen = [{"list": name, "candidate": way, "is_chosen": True} for name, way in ways.items()]
    op: Any = recommendations.op
    found: ir.Table = op.compute_fn.decorated_fn(
        table("order_lines", *lines),
        table("products", *products),
        table("customers", *[{"customer_id": who} for who in customers]),
        table("recommendation_model", *chosen),
        at(AS_OF),
        lambda: out,
    )
    return found


def of(found: ir.Table, customer: str, *columns: str) -> list[tuple[Any, ...]]:
    return rows(found.filter(found.customer_id == customer), *columns)


def test_a_customer_is_shown_what_to_buy_again_and_then_what_to_discover_with_the_reasons() -> None:
    found = of(recommended(), "ann", "rank", "product_id", "list", "is_bought_before", "reason")
    assert found == [
        (1, "tea", "buy again", True, "bought 3 times, usually every 21 days, last 25 days ago"),
        (2, "cup", "buy again", True, "bought once, last 25 days ago"),
        (3, "spoon", "discover", False, "often bought by those who bought Cup"),
        (4, "pot", "discover", False, "often bought by those who bought Tea"),
        (5, "hat", "discover", False, "popular: bought by 1 customer"),
    ]


def test_scores_are_orders_and_cosines() -> None:
    assert of(recommended(), "ann", "rank", "score", "product_name") == [
        (1, 3.0, "Tea"),
        (2, 1.0, "Cup"),
        (3, pytest.approx(2 / 6**0.5, abs=1e-6), "Spoon"),
        (4, pytest.approx(1 / 2**0.5, abs=1e-6), "Pot"),
        (5, 0.0, "Hat"),
    ]


def test_who_has_bought_nothing_is_shown_what_most_have_bought() -> None:
    assert of(recommended(), "new", "rank", "product_id", "list", "reason") == [
        (1, "cup", "discover", "popular: bought by 3 customers"),
        (2, "spoon", "discover", "popular: bought by 2 customers"),
        (3, "tea", "discover", "popular: bought by 2 customers"),
        (4, "hat", "discover", "popular: bought by 1 customer"),
        (5, "pot", "discover", "popular: bought by 1 customer"),
    ]


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        ([0], "bought once, last today"),
        ([1], "bought once, last yesterday"),
        ([2, 1, 0], "bought 3 times, usually every day, last today"),
        ([9, 5], "bought 2 times, last 5 days ago"),
        ([None], "bought once"),
        ([9, 5, None], "bought 3 times, usually every 2 days, last 5 days ago"),
    ],
)
def test_a_habit_is_told_in_words(days: list[int | None], reason: str) -> None:
    found = recommended([line("ann", "tea", ago) for ago in days])
    assert of(found, "ann", "rank", "reason")[0] == (1, reason)


def test_discoveries_come_first_where_that_was_chosen() -> None:
    found = of(recommended(ways=WAYS | {"joined": "discover first"}), "ann", "rank", "product_id")
    assert [product_id for _, product_id in found] == ["spoon", "pot", "hat", "tea", "cup"]


def test_popularity_alone_ranks_where_nothing_was_better() -> None:
    expected = ["cup", "spoon", "tea", "hat", "pot"]
    for ways in (dict.fromkeys(WAYS, "popularity"), {}):
        assert [one for _, one in of(recommended(ways=ways), "ann", "rank", "product_id")] == expected


def test_each_list_ends_at_ten() -> None:
    many = [f"p{number:02d}" for number in range(40)]
    lines = [line("ann", one, 9) for one in many[:15]] + [line("bob", one, 9) for one in many]
    found = recommended(lines, [], ("ann",))
    counted = found.filter(found.customer_id == "ann").group_by("list").agg(rows=lambda t: t.count())
    assert rows(counted, "list", "rows") == [("buy again", 10), ("discover", 10)]


def test_a_product_nobody_has_bought_is_shown_to_those_who_buy_what_is_like_it() -> None:
    found = recommended(products=[*PRODUCTS, product("mate")])
    assert ("mate", "not yet bought by anybody; like other Drinks, for those who bought Cup") in of(
        found, "cy", "product_id", "reason"
    )
    assert "mate" not in [one for (one,) in of(found, "new", "product_id")]


def test_without_names_products_go_by_their_ids() -> None:
    found = recommended(products=[])
    assert of(found, "ann", "rank", "product_name", "reason")[2] == (3, None, "often bought by those who bought cup")


@pytest.mark.parametrize(
    ("out", "shown"),
    [
        (Exclusions(version="1", discontinued=["tea"], excluded_products=["hat"]), {"cup", "spoon", "pot"}),
        (Exclusions(version="1", excluded_categories=["Drinks"]), {"hat"}),
        (Exclusions(version="1", seasons=[{"months": [12], "categories": ["Hats"]}]), {"tea", "cup", "spoon", "pot"}),
        (
            Exclusions(version="1", seasons=[{"months": [6, 7], "products": ["hat"]}]),
            {"tea", "cup", "spoon", "pot", "hat"},
        ),
    ],
)
def test_what_is_left_out_is_shown_to_nobody(out: Exclusions, shown: set[str]) -> None:
    assert {one for (one,) in rows(recommended(out=out), "product_id")} == shown


def test_the_order_of_rows_changes_nothing() -> None:
    before = rows(recommended().order_by("customer_id", "rank"), *COLUMNS, by="product_id")
    lines, products = LINES.copy(), PRODUCTS.copy()
    random.Random(2).shuffle(lines)
    random.Random(2).shuffle(products)
    after = recommended(lines, products, CUSTOMERS[::-1]).order_by("customer_id", "rank")
    assert sorted(rows(after, *COLUMNS, by="product_id")) == sorted(before)


@pytest.mark.parametrize("lines", [[], [line("ann", "tea", 3)]])
def test_the_smallest_shops_have_all_columns(lines: list[Row]) -> None:
    found = recommended(lines, [], ("ann",))
    assert rows(found, "customer_id", "product_id") == ([("ann", "tea")] if lines else [])
    assert dict(types(found)) == dict(types(table("recommendations")))


def test_model_and_recommendations_fit_together() -> None:
    op: Any = recommendation_model.op
    given = table("order_lines", *LINES), table("products"), at(AS_OF)
    model = op.compute_fn.decorated_fn(*given, lambda: NOTHING, table)
    ways = dict(rows(model.filter(model.is_chosen), "list", "candidate"))
    assert len(of(recommended(ways=ways), "ann", "rank")) == 5
