"""Requests that are due: people are warned before, and an incident is open while one is overdue."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from checks import requests
from checks.requests import DAYS_BEFORE, RULE, TABLE
from portal.rights import requests as desk
from resources import deployment as deployments
from resources.deployment import Deployment

DUE = datetime(2026, 2, 28)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    file = tmp_path / "c360.yaml"
    file.write_text("name: Shop\ncurrency: EUR\n")
    deployment = deployments.load(file)
    yield deployment
    deployment.close()


def incident(shop: Deployment) -> tuple[str, str] | None:
    found = {row["rule"]: row for row in shop.operations.records("incidents") if row["dataset"] == TABLE}
    return (found[RULE]["status"], found[RULE]["severity"]) if RULE in found else None


def test_whoever_waits_too_long_is_told_of_until_answered(shop: Deployment) -> None:
    desk.add(shop, desk.ACCESS, "C1", date(2026, 1, 31))
    requests.record(shop, DUE - DAYS_BEFORE - timedelta(days=1))
    assert incident(shop) is None
    requests.record(shop, DUE - DAYS_BEFORE)
    assert incident(shop) == ("open", "warning")
    requests.record(shop, DUE)
    assert incident(shop) == ("open", "warning")
    requests.record(shop, DUE + timedelta(days=1))
    assert incident(shop) == ("open", "error")
    desk.answered(shop, desk.ACCESS, "C1", "ann")
    requests.record(shop, DUE + timedelta(days=2))
    assert incident(shop) == ("resolved", "error")


def test_the_sensor_looks_by_itself(shop: Deployment) -> None:
    desk.add(shop, desk.ACCESS, "C1", date(2020, 1, 31))
    result = requests.sensor(shop)(dg.build_sensor_context())
    assert "1 requests are due" in str(result.skip_message)
    assert incident(shop) == ("open", "error")
