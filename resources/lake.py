"""The lake: tables as Apache Iceberg, written and read by DuckDB through plain Parquet files.

Measured choices: files are written by DuckDB `COPY` with Iceberg's field ids (as fast as a plain COPY, flat memory),
and every write is one overwrite snapshot, so a reader sees the old rows or the new ones and nothing between.
Readers are held on the snapshot tagged `published`.
"""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import ibis.expr.types as ir
from ibis.expr.datatypes import DataType
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from governance.contracts import Column, Contract
from governance.errors import C360Error
from resources.engine import Engine, literal, quoted
from resources.expiry import MOST_SNAPSHOTS, expire

PUBLISHED = "published"
SOURCES_NAMESPACE = "sources"
NAMESPACE = "c360"
ROW_GROUP_ROWS = 122_880
ROW_FAULTS = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
TABLE_PROPERTIES = {
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.metrics.default": "counts",
}


class LakeError(C360Error):
    """A table that cannot be written or read as its contract says."""


@dataclass(frozen=True)
class Commit:
    """One write: the snapshot it made, its rows and bytes, and the newest event time written (None where undated)."""

    key: str
    snapshot_id: int
    rows: int
    bytes: int
    watermark: str | None


@dataclass(frozen=True)
class TableState:
    """What readers of a table see: the published snapshot, with the properties its writer left."""

    key: str
    snapshot_id: int
    rows: int
    bytes: int
    location: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Written:
    """The Parquet files of one COPY, with DuckDB's statistics per column."""

    folder: Path
    schema: Any
    files: list[tuple[str, int, int]]
    statistics: list[Mapping[str, Mapping[str, str]]]

    @property
    def rows(self) -> int:
        return sum(rows for _, rows, _ in self.files)

    @property
    def bytes(self) -> int:
        return sum(size for _, _, size in self.files)

    def nulls(self, column: str) -> int:
        return sum(int(file.get(quoted(column), {}).get("null_count", 0)) for file in self.statistics)

    def minimum(self, column: str) -> str | None:
        return min(self._bounds(column, "min"), default=None)

    def maximum(self, column: str) -> str | None:
        return max(self._bounds(column, "max"), default=None)

    def _bounds(self, column: str, bound: str) -> list[str]:
        return [file[quoted(column)][bound] for file in self.statistics if bound in file.get(quoted(column), {})]


class Lake:
    """All tables of one deployment.

    `catalog` is an SQLAlchemy address (SQLite or PostgreSQL), `warehouse` the folder that holds the files.
    """

    def __init__(self, catalog: str, warehouse: Path, engine: Engine) -> None:
        self.catalog_uri = catalog
        self.warehouse = warehouse
        self.engine = engine

    @cached_property
    def catalog(self) -> Any:
        """The Iceberg catalog, opened at first use."""
        self.warehouse.mkdir(parents=True, exist_ok=True)
        return _open_catalog(self.catalog_uri, self.warehouse.as_uri())

    def write(
        self,
        contract: Contract,
        rows: ir.Table,
        properties: Mapping[str, str] | None = None,
        partition: str | None = None,
    ) -> Commit:
        """Replace a table's rows (or those of one partition) in a single snapshot that nobody reads until `publish`.

        The columns are checked against the contract first: LakeError names what is missing, extra, mistyped or
        empty where it must not be, and the table is left as it was.
        """
        check_columns(contract, rows)
        table = self._table(contract)
        written: _Written | None = None
        try:
            for attempt in _retrying():
                with attempt, table.refresh().transaction() as transaction:
                    _evolve(transaction, contract)
                    schema = transaction.table_metadata.schema()
                    # Another process may have changed the columns, and with them the field ids in our file.
                    if written is None or written.schema.fields != schema.fields:
                        _discard(written)
                        written = self._copy(contract, rows, table, schema)
                        _check_required(contract, written)
                        _check_partition(contract, written, partition)
                    summary = _summary(contract, written, properties or {})
                    _replace(transaction, table, written, summary, partition)
        except BaseException:
            if written and not _is_committed(table.refresh(), written):
                _discard(written)
            raise
        assert written is not None
        snapshot = table.current_snapshot()
        watermark = snapshot.summary.additional_properties.get("c360.watermark")
        return Commit(contract.key, snapshot.snapshot_id, written.rows, written.bytes, watermark)

    def publish(self, commit: Commit) -> None:
        """Let readers see a commit, unless they see a newer one already."""
        table = self.catalog.load_table(_identifier(commit.key))
        for attempt in _retrying():
            with attempt:
                published = table.refresh().snapshot_by_name(PUBLISHED)
                mine = table.snapshot_by_id(commit.snapshot_id)
                if mine is None:
                    # So late that it was forgotten: readers have long seen newer rows.
                    return
                if published is None or published.sequence_number < mine.sequence_number:
                    table.manage_snapshots().create_tag(commit.snapshot_id, PUBLISHED).commit()
        if len(table.snapshots()) >= MOST_SNAPSHOTS:
            expire(table)

    def read(self, contract: Contract) -> ir.Table:
        """The published rows, lazily, in the contract's columns. An empty table where nothing was ever published."""
        table = self._load(contract.key)
        return self.engine.view(contract.key, _rows(table, _published(table), contract))

    def newest(self, contract: Contract) -> tuple[ir.Table, Commit | None]:
        """The rows written last, whether or not readers see them yet, and their commit; None where there is none."""
        table = self._load(contract.key)
        commit = _head(contract, table)
        rows = _rows(table, commit.snapshot_id if commit else None, contract)
        return self.engine.view(f"newest {contract.key}", rows), commit

    def head(self, contract: Contract) -> Commit | None:
        """The commit of the rows written last; None where there is none."""
        return _head(contract, self._load(contract.key))

    def empty(self, contract: Contract) -> ir.Table:
        """No rows, in the contract's columns and types."""
        return self.engine.view(f"nothing of {contract.key}", _no_rows(contract))

    def state(self, key: str) -> TableState | None:
        """What readers of a table see; None where nothing was ever published."""
        table = self._load(key)
        snapshot_id = _published(table)
        if snapshot_id is None:
            return None
        summary = table.snapshot_by_id(snapshot_id).summary
        properties = dict(summary.additional_properties)
        return TableState(
            key=key,
            snapshot_id=snapshot_id,
            rows=int(properties.get("total-records", 0)),
            bytes=int(properties.get("total-files-size", 0)),
            location=_path(table.location()),
            properties={name: value for name, value in properties.items() if name.startswith("c360.")},
        )

    def close(self) -> None:
        """Release the catalog's connections."""
        if "catalog" in self.__dict__:
            self.catalog.close()
            del self.__dict__["catalog"]

    def _load(self, key: str) -> Any:
        from pyiceberg.exceptions import NoSuchTableError

        try:
            return self.catalog.load_table(_identifier(key))
        except NoSuchTableError:
            return None

    def _table(self, contract: Contract) -> Any:
        table = self._load(contract.key)
        if table is not None:
            return table
        from pyiceberg.exceptions import TableAlreadyExistsError

        try:
            return self.catalog.create_table(
                _identifier(contract.key),
                schema=_iceberg_schema(contract),
                partition_spec=_partition_spec(contract),
                properties=_table_properties(contract),
            )
        except TableAlreadyExistsError:  # another process was first
            return self.catalog.load_table(_identifier(contract.key))

    def _copy(self, contract: Contract, rows: ir.Table, table: Any, schema: Any) -> _Written:
        folder = Path(_path(table.location())) / "data" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        # Ibis and DuckDB disagree on the scale of decimal products; the cast makes the file what the contract says.
        columns = ", ".join(f"{quoted(c.name)}::{c.type} AS {quoted(c.name)}" for c in contract.columns)
        ids = ", ".join(f"{quoted(field.name)}: {field.field_id}" for field in schema.fields)
        file = folder / "part-0.parquet"
        try:
            copied = self.engine.query(
                f"COPY (SELECT {columns} FROM ({self.engine.sql_of(rows)})) TO {literal(str(file))} (FORMAT parquet,"
                f" COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, FIELD_IDS {{{ids}}}, RETURN_STATS)"
            )
        except BaseException as fault:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(fault, ROW_FAULTS):
                # Not chained: DuckDB quotes the value, and the chain ends in Dagster's log.
                kind = type(fault).__name__.removesuffix("Exception")
                raise LakeError(
                    f"Table {contract.key} fails on a row ({kind} error), so nothing was written."
                ) from None
            raise
        full = [row for row in copied if row[1]]
        if not full:
            shutil.rmtree(folder, ignore_errors=True)
        return _Written(folder, schema, [(row[0], row[1], row[2]) for row in full], [row[4] for row in full])


# Of several processes that open a new lake at once, all but one find its tables half made and look again.
@retry(retry=retry_if_exception_type(DBAPIError), stop=stop_after_attempt(10), wait=wait_random_exponential(0.05, 1))
def _open_catalog(uri: str, warehouse: str) -> Any:
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("c360", uri=uri, warehouse=warehouse)
    for namespace in (SOURCES_NAMESPACE, NAMESPACE):
        catalog.create_namespace_if_not_exists(namespace)
    return catalog


def check_columns(contract: Contract, rows: ir.Table) -> None:
    """LakeError unless the columns of `rows` are the contract's, by name and type."""
    declared = {column.name: _ibis_type(column) for column in contract.columns}
    found = {name: _comparable(dtype) for name, dtype in rows.schema().items()}
    faults = [f"column '{name}' is missing" for name in declared if name not in found]
    faults += [f"column '{name}' is not in the contract" for name in found if name not in declared]
    faults += [
        f"column '{name}' is {found[name]} but the contract says {contract.column(name).type}"
        for name in declared
        if name in found and found[name] != declared[name]
    ]
    if faults:
        raise LakeError(
            f"Table {contract.key} does not keep its contract, so nothing was written: {'; '.join(faults)}."
            f" Mend the table or its contract {contract.layer}/{contract.name}.odcs.yaml."
        )


def _check_required(contract: Contract, written: _Written) -> None:
    faults = [
        f"column '{column.name}' is empty in {nulls:,} of {written.rows:,} rows"
        for column in contract.columns
        if column.required and (nulls := written.nulls(column.name))
    ]
    if faults:
        raise LakeError(
            f"Table {contract.key} does not keep its contract, so nothing was written: {'; '.join(faults)}."
        )


def _discard(written: _Written | None) -> None:
    if written:
        shutil.rmtree(written.folder, ignore_errors=True)


def _check_partition(contract: Contract, written: _Written, partition: str | None) -> None:
    column = contract.partition_column
    if partition is None or column is None:
        return
    strangers = {
        bound for bound in (written.minimum(column), written.maximum(column)) if bound not in (None, partition)
    }
    if strangers:
        raise LakeError(
            f"Table {contract.key}, column '{column}': rows of {', '.join(sorted(map(str, strangers)))} were given for"
            f" the partition {partition}, so nothing was written."
        )


def _retrying() -> Retrying:
    """Tries again where another process committed meanwhile; PyIceberg's own retries give up on some conflicts."""
    from pyiceberg.exceptions import CommitFailedException, ValidationException

    conflicts = retry_if_exception_type((CommitFailedException, ValidationException))
    return Retrying(retry=conflicts, stop=stop_after_attempt(20), wait=wait_random_exponential(0.02, 1), reraise=True)


def _summary(contract: Contract, written: _Written, properties: Mapping[str, str]) -> dict[str, str]:
    """What the snapshot says of itself."""
    watermark = written.maximum(contract.event_time) if contract.event_time else None
    newest = {"c360.watermark": watermark} if watermark else {}
    return {"c360.contract_version": contract.version, **properties, **newest}


def _replace(
    transaction: Any, table: Any, written: _Written, summary: Mapping[str, str], partition: str | None
) -> None:
    from pyiceberg.io.pyarrow import parquet_file_to_data_file

    with transaction.update_snapshot(snapshot_properties=dict(summary)).overwrite() as overwrite:
        if table.current_snapshot():
            for task in table.scan().plan_files():
                if partition is None or task.file.partition[0] == partition:
                    overwrite.delete_data_file(task.file)
        for path, _, _ in written.files:
            file = parquet_file_to_data_file(table.io, transaction.table_metadata, Path(path).as_uri())
            overwrite.append_data_file(file)


def _evolve(transaction: Any, contract: Contract) -> None:
    """Bring the table's columns to the contract's: renamed columns keep their field id, and so their old rows."""
    current = {field.name: field for field in transaction.table_metadata.schema().fields}
    wanted = {column.name: _iceberg_type(column) for column in contract.columns}
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
    properties, held = _table_properties(contract), transaction.table_metadata.properties
    if any(held.get(name) != value for name, value in properties.items()):
        transaction.set_properties(properties)


def _is_committed(table: Any, written: _Written) -> bool:
    """Whether the files of a write that ended in an error are in the table all the same."""
    files = {_path(task.file.file_path) for task in table.scan().plan_files()} if table.current_snapshot() else set()
    return any(path in files for path, _, _ in written.files)


def _published(table: Any) -> int | None:
    reference = table.refs().get(PUBLISHED) if table else None
    return reference.snapshot_id if reference else None


def _identifier(key: str) -> tuple[str, str]:
    namespace, _, name = key.rpartition("/")
    return (namespace or NAMESPACE, name)


def _path(uri: str) -> str:
    return urlparse(uri).path if uri.startswith("file:") else uri


def _head(contract: Contract, table: Any) -> Commit | None:
    snapshot = table.current_snapshot() if table else None
    if snapshot is None:
        return None
    said = snapshot.summary.additional_properties
    count, size = (int(said.get(name, 0)) for name in ("total-records", "total-files-size"))
    return Commit(contract.key, snapshot.snapshot_id, count, size, said.get("c360.watermark"))


def _rows(table: Any, snapshot: int | None, contract: Contract) -> str:
    if snapshot is None:
        return _no_rows(contract)
    files = [_path(task.file.file_path) for task in table.scan(snapshot_id=snapshot).plan_files()]
    return _read_parquet(files, table.schema(), contract) if files else _no_rows(contract)


def _read_parquet(files: list[str], schema: Any, contract: Contract) -> str:
    # By field id, so that a renamed column reads right and files older than an added column give nulls.
    fields = ", ".join(
        f"{field.field_id}: {{name: {literal(field.name)}, type: {literal(_duckdb_type(field.field_type))},"
        " default_value: NULL}"
        for field in schema.fields
    )
    held = {field.name: _duckdb_type(field.field_type) for field in schema.fields}
    columns = ", ".join(_column_in(held, column) for column in contract.columns)
    paths = ", ".join(literal(file) for file in sorted(files))
    return f"SELECT {columns} FROM read_parquet([{paths}], schema = MAP {{{fields}}})"


def _column_in(held: Mapping[str, str], column: Column) -> str:
    """The contract's column out of a table that may not have been written by this contract yet."""
    name = column.renamed_from if column.name not in held and column.renamed_from else column.name
    if name not in held:
        return f"NULL::{column.type} AS {quoted(column.name)}"
    if held[name] != column.type.replace(" ", ""):
        return f"try_cast({quoted(name)} AS {column.type}) AS {quoted(column.name)}"
    return f"{quoted(name)} AS {quoted(column.name)}"


def _no_rows(contract: Contract) -> str:
    columns = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in contract.columns)
    return f"SELECT {columns} WHERE false"


def _ibis_type(column: Column) -> DataType:
    from ibis.backends.sql.datatypes import DuckDBType

    return _comparable(DuckDBType.from_string(column.type))


def _comparable(dtype: DataType) -> DataType:
    """The type without what no contract says: whether null is allowed, and that microseconds are meant."""
    if dtype.is_timestamp() and dtype.timezone is None and dtype.scale is None:
        dtype = dtype.copy(scale=6)
    return dtype.copy(nullable=True)


def _iceberg_type(column: Column) -> Any:
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


def _iceberg_schema(contract: Contract) -> Any:
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    # All optional: DuckDB writes no "required" mark, and the contract's own check is on values.
    fields = [
        NestedField(position, column.name, _iceberg_type(column), required=False, doc=column.description)
        for position, column in enumerate(contract.columns, start=1)
    ]
    return Schema(*fields)


def _partition_spec(contract: Contract) -> Any:
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.transforms import IdentityTransform

    if contract.partition_column is None:
        return PartitionSpec()
    source = contract.column_names.index(contract.partition_column) + 1
    return PartitionSpec(PartitionField(source, 1000, IdentityTransform(), contract.partition_column))


def _table_properties(contract: Contract) -> dict[str, str]:
    # Manifests would keep the least and greatest value of every column, personal ones too. Counts will do, but for
    # the columns by which files are found.
    finding = [name for name in (contract.partition_column, contract.event_time) if name]
    return {**TABLE_PROPERTIES, **{f"write.metadata.metrics.column.{name}": "full" for name in finding}}
