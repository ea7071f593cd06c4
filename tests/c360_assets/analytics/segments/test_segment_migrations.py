"""Segment migrations: who moved from where to where in a month."""

from collections import Counter
from datetime import date
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.segment_migrations import segment_migrations
from tests.tables import computed, rows, table

APRIL, MAY, JUNE = date(2026, 4, 30), date(2026, 5, 31), date(2026, 6, 15)
MOVES = ("month_on", "from_segment", "to_segment", "customer_count", "rate")


def member(customer: str, on: date, level: str | None, segment: str | None = "New") -> dict[str, Any]:
    return {"customer_id": customer, "month_on": on, "engagement_level": level, "customer_segment": segment}


def moves(found: ir.Table, segmentation: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(rows(found.filter(found.segmentation == segmentation), *columns))


def test_moves_are_counted_with_those_who_stayed_and_those_who_are_new() -> None:
    found = computed(segment_migrations)(
        table(
            "monthly_segments",
            member("ann", MAY, "A"), member("bob", MAY, "A"), member("cat", MAY, "A"), member("dan", MAY, "B"),
            member("ann", JUNE, "A"), member("bob", JUNE, "B"), member("cat", JUNE, "B"), member("dan", JUNE, "B"),
            member("eva", JUNE, "A"),
        )
    )  # fmt: skip
    assert moves(found, "engagement_level", *MOVES) == [
        (JUNE, "(new)", "A", 1, 1.0),
        (JUNE, "A", "A", 1, 1 / 3),
        (JUNE, "A", "B", 2, 2 / 3),
        (JUNE, "B", "B", 1, 1.0),
    ]
    assert moves(found, "customer_segment", *MOVES) == [(JUNE, "(new)", "New", 1, 1.0), (JUNE, "New", "New", 4, 1.0)]


def test_the_first_month_has_no_moves_and_no_months_none_at_all() -> None:
    assert rows(computed(segment_migrations)(table("monthly_segments", member("ann", MAY, "A"))), *MOVES) == []
    assert rows(computed(segment_migrations)(table("monthly_segments")), *MOVES) == []


def test_a_segmentation_without_a_past_has_no_moves() -> None:
    found = computed(segment_migrations)(
        table("monthly_segments", member("ann", MAY, "A", None), member("ann", JUNE, "A", None))
    )
    assert rows(found, "segmentation", *MOVES) == [("engagement_level", JUNE, "A", "A", 1, 1.0)]


# From when a customer is known, and the levels at the end of the three months.
LIVES = st.lists(st.tuples(st.integers(0, 2), *[st.sampled_from("ABC")] * 3), max_size=20)


@settings(max_examples=25, deadline=None)
@given(LIVES, st.randoms(use_true_random=False))
def test_moves_equal_a_plain_loop_whatever_the_order_of_rows(lives: list[tuple[Any, ...]], random: Any) -> None:
    months = (APRIL, MAY, JUNE)
    members, expected = [], Counter[tuple[date, str, str]]()
    first_month = min((start for start, *_ in lives), default=0)
    for n, (start, *levels) in enumerate(lives):
        for place in range(start, 3):
            members.append(member(f"c{n}", months[place], levels[place]))
            if place > first_month:
                expected[months[place], levels[place - 1] if place > start else "(new)", levels[place]] += 1
    random.shuffle(members)
    found = computed(segment_migrations)(table("monthly_segments", *members))
    assert moves(found, "engagement_level", *MOVES[:-1]) == sorted((*move, count) for move, count in expected.items())
    leaving = Counter[tuple[date, str]]()
    for on, origin, _, _, rate in moves(found, "engagement_level", *MOVES):
        leaving[on, origin] += rate
    assert all(whole == pytest.approx(1) for whole in leaving.values())
