"""Runs: what is checked before one, what became of each table in it, and the moment it is of."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as time_of_day
from types import MappingProxyType
from zoneinfo import ZoneInfo

from governance.errors import C360Error
from resources.deployment import Deployment
from resources.feeds import Feeds
from resources.volume import ACCEPT_FEWER


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

    `is_moment_asked` unless as_of was computed in it from the newest event. Tables `behind` depend on as_of, which was
    built, but were not asked for, so they are of the moment before if there are any rows of theirs. `fault` is what
    stopped the run apart from its tables; it `is_interrupted` where somebody asked it to stop.
    """

    run_id: str
    is_moment_asked: bool = False
    behind: Sequence[str] = ()
    fault: str = ""
    is_interrupted: bool = False
    tables: dict[str, TableRun] = field(default_factory=dict)

    @property
    def has_new_moment(self) -> bool:
        """Whether as_of, on which other tables depend, was built."""
        return "as_of" in self.tables and self.tables["as_of"].state == "done"

    @property
    def success(self) -> bool:
        """Whether every table was built."""
        return not (self.fault or self.is_interrupted) and all(table.state == "done" for table in self.tables.values())


def run(
    deployment: Deployment,
    selection: Sequence[str] = (),
    as_of: datetime | None = None,
    notice: Callable[[TableRun], None] = lambda table: None,
    whole: bool = False,
    expect: Callable[[int], None] = lambda count: None,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> RunReport:
    """Build the selected tables (all, where none is named) and report on each.

    `selection` names tables; a leading + takes everything upstream along. `notice` hears of every change,
    and `expect` first how many tables are to be built. Sources are
    loaded as a `whole` where asked, else as their contracts say. `tags` are told to the run.
    Returns the report whether or not every table succeeded; C360Error where nothing could be started, or where a feed
    cannot work: then nothing is built.
    """
    if not selection:
        _check_feeds(deployment, deployment.contracts)
    # Dagster is imported here, for seconds; of a feed that cannot work its reader has heard by now.
    from portal.runs.building import Refresh

    refresh = Refresh(deployment, selection, as_of)
    if selection:
        _check_feeds(deployment, refresh.keys)
    deployment.lake.check_known()
    report = RunReport(str(uuid.uuid4()), as_of is not None or "as_of" not in refresh.keys, refresh.behind)
    expect(len(refresh.keys))
    refresh.run(report, notice, whole, tags)
    return report


def accepting(deployment: Deployment, datasets: Sequence[str]) -> dict[str, str]:
    """The tags of a run that takes datasets as they come, however few rows. SelectionError where one has no feed."""
    names = [name.removeprefix("sources/") for name in datasets]
    for name in names:
        if name not in deployment.feeds:
            known = ", ".join(deployment.feeds) or "none"
            raise SelectionError(f"--accept-fewer: {deployment.file.name} has no feed '{name}'; there are: {known}.")
    return {ACCEPT_FEWER: ", ".join(names)} if names else {}


def _check_feeds(deployment: Deployment, keys: Iterable[str]) -> None:
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
