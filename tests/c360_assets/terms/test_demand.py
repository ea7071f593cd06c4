"""Demand: weekly sales as arrays, and kinds of demand as published."""

import random
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from c360_assets.terms.demand import classes, deviations, is_known, scales, series_of
from tests.tables import money, table

FIRST = date(2026, 1, 5)


def weekly(level: str, name: str, values: list[float], begins: int = 0) -> list[dict[str, Any]]:
    """A series from a week on; revenue is twice the units."""
    key = {"level": level, "series_id": name, "series_name": name.upper(), "order_count": 1}
    return [
        key
        | {
            "week_on": FIRST + timedelta(weeks=begins + at),
            "quantity": money(str(value)),
            "revenue": money(str(2 * value)),
        }
        for at, value in enumerate(values)
    ]


def test_series_are_rows_that_end_in_the_same_week_whatever_the_order() -> None:
    rows = [*weekly("product", "b", [1, 0, 2]), *weekly("product", "a", [5], 2), *weekly("total", "total", [1, 0, 7])]
    random.Random(1).shuffle(rows)
    found = series_of(table("weekly_sales", *rows), "product", "quantity")
    assert (found.ids, found.names, found.starts.tolist()) == (["b", "a"], ["B", "A"], [0, 2])
    assert found.values.tolist() == [[1, 0, 2], [0, 0, 5]]
    assert found.ages.tolist() == [3, 1]
    assert found.last_on == date(2026, 1, 19)
    assert series_of(table("weekly_sales", *rows), "total", "revenue").values.tolist() == [[2, 0, 14]]
    assert series_of(table("weekly_sales"), "total", "revenue").weeks == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([5, 6, 5, 4, 5, 6, 5, 5], "smooth"),
        ([1, 9, 1, 1, 20, 1, 1, 2], "erratic"),
        ([3, 0, 0, 3, 0, 3, 0, 0], "intermittent"),
        ([3, 0, 0, 30, 0, 1, 0, 0], "lumpy"),
        ([1, 0, 0, 0, 0, 0, 0, 0], "intermittent"),
        ([-2, 0, 0, 0, 0, 0, 0, 0], ""),
    ],
)
def test_kinds_of_demand(values: list[float], kind: str) -> None:
    found = series_of(table("weekly_sales", *weekly("product", "a", values)), "product", "quantity")
    assert classes(found, 8).tolist() == [kind]


def test_borders_of_the_kinds_are_those_published() -> None:
    """An interval of 1.32 is intermittent, a squared coefficient of variation of 0.49 is of varying size."""
    every = [1.0] * 75 + [0.0] * 24
    found = series_of(table("weekly_sales", *weekly("product", "a", every)), "product", "quantity")
    assert classes(found, 99).tolist() == ["intermittent"]
    assert classes(found, 98).tolist() == ["smooth"]
    sizes = [*weekly("product", "a", [0.31, 1.69]), *weekly("product", "b", [0.29, 1.71])]
    varying = series_of(table("weekly_sales", *sizes), "product", "quantity")
    assert classes(varying, 2).tolist() == ["smooth", "erratic"]


def test_the_scale_is_the_mean_change_within_the_life_of_a_series() -> None:
    rows = [*weekly("product", "a", [4, 1, 3, 3, 9]), *weekly("product", "b", [8, 5, 100], 2)]
    found = series_of(table("weekly_sales", *rows), "product", "quantity")
    assert scales(found, 4).tolist() == [5 / 3, 3.0]
    assert scales(found, 5).tolist() == [11 / 4, 49.0]
    assert np.isnan(scales(found, 3)).tolist() == [False, True]
    assert deviations(found, 4) == pytest.approx([np.sqrt((3**2 + 2**2) / 3), 3.0])


def test_products_that_are_not_known_are_told() -> None:
    rows = [*weekly("product", "unknown", [4]), *weekly("product", "a", [4])]
    assert is_known(series_of(table("weekly_sales", *rows), "product", "quantity")).tolist() == [True, False]
