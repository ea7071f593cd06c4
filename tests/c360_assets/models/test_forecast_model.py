"""Forecast model: candidates are tried on a past that knows no future, and chosen only if better for certain."""

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from c360_assets.models.forecast_model import forecast_model
from c360_assets.terms import forecasting
from c360_assets.terms.forecasting import BEFORE, KINDS, LAST, SHARED_SEASON
from tests.c360_assets.sellers import FIRST, Row, demand, rows, sales, weekly
from tests.tables import CONTRACTS, function_of, table
from tests.tables import rows as rows_of

COLUMNS = CONTRACTS["forecast_model"].column_names
made = function_of(forecast_model)


def tried(given: list[Row], *columns: str) -> dict[tuple[str, str], Any]:
    """Columns by kind of series and candidate."""
    return told(rows_of(made(weekly(given), table), *COLUMNS), *columns)


def told(found: list[tuple[Any, ...]], *columns: str) -> dict[tuple[str, str], Any]:
    """Columns by kind of series and candidate, of rows with all columns."""
    by_name = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    asked = {(row["series_kind"], row["candidate"]): tuple(row[name] for name in columns) for row in by_name}
    return {key: values if len(columns) > 1 else values[0] for key, values in asked.items()}


@pytest.fixture(scope="module")
def one_year() -> list[Row]:
    return sales(demand(56))


@pytest.fixture(scope="module")
def found(one_year: list[Row]) -> list[tuple[Any, ...]]:
    return rows_of(made(weekly(one_year), table), *COLUMNS)


def test_every_kind_has_its_candidates_and_one_that_is_chosen(found: list[tuple[Any, ...]]) -> None:
    chosen = told(found, "is_chosen")
    baselines = told(found, "is_baseline")
    judged = {"total", "category", "brand", "smooth product", "intermittent product", "lumpy product"}
    for kind in KINDS:
        ways = [name for of, name in chosen if of == kind.name]
        assert sum(chosen[kind.name, name] for name in ways) == (kind.name in judged)
        assert [name for name in ways if baselines[kind.name, name]] == [LAST]
    reasons = told(found, "reason")
    assert reasons["country", LAST] == "no country of what was sold is known"
    assert reasons["erratic product", LAST] == "no erratic product was 13 weeks old at an origin that is judged: 0"


def test_of_noise_a_mean_is_chosen_and_the_last_week_is_not(found: list[tuple[Any, ...]]) -> None:
    figures = told(found, "is_chosen", "mase", "gain_low", "reason")
    best = {kind: name for (kind, name), row in figures.items() if row[0]}
    assert best["brand"] != LAST
    assert figures["brand", best["brand"]][2] > 0
    assert figures["brand", best["brand"]][3].startswith("chosen: errs least of what was better for certain than")
    assert figures["brand", LAST][3] == f"the baseline, and '{best['brand']}' was better for certain"


def test_a_season_of_two_years_is_seen() -> None:
    figures = tried(sales(demand(120, height=0.6)), "is_chosen", "mase")
    for kind in ("total", "brand", "smooth product"):
        (chosen,) = (name for (of, name), row in figures.items() if of == kind and row[0])
        assert chosen in (BEFORE, SHARED_SEASON)
        assert figures[kind, SHARED_SEASON][1] < figures[kind, LAST][1] / 1.9
    assert figures["brand", SHARED_SEASON][1] < figures["brand", BEFORE][1]


def test_where_nothing_is_better_for_certain_the_baseline_is_chosen() -> None:
    walk = np.maximum(1000 + np.cumsum(np.random.default_rng(4).normal(0, 30, 60)), 0)
    figures = tried(rows("total", "total", walk.round(2)), "is_chosen", "reason")
    assert figures["total", LAST] == (True, "chosen: the baseline, as nothing was better for certain")
    assert not any(row[0] for key, row in figures.items() if key != ("total", LAST))


def test_the_order_of_rows_changes_nothing(one_year: list[Row], found: list[tuple[Any, ...]]) -> None:
    shuffled = list(one_year)
    random.Random(3).shuffle(shuffled)
    assert rows_of(made(weekly(shuffled), table), *COLUMNS) == found


@pytest.mark.parametrize("how", ["deleted", "shuffled"])
def test_what_is_foretold_at_an_origin_knows_only_the_weeks_before(one_year: list[Row], how: str) -> None:
    cut = FIRST + timedelta(weeks=40)
    after = [row for row in one_year if row["week_on"] >= cut]
    values = [row["quantity"] for row in after]
    random.Random(5).shuffle(values)
    later = [row | {"quantity": value, "revenue": value} for row, value in zip(after, values, strict=True)]
    other = [row for row in one_year if row["week_on"] < cut] + (later if how == "shuffled" else [])
    assert foretold(other) == foretold(one_year)


def foretold(given: list[Row]) -> dict[str, bytes]:
    """What every candidate says of products at weeks 26 and 40, by name."""
    series, whole = forecasting.told_of(weekly(given), "product")
    by_id = np.argsort(series.ids)
    ways = forecasting.candidates("product", 56, whole)
    return {name: way(series, [26, 40])[by_id].tobytes() for name, way in ways.items()}


def test_a_leak_would_be_seen(one_year: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    honest = forecasting.smoothing.recent_mean
    monkeypatch.setattr(
        forecasting.smoothing,
        "recent_mean",
        lambda values, starts, at: honest(values, starts, at) + values[:, -1, None, None],
    )
    cut = FIRST + timedelta(weeks=40)
    assert foretold([row for row in one_year if row["week_on"] < cut]) != foretold(one_year)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "fewer than 39 weeks of sales: 0"),
        (rows("total", "total", [5]), "fewer than 39 weeks of sales: 1"),
        (rows("total", "total", [5] * 38), "fewer than 39 weeks of sales: 38"),
    ],
)
def test_too_few_weeks_are_told(given: list[Row], reason: str) -> None:
    figures = tried(given, "reason", "is_chosen", "mae", "series_count")
    assert figures["total", LAST] == (reason, False, None, 0)
    assert len({kind for kind, _ in figures}) == len(KINDS)


@pytest.mark.parametrize("value", [0, 7])
def test_what_never_changed_is_foretold_by_the_baseline_without_figures_in_scales(value: int) -> None:
    figures = tried(rows("total", "total", [value] * 60), "is_chosen", "mae", "mase", "gain", "interval_model")
    assert figures["total", LAST] == (True, 0.0, None, None, None)


def test_figures_are_numbers() -> None:
    """Of a product that was sold once, a new one, one that ended, and one that came back more than it was sold."""
    odd = [
        *sales(demand(60, 6)), *rows("product", "once", [9] + [0] * 59), *rows("product", "new", [4, 5], 58),
        *rows("product", "ended", [6] * 20 + [0] * 40), *rows("product", "back", [-3] + [0] * 59),
    ]  # fmt: skip
    for row in rows_of(made(weekly(odd), table), *COLUMNS):
        assert all(np.isfinite(value) for value in row if isinstance(value, float)), row
