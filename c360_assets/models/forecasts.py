"""Forecasts: what will be sold in each of the next 13 weeks and in all of them, and how sure that is."""

from datetime import date, timedelta

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.terms.demand import measure_of
from c360_assets.terms.forecasting import LEVELS
from c360_assets.terms.outlooks import Outlook, outlooks
from c360_assets.terms.smoothing import HORIZON, Floats

DECIMALS = 4
NO_SALES = "no whole week with an order that has a date"
UNVARIED = "never changed from week to week, so nothing says how far off a forecast may be"
BOUNDS = ("low_80", "high_80", "low_95", "high_95")
NUMBERS = ("expected", *BOUNDS, "total_expected", *(f"total_{name}" for name in BOUNDS))
TYPES = pa.schema(
    {
        "level": pa.string(),
        "series_id": pa.string(),
        "series_name": pa.string(),
        "measure": pa.string(),
        "week_number": pa.int32(),
        "week_on": pa.date32(),
        "series_kind": pa.string(),
        "candidate": pa.string(),
        **dict.fromkeys(NUMBERS, pa.float64()),
        "reason": pa.string(),
    }
)


@dg.asset
def forecasts(weekly_sales: ir.Table, forecast_model: ir.Table) -> ir.Table:
    """One row per level, series and coming week, 1 to 13; without a forecast the reason."""
    parts = [_rows(outlook) for level in LEVELS for outlook in outlooks(weekly_sales, forecast_model, level)]
    return ibis.memtable(pa.concat_tables(parts) if parts else _nothing())


def _rows(outlook: Outlook) -> pa.Table:
    """All weeks of all series of an outlook."""
    series, count, level = outlook.series, len(outlook.series.ids), outlook.level
    numbers = _numbers(outlook)
    known: dict[str, pa.Array] = {
        "level": pa.repeat(level, count * HORIZON),
        "series_id": _each(series.ids),
        "series_name": _each(series.names),
        "measure": pa.repeat(measure_of(level), count * HORIZON),
        "week_number": pa.array(np.tile(np.arange(1, HORIZON + 1), count), pa.int32()),
        "week_on": pa.array(_weeks(series.last_on) * count, pa.date32()),
        "series_kind": pa.repeat(outlook.kind, count * HORIZON),
        "candidate": _each([None if reason else outlook.candidate for reason in outlook.reasons]),
        "reason": _each(_reasons(outlook)),
    }
    known |= {name: pa.array(_rounded(values).ravel(), from_pandas=True) for name, values in numbers.items()}
    return pa.table([known[name].cast(kind) for name, kind in zip(TYPES.names, TYPES.types, strict=True)], schema=TYPES)


def _numbers(outlook: Outlook) -> dict[str, Floats]:
    """Each number by series and week; NaN where there is none."""
    numbers: dict[str, Floats] = {}
    for prefix, told, name in (("", outlook.told, "week"), ("total_", outlook.told.cumsum(axis=1), "total")):
        half = np.full((2, *told.shape), np.nan)
        if name in outlook.spreads:
            deviation = np.where(outlook.deviation > 0, outlook.deviation, np.nan)
            half = outlook.spreads[name].half(deviation[:, None])
        numbers[f"{prefix}expected"] = told
        for size, width in zip(("80", "95"), half, strict=True):
            numbers |= {f"{prefix}low_{size}": np.maximum(told - width, 0), f"{prefix}high_{size}": told + width}
    return numbers


def _reasons(outlook: Outlook) -> list[str | None]:
    """Why a number is missing: the forecast, or its interval."""
    is_unvaried = ~(outlook.deviation > 0) if outlook.spreads else np.ones(len(outlook.deviation), dtype=np.bool_)
    return [
        reason or (UNVARIED if unvaried else None)
        for reason, unvaried in zip(outlook.reasons, is_unvaried, strict=True)
    ]


def _nothing() -> pa.Table:
    """The coming weeks of all sales, of which nothing is known."""
    row = {"level": LEVELS[0], "series_id": LEVELS[0], "series_name": LEVELS[0], "measure": measure_of(LEVELS[0])}
    row |= {"series_kind": LEVELS[0], "reason": NO_SALES}
    return pa.Table.from_pylist([row | {"week_number": week} for week in range(1, HORIZON + 1)], schema=TYPES)


def _each(texts: list[str | None] | list[str]) -> pa.Array:
    """Each text once per week."""
    return pa.array(texts, pa.string()).take(pa.array(np.repeat(np.arange(len(texts)), HORIZON)))


def _weeks(last_on: date | None) -> list[date]:
    assert last_on is not None, "series have weeks"
    return [last_on + timedelta(weeks=week) for week in range(1, HORIZON + 1)]


def _rounded(values: Floats) -> Floats:
    rounded: Floats = values.round(DECIMALS)
    return rounded
