"""Smoothing: forecasts of many series at once, as they would have been made at any moment of the past.

`values` are series by weeks, ascending, all ending in the same week; `starts` is the place of each series' first week,
ascending, so that those that have begun are always the first rows. An origin is a number of weeks: what is foretold
there knows only the weeks before it. One pass over the weeks serves all origins: each combination of a method's
smoothing constants has a state and the sum of its squared errors one week ahead so far, and at an origin the
combination that erred least so far speaks.

Simple and damped-trend smoothing: Gardner and McKenzie, "Forecasting trends in time series", Management Science 31,
1985. With a season: Winters, "Forecasting sales by exponentially weighted moving averages", Management Science 6, 1960
(additive). Intermittent demand: Croston, Operational Research Quarterly 23, 1972; its bias corrected: Syntetos and
Boylan, International Journal of Forecasting 21, 2005; probability of demand in place of the interval: Teunter,
Syntetos and Babai, European Journal of Operational Research 214, 2011.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Weeks ahead.
HORIZON = 13
YEAR = 52
_AHEAD = np.arange(1, HORIZON + 1)


class Way(ABC):
    """A method: its states are parts by combination of constants by series."""

    warmup: int
    constants: Floats

    def __init__(self, *grids: Sequence[float]) -> None:
        self.constants = np.array(list(product(*grids)), dtype=np.float64).T[:, :, None]

    @abstractmethod
    def begun(self, first: Floats) -> Floats:
        """The parts of the state, each by series, after the first weeks."""

    @abstractmethod
    def told(self, state: Floats) -> Floats:
        """What is foretold of the next week."""

    @abstractmethod
    def after(self, state: Floats, value: Floats) -> Floats:
        """The state once the value of a week is known."""

    @abstractmethod
    def ahead(self, state: Floats, constants: Floats) -> Floats:
        """Series by weeks ahead, of parts of a state by series and of constants by series."""


class Smoothing(Way):
    """Simple exponential smoothing: the level moves by alpha of the error."""

    warmup = 4

    def begun(self, first: Floats) -> Floats:
        """The mean of the first weeks."""
        level: Floats = first.mean(axis=1)[None]
        return level

    def told(self, state: Floats) -> Floats:
        """The level."""
        level: Floats = state[0]
        return level

    def after(self, state: Floats, value: Floats) -> Floats:
        """The level, nearer to the value."""
        (alpha,) = self.constants
        nearer: Floats = state + alpha * (value - state)
        return nearer

    def ahead(self, state: Floats, constants: Floats) -> Floats:
        """The level, in every week."""
        return np.repeat(state[0][:, None], HORIZON, axis=1)


class DampedTrend(Way):
    """Damped trend: constants alpha (level), beta (trend) and phi, by which the trend shrinks each week."""

    warmup = 4

    def begun(self, first: Floats) -> Floats:
        """The mean of the first weeks, and no trend."""
        level = first.mean(axis=1)
        return np.stack([level, np.zeros_like(level)])

    def told(self, state: Floats) -> Floats:
        """Level and damped trend."""
        _, _, phi = self.constants
        told: Floats = state[0] + phi * state[1]
        return told

    def after(self, state: Floats, value: Floats) -> Floats:
        """Level and trend, both moved by a part of the error."""
        alpha, beta, phi = self.constants
        trend = phi * state[1]
        error = value - state[0] - trend
        return np.stack([state[0] + trend + alpha * error, trend + alpha * beta * error])

    def ahead(self, state: Floats, constants: Floats) -> Floats:
        """The level and the sum of the trends, each smaller than the one before."""
        sums = np.cumsum(constants[2][:, None] ** _AHEAD, axis=1)
        ahead: Floats = state[0][:, None] + sums * state[1][:, None]
        return ahead


class Winters(Way):
    """Additive Holt-Winters without trend: constants alpha (level) and gamma (season of 52 weeks).

    The state is the level and the seasons of the 52 weeks to come, the next first.
    """

    warmup = YEAR

    def begun(self, first: Floats) -> Floats:
        """The mean of the first year, and each week's distance from it."""
        level = first.mean(axis=1)
        return np.concatenate([level[None], (first - level[:, None]).T])

    def told(self, state: Floats) -> Floats:
        """Level and season."""
        told: Floats = state[0] + state[1]
        return told

    def after(self, state: Floats, value: Floats) -> Floats:
        """The level, and the season of the week, which comes last now."""
        alpha, gamma = self.constants
        error = value - state[0] - state[1]
        season = state[1] + gamma * (1 - alpha) * error
        return np.concatenate([(state[0] + alpha * error)[None], state[2:], season[None]])

    def ahead(self, state: Floats, constants: Floats) -> Floats:
        """The level and the season of each week."""
        ahead: Floats = state[0][:, None] + state[1 : 1 + HORIZON].T
        return ahead


class Croston(Way):
    """Croston's method: size and interval of demands smoothed apart, by alpha, in weeks with demand alone.

    Parts of the state: size, interval, and the weeks since the last demand. `is_corrected` is the approximation of
    Syntetos and Boylan: 1 - alpha / 2 of it.
    """

    warmup = HORIZON

    def __init__(self, alphas: Sequence[float], is_corrected: bool) -> None:
        super().__init__(alphas)
        self.is_corrected = is_corrected

    def begun(self, first: Floats) -> Floats:
        """Mean size and mean interval of the first weeks; of no demand at all size 0."""
        sold, count, last = _first(first)
        return np.stack([sold, self.warmup / np.maximum(count, 1), self.warmup - last])

    def told(self, state: Floats) -> Floats:
        """Size by interval."""
        (alpha,) = self.constants
        return self._rate(state, alpha)

    def after(self, state: Floats, value: Floats) -> Floats:
        """Size and interval, nearer to those of a demand."""
        (alpha,) = self.constants
        size, interval, waited = state
        since, is_sold = waited + 1, np.broadcast_to(value > 0, size.shape)
        nearer = np.stack([size + alpha * (value - size), interval + alpha * (since - interval), np.zeros_like(size)])
        return np.where(is_sold, nearer, np.stack([size, interval, since]))

    def ahead(self, state: Floats, constants: Floats) -> Floats:
        """The rate, in every week."""
        return np.repeat(self._rate(state, constants[0])[:, None], HORIZON, axis=1)

    def _rate(self, state: Floats, alpha: Floats) -> Floats:
        rate: Floats = (1 - alpha / 2 if self.is_corrected else 1) * state[0] / state[1]
        return rate


class Tsb(Way):
    """Probability of demand, smoothed by alpha every week, times its size, smoothed by beta in weeks with demand."""

    warmup = HORIZON

    def begun(self, first: Floats) -> Floats:
        """Share of the first weeks with demand, and its mean size."""
        sold, count, _ = _first(first)
        return np.stack([count / self.warmup, sold])

    def told(self, state: Floats) -> Floats:
        """Probability times size."""
        told: Floats = state[0] * state[1]
        return told

    def after(self, state: Floats, value: Floats) -> Floats:
        """The probability, and where there was demand its size."""
        alpha, beta = self.constants
        is_sold = value > 0
        size = np.where(is_sold, state[1] + beta * (value - state[1]), state[1])
        return np.stack([state[0] + alpha * (is_sold - state[0]), size])

    def ahead(self, state: Floats, constants: Floats) -> Floats:
        """Probability times size, in every week."""
        return np.repeat((state[0] * state[1])[:, None], HORIZON, axis=1)


def smoothed(way: Way, values: Floats, starts: Integers, origins: Sequence[int]) -> Floats:
    """Series by origins by weeks ahead; NaN of a series that had not the weeks it takes to begin."""
    told = np.full((len(values), len(origins), HORIZON), np.nan)
    combinations = way.constants.shape[1]
    known, errors = 0, np.zeros((combinations, len(values)))
    state = np.zeros((0, combinations, len(values)))
    for week in range(max(origins, default=-1) + 1):
        begun = int(np.searchsorted(starts, week - way.warmup, side="right"))
        if begun > known:
            first = way.begun(values[known:begun, week - way.warmup : week])
            state = _widened(state, first, known, begun)
            known = begun
        for place in np.flatnonzero(np.array(origins) == week) if known else ():
            told[:known, place] = _spoken(way, state[..., :known], errors[:, :known])
        if known and week < values.shape[1]:
            value = values[:known, week][None]
            errors[:, :known] += (value - way.told(state[..., :known])) ** 2
            state[..., :known] = way.after(state[..., :known], value)
    return told


def last_value(values: Floats, starts: Integers, origins: Sequence[int]) -> Floats:
    """The last week again and again; shaped as `smoothed`."""
    return _at(origins, lambda origin: values[:, origin - 1 : origin].repeat(HORIZON, axis=1), starts, 1)


def year_before(values: Floats, starts: Integers, origins: Sequence[int]) -> Floats:
    """The same week a year before; of a series younger than that the last week. Shaped as `smoothed`."""
    yearly = _at(origins, lambda origin: values[:, origin - YEAR : origin - YEAR + HORIZON], starts, YEAR)
    return np.where(np.isnan(yearly), last_value(values, starts, origins), yearly)


def recent_mean(values: Floats, starts: Integers, origins: Sequence[int]) -> Floats:
    """The mean of the last 13 weeks; shaped as `smoothed`."""

    def mean(origin: int) -> Floats:
        means: Floats = values[:, origin - HORIZON : origin].mean(axis=1, keepdims=True)
        return means.repeat(HORIZON, axis=1)

    return _at(origins, mean, starts, HORIZON)


def seasons(whole: Floats, origin: int) -> Floats:
    """Factors of the 52 weeks before an origin, mean 1, from a single series of all sales; 1 where it tells none.

    Each whole year before the origin is divided by its mean, years are averaged, and neighbouring weeks smoothed by
    1, 2 and 1 quarters: a week of one year is mostly chance.
    """
    count = origin // YEAR
    years = np.maximum(whole[origin - count * YEAR : origin], 0).reshape(count, YEAR)
    means = years.mean(axis=1, keepdims=True)
    if not count or not (means > 0).all():
        return np.ones(YEAR)
    raw = (years / means).mean(axis=0)
    smooth = (np.roll(raw, 1) + 2 * raw + np.roll(raw, -1)) / 4
    # A week without sales in every year is no factor to divide by.
    factors = np.maximum(smooth, 0.05)
    found: Floats = factors / factors.mean()
    return found


def seasonal(way: Way, values: Floats, starts: Integers, origins: Sequence[int], whole: Floats) -> Floats:
    """As `smoothed`, of values without the season of all sales, which what is foretold gets back.

    At each origin the season is that of the weeks before it.
    """
    parts = []
    for origin in origins:
        factors = seasons(whole, origin)
        places = (np.arange(values.shape[1]) - origin) % YEAR
        plain = smoothed(way, values / factors[places], starts, [origin])
        parts.append(plain * factors[:HORIZON])
    return np.concatenate(parts, axis=1) if parts else np.empty((len(values), 0, HORIZON))


def _first(first: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean size and number of the demands of some weeks, and after how many weeks the last one was there."""
    is_sold = first > 0
    count = is_sold.sum(axis=1)
    size = np.where(is_sold, first, 0).sum(axis=1) / np.maximum(count, 1)
    return size, count.astype(np.float64), (is_sold * np.arange(1, first.shape[1] + 1)).max(axis=1).astype(np.float64)


def _widened(state: Floats, first: Floats, known: int, begun: int) -> Floats:
    """The states with those of series that begin, the same for every combination."""
    if not len(state):
        state = np.zeros((len(first), *state.shape[1:]))
    state[:, :, known:begun] = first[:, None, :]
    return state


def _spoken(way: Way, state: Floats, errors: Floats) -> Floats:
    """What the combination says that erred least so far, of each series."""
    best, series = errors.argmin(axis=0), np.arange(errors.shape[1])
    return way.ahead(state[:, best, series], way.constants[:, best, 0])


def _at(origins: Sequence[int], told_at: Callable[[int], Floats], starts: Integers, least: int) -> Floats:
    """Forecasts at each origin, NaN of series with fewer weeks than `least` before it."""
    told = np.full((len(starts), len(origins), HORIZON), np.nan)
    for place, origin in enumerate(origins):
        is_known = starts + least <= origin
        if is_known.any():
            told[is_known, place] = told_at(origin)[is_known]
    return told
