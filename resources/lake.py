"""The lake: tables as Apache Iceberg, written and read by DuckDB through plain Parquet files.

Measured choices: files are written by DuckDB `COPY` with Iceberg's field ids (as fast as a plain COPY, flat memory),
and every write is one overwrite snapshot, so a reader sees the old rows or the new ones and nothing between.
Readers are held on the snapshot tagged `published`.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import duckdb
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from governance.contract import HOURLY, Contract
from governance.errors import C360Error
from resources import iceberg, merging
from resources.engine import Engine, literal, quoted
from resources.expiry import MOST_SNAPSHOTS, expire, forget, sweep
from resources.iceberg import FILENAME, PUBLISHED
from resources.integrity import Elsewhere, Integrity, has_snapshots, sealed
from resources.merging import Merge, Window

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    from ibis.expr.datatypes import DataType

# Which hours of event time were loaded: spans `start/end`, the end not included.
HOURS = "c360.hours"
ROW_GROUP_ROWS = 122_880
# Against level 3, which is usual: a third less time to write, files 2 % larger.
COMPRESSION = "COMPRESSION zstd, COMPRESSION_LEVEL 1"
# Files of a moderate size: a batch rewrites little more than what it changes, and DuckDB, which reads a single file by
# field ids with one thread, reads several with all.
ROW_GROUPS_OF_A_FILE = 2
# Of a table: what readers see, and what was written last.
SNAPSHOTS_KNOWN = 2
AGAIN = (
    "If the catalog was lost or moved, name the right one, or make the tables known again with: c360 doctor --repair."
    " If they are of no use, remove their folders."
)
TABLE_DAMAGED = "Table {key} is damaged: {fault}. Put it back on its newest whole rows with: c360 doctor --repair"
# How long a writer tries whom others keep from committing.
PATIENCE_SECONDS = 120.0
MOVED = "{fault}. Let the tables be known where they lie: c360 doctor --repair. The other place stays as it is."
ROW_FAULTS = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)


class LakeError(C360Error):
    """A table that cannot be written or read as its contract says."""


@dataclass(frozen=True)
class Commit:
    """One write: the snapshot it made, the table's rows and bytes, and the newest event time (None where undated).

    `properties` are those of the snapshot. `merged` says what a merge did; `late` of its new rows lie in hours that
    had been loaded before.
    """

    key: str
    snapshot_id: int
    rows: int
    bytes: int
    watermark: str | None
    properties: Mapping[str, str] = field(default_factory=dict)
    merged: Merge | None = None
    late: int = 0


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
    """The Parquet files of one COPY, with DuckDB's statistics per column; `basis` as of the change it wrote."""

    folder: Path
    schema: Any
    files: list[tuple[str, int, int]]
    statistics: list[Mapping[str, Mapping[str, str]]]
    basis: int | None = None

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


@dataclass(frozen=True)
class _Change:
    """Data files that go, and rows that come (None: none). `basis` is the snapshot the rows were computed from."""

    dropped: list[Any]
    rows: ir.Table | None
    basis: int | None = None
    watermark: str | None = None
    hours: str | None = None
    merge: Merge | None = None
    late: int = 0


@dataclass(frozen=True)
class _View:
    """What a view of the engine shows, and the lazy table over it."""

    contract: Contract
    snapshot_id: int | None
    rows: ir.Table


class Lake:
    """All tables of one deployment.

    `catalog` is an SQLAlchemy address (SQLite or PostgreSQL), `warehouse` the folder that holds the files.
    """

    def __init__(self, catalog: str, warehouse: Path, engine: Engine) -> None:
        self.catalog_uri = catalog
        self.warehouse = warehouse
        self.engine = engine
        self._kept_files: dict[tuple[str, ...], dict[int, list[Any]]] = {}
        self._views: dict[str, _View] = {}

    @cached_property
    def catalog(self) -> Any:
        """The Iceberg catalog, opened at first use. LakeError where it cannot be."""
        self.warehouse.mkdir(parents=True, exist_ok=True)
        from sqlalchemy.exc import DBAPIError

        from resources import catalog

        try:
            return catalog.opened(self.catalog_uri, self.warehouse.as_uri())
        except DBAPIError as fault:
            # Not chained: drivers quote the address.
            raise LakeError(
                f"The catalog of the lake ({catalog.shown(self.catalog_uri)}) cannot be opened:"
                f" {type(fault.orig or fault).__name__}. If it is a database of yours, see that it is there and lets us"
                " in; a file that is damaged is made anew with: c360 doctor --repair"
            ) from None

    def integrity(self, deep: bool = False) -> Integrity:
        """What examines the tables and puts back those that are damaged."""
        return Integrity(self.catalog, self.warehouse, deep)

    def damage(self, text: str) -> str | None:
        """What is wrong with the table whose data file an error names, and what to do; None where nothing is."""
        named = re.search(rf"{re.escape(str(self.warehouse))}/([^/]+)/([^/]+)/data/", text)
        fault = self._damaged(iceberg.key(named[1], named[2])) if named else None
        return str(fault) if fault else None

    def _damaged(self, key: str) -> LakeError | None:
        examined = self.integrity(deep=True).examine(key)
        message = MOVED if isinstance(examined.lost, Elsewhere) else TABLE_DAMAGED
        return LakeError(message.format(key=key, fault=examined.faults[0])) if examined.faults else None

    def check_known(self) -> None:
        """LakeError where the catalog does not know tables that lie in the warehouse, as when it was lost, or moved."""
        integrity = self.integrity()
        if moved := integrity.moved():
            raise LakeError(MOVED.format(fault=moved))
        if lost := integrity.unknown():
            raise LakeError(
                f"{len(lost)} tables lie in {self.warehouse}, {', '.join(lost[:3])} among them, that the catalog"
                f" does not know. {AGAIN}"
            )

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
        return self._commit(
            contract, lambda table: _Change(self._replaced(table, partition), rows), properties or {}, partition
        )

    def merge(
        self,
        contract: Contract,
        rows: ir.Table,
        properties: Mapping[str, str] | None = None,
        window: Window | None = None,
    ) -> Commit:
        """Bring rows, their keys unique, into a table in a single snapshot that nobody reads until `publish`.

        A row takes the place of the one held by its key. With a `window` the rows are all there is in it, and what is
        held there beside them goes. Files in which nothing changes stay as they are. LakeError as for `write`.
        """
        check_columns(contract, rows)
        batch = f"batch of {contract.key}"
        self.engine.view(batch, f"SELECT {_columns(contract)} FROM ({self.engine.sql_of(rows)})")
        try:
            return self._commit(contract, lambda table: self._merged(contract, batch, table, window), properties or {})
        finally:
            merging.forget(self.engine, contract)

    def publish(self, commit: Commit) -> None:
        """Let readers see a commit, unless they see a newer one already."""
        table = self._load(commit.key)
        for attempt in _retrying(commit.key):
            with attempt:
                published = table.refresh().snapshot_by_name(PUBLISHED)
                mine = table.snapshot_by_id(commit.snapshot_id)
                if mine is None:
                    # So late that it was forgotten: readers have long seen newer rows.
                    return
                if published is None or published.sequence_number < mine.sequence_number:
                    table.manage_snapshots().create_tag(commit.snapshot_id, PUBLISHED).commit()

    def read(self, contract: Contract) -> ir.Table:
        """The published rows, lazily, in the contract's columns. An empty table where nothing was ever published."""
        table = self._load(contract.key)
        return self._view(contract.key, contract, table, _published(table))

    def select(self, contract: Contract) -> str:
        """The SELECT of what `read` gives."""
        table = self._load(contract.key)
        return self._sql(contract, table, _published(table))

    def newest(self, contract: Contract) -> tuple[ir.Table, Commit | None]:
        """The rows written last, whether or not readers see them yet, and their commit; None where there is none."""
        table = self._load(contract.key)
        commit = _head(contract, table)
        rows = self._view(f"newest {contract.key}", contract, table, commit.snapshot_id if commit else None)
        return rows, commit

    def at(self, contract: Contract, snapshot_id: int) -> ir.Table | None:
        """The rows of an earlier snapshot; None where it is no longer kept."""
        table = self._load(contract.key)
        if table is None or table.snapshot_by_id(snapshot_id) is None:
            return None
        return self._view(f"earlier {contract.key}", contract, table, snapshot_id)

    def head(self, contract: Contract) -> Commit | None:
        """The commit of the rows written last; None where there is none."""
        return _head(contract, self._load(contract.key))

    def history(self, contract: Contract) -> list[Commit]:
        """The commits of the snapshots that are kept, newest first."""
        table = self._load(contract.key)
        snapshots = sorted(table.snapshots() if table else [], key=lambda one: one.sequence_number, reverse=True)
        return [_commit_of(contract, snapshot) for snapshot in snapshots]

    def empty(self, contract: Contract) -> ir.Table:
        """No rows, in the contract's columns and types."""
        return self.engine.view(f"nothing of {contract.key}", iceberg.no_rows(contract), ibis_schema(contract))

    def state(self, key: str) -> TableState | None:
        """What readers of a table see; None where nothing was ever published."""
        table = self._load(key)
        snapshot_id = _published(table)
        if snapshot_id is None:
            return None
        snapshot = table.snapshot_by_id(snapshot_id)
        said = snapshot.summary.additional_properties
        return TableState(
            key=key,
            snapshot_id=snapshot_id,
            rows=int(said.get("total-records", 0)),
            bytes=int(said.get("total-files-size", 0)),
            location=iceberg.path(table.location()),
            properties=_own(snapshot),
        )

    def amend(self, contract: Contract, condition: str, amended: Callable[[str], str]) -> int:
        """Write the files anew that hold a row for which an SQL `condition` holds; how many rows those are.

        `amended` makes of a SELECT of rows the SELECT of what is to be there. The table keeps what its snapshot says of
        itself. Where rows wait for their checks, they and those that readers see are written anew each.
        """
        table = self._load(contract.key)
        head, published = _head(contract, table), _published(table)
        if head is None:
            return 0
        if published not in (None, head.snapshot_id):
            return self._amend_both(contract, table, condition, amended)
        files = self._files(table, head.snapshot_id)
        touched, count = self._holding(contract, table, files, condition)
        for partition in {file.partition[0] if contract.partition_column else None for file in touched}:
            dropped = [file for file in touched if partition is None or file.partition[0] == partition]
            rows = amended(self._rows_of(contract, table, dropped))
            commit = self._replace(contract, dropped, rows, head.properties)
            if published is not None:
                self.publish(commit)
        return count

    def _amend_both(self, contract: Contract, table: Any, condition: str, amended: Callable[[str], str]) -> int:
        """Of the rows that readers see and those written last make two snapshots, in this order."""
        snapshots = (table.snapshot_by_name(PUBLISHED), table.current_snapshot())
        kept = [(self._files(table, one.snapshot_id), _own(one)) for one in snapshots]
        counts = [self._holding(contract, table, files, condition)[1] for files, _ in kept]
        if any(counts):
            for is_seen, (files, properties) in zip((True, False), kept, strict=True):
                rows = amended(self._rows_of(contract, table, files))
                commit = self._replace(contract, self._newest_files(table.refresh()), rows, properties)
                if is_seen:
                    self.publish(commit)
        return max(counts)

    def _replace(self, contract: Contract, dropped: list[Any], rows: str, properties: Mapping[str, str]) -> Commit:
        columns = ", ".join(map(quoted, contract.column_names))
        view = self.engine.view(f"amended {contract.key}", f"SELECT {columns} FROM ({rows})", ibis_schema(contract))
        return self._commit(contract, lambda _: _Change(dropped, view), properties)

    def _holding(self, contract: Contract, table: Any, files: list[Any], condition: str) -> tuple[list[Any], int]:
        """Those of the files that hold rows for which a condition holds, and how many these are."""
        rows = self._rows_of(contract, table, files, with_file=True)
        counted = f"SELECT {FILENAME}, count(*) FROM ({rows}) WHERE {condition} GROUP BY 1"
        counts: dict[str, int] = dict(self.engine.query(counted))
        return [file for file in files if iceberg.path(file.file_path) in counts], sum(counts.values())

    def _rows_of(self, contract: Contract, table: Any, files: list[Any], with_file: bool = False) -> str:
        counts = {iceberg.path(file.file_path): file.record_count for file in files}
        return iceberg.select(counts, table.schema(), contract, with_file)

    def of_all_snapshots(self, contract: Contract) -> str:
        """The SELECT of the rows of every snapshot that is kept; rows that lie in one file come once."""
        table = self._load(contract.key)
        held: dict[str, Any] = {}
        for snapshot in table.snapshots() if table else []:
            held |= {file.file_path: file for file in self._planned(table, snapshot_id=snapshot.snapshot_id)}
        return self._rows_of(contract, table, [*held.values()]) if held else iceberg.no_rows(contract)

    def forget(self, contract: Contract) -> int:
        """Forget all snapshots but what was written last and what readers see, and delete the files that were theirs.

        For whoever keeps runs away meanwhile. Returns how many files were deleted.
        """
        table = self._load(contract.key)
        return forget(table) if table else 0

    def sweep(self) -> tuple[int, list[str]]:
        """Delete the files below all tables that no snapshot knows and no write can be about to name.

        A killed write leaves such files, and so does a process that is killed while it expires snapshots. Returns how
        many there were, and the tables that are damaged, of which nothing is deleted.
        """
        integrity, count, damaged = self.integrity(), 0, []
        for key in integrity.tables():
            if integrity.examine(key).faults:
                damaged.append(key)
            else:
                count += sweep(self._load(key))
        return count, damaged

    def close(self) -> None:
        """Release the catalog's connections."""
        if "catalog" in self.__dict__:
            self.catalog.close()
            del self.__dict__["catalog"]
        self._kept_files.clear()
        self._views.clear()

    def _load(self, key: str) -> Any:
        from pyiceberg.exceptions import NoSuchTableError

        identity = iceberg.identifier(key)
        try:
            table = self.catalog.load_table(identity)
        except NoSuchTableError:
            folder = self.warehouse.joinpath(*identity)
            # A new table would delete its rows by and by. Asked again, for another process may have made it meanwhile.
            if has_snapshots(folder) and not self.catalog.table_exists(identity):
                raise LakeError(f"Table {key} lies in {folder}, but the catalog does not know it. {AGAIN}") from None
            return None
        except Exception as fault:  # whatever a reader of JSON and of its model makes of bytes that are none
            raise self._damaged(key) or fault from None
        if moved := self.integrity().elsewhere(key, Path(iceberg.path(table.metadata_location))):
            raise LakeError(MOVED.format(fault=moved))
        return table

    def _table(self, contract: Contract) -> Any:
        table = self._load(contract.key)
        if table is not None:
            return table
        from pyiceberg.exceptions import TableAlreadyExistsError

        try:
            return self.catalog.create_table(
                iceberg.identifier(contract.key),
                schema=iceberg.schema(contract),
                partition_spec=iceberg.partition_spec(contract),
                properties=iceberg.properties(contract),
            )
        except TableAlreadyExistsError:  # another process was first
            return self.catalog.load_table(iceberg.identifier(contract.key))

    def _commit(
        self,
        contract: Contract,
        change_of: Callable[[Any], _Change],
        properties: Mapping[str, str],
        partition: str | None = None,
    ) -> Commit:
        """Write what `change_of` the table as it stands says, again where another process changed it meanwhile."""
        from resources.catalog import Change

        table = self._table(contract)
        written: _Written | None = None
        try:
            for attempt in _retrying(contract.key):
                with attempt, Change(table.refresh()) as transaction:
                    iceberg.evolve(transaction, contract)
                    schema = transaction.table_metadata.schema()
                    change = change_of(table)
                    # Another process may have changed the rows we merged with, or the columns and so their field ids.
                    if written is None or written.schema.fields != schema.fields or written.basis != change.basis:
                        _discard(written)
                        written = self._copy(contract, change, table, schema)
                        _check_required(contract, written)
                        _check_partition(contract, written, partition)
                    summary = {**_summary(contract, written, change), **properties}
                    basis = table.current_snapshot()
                    added = _replace(transaction, table, written, change.dropped, summary)
        except BaseException:
            if written and not self._is_committed(table.refresh(), written):
                _discard(written)
            raise
        commit = _head(contract, table)
        assert commit is not None
        self._remember(table, basis, change.dropped, added)
        if len(table.snapshots()) >= MOST_SNAPSHOTS:
            expire(table)
        return replace(commit, merged=change.merge, late=change.late)

    def _merged(self, contract: Contract, batch: str, table: Any, window: Window | None) -> _Change:
        files = self._touched(contract, table, window)
        counts = {iceberg.path(file.file_path): file.record_count for file in files}
        merge = merging.plan(self.engine, contract, batch, counts, table.schema(), window)
        head = _head(contract, table)
        hours = head.properties.get(HOURS, "") if head else ""
        late = 0
        if window and hours:
            known = merging.is_covered(hours, contract.event_time or "")
            ((late,),) = self.engine.query(f"SELECT count(*) FROM {quoted(merge.fresh_rows)} WHERE {known}")
        return _Change(
            dropped=[file for file in files if iceberg.path(file.file_path) in merge.dropped],
            rows=None if merge.is_nothing else self.engine.backend.table(merge.rows),
            basis=head.snapshot_id if head else None,
            watermark=head.watermark if head else None,
            hours=merging.covered(hours, window) if window else None,
            merge=merge,
            late=late,
        )

    def _view(self, name: str, contract: Contract, table: Any, snapshot_id: int | None) -> ir.Table:
        """The rows of a snapshot as a view by that name; it stays while it would come out the same."""
        made = self._views.get(name)
        if made is None or (made.contract, made.snapshot_id) != (contract, snapshot_id):
            rows = self.engine.view(name, self._sql(contract, table, snapshot_id), ibis_schema(contract))
            made = _View(contract, snapshot_id, rows)
            self._views[name] = made
        return made.rows

    def _sql(self, contract: Contract, table: Any, snapshot_id: int | None) -> str:
        if snapshot_id is None:
            return iceberg.no_rows(contract)
        files = self._files(table, snapshot_id)
        counts = {iceberg.path(file.file_path): file.record_count for file in files}
        return iceberg.select(counts, table.schema(), contract)

    def _files(self, table: Any, snapshot_id: int) -> list[Any]:
        """The data files of a snapshot. They never change, so those of the snapshots asked for last are kept."""
        kept = self._kept_files.setdefault(table.name(), {})
        if snapshot_id not in kept:
            self._keep(table, snapshot_id, self._planned(table, snapshot_id=snapshot_id))
        return kept[snapshot_id]

    def _planned(self, table: Any, **asked: Any) -> list[Any]:
        """The data files of a scan. LakeError where manifests are damaged."""
        try:
            return [task.file for task in table.scan(**asked).plan_files()]
        except Exception as fault:  # whatever a reader of Avro makes of bytes that are none
            raise self._damaged(iceberg.key(*table.name())) or fault from None

    def _keep(self, table: Any, snapshot_id: int, files: list[Any]) -> None:
        kept = self._kept_files.setdefault(table.name(), {})
        while len(kept) >= SNAPSHOTS_KNOWN:
            del kept[next(iter(kept))]
        kept[snapshot_id] = files

    def _remember(self, table: Any, basis: Any, dropped: list[Any], added: list[Any]) -> None:
        """Keep the data files of a snapshot just made: to read them back takes longest."""
        made = table.current_snapshot()
        before = self._kept_files.get(table.name(), {}).get(basis.snapshot_id) if basis else []
        # PyIceberg may have put it upon one that another process made meanwhile.
        if before is not None and made.parent_snapshot_id == (basis.snapshot_id if basis else None):
            self._keep(table, made.snapshot_id, [*(file for file in before if file not in dropped), *added])

    def _newest_files(self, table: Any) -> list[Any]:
        snapshot = table.current_snapshot()
        return self._files(table, snapshot.snapshot_id) if snapshot else []

    def _replaced(self, table: Any, partition: str | None) -> list[Any]:
        """The data files of a table as it was written last, or those of one partition."""
        return [file for file in self._newest_files(table) if partition is None or file.partition[0] == partition]

    def _touched(self, contract: Contract, table: Any, window: Window | None) -> list[Any]:
        """The data files of a table as it was written last, or those that may hold events of a window's months."""
        months = _months(window)
        if months is None or table.current_snapshot() is None:
            return self._newest_files(table)
        from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan

        time = contract.event_time or ""
        inside = And(GreaterThanOrEqual(time, months.start), LessThan(time, months.end))
        return self._planned(table, row_filter=inside)

    def _is_committed(self, table: Any, written: _Written) -> bool:
        """Whether the files of a write that ended in an error are in the table all the same."""
        files = {iceberg.path(file.file_path) for file in self._newest_files(table)}
        return any(path in files for path, _, _ in written.files)

    def _copy(self, contract: Contract, change: _Change, table: Any, schema: Any) -> _Written:
        folder = Path(iceberg.path(table.location())) / "data" / uuid.uuid4().hex
        if change.rows is None:
            return _Written(folder, schema, [], [], change.basis)
        folder.mkdir(parents=True)
        rows, columns = self.engine.sql_of(change.rows), _columns(contract)
        layout = f"ROW_GROUPS_PER_FILE {ROW_GROUPS_OF_A_FILE}"
        if contract.loading == HOURLY:
            columns += f", strftime({quoted(contract.event_time or '')}, '%Y-%m') AS _month"
            layout = "PARTITION_BY (_month), OVERWRITE_OR_IGNORE"
        ids = ", ".join(f"{quoted(field.name)}: {field.field_id}" for field in schema.fields)
        try:
            copied = self.engine.query(
                f"COPY (SELECT {columns} FROM ({rows})) TO {literal(str(folder))} (FORMAT parquet, {layout},"
                f" {COMPRESSION}, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, FIELD_IDS {{{ids}}}, RETURN_STATS)"
            )
        except BaseException as fault:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(fault, duckdb.Error) and (message := self.damage(str(fault))):
                raise LakeError(message) from None
            if isinstance(fault, ROW_FAULTS):
                # Not chained: DuckDB quotes the value, and the chain ends in Dagster's log.
                kind = type(fault).__name__.removesuffix("Exception")
                raise LakeError(
                    f"Table {contract.key} fails on a row ({kind} error), so nothing was written."
                ) from None
            raise
        full = [row for row in copied if row[1]]
        for file in {*folder.rglob("*.parquet")} - {Path(row[0]) for row in full}:  # threads that had nothing to write
            file.unlink()
        if not full:
            shutil.rmtree(folder, ignore_errors=True)
        files = [(str(sealed(Path(row[0]))), row[1], row[2]) for row in full]
        return _Written(folder, schema, files, [row[4] for row in full], change.basis)


def check_columns(contract: Contract, rows: ir.Table) -> None:
    """LakeError unless the columns of `rows` are the contract's, by name and type."""
    declared = {column.name: _ibis_type(column.type) for column in contract.columns}
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


def _retrying(key: str) -> Retrying:
    """Tries again where another process committed meanwhile; PyIceberg's own retries give up on some conflicts.

    By time and not by number: on a slow machine the others may be faster twenty times in a row.
    """
    from pyiceberg.exceptions import CommitFailedException, ValidationException

    def give_up(last: RetryCallState) -> NoReturn:
        raise LakeError(
            f"Table {key}: for {PATIENCE_SECONDS:g} seconds other processes were faster each time it was to change, so"
            " nothing was written. See what else writes to this lake, and run again when it is done."
        ) from (last.outcome.exception() if last.outcome else None)

    return Retrying(
        retry=retry_if_exception_type((CommitFailedException, ValidationException)),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random_exponential(0.02, 1),
        retry_error_callback=give_up,
    )


def _summary(contract: Contract, written: _Written, change: _Change) -> dict[str, str]:
    """What the snapshot says of itself."""
    said = {"c360.contract_version": contract.version}
    if contract.event_time:
        newest = max(filter(None, (written.maximum(contract.event_time), change.watermark)), default=None)
        said |= {"c360.watermark": newest} if newest else {}
    if contract.loading == HOURLY and (hours := change.hours or _hours(contract, written)):
        said[HOURS] = hours
    return said


def _hours(contract: Contract, written: _Written) -> str:
    """The hours of a table that was loaded as a whole: from its oldest event to its newest."""
    oldest, newest = (bound(contract.event_time or "") for bound in (written.minimum, written.maximum))
    if oldest is None or newest is None:
        return ""
    first, last = (datetime.fromisoformat(text).replace(minute=0, second=0, microsecond=0) for text in (oldest, newest))
    return merging.covered("", Window(first, last + timedelta(hours=1)))


def _replace(
    transaction: Any, table: Any, written: _Written, dropped: list[Any], summary: Mapping[str, str]
) -> list[Any]:
    """Put what was written in place of what goes, in one snapshot; the data files that are new."""
    from pyiceberg.io.pyarrow import parquet_file_to_data_file

    from resources.overwriting import Overwrite

    metadata = transaction.table_metadata
    added = [parquet_file_to_data_file(table.io, metadata, Path(path).as_uri()) for path, _, _ in written.files]
    with Overwrite(transaction, table.io, dict(summary)) as overwrite:
        for file in dropped:
            overwrite.delete_data_file(file)
        for file in added:
            # As one read from a manifest has it; without it the file could not be replaced.
            file.spec_id = metadata.default_spec_id
            overwrite.append_data_file(file)
    return added


def _months(window: Window | None) -> Window | None:
    """The whole months a window touches, which is how files are laid out."""
    if window is None:
        return None
    after = (window.end - timedelta(microseconds=1)).replace(day=28) + timedelta(days=4)
    first, last = (day.replace(day=1, hour=0, minute=0, second=0, microsecond=0) for day in (window.start, after))
    return Window(first, last)


def _columns(contract: Contract) -> str:
    # Ibis and DuckDB disagree on the scale of decimal products; the cast makes the file what the contract says.
    return ", ".join(f"{quoted(c.name)}::{c.type} AS {quoted(c.name)}" for c in contract.columns)


def _published(table: Any) -> int | None:
    reference = table.refs().get(PUBLISHED) if table else None
    return reference.snapshot_id if reference else None


def _head(contract: Contract, table: Any) -> Commit | None:
    snapshot = table.current_snapshot() if table else None
    return _commit_of(contract, snapshot) if snapshot else None


def _commit_of(contract: Contract, snapshot: Any) -> Commit:
    said = snapshot.summary.additional_properties
    count, size = (int(said.get(name, 0)) for name in ("total-records", "total-files-size"))
    return Commit(contract.key, snapshot.snapshot_id, count, size, said.get("c360.watermark"), _own(snapshot))


def _own(snapshot: Any) -> dict[str, str]:
    """What we said of a snapshot, as against what Iceberg counts."""
    return {name: value for name, value in snapshot.summary.additional_properties.items() if name.startswith("c360.")}


def ibis_schema(contract: Contract) -> ibis.Schema:
    """The contract's columns as Ibis knows them."""
    import ibis

    return ibis.schema({column.name: _ibis_type(column.type) for column in contract.columns})


@cache
def _ibis_type(duckdb_type: str) -> DataType:
    from ibis.backends.sql.datatypes import DuckDBType

    return _comparable(DuckDBType.from_string(duckdb_type))


def _comparable(dtype: DataType) -> DataType:
    """The type without what no contract says: whether null is allowed, and that microseconds are meant."""
    if dtype.is_timestamp() and dtype.timezone is None and dtype.scale is None:
        dtype = dtype.copy(scale=6)
    return dtype.copy(nullable=True)
