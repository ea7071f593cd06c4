"""Forecasts of real sales: CDNOW, whose weeks a plain loop over the published file adds up."""

import os
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pytest

from c360_assets.analytics.value.weekly_sales import weekly_sales
from c360_assets.models.forecast_model import forecast_model
from c360_assets.models.forecasts import forecasts
from tests.c360_assets.sellers import rows as series
from tests.tables import at, function_of, rows, table

DATA = Path(os.environ.get("C360_DATA") or Path(__file__).parents[3] / "shared" / "data") / "cdnow"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="C360_DATA names no folder that holds cdnow/")
# The first Monday of 1997, and that of the last week that was over on 30 June 1998.
FIRST, LAST = date(1997, 1, 6), date(1998, 6, 22)


def added_up(lines: list[tuple[date, Decimal]]) -> list[Decimal]:
    """What was sold in each whole week."""
    sold: dict[date, Decimal] = defaultdict(Decimal)
    for on, amount in lines:
        sold[on - timedelta(days=on.weekday())] += amount
    return [sold[FIRST + timedelta(weeks=week)] for week in range((LAST - FIRST).days // 7 + 1)]


@pytest.fixture(scope="module")
def whole() -> ir.Table:
    """The weeks of the whole file."""
    fields = [line.split() for line in (DATA / "CDNOW_master.txt").read_text().splitlines()[1:]]
    weeks = added_up([(datetime.strptime(on, "%Y%m%d").date(), Decimal(dollars)) for _, on, _, dollars in fields])
    given = [row | {"week_on": FIRST + timedelta(weeks=at)} for at, row in enumerate(series("total", "total", weeks))]  # type: ignore[arg-type]
    return table("weekly_sales", *given)


def test_weeks_of_the_sample_are_those_of_a_plain_loop() -> None:
    fields = [line.split() for line in (DATA / "CDNOW_sample.txt").read_text().splitlines()]
    orders: list[dict[str, Any]] = [
        {
            "order_id": str(number), "customer_id": person, "ordered_at": datetime.strptime(on, "%Y%m%d"),
            "is_completed": True, "order_amount": Decimal(dollars), "refunded_amount": Decimal(0),
        }
        for number, (_, person, on, _, dollars) in enumerate(fields)
    ]  # fmt: skip
    found = function_of(weekly_sales)(
        table("orders", *orders), table("order_lines"), table("products"), table("customers"), at("1998-06-30")
    )
    total = [row for row in rows(found, "week_on", "level", "revenue") if row[1] == "total"]
    expected = added_up([(row["ordered_at"].date(), row["order_amount"]) for row in orders])
    assert [(on, revenue) for on, _, revenue in total] == [
        (FIRST + timedelta(weeks=week), sold) for week, sold in enumerate(expected)
    ]


def test_the_mean_of_13_weeks_beats_the_last_week_for_certain(whole: ir.Table) -> None:
    model = function_of(forecast_model)(whole, table)
    found = {
        row[0]: row[2:]
        for row in rows(model, "candidate", "series_kind", "is_chosen", "mase", "gain_low")
        if row[1] == "total"
    }
    assert found["mean of 13 weeks"] == (True, pytest.approx(0.811, abs=0.001), pytest.approx(0.089, abs=0.001))
    assert found["last week again"][1] == pytest.approx(1.041, abs=0.001)
    weeks = rows(function_of(forecasts)(whole, model), "week_number", "week_on", "expected", "low_80", "high_80")
    assert [row[1] for row in weeks] == [LAST + timedelta(weeks=ahead) for ahead in range(1, 14)]
    assert all(low < expected < high for _, _, expected, low, high in weeks)
