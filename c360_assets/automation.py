"""What runs on its own: jobs, schedules and sensors, each table as often as its contract says.

Loads begin at four, when no time zone's clock is being changed, and are over when scores are published at five.
"""

from collections.abc import Iterable
from datetime import UTC, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from governance.contracts import HOUR, HOURLY, RHYTHMS, Contract
from resources.deployment import Deployment
from resources.feeds import Feeds
from resources.litter import purge
from resources.notifications import deliver

NOTIFY_EVERY_SECONDS = 60
HOURLY_CRON = "5 * * * *"
CRONS = {"daily": "0 4 * * *", "weekly": "0 4 * * 1", "monthly": "0 4 1 * *"}
NIGHTLY, WEEKLY_MODELS = "30 4 * * *", "0 6 * * 0"
DAY = timedelta(days=1)
IN_FLIGHT = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]

refresh = dg.define_asset_job(
    "refresh", selection=dg.AssetSelection.all(), description="Load every source and rebuild every table."
)


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
        (f"load_{name}", _of(datasets, name), cron, f"Load what sources bring {name}.") for name, cron in CRONS.items()
    ]
    # Those that are loaded by the hour load the hour that ended, and have a schedule of their own.
    whole = [contract for contract in datasets if contract.loading != HOURLY]
    plans.append(("load_every_hour", _of(whole, "hourly"), HOURLY_CRON, "Load what sources bring every hour."))
    derived = [contract for contract in contracts.values() if contract.layer in ("conformed", "analytics", "serving")]
    plans.append(("derive_daily", _keys(derived), NIGHTLY, "Rebuild every table that is made from the sources."))
    models = [contract for contract in contracts.values() if contract.layer == "models"]
    plans.append(("models_weekly", _keys(models), WEEKLY_MODELS, "Train and apply the models."))
    timed = [
        scheduled(name, dg.AssetSelection.assets(*keys), cron, timezone, told)
        for name, keys, cron, told in plans
        if keys
    ]
    return [*timed, *_hourly(datasets)]


def scheduled(name: str, selection: dg.AssetSelection, cron: str, timezone: str, told: str) -> dg.ScheduleDefinition:
    """A job and its schedule of the same name, switched on, by the clock of a time zone."""
    return dg.ScheduleDefinition(
        name=name,
        job=dg.define_asset_job(name, selection=selection, description=told),
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=told,
    )


def _hourly(datasets: Iterable[Contract]) -> list[dg.ScheduleDefinition]:
    keys = _keys(contract for contract in datasets if contract.loading == HOURLY)
    if not keys:
        return []
    told = "Load the events of the hour that ended, and late ones of the hours before."
    # Not checked here: that would read the whole history for each hour of it.
    job = dg.define_asset_job(
        "load_hourly", selection=dg.AssetSelection.assets(*keys).without_checks(), description=told
    )

    @dg.schedule(
        name="load_hourly",
        job=job,
        cron_schedule=HOURLY_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=told,
    )
    def ended(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        hour = context.scheduled_execution_time.astimezone(UTC) - HOUR
        return dg.RunRequest(partition_key=f"{hour:%Y-%m-%d-%H}:00")

    return [ended]


def real_time(deployment: Deployment) -> dg.SensorDefinition:
    """Loads orders as they come in and change, and brings the profiles up to date with them."""
    made = [contract for contract in deployment.contracts.values() if contract.layer != "operations"]
    tables = [contract for contract in made if rhythm(contract) == "real_time"]
    datasets = [contract for contract in tables if contract.layer == "sources" and contract.name in deployment.feeds]
    sources = dg.AssetSelection.assets(*_keys(contract for contract in tables if contract.layer == "sources"))
    derived = dg.AssetSelection.assets(*_keys(contract for contract in tables if contract.layer != "sources"))
    job = dg.define_asset_job(
        "real_time",
        # The derived tables are published by their checks; those of whole sources run at night.
        selection=sources.without_checks() | derived,
        description="Load new and changed orders and bring the profiles up to date.",
    )

    @dg.sensor(
        name="real_time",
        job=job,
        minimum_interval_seconds=deployment.settings.schedules.real_time_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a batch as soon as orders or order lines are new or changed at the source.",
    )
    def batch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        in_flight = context.instance.get_runs(dg.RunsFilter(job_name="real_time", statuses=IN_FLIGHT), limit=2)
        # While the profiles are made of what a batch has loaded, the next may wait for its turn.
        if in_flight and {run.run_id for run in in_flight} != {_last_run(deployment, one) for one in datasets}:
            return dg.SkipReason("a batch is in flight; the next takes what comes meanwhile")
        feeds = Feeds(deployment)
        news = [contract.name for contract in datasets if feeds.has_news(contract)]
        return dg.RunRequest(tags={"news": ", ".join(news)}) if news else dg.SkipReason("nothing new")

    return batch


def _last_run(deployment: Deployment, contract: Contract) -> str | None:
    """The run that loaded a dataset last."""
    head = deployment.lake.head(contract)
    return head.properties.get("c360.run_id") if head else None


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
    return _keys(contract for contract in contracts if rhythm(contract) == name)


def _keys(contracts: Iterable[Contract]) -> list[dg.AssetKey]:
    return [dg.AssetKey.from_user_string(contract.key) for contract in contracts]
