"""Reorder points: at which stock a product has to be ordered again, so that it lasts until more has come."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.terms.backtests import LEVELS
from c360_assets.terms.demand import PRODUCT
from c360_assets.terms.outlooks import Outlook, outlooks
from c360_assets.terms.smoothing import HORIZON, Floats
from governance.playbook import Playbook, Stock

# Stock is looked at so often: an order may have to wait until then.
REVIEW_DAYS, WEEK_DAYS = 7, 7
DECIMALS = 4
UNVARIED = "never changed from week to week, so nothing says how much more may be asked for"
NUMBERS = ("weekly_demand", "covered_demand", "safety_stock")
TYPES = pa.schema(
    {
        "product_id": pa.string(),
        "product_name": pa.string(),
        "product_category": pa.string(),
        "demand_class": pa.string(),
        "lead_time_days": pa.int32(),
        "review_days": pa.int32(),
        "service_level": pa.float64(),
        **dict.fromkeys(NUMBERS, pa.float64()),
        "reorder_point": pa.int64(),
        "candidate": pa.string(),
        "reason": pa.string(),
    }
)
Row = dict[str, Any]


@dg.asset
def reorder_points(
    weekly_sales: ir.Table,
    forecast_model: ir.Table,
    products: ir.Table,
    playbook: dg.ResourceParam[Callable[[], Playbook]],
) -> ir.Table:
    """One row per product that was ever sold: the stock at which to order it again, or why none is told."""
    categories, stock = _categories(products), playbook().stock
    found = outlooks(weekly_sales, forecast_model, PRODUCT)
    rows = [row for outlook in found for row in _rows(outlook, categories, stock)]
    return ibis.memtable(pa.Table.from_pylist(rows, schema=TYPES))


def _categories(products: ir.Table) -> dict[str, str | None]:
    """The category of each product; of several the first by the alphabet."""
    named = products.group_by("product_id").agg(category=products.product_category.min()).to_pyarrow()
    return dict(zip(named["product_id"].to_pylist(), named["category"].to_pylist(), strict=True))


def _rows(outlook: Outlook, categories: dict[str, str | None], stock: Stock) -> list[Row]:
    series, total = outlook.series, outlook.told.cumsum(axis=1)
    return [
        _row(outlook, place, total[place], categories.get(product), stock) for place, product in enumerate(series.ids)
    ]


def _row(outlook: Outlook, place: int, total: Floats, category: str | None, stock: Stock) -> Row:
    supply, reason = stock.of(category), outlook.reasons[place]
    row: Row = {
        "product_id": outlook.series.ids[place],
        "product_name": outlook.series.names[place],
        "product_category": category,
        "demand_class": None if outlook.kind == PRODUCT else outlook.kind.removesuffix(f" {PRODUCT}"),
        "lead_time_days": supply.lead_time_days,
        "review_days": REVIEW_DAYS,
        "service_level": supply.service_level,
        "reason": reason,
    }
    if reason is not None:
        return row
    weeks = (supply.lead_time_days + REVIEW_DAYS) / WEEK_DAYS
    covered = at_week(total, weeks)
    row |= {"candidate": outlook.candidate, "weekly_demand": round(float(total[-1]) / HORIZON, DECIMALS)}
    row |= {"covered_demand": round(covered, DECIMALS)}
    if "total" not in outlook.spreads or not outlook.deviation[place] > 0:
        return row | {"reason": UNVARIED}
    safety = round(_safety(outlook, float(outlook.deviation[place]), weeks, supply.service_level), DECIMALS)
    return row | {"safety_stock": safety, "reorder_point": int(np.ceil(row["covered_demand"] + safety))}


def _safety(outlook: Outlook, deviation: float, weeks: float, service_level: float) -> float:
    """How much more than expected is sold in so many weeks at most, with the probability of the service level."""
    spread = outlook.spreads["total"]
    factor = float(np.interp(service_level, LEVELS, spread.upper))
    return max(factor * at_week(spread.usual, weeks) * deviation, 0.0)


def at_week(values: Floats, weeks: float) -> float:
    """A running total, known at the end of each week from 0 on, at a time between."""
    return float(np.interp(weeks, np.arange(HORIZON + 1), np.concatenate([[0.0], values])))
