"""The engine: Ibis on DuckDB. The only place that opens a DuckDB connection for the product."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from governance.keys import pads

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends.duckdb import Backend


# How DuckDB says that a column is not there.
MISSING = re.compile(r'(?:Referenced column|have a column named|Error: Column) "(.+)"(?: not found| in [A-Z]+ list|$)')
# How folders of intermediate files are called; the number of the process follows.
SCRATCH = "c360-"
# By what name the engine knows our keyed hash.
KEYED_HASH = "c360_keyed_hash"


class Engine:
    """One in-memory DuckDB per process; what outgrows memory spills into a scratch folder of its own.

    `threads` None means all cores; `memory_limit` is DuckDB's, such as '4GB' or '80%'. `reach` are the files and
    folders that statements may read and write beside the scratch folder; None means any.
    """

    def __init__(
        self, memory_limit: str = "4GB", threads: int | None = None, reach: Iterable[Path] | None = None
    ) -> None:
        self.memory_limit = memory_limit
        self.threads = threads
        self.reach = reach

    @cached_property
    def scratch(self) -> Path:
        """A folder for intermediate files, removed with the engine."""
        return Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection to DuckDB, opened at first use so that importing the code location costs nothing."""
        settings: dict[str, Any] = {
            "memory_limit": self.memory_limit,
            "temp_directory": str(self.scratch),
            # A function that DuckDB has not may be in an extension, which it would fetch from the network.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if self.threads:
            settings["threads"] = self.threads
        connection = _settled(duckdb.connect(config=settings))
        if self.reach is not None:
            _fence(connection, [self.scratch, *self.reach])
        return connection

    @cached_property
    def backend(self) -> Backend:
        """Ibis on that connection. Importing it takes longer than most statements, so not all go by way of it."""
        import ibis
        from ibis.backends.duckdb import Backend

        class Interruptible(Backend):  # type: ignore[misc]
            def to_pyarrow(self, *expression: Any, **options: Any) -> pa.Table:
                with interruptible(self.con):
                    return super().to_pyarrow(*expression, **options)

        # Ibis would fold nested SELECTs into one, at a third of the time it takes to compile; DuckDB does it anyway.
        ibis.options.sql.fuse_selects = False
        return Interruptible.from_connection(self.connection)

    def query(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement. duckdb.Error where it fails, and what an interrupt raises where one comes.

        With parameters, DuckDB imports pandas first; `literal` spares those who wait for a word of ours.
        """
        connection = self.connection
        with interruptible(connection):
            rows: list[tuple[Any, ...]] = connection.execute(sql, parameters).fetchall()
        return rows

    def view(self, name: str, sql: str, schema: ibis.Schema | None = None) -> ir.Table:
        """A lazy table over a SELECT, known to the engine by `name`; a `schema` that is known need not be asked for."""
        self.query(f"CREATE OR REPLACE VIEW {quoted(name)} AS {sql}")
        if schema is None:
            return self.backend.table(name)
        import ibis.expr.operations as ops

        return ops.DatabaseTable(name, schema=schema, source=self.backend).to_expr()

    def keyed_hash(self, key: bytes) -> Callable[[ir.Value], ir.Value]:
        """A function of text to its HMAC-SHA256 (64 hexadecimal digits), computed by the engine; null stays null.

        The key is told to the engine once, so that no statement holds it that an error might quote.
        """
        import ibis

        names = [f"{KEYED_HASH}_{side}" for side in ("inner", "outer")]
        for name, pad in zip(names, pads(key), strict=True):
            self.connection.execute(f"SET VARIABLE {name} = $1", [pad])
        inner, outer = (f"getvariable('{name}')::BLOB" for name in names)
        hashed = f"sha256({outer} || unhex(sha256({inner} || encode(value))))"
        self.query(f"CREATE OR REPLACE TEMP MACRO {KEYED_HASH}(value) AS {hashed}")

        def by_the_engine(value: str) -> str:
            raise NotImplementedError

        function: Callable[[ir.Value], ir.Value] = ibis.udf.scalar.builtin(by_the_engine, name=KEYED_HASH)
        return function

    def stage(self, batches: pa.RecordBatchReader, file: Path) -> None:
        """Write a stream of Arrow batches to a Parquet file, batch by batch."""
        connection = self.connection
        connection.register("batches", batches)
        try:
            # Read again soon and then deleted: what is quick to write beats what is small.
            self.query(f"COPY (SELECT * FROM batches) TO {literal(str(file))} (FORMAT parquet, COMPRESSION snappy)")
        finally:
            connection.unregister("batches")

    def sibling(self) -> Engine:
        """The same engine by a connection of its own, for another thread; is closed with this one."""
        other = Engine(self.memory_limit, self.threads, self.reach)
        other.__dict__ |= {"scratch": self.scratch, "connection": _settled(self.cursor())}
        return other

    def cursor(self) -> Any:
        """Another DuckDB connection to the same tables and views."""
        return self.connection.cursor()

    def sql_of(self, table: ir.Table) -> str:
        """The SELECT that computes `table` on this engine."""
        # Without the hooks, in-memory tables and Python functions in the expression are unknown to the engine.
        self.backend._run_pre_execute_hooks(table)
        return str(self.backend.compile(table))

    def close(self) -> None:
        """Close the connection and remove the scratch folder."""
        self.__dict__.pop("backend", None)
        if "connection" in self.__dict__:
            self.connection.close()
            del self.__dict__["connection"]
        if "scratch" in self.__dict__:
            shutil.rmtree(self.scratch, ignore_errors=True)
            del self.__dict__["scratch"]


def _settled(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The connection with our settings, which others to the same tables do not share."""
    # Row order is no property of a table, and keeping it costs COPY three times the memory.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    # A name in a statement is a table or nothing, as Ibis has it; DuckDB would look among Python's variables.
    connection.execute("SET python_enable_replacements = false")
    return connection


def _fence(connection: duckdb.DuckDBPyConnection, reach: Iterable[Path]) -> None:
    """Let no statement read or write anything but these files and folders, nor take this back."""
    listed = f"[{', '.join(literal(str(path)) for path in reach)}]"
    connection.execute(f"SET allowed_directories = {listed}")
    connection.execute(f"SET allowed_paths = {listed}")
    connection.execute("SET enable_external_access = false")


@contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """An interrupt in the middle of a statement stays one; DuckDB makes an error of it, and a run would go on.

    The statement is ended, too: where it is not, the next one of the connection may wait for it in vain, and for good.
    """
    try:
        yield
    except RuntimeError as fault:
        interrupt = fault.__cause__
        if interrupt is None or isinstance(interrupt, Exception):
            raise
        connection.interrupt()
        raise interrupt from None


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def missing_column(fault: duckdb.Error) -> str | None:
    """The column a statement names and nothing has, where that is what DuckDB complains of."""
    found = MISSING.search(str(fault).splitlines()[0])
    return found[1] if found else None


def complaint(fault: duckdb.Error) -> str:
    """What DuckDB says of a statement, without the statement and what it would put in its place."""
    return " ".join(re.split("LINE |Candidate (?:bindings|functions)", str(fault))[0].split())
