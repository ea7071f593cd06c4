"""Moments of truth: the actions after which visits order more often, or less."""

from math import sqrt
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.moments import MIN_SESSIONS, moments
from tests.tables import computed, rows, table

COUNTS = ("action", "session_count", "order_count", "other_session_count", "other_order_count")
INTERVAL = ("difference", "difference_low", "difference_high", "is_significant")


def decided(*paths: str) -> ir.Table:
    return computed(moments)(
        table("session_paths", *[{"session_id": str(number), "path": path} for number, path in enumerate(paths)])
    )


def test_visits_with_an_action_are_compared_with_those_without_it() -> None:
    found = decided("view > cart > order_placed", "view > cart", "view", "view", "view > order_placed")
    assert rows(found, *COUNTS) == [("cart", 2, 1, 3, 1), ("view", 5, 2, 0, 0)]
    rates = ("action", "session_share", "conversion_rate", "other_conversion_rate", "lift", "rank")
    assert rows(found, *rates) == [("cart", 0.4, 0.5, 1 / 3, 0.5 / (1 / 3), 1), ("view", 1.0, 0.4, None, None, 2)]


def test_what_comes_after_the_order_did_not_lead_to_it() -> None:
    found = decided("view > order_placed > chat > order_placed", "chat", "order_placed > view")
    assert rows(found, *COUNTS) == [("chat", 1, 0, 2, 2), ("view", 1, 1, 2, 1)]


def test_a_difference_beyond_chance_is_significant() -> None:
    with_chat = ["chat > order_placed"] * 40 + ["chat"] * 60
    without = ["view > order_placed"] * 20 + ["view"] * 80
    ((difference, low, high, is_significant),) = [
        row[1:] for row in rows(decided(*with_chat, *without), "action", *INTERVAL) if row[0] == "chat"
    ]
    half = 1.959964 * sqrt(0.4 * 0.6 / 100 + 0.2 * 0.8 / 100)
    assert difference == pytest.approx(0.2)
    assert (low, high) == (pytest.approx(0.2 - half), pytest.approx(0.2 + half))
    assert is_significant


def test_the_same_rate_on_both_sides_decides_nothing() -> None:
    paths = [*["chat > order_placed"] * 10, *["chat"] * 30, *["view > order_placed"] * 10, *["view"] * 30]
    assert [row[1:] for row in rows(decided(*paths), "action", "difference", "is_significant", "lift")] == [
        (0.0, False, 1.0)
    ] * 2


def test_of_few_visits_no_interval_is_told() -> None:
    few = ["chat > order_placed"] * (MIN_SESSIONS - 1) + ["view"] * 100
    assert {row[1:] for row in rows(decided(*few), "action", *INTERVAL[1:])} == {(None, None, None)}
    enough = ["chat > order_placed"] * MIN_SESSIONS + ["view"] * 100
    assert {row[1] for row in rows(decided(*enough), "action", "is_significant")} == {True}


def test_where_nobody_orders_there_is_no_lift() -> None:
    assert rows(decided("view", "cart"), "action", "conversion_rate", "difference", "lift") == [
        ("cart", 0.0, 0.0, None),
        ("view", 0.0, 0.0, None),
    ]
    assert rows(decided(), "action") == []


PATHS = st.lists(
    st.lists(st.sampled_from(["view", "cart", "chat", "order_placed"]), min_size=1, max_size=5).map(" > ".join),
    max_size=15,
)


@settings(max_examples=25, deadline=None)
@given(PATHS, st.randoms(use_true_random=False))
def test_counts_equal_a_plain_loop_whatever_the_order_of_rows(paths: list[str], random: Any) -> None:
    visits = []
    for path in paths:
        before, order, _ = f"{path} > ".partition("order_placed > ")
        visits.append((set(before.split(" > ")) - {""}, bool(order)))
    expected = []
    for action in sorted(set().union(*(actions for actions, _ in visits))):
        split = {
            side: [ordered for actions, ordered in visits if (action in actions) == side] for side in (True, False)
        }
        expected.append((action, len(split[True]), sum(split[True]), len(split[False]), sum(split[False])))
    mixed = list(paths)
    random.shuffle(mixed)
    assert rows(decided(*mixed), *COUNTS) == expected
