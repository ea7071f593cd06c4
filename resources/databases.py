"""Databases: tables of PostgreSQL and Amazon Redshift, read whole, changed rows only, or hour by hour.

Rows come over ADBC as a stream of Arrow batches from a server-side COPY, so no table is ever in memory as a whole; what
is small (types, times, counts) comes over psycopg2. SQLAlchemy reads the addresses, but does not connect: it would ask
Redshift for settings that it does not have.

What a read by a watermark promises: neither a sequence nor `updated_at` follows the order of commits, so a transaction
that began early and committed late brings rows below the watermark. Each read therefore starts `overlap` before it, and
rows that come twice are one by their key. Every row whose transaction ends within `overlap` of the value it wrote
arrives exactly once; one that takes longer arrives with the next read of the whole table. Rows without a value for the
watermark arrive with every read. Rows deleted at the source leave with the next read of the whole table.
"""

import re
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from resources.connectors import MARK, Connector, ConnectorError, Raw, Request
from resources.engine import Engine, literal, quoted

if TYPE_CHECKING:
    import sqlalchemy as sa

# The properties of a table that say how far its source was read.
WATERMARK = "c360.source_watermark"
CHANGED = "c360.changed"
AHEAD = "c360.ahead"

THIS_MACHINE = ("", "localhost", "127.0.0.1", "::1")
CONNECT_SECONDS = 10
# PostgreSQL's types that Arrow and DuckDB know as they are, by object id, which is fixed; others come as text.
LOCAL_TIME, MOMENT, DATE, MONEY = 1114, 1184, 1082, 790
TIMES = (LOCAL_TIME, MOMENT)
NUMBERS = (20, 21, 23)
KNOWN = (16, 17, 25, 700, 701, 1043, *NUMBERS)
# Infinity has no place in Arrow and would come out at the other end of time; these have one in DuckDB, too.
ENDS_OF_TIME = ("4713-01-01 BC", "294246-12-31")
FARTHEST_ZONE = timedelta(hours=14)
# The name of a schema or table, quoted or not.
QUOTED = re.compile(r'"(?:[^"]|"")+"')
PART = re.compile(rf"{QUOTED.pattern}|[^.]+")
# What is wrong, by the class or code of SQLSTATE, or by words of libpq where there is none, and what to do about it.
COMPLAINTS = (
    (
        "certificate (verify|for|file)",
        "the server's certificate cannot be verified for this host. Name the file of the authority that signed it as"
        " `?sslrootcert=` in the address, or set `tls: require` to do without",
    ),
    (
        "no encryption|not support SSL|SSL error",
        "server and connector do not agree on encryption. Let the server offer TLS, or set `tls` of the connector",
    ),
    (
        "^28|authentication failed|no pg_hba|role .* does not exist|no password",
        "the server refuses user or password. Check them in the environment",
    ),
    ("^3D|database .* does not exist", "there is no database of that name. Correct the address"),
    (
        "^42P01|^3F|^0A",
        # Of a schema that is closed to the user a server says the same.
        "there is no such table. Correct `table` of the feed in c360.yaml, or grant the user USAGE on its schema",
    ),
    ("^42501|permission denied", "the user may not read it. Grant SELECT on it, and USAGE on its schema"),
    ("^57014|^55P03|timeout", "the server took too long. Try again, or raise its statement_timeout"),
    (
        "^08|^57P|^53|^25P|connect|terminat|closed|refused|translate host|network|EOF",
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
        shown = [f"{_shown(quoted(name), type_)} AS {quoted(name)}" for name, type_ in self.columns.items()]
        return f"SELECT {', '.join(shown)} FROM {self.name}"


class Database(Connector):
    """A database that speaks PostgreSQL's protocol. `url` is its address, user and password from the environment.

    Connections to other machines are encrypted and the server's certificate is checked; `tls` says otherwise: `require`
    encrypts without checking, `off` does not encrypt. A feed's `table` may name its schema, as in `sales.orders`; names
    that have a dot in them are put in double quotes.
    """

    # The server's clock in SQL, for statements that read rows as well.
    now: ClassVar[str] = "now()"

    url: SecretStr
    tls: Literal["verify-full", "require", "off"] = "verify-full"

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        import sqlalchemy as sa

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
        return _raw(request, target, reached)

    def look(self, request: Request, engine: Engine) -> Raw:
        """The columns of the table, as they come with no row."""
        target = engine.scratch / f"{uuid.uuid4().hex}.parquet"
        with self._asked(request) as (_, table):
            Database._fetch(self, f"{table.select} LIMIT 0", target, engine)
        return _raw(request, target)

    def mark(self, request: Request) -> str:
        """How many rows lie above the watermark, overlap included, and the sum of what they have for it."""
        with self._asked(request) as (server, table):
            return self._mark(server, table, request, request.since)

    def _reached(self, server: Any, table: _Table, request: Request) -> dict[str, str]:
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
        return reached | self._changes(server, table, request, watermark)

    def _mark(self, server: Any, table: _Table, request: Request, since: str | None) -> str:
        if request.watermark is None:
            raise ConnectorError(
                f"{_named(request)}: without a `watermark` nobody can tell whether rows are new. Name one for the feed."
            )
        column = quoted(request.watermark)
        value = f"extract(epoch from {column})" if _is_time(request, table) else column
        count, total = _one(server, f"SELECT count(*), sum({value}) FROM {table.name}{_where(request, table, since)}")
        return f"{count}:{total}"

    def _changes(self, server: Any, table: _Table, request: Request, watermark: str) -> dict[str, str]:
        """How many rows are new since the last read, how long ago the first and the median one changed, and when.

        Rows above the new watermark, committed while we ask or ahead of the server's clock, count the next time.
        """
        if request.since is None or not _is_time(request, table):
            return {}
        column = quoted(request.watermark or "")
        middle = f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {column})"
        count, now, oldest, median = _one(
            server,
            f"SELECT count(*), extract(epoch from {self.now}), extract(epoch from min({column})),"
            f" extract(epoch from {middle}) FROM {table.name}"
            f" WHERE {column} > {literal(request.since)} AND {column} <= {literal(watermark)}",
        )
        return {CHANGED: f"{count} {now - oldest} {now - median} {time.time()}"} if count else {}

    def _fetch(self, query: str, target: Path, engine: Engine) -> None:
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self._address, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            self._prepare(cursor)
            cursor.execute(query)
            engine.stage(cursor.fetch_record_batch(), target)

    def _prepare(self, cursor: Any) -> None:
        """Nothing to set: COPY is the default."""

    @cached_property
    def _address(self) -> str:
        import sqlalchemy as sa

        address = sa.make_url(self.url.get_secret_value()).set(drivername="postgresql")
        usual = {"connect_timeout": str(CONNECT_SECONDS), "client_encoding": "utf8"}
        address = address.update_query_dict(usual | self._encryption(address))
        base, _, query = address.render_as_string(hide_password=False).partition("?")
        # To libpq a plus is a plus.
        return f"{base.replace(' ', '%20')}?{query.replace('+', '%20')}"

    def _encryption(self, address: "sa.URL") -> dict[str, str]:
        # What comes later in an address counts.
        host = str(address.query.get("hostaddr") or address.query.get("host") or address.host or "")
        is_near = host in THIS_MACHINE or host.startswith("/")
        if "sslmode" in address.query or (is_near and self.tls == "verify-full"):
            return {}
        mode: dict[str, str] = {"sslmode": "disable" if self.tls == "off" else self.tls}
        if self.tls == "verify-full" and "sslrootcert" not in address.query:
            mode["sslrootcert"] = _authorities()
        return mode

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import psycopg2

        with closing(psycopg2.connect(self._address)) as connection:
            # A transaction would be idle for as long as rows come elsewhere, which servers may end.
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    @contextmanager
    def _asked(self, request: Request) -> Iterator[tuple[Any, _Table]]:
        """A cursor of the server and the table; ConnectorError for whatever the server or a driver complains of.

        Their words are not passed on, for they may quote the address or a value.
        """
        import psycopg2
        from adbc_driver_manager import Error

        try:
            with self._connected() as server:
                server.execute("SET TIME ZONE 'UTC'")
                yield server, _described(server, request)
        except duckdb.OutOfMemoryException:  # no fault of the source
            raise
        except (psycopg2.Error, Error, duckdb.Error) as fault:
            raise ConnectorError(f"{_named(request)}: {_complaint(fault)}.") from None


class Postgres(Database):
    """A PostgreSQL database."""

    type: Literal["postgres"]


class Unload(BaseModel):
    """Where Redshift writes what it unloads, such as `s3://bucket/prefix`, and the role (ARN) by which it may."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str
    role: str


class Redshift(Database):
    """Amazon Redshift, spoken to as PostgreSQL; with `unload` rows come as Parquet files by way of S3.

    Not tested against a Redshift, for want of one: the statements keep to what its documentation lists.
    """

    # now() runs on its leader alone, and not together with a table.
    now: ClassVar[str] = "sysdate"

    type: Literal["redshift"]
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
        with self._connected() as server:
            server.execute(unload_statement(query, prefix, self.unload.role))
        system, path = fs.FileSystem.from_uri(prefix)
        try:
            engine.stage(dataset.dataset(path, filesystem=system, format="parquet").scanner().to_reader(), target)
        finally:
            system.delete_dir(path)


def unload_statement(query: str, prefix: str, role: str) -> str:
    """The statement by which Redshift writes a query's rows as Parquet files below `prefix`."""
    return f"UNLOAD ({literal(query)}) TO {literal(prefix + '/')} IAM_ROLE {literal(role)} FORMAT AS PARQUET"


def _raw(request: Request, target: Path, reached: Mapping[str, str] | None = None) -> Raw:
    origin = f"{request.name}: {request.table or request.dataset}"
    return Raw(f"SELECT * FROM read_parquet({literal(str(target))})", origin, [], reached or {}, timezone="UTC")


def _described(server: Any, request: Request) -> _Table:
    name = ".".join(_part(part) for part in PART.findall(request.table or request.dataset))
    server.execute(f"SELECT * FROM {name} LIMIT 0")
    columns = {column.name: column.type_code for column in server.description}
    fitting = TIMES if request.window else (*TIMES, *NUMBERS)
    if request.watermark is not None and columns.get(request.watermark) not in fitting:
        wanted = "is no time" if request.window else "is neither a time nor a whole number"
        problem = wanted if request.watermark in columns else "is not there"
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
        # A time without zone may be of any. The mapping says of which, and what is outside then is left out after it.
        margin = FARTHEST_ZONE if table.columns[request.watermark] == LOCAL_TIME else timedelta()
        return f" WHERE {column} >= '{request.window.start - margin}' AND {column} < '{request.window.end + margin}'"
    if _is_time(request, table):
        start = f"{literal(since or '')}::timestamptz - interval '{request.overlap} seconds'"
    else:
        start = str(int(since or 0) - request.overlap)
    return f" WHERE ({column} > {start} OR {column} IS NULL)"


def _one(server: Any, sql: str) -> Any:
    server.execute(sql)
    return server.fetchone()


def _named(request: Request) -> str:
    return f"Connector {request.name}, table {request.table or request.dataset}"


def _part(name: str) -> str:
    return name if QUOTED.fullmatch(name) else quoted(name)


def _shown(column: str, type_: int) -> str:
    """The SQL expression by which a column's values come."""
    if type_ in (DATE, *TIMES):
        first, last = ENDS_OF_TIME
        return f"CASE WHEN {column} < '{first}' THEN '{first}' WHEN {column} > '{last}' THEN '{last}' ELSE {column} END"
    if type_ == MONEY:
        return f"{column}::numeric::text"
    return column if type_ in KNOWN else f"{column}::text"


def _authorities() -> str:
    """The file of the authorities this machine trusts, else that which Python's own clients trust.

    What libpq calls "system" is a folder of the machine on which its driver was built.
    """
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return ssl.get_default_verify_paths().cafile or DEFAULT_CA_BUNDLE_PATH


def _complaint(fault: Exception) -> str:
    code = getattr(fault, "pgcode", None) or getattr(fault, "sqlstate", None)
    remedies = (remedy for pattern, remedy in COMPLAINTS if re.search(pattern, code or str(fault)))
    return next(remedies, f"the server reports an error ({code or type(fault).__name__}), which its log shows in full")
