"""Forecasts: every series has 13 weeks with nested intervals, or the reason why not."""

from datetime import timedelta
from typing import Any

import pytest

from c360_assets.models.forecast_model import forecast_model
from c360_assets.models.forecasts import BOUNDS, NO_SALES, UNVARIED, forecasts
from tests.c360_assets.sellers import FIRST, Row, demand, rows, sales, weekly
from tests.tables import function_of, table
from tests.tables import rows as rows_of

WEEKS = 60
NUMBERS = ("expected", *BOUNDS, "total_expected", *(f"total_{name}" for name in BOUNDS))
ODD = [
    *rows("product", "once", [9] + [0] * (WEEKS - 1)), *rows("product", "new", [4, 5], WEEKS - 2),
    *rows("product", "ended", [6, 0, 5] * 6 + [0] * (WEEKS - 18)), *rows("category", "new", [3] * 9, WEEKS - 9),
    *rows("product", "same", [2] * WEEKS), *rows("product", "back", [-3] + [0] * (WEEKS - 1)),
]  # fmt: skip


def made(given: list[Row], tried: list[Row] | None = None) -> Any:
    model = function_of(forecast_model)(weekly(given if tried is None else tried), table)
    return function_of(forecasts)(weekly(given), model)


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each series, by week."""
    names = ("level", "series_id", "week_number", "week_on", "candidate", "reason", *NUMBERS)
    told: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows_of(made([*sales(demand(WEEKS)), *ODD]), *names, by="week_number"):
        told.setdefault(row[:2], []).append(dict(zip(names, row, strict=True)))
    return told


def test_every_series_has_the_13_weeks_that_come(found: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    weeks = [FIRST + timedelta(weeks=WEEKS + at) for at in range(13)]
    for series in found.values():
        assert [(row["week_number"], row["week_on"]) for row in series] == list(enumerate(weeks, 1))


def test_intervals_are_nested_and_never_below_zero(found: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    judged = [row for series in found.values() for row in series if row["low_80"] is not None]
    assert len(judged) > 13 * 30
    for row in judged:
        for start in ("", "total_"):
            low, narrow, expected, high, wide = (
                row[f"{start}{name}"] for name in ("low_95", "low_80", "expected", "high_80", "high_95")
            )
            assert 0 <= low <= narrow <= expected <= high <= wide


def test_totals_run_on(found: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    total = found["total", "total"]
    assert total[3]["total_expected"] == pytest.approx(sum(row["expected"] for row in total[:4]), abs=0.001)
    assert total[12]["total_high_80"] - total[12]["total_low_80"] < 13 * (total[0]["high_80"] - total[0]["low_80"])


def test_what_has_no_forecast_has_a_reason(found: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    told = {key: series[0] for key, series in found.items()}
    assert told["category", "new"]["reason"] == "fewer than 26 weeks of sales: 9"
    assert told["product", "new"]["reason"] == "fewer than 26 weeks of sales: 2"
    assert told["product", "back"]["reason"] == "nothing was sold in a whole week"
    assert told["country", "unknown"]["reason"] == "no country of what was sold is known"
    for row in (told["product", "new"], told["product", "back"], told["country", "unknown"]):
        assert (row["candidate"], {row[name] for name in NUMBERS}) == (None, {None})
    same = told["product", "same"]
    assert (same["expected"], same["low_80"], same["reason"]) == (2, None, UNVARIED)


def test_what_is_no_longer_sold_is_foretold_to_stay_so(found: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    assert found["product", "ended"][0]["expected"] < 0.2
    assert found["product", "once"][0]["expected"] < 0.1


@pytest.mark.parametrize("weeks", [0, 1, 3, 25, 30])
def test_too_little_history_is_one_reason(weeks: int) -> None:
    found = rows_of(
        made(rows("total", "total", [5, 6, 7, 8, 9] * 6)[:weeks]), "week_number", "week_on", "expected", "reason"
    )
    reason = f"fewer than 39 weeks of sales: {weeks}" if weeks else NO_SALES
    dates = [FIRST + timedelta(weeks=weeks + at) if weeks else None for at in range(13)]
    assert found == [(at + 1, on, None, reason) for at, on in enumerate(dates)]


def test_the_model_of_last_week_serves_until_it_is_made_anew() -> None:
    older = rows("total", "total", [100 + 7 * (at % 5) for at in range(60)])
    newer = [*older, *rows("total", "total", [500], 60)]
    old, new = (rows_of(made(given, older), "week_number", "week_on", "expected") for given in (older, newer))
    assert new[0][1] == old[1][1]
    assert new[0][2] > old[0][2]


def test_a_way_that_needs_more_weeks_than_are_held_is_refused() -> None:
    longer = rows("total", "total", [round(100 + 60 * (at % 52 < 26) + at % 3, 2) for at in range(120)])
    shorter = rows("total", "total", [100.0 + at % 3 for at in range(60)])
    reasons = {row[1] for row in rows_of(made(shorter, longer), "week_number", "reason")}
    assert reasons == {"the model was made when other weeks were held"}
