"""Reward effects: orders with burned points against later ones of the same customers."""

import math
from collections import defaultdict
from datetime import timedelta
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from c360_assets.analytics.experience.reward_effects import (
    BAND_STARTS,
    FEW,
    NO_COMPARISON,
    NO_ENTRIES,
    NO_ORDERS,
    reward_effects,
)
from c360_assets.conformed.points import points as points_of
from tests.tables import at, computed, day, money, rows, table

NOW = at("2026-06-30T12:00:00")
Row = dict[str, Any]


def burn(order_id: str, points: int, who: str = "ann") -> Row:
    return {
        "entry_id": f"{order_id} {points}", "customer_id": who, "entry_ts": day("2026-05-01"), "entry_type": "burn",
        "points": points, "order_id": order_id,
    }  # fmt: skip


def order(order_id: str, on: str | None, amount: str, who: str | None = "ann", **more: Any) -> Row:
    return {
        "order_id": order_id, "customer_id": who, "ordered_at": day(on) if on else None, "is_completed": True,
        "order_amount": money(amount), **more,
    }  # fmt: skip


def effects(entries: list[Row], orders: list[Row], now: ir.Table = NOW) -> ir.Table:
    accounts = computed(points_of)(table("sources/loyalty_ledger", *entries), now)
    return computed(reward_effects)(accounts, table("orders", *orders))


def test_each_band_tells_what_orders_were_worth_with_burned_points_and_without() -> None:
    entries = [burn("a", 150), burn("b", 100, "bob"), burn("c", 99), burn("c", 1)]
    orders = [
        order("earlier", "2026-04-01", "1000"),
        order("a", "2026-05-01", "60"),
        order("c", "2026-05-02", "50"),
        order("later", "2026-05-03", "40"),
        order("b", "2026-05-01", "33", "bob"),
        order("bob's later", "2026-05-02", "30", "bob"),
        order("bob's latest", "2026-06-02", "32", "bob"),
    ]
    found = effects(entries, orders).filter(lambda bands: bands.reward_band == 2)
    counts = ("least_points", "greatest_points", "order_count", "compared_order_count", "compared_customer_count")
    assert rows(found, *counts, "reason") == [(100, 199, 3, 3, 2, None)]
    averages = ("average_points", "average_cost", "average_order_amount", "usual_order_amount", "difference")
    assert rows(found, *averages) == [(350 / 3, 3.5 / 3, 143 / 3, 111 / 3, 32 / 3)]
    assert rows(found, "observed_roi") == [((32 - 3.5) / 3.5,)]


def test_customers_not_orders_decide_how_sure_a_difference_is() -> None:
    differences = {"ann": [20, 10], "bob": [2], "eve": [5, 6, 7]}
    entries, orders = [], []
    for who, uplifts in differences.items():
        orders.append(order(f"{who} later", "2026-06-01", "100", who))
        for n, uplift in enumerate(uplifts):
            entries.append(burn(f"{who} {n}", 100, who))
            orders.append(order(f"{who} {n}", "2026-05-01", f"{100 + uplift}", who))
    found = effects(entries, orders).filter(lambda bands: bands.reward_band == 2)
    mean = 50 / 6
    squares = sum((sum(uplifts) - mean * len(uplifts)) ** 2 for uplifts in differences.values())
    half = stats.t.ppf(0.975, 2) * math.sqrt(3 / 2 * squares) / 6
    expected = (mean, mean - half, mean + half)
    assert rows(found, "difference", "difference_low", "difference_high")[0] == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_compared_says_why() -> None:
    entries = [
        burn("alone", 5),
        burn("a", 150, "bob"),
        burn("undated", 250, "bob"),
        burn("cancelled", 500, "bob"),
        burn("stranger's", 900, "eve"),
    ]
    orders = [
        order("alone", "2026-05-01", "60"),
        order("before", "2026-04-01", "60"),
        order("a", "2026-05-01", "60", "bob"),
        order("undated", None, "60", "bob"),
        order("later", "2026-05-02", "60", "bob"),
        order("cancelled", "2026-05-01", "0", "bob", is_completed=False),
        order("stranger's", "2026-05-01", "60", None),
    ]
    columns = ("reward_band", "order_count", "compared_order_count", "difference", "difference_low", "reason")
    assert rows(effects(entries, orders), *columns) == [
        (1, 1, 0, None, None, NO_COMPARISON),
        (2, 1, 1, 0.0, None, FEW),
        (3, 1, 0, None, None, NO_COMPARISON),
        (4, 0, 0, None, None, NO_ORDERS),
        (5, 0, 0, None, None, NO_ORDERS),
    ]


def test_without_entries_every_band_has_a_row_that_says_so() -> None:
    for now in (NOW, table("as_of", {"as_of": None})):
        found = effects([], [order("1", "2026-05-01", "10")], now)
        columns = ("reward_band", "least_points", "greatest_points", "order_count", "difference", "reason")
        ends = [start - 1 for start in BAND_STARTS[1:]]
        assert rows(found, *columns) == [
            (band, start, end, None, None, NO_ENTRIES)
            for band, (start, end) in enumerate(zip(BAND_STARTS, [*ends, None], strict=True), start=1)
        ]


def test_entries_after_the_moment_change_nothing() -> None:
    orders = [order("a", "2026-05-01", "60"), order("later", "2026-05-02", "50")]
    later = burn("later", 500) | {"entry_ts": day("2026-07-01")}
    assert effects([burn("a", 10), later], orders).to_pyarrow() == effects([burn("a", 10)], orders).to_pyarrow()


BOUGHT = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 100), st.integers(0, 9_999), st.sampled_from([0, 0, 0, 1, 99, 100, 900])
    ),
    max_size=25,
    unique_by=lambda bought: bought[:2],
)


@settings(max_examples=25, deadline=None)
@given(BOUGHT, st.randoms(use_true_random=False))
def test_differences_equal_a_plain_loop_whatever_the_order_of_rows(
    bought: list[tuple[int, int, int, int]], random: Any
) -> None:
    orders = [
        order(str(n), "2026-06-30", f"{cents}e-2", f"c{who}") | {"ordered_at": day("2026-06-30") - timedelta(days=ago)}
        for n, (who, ago, cents, _) in enumerate(bought)
    ]
    entries = [burn(str(n), points, f"c{who}") for n, (who, _, _, points) in enumerate(bought) if points]
    differences = defaultdict(list)
    for who, ago, cents, points in bought:
        later = [other[2] for other in bought if other[0] == who and other[1] < ago and not other[3]]
        if points and later:
            band = sum(points >= start for start in BAND_STARTS)
            differences[band].append((cents - sum(later) / len(later)) / 100)
    random.shuffle(orders)
    random.shuffle(entries)
    found = rows(effects(entries, orders), "reward_band", "compared_order_count", "difference")
    assert [count or 0 for _, count, _ in found] == [len(differences[band]) for band in range(1, 6)]
    for band, count, difference in found:
        if count:
            assert difference == pytest.approx(sum(differences[band]) / count, abs=1e-4)
