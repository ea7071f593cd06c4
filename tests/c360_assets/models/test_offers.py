"""Offers: dearer things like those bought last, and things that go with them, of what was not bought yet."""

from datetime import timedelta
from typing import Any

import ibis.expr.types as ir

from c360_assets.models.offers import offers
from governance.recommendations import Exclusions, Season
from tests.c360_assets.leavers import NOW, Row
from tests.tables import at, computed, money, rows, table

# Bikes by price, and things that go with them.
PRICES = {"b100": 100, "b120": 120, "b125": 125, "b150": 150, "b200": 200, "b201": 201, "pump": 10, "lock": 20}
NOTHING = Exclusions(version="1")


def goods() -> ir.Table:
    kinds = {name: "Bikes" if name.startswith("b") else "Parts" for name in PRICES}
    named = [{"sku_id": name, "product_id": name, "product_category": kinds[name]} for name in PRICES]
    return table("products", *[one | {"product_name": one["sku_id"].title()} for one in named])


def bought(who: str | None, ago: int | None, *names: str, **more: Any) -> list[Row]:
    """An order of these products."""
    order = {"order_id": f"{who} {ago}", "customer_id": who, "line_kind": "sale", "quantity": money("1")}
    order |= {"ordered_at": None if ago is None else NOW - timedelta(days=ago)}
    return [
        order
        | {"order_line_id": f"{who} {ago} {name}", "product_id": name, "net_amount": money(f"{PRICES[name]}")}
        | more
        for name in names
    ]


def rule(left: str, right: str, confidence: float, size: int = 1) -> Row:
    return {
        "antecedent_ids": left, "consequent_id": right, "confidence": confidence, "antecedent_item_count": size,
    }  # fmt: skip


# Somebody else has bought everything, so that all has a price.
ALL = bought("zoe", 400, *PRICES)


def offered(*orders: list[Row], rules: list[Row] | None = None, out: Exclusions = NOTHING) -> ir.Table:
    lines = [line for order in (ALL, *orders) for line in order]
    made = computed(offers)(
        table("order_lines", *lines), goods(), table("basket_rules", *(rules or [])), at("2026-06-30"), lambda: out
    )
    return made.filter(made.customer_id != "zoe")


def test_an_upsell_is_a_quarter_to_twice_as_dear_and_of_the_same_category() -> None:
    assert rows(offered(bought("ann", 5, "b100")), "rank", "product_id", "because_product_id", "reason") == [
        (1, "b125", "b100", "like B100, which was bought last, for 25 % more"),
        (2, "b150", "b100", "like B100, which was bought last, for 50 % more"),
        (3, "b200", "b100", "like B100, which was bought last, for 100 % more"),
    ]


def test_what_more_orders_hold_comes_first_and_what_was_bought_is_left_out() -> None:
    others = [bought(f"x{number}", 300, "b200") for number in range(3)]
    found = offered(*others, bought("ann", 50, "b125"), bought("ann", 5, "b100"))
    assert rows(found.filter(found.customer_id == "ann"), "rank", "product_id") == [(1, "b200"), (2, "b150")]


def test_only_the_last_dated_order_speaks() -> None:
    orders = (bought("ann", 50, "b100"), bought("ann", 5, "lock"), bought("ann", None, "b120"), bought(None, 1, "b100"))
    assert rows(offered(*orders), "product_id") == []


def test_a_cross_sell_is_bought_together_with_what_was_bought_last() -> None:
    rules = [rule("b100", "pump", 0.4), rule("b120", "pump", 0.6), rule("b100", "lock", 0.5), rule("b100", "b120", 0.9)]
    rules.append(rule("b100, lock", "pump", 0.99, size=2))
    found = offered(bought("ann", 5, "b100", "b120"), rules=rules)
    crossed = found.filter(found.kind == "cross-sell")
    assert rows(crossed, "rank", "product_id", "product_name", "because_product_id", "reason") == [
        (1, "pump", "Pump", "b120", "in 60 % of the orders with B120, which was bought last"),
        (2, "lock", "Lock", "b100", "in 50 % of the orders with B100, which was bought last"),
    ]


def test_what_is_excluded_or_out_of_season_is_not_offered() -> None:
    ann = bought("ann", 5, "b100")
    gone = Exclusions(version="1", discontinued=["b125"], excluded_categories=["Parts"])
    assert rows(offered(ann, rules=[rule("b100", "pump", 0.5)], out=gone), "product_id") == [("b150",), ("b200",)]
    winter = Exclusions(version="1", seasons=[Season(months=[12], categories=["Bikes"])])
    assert rows(offered(ann, out=winter), "product_id") == []
    both = Exclusions(version="1", seasons=[*winter.seasons, Season(months=[6], products=["b150"])])
    assert rows(offered(ann, out=both), "product_id") == [("b150",)]


def test_without_prices_categories_dates_or_rules_nothing_is_offered() -> None:
    assert rows(offered(), "product_id") == []
    free = bought("ann", 5, "b100", net_amount=None)
    empty = computed(offers)(
        table("order_lines", *free), table("products"), table("basket_rules"), at("2026-06-30"), lambda: NOTHING
    )
    assert rows(empty, "product_id") == []
    assert empty.schema() == table("offers").schema()
