"""Rows set aside at loading: how many and why, a look at some, and the way back for those that people correct."""

import csv
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from governance.contract import Contract
from governance.errors import C360Error
from resources import corrections
from resources.connectors import Request
from resources.corrections import COPIES, ENTRY, MARKS, REASON, ROW
from resources.deployment import Deployment
from resources.engine import literal, quoted
from resources.feeds import Feeds
from resources.files import Files
from resources.reader import Reader
from resources.replacing import replacing

# Reasons name the line of a file; without its number they are one.
ALIKE = r"regexp_replace({reason}, '\bline [0-9,]+', 'line …', 'g')"
OWNER_ALONE = 0o600
BATCH = 10_000


class QuarantineError(C360Error):
    """Rows that cannot be exported or loaded again."""


def show_counts(deployment: Deployment, dataset: str | None, reason: str | None, console: Console) -> bool:
    """How many rows were set aside, by dataset and reason; a sentence, and false, where there are none."""
    alike = ALIKE.format(reason="reason")
    counts = deployment.engine.query(
        f"SELECT dataset, {alike}, sum(copies)::BIGINT FROM ({_entries(deployment, dataset, reason)})"
        " GROUP BY ALL ORDER BY 1, 3 DESC, 2"
    )
    if not counts:
        among = f" of {dataset}" if dataset else ""
        console.print(f"No row{among} is set aside{' for such a reason' if reason else ''}.")
        return False
    shown = Table(title="Rows set aside", title_justify="left", show_footer=True)
    shown.add_column("dataset", no_wrap=True)
    shown.add_column("reason")
    shown.add_column("rows", justify="right", footer=f"{sum(count for *_, count in counts):,}")
    for name, why, count in counts:
        shown.add_row(name, why, f"{count:,}")
    console.print(shown)
    return True


def show_sample(deployment: Deployment, dataset: str | None, reason: str | None, limit: int, console: Console) -> None:
    """The first rows that were set aside, with key and reason; personal values are masked."""
    shown = Table(title=f"The first {limit}, personal values masked", title_justify="left")
    for heading in ("dataset", "key", "reason", "row"):
        shown.add_column(heading)
    for name, why, record in deployment.engine.query(
        f"SELECT dataset, reason, record FROM ({_entries(deployment, dataset, reason)}) ORDER BY ALL LIMIT {limit}"
    ):
        cells = _cells(record)
        key = ", ".join(str(cells.get(column, "")) for column in _contract(deployment, name).primary_key)
        content = ", ".join(f"{column}: {value}" for column, value in cells.items()) or record
        shown.add_row(name, key, why, content)
    console.print(shown)


def export(reader: Reader, dataset: str | None, reason: str | None, target: Path, console: Console) -> None:
    """Write the rows of a dataset that are set aside, as its source has them, to a file for people to correct.

    The quarantine masks personal values, so the source is read again. QuarantineError where no dataset is named, or the
    file exists, and Forbidden where the reader may not see all of them; there is no half-written file.
    """
    deployment = reader.deployment
    contract = _fed(deployment, dataset)
    reader.must_see_in_clear(contract.key)
    if target.exists():
        raise QuarantineError(f"{target} exists, and may hold corrections. Remove it, or name another file.")
    found, given = Feeds(deployment).set_aside(contract)
    rows = deployment.engine.connection.sql(
        f"SELECT * FROM ({found}) WHERE {_has_reason(reason)} ORDER BY {REASON}, {ROW}"
    )
    held = f"SELECT {corrections.ENTRY_ID} AS entry, copies FROM ({_entries(deployment, dataset, reason)})"
    ((elsewhere,),) = deployment.engine.query(
        f"SELECT coalesce(sum(copies), 0)::BIGINT FROM ({held}) WHERE entry NOT IN (SELECT {ENTRY} FROM ({found}))"
    )
    count = _write([*MARKS, *given], iter(lambda: rows.fetchmany(BATCH), []), target)
    console.print(
        f"{count:,} row{'s' if count != 1 else ''} of {dataset} written to {target}, as they were read. The file holds"
        " personal values in clear text; you alone may read it. Remove it when you are done.",
        soft_wrap=True,
    )  # fmt: skip
    if elsewhere:
        console.print(
            f"{elsewhere:,} more cannot be corrected here: lines that are no rows, or rows that the source brings"
            " otherwise by now. Correct them in the source.",
        )
    console.print(
        f"Correct the cells, leave {', '.join(MARKS)} as they are, and load them:"
        f" c360 quarantine --dataset {dataset} --reload {target}",
        soft_wrap=True,
    )  # fmt: skip


def reload(deployment: Deployment, dataset: str | None, file: Path, console: Console) -> bool:
    """Load the corrected rows of a file through the checks of any load; whether that succeeded.

    The corrections are kept first, so that no later load undoes them, and none is lost where this one fails.
    QuarantineError where the file is not one of corrections; then nothing is changed.
    """
    from c360_assets.sources.datasets import CORRECTIONS_TAG
    from portal.runs import running

    contract = _fed(deployment, dataset)
    feeds, given = Feeds(deployment), Feeds(deployment).given(contract)
    if deployment.lake.head(contract) is None:
        raise QuarantineError(f"{contract.key} was never loaded. Load it first: c360 run")
    lines, changed, same = _corrected_lines(deployment, file, given)
    if not changed:
        console.print(f"All {same:,} rows of {file.name} are as they were read, so there is nothing to load.")
        return True
    before = _count(deployment, contract)
    batch = feeds.corrections.keep(contract.name, lines, given)
    tags = {CORRECTIONS_TAG: batch} if feeds.comes_in_part(contract) else {}
    try:
        report = running.run(deployment, [contract.key], tags=tags)
        faults = [f"{table.key} {table.state}: {table.fault}" for table in report.tables.values() if table.fault]
    except C360Error as fault:
        faults = [str(fault)]
    if faults:
        for line in (*faults, "What was corrected is kept, and counts with the next load: c360 run."):
            console.print(line)
        return False
    for note in (note for table in report.tables.values() for note in table.notes):
        console.print(f"{note}.")
    after = _count(deployment, contract)
    left_alone = f" {same:,} are as they were read and were not loaded." if same else ""
    console.print(
        f"{changed:,} corrected row{'s' if changed != 1 else ''} of {contract.name} loaded.{left_alone}"
        f" Set aside were {before:,} rows, and are {after:,} now.",
    )
    if after:
        show_counts(deployment, contract.name, None, console)
    console.print("What is made of them follows with: c360 run")
    return True


def _entries(deployment: Deployment, dataset: str | None, reason: str | None) -> str:
    """The SELECT of the rows of the quarantine that are asked for."""
    if dataset:
        _contract(deployment, dataset)
    among = f"dataset = {literal(dataset)}" if dataset else "true"
    like = _has_reason(reason, "reason")
    return f"SELECT * FROM ({deployment.select('quarantine')}) WHERE {among} AND {like}"


def _has_reason(reason: str | None, column: str = REASON) -> str:
    return f"contains(lower({ALIKE.format(reason=column)}), lower({literal(reason)}))" if reason else "true"


def _contract(deployment: Deployment, dataset: str) -> Contract:
    contract = deployment.contracts.get(f"sources/{dataset.removeprefix('sources/')}")
    if contract is None:
        known = ", ".join(one.name for one in deployment.contracts.values() if one.layer == "sources")
        raise QuarantineError(f"There is no dataset '{dataset}'; there are: {known}.")
    return contract


def _fed(deployment: Deployment, dataset: str | None) -> Contract:
    if dataset is None:
        raise QuarantineError("A file has the columns of one dataset. Name it, for example: --dataset orders")
    contract = _contract(deployment, dataset)
    if contract.name not in deployment.feeds:
        raise QuarantineError(f"{deployment.file.name} has no feed '{contract.name}', so there are no rows of it.")
    return contract


def _cells(record: str) -> Mapping[str, Any]:
    """The filled cells of a record; none where it is a line that could not be split."""
    try:
        found = json.loads(record)
    except json.JSONDecodeError:
        return {}
    return {column: value for column, value in found.items() if value is not None}


def _count(deployment: Deployment, contract: Contract) -> int:
    ((count,),) = deployment.engine.query(
        f"SELECT coalesce(sum(copies), 0)::BIGINT FROM ({_entries(deployment, contract.name, None)})"
    )
    return int(count)


def _write(columns: Sequence[str], batches: Iterator[Sequence[tuple[Any, ...]]], target: Path) -> int:
    """Write rows to a file that its owner alone may read, whole or not at all; how many they are."""
    count = 0
    with replacing(target) as fresh, open(fresh, "w", newline="", encoding="utf-8", opener=_opened) as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for rows in batches:
            writer.writerows(rows)
            count += len(rows)
    return count


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ALONE)


def _corrected_lines(deployment: Deployment, file: Path, given: Mapping[str, str]) -> tuple[str, int, int]:
    """The SELECT of a file's lines that were changed, how many they are, and how many are as they were."""
    engine = deployment.engine
    folder = Path(tempfile.mkdtemp(dir=engine.scratch))
    # The engine reaches no file but those of connectors.
    copy = str(shutil.copy(file, folder))
    raw = Files(type="files", path=glob.escape(copy), format="csv", null_values=()).read(
        Request(name="corrections", dataset="", folder=folder), engine
    )
    if raw.broken:
        raise QuarantineError(f"{raw.broken[0]}. Correct that line; nothing was loaded.")
    found = {name for name, *_ in engine.query(f"DESCRIBE {raw.sql}")}
    faults = [f"lacks the column {name}" for name in (*MARKS, *given) if name not in found]
    faults += [f"has the column {name}, which it had not" for name in sorted(found - {*MARKS, *given})]
    if not faults:
        faults = _faults(deployment, raw.sql, given)
    if faults:
        raise QuarantineError(
            f"{file.name} {'; '.join(faults)}. Start from what --export writes and change its cells alone; nothing was"
            " loaded."
        )
    is_changed = f"{corrections.row_id(given)} <> {ROW}"
    ((changed, same),) = engine.query(
        f"SELECT count(*) FILTER ({is_changed}), count(*) FILTER (NOT {is_changed}) FROM ({raw.sql})"
    )
    return f"SELECT * FROM ({raw.sql}) WHERE {is_changed}", changed, same


def _faults(deployment: Deployment, lines: str, given: Mapping[str, str]) -> list[str]:
    """What is wrong with lines that have the columns they should; cells in the types of the mapping among it."""
    of_cells = ", ".join(
        f"count(*) FILTER ({quoted(name)} <> '' AND try_cast({quoted(name)} AS {type_}) IS NULL)"
        for name, type_ in given.items()
    )
    is_marked = f"{ROW} IS NOT NULL AND {ENTRY} IS NOT NULL AND try_cast({COPIES} AS BIGINT) IS NOT NULL"
    ((unmarked, repeated, *cells),) = deployment.engine.query(
        f"SELECT count(*) FILTER (NOT ({is_marked})), count({ROW}) - count(DISTINCT {ROW}), {of_cells} FROM ({lines})"
    )
    faults = [f"has {unmarked:,} lines without {ROW}, {ENTRY} or {COPIES}"] if unmarked else []
    faults += [f"has {repeated:,} lines for a row that another line is for"] if repeated else []
    faults += [
        f"has {count:,} cells of {name} that are no {type_} as the source has it (1250.5, 2024-06-01 14:30:00)"
        for (name, type_), count in zip(given.items(), cells, strict=True)
        if count
    ]
    return faults
