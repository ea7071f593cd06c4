"""Backtests: figures by their definition, intervals that hold what they say, and origins that know no future."""

from typing import Any

import numpy as np
import pytest

from c360_assets.terms import backtests, smoothing
from c360_assets.terms.backtests import Cells, Spread
from c360_assets.terms.demand import Series
from c360_assets.terms.smoothing import HORIZON


def series(values: Any, starts: list[int] | None = None) -> Series:
    count = len(values)
    names = [f"s{at:04}" for at in range(count)]
    return Series(names, names, np.asarray(values, float), np.array(starts or [0] * count), None)


def noise(count: int, weeks: int, seed: int = 5) -> Series:
    return series(np.random.default_rng(seed).gamma(4.0, 10.0, (count, weeks)))


def everybody(cells: Cells) -> Any:
    return np.ones(cells.scale.shape[:2], dtype=bool)


@pytest.mark.parametrize(
    ("weeks", "first", "last", "count", "judged"),
    [(38, None, None, 0, 0), (39, 13, 26, 14, 7), (52, 13, 39, 27, 14), (104, 52, 91, 40, 20), (208, 119, 195, 39, 20)],
)
def test_origins_lie_between_what_is_learnt_and_what_is_foretold(
    weeks: int, first: int | None, last: int | None, count: int, judged: int
) -> None:
    origins = backtests.origins_of(weeks)
    assert len(origins) == count
    assert (origins[:1], origins[-1:]) == (([first], [last]) if count else ([], []))
    assert backtests.judged_count(weeks) == judged


def test_figures_are_those_of_their_definition() -> None:
    given = noise(3, 60)
    cells = Cells.of(given)
    told = smoothing.last_value(given.values, given.starts, cells.origins)
    found = backtests.figures(told, cells, everybody(cells))
    errors, scaled, totals, came = [], [], [], 0.0
    for y in given.values:
        for origin in cells.origins:
            if 2 * origin >= cells.origins[0] + cells.origins[-1]:
                scale = sum(abs(y[at] - y[at - 1]) for at in range(1, origin)) / (origin - 1)
                total = 0.0
                for ahead in range(HORIZON):
                    error = y[origin - 1] - y[origin + ahead]
                    total += error
                    came += y[origin + ahead]
                    errors.append(error)
                    scaled.append(abs(error) / scale)
                    totals.append(abs(total) / (ahead + 1) / scale)
    assert found == pytest.approx(
        {
            "mae": np.abs(errors).mean(),
            "rmse": np.sqrt(np.square(errors).mean()),
            "mase": np.mean(scaled),
            "total_mase": np.mean(totals),
            "bias_share": np.sum(errors) / came,
        }
    )


def test_the_gain_is_the_difference_of_the_figures_and_certain_where_it_is_large() -> None:
    given = noise(40, 60)
    cells = Cells.of(given)
    naive, mean = (
        way(given.values, given.starts, cells.origins) for way in (smoothing.last_value, smoothing.recent_mean)
    )
    is_member = everybody(cells)
    for is_of_totals, name in ((False, "mase"), (True, "total_mase")):
        value, low, high = backtests.gain(mean, naive, cells, is_member, 4, is_of_totals)
        before, now = (backtests.figures(told, cells, is_member)[name] for told in (naive, mean))
        assert value == pytest.approx(before - now)  # type: ignore[operator]
        assert 0 < low < value < high  # type: ignore[operator]
    wider = backtests.gain(mean, naive, cells, is_member, 40)
    narrow = backtests.gain(mean, naive, cells, is_member, 1)
    assert wider[1] < narrow[1] < narrow[2] < wider[2]  # type: ignore[operator]


def test_two_forecasts_that_are_as_good_differ_by_chance_alone() -> None:
    """Of noise nothing can be foretold but its mean: by how much two guesses at it differ is no certain gain."""
    certain = 0
    for seed in range(20):
        given = noise(30, 60, seed)
        cells = Cells.of(given)
        rng = np.random.default_rng(seed)
        one, other = (40 + rng.normal(0, 3, cells.actual.shape) for _ in range(2))
        _, low, high = backtests.gain(one, other, cells, everybody(cells))
        certain += low > 0 or high < 0  # type: ignore[operator]
    assert certain <= 3


def test_intervals_hold_as_many_as_they_say_of_noise_with_or_without_many_series() -> None:
    for count, room in ((200, 0.02), (1, 0.13)):
        shares = []
        for seed in range(1 if count > 1 else 30):
            given = noise(count, 104, seed)
            cells = Cells.of(given)
            told = smoothing.recent_mean(given.values, given.starts, cells.origins)
            shares.append(backtests.coverage(told, cells, everybody(cells)))
        for name, level in (("coverage_80", 0.8), ("coverage_95", 0.95), ("total_coverage_80", 0.8)):
            assert np.mean([share[name] for share in shares]) == pytest.approx(level, abs=room)  # type: ignore[arg-type]


def test_coverage_at_an_origin_comes_from_what_was_known_there() -> None:
    """What comes after the last origin that is tried changes whether it lay within, and no interval."""
    given = noise(30, 52)
    cells = Cells.of(given)
    told = smoothing.recent_mean(given.values, given.starts, cells.origins)
    other = Cells(cells.origins, cells.actual.copy(), cells.scale, cells.deviation, cells.target, cells.later)
    is_after = cells.target >= cells.origins[-1]
    other.actual[:, is_after] = 1e9
    far = backtests.coverage(told, other, everybody(cells))["coverage_95"]
    near = backtests.coverage(told, cells, everybody(cells))["coverage_95"]
    is_judged = cells.later & ~is_after
    assert far is not None
    assert near is not None
    assert far == pytest.approx(near * is_judged.sum() / cells.later.sum(), abs=0.03)


def test_the_widening_is_that_of_few_errors() -> None:
    errors = np.random.default_rng(2).normal(0, 1, (400, 20, HORIZON))
    everything = np.ones(errors.shape, dtype=bool)
    many = Spread.of(errors, everything, 32)
    few = Spread.of(errors[:1], everything[:1], 32)
    assert many is not None
    assert few is not None
    # Errors are told in the usual ones, which of the normal distribution are 0.798 of its deviation.
    assert many.widths * many.usual.mean() == pytest.approx([1.2816, 1.96], rel=0.02)
    assert few.widths[1] / many.widths[1] > 1.1
    assert Spread.from_json(many.as_json()).usual == pytest.approx(many.usual)


def test_nothing_is_told_of_series_that_never_changed() -> None:
    given = series(np.full((2, 60), 3.0))
    cells = Cells.of(given)
    told = smoothing.last_value(given.values, given.starts, cells.origins)
    found = backtests.figures(told, cells, everybody(cells))
    assert (found["mae"], found["mase"]) == (0.0, None)
    assert backtests.coverage(told, cells, everybody(cells))["coverage_80"] is None
    assert backtests.spreads(told, cells, everybody(cells)) is None
    assert backtests.gain(told, told, cells, everybody(cells)) == (None, None, None)


def test_a_leak_would_be_seen() -> None:
    """What is foretold by the coming weeks themselves errs less than what knows only those before."""
    given = noise(30, 60)
    cells = Cells.of(given)
    honest = smoothing.recent_mean(given.values, given.starts, cells.origins)
    leaky = (honest + cells.actual) / 2
    value, low, _ = backtests.gain(leaky, honest, cells, everybody(cells))
    assert value is not None
    assert low is not None
    assert low > 0
