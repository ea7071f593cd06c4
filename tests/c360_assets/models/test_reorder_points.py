"""Reorder points: enough until more has come, as often as the playbook asks."""

from math import ceil
from typing import Any

import numpy as np
import pytest

from c360_assets.models.forecast_model import forecast_model
from c360_assets.models.forecasts import forecasts
from c360_assets.models.reorder_points import UNVARIED, at_week, reorder_points
from governance import playbook
from tests.c360_assets.sellers import Row, demand, rows, sales, weekly
from tests.tables import function_of, table
from tests.tables import rows as rows_of

WEEKS = 60
SOLD = [
    *sales(demand(WEEKS)),
    *rows("product", "same", [2] * WEEKS), *rows("product", "new", [4, 5], WEEKS - 2),
]  # fmt: skip
COLUMNS = (
    "product_id", "product_category", "demand_class", "lead_time_days", "service_level", "weekly_demand",
    "covered_demand", "safety_stock", "reorder_point", "reason",
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Any:
    return function_of(forecast_model)(weekly(SOLD), table)


def points(model: Any, given: list[Row] = SOLD, **stock: Any) -> dict[str, dict[str, Any]]:
    """The rows by product."""
    ours = playbook.load()
    changed = ours.model_copy(update={"stock": ours.stock.model_validate({**ours.stock.model_dump(), **stock})})
    products = table(
        "products",
        {"sku_id": "s1", "product_id": "p000", "product_category": "Home"},
        {"sku_id": "s2", "product_id": "p000", "product_category": "Garden"},
    )
    found = function_of(reorder_points)(weekly(given), model, products, lambda: changed)
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows_of(found, *COLUMNS)}


def test_the_point_is_demand_until_more_has_come_and_safety_stock_rounded_up(model: Any) -> None:
    found = points(model)
    told = {
        row[0]: row[1]
        for row in rows_of(
            function_of(forecasts)(weekly(SOLD), model), "series_id", "total_expected", "level", "week_number"
        )
        if row[2:] == ("product", 3)
    }
    smooth = found["p000"]
    assert (smooth["demand_class"], smooth["product_category"]) == ("smooth", "Garden")
    assert (smooth["lead_time_days"], smooth["service_level"]) == (14, 0.95)
    # Two weeks of lead time and one until the stock is looked at.
    assert smooth["covered_demand"] == pytest.approx(told["p000"], abs=0.001)
    assert smooth["reorder_point"] == ceil(smooth["covered_demand"] + smooth["safety_stock"])
    # Poisson(30) for three weeks: 90 on average, exceeded by 16 in one case of twenty.
    assert 80 < smooth["covered_demand"] < 100
    assert 8 < smooth["safety_stock"] < 30


def test_what_has_no_point_has_a_reason(model: Any) -> None:
    found = points(model)
    assert found["new"]["reason"] == "fewer than 26 weeks of sales: 2"
    assert (found["same"]["reason"], found["same"]["covered_demand"]) == (UNVARIED, 6)
    for row in found.values():
        assert (row["reorder_point"] is None) == (row["reason"] is not None)
    assert points(model, []) == {}


def test_a_category_has_its_own_supply(model: Any) -> None:
    found = points(model, categories={"Garden": {"lead_time_days": 42, "service_level": 0.8}})
    assert (found["p000"]["lead_time_days"], found["p000"]["service_level"]) == (42, 0.8)
    assert (found["p003"]["lead_time_days"], found["p003"]["service_level"]) == (14, 0.95)
    assert 180 < found["p000"]["covered_demand"] < 250


def test_more_certainty_and_more_time_take_more_stock(model: Any) -> None:
    by_level = [points(model, service_level=level)["p000"]["reorder_point"] for level in (0.5, 0.8, 0.95, 0.99)]
    by_time = [points(model, lead_time_days=days)["p000"]["reorder_point"] for days in (1, 10, 14, 84)]
    assert by_level == sorted(by_level)
    assert by_time == sorted(by_time)
    assert len({*by_level}) == len({*by_time}) == 4


def test_the_stock_is_enough_as_often_as_asked_of_noise() -> None:
    """Of demand that goes on as it was, three weeks after each of many pasts."""
    products = demand(WEEKS + 3, 300, seed=9)
    past = [row for name, values in products.items() for row in rows("product", name, values[:WEEKS])]
    past += rows("total", "total", sum(products.values())[:WEEKS])
    found = points(function_of(forecast_model)(weekly(past), table), past)
    enough = [
        products[name][WEEKS:].sum() <= row["reorder_point"] for name, row in found.items() if row["reason"] is None
    ]
    assert len(enough) > 280
    assert np.mean(enough) == pytest.approx(0.95, abs=0.03)


def test_a_time_between_two_weeks_is_between_their_totals() -> None:
    totals = np.arange(1.0, 14.0) * 10
    assert at_week(totals, 2.5) == 25
    assert at_week(totals, 0.5) == 5
