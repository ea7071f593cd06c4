"""Databases: what arrives of a real PostgreSQL, what is read again and what is not, and what is said when it fails."""

import asyncio
import json
import re
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus

import dagster as dg
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from c360_assets import definitions
from c360_assets.sources.datasets import WHOLE_TAG
from governance.errors import C360Error
from resources.connectors import ConnectorError, Request
from resources.databases import AHEAD, CHANGED, WATERMARK, Postgres, Redshift, unload_statement
from resources.deployment import Deployment, Feed, Settings
from resources.engine import Engine
from resources.feeds import FeedError, Feeds
from resources.lake import HOURS, Commit
from resources.merging import Window
from tests.processes import free_port, until
from tests.tables import CONTRACTS

Row = dict[str, Any]
# Every sign by which an address could be cut into pieces.
PASSWORD = "s3cret /@:%+?#&"
STREET = "Sackville Street 17"
NEAR, FAR = "127.0.0.1", "127.0.0.2"
# How a client asks whether the server speaks TLS.
SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)

ORDERS = """
CREATE TABLE orders (order_id text, customer_id text, total_amount numeric(12, 2), ordered_at timestamptz,
  billing_address text, updated_at timestamptz, version bigint);
INSERT INTO orders SELECT n, 'C' || n, 10 * n, '2024-01-01', 'Sackville Street 17', now() - (9 - n) * interval '1 hour',
  1000 * n FROM generate_series(1, 5) n
"""
SELECT = "select order_id, customer_id, total_amount, ordered_at, billing_address from raw"
START = datetime(2024, 1, 30, 20)


class Database:
    """The shop's database as its owner sees it."""

    def __init__(self, address: sa.URL) -> None:
        self.address = address
        self.server = sa.create_engine(
            address, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", execution_options={"no_parameters": True}
        )

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        with self.server.connect() as connection:
            result = connection.exec_driver_sql(sql)
            return [tuple(row) for row in result] if result.returns_rows else []

    def as_ann(self, host: str = NEAR, port: str | None = None, password: str = PASSWORD, **query: str) -> str:
        """The address by which Ann comes, who may read and no more."""
        at = int(port or str(self.address.query["port"]))
        address = sa.URL.create("postgresql", "ann", password, host, at, self.address.database, query)
        return address.render_as_string(hide_password=False)


@dataclass(frozen=True)
class Loaded:
    """What a load brought: the rows read, those set aside, and what became of the table."""

    read: int
    set_aside: int
    is_part: bool
    commit: Commit

    @property
    def fresh(self) -> int | None:
        """How many rows of a part were new or changed."""
        return self.commit.merged.fresh if self.commit.merged else None


class Shop:
    """A deployment of one feed, and the lake it fills."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    @contextmanager
    def deployed(self, dataset: str = "orders", connector: Row | None = None, **feed: Any) -> Iterator[Deployment]:
        reader = {"type": "postgres", "url": self.url, **(connector or {})}
        settings = Settings.model_validate({"name": "Shop", "currency": "EUR", "connectors": {"shop": reader}})
        usual = {"orders": {"select": SELECT, "watermark": "updated_at"}, "web_analytics": {"watermark": "activity_ts"}}
        feeds = {dataset: Feed.model_validate({"from": "shop", **usual[dataset], **feed})}
        with closing(Deployment(self.folder / "c360.yaml", settings, feeds, CONTRACTS)) as deployment:
            yield deployment

    def load(self, dataset: str = "orders", window: Window | None = None, **given: Any) -> Loaded:
        with self.deployed(dataset, **given) as deployment:
            return loaded(deployment, dataset, window)

    def hours(self, first: int, last: int, **given: Any) -> Loaded:
        return self.load("web_analytics", hours(first, last), **given)

    def run(self, succeeds: bool = False, tags: dict[str, str] | None = None, **given: Any) -> str:
        """Run the asset as Dagster does; everything that is logged."""
        with self.deployed(**given) as deployment, dg.DagsterInstance.ephemeral() as instance:
            job = definitions.build(deployment).resolve_job_def("refresh")
            only = [dg.AssetKey(["sources", "orders"])]
            result = job.execute_in_process(
                instance=instance, raise_on_error=False, asset_selection=only, tags=tags or {}
            )
            assert result.success == succeeds
            return "\n".join(entry.to_json() for entry in instance.all_logs(result.run_id))

    def has_news(self, **given: Any) -> bool:
        with self.deployed(**given) as deployment:
            return Feeds(deployment).has_news(CONTRACTS["sources/orders"])

    def table(self, key: str, *columns: str) -> list[tuple[Any, ...]]:
        """The published values of these columns, in order."""
        with self.deployed() as deployment:
            return held(deployment, key, *columns)

    @property
    def amounts(self) -> dict[str, float]:
        return dict(self.table("sources/orders", "order_id", "total_amount"))

    @property
    def events(self) -> list[str]:
        return [event for (event,) in self.table("sources/web_analytics", "activity_uuid")]

    @property
    def reasons(self) -> dict[str, str]:
        """Why rows were set aside, by their key."""
        kept = self.table("quarantine", "record", "reason")
        return {json.loads(record)["order_id"]: reason for record, reason in kept}


def loaded(deployment: Deployment, dataset: str, window: Window | None = None) -> Loaded:
    """Load a dataset and publish it, as its asset does."""
    feeds, lake, contract = Feeds(deployment), deployment.lake, CONTRACTS[f"sources/{dataset}"]
    load = feeds.load(contract, window)
    feeds.quarantine(contract, load, {})
    if load.is_part:
        commit = lake.merge(contract, load.rows, load.properties, load.window)
    else:
        commit = lake.write(contract, load.rows, load.properties)
    lake.publish(commit)
    return Loaded(load.row_count, load.quarantined_count, load.is_part, commit)


def held(deployment: Deployment, key: str, *columns: str) -> list[tuple[Any, ...]]:
    rows = deployment.lake.read(CONTRACTS[key]).to_pyarrow().to_pylist()
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def hours(first: int, last: int) -> Window:
    return Window(START + timedelta(hours=first), START + timedelta(hours=last))


def said(error: BaseException) -> str:
    """Everything a log shows of an error, the errors it came from included."""
    return "".join(traceback.format_exception(error))


@pytest.fixture(scope="module")
def ann(postgres: str) -> Iterator[Database]:
    database = Database(sa.make_url(postgres))
    database.run("CREATE ROLE ann LOGIN")
    yield database
    database.run("DROP OWNED BY ann; DROP ROLE ann")


@pytest.fixture
def database(ann: Database) -> Database:
    """An empty database, which Ann may read."""
    ann.run(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO ann;"
        " ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ann;"
        f" ALTER ROLE ann RESET ALL; ALTER ROLE ann PASSWORD '{PASSWORD}'"
    )
    return ann


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Shop:
    return Shop(tmp_path, database.as_ann())


@pytest.fixture
def orders(shop: Shop, database: Database) -> Shop:
    """The shop with five orders, loaded once."""
    database.run(ORDERS)
    shop.load()
    return shop


@pytest.fixture
def events(shop: Shop, database: Database) -> Shop:
    """The shop with a table of events, empty."""
    database.run("CREATE TABLE web_analytics (activity_uuid text, activity_ts timestamptz, event_action text)")
    return shop


def happened(database: Database, **at: float) -> None:
    """Put events into the table, each at so many hours from the start."""
    for name, hour in at.items():
        moment = START + timedelta(hours=hour)
        database.run(f"INSERT INTO web_analytics VALUES ('{name}', '{moment}+00', 'page_view')")


def change(database: Database, **amounts: int) -> None:
    """Give orders another amount, as of now."""
    for name, amount in amounts.items():
        database.run(f"UPDATE orders SET total_amount = {amount}, updated_at = now() WHERE order_id = '{name[1:]}'")


def read(database: Database, engine: Engine, request: Request) -> int:
    """How many rows come from the server."""
    connector = Postgres.model_validate({"type": "postgres", "url": database.as_ann()})
    ((count,),) = engine.query(f"SELECT count(*) FROM ({connector.read(request, engine).sql})")
    return int(count)


# A whole table.

# What PostgreSQL calls a value, and the text of what arrives.
VALUES = {
    "'Ann'::text": "Ann",
    "E'a\\tb\\nc'::varchar(9)": "a\tb\nc",
    "''::text": "",
    "'paid'::char(9)": "paid",
    "'red'::colour": "red",
    "7::int2": "7",
    "7::int4": "7",
    "9223372036854775807::int8": "9223372036854775807",
    "12.50::numeric(9, 2)": "12.50",
    "'NaN'::numeric": "NaN",
    "'-Infinity'::numeric": "-Infinity",
    "0.5::float4": "0.5",
    "'NaN'::float8": "nan",
    "1234.5::money": "1234.50",
    "true": "true",
    "'2024-01-31'::date": "2024-01-31",
    "'infinity'::date": "294246-12-31",
    "'-infinity'::date": "4713-01-01 (BC)",
    "'12345-01-01'::date": "12345-01-01",
    "'2024-01-31 10:00:00.123456'::timestamp": "2024-01-31 10:00:00.123456",
    "'infinity'::timestamp": "294246-12-31 00:00:00",
    "'294276-12-31'::timestamp": "294246-12-31 00:00:00",
    "'0044-03-15 BC'::timestamp": "0044-03-15 (BC) 00:00:00",
    "'2024-01-31 10:00+02'::timestamptz": "2024-01-31 08:00:00+00",
    "'-infinity'::timestamptz": "4713-01-01 (BC) 00:00:00+00",
    "'10:00'::time": "10:00:00",
    "'1 day 2 hours'::interval": "1 day 02:00:00",
    "'6f1e4ad8-4d1c-4b5e-8f57-1b6d3f1c9a10'::uuid": "6f1e4ad8-4d1c-4b5e-8f57-1b6d3f1c9a10",
    "'{\"a\": [1]}'::jsonb": '{"a": [1]}',
    "array['a', 'b,c']": '{a,"b,c"}',
    "'10.0.0.1'::inet": "10.0.0.1/32",
    "'\\x00ff'::bytea": "\\x00\\xFF",
    "null::text": None,
    "null::timestamptz": None,
    "null::money": None,
}


@pytest.mark.parametrize("kind", [Postgres, Redshift])
def test_a_value_of_any_type_arrives(kind: type[Postgres], database: Database, engine: Engine, tmp_path: Path) -> None:
    columns = ", ".join(f"{value} AS c{place}" for place, value in enumerate(VALUES))
    database.run(f"CREATE TYPE colour AS ENUM ('red'); CREATE TABLE things AS SELECT {columns}")
    connector = kind.model_validate({"type": kind.__name__.lower(), "url": database.as_ann()})
    request = Request("shop", "orders", tmp_path, table="things")
    raw, looked_at = connector.read(request, engine), connector.look(request, engine)
    assert engine.query(f"DESCRIBE {looked_at.sql}") == engine.query(f"DESCRIBE {raw.sql}")
    assert (engine.query(looked_at.sql), looked_at.origin) == ([], raw.origin)
    (row,) = engine.query(f"SELECT COLUMNS(*)::VARCHAR FROM ({raw.sql})")
    assert dict(zip(VALUES, row, strict=True)) == VALUES
    assert (raw.origin, raw.reached) == ("shop: things", {})


def test_a_value_becomes_what_the_contract_says(shop: Shop, database: Database) -> None:
    database.run(
        "CREATE TABLE orders AS SELECT 12::int8 AS order_id, 'C1'::char(9) AS customer_id,"
        " '2024-01-31 10:00+02'::timestamptz AS ordered_at, '2024-02-01'::date AS order_delivery_date,"
        " 12.50::numeric AS total_amount, 1234.5::money AS discounted_amount, 'NaN'::numeric AS shipping_amount,"
        " 'f'::bool AS has_discount, 1::int2 AS has_promo_code, array['a', 'b'] AS billing_address,"
        " '\\x41'::bytea AS season"
    )
    assert shop.load(select="select * from raw", watermark=None).set_aside == 0
    named = ("order_id", "customer_id", "ordered_at", "order_delivery_date", "total_amount", "discounted_amount")
    assert shop.table("sources/orders", *named) == [
        ("12", "C1", datetime(2024, 1, 31, 8), datetime(2024, 2, 1), 12.5, 1234.5)
    ]
    named = ("shipping_amount", "has_discount", "has_promo_code", "billing_address", "season")
    assert shop.table("sources/orders", *named) == [(None, False, True, "{a,b}", "A")]


def test_a_value_the_contract_has_no_place_for_is_set_aside_with_its_reason(shop: Shop, database: Database) -> None:
    database.run(
        "CREATE TABLE orders (order_id text, ordered_at timestamptz, order_delivery_date date, total_amount numeric,"
        " season bytea);"
        " INSERT INTO orders VALUES (null, null, null, 1, '\\x00ff');"
        " INSERT INTO orders VALUES ('fine', '2024-01-01', '2024-01-01', 1), ('empty', null, null, null),"
        " ('forever', 'infinity', null, 1), ('never', '-infinity', null, 1), ('far', null, 'infinity', 1),"
        " ('future', '12345-01-01', null, 1), ('Rome', '0044-03-15 BC', null, 1), ('endless', null, null, 'Infinity')"
    )
    shop.load(select="select * from raw", watermark=None)
    assert [key for (key,) in shop.table("sources/orders", "order_id")] == ["empty", "far", "fine"]
    assert shop.reasons == {
        "forever": "ordered_at is after 2099-12-31 23:59:59",
        "never": "ordered_at is before 1900-01-01 00:00:00",
        "future": "ordered_at is after 2099-12-31 23:59:59",
        "Rome": "ordered_at is before 1900-01-01 00:00:00",
        "endless": "total_amount is no number",
        None: "order_id is missing",
    }


@pytest.mark.parametrize("name", ["orders", "public.orders", 'Sales 2024.100% "off" :x', '"Sales 2024"."a.b"'])
def test_a_table_of_any_name_is_found(name: str, database: Database, engine: Engine, tmp_path: Path) -> None:
    quoted = '"Sales 2024"."100% ""off"" :x"' if name.startswith("Sales") else name
    database.run(
        'DROP SCHEMA IF EXISTS "Sales 2024" CASCADE; CREATE SCHEMA "Sales 2024"; GRANT USAGE ON SCHEMA "Sales 2024"'
        f" TO ann; CREATE TABLE {quoted} AS SELECT now() AS updated_at; GRANT SELECT ON {quoted} TO ann"
    )
    assert read(database, engine, Request("shop", "orders", tmp_path, table=name, watermark="updated_at")) == 1


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_view_is_as_good_as_a_table(kind: str, shop: Shop, database: Database) -> None:
    database.run(f"{ORDERS}; CREATE {kind} seen AS SELECT * FROM orders")
    assert (shop.load(table="seen").read, shop.load(table="seen").read) == (5, 1)


def test_a_column_may_have_any_name(shop: Shop, database: Database) -> None:
    database.run(
        'CREATE TABLE orders ("50% :a ""b""" int, "select" text, "größe %s" timestamptz);'
        " INSERT INTO orders VALUES (1, 'C1', now())"
    )
    given = {"watermark": "größe %s", "select": 'select "50% :a ""b""" as order_id, "select" as customer_id from raw'}
    assert (shop.load(**given).read, shop.load(**given).is_part) == (1, True)
    assert shop.table("sources/orders", "order_id", "customer_id") == [("1", "C1")]


def test_an_address_may_have_options(shop: Shop, database: Database) -> None:
    database.run(f"CREATE SCHEMA IF NOT EXISTS sales; {ORDERS}; ALTER TABLE orders SET SCHEMA sales")
    database.run("GRANT USAGE ON SCHEMA sales TO ann")
    url = database.as_ann(options="-c search_path=sales -c statement_timeout=60000")
    assert (shop.load(connector={"url": url}).read, len(shop.amounts)) == (5, 5)
    database.run("DROP SCHEMA sales CASCADE")


def test_rows_deleted_at_the_source_leave_with_a_whole_load_which_may_be_asked_for(
    orders: Shop, database: Database
) -> None:
    before = orders.amounts
    database.run("DELETE FROM orders WHERE order_id = 'O1'")
    assert orders.load().is_part
    assert orders.amounts == before
    orders.run(succeeds=True, tags={WHOLE_TAG: "true"})
    assert orders.amounts.keys() == before.keys() - {"O1"}


@pytest.fixture
def latin(database: Database) -> Iterator[Database]:
    """A database whose text is in Latin-1."""
    database.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    yield Database(database.address.set(database="latin"))
    database.run("DROP DATABASE latin WITH (FORCE)")


def test_a_database_of_another_encoding_is_read(shop: Shop, latin: Database) -> None:
    latin.run("CREATE TABLE orders AS SELECT 'Zoë' AS \"größe\"; GRANT SELECT ON orders TO ann")
    select = 'select 1 as order_id, "größe" as customer_id from raw'
    shop.load(connector={"url": latin.as_ann()}, select=select, watermark=None)
    assert shop.table("sources/orders", "customer_id") == [("Zoë",)]


# What changed since.


def test_after_the_first_load_only_what_changed_is_read(orders: Shop, database: Database) -> None:
    unchanged = orders.load()
    assert (unchanged.is_part, unchanged.read, unchanged.fresh) == (True, 1, 0)
    database.run("INSERT INTO orders VALUES ('6', 'C6', 60, '2024-01-02', null, now())")
    change(database, n2=21)
    changed = orders.load()
    assert changed.commit.properties[CHANGED].startswith("2 ")
    # The one at the watermark is within the overlap.
    assert (changed.read, changed.fresh, changed.commit.rows) == (3, 2, 6)
    assert orders.amounts == {"1": 10, "2": 21, "3": 30, "4": 40, "5": 50, "6": 60}


def test_a_transaction_that_commits_late_is_picked_up_below_the_watermark(orders: Shop, database: Database) -> None:
    change(database, n5=51)
    with database.server.execution_options(isolation_level="READ COMMITTED").begin() as slow:
        slow.exec_driver_sql("UPDATE orders SET total_amount = 11, updated_at = now() WHERE order_id = '1'")
        time.sleep(0.01)
        change(database, n2=21)
        orders.load()
        assert orders.amounts["1"] == 10
        assert not orders.has_news()
    assert orders.has_news()
    ((below,),) = database.run(
        "SELECT one.updated_at < other.updated_at FROM orders one, orders other"
        " WHERE one.order_id = '1' AND other.order_id = '2'"
    )
    assert below
    assert orders.load().fresh == 1
    assert orders.amounts["1"] == 11
    assert not orders.has_news()


def test_what_commits_later_than_the_overlap_comes_with_the_next_whole_load(orders: Shop, database: Database) -> None:
    change(database, n5=51)
    orders.load()
    database.run("UPDATE orders SET total_amount = 11, updated_at = now() - interval '11 minutes' WHERE order_id = '1'")
    assert not orders.has_news()
    orders.load()
    assert orders.amounts["1"] == 10
    orders.load(overlap=601)
    assert orders.amounts["1"] == 11


def test_rows_without_a_watermark_are_read_each_time(orders: Shop, database: Database) -> None:
    database.run("INSERT INTO orders VALUES ('6', 'C6', 60)")
    assert orders.has_news()
    assert orders.load().read == 2
    database.run("UPDATE orders SET total_amount = 61 WHERE order_id = '6'")
    assert orders.load().fresh == 1
    assert orders.amounts["6"] == 61


def test_a_watermark_may_be_empty_throughout(shop: Shop, database: Database) -> None:
    database.run(f"{ORDERS}; UPDATE orders SET updated_at = null")
    assert (shop.load().read, shop.load().read) == (5, 5)
    assert not shop.has_news()
    change(database, n1=11)
    assert shop.has_news()
    assert (shop.load().is_part, shop.load().is_part) == (False, True)
    assert shop.amounts["1"] == 11


def test_a_number_may_be_the_watermark(shop: Shop, database: Database) -> None:
    database.run(ORDERS)
    given = {"watermark": "version", "overlap": 500}
    assert shop.load(**given).commit.properties[WATERMARK] == "5000"
    database.run("UPDATE orders SET total_amount = 21, version = 5001 WHERE order_id = '2'")
    database.run("UPDATE orders SET total_amount = 11, version = 4600 WHERE order_id = '1'")
    assert shop.has_news(**given)
    loaded = shop.load(**given)
    assert (loaded.read, loaded.fresh, loaded.commit.properties[WATERMARK]) == (3, 2, "5001")
    assert (shop.amounts["1"], shop.amounts["2"], shop.has_news(**given)) == (11, 21, False)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_a_time_without_zone_may_be_the_watermark(zone: str, shop: Shop, database: Database) -> None:
    database.run(
        f"{ORDERS}; ALTER TABLE orders ALTER updated_at TYPE timestamp USING updated_at AT TIME ZONE '{zone}';"
        f" ALTER ROLE ann SET timezone = '{zone}'"
    )
    assert shop.load().read == 5
    database.run(f"UPDATE orders SET total_amount = 21, updated_at = now() AT TIME ZONE '{zone}' WHERE order_id = '2'")
    assert (shop.has_news(), shop.load().fresh, shop.amounts["2"], shop.has_news()) == (True, 1, 21, False)
    database.run(f"UPDATE orders SET total_amount = 22, updated_at = now() AT TIME ZONE '{zone}' WHERE order_id = '2'")
    assert (shop.load().fresh, shop.amounts["2"]) == (1, 22)


def test_there_is_news_only_where_something_is_new(orders: Shop, database: Database) -> None:
    assert not orders.has_news()
    change(database, n1=11)
    assert orders.has_news()
    orders.load()
    assert not orders.has_news()
    database.run("DELETE FROM orders WHERE order_id = '1'")
    assert orders.has_news()


def test_a_feed_never_loaded_has_news(shop: Shop, database: Database) -> None:
    database.run(ORDERS)
    assert shop.has_news()


def test_another_mapping_is_news_and_loads_everything(orders: Shop) -> None:
    other = SELECT.replace("total_amount", "2 * total_amount::double as total_amount")
    assert orders.has_news(select=other)
    changed = orders.load(select=other)
    assert (changed.is_part, changed.read, orders.amounts["3"]) == (False, 5, 60)
    assert (orders.has_news(select=other), orders.load(select=other).is_part) == (False, True)


@pytest.mark.parametrize("other", [{"timezone": "America/Chicago"}, {"currency": "USD"}])
def test_another_clock_or_currency_is_another_mapping(other: dict[str, str], orders: Shop) -> None:
    with orders.deployed() as deployment:
        own = deployment.settings.model_copy(update=other)
        with closing(replace(deployment, settings=own)) as changed:
            assert not Feeds(deployment).has_news(CONTRACTS["sources/orders"])
            assert Feeds(changed).has_news(CONTRACTS["sources/orders"])


def test_without_a_watermark_nobody_can_tell_what_is_new(orders: Shop) -> None:
    orders.load(watermark=None)
    with pytest.raises(ConnectorError, match=r"shop, table orders: without a `watermark` nobody can tell .* Name one"):
        orders.has_news(watermark=None)
    orders.load()
    assert not orders.has_news()


# Failures.

BROKEN = """ALTER TABLE orders RENAME TO held; CREATE VIEW orders AS SELECT order_id, customer_id,
  {} AS total_amount, ordered_at, billing_address, updated_at FROM held"""
MENDED = "DROP VIEW orders; ALTER TABLE held RENAME TO orders"
MORE = "INSERT INTO orders SELECT 100 + n, null, 1, '2024-01-01', null, now() FROM generate_series(1, 25) n;"

# What happens to the source, what is said of it, and how it is put right.
FAULTS = {
    "the password is another": (
        "ALTER ROLE ann PASSWORD 'changed'",
        r"Connector shop, table orders: the server refuses user or password\. Check them in the environment\.",
        f"ALTER ROLE ann PASSWORD '{PASSWORD}'",
    ),
    "nobody may read the table": (
        "REVOKE SELECT ON orders FROM ann",
        r"Connector shop, table orders: the user may not read it\. Grant SELECT on it, and USAGE on its schema\.",
        "GRANT SELECT ON orders TO ann",
    ),
    "the table is gone": (
        "ALTER TABLE orders RENAME TO sales",
        r"Connector shop, table orders: there is no such table\. Correct `table` of the feed in c360\.yaml, or grant",
        "ALTER TABLE sales RENAME TO orders",
    ),
    "the watermark is gone": (
        "ALTER TABLE orders RENAME updated_at TO changed_at",
        r"table orders: column 'updated_at', the feed's `watermark`, is not there\. .* the columns are order_id, ",
        "ALTER TABLE orders RENAME changed_at TO updated_at",
    ),
    "the watermark is of another type": (
        "ALTER TABLE orders ALTER updated_at TYPE text",
        r"table orders: column 'updated_at', the feed's `watermark`, is neither a time nor a whole number",
        "ALTER TABLE orders ALTER updated_at TYPE timestamptz USING updated_at::timestamptz",
    ),
    "a column is gone": (
        "ALTER TABLE orders RENAME total_amount TO total",
        r"Feed orders \(shop: orders\): .*total_amount.* The source's columns are .*total.* Correct it in c360\.yaml",
        "ALTER TABLE orders RENAME total TO total_amount",
    ),
    "a column is of another type": (
        f"{MORE} ALTER TABLE orders ALTER total_amount TYPE text USING 'EUR ' || total_amount",
        r"Feed orders \(shop: orders\): total_amount is no number in all 27 rows, so the mapping is wrong",
        "DELETE FROM orders WHERE customer_id IS NULL;"
        " ALTER TABLE orders ALTER total_amount TYPE numeric USING substr(total_amount, 5)::numeric",
    ),
    "a value cannot be computed": (
        BROKEN.format("billing_address::int"),
        r"Connector shop, table orders: the server reports an error \(\w+\), which its log shows in full",
        MENDED,
    ),
    "the server takes too long": (
        f"ALTER ROLE ann SET statement_timeout = 50; {BROKEN.format('length(pg_sleep(1)::text)')}",
        r"Connector shop, table orders: the server took too long\. Try again, or raise its statement_timeout\.",
        f"ALTER ROLE ann RESET ALL; {MENDED}",
    ),
}


def assert_silent(log: str) -> None:
    """Nothing is told of passwords or of what rows hold."""
    assert not [
        secret for secret in (PASSWORD, quote_plus(PASSWORD), quote(PASSWORD, safe=""), STREET) if secret in log
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_source_is_told_and_leaves_the_table_until_it_is_put_right(
    fault: str, orders: Shop, database: Database
) -> None:
    breaks, told, mends = FAULTS[fault]
    change(database, n2=21)
    database.run(breaks)
    log = orders.run()
    assert re.search(told, log)
    assert_silent(log)
    assert orders.amounts == {"1": 10, "2": 20, "3": 30, "4": 40, "5": 50}
    database.run(mends)
    loaded = orders.load()
    assert (loaded.is_part, loaded.fresh) == (True, 1)
    assert orders.amounts == {"1": 10, "2": 21, "3": 30, "4": 40, "5": 50}


@pytest.mark.parametrize("fault", ["the table is gone", "the watermark is gone", "a column is gone"])
def test_what_the_columns_tell_is_told_without_loading(fault: str, shop: Shop, database: Database) -> None:
    breaks, told, mends = FAULTS[fault]
    database.run(ORDERS)
    for statement, wanted in ((breaks, [told]), (mends, [])):
        database.run(statement)
        with shop.deployed() as deployment:
            found = Feeds(deployment).faults([CONTRACTS["sources/orders"]])
        assert len(found) == len(wanted)
        assert all(map(re.search, wanted, found))


MANY = """CREATE TABLE sales (id text, day text, price text, updated_at timestamptz);
  INSERT INTO sales SELECT n, '%s', '%s', now() FROM generate_series(1, 20) n"""
MAPPED = "select id as order_id, {} as ordered_at, {} as total_amount from raw"
READ_DAY, READ_PRICE = "coalesce(try_strptime(day, '%d.%m.%Y')::varchar, day)", "replace(price, ',', '.')"
COMPUTED = "coalesce((try_cast(price as double) * 1.19)::varchar, price)"
JUNE = datetime(2024, 6, 1)


def mapped(day: str = "day", price: str = "price") -> Row:
    return {"table": "sales", "select": MAPPED.format(day, price)}


# What the source holds, how it is read, and what is said of it; what is advised at the source or for the feed, and one
# order as it is read then.
REMEDIES: dict[str, tuple[str, Row, str, str, Row, tuple[Any, ...]]] = {
    "a schema that is closed": (
        f"{ORDERS}; REVOKE USAGE ON SCHEMA public FROM ann",
        {},
        "or grant the user USAGE on its schema",
        "GRANT USAGE ON SCHEMA public TO ann",
        {},
        (datetime(2024, 1, 1), 10),
    ),
    "another schema": (
        f"DROP SCHEMA IF EXISTS till CASCADE; CREATE SCHEMA till; {ORDERS}",
        {"table": "till.orders"},
        "Grant SELECT on it, and USAGE on its schema",
        "CREATE TABLE till.orders AS TABLE orders;"
        " GRANT USAGE ON SCHEMA till TO ann; GRANT SELECT ON till.orders TO ann",
        {"table": "till.orders"},
        (datetime(2024, 1, 1), 10),
    ),
    "another table": (
        ORDERS,
        {"table": "sales"},
        "there is no such table. Correct `table` of the feed",
        "",
        {"table": "public.orders"},
        (datetime(2024, 1, 1), 10),
    ),
    "another watermark": (
        ORDERS,
        {"watermark": "changed_at"},
        "is not there. Name one that changes whenever a row does; the columns are order_id, .* updated_at, version",
        "",
        {"watermark": "version"},
        (datetime(2024, 1, 1), 10),
    ),
    "a watermark that is a text": (
        ORDERS,
        {"watermark": "customer_id"},
        "is neither a time nor a whole number. Name one",
        "",
        {"watermark": "updated_at"},
        (datetime(2024, 1, 1), 10),
    ),
    "dates in words of their own": (
        MANY % ("01.06.2024", "10.5"),
        mapped(),
        f"ordered_at is no TIMESTAMP in all 20 rows, .* If moments are written otherwise, select {re.escape(READ_DAY)}",
        "",
        mapped(READ_DAY),
        (JUNE, 10.5),
    ),
    "numbers with a comma": (
        MANY % ("2024-06-01", "10,5"),
        mapped(),
        f"total_amount is no number in all 20 rows, .* select {re.escape(READ_PRICE)}",
        "",
        mapped("day", READ_PRICE),
        (JUNE, 10.5),
    ),
    "a dot that groups": (
        MANY % ("2024-06-01", "1.250"),
        mapped(),
        r"1\.250, which is 1250 or 1\.25, .* of a column x, replace\(x, '\.', ''\) is the one",
        "",
        mapped("day", "replace(price, '.', '')"),
        (JUNE, 1250),
    ),
    "a dot that does not": (
        MANY % ("2024-06-01", "1.250"),
        mapped(),
        "x::double the other",
        "",
        mapped("day", "price::double"),
        (JUNE, 1.25),
    ),
    "a date that fails": (
        MANY % ("01.06.2024", "10") + "; INSERT INTO sales VALUES ('x', 'never', 1, now())",
        mapped("strptime(day, '%d.%m.%Y')"),
        f"For dates in another notation select {re.escape(READ_DAY)}",
        "",
        mapped(READ_DAY),
        (JUNE, 10),
    ),
    "a computation that fails": (
        MANY % ("2024-06-01", "10") + "; INSERT INTO sales VALUES ('x', '2024-06-01', 'much', now())",
        mapped("day", "price::double * 1.19"),
        f"leave what cannot be computed as it is: {re.escape(COMPUTED)}",
        "",
        mapped("day", COMPUTED),
        (JUNE, 10 * 1.19),
    ),
}


@pytest.mark.parametrize("fault", REMEDIES)
def test_what_an_error_advises_reads_the_table(fault: str, shop: Shop, database: Database) -> None:
    source, feed, told, mends, advised, order = REMEDIES[fault]
    database.run(source)
    with pytest.raises(C360Error, match=told):
        shop.load(**feed)
    database.run(mends or "SELECT 1")
    shop.load(**advised)
    rows = {row[0]: row[1:] for row in shop.table("sources/orders", "order_id", "ordered_at", "total_amount")}
    assert (rows["1"], "x" in rows) == (order, False)
    if "'x'" in source:
        assert shop.reasons.keys() == {"x"}


def test_a_database_is_found_once_the_address_names_it(orders: Shop, database: Database) -> None:
    wrong = sa.make_url(database.as_ann()).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(ConnectorError, match=r"there is no database of that name\. Correct the address"):
        orders.load(connector={"url": wrong})
    assert orders.load(connector={"url": database.as_ann()}).set_aside == 0


def test_the_name_of_a_table_is_no_complaint(orders: Shop) -> None:
    with pytest.raises(ConnectorError, match="table no password, certificate for SSL error: there is no such table"):
        orders.load(table="no password, certificate for SSL error")


@pytest.mark.parametrize(
    "name", ['"" ; drop table orders; --', '"orders"; drop table orders; --', 'orders"; drop table orders']
)
def test_the_name_of_a_table_is_no_statement(name: str, orders: Shop) -> None:
    with pytest.raises(ConnectorError, match="there is no such table"):
        orders.load(table=name)
    assert orders.load(table="orders").read == 5


def test_a_server_that_is_down_is_told_and_caught_up_with_afterwards(orders: Shop, database: Database) -> None:
    change(database, n2=21)
    log = orders.run(connector={"url": database.as_ann(port=str(free_port()))})
    assert re.search(r"Connector shop, table orders: the server cannot be reached.* host and port right\.", log)
    assert_silent(log)
    assert orders.amounts["2"] == 20
    assert orders.load().fresh == 1
    assert orders.amounts["2"] == 21


def test_a_connection_lost_amid_the_rows_leaves_the_table(orders: Shop, database: Database) -> None:
    database.run(
        BROKEN.format("CASE WHEN n < 2000 THEN n ELSE length(pg_sleep(60)::text) END") + ", generate_series(1, 2000) n"
    )

    def is_ended() -> bool:
        # Asleep at the last row it has sent all the others.
        asleep = "datname = current_database() AND wait_event = 'PgSleep' AND query LIKE 'COPY%'"
        return bool(database.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {asleep}"))

    ending = threading.Thread(target=until, args=(is_ended,))
    ending.start()
    log = orders.run(watermark=None)
    ending.join()
    assert re.search("Connector shop, table orders: the server cannot be reached, or ended the connection", log)
    assert_silent(log)
    assert orders.amounts == {"1": 10, "2": 20, "3": 30, "4": 40, "5": 50}
    database.run(MENDED)
    change(database, n2=21)
    assert orders.load().fresh == 1
    assert orders.amounts["2"] == 21


def test_a_server_that_ends_idle_transactions_does_not_mind_a_long_read(orders: Shop, database: Database) -> None:
    database.run(f"ALTER ROLE ann SET idle_in_transaction_session_timeout = 20; {BROKEN.format('7 + 0')}")
    database.run(
        "CREATE OR REPLACE VIEW orders AS SELECT order_id, customer_id, 7 + length(pg_sleep(0.03)::text) AS"
        " total_amount, ordered_at, billing_address, updated_at FROM held"
    )
    assert orders.load(watermark=None).read == 5


def test_another_column_at_the_source_changes_nothing_where_columns_are_named(orders: Shop, database: Database) -> None:
    database.run("ALTER TABLE orders ADD note text DEFAULT 'new'")
    change(database, n2=21)
    assert (orders.load().fresh, orders.amounts["2"]) == (1, 21)


def test_another_column_at_the_source_is_told_where_all_are_taken(orders: Shop, database: Database) -> None:
    database.run("ALTER TABLE orders DROP version, ADD note text")
    with pytest.raises(
        FeedError, match=r"\(shop: orders\): column 'updated_at' is not .*; column 'note' is not in the"
    ):
        orders.load(select="select * from raw")
    assert len(orders.amounts) == 5


def test_a_row_that_becomes_unfit_is_set_aside_and_held_as_it_was(orders: Shop, database: Database) -> None:
    database.run(
        "ALTER TABLE orders ALTER total_amount TYPE text; UPDATE orders SET total_amount = 'many',"
        " updated_at = now() WHERE order_id = '2'"
    )
    loaded = orders.load()
    assert (loaded.set_aside, orders.amounts["2"]) == (1, 20)
    assert orders.reasons == {"2": "total_amount is no number"}
    database.run("UPDATE orders SET total_amount = '21', updated_at = now() WHERE order_id = '2'")
    assert (orders.load().fresh, orders.amounts["2"]) == (1, 21)


def test_an_emptied_source_is_an_error_unless_it_may_be_empty(orders: Shop, database: Database) -> None:
    database.run("TRUNCATE orders")
    log = orders.run(watermark=None)
    assert re.search(r"Feed orders \(shop: orders\): the source is empty, while 5 rows .* `may_be_empty: true`", log)
    assert len(orders.amounts) == 5
    orders.load(watermark=None, may_be_empty=True)
    assert orders.amounts == {}


def test_an_emptied_source_that_is_read_by_watermark_leaves_what_is_held(orders: Shop, database: Database) -> None:
    database.run("TRUNCATE orders")
    assert (orders.has_news(), orders.load().read, len(orders.amounts), orders.has_news()) == (True, 0, 5, False)
    database.run("INSERT INTO orders VALUES ('6', 'C6', 60, null, null, now())")
    assert (orders.load().fresh, len(orders.amounts)) == (1, 6)


@pytest.mark.parametrize("ahead", ["now() + interval '3 days'", "'infinity'"])
def test_a_clock_ahead_makes_no_later_row_missed(ahead: str, orders: Shop, database: Database) -> None:
    database.run(f"UPDATE orders SET total_amount = 51, updated_at = {ahead} WHERE order_id = '5'")
    reached = orders.load().commit.properties
    assert datetime.fromisoformat(reached[WATERMARK]) <= datetime.now(UTC)
    assert reached[AHEAD] == "1"
    assert not orders.has_news()
    # How long ago a change was that is yet to come, nobody can say.
    assert CHANGED not in reached
    change(database, n1=11)
    assert (orders.has_news(), orders.load().read, orders.has_news()) == (True, 2, False)
    assert (orders.amounts["1"], orders.amounts["5"]) == (11, 51)


def test_of_rows_that_share_a_key_the_newest_stays_and_the_others_are_set_aside(
    orders: Shop, database: Database
) -> None:
    database.run(
        "INSERT INTO orders VALUES ('2', 'C2', 21, '2024-01-03', null, now()),"
        " ('2', 'C2', 22, '2024-01-02', null, now())"
    )
    loaded = orders.load()
    assert (loaded.set_aside, orders.amounts["2"]) == (1, 21)
    assert orders.reasons == {"2": "order_id: key repeats, another row of that key is kept"}
    database.run("DELETE FROM orders WHERE total_amount = 22")
    assert (orders.load().set_aside, orders.amounts["2"]) == (0, 21)


# What may be told.


def test_neither_a_deployment_nor_its_tables_and_logs_know_the_password(orders: Shop) -> None:
    assert_silent(orders.run(succeeds=True))
    with orders.deployed() as deployment:
        Feeds(deployment).has_news(CONTRACTS["sources/orders"])
        assert_silent(repr(deployment))
        assert_silent(repr(deployment.settings.connectors["shop"]))
        assert_silent(deployment.lake.catalog.load_table(("sources", "orders")).metadata.model_dump_json())


def test_what_failed_inside_is_not_in_the_traceback(orders: Shop, database: Database) -> None:
    database.run(BROKEN.format("billing_address::int"))
    with pytest.raises(ConnectorError) as raised:
        orders.load()
    assert_silent(said(raised.value))


@pytest.mark.parametrize("url", [f"mysql://ann:{PASSWORD}@host/shop", PASSWORD])
def test_an_address_that_is_none_is_refused_without_quoting_it(url: str, shop: Shop) -> None:
    with pytest.raises(ValidationError, match="must be an address such as postgresql://") as raised:
        shop.load(connector={"url": url})
    assert_silent(said(raised.value))


# Encryption.


def certificate(host: str) -> str:
    """A certificate for an address, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return signed.public_bytes(pem).decode() + private.decode()


class Relay:
    """A machine that speaks TLS for a server that does not: the one of the tests is built without."""

    def __init__(self, port: int, file: Path) -> None:
        self.server_port = port
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(file)
        self.port = ""
        # Of each connection whether it was encrypted.
        self.encrypted: list[bool] = []

    @contextmanager
    def running(self) -> Iterator["Relay"]:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._relay, FAR, 0))
        self.port = str(server.sockets[0].getsockname()[1])
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        yield self
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError), closing(writer):
            first = await reader.readexactly(8)
            encrypted = first == SSL_REQUEST
            if encrypted:
                writer.write(b"S")
                await writer.start_tls(self.context)
                first = b""
            self.encrypted.append(encrypted)
            answers, asking = await asyncio.open_connection(NEAR, self.server_port)
            asking.write(first)
            await asyncio.gather(_pass_on(reader, asking), _pass_on(answers, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a certificate for the other machine, and its key."""
    file = tmp_path_factory.mktemp("authority") / "shop.pem"
    file.write_text(certificate(FAR))
    return file


@pytest.fixture(scope="module")
def relay(ann: Database, authority: Path) -> Iterator[Relay]:
    with Relay(int(str(ann.address.query["port"])), authority).running() as running:
        yield running


@pytest.fixture
def encrypted(shop: Shop, database: Database, relay: Relay) -> Callable[..., set[bool]]:
    """`encrypted(tls, at, ...)`: whether the connections are by which a table is read."""
    database.run(ORDERS)

    def read_by(tls: str = "verify-full", at: str = FAR, **query: str) -> set[bool]:
        relay.encrypted.clear()
        address = sa.make_url(database.as_ann(at, relay.port)).update_query_dict(query)
        shop.load(connector={"url": address.render_as_string(hide_password=False), "tls": tls})
        return set(relay.encrypted)

    return read_by


def test_a_certificate_nobody_vouches_for_is_refused_until_somebody_does(
    encrypted: Callable[..., set[bool]], authority: Path
) -> None:
    told = r"the server's certificate cannot be verified .* `\?sslrootcert=` in the address, or set `tls: require`"
    with pytest.raises(ConnectorError, match=told) as raised:
        encrypted()
    assert_silent(said(raised.value))
    assert encrypted(sslrootcert=str(authority)) == encrypted("require") == {True}


def test_a_certificate_of_another_host_is_refused(encrypted: Callable[..., set[bool]], authority: Path) -> None:
    with pytest.raises(ConnectorError, match="certificate cannot be verified for this host"):
        encrypted(at="nowhere.example", hostaddr=FAR, sslrootcert=str(authority))


def test_a_certificate_that_this_machine_vouches_for_is_taken(
    encrypted: Callable[..., set[bool]], authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this machine trusts is known to Python, not to a driver that was built on another.
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=str(authority)))
    assert encrypted() == {True}


def test_encryption_may_be_off(encrypted: Callable[..., set[bool]]) -> None:
    assert encrypted("off") == {False}


@pytest.mark.parametrize("part", ["host", "hostaddr"])
def test_another_machine_is_no_nearer_by_being_named_further_on(part: str, encrypted: Callable[..., set[bool]]) -> None:
    with pytest.raises(ConnectorError, match="certificate cannot be verified"):
        encrypted(at=NEAR, **{part: FAR})


def test_a_server_without_encryption_is_refused_unless_told_otherwise(shop: Shop, database: Database) -> None:
    database.run(ORDERS)
    for tls in ("verify-full", "require"):
        with pytest.raises(
            ConnectorError, match=r"do not agree on encryption\. Let the server offer TLS, or set `tls`"
        ):
            shop.load(connector={"url": database.as_ann(FAR), "tls": tls})
    assert shop.load(connector={"url": database.as_ann(FAR), "tls": "off"}).read == 5
    assert shop.load(connector={"url": database.as_ann(NEAR)}).is_part


# Events by the hour.


@pytest.mark.parametrize(("type_", "count"), [("timestamptz", 2), ("timestamp", 4)])
def test_only_the_events_of_the_hours_are_read(
    type_: str, count: int, events: Shop, database: Database, engine: Engine, tmp_path: Path
) -> None:
    database.run(
        f"ALTER TABLE web_analytics ALTER activity_ts TYPE {type_} USING activity_ts AT TIME ZONE 'UTC';"
        " ALTER ROLE ann SET timezone = 'Asia/Tokyo'"
    )
    happened(database, before=-0.1, first=0, last=0.9, after=1, long_before=-20, long_after=20)
    request = Request("shop", "web_analytics", tmp_path, watermark="activity_ts", window=hours(0, 1))
    # Of a time without zone nobody knows yet what hour it is.
    assert read(database, engine, request) == count
    assert (events.hours(0, 1).read, events.events) == (2, ["first", "last"])


def test_late_events_come_with_a_later_hour_that_looks_back(events: Shop, database: Database) -> None:
    happened(database, a=0.1)
    events.hours(0, 1)
    happened(database, b=0.2, c=1.1)
    loaded = events.hours(0, 2)
    assert (loaded.read, loaded.fresh, loaded.commit.late) == (3, 2, 1)
    assert events.events == ["a", "b", "c"]


def test_hours_may_be_loaded_backwards_and_again(events: Shop, database: Database) -> None:
    happened(database, a=0.1, b=1.1, c=5.1)
    assert events.hours(5, 6).commit.properties[HOURS] == "2024-01-31T01:00:00/2024-01-31T02:00:00"
    assert events.hours(0, 5).commit.properties[HOURS] == "2024-01-30T20:00:00/2024-01-31T02:00:00"
    assert events.hours(0, 5).fresh == 0
    assert events.events == ["a", "b", "c"]
    database.run("DELETE FROM web_analytics WHERE activity_uuid = 'a'")
    events.hours(0, 1)
    assert events.events == ["b", "c"]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_mapping_may_say_of_which_zone_a_time_is(zone: str, events: Shop, database: Database) -> None:
    happened(database, before=-0.1, first=0, last=0.9, after=1)
    database.run(f"ALTER TABLE web_analytics ALTER activity_ts TYPE timestamp USING activity_ts AT TIME ZONE '{zone}'")
    select = f"select * replace (activity_ts at time zone '{zone}' as activity_ts) from raw"
    for _ in range(2):
        events.hours(0, 1, select=select)
        assert events.events == ["first", "last"]


def test_hours_need_a_time(events: Shop, database: Database) -> None:
    database.run("ALTER TABLE web_analytics ADD hour bigint")
    told = r"table web_analytics: column 'hour', the feed's `watermark`, is no time\. Name one .* are .*activity_ts"
    with pytest.raises(ConnectorError, match=told):
        events.hours(0, 1, watermark="hour")
    assert events.hours(0, 1, watermark="activity_ts", select="select * exclude (hour) from raw").read == 0


# The order of arrival.

HORIZON = 2
# Each event: its name, the hour it happened in, and how many hours later it arrives.
ARRIVALS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 3), st.integers(0, HORIZON)), min_size=1, max_size=9
)


@settings(max_examples=5, deadline=None)
@given(arrivals=ARRIVALS, order=st.permutations(range(2)))
def test_events_make_the_same_table_in_whatever_order_they_arrive(
    arrivals: list[tuple[str, int, int]], order: list[int], ann: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ann.run(
        "DROP TABLE IF EXISTS web_analytics; CREATE TABLE web_analytics (activity_uuid text, activity_ts timestamptz,"
        " event_action text)"
    )
    kept = ("activity_uuid", "activity_ts", "event_action")

    def table(load: Callable[[Deployment], None]) -> list[tuple[Any, ...]]:
        shop = Shop(tmp_path_factory.mktemp("shop"), ann.address.render_as_string(hide_password=False))
        with shop.deployed("web_analytics") as deployment:
            load(deployment)
            return held(deployment, "sources/web_analytics", *kept)

    def as_they_arrive(deployment: Deployment) -> None:
        for step in range(4 + HORIZON):
            for name, hour, delay in arrivals:
                if hour + delay == step:
                    happened(ann, **{name: hour + ord(name) / 1000})
            loaded(deployment, "web_analytics", hours(step - HORIZON, step + 1))

    def in_any_order(deployment: Deployment) -> None:
        for place in order:
            loaded(deployment, "web_analytics", hours(2 * place, 2 * place + 2))

    def at_once(deployment: Deployment) -> None:
        loaded(deployment, "web_analytics")

    assert table(as_they_arrive) == table(in_any_order) == table(at_once) != []


# Each write: which order, and how much lower than the highest its number is; None is a load.
WRITES = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4)) | st.none(), min_size=3, max_size=14)


@settings(max_examples=5, deadline=None)
@given(writes=WRITES)
def test_orders_end_as_the_source_has_them_however_changes_are_cut_into_loads(
    writes: list[tuple[str, int] | None], ann: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ann.run(
        "DROP TABLE IF EXISTS orders; CREATE TABLE orders (order_id text PRIMARY KEY, total_amount int, version int)"
    )
    shop = Shop(tmp_path_factory.mktemp("shop"), ann.address.render_as_string(hide_password=False))
    mapping = {"select": "select order_id, total_amount from raw", "watermark": "version", "overlap": 5}
    with shop.deployed(**mapping) as deployment:
        for number, write in enumerate([*writes, None]):
            if write is None:
                loaded(deployment, "orders")
                continue
            name, lag = write
            ann.run(
                f"INSERT INTO orders VALUES ('{name}', {number}, {number - lag}) ON CONFLICT (order_id)"
                " DO UPDATE SET total_amount = excluded.total_amount, version = excluded.version"
            )
        found = held(deployment, "sources/orders", "order_id", "total_amount")
    assert found == sorted(ann.run("SELECT order_id, total_amount::float8 FROM orders"))


# Redshift.


def test_redshift_reads_what_changed_without_copying(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which says `sysdate` for what PostgreSQL calls `now()`.
    monkeypatch.setattr(Redshift, "now", "now()")
    database.run(ORDERS)
    given = {"connector": {"type": "redshift", "url": shop.url.replace("postgresql:", "redshift:")}}
    assert shop.load(**given).read == 5
    change(database, n2=21)
    assert (shop.has_news(**given), shop.load(**given).fresh, shop.amounts["2"]) == (True, 1, 21)


def test_what_is_unloaded_is_quoted() -> None:
    query = """SELECT "it's" FROM "t" WHERE "a" > '2024-01-31'"""
    assert unload_statement(query, "s3://bucket/o'clock", "arn:aws:iam::1:role/r") == (
        """UNLOAD ('SELECT "it''s" FROM "t" WHERE "a" > ''2024-01-31''') TO 's3://bucket/o''clock/'"""
        " IAM_ROLE 'arn:aws:iam::1:role/r' FORMAT AS PARQUET"
    )
