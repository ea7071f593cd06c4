"""Contracts as Iceberg tables: schema, partitions, properties, and the SQL that reads a table's files."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlparse

from governance.contract import HOURLY, Column, Contract
from resources.engine import literal, quoted

SOURCES_NAMESPACE = "sources"
NAMESPACE = "c360"
# The snapshot that readers see.
PUBLISHED = "published"
FILENAME = "_file"
TABLE_PROPERTIES = {
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.metrics.default": "counts",
}


def identifier(key: str) -> tuple[str, str]:
    """Namespace and name of a table."""
    namespace, _, name = key.rpartition("/")
    return (namespace or NAMESPACE, name)


def key(namespace: str, name: str) -> str:
    """The table of a namespace and a name, as contracts know it."""
    return name if namespace == NAMESPACE else f"{namespace}/{name}"


def path(uri: str) -> str:
    """The path of a local file or folder."""
    return unquote(urlparse(uri).path) if uri.startswith("file:") else uri


def schema(contract: Contract) -> Any:
    """The Iceberg schema of a new table."""
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    # All optional: DuckDB writes no "required" mark, and the contract's own check is on values.
    fields = [
        NestedField(position, column.name, _type(column), required=False, doc=column.description)
        for position, column in enumerate(contract.columns, start=1)
    ]
    return Schema(*fields)


def partition_spec(contract: Contract) -> Any:
    """By the value of the contract's partition column, else by month where rows are loaded hour by hour.

    Files of an hour would be small and many; a month bounds what an hour has to look at.
    """
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.transforms import IdentityTransform, MonthTransform

    if contract.loading == HOURLY and contract.event_time:
        column, transform, name = contract.event_time, MonthTransform(), f"{contract.event_time}_month"
    elif contract.partition_column:
        column, transform, name = contract.partition_column, IdentityTransform(), contract.partition_column
    else:
        return PartitionSpec()
    source = contract.column_names.index(column) + 1
    return PartitionSpec(PartitionField(source, 1000, transform, name))


def properties(contract: Contract) -> dict[str, str]:
    """The properties a table has to have."""
    # Manifests would keep the least and greatest value of every column, personal ones too. Counts will do, but for
    # the columns by which files are found.
    finding = [name for name in (contract.partition_column, contract.event_time) if name]
    return {**TABLE_PROPERTIES, **{f"write.metadata.metrics.column.{name}": "full" for name in finding}}


def evolve(transaction: Any, contract: Contract) -> None:
    """Bring the table's columns to the contract's: renamed columns keep their field id, and so their old rows."""
    current = {field.name: field for field in transaction.table_metadata.schema().fields}
    wanted = {column.name: _type(column) for column in contract.columns}
    renamed = {
        column.renamed_from: column.name
        for column in contract.columns
        if column.renamed_from in current
        and column.name not in current
        and current[column.renamed_from].field_type == wanted[column.name]
    }
    kept = {renamed.get(name, name): field.field_type for name, field in current.items()}
    if renamed or kept != wanted:
        with transaction.update_schema(allow_incompatible_changes=True) as update:
            for old, new in renamed.items():
                update.rename_column(old, new)
            for name, type_ in kept.items():
                if wanted.get(name) != type_:
                    update.delete_column(name)
            for column in contract.columns:
                if kept.get(column.name) != wanted[column.name]:
                    update.add_column(column.name, wanted[column.name], column.description)
    _partition(transaction, contract)
    wished, held = properties(contract), transaction.table_metadata.properties
    if any(held.get(name) != value for name, value in wished.items()):
        transaction.set_properties(wished)


def _partition(transaction: Any, contract: Contract) -> None:
    """Lay new files out as the contract asks; older ones stay as they are until they are rewritten."""
    wanted, held = partition_spec(contract).fields, transaction.table_metadata.spec().fields
    if [(field.name, field.transform) for field in wanted] != [(field.name, field.transform) for field in held]:
        with transaction.update_spec() as update:
            for field in held:
                update.remove_field(field.name)
            for field in wanted:
                update.add_field(contract.column_names[field.source_id - 1], field.transform, field.name)


def select(files: Mapping[str, int], table_schema: Any, contract: Contract, with_file: bool = False) -> str:
    """The SELECT that reads these files (path and rows of each) in the contract's columns.

    By field id, so that a renamed column reads right and files older than an added column give nulls. With `with_file`
    the file of each row is `_file`.
    """
    if not files:
        return no_rows(contract, with_file)
    fields = ", ".join(
        f"{field.field_id}: {{name: {literal(field.name)}, type: {literal(_duckdb_type(field.field_type))},"
        " default_value: NULL}"
        for field in table_schema.fields
    )
    held = {field.name: _duckdb_type(field.field_type) for field in table_schema.fields}
    columns = [_column_in(held, column) for column in contract.columns]
    columns += [f"filename AS {FILENAME}"] if with_file else []
    paths = ", ".join(literal(file) for file in sorted(files))
    named = ", filename = true" if with_file else ""
    # Given a schema DuckDB opens no file before it plans. Told no number it takes all tables for empty, and joins the
    # large ones into memory.
    rows = max(sum(files.values()), 1)
    return (
        f"SELECT {', '.join(columns)} FROM read_parquet([{paths}], schema = MAP {{{fields}}}{named},"
        f" explicit_cardinality = {rows})"
    )


def no_rows(contract: Contract, with_file: bool = False) -> str:
    """The SELECT of nothing, in the contract's columns."""
    columns = [f"NULL::{column.type} AS {quoted(column.name)}" for column in contract.columns]
    columns += [f"NULL::VARCHAR AS {FILENAME}"] if with_file else []
    return f"SELECT {', '.join(columns)} WHERE false"


def _column_in(held: Mapping[str, str], column: Column) -> str:
    """The contract's column out of a table that may not have been written by this contract yet."""
    name = column.renamed_from if column.name not in held and column.renamed_from else column.name
    if name not in held:
        return f"NULL::{column.type} AS {quoted(column.name)}"
    if held[name] != column.type.replace(" ", ""):
        return f"try_cast({quoted(name)} AS {column.type}) AS {quoted(column.name)}"
    return f"{quoted(name)} AS {quoted(column.name)}"


def _type(column: Column) -> Any:
    from pyiceberg import types

    if column.type == "DECIMAL(18,4)":
        return types.DecimalType(18, 4)
    simple = {
        "VARCHAR": types.StringType,
        "INTEGER": types.IntegerType,
        "BIGINT": types.LongType,
        "DOUBLE": types.DoubleType,
        "BOOLEAN": types.BooleanType,
        "DATE": types.DateType,
        "TIMESTAMP": types.TimestampType,
    }
    return simple[column.type]()


def _duckdb_type(iceberg_type: Any) -> str:
    names = {"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT"}
    text = str(iceberg_type)
    return names.get(text, text.upper().replace(" ", ""))
