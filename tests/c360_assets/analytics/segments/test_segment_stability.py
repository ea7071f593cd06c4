"""Segment stability: who stayed, and how alike the groupings of two months are."""

from datetime import date
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from c360_assets.analytics.segments.segment_migrations import NEW, segment_migrations
from c360_assets.analytics.segments.segment_stability import segment_stability
from tests.tables import computed, rows, table

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 15)
COUNTS = ("customer_count", "new_customer_count", "stayed_count", "stayed_rate")


def moved(origin: str, target: str, count: int, segmentation: str = "engagement_level") -> dict[str, Any]:
    return {
        "segmentation": segmentation, "month_on": JUNE, "from_segment": origin, "to_segment": target,
        "customer_count": count,
    }  # fmt: skip


def stability(*moves: dict[str, Any]) -> ir.Table:
    return computed(segment_stability)(table("segment_migrations", *moves))


def test_those_known_in_both_months_are_compared_and_the_new_ones_counted() -> None:
    found = stability(moved("A", "A", 3), moved("A", "B", 1), moved("B", "B", 4), moved(NEW, "A", 2))
    assert rows(found, "segmentation", "month_on", *COUNTS) == [("engagement_level", JUNE, 8, 2, 7, 0.875)]


def test_the_index_is_that_of_the_formula_by_hand() -> None:
    # Of the 15 pairs among 6 customers 6 were together, 3 are, and 2 both.
    found = stability(moved("A", "X", 2), moved("A", "Y", 1), moved("B", "Y", 1), moved("B", "Z", 2))
    assert rows(found, "adjusted_rand_index") == [(2 * (2 * 15 - 6 * 3) / (9 * 15 - 2 * 18),)]


@pytest.mark.parametrize(
    ("moves", "index"),
    [
        ([moved("A", "A", 5), moved("B", "B", 2)], 1.0),
        ([moved("A", "B", 5), moved("B", "A", 2)], 1.0),
        ([moved("A", "A", 9)], 1.0),
        ([moved("A", "A", 1)], 1.0),
        ([moved("A", "A", 4), moved("A", "B", 4)], 0.0),
        ([moved(NEW, "A", 4)], None),
    ],
)
def test_the_index_is_1_for_the_same_groups_and_0_where_chance_does_as_well(
    moves: list[dict[str, Any]], index: float | None
) -> None:
    assert rows(stability(*moves), "adjusted_rand_index") == [(index,)]


def test_a_hundred_million_customers_are_compared_exactly() -> None:
    many = 100_000_000
    same, apart = (
        stability(moved("A", "A", many), moved("B", "B", many)),
        stability(moved("A", "A", many), moved("B", "B", many), moved("A", "B", 1)),
    )
    assert rows(same, "adjusted_rand_index") == [(1.0,)]
    pairs = {n: n * (n - 1) // 2 for n in (many, many + 1, 2 * many + 1)}
    together, former = 2 * pairs[many], pairs[many] + pairs[many + 1]
    whole = pairs[2 * many + 1]
    expected = 2 * (together * whole - former * former) / (2 * former * whole - 2 * former * former)
    assert rows(apart, "adjusted_rand_index") == [(pytest.approx(expected, abs=1e-15),)]


LABELS = st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(LABELS, st.integers(0, 3))
def test_the_index_is_that_of_scikit_learn(labels: list[tuple[str, str]], new: int) -> None:
    known = [
        {"customer_id": f"c{n}", "month_on": on, "engagement_level": level}
        for n, pair in enumerate(labels)
        for on, level in zip((MAY, JUNE), pair, strict=True)
    ]
    arrived = [{"customer_id": f"n{n}", "month_on": JUNE, "engagement_level": "A"} for n in range(new)]
    found = computed(segment_stability)(computed(segment_migrations)(table("monthly_segments", *known, *arrived)))
    index = adjusted_rand_score([former for former, _ in labels], [latter for _, latter in labels])
    stayed = sum(former == latter for former, latter in labels)
    assert rows(found, "customer_count", "new_customer_count", "stayed_count", "adjusted_rand_index") == [
        (len(labels), new, stayed, pytest.approx(index, abs=1e-12))
    ]
