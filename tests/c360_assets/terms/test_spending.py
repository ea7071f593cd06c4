"""Spending: planted parameters come back, and intervals hold what they say."""

import math

import numpy as np
import pytest

from c360_assets.terms.lifetimes import Floats, Integers, Lifetimes
from c360_assets.terms.spending import (
    OrderValues,
    expected_value,
    fitted_values,
    spend_quantiles,
    value_log_likelihood,
)
from tests.c360_assets.buyers import order_values

TRUTH = OrderValues(6.0, 4.0, 15.0)
PURCHASES = Lifetimes(0.8, 30.0, 0.9, 3.5)


def valued(count: int, seed: int = 0) -> tuple[Integers, Floats]:
    repeats = np.random.default_rng(seed + 1).geometric(0.4, count)
    return repeats, order_values(TRUTH, repeats, seed)


def test_the_likelihood_is_that_of_the_paper() -> None:
    count, mean = valued(100)
    p, q, v = 5.0, 3.0, 20.0
    expected = 0.0
    for x, z in zip(count.tolist(), mean.tolist(), strict=True):
        expected += math.lgamma(p * x + q) - math.lgamma(p * x) - math.lgamma(q)
        expected += q * math.log(v) + (p * x - 1) * math.log(z) + p * x * math.log(x)
        expected -= (p * x + q) * math.log(x * z + v)
    assert value_log_likelihood(OrderValues(p, q, v), count, mean)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("at", [(5.0, 3.0, 20.0), (0.6, 1.2, 300.0)])
def test_the_gradient_is_that_of_finite_differences(at: tuple[float, float, float]) -> None:
    count, mean = valued(500)
    _, gradient = value_log_likelihood(OrderValues(*at), count, mean)
    for place, value in enumerate(at):
        step = 1e-6 * value
        ends = [np.array(at) + sign * step * np.eye(3)[place] for sign in (1, -1)]
        high, low = (value_log_likelihood(OrderValues(*end), count, mean)[0] for end in ends)
        assert gradient[place] == pytest.approx((high - low) / (2 * step), rel=1e-4, abs=1e-3)


def test_planted_parameters_come_back() -> None:
    away = []
    for seed in range(15):
        count, mean = valued(2_500, seed)
        found = fitted_values(count, mean)
        parameters = np.array([found.values.p, found.values.q, found.values.v])
        away.append((parameters - [TRUTH.p, TRUTH.q, TRUTH.v]) / found.errors)
        _, gradient = value_log_likelihood(found.values, count, mean)
        assert np.abs(gradient * parameters).max() < 1e-7 * len(count)
    assert (np.abs(away) < 2).mean() >= 0.9
    assert np.abs(np.median(away, axis=0)).max() < 0.8


def test_the_currency_changes_only_the_scale() -> None:
    count, mean = valued(500)
    one, other = (fitted_values(count, amounts).values for amounts in (mean, mean * 160))
    assert (other.p, other.q, other.v) == pytest.approx((one.p, one.q, one.v * 160), rel=1e-6)


def test_who_bought_once_is_expected_to_spend_what_all_do_and_others_nearer_to_their_own() -> None:
    values = OrderValues(6.0, 4.0, 15.0)
    found = expected_value(values, np.array([0, 1, 100]), np.array([0.0, 90.0, 90.0]))
    assert found.tolist() == [30.0, 70.0, pytest.approx(90, rel=0.01)]


def test_values_without_a_mean_are_not_expected() -> None:
    wild = OrderValues(2.0, 0.9, 15.0)
    found = expected_value(wild, np.array([0, 1]), np.array([0.0, 20.0]))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(2 * 35 / 1.9)
    interval = spend_quantiles(PURCHASES, wild, told([0, 1], [1.0, 1.0]), 365.0, (0.1, 0.9))
    assert np.isnan(interval).tolist() == [[True, True], [False, False]]


def told(repeats: list[int], alive: list[float]) -> tuple[Integers, Floats, Floats, Integers]:
    return np.array(repeats), np.full(len(repeats), 200.0), np.array(alive), np.array(repeats)


@pytest.mark.parametrize(("repeats", "alive"), [(0, 1.0), (2, 0.7), (2, 0.05), (8, 0.9), (60, 0.99)])
def test_quantiles_are_those_of_simulated_customers(repeats: int, alive: float) -> None:
    rng, many, horizon, age = np.random.default_rng(9), 60_000, 365.0, 200.0
    rate = rng.gamma(PURCHASES.r + repeats, 1 / (PURCHASES.alpha + age), many)
    leave = rng.beta(PURCHASES.a, PURCHASES.b + repeats, many)
    bought = np.where(rng.random(many) < alive, np.minimum(rng.poisson(rate * horizon), rng.geometric(leave)), 0)
    spent = rng.gamma(np.maximum(TRUTH.p * bought, 1e-9)) / rng.gamma(TRUTH.q + TRUTH.p * repeats, 1.0, many)
    spent = np.where(bought > 0, spent, 0)
    levels = (0.1, 0.5, 0.9)
    (found,) = spend_quantiles(PURCHASES, TRUTH, told([repeats], [alive]), horizon, levels)
    assert np.all(np.diff(found) >= 0)
    for level, quantile in zip(levels, found, strict=True):
        assert (spent < quantile).mean() <= level + 0.01
        assert (spent <= quantile).mean() >= level - 0.01


def test_each_has_the_quantiles_he_would_have_alone() -> None:
    everybody = told([3, 0, 3, 12, 0], [0.5, 1.0, 0.9, 0.8, 1.0])
    together = spend_quantiles(PURCHASES, TRUTH, everybody, 90.0, (0.1, 0.9))
    for place, row in enumerate(together):
        one = tuple(column[place : place + 1] for column in everybody)
        alone = spend_quantiles(PURCHASES, TRUTH, (one[0], one[1], one[2], one[3]), 90.0, (0.1, 0.9))
        assert alone[0].tolist() == row.tolist()
