"""What runs on its own: jobs, schedules and sensors, each table as often as its contract says.

Loads begin at four, when no time zone's clock is being changed, and are over when scores are published at five.
"""

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import Any

import dagster as dg

from governance.contract import DERIVED, HOUR, HOURLY, RHYTHMS, Contract
from resources.deployment import Deployment
from resources.litter import purge
from resources.notifications import deliver

NOTIFY_EVERY_SECONDS = 60
HOURLY_CRON = "5 * * * *"
LOAD_CRONS = {"daily": "0 4 * * *", "weekly": "0 4 * * 1", "monthly": "0 4 1 * *"}
NIGHTLY, WEEKLY_MODELS = "30 4 * * *", "0 6 * * 0"
DAY = timedelta(days=1)
# Runs with this tag bring a part of a source's rows, and its checks repeat what was found in all rows last: to measure
# would read the whole history for each hour of it.
PART_TAG = "c360/part"


def refresh(deployment: Deployment) -> Any:
    """The job that builds everything, which is also what `c360 run` runs."""
    description = f"Load every source and rebuild every table of {deployment.settings.name}."
    return dg.define_asset_job("refresh", selection=dg.AssetSelection.all(), description=description)


def rhythm(contract: Contract) -> str:
    """How a table is brought up to date: real_time, hourly, daily, weekly or monthly."""
    return "real_time" if contract.every < HOUR else RHYTHMS[contract.every]


def freshness(contract: Contract) -> dg.FreshnessPolicy:
    """When a table that was not brought up to date is overdue: half its frequency later, at least an hour.

    A table in real time is judged by the day: it stays as it is as long as nothing happens.
    """
    every = max(contract.every, DAY) if rhythm(contract) == "real_time" else contract.every
    return dg.FreshnessPolicy.time_window(fail_window=every + max(every / 2, HOUR))


def schedules(deployment: Deployment) -> list[dg.ScheduleDefinition]:
    """Loads of the sources by their contracts, the nightly refresh of what is derived, and the weekly models."""
    contracts, timezone = deployment.contracts, deployment.settings.schedule_clock
    datasets = [contract for contract in contracts.values() if contract.layer == "sources"]
    plans = [
        (f"load_{name}", _of(datasets, name), cron, f"Load what sources bring {name}.")
        for name, cron in LOAD_CRONS.items()
    ]
    # Those that are loaded by the hour load the hour that ended, and have a schedule of their own.
    whole = [contract for contract in datasets if contract.loading != HOURLY]
    plans.append(("load_every_hour", _of(whole, "hourly"), HOURLY_CRON, "Load what sources bring every hour."))
    derived = [contract for contract in contracts.values() if contract.layer in DERIVED]
    models = [contract for contract in derived if rhythm(contract) == "weekly"]
    daily = [contract for contract in derived if contract not in models]
    plans.append(("derive_daily", asset_keys(daily), NIGHTLY, "Rebuild every table that is made from the sources."))
    plans.append(
        ("models_weekly", asset_keys(models), WEEKLY_MODELS, "Train the models anew on what has happened since.")
    )
    timed = [
        scheduled(name, dg.AssetSelection.assets(*keys), cron, timezone, description)
        for name, keys, cron, description in plans
        if keys
    ]
    return [*timed, *_hourly(datasets)]


def scheduled(
    name: str, selection: dg.AssetSelection, cron: str, timezone: str, description: str
) -> dg.ScheduleDefinition:
    """A job and its schedule of the same name, switched on, by the clock of a time zone."""
    return dg.ScheduleDefinition(
        name=name,
        job=dg.define_asset_job(name, selection=selection, description=description),
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )


def _hourly(datasets: Iterable[Contract]) -> list[dg.ScheduleDefinition]:
    keys = asset_keys(contract for contract in datasets if contract.loading == HOURLY)
    if not keys:
        return []
    description = "Load the events of the hour that ended, and late ones of the hours before."
    job = dg.define_asset_job(
        "load_hourly", selection=dg.AssetSelection.assets(*keys), tags={PART_TAG: "true"}, description=description
    )

    @dg.schedule(
        name="load_hourly",
        job=job,
        cron_schedule=HOURLY_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def ended(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        hour = context.scheduled_execution_time.astimezone(UTC) - HOUR
        return dg.RunRequest(partition_key=f"{hour:%Y-%m-%d-%H}:00")

    return [ended]


def notifications(deployment: Deployment) -> dg.SensorDefinition:
    """Sends what waits in the outbox to the people it is for."""

    @dg.sensor(
        name="notifications",
        minimum_interval_seconds=NOTIFY_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the notifications of incidents that wait in the outbox.",
    )
    def send() -> dg.SkipReason:
        done = deliver(deployment.operations, deployment.settings.notifications)
        return dg.SkipReason(f"{done.delivered} sent, {done.failed} could not be sent and wait")

    return send


def housekeeping(deployment: Deployment) -> dg.SensorDefinition:
    """Deletes once a day what killed processes left behind."""

    @dg.sensor(
        name="housekeeping",
        minimum_interval_seconds=int(DAY.total_seconds()),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Deletes once a day what killed runs left behind: files that no table knows, scratch folders.",
    )
    def tidy() -> dg.SkipReason:
        return dg.SkipReason(str(purge(deployment)))

    return tidy


def _of(contracts: Iterable[Contract], name: str) -> list[dg.AssetKey]:
    return asset_keys(contract for contract in contracts if rhythm(contract) == name)


def asset_keys(contracts: Iterable[Contract]) -> list[dg.AssetKey]:
    """The tables as Dagster knows them."""
    return [dg.AssetKey.from_user_string(contract.key) for contract in contracts]
