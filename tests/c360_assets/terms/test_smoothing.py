"""Smoothing: what plain loops over the published formulas say, and published examples."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from c360_assets.terms import smoothing
from c360_assets.terms.smoothing import HORIZON, YEAR, Croston, DampedTrend, Smoothing, Tsb, Way, Winters, smoothed

WEEKS = 70
Numbers = Sequence[float]


def series(seed: int = 3, rate: float = 0.7) -> tuple[Any, Any]:
    """Six series of small numbers with many zeros, that begin one after another."""
    rng = np.random.default_rng(seed)
    starts = np.array([0, 0, 5, 11, 20, 40])
    values = rng.poisson(rate, (6, WEEKS)) * rng.integers(1, 9, (6, WEEKS)).astype(float)
    values[np.arange(WEEKS) < starts[:, None]] = 0
    return values, starts


def level(y: Numbers, alpha: float) -> list[float]:
    now = sum(y[:4]) / 4
    told = []
    for value in y[4:]:
        told.append(now)
        now = alpha * value + (1 - alpha) * now
    return [*told, now]


def trend(y: Numbers, alpha: float, beta: float, phi: float) -> list[float]:
    now, slope = sum(y[:4]) / 4, 0.0
    told = []
    for value in y[4:]:
        told.append(now + phi * slope)
        before = now
        now = alpha * value + (1 - alpha) * (now + phi * slope)
        slope = beta * (now - before) + (1 - beta) * phi * slope
    return [*told, now + phi * slope]


def croston(y: Numbers, alpha: float, factor: Callable[[float], float]) -> list[float]:
    begun = [value for value in y[:13] if value > 0]
    size, interval = (sum(begun) / len(begun), 13 / len(begun)) if begun else (0.0, 13.0)
    last = max([at for at in range(13) if y[at] > 0], default=-1)
    told = []
    for at in range(13, len(y)):
        told.append(factor(alpha) * size / interval)
        if y[at] > 0:
            size = alpha * y[at] + (1 - alpha) * size
            interval = alpha * (at - last) + (1 - alpha) * interval
            last = at
    return [*told, factor(alpha) * size / interval]


def tsb(y: Numbers, alpha: float, beta: float) -> list[float]:
    begun = [value for value in y[:13] if value > 0]
    size, chance = (sum(begun) / len(begun) if begun else 0.0), len(begun) / 13
    told = []
    for value in y[13:]:
        told.append(chance * size)
        if value > 0:
            size = beta * value + (1 - beta) * size
        chance = alpha * (value > 0) + (1 - alpha) * chance
    return [*told, chance * size]


def winters(y: Numbers, alpha: float, gamma: float) -> list[float]:
    now = sum(y[:YEAR]) / YEAR
    season = [value - now for value in y[:YEAR]]
    told = []
    for value in y[YEAR:]:
        told.append(now + season[-YEAR])
        before = now
        now = alpha * (value - season[-YEAR]) + (1 - alpha) * now
        # Of the level before, as in the model's form of errors.
        season.append(season[-YEAR] + gamma * (1 - alpha) * (value - before - season[-YEAR]))
    return [*told, now + season[-YEAR]]


LOOPS: dict[str, tuple[Way, Callable[..., list[float]]]] = {
    "simple": (Smoothing([0.3]), lambda y: level(y, 0.3)),
    "damped trend": (DampedTrend([0.3], [0.1], [0.9]), lambda y: trend(y, 0.3, 0.1, 0.9)),
    "Croston": (Croston([0.2], is_corrected=False), lambda y: croston(y, 0.2, lambda _: 1)),
    "Syntetos-Boylan": (Croston([0.2], is_corrected=True), lambda y: croston(y, 0.2, lambda alpha: 1 - alpha / 2)),
    "Teunter-Syntetos-Babai": (Tsb([0.1], [0.2]), lambda y: tsb(y, 0.1, 0.2)),
    "Winters": (Winters([0.3], [0.2]), lambda y: winters(y, 0.3, 0.2)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_next_week_is_what_a_plain_loop_says_at_every_origin(name: str) -> None:
    way, loop = LOOPS[name]
    values, starts = series()
    origins = [15, 30, 53, 60, WEEKS]
    told = smoothed(way, values, starts, origins)
    for one, start in enumerate(starts):
        for place, origin in enumerate(origins):
            if origin - start < way.warmup:
                assert np.isnan(told[one, place]).all()
            else:
                assert told[one, place, 0] == pytest.approx(loop(values[one, start:origin].tolist())[-1])


def test_the_trend_goes_on_damped_and_levels_do_not_move() -> None:
    way = DampedTrend([0.5], [0.2], [0.8])
    values = np.cumsum(np.ones((1, 30)), axis=1)
    told = smoothed(way, values, np.array([0]), [30])[0, 0]
    steps = np.diff(told)
    assert steps[1:] / steps[:-1] == pytest.approx(0.8)
    flat = smoothed(Smoothing([0.5]), values, np.array([0]), [30])[0, 0]
    assert (flat == flat[0]).all()


def test_the_constants_that_erred_least_so_far_speak() -> None:
    alphas = (0.1, 0.5, 0.9)
    values, starts = series(8)
    told = smoothed(Smoothing(alphas), values, starts, [25, WEEKS])
    for one, start in enumerate(starts):
        for place, origin in enumerate([25, WEEKS]):
            known = values[one, start:origin].tolist()
            if len(known) >= 4:
                errors = {
                    alpha: sum((a - b) ** 2 for a, b in zip(level(known, alpha), known[4:], strict=False))
                    for alpha in alphas
                }
                best = min(errors, key=lambda alpha: errors[alpha])
                assert told[one, place, 0] == pytest.approx(level(known, best)[-1])


def test_published_example_of_simple_smoothing() -> None:
    """Saudi oil production 1996 to 2013: Hyndman and Athanasopoulos, Forecasting: principles and practice, 7.1."""
    oil = [
        445.36, 453.20, 454.41, 422.38, 456.04, 440.39, 425.19, 486.21, 500.43,
        521.28, 508.95, 488.89, 509.87, 456.72, 473.82, 525.95, 549.83, 542.34,
    ]  # fmt: skip
    way = Smoothing([0.8339])
    state = np.full((1, 1, 1), 446.5868)
    told = []
    for value in oil:
        state = way.after(state, np.array([[value]]))
        told.append(round(float(state[0, 0, 0]), 2))
    assert told[:3] == [445.56, 451.93, 454.0]
    assert told[-1] == pytest.approx(542.68, abs=0.01)


def test_intermittent_demand_that_ended_decays_to_nothing_by_probability_alone() -> None:
    values = np.concatenate([np.tile([[3.0, 0.0]], 20), np.zeros((1, 120))], axis=1)
    starts = np.array([0])
    gone = smoothed(Tsb([0.1], [0.1]), values, starts, [160])[0, 0, 0]
    assert 0 <= gone < 0.001
    assert smoothed(Croston([0.1], is_corrected=False), values, starts, [160])[0, 0, 0] == pytest.approx(1.5, abs=0.1)


def test_plain_forecasts() -> None:
    values = np.arange(1.0, 131.0).reshape(1, 130)
    starts = np.array([0])
    assert smoothing.last_value(values, starts, [60])[0, 0].tolist() == [60.0] * HORIZON
    assert smoothing.recent_mean(values, starts, [60])[0, 0].tolist() == [54.0] * HORIZON
    assert smoothing.year_before(values, starts, [60])[0, 0].tolist() == list(range(9, 22))
    young = smoothing.year_before(values, np.array([20]), [60])
    assert young[0, 0].tolist() == [60.0] * HORIZON


def test_the_season_of_all_sales_is_found_and_given_back() -> None:
    weeks = np.arange(130)
    wave = 1 + 0.5 * np.sin(2 * np.pi * weeks / YEAR)
    factors = smoothing.seasons(1000 * wave, 117)
    assert factors == pytest.approx(wave[117 - YEAR : 117] / wave[:YEAR].mean(), abs=0.01)
    told = smoothing.seasonal(Smoothing([0.2]), 10 * wave[None], np.array([0]), [117], 1000 * wave)
    assert told[0, 0] == pytest.approx(10 * wave[117:], rel=0.02)
    assert (smoothing.seasons(np.zeros(130), 117) == 1).all()
    assert (smoothing.seasons(1000 * wave, 40) == 1).all()


@pytest.mark.parametrize("name", LOOPS)
def test_no_week_after_an_origin_is_looked_at(name: str) -> None:
    way, _ = LOOPS[name]
    values, starts = series()
    other = values.copy()
    other[:, 55:] = np.random.default_rng(1).permuted(values[:, 55:], axis=1) + 7
    assert smoothed(way, values, starts, [30, 55]).tobytes() == smoothed(way, other, starts, [30, 55]).tobytes()
