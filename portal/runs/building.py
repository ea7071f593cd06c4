"""Tables built by Dagster in this process; its events are told as what became of each table."""

import getpass
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.storage.tags import MAX_RETRIES_TAG, USER_TAG

from c360_assets.definitions import build
from c360_assets.sources.datasets import WHOLE_TAG
from checks.quality import SCORE, SUFFIX
from governance.errors import C360Error, nearest
from portal.runs.running import RunReport, SelectionError, TableRun
from resources.deployment import Deployment
from resources.explaining import explained
from resources.instance import instance, job_origin
from resources.launcher import process_tags

STEP_STARTED, STEP_DONE, STEP_FAILED, STEP_SKIPPED = (
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_FAILURE",
    "STEP_SKIPPED",
)
RUN_FAILED = "PIPELINE_FAILURE"
INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
# What Dagster puts around the error of a table.
WRAPPERS = (
    "DagsterExecutionStepExecutionError",
    "DagsterExecutionHandleOutputError",
    "DagsterExecutionLoadInputError",
    "DagsterResourceFunctionError",
)

AS_OF = dg.AssetKey("as_of")


class Refresh:
    """Builds the tables of a deployment that a selection names; `keys` are theirs.

    SelectionError where there is no such table, or where `as_of` is asked for and none of them depends on it.
    """

    def __init__(self, deployment: Deployment, selection: Sequence[str], as_of: datetime | None) -> None:
        definitions = build(deployment)
        self.deployment = deployment
        self.as_of = as_of
        self.job = definitions.resolve_job_def("refresh")
        self.selected, self.behind = _selected(definitions, selection)
        self.keys = [key.to_user_string() for key in self.selected]
        if as_of is not None and AS_OF not in self.selected:
            raise SelectionError(_without_moment(definitions, selection))

    def run(self, report: RunReport, notice: Callable[[TableRun], None], whole: bool, tags: Mapping[str, str]) -> None:
        """Build them and write into the report what became of each; a fault of one is no error here."""
        config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        if self.as_of is not None:
            config["ops"] = {"as_of": {"config": {"as_of": self.as_of.isoformat()}}}
        with instance(self.deployment) as dagster:
            # Left to itself, a run in this process is of no code location, and no list of its job's runs has it.
            created = partial(dagster.create_run_for_job, remote_job_origin=job_origin(self.job.name))
            dagster.create_run_for_job = created  # type: ignore[method-assign]
            dagster.add_event_listener(report.run_id, _Listener(report, notice, self.deployment))
            self.job.execute_in_process(
                run_config=config,
                instance=dagster,
                asset_selection=self.selected,
                run_id=report.run_id,
                # The daemon of the same instance may see that this process died, but cannot start it again.
                tags={
                    **process_tags(),
                    MAX_RETRIES_TAG: "0",
                    USER_TAG: f"{_account()} (c360 run)",
                    **({WHOLE_TAG: "true"} if whole else {}),
                    **tags,
                },
                raise_on_error=False,
            )
        # Dagster says nothing of a step it never came to because of what failed before.
        for key in sorted(self.keys):
            report.tables.setdefault(key, TableRun(key, "skipped"))


def _account() -> str:
    """The account of this machine that the command runs under, which in a container may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _selected(definitions: dg.Definitions, selection: Sequence[str]) -> tuple[list[dg.AssetKey], list[str]]:
    """The tables to build, and those that will be of another moment then, as nobody asked for them.

    With as_of come the tables by which a selected one depends on it: of two moments, they would not fit together.
    """
    graph = definitions.resolve_asset_graph()
    buildable = graph.materializable_asset_keys
    chosen: dg.AssetSelection = dg.AssetSelection.all()
    if selection:
        for name in selection:
            if dg.AssetKey.from_user_string(name.lstrip("+")) not in buildable:
                like = nearest(name.lstrip("+"), [key.to_user_string() for key in buildable])
                raise SelectionError(
                    f"There is no table '{name.lstrip('+')}' to build{like}. Those there are: c360 tables"
                )
        parts = [_part(name) for name in selection]
        chosen = parts[0]
        for part in parts[1:]:
            chosen = chosen | part
    keys = set(chosen.resolve(graph))
    behind: set[dg.AssetKey] = set()
    if AS_OF in keys:
        of_moment = set(dg.AssetSelection.assets(AS_OF).downstream().resolve(graph) & buildable)
        keys |= of_moment & chosen.upstream().resolve(graph)
        behind = of_moment - keys
    return sorted(keys & buildable), sorted(key.to_user_string() for key in behind)


def _without_moment(definitions: dg.Definitions, selection: Sequence[str]) -> str:
    """What to select so that a moment which is asked for matters."""
    graph = definitions.resolve_asset_graph()
    for name in (part.lstrip("+") for part in selection):
        if AS_OF in _part(f"+{name}").resolve(graph):
            message = "--as-of changes the table as_of and all that depends on it. Select them too, for example"
            return f"{message} --select +{name}"
    return "--as-of changes the table as_of and what depends on it, which nothing selected does. Leave it out."


def _part(name: str) -> dg.AssetSelection:
    table = dg.AssetSelection.assets(dg.AssetKey.from_user_string(name.lstrip("+")))
    return table.upstream() if name.startswith("+") else table


class _Listener:
    """Turns Dagster's events into table runs."""

    def __init__(self, report: RunReport, notice: Callable[[TableRun], None], deployment: Deployment) -> None:
        self.deployment = deployment
        self.report = report
        self.notice = notice

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        kind = event.event_type_value
        if kind == RUN_FAILED and (error := event.job_failure_data.error):
            self.report.is_interrupted = error.cls_name in INTERRUPTS
            # Of no table: a run that could not begin, or could not end.
            if not self.report.is_interrupted and not any(table.fault for table in self.report.tables.values()):
                self.report.fault = _fault(error, self.deployment)
        if event.step_key is None:
            return
        key = event.step_key.replace("__", "/")
        if kind == "ASSET_MATERIALIZATION":
            self._materialised(event)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._checked(event)
        elif kind in (STEP_STARTED, STEP_DONE, STEP_FAILED, STEP_SKIPPED):
            step = self._check_step if key.endswith(SUFFIX) else self._step
            self.notice(step(key.removesuffix(SUFFIX), kind, event))

    def _materialised(self, event: dg.DagsterEvent) -> None:
        table = self.report.tables.get(event.asset_key.to_user_string() if event.asset_key else "")
        if table is None:
            return
        metadata: dict[str, Any] = {
            name: entry.value for name, entry in event.step_materialization_data.materialization.metadata.items()
        }
        table.rows = metadata.get("dagster/row_count")
        table.bytes = metadata.get("bytes", 0)
        table.quarantined = metadata.get("quarantined", 0)
        table.read, table.selected = metadata.get("rows read", 0), metadata.get("rows selected", 0)
        table.read_counts = metadata.get("rows read of each connector", {})
        table.kept = metadata.get("rows kept", 0)
        table.notes = metadata.get("notes", [])
        table.source = metadata.get("source")

    def _checked(self, event: dg.DagsterEvent) -> None:
        found = event.asset_check_evaluation_data
        table = self.report.tables.setdefault(
            found.asset_key.to_user_string(), TableRun(found.asset_key.to_user_string())
        )
        if found.check_name == SCORE:
            score: Any = found.metadata.get("score")
            table.score = float(score.value) if score else None
        elif not found.passed:
            table.failing_rules.append(found.check_name)

    def _check_step(self, key: str, kind: str, event: dg.DagsterEvent) -> TableRun:
        table = self.report.tables.setdefault(key, TableRun(key, "done"))
        if kind == STEP_FAILED:
            error: Any = event.step_failure_data.error
            if error.cls_name == "DagsterAssetCheckFailedError":
                table.state = "held back"
                table.fault = (
                    f"blocking rules failed, among {', '.join(table.failing_rules)}."
                    f" Readers keep the rows they had. See: c360 quality {key}"
                )
            else:
                table.state = "failed"
                table.fault, table.trace = _fault(error, self.deployment), event.step_failure_data.error_display_string
        return table

    def _step(self, key: str, kind: str, event: dg.DagsterEvent) -> TableRun:
        table = self.report.tables.setdefault(key, TableRun(key, started=time.monotonic()))
        table.seconds = time.monotonic() - table.started
        table.state = {STEP_DONE: "done", STEP_FAILED: "failed", STEP_SKIPPED: "skipped"}.get(kind, "running")
        if kind == STEP_FAILED:
            table.fault = _fault(event.step_failure_data.error, self.deployment)
            table.trace = event.step_failure_data.error_display_string
        return table


def _fault(error: Any, deployment: Deployment) -> str:
    """The message for the user: our own errors as they are, those of the machine in words of ours, others by their
    kind alone (they may quote values).
    """
    *_, first = _causes(error)
    if first.cls_name in INTERRUPTS:
        return "interrupted, readers keep the rows they had."
    error = next(one for one in _causes(error) if one.cause is None or one.cls_name not in WRAPPERS)
    own = {cls.__name__ for cls in _subclasses(C360Error)}
    if error.cls_name in own:
        return str(error.message).split(": ", 1)[1].strip()
    if explanation := explained(deployment, error.message):
        return explanation
    return f"Unexpected fault ({error.cls_name}). To see where, run again with: c360 --debug run"


def _causes(error: Any) -> Iterator[Any]:
    """An error, what caused it, and so on to the first."""
    while error is not None:
        yield error
        error = error.cause


def _subclasses(cls: type[Any]) -> set[type[Any]]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))
