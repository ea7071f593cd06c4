"""Backtests: how forecasts would have done at moments of the past, and how far off those to come may be.

Cells are series by origins by weeks ahead. What a forecast says at an origin, and how wide its interval is there, comes
from weeks before that origin alone. Errors are forecast less actual; scaled ones are divided by the mean absolute
change from week to week before the origin (the scale of MASE: Hyndman and Koehler, International Journal of Forecasting
22, 2006, with the naive forecast of one week as its denominator).

Intervals are split conformal (Lei and others, Journal of the American Statistical Association 113, 2018): half their
width is a quantile of absolute errors of the series of a group, in deviations of each series (the root of the mean
squared change from week to week before the origin), and divided by the usual error so many weeks ahead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from c360_assets.terms.demand import Booleans, Series, deviations, scales
from c360_assets.terms.smoothing import HORIZON, YEAR, Floats, Integers

# A year to learn a season from, and another to try it in.
YEARLY_FROM = 2 * YEAR
# Weeks a forecast is made from in a backtest at least; as many to try earlier origins in, and later ones.
LEAST = 3 * HORIZON
MOST_ORIGINS, MOST_SPAN = 40, 78
INTERVALS = (0.8, 0.95)
# The demand that is not exceeded, by the share of times it is to be enough.
LEVELS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995)
# So many errors give a quantile to the second digit.
MOST_ERRORS = 100_000
# Intervals are tried at so many origins, which take most of the time.
MOST_TRIED = 14
RESAMPLES, SEED, LOTS, BLOCK_WEEKS, LEAST_BLOCKS = 2_000, 20_260_630, 500, 4, 4
_AHEAD = np.arange(1, HORIZON + 1)


@dataclass(frozen=True)
class Cells:
    """What really came, at origins of the past: `actual` as cells, `target` the place of each one's week.

    `scale` and `deviation` are those of each series at each origin, by which errors are judged and intervals told.
    `later` says which origins are judged, and `first` is the first week that is foretold at all.
    """

    origins: list[int]
    actual: Floats
    scale: Floats
    deviation: Floats
    target: Integers
    later: Booleans

    @property
    def first(self) -> int:
        """The place of the first week that is foretold."""
        return self.origins[0]

    def only(self, is_taken: Booleans) -> "Cells":
        """The cells of some of the series."""
        return Cells(
            self.origins, self.actual[is_taken], self.scale[is_taken], self.deviation[is_taken], self.target, self.later
        )

    @classmethod
    def of(cls, series: Series) -> "Cells":
        """The cells of series at all origins."""
        origins = origins_of(series.weeks)
        windows = [series.values[:, origin : origin + HORIZON] for origin in origins]
        scale, deviation = (
            np.stack([measure(series, origin) for origin in origins], axis=1) for measure in (scales, deviations)
        )
        target = np.array(origins)[:, None] + _AHEAD - 1
        later = np.broadcast_to(_are_judged(origins)[:, None], target.shape)
        return cls(origins, np.stack(windows, axis=1), scale[:, :, None], deviation[:, :, None], target, later)


@dataclass(frozen=True)
class Spread:
    """How far off forecasts may be, in deviations: `usual` by weeks ahead, `widths` by interval in usual errors.

    `upper` is how far above the forecast demand lies, by `LEVELS`, in usual errors.
    """

    usual: Floats
    widths: Floats
    upper: Floats

    @classmethod
    def of(cls, errors: Floats, is_taken: Booleans, weeks: int, levels: Sequence[float] = LEVELS) -> "Spread | None":
        """From errors in deviations, as cells, of which some are taken, in so many weeks; None without any.

        Errors of one series in one month are not so many errors but about one. What few tell is widened by as much as
        Student's distribution is wider than the normal one.
        """
        taken = np.where(is_taken, errors, np.nan)
        count = (~np.isnan(taken)).sum(axis=(0, 1))
        total = np.nansum(np.abs(taken), axis=(0, 1))
        if not count.any() or not total.any():
            return None
        usual = _filled(total, count)
        signed = (taken / usual)[~np.isnan(taken)]
        signed = signed[:: -(-len(signed) // MOST_ERRORS)]
        runs = is_taken.any(axis=(1, 2)).sum() * weeks / BLOCK_WEEKS
        widths = [_conformal(np.abs(signed), level) * _widening((1 + level) / 2, runs) for level in INTERVALS]
        return cls(usual, np.array(widths), np.quantile(-signed, levels) * [_widening(level, runs) for level in levels])

    def half(self, deviation: Floats) -> Floats:
        """Half the width of each interval: interval by cells, of deviations as cells."""
        return self.widths.reshape(-1, *[1] * deviation.ndim) * self.usual * deviation

    def as_json(self) -> dict[str, list[float]]:
        """Its numbers, as they are kept."""
        return {name: [round(float(one), 9) for one in values] for name, values in vars(self).items()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Sequence[float]]) -> "Spread":
        """What `as_json` made."""
        return cls(**{name: np.array(values) for name, values in kept.items()})


def origins_of(weeks: int) -> list[int]:
    """Origins of the past with enough weeks before and 13 after each; none where there are too few weeks."""
    last = weeks - HORIZON
    first = max(YEAR if weeks >= YEARLY_FROM else HORIZON, last - MOST_SPAN + 1)
    if weeks < LEAST:
        return []
    step = -(-(last - first + 1) // MOST_ORIGINS)
    return list(range(last, first - 1, -step))[::-1]


def judged_count(weeks: int) -> int:
    """Origins by which candidates are judged."""
    return int(_are_judged(origins_of(weeks)).sum())


def scaled(errors: Floats, scale: Floats) -> Floats:
    """Errors in scales; NaN where the scale is 0, which nothing can be compared with."""
    return errors / np.where(scale > 0, scale, np.nan)


def figures(told: Floats, cells: Cells, is_member: Booleans) -> dict[str, float | None]:
    """How forecasts, as cells, did in the later cells of members, which are series by origins.

    `mae`, `rmse` in the unit of the values; `mase` in scales; `total_mase` of totals up to a week, per week;
    `bias_share` what was foretold too much, of what came. None where nothing can be told.
    """
    errors = told - cells.actual
    later = _cells(is_member, cells.later)
    absolute, came = np.abs(errors[later]), cells.actual[later].sum()
    return {
        "mae": _mean(absolute),
        "rmse": None if not absolute.size else float(np.sqrt((absolute**2).mean())),
        "mase": _mean(np.abs(scaled(errors, cells.scale))[later]),
        "total_mase": _mean(np.abs(scaled(_per_week(errors), cells.scale))[later]),
        "bias_share": float(errors[later].sum() / came) if came > 0 else None,
    }


def coverage(told: Floats, cells: Cells, is_member: Booleans) -> dict[str, float | None]:
    """The share of later cells within their intervals, of single weeks and of totals up to a week.

    At each origin intervals are made of errors that were known by then.
    """
    weekly = _covered(told, cells.actual, cells, is_member)
    totals = _covered(told.cumsum(axis=2), cells.actual.cumsum(axis=2), cells, is_member)
    names = [f"coverage_{level * 100:.0f}" for level in INTERVALS]
    return dict(zip([*names, *(f"total_{name}" for name in names)], [*weekly, *totals], strict=True))


def spreads(told: Floats, cells: Cells, is_member: Booleans) -> dict[str, Spread] | None:
    """How far off forecasts of single weeks, `week`, and of totals, `total`, may be, by all that is known now."""
    everything = _cells(is_member, np.ones_like(cells.later))
    errors = told - cells.actual
    weeks = int(cells.target.max()) + 1 - cells.first
    week = Spread.of(scaled(errors, cells.deviation), everything, weeks)
    total = Spread.of(scaled(errors.cumsum(axis=2), cells.deviation), everything, weeks)
    return {"week": week, "total": total} if week and total else None


def gain(
    told: Floats, baseline: Floats, cells: Cells, is_member: Booleans, tried: int = 1, is_of_totals: bool = False
) -> tuple[float | None, float | None, float | None]:
    """By how many scales forecasts err less than a baseline in the same later cells, with an interval.

    Of single weeks, or of totals up to a week, per week. It holds of all that are `tried` with 95 % (Bonferroni). Both
    series and runs of four weeks are drawn anew for it, since weeks are good or bad for all series (the pigeonhole
    bootstrap of Owen, Annals of Applied Statistics 1, 2007). Without four such runs there is none.
    """
    before, now = (_per_week(one - cells.actual) if is_of_totals else one - cells.actual for one in (baseline, told))
    less = scaled(np.abs(before) - np.abs(now), cells.scale)
    is_counted = _cells(is_member, cells.later) & ~np.isnan(less)
    if not is_counted.any():
        return None, None, None
    sums, counts = _by_lot_and_block(less, cells.target, is_counted)
    value = float(sums.sum() / counts.sum())
    if sums.shape[1] < LEAST_BLOCKS:
        return value, None, None
    rng = np.random.default_rng(SEED)
    lots, blocks = (rng.multinomial(size, np.full(size, 1 / size), RESAMPLES).astype(float) for size in sums.shape)
    totals, drawn = (np.einsum("rl,lb,rb->r", lots, part, blocks, optimize=["einsum_path", (0, 1), (0, 1)])
                     for part in (sums, counts))  # fmt: skip
    tail = 0.025 / tried
    low, high = np.quantile((totals / np.maximum(drawn, 1))[drawn > 0], [tail, 1 - tail])
    return value, float(low), float(high)


def _are_judged(origins: Sequence[int]) -> Booleans:
    """Which origins are the later half; the others only tell how wide intervals are."""
    return np.array([2 * origin >= origins[0] + origins[-1] for origin in origins], dtype=np.bool_)


def _per_week(errors: Floats) -> Floats:
    """Errors of the totals up to each week, divided by its number."""
    return errors.cumsum(axis=2) / _AHEAD


def _by_lot_and_block(less: Floats, target: Integers, is_counted: Booleans) -> tuple[Floats, Floats]:
    """Sums and counts of cells: lots of series by runs of weeks."""
    size, weeks = len(less), target[np.broadcast_to(is_counted.any(axis=0), target.shape)]
    lot = np.random.default_rng(SEED).permutation(size) % min(LOTS, size)
    block = (target - weeks.min()) // BLOCK_WEEKS
    # The last run would be shorter than the others.
    last = max((weeks.max() - weeks.min() + 1) // BLOCK_WEEKS - 1, 0)
    place = (lot[:, None, None] * (last + 1) + np.minimum(block, last))[is_counted]
    shape = (int(lot.max()) + 1, int(last) + 1)
    sums = np.bincount(place, weights=less[is_counted], minlength=shape[0] * shape[1]).reshape(shape)
    counts = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    # Lots without a cell have nothing to be drawn.
    is_there = counts.sum(axis=1) > 0
    return sums[is_there], counts[is_there]


def _covered(told: Floats, actual: Floats, cells: Cells, is_member: Booleans) -> list[float | None]:
    """By interval, the share of later cells within."""
    errors = scaled(told - actual, cells.deviation)
    hits, count = np.zeros(len(INTERVALS)), 0
    judged = np.flatnonzero(cells.later[:, 0])
    for place in judged[:: -(-len(judged) // MOST_TRIED)]:
        now = cells.origins[place]
        known = _cells(is_member[:, :place], cells.target[:place] < now)
        spread = Spread.of(errors[:, :place], known, now - cells.first, levels=())
        of_members = is_member[:, place]
        if spread is None or not of_members.any():
            continue
        said, came = told[of_members, place], actual[of_members, place]
        half = spread.half(cells.deviation[of_members, place])
        is_within = (came >= np.maximum(said - half, 0)) & (came <= said + half)
        hits, count = hits + is_within.sum(axis=(1, 2)), count + came.size
    return [float(hit / count) if count else None for hit in hits]


def _cells(is_member: Booleans, chosen: Booleans) -> Booleans:
    """Cells of members among those chosen, which are origins by weeks ahead."""
    both: Booleans = is_member[:, :, None] & chosen
    return both


def _filled(total: Floats, count: Integers) -> Floats:
    """Means by weeks ahead; where none is known that of the week before, or the first after. Never 0."""
    known = np.flatnonzero((count > 0) & (total > 0))
    nearest = known[np.maximum(np.searchsorted(known, np.arange(len(total)), side="right") - 1, 0)]
    usual: Floats = (total / np.maximum(count, 1))[nearest]
    return usual


def _conformal(sizes: Floats, level: float) -> float:
    """The quantile that a further one does not exceed with this probability, were they exchangeable."""
    rank = min(int(np.ceil((len(sizes) + 1) * level)), len(sizes))
    return float(np.partition(sizes, rank - 1)[rank - 1])


def _widening(probability: float, runs: float) -> float:
    """How much wider an interval must be that is made of so few independent runs."""
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(max(runs - 1, 1), probability) / ndtri(probability)) if probability > 0.5 else 1.0


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None
