"""Intervals: against the formulas in plain Python and the quantiles of scipy."""

import math
import statistics
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from c360_assets.terms import intervals


def value_of(expression: Any) -> Any:
    return expression.name("found").as_table().to_pyarrow().to_pylist()[0]["found"]


def test_the_quantile_of_t_is_that_of_scipy_for_few_and_for_many() -> None:
    degrees = [*range(1, 200), 1_000, 1_000_000]
    few = ibis.memtable(pa.table({"degrees": pa.array(degrees, pa.float64())}))
    found = few.mutate(quantile=intervals.t_quantile(few.degrees)).to_pyarrow().to_pylist()
    assert len(found) == len(degrees)
    for row in found:
        assert row["quantile"] == pytest.approx(stats.t.ppf(0.975, row["degrees"]), abs=2e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-100, 100), min_size=2, max_size=30))
def test_half_the_interval_of_a_mean_is_t_times_its_standard_error(values: list[int]) -> None:
    squares = sum(value * value for value in values)
    half = intervals.half_of_mean(*[ibis.literal(total) for total in (len(values), sum(values), squares)])
    error = statistics.stdev(values) / math.sqrt(len(values))
    assert value_of(half) == pytest.approx(stats.t.ppf(0.975, len(values) - 1) * error, rel=1e-3, abs=1e-6)


def test_one_value_has_no_interval() -> None:
    assert value_of(intervals.half_of_mean(ibis.literal(1), ibis.literal(5), ibis.literal(25))) is None


def test_wilson_agrees_with_scipy_and_has_some_width_where_all_agree() -> None:
    for hits, count in ((0, 1), (1, 1), (3, 7), (40, 40), (128, 300)):
        low, high = intervals.wilson(ibis.literal(count), ibis.literal(hits))
        known = stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
        assert (value_of(low), value_of(high)) == pytest.approx((known.low, known.high), abs=1e-9)
        assert value_of(low) < value_of(high)


def test_the_net_share_is_as_sure_as_the_mean_of_ones_and_minus_ones() -> None:
    half = intervals.half_of_net_share(ibis.literal(10), ibis.literal(5), ibis.literal(2))
    error = statistics.pstdev([1] * 5 + [0] * 3 + [-1] * 2) / math.sqrt(10)
    assert value_of(half) == pytest.approx(1.959964 * error, rel=1e-6)


def test_the_mean_of_groups_of_one_is_as_sure_as_any_mean_and_that_of_one_group_not_at_all() -> None:
    values = [3, 5, 10, -2]
    total, squares = ibis.literal(sum(values)), ibis.literal(sum(value * value for value in values))
    four, two = ibis.literal(4), ibis.literal(2)
    single = intervals.half_of_grouped_mean(four, four, total, squares, total, four)
    assert value_of(single) == pytest.approx(value_of(intervals.half_of_mean(four, total, squares)))
    # The same values twice over, in the same groups, tell no more than once.
    twice = intervals.half_of_grouped_mean(four, two * 4, two * total, two * two * squares, two * two * total, four * 4)
    assert value_of(twice) == pytest.approx(value_of(single))
    assert value_of(intervals.half_of_grouped_mean(ibis.literal(1), four, total, squares, total, four)) is None
