"""Runs that fail: an incident for each table that could not be built, and its end once it was.

Checks record their own incidents as they find them, in the step in which they run; this is about steps that broke, and
about runs that ended without a word because their process was killed.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from checks import incidents
from checks.incidents import Outcome
from checks.quality import SUFFIX
from checks.scoring import ERROR, PASS
from governance.contract import Contract
from resources.deployment import Deployment

RULE = "built"
CHECK_EVERY_SECONDS = 15


def sensors(deployment: Deployment) -> list[dg.SensorDefinition]:
    """A sensor for runs that failed, and one for those that went well."""

    def watch(name: str, status: dg.DagsterRunStatus, description: str) -> dg.SensorDefinition:
        @dg.run_status_sensor(
            name=name,
            run_status=status,
            monitor_all_code_locations=True,
            minimum_interval_seconds=CHECK_EVERY_SECONDS,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=description,
        )
        def sensor(context: dg.RunStatusSensorContext) -> None:
            record(deployment, context.instance, context.dagster_run.run_id)

        return sensor

    return [
        watch("failed_runs", dg.DagsterRunStatus.FAILURE, "Opens an incident for each table a run could not build."),
        watch("good_runs", dg.DagsterRunStatus.SUCCESS, "Ends the incidents of tables that were built again."),
    ]


def record(deployment: Deployment, instance: dg.DagsterInstance, run_id: str) -> None:
    """Carry what became of a run over to the incidents: of each table whose step failed, and of each that was built.

    A run that broke without a failed step is an incident of its job.
    """
    run = instance.get_run_by_id(run_id)
    stats = instance.get_run_stats(run_id)
    if run is None or stats.end_time is None:
        return
    failed = set(_failed(instance, run_id))
    if run.status == dg.DagsterRunStatus.FAILURE and not failed:
        failed = {run.job_name}
    built = {run.job_name} if run.status == dg.DagsterRunStatus.SUCCESS else set()
    built |= {key.to_user_string() for key in _materialised(instance, run_id)} - failed
    ended = datetime.fromtimestamp(stats.end_time, UTC).replace(tzinfo=None)
    with deployment.operations.begin() as connection:
        for outcome, tables in ((ERROR, failed), (PASS, built)):
            for table in sorted(tables):
                found = [Outcome(RULE, outcome, "error", failing=0)]
                incidents.record(deployment.operations, connection, table, run_id, ended, found)


def record_source(deployment: Deployment, contract: Contract, moment: datetime, works: bool) -> None:
    """Carry over to the incident of a source whether a sensor, at a `moment` (UTC), could look at it.

    One that can be looked at and has nothing new is up to date, whatever failed before.
    """
    found = [Outcome(RULE, PASS if works else ERROR, "error", failing=0)]
    with deployment.operations.begin() as connection:
        run_id = f"sensor at {moment:%Y-%m-%d %H:%M:%S}"
        incidents.record(deployment.operations, connection, contract.key, run_id, moment, found)


def _failed(instance: dg.DagsterInstance, run_id: str) -> Iterable[str]:
    """The tables whose step failed. A step of checks that only says what it found is told of by its rules."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        error = event.step_failure_data.error
        if error is None or error.cls_name != "DagsterAssetCheckFailedError":
            yield event.step_key.removesuffix(SUFFIX).replace("__", "/")


def _materialised(instance: dg.DagsterInstance, run_id: str) -> Iterable[dg.AssetKey]:
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        if entry.dagster_event and entry.dagster_event.asset_key:
            yield entry.dagster_event.asset_key
