"""Made-up weekly sales for tests of forecasts: a season that all share, and products of every kind of demand."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np

from c360_assets.terms.smoothing import YEAR
from tests.tables import money, table

FIRST = date(2024, 1, 1)
Row = dict[str, Any]


def season(weeks: int, height: float = 0.6) -> Any:
    """One factor per week: a wave of 52 weeks."""
    return 1 + height * np.sin(2 * np.pi * np.arange(weeks) / YEAR)


def demand(weeks: int, products: int = 24, height: float = 0.0, seed: int = 2) -> dict[str, Any]:
    """Units by product and week: a third smooth, a third sold now and then, a third in lumps."""
    rng = np.random.default_rng(seed)
    wave = season(weeks, height)
    kinds = [
        lambda: rng.poisson(30 * wave),
        lambda: rng.binomial(1, np.minimum(0.3 * wave, 1)) * 4,
        lambda: rng.binomial(1, np.minimum(0.3 * wave, 1)) * rng.geometric(0.1, weeks),
    ]
    return {f"p{at:03}": kinds[at % 3]() for at in range(products)}


def rows(level: str, name: str, values: Iterable[float], begins: int = 0) -> list[Row]:
    """One series from a week on; revenue is as many as units."""
    return [
        {
            "level": level, "series_id": name, "series_name": name, "week_on": FIRST + timedelta(weeks=begins + at),
            "revenue": money(str(value)), "quantity": money(str(value)), "order_count": 1,
        }
        for at, value in enumerate(values)
    ]  # fmt: skip


def sales(products: dict[str, Any]) -> list[Row]:
    """All levels of products that are sold from the first week on: four categories, one country."""
    groups: dict[tuple[str, str], Any] = {}
    for at, (name, values) in enumerate(products.items()):
        keys = (("total", "total"), ("category", f"c{at % 4}"), ("brand", f"b{at % 6}"), ("country", "unknown"))
        for key in (*keys, ("product", name)):
            groups[key] = groups.get(key, 0) + values
    return [row for (level, name), values in groups.items() for row in rows(level, name, values)]


def weekly(given: list[Row]) -> ir.Table:
    """The table."""
    return table("weekly_sales", *given)
