"""What runs on its own: when schedules fire over a year, what sensors start, and what counts as overdue."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from c360_assets import automation
from c360_assets.definitions import build
from governance.contract import DERIVED
from resources.deployment import Deployment
from tests.running import deployed
from tests.tables import CONTRACTS

YEAR = 2027
# Berlin and New York change their clocks at two, Athens at three, Santiago and Cairo at midnight, Apia never.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Europe/Athens",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Apia",
)
EVERYTHING = "".join(
    f"  {contract.name}: {{from: till}}\n" for contract in CONTRACTS.values() if contract.layer == "sources"
)


def deployment_in(folder: Path, timezone: str = "UTC", extra: str = "") -> Deployment:
    (folder / "c360.yaml").write_text(
        f"name: Shop\ncurrency: EUR\nconnectors:\n  till: {{type: files, path: till.csv}}\nfeeds:\n{EVERYTHING}"
        f"schedules: {{timezone: {timezone}{extra}}}\n"
    )
    return deployed(folder / "c360.yaml", folder / "home")


def definitions(folder: Path, timezone: str = "UTC") -> dg.Definitions:
    return build(deployment_in(folder, timezone))


def ticks(schedule: dg.ScheduleDefinition) -> list[datetime]:
    """When a schedule fires in the year, by the iterator the daemon itself asks."""
    zone = ZoneInfo(schedule.execution_timezone or "UTC")
    start, end = (datetime(year, 1, 1, tzinfo=zone) for year in (YEAR, YEAR + 1))
    found: list[datetime] = []
    for moment in schedule_execution_time_iterator(start.timestamp(), schedule.cron_schedule, str(zone)):
        if moment >= end:
            return found
        found.append(moment)
    return found


def days() -> Iterator[date]:
    first = date(YEAR, 1, 1)
    return (first + timedelta(days=day) for day in range((date(YEAR + 1, 1, 1) - first).days))


@pytest.mark.parametrize("zone", ZONES)
def test_schedules_fire_at_the_documented_times_of_a_whole_year_whatever_the_clock_does(
    zone: str, tmp_path: Path
) -> None:
    wanted = {
        "load_daily": (4, 0, lambda day: True),
        "load_weekly": (4, 0, lambda day: day.weekday() == 0),
        "load_monthly": (4, 0, lambda day: day.day == 1),
        "derive_daily": (4, 30, lambda day: True),
        "models_weekly": (6, 0, lambda day: day.weekday() == 6),
        "quality_daily": (5, 0, lambda day: True),
        "quality_weekly": (5, 0, lambda day: day.weekday() == 0),
        "quality_monthly": (5, 0, lambda day: day.day == 1),
    }
    schedules = {schedule.name: schedule for schedule in definitions(tmp_path, zone).schedules or ()}
    assert schedules.keys() == {*wanted, "load_hourly"}
    for name, (hour, minute, is_due) in wanted.items():
        local = [(moment.date(), moment.hour, moment.minute) for moment in ticks(schedules[name])]
        assert local == [(day, hour, minute) for day in days() if is_due(day)], name


def test_every_hour_of_a_year_is_loaded_once_after_it_ended(tmp_path: Path) -> None:
    hourly = definitions(tmp_path, "Europe/Berlin").resolve_schedule_def("load_hourly")
    moments = ticks(hourly)
    first = datetime(YEAR, 1, 1, 0, 5, tzinfo=UTC)
    assert moments == [first + timedelta(hours=hour) for hour in range(365 * 24)]


def test_the_tick_after_an_hour_asks_for_that_hour(tmp_path: Path) -> None:
    defs = definitions(tmp_path, "Europe/Berlin")
    hourly = defs.resolve_schedule_def("load_hourly")
    # The days of both changes of the clock in Berlin; of hours to come there is no partition yet.
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        for hour in range(24):
            moment = datetime(day.year, day.month, day.day, hour, 5, tzinfo=UTC)
            tick = hourly.evaluate_tick(
                dg.build_schedule_context(scheduled_execution_time=moment, repository_def=defs.get_repository_def())
            )
            (request,) = tick.run_requests or ()
            assert request.partition_key == f"{moment - timedelta(hours=1, minutes=5):%Y-%m-%d-%H:%M}"


def test_each_source_is_loaded_as_often_as_documented(tmp_path: Path) -> None:
    defs = definitions(tmp_path)
    documented = {
        "load_hourly": {"web_analytics"},
        "load_weekly": {"product"},
        "load_monthly": {"brand"},
        "real_time": {"orders", "order_line_item"},
    }
    for job, datasets in documented.items():
        assert {name.removeprefix("sources/") for name in _tables(defs, job) if name.startswith("sources/")} == datasets
    assert {"sources/customer", "sources/transactions"} <= _tables(defs, "load_daily")
    loaded = set().union(*(_tables(defs, job) for job in (*documented, "load_daily")))
    assert {contract.key for contract in CONTRACTS.values() if contract.layer == "sources"} <= loaded


def test_everything_derived_is_rebuilt_every_night_models_every_week_and_profiles_with_each_batch(
    tmp_path: Path,
) -> None:
    defs = definitions(tmp_path)
    weekly = {
        "churn_examples", "churn_model", "churn_metrics", "churn_deciles",
        "action_model", "lifetime_model", "recommendation_model", "basket_rules", "forecast_model",
    }  # fmt: skip
    assert _tables(defs, "models_weekly") == weekly
    derived = {key for key, found in CONTRACTS.items() if found.layer in DERIVED}
    assert _tables(defs, "derive_daily") == derived - weekly
    assert {"as_of", "customers", "orders", "order_lines", "rfm", "customer_360"} <= _tables(defs, "real_time")


def _tables(defs: dg.Definitions, job: str) -> set[str]:
    selected = defs.resolve_job_def(job).asset_layer.selected_asset_keys
    return {key.to_user_string() for key in selected}


def test_every_table_is_overdue_half_its_frequency_late(tmp_path: Path) -> None:
    found = {
        asset.key.to_user_string(): spec.freshness_policy
        for asset in definitions(tmp_path).assets or ()
        if isinstance(asset, dg.AssetsDefinition)
        for spec in asset.specs
    }
    made = {key for key, contract in CONTRACTS.items() if contract.layer != "operations"}
    hours = {key: policy.fail_window.to_timedelta() / timedelta(hours=1) for key, policy in found.items() if policy}
    assert made <= hours.keys()
    expected = {"sources/web_analytics": 2, "sources/customer": 36, "sources/product": 252, "sources/orders": 36}
    assert {key: hours[key] for key in expected} == expected


def test_rhythms_are_those_of_the_contracts() -> None:
    found = {automation.rhythm(contract) for contract in CONTRACTS.values()}
    assert found == {"real_time", "hourly", "daily", "weekly", "monthly"}
