"""Outlooks: what is foretold of each series of a level, by the way that was chosen for its kind, and how sure it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir
import numpy as np

from c360_assets.terms.backtests import Spread
from c360_assets.terms.demand import Booleans, Series, deviations
from c360_assets.terms.forecasting import YOUNGEST, candidates, kinds_now, of_level, told_of, untold
from c360_assets.terms.smoothing import HORIZON, Floats

NOTHING_SOLD = "nothing was sold in a whole week"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Outlook:
    """Series of one `kind` of a level, with what is `told` of each by weeks ahead; NaN beside a `reason`.

    `deviation` is the usual change from week to week, 0 of a series that never changed; `spreads` tell how far off
    forecasts of single weeks, `week`, and of totals, `total`, may be.
    """

    level: str
    series: Series
    kind: str
    candidate: str | None
    told: Floats
    deviation: Floats
    spreads: Mapping[str, Spread]
    reasons: list[str | None]


def outlooks(weekly_sales: ir.Table, forecast_model: ir.Table, level: str) -> list[Outlook]:
    """Every series of a level, kind by kind."""
    series, whole = told_of(weekly_sales, level)
    kinds = of_level(level)
    now, rows = np.array(kinds_now(kinds, series), dtype=object), forecast_model.to_pyarrow().to_pylist()
    chosen = {row["series_kind"]: row for row in rows if row["is_chosen"]}
    refused = {row["series_kind"]: row["reason"] for row in rows if not row["is_chosen"]}
    reason = untold(series, level)
    names = sorted(set(now.tolist()))
    return [
        _outlook(level, series.only(now == name), whole, name, chosen.get(name), reason or refused.get(name))
        for name in names
    ]


def _outlook(level: str, series: Series, whole: Floats, kind: str, chosen: Row | None, reason: str | None) -> Outlook:
    """Of one kind; without a way that was chosen for it there is only the reason."""
    told, deviation = np.full((len(series.ids), HORIZON), np.nan), deviations(series, series.weeks)
    ways = candidates(level, series.weeks, whole)
    if chosen is None or chosen["candidate"] not in ways or series.weeks < YOUNGEST:
        why = reason if chosen is None else "the model was made when other weeks were held"
        return Outlook(level, series, kind, None, told, deviation, {}, [why or NOTHING_SOLD] * len(series.ids))
    is_old: Booleans = series.ages >= YOUNGEST
    told[is_old] = ways[chosen["candidate"]](series, [series.weeks])[is_old, 0]
    # Corrections of means make less of what is always the same.
    is_same = is_old & (deviation == 0)
    told[is_same] = np.maximum(series.values[is_same, -1:], 0)
    young = [
        None if old else f"fewer than {YOUNGEST} weeks of sales: {age}"
        for old, age in zip(is_old, series.ages, strict=True)
    ]
    kept = json.loads(chosen["interval_model"]) if chosen["interval_model"] else {}
    spreads = {name: Spread.from_json(numbers) for name, numbers in kept.items()}
    return Outlook(level, series, kind, chosen["candidate"], told, deviation, spreads, young)
