"""Lifetimes: planted parameters come back, and every figure equals what the formulas of the papers give."""

import math

import numpy as np
import pytest
from scipy.special import hyp2f1

from c360_assets.terms import lifetimes
from c360_assets.terms.lifetimes import (
    PARAMETERS,
    Floats,
    Histories,
    Lifetimes,
    at_least_while_alive,
    beta_nodes,
    expected_while_alive,
    fitted,
    grouped,
    log_likelihood,
    p_alive,
)
from tests.c360_assets.buyers import buyers

TRUTH = Lifetimes(0.8, 30.0, 0.9, 3.5)
BOTH = pytest.mark.parametrize("leaves_at_once", [False, True], ids=["BG/NBD", "MBG/NBD"])
COLUMNS = ("repeats", "last", "age", "count")


def population(leaves_at_once: bool = False, count: int = 1_500, seed: int = 0) -> Histories:
    truth = Lifetimes(TRUTH.r, TRUTH.alpha, TRUTH.a, TRUTH.b, leaves_at_once)
    return buyers(truth, count, 600, seed).histories


def values(found: Lifetimes) -> list[float]:
    return [getattr(found, name) for name in PARAMETERS]


def test_equal_histories_are_one_and_counted() -> None:
    repeats, last, age = np.array([1, 0, 1]), np.array([3.0, 0.0, 3.0]), np.array([9.0, 9.0, 9.0])
    found, which = grouped(repeats, last, age)
    assert [getattr(found, name).tolist() for name in COLUMNS] == [[0, 1], [0.0, 3.0], [9.0, 9.0], [1.0, 2.0]]
    assert which.tolist() == [1, 0, 1]


@BOTH
def test_the_likelihood_is_that_of_the_paper(leaves_at_once: bool) -> None:
    people = population(leaves_at_once, 200)
    found = Lifetimes(0.7, 25.0, 1.1, 2.0, leaves_at_once)
    rows = zip(*(getattr(people, name).tolist() for name in COLUMNS), strict=True)
    expected = sum(count * math.log(paper(found, x, last, age)) for x, last, age, count in rows)
    assert log_likelihood(found, people)[0] == pytest.approx(expected, rel=1e-12)


def paper(of: Lifetimes, x: int, last: float, age: float) -> float:
    """The likelihood of one customer as Fader, Hardie and Lee, or Batislam and others, write it."""
    beta = beta_function(of.a, of.b)
    rates = math.gamma(of.r + x) * of.alpha**of.r / math.gamma(of.r)
    stayed, left = (of.alpha + age) ** -(of.r + x), (of.alpha + last) ** -(of.r + x)
    if of.leaves_at_once:
        still = beta_function(of.a, of.b + x + 1) / beta * rates * stayed
        return still + beta_function(of.a + 1, of.b + x) / beta * rates * left
    still = beta_function(of.a, of.b + x) / beta * rates * stayed
    return still + (beta_function(of.a + 1, of.b + x - 1) / beta * rates * left if x else 0)


def beta_function(a: float, b: float) -> float:
    return math.exp(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))


@BOTH
@pytest.mark.parametrize("at", [(0.3, 5.0, 0.5, 2.0), (2.0, 60.0, 1.0, 0.7), (0.8, 30.0, 9.0, 40.0)])
def test_the_gradient_is_that_of_finite_differences(leaves_at_once: bool, at: tuple[float, ...]) -> None:
    people = population(leaves_at_once)
    _, gradient = log_likelihood(Lifetimes(*at[:4], leaves_at_once), people)
    for place, value in enumerate(at):
        step = 1e-6 * value
        ends = [(*at[:place], value + sign * step, *at[place + 1 :]) for sign in (1, -1)]
        high, low = (log_likelihood(Lifetimes(*end[:4], leaves_at_once), people)[0] for end in ends)
        assert gradient[place] == pytest.approx((high - low) / (2 * step), rel=1e-4, abs=1e-2)


@BOTH
def test_planted_parameters_come_back(leaves_at_once: bool) -> None:
    """Each within two standard errors of nineteen populations in twenty, and on neither side of the truth."""
    away = []
    for seed in range(15):
        found = fitted(population(leaves_at_once, 2_000, seed), leaves_at_once)
        errors = [found.errors[name] for name in PARAMETERS]
        away.append((np.array(values(found.lifetimes)) - values(TRUTH)) / errors)
        assert found.at_limit == ()
    assert (np.abs(away) < 2).mean() >= 0.9
    assert np.abs(np.median(away, axis=0)).max() < 0.8


@BOTH
def test_the_likelihood_is_greatest_where_its_gradient_is_zero(leaves_at_once: bool) -> None:
    people = population(leaves_at_once)
    found = fitted(people, leaves_at_once)
    total, gradient = log_likelihood(found.lifetimes, people)
    assert np.abs(gradient * values(found.lifetimes)).max() < 1e-9 * people.count.sum()
    assert found.log_likelihood == total
    rng = np.random.default_rng(7)
    for _ in range(20):
        beside = Lifetimes(*(values(found.lifetimes) * np.exp(rng.normal(0, 0.05, 4))), leaves_at_once)
        assert log_likelihood(beside, people)[0] < total


def test_standard_errors_are_as_wide_as_parameters_scatter() -> None:
    fits = [fitted(population(count=1_000, seed=seed)) for seed in range(30)]
    for name in ("r", "alpha"):
        scatter = float(np.std([getattr(fit.lifetimes, name) for fit in fits], ddof=1))
        assert np.median([fit.errors[name] for fit in fits]) == pytest.approx(scatter, rel=0.4)


@BOTH
def test_the_unit_of_time_changes_only_the_scale(leaves_at_once: bool) -> None:
    days = population(leaves_at_once)
    weeks = Histories(days.repeats, days.last / 7, days.age / 7, days.count)
    by_day, by_week = (fitted(people, leaves_at_once).lifetimes for people in (days, weeks))
    expected = [by_day.r, by_day.alpha / 7, by_day.a, by_day.b]
    assert values(by_week) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neither_the_order_of_rows_nor_their_grouping_changes_anything(seed: int) -> None:
    people = buyers(TRUTH, 800, 600)
    repeats, last, age = people.repeats, people.last.round(), people.age.round()
    order = np.random.default_rng(seed).permutation(len(age))
    one, other = (grouped(*columns)[0] for columns in ((repeats, last, age), (repeats[order], last[order], age[order])))
    assert len(one.age) < len(age)
    assert fitted(one) == fitted(other)
    single = fitted(Histories(repeats, last, age, np.ones(len(age))))
    assert values(single.lifetimes) == pytest.approx(values(fitted(one).lifetimes), rel=1e-7)


def test_nobody_who_bought_again_is_said() -> None:
    nobody = grouped(np.array([0, 0]), np.zeros(2), np.array([5.0, 9.0]))[0]
    with pytest.raises(ValueError, match="Nobody bought again"):
        fitted(nobody)


def test_customers_who_are_all_alike_are_at_a_limit_and_expected_to_go_on() -> None:
    alike = grouped(np.full(200, 10), np.full(200, 100.0), np.full(200, 105.0))[0]
    found = fitted(alike)
    assert found.at_limit
    ahead = expected_while_alive(found.lifetimes, np.array([10]), np.array([105.0]), [100.0])
    assert ahead[0, 0] == pytest.approx(10, rel=0.1)


def test_whoever_bought_once_is_alive_by_bg_nbd_whatever_time_has_passed() -> None:
    once = Histories(np.array([0, 0]), np.zeros(2), np.array([1.0, 9_000.0]), np.ones(2))
    assert p_alive(TRUTH, once).tolist() == [1.0, 1.0]
    fresh, old = p_alive(Lifetimes(0.8, 30.0, 0.9, 3.5, leaves_at_once=True), once)
    assert old < fresh < 1


@BOTH
def test_who_bought_later_is_likelier_to_be_alive(leaves_at_once: bool) -> None:
    last = np.linspace(10, 500, 20)
    people = Histories(np.full(20, 4), last, np.full(20, 500.0), np.ones(20))
    chances = p_alive(Lifetimes(0.8, 30.0, 0.9, 3.5, leaves_at_once), people)
    assert (np.diff(chances) > 0).all()
    assert ((chances > 0) & (chances < 1)).all()


CUSTOMERS = [(0, 0.0), (0, 365.0), (3, 200.0), (40, 700.0), (400, 900.0)]


@pytest.mark.parametrize("a", [0.05, 0.79, 0.999999, 1.000001, 5.0, 800.0])
@pytest.mark.parametrize(("x", "age"), CUSTOMERS)
def test_expected_purchases_are_the_sum_of_their_probabilities(a: float, x: int, age: float) -> None:
    """The series has positive terms only."""
    of = Lifetimes(0.6, 25.0, a, 2.4)
    found = expected_while_alive(of, np.array([x]), np.array([age]), [365.0])[0, 0]
    series = at_least_while_alive(of, x, np.array([age]), 365.0, np.arange(1, 3_000)).sum()
    assert found == pytest.approx(series, rel=1e-6)


@pytest.mark.parametrize(("x", "age"), CUSTOMERS[:3])
def test_expected_purchases_are_those_of_the_closed_form(x: int, age: float) -> None:
    of, t = Lifetimes(0.243, 4.414, 0.793, 2.426), 39.0
    found = expected_while_alive(of, np.array([x]), np.array([age]), [t])[0, 0]
    until = of.alpha + age
    series = hyp2f1(of.r + x, of.b + x, of.a + of.b + x - 1, t / (until + t))
    closed = (of.a + of.b + x - 1) / (of.a - 1) * (1 - (until / (until + t)) ** (of.r + x) * series)
    assert found == pytest.approx(closed, rel=1e-9)


def test_purchases_come_as_the_process_says() -> None:
    """Simulated customers with the same history, who have not left."""
    rng, count, x, age, horizon = np.random.default_rng(5), 200_000, 3, 200.0, 365.0
    rate, leave = rng.gamma(TRUTH.r + x, 1 / (TRUTH.alpha + age), count), rng.beta(TRUTH.a, TRUTH.b + x, count)
    bought = np.minimum(rng.poisson(rate * horizon), rng.geometric(leave))
    numbers = np.arange(1, 15)
    expected = at_least_while_alive(TRUTH, x, np.array([age]), horizon, numbers)[0]
    assert (bought[:, None] >= numbers).mean(axis=0) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(("a", "b"), [(0.01, 3.0), (0.5, 0.5), (1.0, 1.0), (3.0, 900.0), (1e-4, 1e4), (1e4, 1e4)])
def test_means_over_a_beta_distribution_are_exact(a: float, b: float) -> None:
    places, weights = beta_nodes(a, b)
    moment = 1.0
    for power in range(1, 12):
        moment *= (a + power - 1) / (a + b + power - 1)
        assert (places**power * weights).sum() == pytest.approx(moment, rel=1e-8)


def test_a_likelihood_is_maximised_within_limits() -> None:
    def likelihood(at: Floats) -> tuple[float, Floats]:
        return float(-((np.log(at) - [1.0, 50.0]) ** 2).sum()), -2 * (np.log(at) - [1.0, 50.0]) / at

    found = lifetimes.maximised(likelihood, np.ones(2), 1.0)
    assert found.values == pytest.approx([math.e, lifetimes.GREATEST])
    assert found.named(("one", "other")) == ("other",)
    assert found.errors[1] == 0
