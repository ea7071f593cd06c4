"""What the product remembers about its own running: check results, scores, incidents, the outbox, lags.

These tables change row by row and in transactions that span several of them, so they lie in a database beside the lake:
SQLite, or PostgreSQL where several machines share it. One process writes at a time, the others wait for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from governance.contract import Contract
from governance.errors import C360Error

TABLES = ("quality_results", "quality_scores", "incidents", "notifications", "profile_lags", "subject_requests")
TYPES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {
    "VARCHAR": sa.String,
    "INTEGER": sa.Integer,
    "BIGINT": sa.BigInteger,
    "DOUBLE": sa.Double,
    "BOOLEAN": sa.Boolean,
    "DATE": sa.Date,
    "TIMESTAMP": sa.DateTime,
}

# How a transaction takes its turn; the number only has to be the same for all who write here.
TAKE_TURN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(360360360)"}
WAIT_SECONDS = 60


class OperationsError(C360Error):
    """An operational store that cannot be used."""


class Operations:
    """The operational tables of one deployment, made from their contracts at first use.

    `uri` is an SQLAlchemy address (SQLite or PostgreSQL), `sinks` the names of those who are told of incidents.
    """

    def __init__(self, uri: str, contracts: Mapping[str, Contract], sinks: Sequence[str]) -> None:
        self.contracts = {name: contracts[name] for name in TABLES}
        self.sinks = tuple(sinks)
        self._address = _address(uri)
        self._metadata = sa.MetaData()
        self._tables = {name: _table(contract, self._metadata) for name, contract in self.contracts.items()}

    @cached_property
    def _engine(self) -> sa.Engine:
        is_sqlite = self._address.get_backend_name() == "sqlite"
        # Left alone, the driver of SQLite opens transactions by itself, and later than we must.
        options = {"timeout": WAIT_SECONDS, "isolation_level": None} if is_sqlite else {}
        engine: sa.Engine | None = None
        try:
            engine = sa.create_engine(self._address, connect_args=options, hide_parameters=True, pool_pre_ping=True)
            _make(engine, self._metadata)
        except (DBAPIError, ImportError) as fault:
            if engine:
                engine.dispose()
            kind = type(getattr(fault, "orig", None) or fault).__name__
            # Not chained: drivers quote the address.
            raise OperationsError(
                f"The operational store ({_shown(self._address)}) cannot be opened: {kind}. Check the key `operations`"
                " of c360.yaml, and that the database is there and lets us in."
            ) from None
        return engine

    def table(self, name: str) -> sa.Table:
        """The table of that name, to write statements with."""
        return self._tables[name]

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is kept, or none where the block raises. Other writers wait until it ends."""
        with self._engine.begin() as connection:
            _take_turn(connection)
            yield connection

    def connect(self) -> sa.Connection:
        """A connection to read by, which waits for nobody; close it."""
        return self._engine.connect()

    def upsert(self, connection: sa.Connection, name: str, *rows: Mapping[str, Any]) -> None:
        """Put rows of the same columns in, or change those of the same key; columns left out are null, or stay."""
        if not rows:
            return
        contract = self.contracts[name]
        statement = _insert(connection, self.table(name))
        changed = {column: statement.excluded[column] for column in rows[0] if column not in contract.primary_key}
        upserting = statement.on_conflict_do_update(index_elements=contract.primary_key, set_=changed)
        connection.execute(upserting, [dict(row) for row in rows])

    def rows(self, name: str) -> Any:
        """The records of a table as a PyArrow table."""
        import pyarrow as pa

        types = {
            "VARCHAR": pa.string(),
            "INTEGER": pa.int32(),
            "BIGINT": pa.int64(),
            "DOUBLE": pa.float64(),
            "BOOLEAN": pa.bool_(),
            "DATE": pa.date32(),
            "TIMESTAMP": pa.timestamp("us"),
        }
        columns = self.contracts[name].columns
        schema = pa.schema([(column.name, types[column.type]) for column in columns])
        return pa.Table.from_pylist(self.records(name), schema=schema)

    def records(self, name: str) -> list[dict[str, Any]]:
        """All rows in the contract's columns, in the order of the key."""
        table = self.table(name)
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            return [dict(row) for row in found]

    def count(self, name: str) -> int:
        """How many rows there are."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(self.table(name))) or 0

    def close(self) -> None:
        """Release the connections."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self.__dict__["_engine"]


# Two who make SQLite's file at once can get in each other's way before either may wait for the other.
@retry(
    retry=retry_if_exception_type(DBAPIError),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(0.05, 1),
    reraise=True,
)
def _make(engine: sa.Engine, metadata: sa.MetaData) -> None:
    if engine.dialect.name == "sqlite":
        # With a log beside the file, readers need not wait for the writer. The file remembers it.
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    with engine.begin() as connection:
        _take_turn(connection)
        metadata.create_all(connection)


def _take_turn(connection: sa.Connection) -> None:
    connection.exec_driver_sql(TAKE_TURN[connection.dialect.name])


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that can do something else where the key is there, which SQL has no standard for."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def _address(uri: str) -> sa.URL:
    try:
        address = sa.make_url(uri)
        is_known = address.get_dialect().name in TAKE_TURN
    except ArgumentError:
        is_known = False
    if not is_known:
        raise OperationsError(
            "The key `operations` of c360.yaml is no address of SQLite or PostgreSQL. Write for example"
            " sqlite:////data/operations.db or postgresql+psycopg2://${DB_USER}:${DB_PASSWORD}@host/c360"
        )
    return address


def _shown(address: sa.URL) -> str:
    """The address without who enters and with what."""
    return sa.URL.create(
        address.drivername, host=address.host, port=address.port, database=address.database
    ).render_as_string()


def _table(contract: Contract, metadata: sa.MetaData) -> sa.Table:
    columns = [
        sa.Column(column.name, TYPES[column.type](), nullable=not column.required, autoincrement=False)
        for column in contract.columns
    ]
    return sa.Table(contract.name, metadata, *columns, sa.PrimaryKeyConstraint(*contract.primary_key))
