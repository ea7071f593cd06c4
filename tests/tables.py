"""Literal tables for tests: rows as dictionaries, columns and types from the contract, what is left out is null."""

import inspect
from collections.abc import Callable, Hashable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.expr.operations import InMemoryTable

from governance import contracts
from governance.contract import Contract

CONTRACTS = contracts.load()
TYPES = {"VARCHAR": "string", "INTEGER": "int32", "BIGINT": "int64", "DOUBLE": "float64", "BOOLEAN": "boolean"}


def table(key: str, *rows: dict[str, Any]) -> ir.Table:
    """A table of the contract `key` with these rows."""
    contract = CONTRACTS[key]
    unknown = {name for row in rows for name in row} - set(contract.column_names)
    assert not unknown, f"{key} has no column {unknown}"
    filled = [{name: row.get(name) for name in contract.column_names} for row in rows]
    return ibis.memtable(pa.Table.from_pylist(filled, schema=_schema(contract)))


def at(moment: str) -> ir.Table:
    """The table `as_of` for a moment."""
    return table("as_of", {"as_of": datetime.fromisoformat(moment), "timezone": "UTC"})


def rows(result: ir.Table, *columns: str, by: str | None = None) -> list[tuple[Any, ...]]:
    """The values of these columns, ordered by the first of them unless said otherwise."""
    ordered = arrow(result).sort_by(by or columns[0])
    return list(zip(*(ordered[name].to_pylist() for name in columns), strict=True))


def arrow(table: ir.Table) -> pa.Table:
    """The rows of a table; those of one in memory are there already, and the engine takes long to hand them over."""
    held = table.op()
    return held.data.to_pyarrow(held.schema) if isinstance(held, InMemoryTable) else table.to_pyarrow()


@cache
def computed(made: Callable[..., ir.Table] | dg.AssetsDefinition) -> Callable[..., ir.Table]:
    """What a function or an asset makes of tables, as rows; it takes what the function takes.

    The expression is built and compiled once for all tables of the same columns: the function may look at no row, but
    for the moment of `as_of`. For another moment, or anything else it is given beside tables, it is built anew.
    """
    function = function_of(made) if isinstance(made, dg.AssetsDefinition) else made
    signature, engine = inspect.signature(function), ibis.get_backend()
    # So few rows go through one thread anyhow; the others would only wait for them, busily.
    engine.con.execute("SET threads = 1")
    expressions: dict[tuple[Any, ...], tuple[ir.Table, Any]] = {}
    statements: dict[tuple[Any, ...], str] = {}

    def rows_of(*given: Any, **named: Any) -> ir.Table:
        arguments = signature.bind(*given, **named).arguments
        tables = {name: value for name, value in arguments.items() if isinstance(value, ir.Table) and name != "as_of"}
        others = {name: value for name, value in arguments.items() if name not in tables}
        columns = tuple((name, given_rows.schema()) for name, given_rows in tables.items())
        asked = (columns, *(_told_apart(value) for value in others.values()))
        for name, given_rows in tables.items():
            engine.con.register(name, arrow(given_rows))
        if asked not in expressions:
            expression = function(**{name: ibis.table(schema, name) for name, schema in columns}, **others)
            # What else it was given is kept, so that nothing else can have the same id.
            expressions[asked] = expression, others
            found = engine.to_pyarrow(expression)
        else:
            expression, _ = expressions[asked]
            if asked not in statements:
                statements[asked] = engine.compile(expression)
            found = engine.con.execute(statements[asked]).to_arrow_table().cast(expression.schema().to_pyarrow())
        return ibis.memtable(found, schema=expression.schema())

    return rows_of


def function_of(asset: dg.AssetsDefinition) -> Callable[..., ir.Table]:
    """The function behind an asset, for those that look at rows; to call the asset itself starts a Dagster instance."""
    op: Any = asset.op
    function: Callable[..., ir.Table] = op.compute_fn.decorated_fn
    return function


def _told_apart(value: Any) -> Any:
    if isinstance(value, ir.Table):
        return str(arrow(value).to_pylist())
    return value if isinstance(value, Hashable) else id(value)


def day(text: str) -> datetime:
    """Midnight of a day."""
    return datetime.combine(date.fromisoformat(text), datetime.min.time())


def money(text: str) -> Decimal:
    """An amount as the tables keep it."""
    return Decimal(text).quantize(Decimal("0.0001"))


@cache
def _schema(contract: Contract) -> pa.Schema:
    names = {"DATE": "date", "TIMESTAMP": "timestamp(6)", "DECIMAL(18,4)": "decimal(18, 4)", **TYPES}
    return ibis.schema({column.name: names[column.type] for column in contract.columns}).to_pyarrow()
