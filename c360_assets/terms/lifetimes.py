"""How often customers buy while they are customers, and whether they still are, from when they bought.

BG/NBD: P. Fader, B. Hardie and K. Lee, "Counting your customers the easy way", Marketing Science 24, 2005: customers
buy at a rate of their own, gamma(r, alpha), and leave after a purchase with a probability of their own, beta(a, b).
MBG/NBD: E. Batislam, M. Denizel and A. Filiztekin, "Empirical validation and comparison of models for customer base
analysis", International Journal of Research in Marketing 24, 2007 (also D. Hoppe and U. Wagner, "Customer base
analysis: the case for a central variant of the Betageometric/NBD model", Marketing ZFP 29, 2007): they may leave after
their very first purchase, too. With n the chances to leave, x for the one and x + 1 for the other, both have one
likelihood.

Times are in one unit of whatever kind, from a customer's first purchase on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

PARAMETERS = ("r", "alpha", "a", "b")
# Beyond, a parameter says that customers do not differ, or that nobody leaves; the likelihood is flat there.
SMALLEST, GREATEST = 1e-4, 1e4
# Of a quadrature that is exact for polynomials of twice that degree.
NODES = 64
STEP = 1e-4
POLISHING = 3


@dataclass(frozen=True)
class Histories:
    """Purchase histories, a row for each kind, in ascending order.

    `repeats` counts purchases after the first, `last` is the time of the last of all, `age` the time until which the
    customer was seen; `count` says how many customers have this history.
    """

    repeats: Integers
    last: Floats
    age: Floats
    count: Floats


@dataclass(frozen=True)
class Lifetimes:
    """Parameters of a population; `leaves_at_once` tells MBG/NBD from BG/NBD."""

    r: float
    alpha: float
    a: float
    b: float
    leaves_at_once: bool = False

    def chances(self, repeats: Integers) -> Integers:
        """How often customers who bought again so often could have left."""
        return repeats + int(self.leaves_at_once)


@dataclass(frozen=True)
class Fit:
    """The likeliest parameters, their standard errors (0 at a limit), the log-likelihood, and who is at a limit."""

    lifetimes: Lifetimes
    errors: Mapping[str, float]
    log_likelihood: float
    at_limit: tuple[str, ...]


def grouped(repeats: Integers, last: Floats, age: Floats, count: Floats | None = None) -> tuple[Histories, Integers]:
    """The different histories among those of customers, and which one each customer has."""
    key = np.zeros(len(repeats), dtype=np.int64)
    for column in (repeats, last, age):
        values, place = np.unique(column, return_inverse=True)
        key = key * max(len(values), 1) + place
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    counted = np.bincount(which, weights=count, minlength=len(first)).astype(np.float64)
    return Histories(repeats[first], last[first], age[first], counted), which


def log_likelihood(lifetimes: Lifetimes, histories: Histories) -> tuple[float, Floats]:
    """Log-likelihood of all customers, and its gradient by r, alpha, a and b."""
    total, gradient = _Likelihood(histories, lifetimes.leaves_at_once)(_values(lifetimes))
    return total, gradient


def fitted(histories: Histories, leaves_at_once: bool = False) -> Fit:
    """The parameters of greatest likelihood, found from a start that the data decide: L-BFGS, then Newton's steps.

    Raises ValueError where nobody bought again.
    """
    if not (histories.repeats * histories.count).sum() > 0:
        raise ValueError("Nobody bought again.")
    likelihood = _Likelihood(histories, leaves_at_once)
    # Time is measured by the mean time between purchases, so that its unit does not matter.
    pace = float((histories.age * histories.count).sum() / (histories.repeats * histories.count).sum())
    unit = np.array([1.0, pace, 1.0, 1.0])
    found = maximised(likelihood, unit, float(histories.count.sum()))
    r, alpha, a, b = map(float, found.values)
    lifetimes = Lifetimes(r, alpha, a, b, leaves_at_once)
    return Fit(lifetimes, dict(zip(PARAMETERS, found.errors, strict=True)), found.total, found.named(PARAMETERS))


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is greatest: parameters, standard errors, the likelihood, and which are at a limit."""

    values: Floats
    errors: Floats
    total: float
    is_limited: npt.NDArray[np.bool_]

    def named(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names of those at a limit."""
        return tuple(name for name, is_limited in zip(names, self.is_limited, strict=True) if is_limited)


def maximised(likelihood: Callable[[Floats], tuple[float, Floats]], unit: Floats, count: float) -> Maximum:
    """The maximum of a likelihood with gradient, over the logarithms of its parameters in these units, from 1 each."""
    from scipy.optimize import minimize

    def loss(logs: Floats) -> tuple[float, Floats]:
        values = np.exp(logs) * unit
        total, gradient = likelihood(values)
        return -total / count, -gradient * values / count

    limit = (float(np.log(SMALLEST)), float(np.log(GREATEST)))
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1_000, "maxfun": 2_000}
    start = np.zeros(len(unit))
    logs = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[limit] * len(unit), options=options).x
    is_limited = (logs <= limit[0] + 1e-6) | (logs >= limit[1] - 1e-6)
    logs, bend = _polished(lambda point: loss(point)[1], logs, ~is_limited)
    values = np.exp(logs) * unit
    return Maximum(values, values * _errors(bend, ~is_limited, count), likelihood(values)[0], is_limited)


def p_alive(lifetimes: Lifetimes, histories: Histories) -> Floats:
    """Probability that a customer with this history has not left (0 to 1); by BG/NBD 1 of whoever bought once."""
    return _Likelihood(histories, lifetimes.leaves_at_once).alive(_values(lifetimes))


def expected_while_alive(lifetimes: Lifetimes, repeats: Integers, age: Floats, horizons: Sequence[float]) -> Floats:
    """Purchases to come within each horizon of customers who have not left: a row per customer, a column per horizon.

    It is the mean, over the probability p to leave, beta(a, b + n), of (1 - (1 + p t / (alpha + T))^-(r + x)) / p, by
    Gauss-Jacobi quadrature: nothing overflows, and a = 1 is like any other, where the closed form with the
    hypergeometric function divides 0 by 0.
    """
    within = np.empty((len(repeats), len(horizons)))
    for count, rows in _alike(repeats):
        shape = lifetimes.r + count
        leaves, weights = beta_nodes(lifetimes.a, lifetimes.b + float(lifetimes.chances(np.array([count]))[0]))
        for column, horizon in enumerate(horizons):
            spread = horizon / (lifetimes.alpha + age[rows])
            bought = -np.expm1(-shape * np.log1p(spread[:, None] * leaves)) / leaves
            within[rows, column] = (bought * weights).sum(axis=1)
    return within


def at_least_while_alive(
    lifetimes: Lifetimes, repeats: int, age: Floats, horizon: float, purchases: Integers
) -> Floats:
    """Probability of so many purchases or more within the horizon: a row per age, a column per number (at least 1).

    Of a customer who has not left: the gamma-Poisson process has to come so far, and he must not leave before.
    """
    from scipy.special import betainc, betaln

    a, b = lifetimes.a, lifetimes.b + float(lifetimes.chances(np.array([repeats]))[0])
    reached = betainc(purchases, lifetimes.r + repeats, (horizon / (lifetimes.alpha + age + horizon))[:, None])
    stays = np.exp(betaln(a, b + purchases - 1) - betaln(a, b))
    probability: Floats = reached * stays
    return probability


def beta_nodes(a: float, b: float) -> tuple[Floats, Floats]:
    """Nodes between 0 and 1 and weights by which means over a beta(a, b) distribution are taken (Golub and Welsch)."""
    k = np.arange(NODES, dtype=np.float64)
    total = 2 * k + a + b
    first = (a - b) / (a + b)
    centre = (a - 1) ** 2 - (b - 1) ** 2
    middle = np.concatenate([[first], centre / ((total[1:] - 2) * total[1:])])
    k, total = k[1:], total[1:] - 2
    beside = 4 * k * (k + b - 1) * (k + a - 1) * (k + a + b - 2)
    # The first has a factor in both parts of the fraction that may be 0.
    beside[1:] /= (total[1:] ** 2) * (total[1:] + 1) * (total[1:] - 1)
    beside[0] = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    matrix = np.diag(middle) + np.diag(np.sqrt(beside), 1) + np.diag(np.sqrt(beside), -1)
    nodes, vectors = np.linalg.eigh(matrix)
    places: Floats = np.maximum((1 + nodes) / 2, np.finfo(float).tiny)
    weights: Floats = vectors[0] ** 2
    return places, weights / weights.sum()


class _Likelihood:
    """The likelihood of histories as a function of the parameters; what is alike is computed once."""

    def __init__(self, histories: Histories, leaves_at_once: bool) -> None:
        self.count = histories.count
        self.repeats, self.of_repeats = np.unique(histories.repeats.astype(np.float64), return_inverse=True)
        self.last, self.of_last = np.unique(histories.last, return_inverse=True)
        self.age, self.of_age = np.unique(histories.age, return_inverse=True)
        self.with_repeats = np.bincount(self.of_repeats, weights=self.count, minlength=len(self.repeats))
        self.chances = self.repeats + int(leaves_at_once)

    def __call__(self, values: Floats) -> tuple[float, Floats]:
        from scipy.special import gammaln

        r, alpha, a, b = map(float, values)
        x, n = self.repeats, self.chances
        stayed, left = self._paths(values)
        bought = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        kept = gammaln(a + b) + gammaln(b + n) - gammaln(b) - gammaln(a + b + n)
        total = ((bought + kept) * self.with_repeats).sum() + (np.logaddexp(stayed, left) * self.count).sum()
        return float(total), self._gradient(values, _share(stayed, left))

    def alive(self, values: Floats) -> Floats:
        """The share of the likelihood that customers have who stayed."""
        return _share(*self._paths(values))

    def _paths(self, values: Floats) -> tuple[Floats, Floats]:
        """Logarithms of what tells apart who stayed until now and who left after his last purchase."""
        r, alpha, a, _ = map(float, values)
        shape = (r + self.repeats)[self.of_repeats]
        stayed = -shape * np.log(alpha + self.age)[self.of_age]
        odds = np.where(self.chances > 0, np.log(a / self._before_last(values)), -np.inf)
        return stayed, odds[self.of_repeats] - shape * np.log(alpha + self.last)[self.of_last]

    def _before_last(self, values: Floats) -> Floats:
        """b and the chances to leave that were not taken, were the last one taken."""
        return np.where(self.chances > 0, values[3] + self.chances - 1, 1.0)

    def _gradient(self, values: Floats, alive: Floats) -> Floats:
        from scipy.special import psi

        r, alpha, a, b = map(float, values)
        x, n = self.repeats, self.chances
        until_now, until_last = alpha + self.age, alpha + self.last
        left = np.bincount(self.of_repeats, weights=(1 - alive) * self.count, minlength=len(x))
        logs = alive * np.log(until_now)[self.of_age] + (1 - alive) * np.log(until_last)[self.of_last]
        inverse = alive / until_now[self.of_age] + (1 - alive) / until_last[self.of_last]
        by_r = ((psi(r + x) - psi(r) + np.log(alpha)) * self.with_repeats).sum() - (logs * self.count).sum()
        by_alpha = r / alpha * self.count.sum() - ((r + x)[self.of_repeats] * inverse * self.count).sum()
        both = psi(a + b) - psi(a + b + n)
        by_a = (both * self.with_repeats).sum() + left.sum() / a
        by_b = ((both + psi(b + n) - psi(b)) * self.with_repeats).sum() - (left / self._before_last(values)).sum()
        return np.array([by_r, by_alpha, by_a, by_b])


def _share(one: Floats, other: Floats) -> Floats:
    """The share of the first of two values in their sum, from their logarithms."""
    from scipy.special import expit

    share: Floats = expit(one - other)
    return share


def _values(lifetimes: Lifetimes) -> Floats:
    return np.array([getattr(lifetimes, name) for name in PARAMETERS])


def _alike(values: Integers) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Each different value, ascending, and the places where it is."""
    order = np.argsort(values, kind="stable")
    different, starts = np.unique(values[order], return_index=True)
    for value, rows in zip(different, np.split(order, starts[1:]), strict=True):
        yield int(value), rows


def _polished(
    slope: Callable[[Floats], Floats], point: Floats, is_free: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """A minimum after Newton's steps, as long as they make the slope smaller, and the second derivatives there."""
    bend = _bend(slope, point)
    for _ in range(POLISHING):
        step = np.zeros(len(point))
        free = np.ix_(is_free, is_free)
        step[is_free] = np.linalg.lstsq(bend[free], slope(point)[is_free])[0]
        nearer = point - step
        if not np.abs(slope(nearer)[is_free]).sum() < np.abs(slope(point)[is_free]).sum():
            break
        point = nearer
    return point, _bend(slope, point)


def _bend(slope: Callable[[Floats], Floats], point: Floats) -> Floats:
    """The derivatives of a slope, by central differences; symmetric."""
    steps = np.eye(len(point)) * STEP
    rows = np.stack([(slope(point + step) - slope(point - step)) / (2 * STEP) for step in steps])
    bend: Floats = (rows + rows.T) / 2
    return bend


def _errors(bend: Floats, is_free: npt.NDArray[np.bool_], count: float) -> Floats:
    """Standard errors of logarithms from the second derivatives of the mean loss; 0 of what is at a limit."""
    errors = np.zeros(len(bend))
    inverse = np.linalg.pinv(bend[np.ix_(is_free, is_free)] * count)
    errors[is_free] = np.sqrt(np.maximum(np.diag(inverse), 0))
    return errors
