"""Forecasting: the ways in which weekly sales are foretold, and which of them is to be believed of which series."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ibis.expr.types as ir
import numpy as np

from c360_assets.terms import backtests, smoothing
from c360_assets.terms.backtests import LEAST, YEARLY_FROM, Cells
from c360_assets.terms.demand import CLASSES, PRODUCT, Booleans, Series, classes, is_known, measure_of, series_of
from c360_assets.terms.smoothing import Croston, DampedTrend, Floats, Integers, Smoothing, Tsb, Way, Winters

ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
SMOOTHING = Smoothing(ALPHAS)
DAMPED = DampedTrend((0.1, 0.2, 0.3, 0.5), (0.05, 0.1, 0.2), (0.8, 0.9, 0.98))
WINTERS = Winters((0.05, 0.1, 0.3, 0.5), (0.1, 0.3))
CROSTON, CORRECTED = (Croston((0.05, 0.1, 0.2, 0.3), is_corrected) for is_corrected in (False, True))
TSB = Tsb((0.02, 0.05, 0.1, 0.2), (0.05, 0.1, 0.2))

LAST, BEFORE = "last week again", "same week a year before"
MEAN, LEVEL, TREND = "mean of 13 weeks", "exponential smoothing", "damped trend"
OWN_SEASON, SHARED_SEASON = "Holt-Winters", "season of all sales"
SEVERAL = "mean of several"
Told = Callable[[Series, Sequence[int]], Floats]
# A series has to be so old for a forecast of its own.
YOUNGEST = 26
TOTAL = "total"
LEVELS = (TOTAL, "category", "brand", "country", PRODUCT)


@dataclass(frozen=True)
class Kind:
    """Series that are foretold in one way: those of a level, of products those of one kind of demand."""

    level: str
    demand_class: str | None = None

    @property
    def name(self) -> str:
        """As people say it."""
        return self.level if self.demand_class is None else f"{self.demand_class} {self.level}"

    @property
    def judged_by(self) -> str:
        """The figure that decides: of products that of totals.

        Most products are not sold in most weeks, so of single weeks whoever foretells nothing errs least.
        """
        return "total_mase" if self.level == PRODUCT else "mase"

    def members(self, series: Series, origins: Sequence[int]) -> Booleans:
        """Series by origins: which are of this kind there, by what was known, and old enough to be tried."""
        is_begun = [series.starts + smoothing.HORIZON <= origin for origin in origins]
        found: Booleans = np.stack(is_begun, axis=1)
        if self.demand_class is not None:
            found &= np.stack([classes(series, origin) == self.demand_class for origin in origins], axis=1)
        return found


KINDS = (
    *(Kind(level) for level in LEVELS if level != PRODUCT),
    *(Kind(PRODUCT, name) for name in CLASSES),
)


def candidates(level: str, weeks: int, whole: Floats) -> dict[str, Told]:
    """The ways to foretell series of a level by name, the baseline first; `whole` is all sales by week."""
    is_yearly = weeks >= YEARLY_FROM
    seasonal = partial(_with_season, whole)
    ways: dict[str, Told] = {BEFORE: _plain(smoothing.year_before)} if is_yearly else {}
    ways |= {LAST: _plain(smoothing.last_value), MEAN: _plain(smoothing.recent_mean)}
    ways |= {LEVEL: partial(_smoothed, SMOOTHING), TREND: partial(_smoothed, DAMPED)}
    if level == PRODUCT:
        ways |= {"Croston": partial(_smoothed, CROSTON), "Syntetos-Boylan": partial(_smoothed, CORRECTED)}
        ways |= {"Teunter-Syntetos-Babai": partial(_smoothed, TSB)}
    elif is_yearly:
        ways |= {OWN_SEASON: partial(_smoothed, WINTERS)}
    if is_yearly:
        ways |= {SHARED_SEASON: seasonal}
    members = [MEAN, LEVEL, "Teunter-Syntetos-Babai" if level == PRODUCT else TREND]
    members += [SHARED_SEASON] if is_yearly else []
    ways |= {name: _once(ways[name]) for name in members}
    return ways | {SEVERAL: partial(_mean, [ways[name] for name in members])}


def untold(series: Series, level: str) -> str | None:
    """Why nothing can be tried on series of a level; None where it can."""
    if level != TOTAL and not is_known(series).any():
        return f"no {level} of what was sold is known"
    return f"fewer than {LEAST} weeks of sales: {series.weeks}" if series.weeks < LEAST else None


def told_of(weekly_sales: ir.Table, level: str) -> tuple[Series, Floats]:
    """The series of a level that can be foretold, and all sales by week, in the measure of the level.

    What is not known to be of any product is no product; sales of unknown category, brand or country are sales.
    """
    measure = measure_of(level)
    series = series_of(weekly_sales, level, measure)
    known = series.only(is_known(series)) if level == PRODUCT else series
    whole = series_of(weekly_sales, TOTAL, measure).values.sum(axis=0)
    return known, whole[max(len(whole) - series.weeks, 0) :]


def of_level(level: str) -> list[Kind]:
    """The kinds of series that a level has."""
    return [kind for kind in KINDS if kind.level == level]


def kinds_now(kinds: Sequence[Kind], series: Series) -> list[str]:
    """The name of the kind that each series is of now; of products that were never sold that of the level."""
    if kinds[0].demand_class is None:
        return [kinds[0].name] * len(series.ids)
    return [Kind(PRODUCT, str(name) or None).name for name in classes(series, series.weeks)]


def compared(kinds: Sequence[Kind], series: Series, whole: Floats) -> dict[Kind, list[dict[str, Any]]]:
    """By kind of one level, what is known of every candidate, the baseline first; nothing of kinds without members.

    Every candidate foretells all series once; what members of a kind gain by it is judged apart.
    """
    cells = Cells.of(series)
    members = {kind: kind.members(series, cells.origins) for kind in kinds}
    found: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    ways = candidates(kinds[0].level, series.weeks, whole)
    baseline: Floats | None = None
    for name, told_by in ways.items():
        told = told_by(series, cells.origins)
        baseline = told if baseline is None else baseline
        for kind, is_member in members.items():
            if (is_member & cells.later[:, 0]).any():
                of_totals = kind.judged_by == "total_mase"
                figures = _judged(told, baseline, cells, is_member, len(ways) - 1, of_totals)
                found[kind].append({"candidate": name} | figures)
    return found


def _judged(
    told: Floats, baseline: Floats, cells: Cells, is_member: Booleans, tried: int, of_totals: bool
) -> dict[str, Any]:
    is_baseline = told is baseline
    is_some = np.asarray(is_member.any(axis=1))
    few, told, baseline, is_member = cells.only(is_some), told[is_some], baseline[is_some], is_member[is_some]
    gained = (None, None, None) if is_baseline else backtests.gain(told, baseline, few, is_member, tried, of_totals)
    return {
        **backtests.figures(told, few, is_member),
        **backtests.coverage(told, few, is_member),
        **dict(zip(("gain", "gain_low", "gain_high"), gained, strict=True)),
        "series_count": int((is_member & few.later[:, 0]).any(axis=1).sum()),
        "spreads": backtests.spreads(told, few, is_member),
    }


def _plain(told: Callable[[Floats, Integers, Sequence[int]], Floats]) -> Told:
    return lambda series, origins: _possible(told(series.values, series.starts, origins))


def _smoothed(way: Way, series: Series, origins: Sequence[int]) -> Floats:
    """What a way says; of series too young for it what exponential smoothing says."""
    told = smoothing.smoothed(way, series.values, series.starts, origins)
    if way.warmup > smoothing.HORIZON:
        plain = smoothing.smoothed(SMOOTHING, series.values, series.starts, origins)
        told = np.where(np.isnan(told), plain, told)
    return _possible(told)


def _with_season(whole: Floats, series: Series, origins: Sequence[int]) -> Floats:
    return _possible(smoothing.seasonal(SMOOTHING, series.values, series.starts, origins, whole))


def _once(way: Told) -> Told:
    """The way, asked once for the same series at the same origins."""
    held: list[tuple[Series, Sequence[int], Floats]] = []

    def told(series: Series, origins: Sequence[int]) -> Floats:
        if not held or held[0][0] is not series or held[0][1] != origins:
            held[:] = [(series, origins, way(series, origins))]
        return held[0][2]

    return told


def _mean(ways: Sequence[Told], series: Series, origins: Sequence[int]) -> Floats:
    total = ways[0](series, origins)
    for way in ways[1:]:
        total = total + way(series, origins)
    return total / len(ways)


def _possible(told: Floats) -> Floats:
    """Nothing less than nothing is sold."""
    return np.maximum(told, 0)
