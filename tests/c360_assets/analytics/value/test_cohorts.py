"""Cohorts: who comes back in which month, and what they spend until then."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.value.cohorts import cohorts
from tests.tables import at, computed, day, money, rows, table

COUNTED = ("cohort_month", "month_offset", "customer_count", "retained_count", "order_count", "revenue")


def order(order_id: int, customer: str | None, on: str, amount: str = "10", **more: Any) -> dict[str, Any]:
    return {
        "order_id": str(order_id), "customer_id": customer, "ordered_at": day(on), "is_completed": True,
        "order_amount": money(amount), **more,
    }  # fmt: skip


def test_a_cohort_is_followed_through_every_month_up_to_as_of() -> None:
    orders = table(
        "orders",
        order(1, "ann", "2025-12-31", "10"),
        order(2, "bob", "2025-12-01", "20"),
        order(3, "ann", "2026-02-01", "5"),
        order(4, "ann", "2026-02-28", "2.50"),
        order(5, "cat", "2026-02-14", "7"),
    )
    found = rows(computed(cohorts)(orders, at("2026-02-28T12:00:00")), *COUNTED, by="cohort_month")
    december, february = date(2025, 12, 1), date(2026, 2, 1)
    assert sorted(found) == [
        (december, 0, 2, 2, 2, money("30")),
        (december, 1, 2, 0, 0, money("0")),
        (december, 2, 2, 1, 2, money("7.50")),
        (february, 0, 1, 1, 1, money("7")),
    ]


def test_rates_and_cumulative_revenue_are_over_the_whole_cohort() -> None:
    orders = table(
        "orders", order(1, "ann", "2026-01-31"), order(2, "bob", "2026-01-01"), order(3, "ann", "2026-02-03")
    )
    columns = ("month_offset", "retention_rate", "cumulative_revenue", "cumulative_revenue_per_customer")
    assert rows(computed(cohorts)(orders, at("2026-02-28")), *columns) == [
        (0, 1.0, money("20"), 10.0),
        (1, 0.5, money("30"), 15.0),
    ]


@pytest.mark.parametrize(
    ("as_of", "is_complete"),
    [("2026-01-31T23:59:59", [False]), ("2026-02-01", [True, False]), ("2026-02-28", [True, False])],
)
def test_a_month_is_complete_once_the_next_one_has_begun(as_of: str, is_complete: list[bool]) -> None:
    found = rows(
        computed(cohorts)(table("orders", order(1, "ann", "2026-01-10")), at(as_of)), "month_offset", "is_complete"
    )
    assert [complete for _, complete in found] == is_complete


def test_anonymous_undated_and_cancelled_orders_make_no_cohort() -> None:
    orders = table(
        "orders",
        order(1, None, "2026-01-10"),
        order(2, "ann", "2026-01-10") | {"ordered_at": None},
        order(3, "bob", "2026-01-10", "0", is_completed=False),
    )
    assert rows(computed(cohorts)(orders, at("2026-01-31")), *COUNTED) == []
    assert rows(computed(cohorts)(table("orders"), table("as_of", {"as_of": None})), *COUNTED) == []


BOUGHT = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 500), st.integers(0, 9_999)), max_size=25)
TODAY = date(2026, 6, 15)


def months(on: date) -> int:
    return on.year * 12 + on.month - 1


def recounted(bought: list[tuple[int, int, int]]) -> list[tuple[Any, ...]]:
    """Month by month, order by order."""
    first: dict[int, int] = {}
    for who, ago, _ in bought:
        month = months(TODAY - timedelta(days=ago))
        first[who] = min(month, first.get(who, month))
    members = defaultdict(set)
    for who, month in first.items():
        members[month].add(who)
    found = []
    for cohort, whole in members.items():
        for month in range(cohort, months(TODAY) + 1):
            made = [
                (who, cents) for who, ago, cents in bought if who in whole and months(TODAY - timedelta(ago)) == month
            ]
            revenue = sum((Decimal(cents) / 100 for _, cents in made), Decimal(0))
            opened = date(cohort // 12, cohort % 12 + 1, 1)
            found.append((opened, month - cohort, len(whole), len({who for who, _ in made}), len(made), revenue))
    return sorted(found)


@settings(max_examples=25, deadline=None)
@given(BOUGHT, st.randoms(use_true_random=False))
def test_cohorts_equal_a_plain_loop_whatever_the_order_of_rows(bought: list[tuple[int, int, int]], random: Any) -> None:
    literal = [
        order(n, f"c{who}", str(TODAY - timedelta(days=ago)), f"{cents}e-2")
        for n, (who, ago, cents) in enumerate(bought)
    ]
    random.shuffle(literal)
    assert sorted(rows(computed(cohorts)(table("orders", *literal), at(str(TODAY))), *COUNTED)) == recounted(bought)
