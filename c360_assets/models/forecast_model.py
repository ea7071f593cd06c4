"""Forecast model: which way of foretelling weekly sales did best in the past, by kind of series."""

import json
from collections.abc import Callable, Mapping, Sequence

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.terms.backtests import Spread, judged_count
from c360_assets.terms.demand import Series, measure_of
from c360_assets.terms.forecasting import LEVELS, Kind, candidates, compared, of_level, told_of, untold
from c360_assets.terms.promotion import Row, as_decided
from c360_assets.terms.smoothing import HORIZON, Floats
from c360_assets.terms.threads import one_thread

# Series that candidates are tried on; of more, as many at equal distances by their IDs.
MOST_SERIES = 5_000
DECIMALS = 6
FIGURES = (
    "mae",
    "rmse",
    "mase",
    "total_mase",
    "bias_share",
    "coverage_80",
    "coverage_95",
    "total_coverage_80",
    "total_coverage_95",
    "gain",
    "gain_low",
    "gain_high",
)
TYPES = pa.schema(
    {
        "series_kind": pa.string(),
        "level": pa.string(),
        "demand_class": pa.string(),
        "measure": pa.string(),
        "candidate": pa.string(),
        "is_baseline": pa.bool_(),
        "is_chosen": pa.bool_(),
        "reason": pa.string(),
        "week_count": pa.int64(),
        "series_count": pa.int64(),
        "origin_count": pa.int64(),
        "horizon_weeks": pa.int32(),
        **dict.fromkeys(FIGURES, pa.float64()),
        "interval_model": pa.string(),
    }
)


@dg.asset
def forecast_model(weekly_sales: ir.Table, former: dg.ResourceParam[Callable[[str], ir.Table]]) -> ir.Table:
    """One row per kind of series and candidate: how well it foretold the next 13 weeks at origins of the past."""
    with one_thread():
        rows = [row for level in LEVELS for row in _tried(*told_of(weekly_sales, level), level)]
    before = former("forecast_model").to_pyarrow().to_pylist()
    decided = as_decided(rows, before, "candidate", "mae", part="series_kind")
    return ibis.memtable(pa.Table.from_pylist(decided, schema=TYPES))


def _tried(series: Series, whole: Floats, level: str) -> list[Row]:
    """The rows of a level, with figures or the reason why there are none."""
    kinds, reason = of_level(level), untold(series, level)
    found = {} if reason else compared(kinds, _some(series), whole)
    rows = []
    for kind in kinds:
        common: Row = {"week_count": series.weeks, "series_count": 0, "origin_count": judged_count(series.weeks)}
        common |= {"series_kind": kind.name, "level": level, "demand_class": kind.demand_class}
        common |= {"measure": measure_of(level), "horizon_weeks": HORIZON}
        judged = found.get(kind) or _unjudged(kind, series, whole, reason)
        rows += [common | row for row in _chosen(judged, kind.judged_by)]
    return rows


def _some(series: Series) -> Series:
    """At most so many of the series, whatever their ages."""
    if len(series.ids) <= MOST_SERIES:
        return series
    places = np.linspace(0, len(series.ids) - 1, MOST_SERIES).astype(np.int64)
    by_id = np.argsort(np.array(series.ids, dtype=object), kind="stable")
    return series.only(np.isin(np.arange(len(series.ids)), by_id[places]))


def _unjudged(kind: Kind, series: Series, whole: Floats, reason: str | None) -> list[Row]:
    """Every candidate, with why nobody judged it."""
    nobody = f"no {kind.name} was 13 weeks old at an origin that is judged: 0"
    return [{"candidate": name, "reason": reason or nobody} for name in candidates(kind.level, series.weeks, whole)]


def _chosen(judged: Sequence[Row], judged_by: str) -> list[Row]:
    """The candidates with the one that is chosen, and why: the best of those better for certain, or the baseline."""
    certain = [row for row in judged if (row.get("gain_low") or 0) > 0]
    best = min(certain or judged[:1], key=lambda row: row.get(judged_by) or 0.0)
    return [_told(row, judged[0], best) for row in judged]


def _told(row: Row, baseline: Row, best: Row) -> Row:
    is_judged = "reason" not in row
    is_chosen = is_judged and row is best
    figures = {name: _rounded(row.get(name)) for name in FIGURES}
    spreads: Mapping[str, Spread] = row.get("spreads") or {}
    kept = json.dumps({name: spread.as_json() for name, spread in spreads.items()})
    return figures | {
        "candidate": row["candidate"],
        "is_baseline": row is baseline,
        "is_chosen": is_chosen,
        "reason": row.get("reason") or _why(row, baseline, best),
        "series_count": row.get("series_count", 0),
        "interval_model": kept if spreads else None,
    }


def _why(row: Row, baseline: Row, best: Row) -> str:
    if row is best:
        if row is baseline:
            return "chosen: the baseline, as nothing was better for certain"
        return f"chosen: errs least of what was better for certain than '{baseline['candidate']}'"
    if row is baseline:
        return f"the baseline, and '{best['candidate']}' was better for certain"
    if row["gain"] is None:
        return "not compared: no series ever changed, or none was held long enough"
    if row["gain_low"] is None:
        return "not certain: fewer than four runs of four weeks to compare"
    return "better for certain, but errs more" if row["gain_low"] > 0 else "not better than the baseline for certain"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
