"""What is unusual: slices of time unlike their seasonal past, and values distributed unlike a reference."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating | np.integer]

Z_WARN = 3.5
Z_FAIL = 6.0
LEAST_SCALE = 0.05
LEAST_PEERS = 8
PEERS_WITHIN = timedelta(days=42)

DRIFT_WARN = 0.1
DRIFT_FAIL = 0.25
LEAST_ROWS = 500
EMPTY_BIN = 0.5


@dataclass(frozen=True)
class Verdict:
    """What is thought of one slice of time; `expected` is in the unit of `value`.

    `status` is learning, pass, warn or fail; `expected` and `z` are None while learning.
    """

    moment: datetime
    value: float
    expected: float | None
    z: float | None
    status: str

    @property
    def share(self) -> float | None:
        """1 up to the warning bound, falling linearly to 0 at the failing one; None while learning."""
        return None if self.z is None else _falling(abs(self.z), Z_WARN, Z_FAIL)


def judge(moments: Sequence[datetime], values: Sequence[float], last: int) -> list[Verdict]:
    """Verdicts on the `last` slices that have a value, oldest first.

    `moments` are the starts of hours or days, in any order; a value of NaN is no slice. Peers of a slice are those of
    the same hour and kind of day (Monday to Friday, or weekend) in the 42 days before it, save those that failed.
    The measure is the modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, 1993), of
    log1p(value), on a scale of at least 0.05, so of about 5 %. Where a level shifts for good the old one leaves the
    peers within six weeks, and the new one is learned.

    ValueError for a value that is negative or infinite, and for two slices of one moment.
    """
    peers: defaultdict[tuple[int, bool], deque[tuple[datetime, float]]] = defaultdict(deque)
    verdicts = []
    for moment, value in _slices(moments, values):
        known = peers[moment.hour, moment.weekday() >= 5]
        while known and known[0][0] < moment - PEERS_WITHIN:
            known.popleft()
        verdict = _verdict(moment, value, [level for _, level in known])
        if verdict.status != "fail":
            known.append((moment, math.log1p(value)))
        verdicts.append(verdict)
    return verdicts[max(len(verdicts) - last, 0) :]


def psi(reference_counts: Mapping[str, int], current_counts: Mapping[str, int]) -> float | None:
    """Population stability index of rows counted by category; None below 500 rows on either side.

    The sum of (p - q) ln(p / q) over the categories (Siddiqi, Credit Risk Scorecards, 2006), which is the divergence of
    Jeffreys (1946). A category empty on one side counts as half a row there; one empty on both counts nothing.
    """
    reference_rows, current_rows = sum(reference_counts.values()), sum(current_counts.values())
    if min(reference_rows, current_rows) < LEAST_ROWS:
        return None
    return math.fsum(
        _divergence(
            (reference_counts.get(category, 0) or EMPTY_BIN) / reference_rows,
            (current_counts.get(category, 0) or EMPTY_BIN) / current_rows,
        )
        for category in reference_counts.keys() | current_counts.keys()
        if reference_counts.get(category, 0) or current_counts.get(category, 0)
    )


def decile_counts(reference: Numbers, values: Numbers) -> dict[str, int]:
    """How many values lie in each decile of the reference, empty ones included; NaN is not counted.

    A bin ends with the value it is named after and starts above the one before. Deciles that end with the same value
    are one bin, so there may be fewer than ten. The first also holds all below the reference, "above" all the rest.
    """
    ordered = np.sort(reference[~np.isnan(reference)])
    ranks = -(-np.arange(1, 10) * ordered.size // 10) - 1  # rounded up, counted from 0
    ends = np.unique(ordered[ranks]) + 0.0 if ordered.size else ordered  # one name for 0.0 and -0.0
    bins = np.searchsorted(ends, values[~np.isnan(values)], side="left")
    counts = np.bincount(bins, minlength=ends.size + 1).tolist()
    return dict(zip([*(f"up to {end}" for end in ends), "above"], counts, strict=True))


def drift_share(index: float | None) -> float | None:
    """1 up to a population stability index of 0.1, falling linearly to 0 at 0.25; None while learning."""
    return None if index is None else _falling(index, DRIFT_WARN, DRIFT_FAIL)


def _slices(moments: Sequence[datetime], values: Sequence[float]) -> list[tuple[datetime, float]]:
    given = zip(moments, values, strict=True)
    slices = sorted((moment, float(value)) for moment, value in given if not math.isnan(value))
    for moment, value in slices:
        if not 0 <= value < math.inf:
            raise ValueError(f"the value at {moment} must be finite and not negative")
    for (earlier, _), (later, _) in pairwise(slices):
        if earlier == later:
            raise ValueError(f"two slices start at {later}")
    return slices


def _verdict(moment: datetime, value: float, peers: list[float]) -> Verdict:
    if len(peers) < LEAST_PEERS:
        return Verdict(moment, value, None, None, "learning")
    middle = median(peers)
    # 1.4826 makes the median absolute deviation estimate the standard deviation of a normal distribution.
    scale = max(1.4826 * median(abs(peer - middle) for peer in peers), LEAST_SCALE)
    z = (math.log1p(value) - middle) / scale
    status = "fail" if abs(z) > Z_FAIL else "warn" if abs(z) > Z_WARN else "pass"
    return Verdict(moment, value, math.expm1(middle), z, status)


def _divergence(p: float, q: float) -> float:
    return (p - q) * (math.log(p) - math.log(q))


def _falling(value: float, warn: float, fail: float) -> float:
    return min(max((fail - value) / (fail - warn), 0.0), 1.0)
