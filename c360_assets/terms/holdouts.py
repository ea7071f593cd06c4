"""How well expectations did on a span that was held out: errors with what chance alone may have done to them.

An interval is that of 1,000 resamples of the customers, who are thrown into 1,000 lots for it by their place in the
order of ids; lots are drawn, and what each contributes is summed once (a bootstrap of B. Efron, "Bootstrap methods:
another look at the jackknife", Annals of Statistics 7, 1979, by groups, so that a million customers cost no more).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from c360_assets.terms.lifetimes import Floats

LOTS = 1_000
RESAMPLES = 1_000
SEED = 20_260_630
CONFIDENCE = 0.95
DECIMALS = 6


@dataclass(frozen=True)
class Measure:
    """A figure and the 95 % interval of it; None where it does not exist."""

    value: float | None
    low: float | None
    high: float | None


def measures(expected: Floats, actual: Floats) -> dict[str, Measure]:
    """Errors of expectations, a value per customer by ascending id, by name.

    `mae` and `rmse` are in the unit of the values; `correlation` is Pearson's; `total_bias` is the sum expected over
    the actual one, less 1.
    """
    error = expected - actual
    errors = [np.ones(len(error)), np.abs(error), error**2]
    parts = [*errors, expected, actual, expected**2, actual**2, expected * actual]
    lot = np.random.default_rng(SEED).integers(0, LOTS, len(error))
    sums = np.stack([np.bincount(lot, weights=part, minlength=LOTS) for part in parts])
    resampled = _figures(np.einsum("pl,rl->pr", sums, _drawn()))
    whole = _figures(sums.sum(axis=1, keepdims=True))
    return {name: _measure(float(whole[name][0]), resampled[name]) for name in whole}


@cache
def _drawn() -> Floats:
    """How often each lot is in each resample; the same for all."""
    return np.random.default_rng(SEED + 1).multinomial(LOTS, np.full(LOTS, 1 / LOTS), RESAMPLES).astype(np.float64)


def _figures(sums: Floats) -> dict[str, Floats]:
    """The measures from the sums of their parts; NaN where there is none."""
    count, absolute, squared, expected, actual, expected_squared, actual_squared, product = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        spreads = _spread(count, expected, expected_squared) * _spread(count, actual, actual_squared)
        return {
            "mae": absolute / count,
            "rmse": np.sqrt(squared / count),
            "correlation": (product / count - expected / count * actual / count) / np.sqrt(spreads),
            "total_bias": expected / actual - 1,
        }


def _spread(count: Floats, total: Floats, squared: Floats) -> Floats:
    """The variance; 0 where it is but the rounding of sums."""
    variance = squared / count - (total / count) ** 2
    spread: Floats = np.where(variance > 1e-12 * squared / count, variance, 0.0)
    return spread


def _measure(value: float, resampled: Floats) -> Measure:
    known = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or not len(known):
        return Measure(None, None, None)
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Measure(round(value, DECIMALS), round(float(low), DECIMALS), round(float(high), DECIMALS))
