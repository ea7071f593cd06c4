"""Rows of a table for people and programs, as whoever reads them may see them."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from governance.contract import Contract
from governance.errors import C360Error
from governance.policy import Outcome, View
from portal import printing
from resources.anonymity import Report, anonymous
from resources.deployment import Deployment
from resources.engine import quoted
from resources.operations import TABLES
from resources.reader import Reader
from resources.replacing import replacing

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

WIDEST_CELL = 200
MEASURED_WIDTH = 10_000
NUMBERS = ("integer", "bigint", "double", "decimal")
NO_UNITS: Mapping[str, str] = {}
Row = Mapping[str, Any]


def rows_of(reader: Reader, key: str, limit: int | None) -> "DuckDBPyRelation":
    """Published rows as the reader sees them, in the order of what is shown of the primary key.

    C360Error where there is no such table, it was never built, or the reader may not read it.
    """
    contract, view = built(reader.deployment, key), reader.view(key)
    return _ordered(reader.deployment, _seen(reader, view), contract, view, limit)


def rows_leaving(reader: Reader, key: str, limit: int | None) -> "tuple[DuckDBPyRelation, Report | None]":
    """As `rows_of`, of what may leave as a file, with a report where what is shown tells people apart.

    Files of a role may be for a purpose, for which fewer rows are shown, and anonymous: then nobody is alone in them.
    """
    deployment, contract = reader.deployment, built(reader.deployment, key)
    reader = reader.writing_files()
    view, policy = reader.view(key), reader.policy
    rows, is_enforced = _seen(reader, view), reader.files_are_anonymous
    found = (
        None
        if view.is_everything
        else anonymous(deployment.engine.connection, rows, view, policy.anonymity, is_enforced)
    )
    rows, report = found or (rows, None)
    return _ordered(deployment, rows, contract, view, limit), report


def _seen(reader: Reader, view: View) -> str:
    """The SELECT of what a reader sees. Ibis is imported only where there is something to mask."""
    deployment, key = reader.deployment, view.contract.key
    return deployment.select(key) if view.is_everything else deployment.engine.sql_of(reader.rows(key))


def _ordered(
    deployment: Deployment, rows: str, contract: Contract, view: View, limit: int | None
) -> "DuckDBPyRelation":
    """By what is shown of the key: in the order of the key itself, hashes of running numbers would be no secret."""
    shown = [name for name, outcome in view.outcomes.items() if outcome is not Outcome.ABSENT]
    told = (Outcome.CLEAR, Outcome.HASH)
    by_key = contract.primary_key and all(view.outcomes[name] in told for name in contract.primary_key)
    order = ", ".join(map(quoted, contract.primary_key if by_key else shown))
    few = "" if limit is None else f" LIMIT {limit}"
    return deployment.engine.connection.sql(f"SELECT * FROM ({rows}) AS shown ORDER BY {order}{few}")


def anonymity_told(report: Report) -> str:
    """What is told of a file about people: how well they are lost in the crowd, and what was held back for it."""
    by = f"by {', '.join(report.columns)}"
    if report.hidden or report.held_back:
        rows = f"{report.held_back:,} of {report.rows:,} rows were held back"
        hidden = f"{', '.join(report.hidden)} hidden, and " if report.hidden else ""
        left = (
            f" Every other row shares what it shows with {report.smallest:,} people or more." if report.smallest else ""
        )
        return f"Anonymity: {hidden}{rows}, since they tell people apart {by}.{left}"
    if report.alone:
        return (
            f"Anonymity: {report.alone:,} of {report.rows:,} rows tell few people apart {by}; the smallest group is of"
            f" {report.smallest:,}. Treat the file as personal data."
        )
    return f"Anonymity: every row shares what it shows with {report.smallest or 0:,} people or more, {by}."


def records(rows: "DuckDBPyRelation") -> list[Row]:
    """Rows as mappings."""
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


def built(deployment: Deployment, key: str) -> Contract:
    """The contract of a table there are rows of. C360Error where there is no such table or it was never built."""
    contract = deployment.contracts.get(key)
    if contract is None:
        raise C360Error(f"There is no table '{key}'. c360 tables lists those there are.")
    # Until something is set aside or put right, there is nothing of it, which is no fault.
    if contract.layer != "operations" and deployment.lake.state(key) is None:
        raise C360Error(f"Table {key} has not been built yet. Build it with: c360 run --select +{key}")
    return contract


def listing(deployment: Deployment) -> Table:
    """All tables, layer by layer, with their size and what one row of each is."""
    shown = Table(title=deployment.settings.name, title_justify="left")
    shown.add_column("table", no_wrap=True)
    for name in ("rows", "size"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("one row per")
    for layer, contracts in groupby(deployment.contracts.values(), key=lambda contract: contract.layer):
        shown.add_section()
        shown.add_row(layer, style="bold")
        for contract in contracts:
            grain = contract.grain.removeprefix("One row per ").removeprefix("One row: ").removesuffix(".")
            shown.add_row(f"  {contract.key}", *size_of(deployment, contract.key), grain)
    return shown


def size_of(deployment: Deployment, key: str) -> tuple[str, str]:
    """Rows and bytes of a table for people; 'not built' where it never was. What is kept in a database has no bytes."""
    if key in TABLES:
        return f"{deployment.operations.count(key):,}", ""
    state = deployment.lake.state(key)
    return (f"{state.rows:,}", human_size(state.bytes)) if state else ("not built", "")


def amounts(view: View, currency: str) -> dict[str, str]:
    """In what the columns are that show amounts, as they are or as ranges: EUR, EUR per year."""
    shown = [column for column in view.contract.columns if view.outcomes[column.name] in (Outcome.CLEAR, Outcome.RANGE)]
    return {column.name: unit for column in shown if (unit := column.unit or "").startswith(currency)}


def write(
    rows: "DuckDBPyRelation", kind: str, target: Path | None, console: Console, units: Mapping[str, str] = NO_UNITS
) -> None:
    """Write rows as `kind` (table, csv, json, parquet) to a file, else to standard output.

    A table for people says of the columns in `units` in what they are.
    """
    if kind == "table" and target is None:
        found = records(rows)
        shown = _as_table(rows, found, units)
        unbounded = console.options.update(max_width=MEASURED_WIDTH)
        is_too_wide = console.measure(shown, options=unbounded).maximum > console.width
        console.print(_one_by_one(found, units) if is_too_wide else shown)
        return
    content = _encoded(rows, kind, units)
    if target is None:
        _put(content)
    else:
        with replacing(target) as fresh:
            fresh.write_bytes(content)


def write_json(rows: Sequence[Row]) -> None:
    """Write rows to standard output as a line of JSON."""
    _put(_json(rows))


def _put(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _encoded(rows: "DuckDBPyRelation", kind: str, units: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(rows.to_arrow_table(), buffer, compression="zstd")
    elif kind == "csv":
        from pyarrow import csv

        csv.write_csv(rows.to_arrow_table(), buffer)
    elif kind == "json":
        buffer.write(_json(records(rows)))
    else:
        plain = printing.Screen(file=io.StringIO(), width=MEASURED_WIDTH)
        plain.print(_as_table(rows, records(rows), units))
        buffer.write(plain.file.getvalue().encode())  # type: ignore[attr-defined]
    return buffer.getvalue()


def _json(rows: Sequence[Row]) -> bytes:
    return json.dumps(rows, default=_plain, ensure_ascii=False).encode() + b"\n"


def _plain(value: object) -> object:
    """JSON for what JSON has no word for: amounts as numbers, moments in ISO 8601."""
    return float(value) if isinstance(value, Decimal) else str(value.isoformat())  # type: ignore[attr-defined]


def _as_table(rows: "DuckDBPyRelation", found: Sequence[Row], units: Mapping[str, str]) -> Table:
    shown = Table()
    for name, type_ in zip(rows.columns, rows.types, strict=True):
        heading = f"{name}\n{units[name]}" if name in units else name
        shown.add_column(heading, justify="right" if type_.id in NUMBERS else "left")
    for row in found:
        shown.add_row(*[_cell(value) for value in row.values()])
    return shown


def _one_by_one(found: Sequence[Row], units: Mapping[str, str]) -> Table:
    """Wide rows, one under the other: a line per column."""
    shown = Table(show_header=False)
    shown.add_column("column", style="dim", no_wrap=True)
    shown.add_column("value")
    for row in found:
        for name, value in row.items():
            unit = "" if value is None else units.get(name, "")
            shown.add_row(name, f"{_cell(value)} {unit}".rstrip())
        shown.add_section()
    return shown


def _cell(value: object) -> str:
    text = "" if value is None else _rounded(value)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def _rounded(value: object) -> str:
    """A value as people read it; programs get all digits. Amounts to the cent where they are whole cents."""
    if isinstance(value, float):
        return str(round(value, 2)) if abs(value) >= 1 else f"{value:.4g}"
    if isinstance(value, Decimal):
        cents = value.quantize(Decimal("0.01"))
        return str(cents if cents == value else value.normalize())
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return str(value)


def human_size(count: int) -> str:
    """Bytes as people read them."""
    size, units = float(count), ["B", "KB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:,.0f} {units[0]}" if units[0] == "B" else f"{size:,.1f} {units[0]}"
