"""Literal tables for tests: rows as dictionaries, columns and types from the contract, what is left out is null."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from governance import contracts
from governance.contracts import Contract

CONTRACTS = contracts.load()
TYPES = {"VARCHAR": "string", "INTEGER": "int32", "BIGINT": "int64", "DOUBLE": "float64", "BOOLEAN": "boolean"}


def table(key: str, *rows: dict[str, Any]) -> ir.Table:
    """A table of the contract `key` with these rows."""
    contract = CONTRACTS[key]
    unknown = {name for row in rows for name in row} - set(contract.column_names)
    assert not unknown, f"{key} has no column {unknown}"
    filled = [{name: row.get(name) for name in contract.column_names} for row in rows]
    return ibis.memtable(pa.Table.from_pylist(filled, schema=_schema(contract).to_pyarrow()))


def at(moment: str) -> ir.Table:
    """The table `as_of` for a moment."""
    return table("as_of", {"as_of": datetime.fromisoformat(moment)})


def rows(result: ir.Table, *columns: str, by: str | None = None) -> list[tuple[Any, ...]]:
    """The values of these columns, ordered by the first of them unless said otherwise."""
    ordered = result.order_by(by or columns[0])
    return [tuple(record[name] for name in columns) for record in ordered.to_pyarrow().to_pylist()]


def day(text: str) -> datetime:
    """Midnight of a day."""
    return datetime.combine(date.fromisoformat(text), datetime.min.time())


def money(text: str) -> Decimal:
    """An amount as the tables keep it."""
    return Decimal(text).quantize(Decimal("0.0001"))


def _schema(contract: Contract) -> ibis.Schema:
    names = {"DATE": "date", "TIMESTAMP": "timestamp(6)", "DECIMAL(18,4)": "decimal(18, 4)", **TYPES}
    return ibis.schema({column.name: names[column.type] for column in contract.columns})
