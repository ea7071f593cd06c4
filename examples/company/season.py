"""The simulated calendar: the time span, and how busy the shop is at each hour of it.

Times are int64 microseconds since 1970 (UTC). Purchases are drawn in "season days", a clock that runs fast
when the shop is busy and averages one calendar day per day; mapping them back to the calendar gives an
inhomogeneous Poisson process exactly (time change), so that a rate per day keeps its meaning.
"""

import numpy as np

from examples.company.records import Flags, Floats, Ints

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND


def instant(text: str) -> int:
    """Microseconds since 1970 of an ISO date or time."""
    return int(np.datetime64(text, "us").astype(np.int64))


START = instant("2024-07-01T00:00:00")
END = instant("2026-06-30T23:59:59")
DAYS = 730

# First day, day after the last, how much busier the shop is.
SALES = (
    ("2024-11-25", "2024-12-03", 1.9),
    ("2025-01-02", "2025-01-16", 1.4),
    ("2025-07-07", "2025-07-21", 1.5),
    ("2025-11-24", "2025-12-02", 1.9),
    ("2026-01-02", "2026-01-16", 1.4),
)
WEEK = (0.92, 0.90, 0.94, 1.00, 1.12, 1.16, 0.96)  # Monday to Sunday
YEAR_AMPLITUDE, YEAR_PEAK_DAY = 0.22, 341  # highest in early December
HOURS_OF_DAY = (
    0.5, 0.3, 0.2, 0.1, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.1, 1.2,
    1.3, 1.2, 1.1, 1.1, 1.2, 1.3, 1.5, 1.8, 2.0, 1.9, 1.4, 0.9,
)  # fmt: skip

_SALE_EDGES = np.array([instant(day) for first, last, _ in SALES for day in (first, last)])


def on_sale(at: Ints) -> Flags:
    """Whether a sale was on at each time."""
    is_on: Flags = np.searchsorted(_SALE_EDGES, at, side="right") % 2 == 1
    return is_on


def _busyness() -> Floats:
    """How busy each hour of the span is, in the mean 1."""
    at = START + HOUR * np.arange(DAYS * 24)
    day = at // DAY
    busy: Floats = np.asarray(WEEK)[(day + 3) % 7] * np.asarray(HOURS_OF_DAY)[at // HOUR % 24]
    busy *= 1 + YEAR_AMPLITUDE * np.cos(2 * np.pi * (day % 365.25 - YEAR_PEAK_DAY) / 365.25)
    for first, last, lift in SALES:
        busy[(at >= instant(first)) & (at < instant(last))] *= lift
    busy /= busy.mean()
    return busy


_CLOCK = (START + HOUR * np.arange(DAYS * 24 + 1)).astype(float)
_ELAPSED = np.concatenate([[0.0], np.cumsum(_busyness()) / 24])


def season_days(at: Ints) -> Floats:
    """Calendar time (microseconds) to season days since START."""
    days: Floats = np.interp(at, _CLOCK, _ELAPSED)
    return days


def calendar(days: Floats) -> Ints:
    """Season days since START to calendar time (microseconds): the inverse of `season_days`."""
    at: Ints = np.interp(days, _ELAPSED, _CLOCK).astype(np.int64)
    return at
