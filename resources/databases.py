"""Databases: tables of PostgreSQL and Amazon Redshift, read whole, changed rows only, or hour by hour.

Rows come over ADBC as a stream of Arrow batches from a server-side COPY, so no table is ever in memory as a whole; what
is small (types, times, counts) comes over SQLAlchemy.

What a read by a watermark promises: neither a sequence nor `updated_at` follows the order of commits, so a transaction
that began early and committed late brings rows below the watermark. Each read therefore starts `overlap` before it, and
rows that come twice are one by their key. Every row whose transaction ends within `overlap` of the value it wrote
arrives exactly once; one that takes longer arrives with the next read of the whole table. Rows deleted at the source
leave with that one too.
"""

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import duckdb
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from resources.connectors import MARK, Connector, ConnectorError, Raw, Request
from resources.engine import Engine, literal, quoted

# The properties of a table that say how far its source was read.
WATERMARK = "c360.source_watermark"
CHANGED = "c360.changed"
AHEAD = "c360.ahead"

THIS_MACHINE = ("", "localhost", "127.0.0.1", "::1")
CONNECT_SECONDS = 10
# PostgreSQL's types that Arrow and DuckDB know as they are, by object id, which is fixed; others come as text.
TIMES = (1114, 1184)
NUMBERS = (20, 21, 23)
KNOWN = (16, 17, 25, 700, 701, 1042, 1043, 1082, *TIMES, *NUMBERS)
# What is wrong, by the class or code of SQLSTATE or by words of libpq, and what to do about it.
COMPLAINTS = (
    (
        "^28|authentication failed|no pg_hba|role .* does not exist|password",
        "the server refuses user or password. Check them in the environment",
    ),
    (
        "SSL|certificate|TLS",
        "there is no encrypted connection to be had. Let the server offer one, or set `tls` of the connector",
    ),
    ("^3D|database .* does not exist", "there is no database of that name. Correct the address"),
    ("^42P01|^3F", "there is no such table. Correct `table` of the feed in c360.yaml"),
    ("^42501", "the user may not read it. Grant SELECT on it"),
    ("^57014|timeout", "the server took too long. Try again, or raise its statement_timeout"),
    (
        "^08|^57P|^53|connect|terminat|closed|refused|translate host|network|EOF",
        "the server cannot be reached, or ended the connection. Is it up, and are host and port right",
    ),
)


@dataclass(frozen=True)
class _Table:
    """A table as the server describes it: its SQL name, and the type of each column in order."""

    name: str
    columns: Mapping[str, int]

    @property
    def select(self) -> str:
        shown = [
            quoted(name) if type_ in KNOWN else f"{quoted(name)}::text AS {quoted(name)}"
            for name, type_ in self.columns.items()
        ]
        return f"SELECT {', '.join(shown)} FROM {self.name}"


class Postgres(Connector):
    """A PostgreSQL database. `url` is its address, with user and password from the environment.

    Connections to other machines are encrypted and the server's certificate is checked; `tls` says otherwise: `require`
    encrypts without checking, `off` does not encrypt.
    """

    # A statement may not ask some servers for the time and for rows at once in the words of others.
    now: ClassVar[str] = "now()"

    type: Literal["postgres"]
    url: SecretStr
    tls: Literal["verify-full", "require", "off"] = "verify-full"

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        try:
            is_ours = sa.make_url(url.get_secret_value()).get_backend_name() in ("postgresql", "redshift")
        except (sa.exc.ArgumentError, ValueError):
            is_ours = False
        if not is_ours:
            raise ValueError("must be an address such as postgresql://${SHOP_USER}:${SHOP_PASSWORD}@host:5432/shop")
        return url

    def read(self, request: Request, engine: Engine) -> Raw:
        """The rows of the table, or those of the request's window, or those changed since its watermark."""
        target = engine.scratch / f"{uuid.uuid4().hex}.parquet"
        with self._asked(request) as (server, table):
            # Asked before the rows, which may be more by then, so that the watermark is never ahead of them.
            reached = self._reached(server, table, request)
            self._fetch(f"{table.select}{_where(request, table, request.since)}", target, engine)
        origin = f"{request.name}: {request.table or request.dataset}"
        return Raw(f"SELECT * FROM read_parquet({literal(str(target))})", origin, [], reached)

    def mark(self, request: Request) -> str:
        """How many rows lie above the watermark, overlap included, and the sum of what they have for it."""
        with self._asked(request) as (server, table):
            return self._mark(server, table, request, request.since)

    def _reached(self, server: sa.Connection, table: _Table, request: Request) -> dict[str, str]:
        if request.watermark is None or request.window is not None:
            return {}
        column, where = quoted(request.watermark), _where(request, table, request.since)
        newest, ahead = f"max({column})::text", "0"
        if _is_time(request, table):
            # A clock ahead of the server's would take the watermark past rows yet to come.
            newest = f"CASE WHEN max({column}) IS NOT NULL THEN least(max({column}), {self.now})::text END"
            ahead = f"coalesce(sum(CASE WHEN {column} > {self.now} THEN 1 ELSE 0 END), 0)"
        watermark, count = _one(server, f"SELECT {newest}, {ahead} FROM {table.name}{where}")
        watermark = watermark or request.since
        if watermark is None:
            return {MARK: self._mark(server, table, request, None)}
        reached = {WATERMARK: watermark, MARK: self._mark(server, table, request, watermark), AHEAD: str(count)}
        return reached | self._changes(server, table, request)

    def _mark(self, server: sa.Connection, table: _Table, request: Request, since: str | None) -> str:
        if request.watermark is None:
            raise ConnectorError(f"{_named(request)}: without a `watermark` nobody can tell whether rows are new.")
        column = quoted(request.watermark)
        value = f"extract(epoch from {column})" if _is_time(request, table) else column
        count, total = _one(server, f"SELECT count(*), sum({value}) FROM {table.name}{_where(request, table, since)}")
        return f"{count}:{total}"

    def _changes(self, server: sa.Connection, table: _Table, request: Request) -> dict[str, str]:
        """How many rows are new since the last read, how long ago the first and the median one changed, and when."""
        if request.since is None or not _is_time(request, table):
            return {}
        column = quoted(request.watermark or "")
        middle = f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {column})"
        count, now, oldest, median = _one(
            server,
            f"SELECT count(*), extract(epoch from {self.now}), extract(epoch from min({column})),"
            f" extract(epoch from {middle}) FROM {table.name} WHERE {column} > {literal(request.since)}",
        )
        return {CHANGED: f"{count} {now - oldest} {now - median} {time.time()}"} if count else {}

    def _fetch(self, query: str, target: Path, engine: Engine) -> None:
        from adbc_driver_postgresql import dbapi

        address = self._address.set(drivername="postgresql")
        with dbapi.connect(address.render_as_string(hide_password=False)) as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            self._prepare(cursor)
            cursor.execute(query)
            engine.stage(cursor.fetch_record_batch(), target)

    def _prepare(self, cursor: Any) -> None:
        """Nothing to set: COPY is the default."""

    @cached_property
    def _address(self) -> sa.URL:
        address = sa.make_url(self.url.get_secret_value()).update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
        host = str(address.host or address.query.get("host") or "")
        is_near = host in THIS_MACHINE or host.startswith("/")
        if "sslmode" in address.query or (is_near and self.tls == "verify-full"):
            return address
        if self.tls == "verify-full" and "sslrootcert" not in address.query:
            address = address.update_query_dict({"sslrootcert": "system"})
        return address.update_query_dict({"sslmode": "disable" if self.tls == "off" else self.tls})

    @contextmanager
    def _asked(self, request: Request) -> Iterator[tuple[sa.Connection, _Table]]:
        """A connection and the table; ConnectorError for whatever the server or a driver complains of.

        Their words are not passed on, for they may quote the address or a value.
        """
        from adbc_driver_manager import Error

        server = sa.create_engine(self._address.set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
        try:
            with server.connect() as connection:
                connection.execute(sa.text("SET TIME ZONE 'UTC'"))
                yield connection, _described(connection, request)
        except (sa.exc.SQLAlchemyError, Error, duckdb.Error) as fault:
            raise ConnectorError(f"{_named(request)}: {_complaint(fault)}.") from None


class Unload(BaseModel):
    """Where Redshift writes what it unloads, such as `s3://bucket/prefix`, and the role (ARN) by which it may."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str
    role: str


class Redshift(Postgres):
    """Amazon Redshift, spoken to as PostgreSQL; with `unload` rows come as Parquet files by way of S3.

    Not tested against a Redshift, for want of one: the statements keep to what its documentation lists.
    """

    # now() runs on its leader alone, and not together with a table.
    now: ClassVar[str] = "sysdate"

    type: Literal["redshift"]  # type: ignore[assignment]
    unload: Unload | None = None

    def _prepare(self, cursor: Any) -> None:
        # Redshift has no COPY to the client.
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})

    def _fetch(self, query: str, target: Path, engine: Engine) -> None:
        if self.unload is None:
            super()._fetch(query, target, engine)
            return
        from pyarrow import dataset, fs

        prefix = f"{self.unload.to.rstrip('/')}/{uuid.uuid4().hex}"
        server = sa.create_engine(self._address.set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
        with server.connect() as connection:
            connection.exec_driver_sql(unload_statement(query, prefix, self.unload.role))
        system, path = fs.FileSystem.from_uri(prefix)
        try:
            engine.stage(dataset.dataset(path, filesystem=system, format="parquet").scanner().to_reader(), target)
        finally:
            system.delete_dir(path)


def unload_statement(query: str, prefix: str, role: str) -> str:
    """The statement by which Redshift writes a query's rows as Parquet files below `prefix`."""
    return f"UNLOAD ({literal(query)}) TO {literal(prefix + '/')} IAM_ROLE {literal(role)} FORMAT AS PARQUET"


def _described(server: sa.Connection, request: Request) -> _Table:
    name = ".".join(quoted(part) for part in (request.table or request.dataset).split("."))
    result = server.exec_driver_sql(f"SELECT * FROM {name} LIMIT 0")
    columns = {column[0]: int(str(column[1])) for column in result.cursor.description}
    if request.watermark is not None and columns.get(request.watermark) not in (*TIMES, *NUMBERS):
        problem = "is neither a time nor a whole number" if request.watermark in columns else "is not there"
        raise ConnectorError(
            f"{_named(request)}: column '{request.watermark}', the feed's `watermark`, {problem}. Name one that changes"
            f" whenever a row does; the columns are {', '.join(columns)}."
        )
    return _Table(name, columns)


def _is_time(request: Request, table: _Table) -> bool:
    return table.columns[request.watermark or ""] in TIMES


def _where(request: Request, table: _Table, since: str | None) -> str:
    """The condition for the rows asked for, with the space before it."""
    if request.watermark is None or (since is None and request.window is None):
        return ""
    column = quoted(request.watermark)
    if request.window is not None:
        return f" WHERE {column} >= '{request.window.start}' AND {column} < '{request.window.end}'"
    if _is_time(request, table):
        return f" WHERE {column} > {literal(since or '')}::timestamptz - interval '{request.overlap} seconds'"
    return f" WHERE {column} > {int(since or 0) - request.overlap}"


def _one(server: sa.Connection, sql: str) -> Any:
    # As the driver takes it: no percent sign or colon of a name is a parameter.
    return server.exec_driver_sql(sql).one()


def _named(request: Request) -> str:
    return f"Connector {request.name}, table {request.table or request.dataset}"


def _complaint(fault: Exception) -> str:
    code = getattr(fault, "sqlstate", None) or getattr(getattr(fault, "orig", None), "pgcode", None) or ""
    said = f"{code} {fault}"
    told = (remedy for pattern, remedy in COMPLAINTS if re.search(pattern, said))
    return next(told, f"the server reports an error ({code or type(fault).__name__})")
