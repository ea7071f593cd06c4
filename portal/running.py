"""Runs: build tables in this process, tell of progress, and account for what was done."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.storage.tags import MAX_RETRIES_TAG

from c360_assets.definitions import build
from c360_assets.sources.datasets import WHOLE_TAG
from checks.quality import SCORE, SUFFIX
from governance.errors import C360Error
from resources.deployment import Deployment
from resources.feeds import Feeds
from resources.instance import instance
from resources.launcher import process_tags

STEP_STARTED, STEP_DONE, STEP_FAILED, STEP_SKIPPED = (
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_FAILURE",
    "STEP_SKIPPED",
)


class SelectionError(C360Error):
    """A choice of tables that cannot be run."""


@dataclass
class TableRun:
    """What became of one table in a run; `state` is running, done, failed, skipped or held back.

    Of a source, `read` rows and lines were read (where it has several connectors, `read_counts` of each), the mapping
    made `selected` of them, `kept` keep the contract and `quarantined` were set aside; `notes` say what was passed
    over. A table is held back where a blocking rule failed: it was built, but readers keep the rows they had. `score`
    is its quality score, `failing_rules` the names of rules that did not pass.
    """

    key: str
    state: str = "running"
    started: float = 0.0
    seconds: float = 0.0
    rows: int | None = None
    bytes: int = 0
    read: int = 0
    read_counts: dict[str, int] = field(default_factory=dict)
    selected: int = 0
    kept: int = 0
    quarantined: int = 0
    notes: list[str] = field(default_factory=list)
    source: str | None = None
    score: float | None = None
    failing_rules: list[str] = field(default_factory=list)
    fault: str = ""
    trace: str = ""


@dataclass
class RunReport:
    """What became of a run, table by table in the order they were built.

    `is_moment_asked` unless as_of was computed in it from the newest event.
    """

    run_id: str
    is_moment_asked: bool = False
    tables: dict[str, TableRun] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether every table was built."""
        return all(table.state == "done" for table in self.tables.values())


def run(
    deployment: Deployment,
    selection: Sequence[str] = (),
    as_of: datetime | None = None,
    notice: Callable[[TableRun], None] = lambda table: None,
    whole: bool = False,
    expect: Callable[[int], None] = lambda count: None,
    tags: Mapping[str, str] | None = None,
) -> RunReport:
    """Build the selected tables (all, where none is named) and report on each.

    `selection` names tables; a leading + takes everything upstream along. `notice` hears of every change,
    and `expect` first how many tables are to be built. Sources are
    loaded as a `whole` where asked, else as their contracts say. `tags` are told to the run.
    Returns the report whether or not every table succeeded; C360Error where nothing could be started, or where a feed
    cannot work: then nothing is built.
    """
    definitions = build(deployment)
    job = definitions.resolve_job_def("refresh")
    keys = _selected(definitions, selection)
    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if as_of is not None:
        if dg.AssetKey("as_of") not in keys:
            raise SelectionError(_without_moment(definitions, selection))
        config["ops"] = {"as_of": {"config": {"as_of": as_of.isoformat()}}}
    check_feeds(deployment, [key.to_user_string() for key in keys])
    report = RunReport(str(uuid.uuid4()), as_of is not None or dg.AssetKey("as_of") not in keys)
    expect(len(keys))
    with instance(deployment) as dagster:
        dagster.add_event_listener(report.run_id, _Listener(report, notice))
        job.execute_in_process(
            run_config=config,
            instance=dagster,
            asset_selection=keys,
            run_id=report.run_id,
            # The daemon of the same instance may see that this process died, but cannot start it again.
            tags={**process_tags(), MAX_RETRIES_TAG: "0", **({WHOLE_TAG: "true"} if whole else {}), **(tags or {})},
            raise_on_error=False,
        )
    # Dagster says nothing of a step it never came to because of what failed before.
    for key in sorted(key.to_user_string() for key in keys):
        report.tables.setdefault(key, TableRun(key, "skipped"))
    return report


def check_feeds(deployment: Deployment, keys: Iterable[str]) -> None:
    """C360Error with all that is wrong with the feeds of these tables; of most sources no row is read for it."""
    contracts = [deployment.contracts[key] for key in keys if key.startswith("sources/")]
    faults = Feeds(deployment).faults(contract for contract in contracts if contract.name in deployment.feeds)
    if faults:
        raise C360Error("\n".join([f"The feeds of {deployment.file.name} do not work, so nothing was built.", *faults]))


def moment(text: str, timezone: str = "UTC") -> datetime:
    """A moment in UTC from ISO 8601 text, without offset by the clock of `timezone`; a date is the end of its day.

    SelectionError where the text is neither.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as fault:
        raise SelectionError(
            f"--as-of '{text}' is no moment. Write for example 2026-06-30 or 2026-06-30T12:00:00."
        ) from fault
    if len(text.strip()) == len("2026-06-30"):
        parsed = datetime.combine(parsed, time_of_day.max)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=ZoneInfo(timezone))
    return parsed.astimezone(UTC).replace(tzinfo=None)


def _selected(definitions: dg.Definitions, selection: Sequence[str]) -> list[dg.AssetKey]:
    graph = definitions.resolve_asset_graph()
    buildable = graph.materializable_asset_keys
    chosen = dg.AssetSelection.all()
    if selection:
        for name in selection:
            if dg.AssetKey.from_user_string(name.lstrip("+")) not in buildable:
                known = ", ".join(sorted(key.to_user_string() for key in buildable))
                raise SelectionError(f"There is no table '{name.lstrip('+')}' to build. Known are {known}.")
        parts = [_part(name) for name in selection]
        chosen = parts[0]
        for part in parts[1:]:
            chosen = chosen | part
    return sorted(key for key in chosen.resolve(graph) if key in buildable)


def _without_moment(definitions: dg.Definitions, selection: Sequence[str]) -> str:
    """What to select so that a moment which is asked for matters."""
    graph = definitions.resolve_asset_graph()
    for name in (part.lstrip("+") for part in selection):
        if dg.AssetKey("as_of") in _part(f"+{name}").resolve(graph):
            told = "--as-of changes the table as_of and all that depends on it. Select them too, for example"
            return f"{told} --select +{name}"
    return "--as-of changes the table as_of and what depends on it, which nothing selected does. Leave it out."


def _part(name: str) -> dg.AssetSelection:
    table = dg.AssetSelection.assets(dg.AssetKey.from_user_string(name.lstrip("+")))
    return table.upstream() if name.startswith("+") else table


class _Listener:
    """Turns Dagster's events into table runs."""

    def __init__(self, report: RunReport, notice: Callable[[TableRun], None]) -> None:
        self.report = report
        self.notice = notice

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        kind = event.event_type_value
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
        metadata = {
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
            score = found.metadata.get("score")
            table.score = float(score.value) if score else None
        elif not found.passed:
            table.failing_rules.append(found.check_name)

    def _check_step(self, key: str, kind: str, event: dg.DagsterEvent) -> TableRun:
        table = self.report.tables.setdefault(key, TableRun(key, "done"))
        if kind == STEP_FAILED:
            error = event.step_failure_data.error
            if error.cls_name == "DagsterAssetCheckFailedError":
                table.state = "held back"
                table.fault = (
                    f"blocking rules failed, among {', '.join(table.failing_rules)}."
                    f" Readers keep the rows they had. See: c360 quality {key}"
                )
            else:
                table.state = "failed"
                table.fault, table.trace = _fault(error), event.step_failure_data.error_display_string
        return table

    def _step(self, key: str, kind: str, event: dg.DagsterEvent) -> TableRun:
        table = self.report.tables.setdefault(key, TableRun(key, started=time.monotonic()))
        table.seconds = time.monotonic() - table.started
        table.state = {STEP_DONE: "done", STEP_FAILED: "failed", STEP_SKIPPED: "skipped"}.get(kind, "running")
        if kind == STEP_FAILED:
            table.fault = _fault(event.step_failure_data.error)
            table.trace = event.step_failure_data.error_display_string
        return table


def _fault(error: Any) -> str:
    """The message for the user: our own errors as they are, others by their kind alone (they may quote values)."""
    while error.cause is not None and error.cls_name in (
        "DagsterExecutionStepExecutionError",
        "DagsterExecutionHandleOutputError",
        "DagsterExecutionLoadInputError",
    ):
        error = error.cause
    own = {cls.__name__ for cls in _subclasses(C360Error)}
    if error.cls_name in own:
        return str(error.message).split(": ", 1)[1].strip()
    return f"Unexpected fault ({error.cls_name}). To see where, run again with: c360 --debug run"


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))
