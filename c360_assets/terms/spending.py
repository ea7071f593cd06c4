"""What customers spend when they buy, and what each will spend in a span to come.

Gamma-Gamma: P. Fader and B. Hardie, "The gamma-gamma model of monetary value", 2013: values of a customer's orders are
gamma(p, v) with a scale v of his own, which is gamma(q, gamma) among customers; v stands here for that gamma, as in the
tables. It takes the value of orders as independent of how often a customer buys.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from c360_assets.terms.lifetimes import (
    Floats,
    Integers,
    Lifetimes,
    Maximum,
    at_least_while_alive,
    maximised,
)

PARAMETERS = ("p", "q", "v")
# Numbers of purchases between which the probability is taken as one lump: all up to 20, then ever wider.
_TO_TWENTY = np.arange(1, 21)
_BEYOND = np.unique(np.geomspace(21, 20_000, 90).astype(np.int64))
PURCHASES: Integers = np.concatenate([_TO_TWENTY, _BEYOND])
GRID = 96
# The least amount told apart, as a share of the greatest.
FINEST = 1e-5


@dataclass(frozen=True)
class OrderValues:
    """Parameters of the values of orders in a population."""

    p: float
    q: float
    v: float


@dataclass(frozen=True)
class ValueFit:
    """The likeliest parameters, their standard errors (0 at a limit) and the log-likelihood."""

    values: OrderValues
    errors: Floats
    log_likelihood: float


def fitted_values(count: Integers, mean: Floats) -> ValueFit:
    """The parameters of greatest likelihood, from how many values each customer has and their mean, both above 0."""
    unit = np.array([1.0, 1.0, float(mean.mean())])
    found: Maximum = maximised(_ValueLikelihood(count, mean), unit, float(len(count)))
    p, q, v = map(float, found.values)
    return ValueFit(OrderValues(p, q, v), found.errors, found.total)


def expected_value(values: OrderValues, count: Integers, mean: Floats) -> Floats:
    """Expected value of an order to come, from the number of values known and their mean; NaN where none exists.

    Of whoever has no known value it is that of all customers, p v / (q - 1), which needs q above 1.
    """
    known = values.p * count + values.q - 1
    expected: Floats = np.where(known > 0, values.p * (values.v + count * mean) / np.where(known > 0, known, 1), np.nan)
    return expected


def value_log_likelihood(values: OrderValues, count: Integers, mean: Floats) -> tuple[float, Floats]:
    """Log-likelihood of all customers and its gradient by p, q and v."""
    return _ValueLikelihood(count, mean)(np.array([values.p, values.q, values.v]))


def spend_quantiles(
    lifetimes: Lifetimes,
    values: OrderValues,
    customers: tuple[Integers, Floats, Floats, Integers],
    horizon: float,
    levels: Sequence[float],
) -> Floats:
    """What a customer will not exceed within the horizon with these probabilities: a row per customer, a column each.

    `customers` are purchases after the first, age, the probability not to have left, and the number of values known.
    The unit is the customer's own: v and the sum of his known values. It is the distribution of the sum of so many
    gamma values as purchases come, exact but for lumps of purchase counts above 20 and a grid of amounts. NaN where no
    expected value exists.
    """
    repeats, age, alive, count = customers
    quantiles = np.full((len(repeats), len(levels)), np.nan)
    for rows in _groups(repeats, count):
        shape = values.q + values.p * int(count[rows[0]])
        if shape > 1:
            ages, of_age = np.unique(age[rows], return_inverse=True)
            at_least = at_least_while_alive(lifetimes, int(repeats[rows[0]]), ages, horizon, PURCHASES)
            amounts, below = _distribution(values.p, shape, at_least)
            quantiles[rows] = _inverted(amounts, below, at_least[:, 0], of_age, alive[rows], levels)
    return quantiles


def _distribution(p: float, shape: float, at_least: Floats) -> tuple[Floats, Floats]:
    """Amounts, in units of the customer's scale, and the probability to spend less: a row per age, a column each."""
    from scipy.special import betainc

    likely = int((at_least.max(axis=0) > 1e-6).sum()) + 1
    at_least, purchases = at_least[:, :likely], PURCHASES[: likely + 1]
    lumps = at_least - np.column_stack([at_least[:, 1:], np.zeros(len(at_least))])
    middle = np.append((purchases[:-1] + purchases[1:] - 1) / 2, purchases[-1:])[: lumps.shape[1]]
    # By Markov's inequality nine in ten spend less than ten times the mean.
    most = 10 * (lumps * middle).sum(axis=1).max() * p / (shape - 1)
    amounts = most * np.geomspace(FINEST, 1, GRID)
    spent = betainc(p * middle[:, None], shape, amounts / (1 + amounts))
    return amounts, 1 - at_least[:, :1] + np.einsum("ay,yg->ag", lumps, spent)


def _inverted(
    amounts: Floats, below: Floats, buys: Floats, of_age: Integers, alive: Floats, levels: Sequence[float]
) -> Floats:
    """Quantiles by linear interpolation between logarithms of amounts and normal scores."""
    from scipy.special import ndtri

    scores, logs = ndtri(np.clip(below, 1e-12, 1 - 1e-12)), np.log(amounts)
    among_alive = 1 - (1 - np.array(levels)) / np.maximum(alive, 1e-12)[:, None]
    spends = among_alive > (1 - buys)[of_age][:, None]
    wanted = ndtri(np.clip(among_alive, 1e-12, 1 - 1e-12))
    found = np.zeros(wanted.shape)
    order = np.argsort(of_age, kind="stable")
    starts = np.searchsorted(of_age[order], np.arange(1, len(below)))
    for place, rows in enumerate(np.split(order, starts)):
        found[rows] = np.exp(np.interp(wanted[rows], scores[place], logs))
    return np.where(spends, found, 0.0)


def _groups(repeats: Integers, count: Integers) -> list[Integers]:
    """The rows of customers who bought again so often and have so many values."""
    order = np.lexsort((count, repeats))
    changes = (np.diff(repeats[order]) != 0) | (np.diff(count[order]) != 0)
    return [rows for rows in np.split(order, np.flatnonzero(changes) + 1) if len(rows)]


class _ValueLikelihood:
    """The likelihood of mean values as a function of p, q and v; what is alike is computed once."""

    def __init__(self, count: Integers, mean: Floats) -> None:
        self.count, self.of_count, customers = np.unique(count, return_inverse=True, return_counts=True)
        self.customers = customers.astype(np.float64)
        self.total = count * mean
        self.log_mean = np.log(mean)
        self.of_total = (count * np.log(self.total)).sum()

    def __call__(self, values: Floats) -> tuple[float, Floats]:
        from scipy.special import gammaln, psi

        p, q, v = map(float, values)
        n, logs = self.count, np.log(v + self.total)
        shape = p * n + q
        by_count = gammaln(shape) - gammaln(p * n) - gammaln(q) + q * np.log(v) + p * n * np.log(n)
        of_counts = np.bincount(self.of_count, weights=logs, minlength=len(n))
        own = (p * (n[self.of_count] * self.log_mean) - self.log_mean).sum()
        total = (by_count * self.customers).sum() + own - (shape * of_counts).sum()
        by_p = (n * (psi(shape) - psi(p * n)) * self.customers).sum() + self.of_total - (n * of_counts).sum()
        by_q = ((psi(shape) - psi(q) + np.log(v)) * self.customers).sum() - of_counts.sum()
        by_v = q / v * self.customers.sum() - (shape[self.of_count] / (v + self.total)).sum()
        return float(total), np.array([by_p, by_q, by_v])
