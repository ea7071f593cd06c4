"""Lifetime model: judged on what it has not seen, and on nothing else."""

import random
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pytest

from c360_assets.models import lifetime_model as module
from c360_assets.models.lifetime_model import lifetime_model, split_at_cutoff
from c360_assets.terms import lifetimes
from c360_assets.terms.expectations import alive, expected_purchases
from c360_assets.terms.time import clock
from tests.c360_assets.buyers import START, order, orders_of
from tests.c360_assets.shoppers import types
from tests.tables import CONTRACTS, at, day, money, rows, table

COLUMNS = CONTRACTS["lifetime_model"].column_names
TODAY = START + timedelta(days=400)
CUTOFF = TODAY - timedelta(days=200)
CALIBRATED = (
    "model",
    "cutoff_on",
    "calibration_customer_count",
    "calibration_repeat_customer_count",
    *(f"calibration_{name}" for name in lifetimes.PARAMETERS),
)
Orders = list[dict[str, Any]]


@pytest.fixture(scope="module")
def orders() -> Orders:
    return orders_of(500)


@pytest.fixture(scope="module")
def tried(orders: Orders) -> ir.Table:
    return lifetime_model(table("orders", *orders), at(str(TODAY)), table)


@pytest.fixture(scope="module")
def scores(orders: Orders) -> tuple[bytes, bytes]:
    return scored(orders)


def made(orders: Orders, *columns: str) -> list[tuple[Any, ...]]:
    return rows(lifetime_model(table("orders", *orders), at(str(TODAY)), table), *columns)


def scored(orders: Orders) -> tuple[bytes, bytes]:
    """What is expected of everybody known by the cutoff, to the byte."""
    shop = clock(at(str(TODAY)))
    before = split_at_cutoff(table("orders", *orders), shop, TODAY.date(), START.date()).before
    model = lifetimes.fitted(before.histories[0]).lifetimes
    return expected_purchases(model, before, [200.0]).tobytes(), alive(model, before).tobytes()


def test_the_better_model_is_chosen_and_stands_beside_the_baselines(tried: ir.Table) -> None:
    found = rows(tried, "model", "is_chosen", "cutoff_on", "holdout_days", "customer_count", "rmse", "reason")
    assert [row[0] for row in found] == ["BG/NBD", "MBG/NBD", "rate of everybody", "same rate as before"]
    assert {row[2:5] for row in found} == {(CUTOFF.date(), 200, 500)}
    best = min(found[:2], key=lambda row: row[5])
    assert [row[1] for row in found] == [row is best for row in found]
    assert best[5] < min(row[5] for row in found[2:])
    assert best[6] == "chosen: smallest error (RMSE) on the hold-out"


def test_hold_out_figures_are_those_of_a_plain_loop(orders: Orders, tried: ir.Table) -> None:
    """The baseline that goes on with each customer's rate."""
    days: dict[str, set[date]] = {}
    for row in orders:
        days.setdefault(row["customer_id"], set()).add(row["ordered_at"].date())
    errors, expected, actual = [], 0.0, 0
    for bought in days.values():
        before = sorted(on for on in bought if on <= CUTOFF.date())
        if before:
            span = (CUTOFF.date() - before[0]).days
            rate = (len(before) - 1) / span * 200 if span else 0.0
            later = len(bought) - len(before)
            errors.append(rate - later)
            expected, actual = expected + rate, actual + later
    found = {row[0]: row[1:] for row in rows(tried, "model", "mae", "rmse", "total_bias")}
    mae, rmse = np.abs(errors).mean(), np.sqrt(np.square(errors).mean())
    assert found["same rate as before"] == pytest.approx((mae, rmse, expected / actual - 1), abs=1e-6)


def test_the_order_of_rows_changes_nothing(orders: Orders, tried: ir.Table) -> None:
    shuffled = list(orders)
    random.Random(4).shuffle(shuffled)
    assert made(shuffled, *COLUMNS) == rows(tried, *COLUMNS)


def without_the_future(orders: Orders, how: str) -> Orders:
    """The orders with all that is later than the cutoff deleted, or given to others at other times."""
    known = [row for row in orders if row["ordered_at"].date() <= CUTOFF.date()]
    later = [row for row in orders if row["ordered_at"].date() > CUTOFF.date()]
    if how == "deleted":
        return known
    chance = random.Random(6)
    people = sorted({row["customer_id"] for row in orders})
    return known + [
        row | {"customer_id": chance.choice(people), "ordered_at": CUTOFF + timedelta(days=chance.randint(1, 200))}
        for row in later
    ]


@pytest.mark.parametrize("how", ["deleted", "shuffled"])
def test_nothing_of_the_hold_out_reaches_what_is_judged_on_it(
    orders: Orders, tried: ir.Table, scores: tuple[bytes, bytes], how: str
) -> None:
    other = without_the_future(orders, how)
    assert made(other, *CALIBRATED) == rows(tried, *CALIBRATED)
    assert scored(other) == scores


@pytest.mark.parametrize("how", ["deleted", "shuffled"])
def test_a_leak_would_be_seen(orders: Orders, tried: ir.Table, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = module.histories
    monkeypatch.setattr(module, "histories", lambda orders, shop, until: known(orders, shop, TODAY.date()))
    assert scored(without_the_future(orders, how)) != scored(orders)
    if how == "deleted":
        assert made(orders, *CALIBRATED) != rows(tried, *CALIBRATED)


def test_a_baseline_that_does_better_is_told() -> None:
    """Everybody buys at an interval of his own for ever: nobody is better expected than by his rate so far."""
    regular = [
        order(
            f"c{who:03}", START + timedelta(days=number * (8 + who % 50)), money(str(10 + who % 7)), f"{who}-{number}"
        )
        for who in range(150)
        for number in range(1 + 400 // (8 + who % 50))
    ]
    (reason,) = [row[1] for row in made(regular, "model", "reason", "is_chosen") if row[2]]
    assert reason.startswith("chosen as the better model, though the baseline 'same rate as before' errs no more")
    assert "at the limit of the search" in reason


def test_values_that_go_with_the_number_of_purchases_are_told(orders: Orders) -> None:
    count: dict[str, int] = {}
    for row in orders:
        count[row["customer_id"]] = count.get(row["customer_id"], 0) + 1
    dear = [row | {"order_amount": row["order_amount"] * count[row["customer_id"]] ** 2} for row in orders]
    reasons = [row[1] for row in made(dear, "model", "reason")][:2]
    assert all("order values go with the number of purchases (correlation 0." in reason for reason in reasons)


def test_without_known_values_purchases_are_expected_all_the_same(orders: Orders) -> None:
    unpriced = [row | {"order_amount": None} for row in orders]
    found = made(unpriced, "model", "is_chosen", "p", "value_customer_count", "spend_bias", "value_reason")[:2]
    reason = "fewer than 100 customers with a repeat purchase of known value above 0: 0"
    assert sum(row[1] for row in found) == 1
    assert {row[2:] for row in found} == {(None, 0, None, reason)}


def few(count: int) -> Orders:
    """So many customers who bought twice, before the hold-out, and one who buys now."""
    twice = [order(f"c{who}", day(on), money("10"), f"{who}-{on}") for who in range(count) for on in TWO_DAYS]
    return [*twice, order("late", TODAY, money("10"), "late")]


TWO_DAYS = ("2024-01-01", "2024-01-20")


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ([], "no completed order of a known customer has a date"),
        ([order("ann", None, money("1"), "1")], "no completed order of a known customer has a date"),
        ([order(None, TODAY, money("1"), "1")], "no completed order of a known customer has a date"),
        ([order("ann", TODAY, money("1"), "1")], "fewer than 100 customers who bought on two days by 2025-02-04: 0"),
        (few(37), "fewer than 100 customers who bought on two days by 2024-07-19: 37"),
    ],
    ids=["no orders", "no dates", "no customers", "one order", "few customers"],
)
def test_what_is_missing_is_told(orders: Orders, told: str) -> None:
    found = made(orders, "model", "is_chosen", "reason", "r", "rmse", "p")
    assert {row[1:] for row in found} == {(False, told, None, None, None)}
    assert len(found) == 4


@pytest.mark.parametrize("amount", ["0", "10"], ids=["worth nothing", "all alike"])
def test_customers_who_are_all_alike_break_nothing(amount: str) -> None:
    alike = [row | {"order_amount": money(amount)} for row in few(150)]
    found = made(alike, *COLUMNS)
    numbers = [value for row in found for value in row if isinstance(value, float)]
    assert np.isfinite(numbers).all()
    assert sum(row[COLUMNS.index("is_chosen")] for row in found) == 1


def test_without_a_moment_nothing_is_fitted(orders: Orders) -> None:
    nowhen = lifetime_model(table("orders", *orders), table("as_of"), table)
    assert {row[1] for row in rows(nowhen, "model", "is_chosen")} == {False}


def test_columns_are_those_of_the_contract(orders: Orders) -> None:
    assert types(lifetime_model(table("orders"), at(str(TODAY)), table)) == types(table("lifetime_model"))
