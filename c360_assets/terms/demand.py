"""Demand: weekly sales as arrays, one row per series, and what kind of demand each shows."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms.smoothing import Floats, Integers
from c360_assets.terms.texts import UNKNOWN

Measure = Literal["revenue", "quantity"]
Booleans = npt.NDArray[np.bool_]

PRODUCT = "product"
# Weeks between demands on average, and the squared coefficient of variation of their sizes, from which demand is
# intermittent or of varying size: Syntetos, Boylan and Croston, Journal of the Operational Research Society 56, 2005.
INTERMITTENT, VARYING = 1.32, 0.49
CLASSES = ("smooth", "erratic", "intermittent", "lumpy")


@dataclass(frozen=True)
class Series:
    """Series of one level by week, all ending in the last; the oldest first, of one age by their IDs.

    `starts` is the place of each one's first week, before which `values` are 0.
    """

    ids: list[str]
    names: list[str]
    values: Floats
    starts: Integers
    last_on: date | None

    @property
    def weeks(self) -> int:
        """Weeks of the level's oldest series."""
        return int(self.values.shape[1])

    @property
    def ages(self) -> Integers:
        """Weeks of each series."""
        return self.weeks - self.starts

    def only(self, is_taken: Booleans) -> "Series":
        """Some of the series, over the same weeks."""
        ids, names = (
            [text for text, taken in zip(texts, is_taken, strict=True) if taken] for texts in (self.ids, self.names)
        )
        return Series(ids, names, self.values[is_taken], self.starts[is_taken], self.last_on)


def measure_of(level: str) -> Measure:
    """What is foretold of a level."""
    return "quantity" if level == PRODUCT else "revenue"


def series_of(weekly_sales: ir.Table, level: str, measure: Measure) -> Series:
    """The series of a level, whatever the order of the rows."""
    of_level = weekly_sales.filter(weekly_sales.level == level)
    asked = of_level.select("series_id", "week_on", value=of_level[measure].cast("float64"))
    rows = asked.order_by("series_id", "week_on").to_pyarrow()
    if not len(rows):
        return Series([], [], np.zeros((0, 0)), np.zeros(0, np.int64), None)
    named = of_level.group_by("series_id").agg(series_name=of_level.series_name.min()).order_by("series_id")
    names = named.to_pyarrow()
    codes, days = _codes(rows["series_id"]), rows["week_on"].cast(pa.int32()).to_numpy().astype(np.int64)
    first, last = int(days.min()), int(days.max())
    values = np.zeros((len(names), (last - first) // 7 + 1))
    places = (days - first) // 7
    values[codes, places] = rows["value"].to_numpy()
    starts = np.full(len(names), values.shape[1])
    np.minimum.at(starts, codes, places)
    oldest = np.argsort(starts, kind="stable")
    ids, told = (np.array(names[name].to_pylist(), dtype=object)[oldest].tolist() for name in named.columns)
    return Series(ids, told, values[oldest], starts[oldest], pc.max(rows["week_on"]).as_py())


def is_known(series: Series) -> Booleans:
    """Whether it is known of each series what was sold: of products the unknown are no product."""
    return np.array([one != UNKNOWN for one in series.ids], dtype=np.bool_)


def classes(series: Series, origin: int) -> npt.NDArray[np.str_]:
    """The kind of demand of each series by what was known at an origin; empty where nothing had been sold by then."""
    known = series.values[:, :origin]
    sizes = np.where(known > 0, known, 0.0)
    count = (sizes > 0).sum(axis=1)
    mean = sizes.sum(axis=1) / np.maximum(count, 1)
    variance = np.where(known > 0, (sizes - mean[:, None]) ** 2, 0).sum(axis=1) / np.maximum(count, 1)
    is_rare = (origin - series.starts) / np.maximum(count, 1) >= INTERMITTENT
    is_varying = variance >= VARYING * mean**2
    kinds = np.array(CLASSES)[2 * is_rare + (is_varying & (count > 0))]
    return np.where(count > 0, kinds, "")


def scales(series: Series, origin: int) -> Floats:
    """The mean absolute change from week to week before an origin, by which errors of series become comparable.

    0 of a series without a change; NaN of one with fewer than two weeks.
    """
    return _mean_change(series, origin, 1)


def deviations(series: Series, origin: int) -> Floats:
    """The root of the mean squared change, by which intervals are told; else as `scales`.

    Of what is sold in one week of n it is as large as errors are, whatever n; the mean absolute change is smaller by
    the root of n, so that what is sold now and then and what is sold rarely would have no interval in common.
    """
    return np.sqrt(_mean_change(series, origin, 2))


def _mean_change(series: Series, origin: int, power: int) -> Floats:
    changes = np.abs(np.diff(series.values[:, :origin], axis=1)) ** power
    # The change into the first week is none.
    is_within = np.arange(1, changes.shape[1] + 1) > series.starts[:, None]
    count = is_within.sum(axis=1)
    total = np.where(is_within, changes, 0).sum(axis=1)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _codes(ids: pa.ChunkedArray) -> Integers:
    """The place of each sorted text among those that differ."""
    encoded = ids.combine_chunks().dictionary_encode()
    codes: Integers = encoded.indices.to_numpy().astype(np.int64)
    return codes
