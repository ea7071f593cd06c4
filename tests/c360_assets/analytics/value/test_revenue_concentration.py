"""Revenue concentration: the share of the few, and the Gini coefficient."""

import math
from fractions import Fraction
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.value.revenue_concentration import NO_REVENUE, revenue_concentration
from tests.tables import computed, money, rows, table

SHARES = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0]
COUNTED = ("top_share", "customer_count", "revenue", "revenue_share")


def buyers(*cents: int) -> ir.Table:
    return table(
        "rfm", *[{"customer_id": f"c{n:03}", "monetary": money(f"{spent}e-2")} for n, spent in enumerate(cents)]
    )


def gini(*cents: int) -> float:
    ((found,),) = set(rows(computed(revenue_concentration)(buyers(*cents)), "gini"))
    return float(found)


def test_the_best_fifth_of_ten_is_two_customers() -> None:
    spent = [100, 100, 100, 100, 100, 100, 100, 100, 200, 1000]
    assert rows(computed(revenue_concentration)(buyers(*spent)), *COUNTED) == [
        (0.01, 1, money("10"), 0.5),
        (0.05, 1, money("10"), 0.5),
        (0.1, 1, money("10"), 0.5),
        (0.2, 2, money("12"), 0.6),
        (0.3, 3, money("13"), 0.65),
        (0.5, 5, money("15"), 0.75),
        (1.0, 10, money("20"), 1.0),
    ]


@pytest.mark.parametrize(
    ("spent", "expected"), [([500, 500, 500], 0.0), ([0, 0, 0, 900], 0.75), ([100, 300], 0.25), ([700], 0.0)]
)
def test_gini_is_0_where_all_spend_alike_and_near_1_where_one_spends_everything(
    spent: list[int], expected: float
) -> None:
    assert gini(*spent) == expected


@pytest.mark.parametrize("spent", [[], [0, 0]])
def test_without_revenue_there_are_all_shares_and_a_reason(spent: list[int]) -> None:
    found = rows(
        computed(revenue_concentration)(buyers(*spent)), "top_share", "revenue", "revenue_share", "gini", "reason"
    )
    assert found == [(share, money("0"), None, None, NO_REVENUE) for share in SHARES]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 99_999), min_size=1, max_size=120).filter(any))
def test_concentration_equals_a_plain_loop_over_sorted_buyers(spent: list[int]) -> None:
    best_first, total = sorted(spent, reverse=True), sum(spent)
    expected = []
    for share in (Fraction(str(share)) for share in SHARES):
        count = math.ceil(share * len(spent))
        revenue = sum(best_first[:count])
        expected.append((float(share), count, money(f"{revenue}e-2"), pytest.approx(revenue / total)))
    assert rows(computed(revenue_concentration)(buyers(*spent)), *COUNTED) == expected
    differences = sum(abs(one - other) for one in spent for other in spent)
    assert gini(*spent) == pytest.approx(differences / (2 * len(spent) * total))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_concentration_does_not_depend_on_the_order_of_rows(spent: list[int], random: Any) -> None:
    shuffled = random.sample(spent, len(spent))
    columns = (*COUNTED, "gini")
    assert rows(computed(revenue_concentration)(buyers(*shuffled)), *columns) == rows(
        computed(revenue_concentration)(buyers(*spent)), *columns
    )
