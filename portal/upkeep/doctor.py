"""The doctor: is everything that a deployment keeps there and whole, and what is put back where it is not."""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from governance.contract import SNAPSHOT
from governance.errors import C360Error
from portal.reports.showing import human_size
from resources.deployment import Deployment
from resources.instance import folder_of
from resources.instance import home as dagster_home
from resources.integrity import Examined
from resources.replacing import unused

ENOUGH_FREE_BYTES = 1_000_000_000
# So far two machines' clocks may be apart.
SKEW_SECONDS = 60
# How many damaged tables are listed; the report is to fit a screen.
LISTED = 12
DAMAGED = "is damaged"
# What no source tells again.
GROWN = ("customer_history", "corrections", "quarantine")


@dataclass
class Part:
    """One part of a deployment: what was found, what is wrong, and what puts it right, if anything we can do does."""

    name: str
    found: str
    faults: list[str] = field(default_factory=list)
    repair: Callable[[], list[str]] | None = None


def examine(deployment: Deployment, deep: bool = False) -> Iterator[Part]:
    """Part by part of a deployment, what there is of it and what is wrong. Where `deep`, all bytes of tables are read.

    A part is examined when it is asked for, so what was put right of one shows in the next.
    """
    yield _place(deployment)
    yield _databases(deployment)
    yield _tables(deployment, deep)
    yield _operations(deployment)
    yield _dagster(deployment)


def report(deployment: Deployment, console: Console, deep: bool, is_repairing: bool) -> bool:
    """Print what is found and what was done; whether all is whole now."""
    shown = Table(title=f"{deployment.settings.name}: what it keeps", title_justify="left")
    for column in ("part", "found"):
        shown.add_column(column)
    faults, done, open_faults = [], [], 0
    for part in examine(deployment, deep):
        mark = Text("✗", "red") if part.faults else Text("✓", "green")
        shown.add_row(part.name, Text.assemble(mark, f" {part.found}"))
        faults += part.faults
        if part.faults and is_repairing and part.repair:
            done += part.repair()
        else:
            open_faults += len(part.faults)
    console.print(shown)
    for fault in faults:
        console.print(Text.assemble(("✗ ", "red"), fault))
    for line in done:
        console.print(Text.assemble(("✓ ", "green"), line))
    if faults and not is_repairing:
        console.print("Put back what can be: c360 doctor --repair")
    if done:
        console.print("Bring all tables up to date: c360 run")
    if not faults:
        console.print("All is well." if deep else "All is well. Whether every byte is as it was written: --deep")
    return not open_faults


def _place(deployment: Deployment) -> Part:
    """The folder: may we write in it, and is there room."""
    home = deployment.opened_home()
    places = [home, *([deployment.lake.warehouse] if deployment.lake.warehouse.exists() else [])]
    faults = [
        f"{place} cannot be written to. Give the user of this process the right to write in it."
        for place in places
        if not _is_writable(place)
    ]
    usage = shutil.disk_usage(home)
    if usage.free < ENOUGH_FREE_BYTES:
        faults.append(f"The disk of {home} has {human_size(usage.free)} left. Free some, for example by: c360 purge")
    return Part("folder and disk", f"{home}, {human_size(usage.free)} free", faults)


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _databases(deployment: Deployment) -> Part:
    """The SQLite files: the catalog, the operational store, and Dagster's."""
    files = _sqlite_files(deployment)
    problems = {file: problem for file in files if (problem := _problem(file))}
    found = f"{len(files)} files of SQLite{f', {len(problems)} damaged or closed to us' if problems else ''}"
    faults = [f"{file} {problem}." for file, problem in problems.items()]

    def repair() -> list[str]:
        return [_put_aside(file, files[file]) for file in problems]

    # What we may not open is whole, for all we know.
    return Part("databases", found, faults, repair if set(problems.values()) == {DAMAGED} else None)


def _sqlite_files(deployment: Deployment) -> dict[Path, str]:
    """The files, and what begins anew without each."""
    begins = {
        deployment.lake.catalog_uri: "the tables are made known again from their folders",
        deployment.operations_uri: "scores and incidents begin anew",
    }
    files = {}
    for address, purpose in begins.items():
        url = sa.make_url(address)
        if url.get_backend_name() == "sqlite" and url.database and Path(url.database).exists():
            files[Path(url.database)] = purpose
    return files | dict.fromkeys(sorted(folder_of(deployment).glob("**/*.db")), "the history of runs begins anew")


def _problem(file: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            ((verdict, *_), *_) = connection.execute("PRAGMA quick_check").fetchall()
            return "" if verdict == "ok" else DAMAGED
    except sqlite3.OperationalError as fault:
        return f"cannot be opened ({fault}): the user of this process has no right to, or another process holds it"
    except sqlite3.Error:
        return DAMAGED


def _put_aside(file: Path, begins: str) -> str:
    aside = unused(file.with_name(f"{file.name}.damaged"))
    for suffix in ("", "-wal", "-shm", "-journal"):
        if (part := file.with_name(f"{file.name}{suffix}")).exists():
            part.replace(aside.with_name(f"{aside.name}{suffix}"))
    return f"{file} was moved to {aside.name}; {begins}."


def _tables(deployment: Deployment, deep: bool) -> Part:
    try:
        lake = deployment.lake
        integrity = lake.integrity(deep)
    except C360Error as fault:
        return Part("tables", "not examined", [str(fault)])
    found = [integrity.examine(key) for key in integrity.tables()]
    damaged = [one for one in found if one.faults]
    faults = [fault for one in damaged[:LISTED] for fault in _described(deployment, one)]
    if len(damaged) > LISTED:
        faults.append(f"{len(damaged) - LISTED} more tables are damaged.")
    faults += _clock(max((one.written for one in found), default=0.0))
    counts = (
        f"{len(found)} tables, {sum(o.snapshots for o in found):,} snapshots, {sum(o.files for o in found):,} files"
    )

    def repair() -> list[str]:
        return [f"{one.key}: {integrity.repair(one)}." for one in damaged]

    return Part("tables", f"{counts}{f', {len(damaged)} damaged' if damaged else ''}", faults, repair)


def _described(deployment: Deployment, one: Examined) -> list[str]:
    first, more = one.faults[0], len(one.faults) - 1
    whose = ""
    if not one.lost:
        is_current = one.current & set(one.damaged)
        whose = "" if is_current else " Only older snapshots are concerned, which nobody reads."
    keeps = " Its earlier rows are nowhere else." if _is_only_copy(deployment, one.key) else ""
    return [f"{one.key}: {first}{f', and {more} more' if more else ''}.{whose}{keeps}"]


def _is_only_copy(deployment: Deployment, key: str) -> bool:
    """Whether a table holds what no source tells again."""
    contract = deployment.contracts.get(key)
    is_grown = contract is not None and contract.layer == "sources" and contract.loading != SNAPSHOT
    return key in GROWN or is_grown


def _clock(written: float) -> list[str]:
    if written <= time.time() + SKEW_SECONDS:
        return []
    newest, now = (f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC" for moment in (written, time.time()))
    return [f"The clock of this machine is behind: a table was written at {newest}, and now is {now}. Set the clock."]


def _operations(deployment: Deployment) -> Part:
    try:
        count = deployment.operations.count("quality_scores")
    except C360Error as fault:
        return Part("operations", "cannot be opened", [str(fault)])
    return Part("operations", f"{count:,} scores")


def _dagster(deployment: Deployment) -> Part:
    folder = dagster_home(deployment)
    file = folder / "dagster.yaml"
    try:
        yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return Part(
            "Dagster's settings",
            f"{file.name} cannot be read",
            [f"{file} cannot be read."],
            lambda: [_settings_anew(deployment, file)],
        )
    return Part("Dagster's settings", f"{folder}")


def _settings_anew(deployment: Deployment, file: Path) -> str:
    aside = file.rename(unused(file.with_name(f"{file.name}.damaged")))
    dagster_home(deployment)
    return f"{file} was written anew; what it was is in {aside.name}."
