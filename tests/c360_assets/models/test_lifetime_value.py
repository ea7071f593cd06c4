"""Lifetime value: everybody who bought has a row, and its figures are those of the model."""

import math
import random
from datetime import timedelta
from typing import Any

import ibis.expr.types as ir
import pytest
from scipy.special import hyp2f1

from c360_assets.models.lifetime_model import lifetime_model
from c360_assets.models.lifetime_value import lifetime_value
from tests.c360_assets.buyers import START, order, orders_of
from tests.c360_assets.shoppers import types
from tests.tables import CONTRACTS, at, money, rows, table

COLUMNS = CONTRACTS["lifetime_value"].column_names
SCORES = ("p_alive", "expected_purchases", "expected_order_value", "expected_spend", "clv", "clv_low", "clv_high")
TODAY = START + timedelta(days=400)
CDNOW = {"r": 0.243, "alpha": 30.9, "a": 0.793, "b": 2.426, "p": 6.25, "q": 3.74, "v": 15.44, "is_chosen": True}
Row = dict[str, Any]


def ordered(customer_id: str, *days_ago: int, amount: str = "10") -> list[Row]:
    return [
        order(customer_id, TODAY - timedelta(days=days), money(amount), f"{customer_id}-{days}") for days in days_ago
    ]


def valued(orders: list[Row], *models: Row) -> ir.Table:
    return lifetime_value(table("orders", *orders), table("lifetime_model", *models), at(str(TODAY)))


def by_hand(x: int, last: float, age: float, mean: float, model: Row) -> tuple[float, ...]:
    """p_alive, purchases in a year, value of an order and CLV by the formulas of the papers."""
    r, alpha, a, b = (model[name] for name in ("r", "alpha", "a", "b"))
    at_once = model["model"] == "MBG/NBD"
    n = x + at_once
    odds = a / (b + n - 1) * ((alpha + age) / (alpha + last)) ** (r + x) if n else 0.0

    def within(days: float) -> float:
        until = alpha + age
        series = hyp2f1(r + x, b + n, a + b + n - 1, days / (until + days))
        spread = (until / (until + days)) ** (r + x) * series
        return float((a + b + n - 1) / (a - 1) * (1 - spread) / (1 + odds))

    month = 365 / 12
    coming = [within(number * month) - within((number - 1) * month) for number in range(1, 37)]
    worth = sum(bought / 1.1 ** (number / 12) for number, bought in enumerate(coming, start=1))
    value = model["p"] * (model["v"] + x * mean) / (model["p"] * x + model["q"] - 1)
    return 1 / (1 + odds), within(365), value, worth * value


@pytest.mark.parametrize("model", ["BG/NBD", "MBG/NBD"])
def test_figures_are_those_of_the_formulas(model: str) -> None:
    chosen = CDNOW | {"model": model}
    orders = [*ordered("ann", 300, 200, 50, amount="40"), *ordered("bob", 90), *ordered("cat", 399, 350, amount="12")]
    found = rows(valued(orders, chosen), "customer_id", "p_alive", "expected_purchases", "expected_order_value", "clv")
    expected = {"ann": (2, 250, 300, 40.0), "bob": (0, 0, 90, 0.0), "cat": (1, 49, 399, 12.0)}
    assert [row[0] for row in found] == list(expected)
    for who, *figures in found:
        assert figures == pytest.approx(by_hand(*expected[who], chosen), rel=1e-4)


def test_what_was_bought_so_far_stands_beside() -> None:
    orders = [*ordered("ann", 300, 200, 50), *ordered("ann", 50), *ordered("bob", 90)]
    columns = ("customer_id", "frequency", "repeat_purchase_count", "history_days", "recency_days", "model", "reason")
    assert rows(valued(orders, CDNOW | {"model": "BG/NBD"}), *columns) == [
        ("ann", 4, 2, 300, 50, "BG/NBD", None),
        ("bob", 1, 0, 90, 90, "BG/NBD", None),
    ]


def test_whoever_bought_once_is_alive_by_bg_nbd_and_ages_by_mbg_nbd() -> None:
    orders = [*ordered("new", 1), *ordered("old", 399)]
    new, old = (row[1] for row in rows(valued(orders, CDNOW | {"model": "BG/NBD"}), "customer_id", "p_alive"))
    assert (new, old) == (1, 1)
    new, old = (row[1] for row in rows(valued(orders, CDNOW | {"model": "MBG/NBD"}), "customer_id", "p_alive"))
    assert 0 < old < new < 1


def test_the_interval_is_in_order_and_holds_nothing_where_most_spend_nothing() -> None:
    orders = [*ordered("keen", 390, 300, 200, 100, 50, 5), *ordered("gone", 390, 385, 380, 375, 370, 365)]
    found = rows(valued(orders, CDNOW | {"model": "BG/NBD"}), "customer_id", "clv", "clv_low", "clv_high")
    gone, keen = (row[1:] for row in found)
    assert gone[0] > 0
    assert gone[1:] == (0, 0)
    assert 0 <= keen[1] < keen[0] < keen[2]


def test_everybody_with_a_completed_order_has_one_row_with_a_value_or_the_reason() -> None:
    orders = [
        *ordered("ann", 30),
        order("undated", None, money("5"), "1"),
        order(None, TODAY, money("5"), "2"),
        order("open", TODAY, money("0"), "3", is_completed=False),
    ]
    found = rows(valued(orders, CDNOW | {"model": "BG/NBD"}), "customer_id", "frequency", "reason", "clv")
    assert [row[:3] for row in found] == [("ann", 1, None), ("undated", 1, "no completed order has a date")]
    assert [row[3] is None for row in found] == [False, True]


def test_without_a_model_the_reason_is_passed_on() -> None:
    few = {"model": "BG/NBD", "is_chosen": False, "reason": "fewer than 100 customers who bought on two days: 3"}
    found = rows(valued(ordered("ann", 30), few), "customer_id", "reason", "history_days", *SCORES)
    assert found == [("ann", few["reason"], 30, *[None] * len(SCORES))]
    found = rows(valued(ordered("ann", 30)), "customer_id", "reason", "clv")
    assert found == [("ann", "no model was chosen", None)]


def test_without_values_purchases_are_expected_all_the_same() -> None:
    unpriced = {"model": "BG/NBD", "p": None, "q": None, "v": None, "value_reason": "no value is known: 0"}
    ((_, purchases, value, clv, reason),) = rows(
        valued(ordered("ann", 30), CDNOW | unpriced),
        "customer_id", "expected_purchases", "expected_order_value", "clv", "reason",
    )  # fmt: skip
    assert purchases > 0
    assert (value, clv, reason) == (None, None, "no value is known: 0")


def test_whatever_is_bought_at_the_last_moment_breaks_nothing() -> None:
    """A first order today, one of no value, and one of every day."""
    orders = [*ordered("new", 0), *ordered("free", 80, 40, amount="0"), *ordered("daily", *range(400))]
    found = rows(valued(orders, CDNOW | {"model": "BG/NBD"}), "customer_id", *SCORES)
    assert all(math.isfinite(value) for row in found for value in row[1:])
    assert all(low <= high for *_, low, high in found)


def test_the_order_of_rows_changes_nothing() -> None:
    orders = orders_of(300, span=300)
    chosen = CDNOW | {"model": "MBG/NBD"}
    before = rows(valued(orders, chosen), *COLUMNS)
    random.Random(1).shuffle(orders)
    assert rows(valued(orders, chosen), *COLUMNS) == before


def test_the_two_tables_together_value_everybody() -> None:
    orders = table("orders", *orders_of(400))
    model = lifetime_model(orders, at(str(TODAY)), table)
    found = rows(lifetime_value(orders, model, at(str(TODAY))), "customer_id", "reason", *SCORES)
    assert len(found) == 400
    assert {row[1] for row in found} == {None}
    assert all(math.isfinite(value) and value >= 0 for row in found for value in row[2:])


def test_without_orders_there_are_no_rows_but_all_columns() -> None:
    nothing = lifetime_value(table("orders"), table("lifetime_model"), table("as_of"))
    assert rows(nothing, "customer_id") == []
    assert types(nothing) == types(table("lifetime_value"))
