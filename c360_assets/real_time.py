"""The sensor that brings profiles up to date as soon as there is news, and what it does while a source is down.

A source that cannot be looked at, or whose load fails, is an incident, and is asked less and less often until it works
again, while the others go on. What is known of it lies in the sensor's cursor and is counted in ticks, so nothing here
reads a clock.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from c360_assets.automation import PART_TAG, asset_keys, rhythm
from checks import runs
from governance.contract import Contract
from governance.errors import C360Error
from resources.deployment import Deployment
from resources.feeds import Feeds

NAME = "real_time"
IN_FLIGHT = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]
# The tag of a batch that names the datasets with news.
NEWS = "news"
LONGEST_WAIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Trouble:
    """A source that failed so often in a row, and is left alone for `wait` ticks more. `held` is the run that loaded
    what is held of it: once that is another, it works again.
    """

    failures: int
    wait: int
    held: str | None


def sensor(deployment: Deployment) -> dg.SensorDefinition:
    """Loads orders as they come in and change, and brings the profiles up to date with them."""
    made = [contract for contract in deployment.contracts.values() if contract.layer != "operations"]
    tables = [contract for contract in made if rhythm(contract) == NAME]
    sources = [contract for contract in tables if contract.layer == "sources"]
    datasets = [contract for contract in sources if contract.name in deployment.feeds]
    job = dg.define_asset_job(
        NAME,
        selection=dg.AssetSelection.assets(*asset_keys(tables)),
        tags={PART_TAG: "true"},
        description="Load new and changed orders and bring the profiles up to date.",
    )

    @dg.sensor(
        name=NAME,
        job=job,
        minimum_interval_seconds=deployment.settings.schedules.real_time_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a batch as soon as orders or order lines are new or changed at the source.",
    )
    def batch(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        in_flight = context.instance.get_runs(dg.RunsFilter(job_name=NAME, statuses=IN_FLIGHT), limit=2)
        # While the profiles are made of what a batch has loaded, the next may wait for its turn.
        if in_flight and {run.run_id for run in in_flight} != {_last_run(deployment, one) for one in datasets}:
            return dg.SkipReason("a batch is in flight; the next takes what comes meanwhile")
        look = _Look(deployment, context)
        for contract in datasets:
            look.at(contract)
        context.update_cursor(look.cursor)
        if not look.news:
            return dg.SkipReason("; ".join(look.notes) or "nothing new")
        tags = {NEWS: ", ".join(look.news)}
        left_out = {f"sources/{name}" for name in look.troubles.keys() - look.news}
        if not left_out:
            return dg.RunRequest(tags=tags)
        return dg.RunRequest(
            tags=tags,
            asset_selection=asset_keys(contract for contract in tables if contract.key not in left_out),
        )

    return batch


class _Look:
    """One look at the sources: which have news, which do not work, and what is to be said of these."""

    def __init__(self, deployment: Deployment, context: dg.SensorEvaluationContext) -> None:
        known = json.loads(context.cursor or "{}")
        self.deployment = deployment
        self.feeds = Feeds(deployment)
        self.moment = _moment(context)
        self.failed, to_load = _failed_batch(context.instance)
        # Each counts once.
        self.not_loaded = to_load if self.failed != known.get("failed") else []
        self.known = {name: Trouble(**state) for name, state in known.get("troubles", {}).items()}
        self.troubles: dict[str, Trouble] = {}
        self.news: list[str] = []
        self.notes: list[str] = []

    @property
    def cursor(self) -> str:
        """What the next look has to know."""
        troubles = {name: asdict(trouble) for name, trouble in self.troubles.items()}
        return json.dumps({"failed": self.failed, "troubles": troubles})

    def at(self, contract: Contract) -> None:
        """Ask a source whether it has news, unless it is left alone for now."""
        trouble = self._trouble(contract)
        if trouble and trouble.wait:
            self.troubles[contract.name] = replace(trouble, wait=trouble.wait - 1)
            self.notes.append(
                f"{contract.name} failed {trouble.failures} times; ticks until it is asked: {trouble.wait}"
            )
            return
        try:
            has_news = self.feeds.has_news(contract)
        except (C360Error, OSError) as fault:
            self.troubles[contract.name] = self._worse(contract, trouble)
            self.notes.append(f"{contract.name} cannot be looked at. {fault}")
            runs.record_source(self.deployment, contract, self.moment, works=False)
            return
        if has_news:
            self.news.append(contract.name)
            if trouble:
                self.troubles[contract.name] = trouble
        elif trouble:
            runs.record_source(self.deployment, contract, self.moment, works=True)

    def _trouble(self, contract: Contract) -> Trouble | None:
        """What is known of a source that does not work, the last batch included."""
        trouble = self.known.get(contract.name)
        failed = contract.name in self.not_loaded
        if not (trouble or failed):
            return None
        held = _last_run(self.deployment, contract)
        if trouble and trouble.held != held:
            trouble = None
        return self._worse(contract, trouble) if failed and held != self.failed else trouble

    def _worse(self, contract: Contract, trouble: Trouble | None) -> Trouble:
        """The trouble after one failure more: the source is left alone for twice as long."""
        failures = trouble.failures + 1 if trouble else 1
        seconds = self.deployment.settings.schedules.real_time_seconds
        longest = int(LONGEST_WAIT.total_seconds()) // seconds
        # Beyond ten doublings it is the longest anyway.
        return Trouble(failures, min(2 ** min(failures - 1, 10), longest), _last_run(self.deployment, contract))


def _failed_batch(instance: dg.DagsterInstance) -> tuple[str | None, list[str]]:
    """The newest batch if it failed, and the datasets that it was to load."""
    for run in instance.get_runs(dg.RunsFilter(job_name=NAME), limit=1):
        if run.status == dg.DagsterRunStatus.FAILURE:
            return run.run_id, run.tags.get(NEWS, "").split(", ")
    return None, []


def _moment(context: dg.SensorEvaluationContext) -> datetime:
    """When this is, as Dagster has it: the last look, or when the looking began (UTC)."""
    seconds = context.last_tick_completion_time or context.last_sensor_start_time or 0.0
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _last_run(deployment: Deployment, contract: Contract) -> str | None:
    """The run that loaded a dataset last."""
    head = deployment.lake.head(contract)
    return head.properties.get("c360.run_id") if head else None
