"""The action matrix: every cell, its customers and what to do with them."""

from collections import defaultdict
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.value.action_matrix import action_matrix
from governance import segments
from tests.tables import computed, money, rows, table

RULES = segments.load()
LEVELS = [rule.name for rule in RULES.engagement_level.rules]
TIERS = [rule.name for rule in RULES.value_tier.rules]
CELL = ("engagement_level", "value_tier")


def matrix(*customers: dict[str, Any]) -> ir.Table:
    """The matrix of customers given with what both inputs say of them."""
    placed = [{name: one[name] for name in ("customer_id", *CELL)} for one in customers]
    valued = [{name: value for name, value in one.items() if name not in CELL} for one in customers]
    return computed(action_matrix)(table("customer_segments", *placed), table("features", *valued), segments.load)


def customer(name: str, level: str, tier: str, value: str, **more: Any) -> dict[str, Any]:
    return {
        "customer_id": name, "engagement_level": level, "value_tier": tier, "historical_value": money(value), **more,
    }  # fmt: skip


def test_a_cell_counts_its_customers_and_what_they_are_worth() -> None:
    found = matrix(
        customer("ann", "Champions", "High", "60", recency_days=10, is_premium=True),
        customer("bob", "Champions", "High", "15", recency_days=21, is_premium=False),
        customer("cat", "Champions", "High", "0"),
        customer("dan", "Churn Risk", "Low", "25", recency_days=400),
    )
    columns = (
        "action", "priority", "customer_count", "customer_share", "historical_value", "value_share", "average_value",
        "average_recency_days", "premium_share",
    )  # fmt: skip
    filled = found.filter(found.customer_count > 0)
    assert rows(filled, "engagement_level", *columns) == [
        ("Champions", "protect", "High", 3, 0.75, money("75"), 0.75, 25.0, 15.5, 0.5),
        ("Churn Risk", "deprioritise", "Low", 1, 0.25, money("25"), 0.25, 25.0, 400.0, None),
    ]


def test_all_fifteen_cells_are_there_with_the_action_of_the_rules_even_where_nobody_can_be_placed() -> None:
    why = "no customer has both an engagement level and a value tier"
    expected = {
        (level, tier, RULES.action_matrix[level][tier].action, RULES.action_matrix[level][tier].priority, None, why)
        for level in LEVELS
        for tier in TIERS
    }
    found = rows(matrix(), *CELL, "action", "priority", "customer_count", "reason")
    assert len(found) == 15
    assert set(found) == expected
    unknown = ("historical_value", "customer_share", "value_share", "average_value", "premium_share")
    assert set(rows(matrix(), *unknown)) == {(None,) * 5}
    one = rows(matrix(customer("ann", "Champions", "High", "60")), "customer_count", "historical_value", "reason")
    assert sorted(one) == [(0, money("0"), None)] * 14 + [(1, money("60"), None)]


PLACED = st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(TIERS), st.integers(0, 10**6)), max_size=25)


@settings(max_examples=25, deadline=None)
@given(PLACED, st.randoms(use_true_random=False))
def test_the_matrix_equals_a_plain_loop_and_loses_nobody(placed: list[tuple[str, str, int]], random: Any) -> None:
    customers = [customer(f"c{n}", level, tier, f"{cents}e-2") for n, (level, tier, cents) in enumerate(placed)]
    worth = defaultdict(list)
    for one in customers:
        worth[one["engagement_level"], one["value_tier"]].append(one["historical_value"])
    expected = [
        (level, tier, len(worth[level, tier]), sum(worth[level, tier], money("0")))
        if customers
        else (level, tier, None, None)
        for level in LEVELS
        for tier in TIERS
    ]
    random.shuffle(customers)
    found = rows(matrix(*customers), *CELL, "customer_count", "historical_value")
    assert sorted(found) == sorted(expected)
