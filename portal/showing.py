"""Rows of a table for people and programs, personal values masked."""

import io
import json
import sys
from decimal import Decimal
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from governance.contracts import Contract
from governance.errors import C360Error
from portal.summary import human_size
from resources.deployment import Deployment
from resources.operations import TABLES

MASK = "***"
WIDEST_CELL = 200
MEASURED_WIDTH = 10_000


def rows_of(deployment: Deployment, key: str, limit: int | None, unmasked: bool = False) -> pa.Table:
    """Published rows in the order of the primary key; masked text reads ***, other masked values are null.

    Sensitive rows are left out unless `unmasked`.

    C360Error where there is no such table or it was never built.
    """
    contract = built(deployment, key)
    rows = deployment.read(key)
    if not unmasked:
        rows = _masked(rows, contract)
    rows = rows.order_by(contract.primary_key or contract.column_names).limit(limit)
    return rows.to_pyarrow()


def built(deployment: Deployment, key: str) -> Contract:
    """The contract of a table there are rows of. C360Error where there is no such table or it was never built."""
    contract = deployment.contracts.get(key)
    if contract is None:
        raise C360Error(f"There is no table '{key}'. c360 tables lists those there are.")
    if key not in TABLES and deployment.lake.state(key) is None:
        raise C360Error(f"Table {key} has not been built yet. Build it with: c360 run --select +{key}")
    return contract


def size_of(deployment: Deployment, key: str) -> tuple[str, str]:
    """Rows and bytes of a table for people; 'not built' where it never was. What is kept in a database has no bytes."""
    if key in TABLES:
        return f"{len(deployment.operations.rows(key)):,}", ""
    state = deployment.lake.state(key)
    return (f"{state.rows:,}", human_size(state.bytes)) if state else ("not built", "")


def write(rows: pa.Table, kind: str, target: Path | None, console: Console) -> None:
    """Write rows as `kind` (table, csv, json, parquet) to a file, else to standard output."""
    if kind == "table" and target is None:
        shown = _rich_table(rows)
        unbounded = console.options.update(max_width=MEASURED_WIDTH)
        is_too_wide = console.measure(shown, options=unbounded).maximum > console.width
        console.print(_records(rows) if is_too_wide else shown)
        return
    content = _encoded(rows, kind)
    if target is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _masked(rows: ir.Table, contract: Contract) -> ir.Table:
    masks = {}
    for column in contract.columns:
        if column.is_masked:
            value = rows[column.name]
            hidden = ibis.literal(MASK) if column.type == "VARCHAR" else ibis.null(value.type())
            masks[column.name] = value.notnull().ifelse(hidden, ibis.null(value.type()))
    shown = rows.filter(~rows[contract.sensitive_rows]) if contract.sensitive_rows else rows
    return shown.mutate(**masks)


def _encoded(rows: pa.Table, kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(rows, buffer, compression="zstd")
    elif kind == "csv":
        from pyarrow import csv

        csv.write_csv(rows, buffer)
    elif kind == "json":
        buffer.write(json.dumps(rows.to_pylist(), default=_plain, ensure_ascii=False).encode() + b"\n")
    else:
        plain = Console(file=io.StringIO(), width=MEASURED_WIDTH)
        plain.print(_rich_table(rows))
        buffer.write(plain.file.getvalue().encode())  # type: ignore[attr-defined]
    return buffer.getvalue()


def _plain(value: object) -> object:
    """JSON for what JSON has no word for: amounts as numbers, moments in ISO 8601."""
    return float(value) if isinstance(value, Decimal) else str(value.isoformat())  # type: ignore[attr-defined]


def _rich_table(rows: pa.Table) -> Table:
    shown = Table()
    for field in rows.schema:
        is_number = (
            pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        )
        shown.add_column(field.name, justify="right" if is_number else "left")
    for row in rows.to_pylist():
        shown.add_row(*[_cell(value) for value in row.values()])
    return shown


def _records(rows: pa.Table) -> Table:
    """Wide rows, one under the other: a line per column."""
    shown = Table(show_header=False)
    shown.add_column("column", style="dim", no_wrap=True)
    shown.add_column("value")
    for row in rows.to_pylist():
        for name, value in row.items():
            shown.add_row(name, _cell(value))
        shown.add_section()
    return shown


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"
