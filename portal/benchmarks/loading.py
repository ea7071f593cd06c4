"""Benchmarks of loading: orders out of PostgreSQL, and a year of web events hour by hour.

Orders are loaded whole by us, by hand (ADBC into one Parquet file) and with what people often take (pandas, in
chunks), each in a process of its own, in turn; then rows are changed, and only those are loaded. Events are loaded
month by month up to 1, 6 and 12 months, with single hours timed at each of these, and at last all at once.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from rich.table import Table

from portal.benchmarks.tables import in_turn, measured_apart, peak_megabytes
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.engine import literal
from resources.feeds import Feeds
from resources.merging import Window

DATABASE = "C360_BENCH_DATABASE"
SCHEMA = "c360_bench"
CHANGED = 10_000
HOURS_TIMED = 5
MONTHS = (1, 6, 12)
YEAR = datetime(2025, 1, 1)
SIDES = ("ours", "ADBC to Parquet", "pandas")
CONFIG = """\
name: Benchmark
currency: EUR
connectors:
  shop: {type: postgres, url: "${C360_BENCH_DATABASE}"}
  site: {type: files, path: "web/%Y-%m-%d.parquet"}
feeds:
  orders: {from: shop, table: c360_bench.orders, watermark: updated_at, select: select * exclude (updated_at) from raw}
  web_analytics: {from: site}
"""
ORDERS = """
    CREATE TABLE c360_bench.orders AS SELECT
        'O' || lpad(i::text, 10, '0') AS order_id, 'C' || lpad((i * 7 %% 100003)::text, 8, '0') AS customer_id,
        timestamp '2024-01-01' + i * interval '5 seconds' AS ordered_at, 'delivered' AS order_status,
        timestamp '2024-01-04' + i * interval '5 seconds' AS order_delivery_date,
        (i %% 13)::float8 AS discounted_amount, 4.9::float8 AS shipping_amount,
        (i %% 200 + 0.5)::float8 AS total_amount,
        'paypal' AS payment_method, i || ' Main Street' AS billing_address, i || ' Main Street' AS shipping_address,
        'T' || lpad(i::text, 10, '0') AS transaction_id, 'Springfield' AS shipping_city, 'OH' AS shipping_state,
        'USA' AS shipping_country, 'standard' AS shipping_type, i %% 2 = 0 AS has_discount,
        i %% 3 = 0 AS has_promo_code,
        'web' AS sales_channel, 'summer' AS season,
        timestamptz '2024-01-01' + i * interval '5 seconds' AS updated_at
    FROM generate_series(1, {rows}) i
"""
EVENTS = """
    SELECT uuid()::VARCHAR AS activity_uuid, 'S' || (i // 8) AS session_id, 'V' || (i // 8 % 900007) AS visitor_id,
        CASE WHEN i % 3 = 0 THEN 'C' || (i // 8 % 900007) END AS entity_id,
        TIMESTAMP '{day}' + to_microseconds((i * 86400000000 // {rows})::BIGINT) AS activity_ts,
        ['page_view', 'product_view', 'product_view', 'add_to_cart', 'checkout'][1 + (i * 7) % 5] AS event_action,
        'https://shop.example/p/' || (i * 31 % 5000) AS page_url, 'SKU-' || (i * 31 % 5000) AS product_sku,
        ['organic', 'cpc', 'email', 'direct'][1 + i // 8 % 4] AS traffic_channel, 'mobile' AS device
    FROM range({rows}) t(i)
"""


def orders(url: str, rows: int, rounds: int, tell: Callable[[str], None] = lambda text: None) -> Table:
    """Load so many orders from a scratch schema of the database, whole and then what changed."""
    os.environ[DATABASE] = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with _database(url) as database, tempfile.TemporaryDirectory(prefix="c360-bench-") as folder:
        tell(f"Writing {rows:,} orders into schema {SCHEMA} ...")
        for statement in (ORDERS.format(rows=rows), "ALTER TABLE c360_bench.orders ADD PRIMARY KEY (order_id)"):
            database.exec_driver_sql(statement)
        database.exec_driver_sql("CREATE INDEX ON c360_bench.orders (updated_at)")

        def run(side: str, number: int) -> dict[str, float]:
            tell(f"{side} ...")
            return _run(side, Path(folder) / f"{side} {number}")

        runs = in_turn(SIDES, rounds, run)
        shown = _table(f"{rows:,} orders out of PostgreSQL, median of {rounds} rounds in turn", "rows a second")
        for side, found in runs.items():
            _add(shown, side, found, rows)
        kept = Path(folder) / "ours 0"
        for name, among in (("of the newest 5 %", rows * 95 // 100), ("spread over all", 0)):
            found = []
            for _ in range(rounds):
                database.exec_driver_sql(
                    "UPDATE c360_bench.orders SET total_amount = total_amount + 1, updated_at = clock_timestamp()"
                    f" WHERE order_id IN (SELECT order_id FROM c360_bench.orders WHERE order_id > 'O{among:010}'"
                    f" ORDER BY random() LIMIT {CHANGED})"
                )
                found.append(_run("ours", kept))
            share = statistics.median(f["seconds"] for f in found) / statistics.median(
                f["seconds"] for f in runs["ours"]
            )
            _add(shown, f"ours, {CHANGED:,} changed {name}: 1/{1 / share:.0f} of the whole", found, CHANGED)
        return shown


def events(rows: int, tell: Callable[[str], None] = lambda text: None) -> Table:
    """Load a year of so many events, with single hours timed as history grows."""
    os.environ.setdefault(DATABASE, "postgresql://localhost/unused")
    with tempfile.TemporaryDirectory(prefix="c360-bench-") as text:
        folder = Path(text)
        (folder / "c360.yaml").write_text(CONFIG)
        tell(f"Writing {rows:,} events of a year ...")
        _write_events(folder, rows)
        shown = _table(f"{rows:,} web events of a year", "events held")
        done, hours = YEAR, []
        for months in MONTHS:
            until = _month(months) - timedelta(hours=HOURS_TIMED)
            tell(f"Loading up to {until:%Y-%m-%d} ...")
            while done < until:
                end = min(_month_after(done), until)
                _run("window", folder, done.isoformat(), end.isoformat())
                done = end
            hours = [_hour(folder, done + timedelta(hours=hour)) for hour in range(HOURS_TIMED)]
            done = done + timedelta(hours=HOURS_TIMED)
            _add(shown, f"one hour, after {months} months", hours, int(hours[-1]["rows"]))
        tell("Loading everything at once ...")
        whole = [_run("all", folder)]
        _add(shown, "the whole year", whole, int(whole[0]["rows"]))
        share = whole[0]["seconds"] / statistics.median(hour["seconds"] for hour in hours)
        shown.caption = f"An hour costs 1/{share:.0f} of the whole year."
        return shown


def _hour(folder: Path, start: datetime) -> dict[str, float]:
    """One scheduled load: the hour, and the day before for late events."""
    return _run("window", folder, (start - timedelta(hours=24)).isoformat(), (start + timedelta(hours=1)).isoformat())


def _write_events(folder: Path, rows: int) -> None:
    deployment = deployments.load(folder / "c360.yaml")
    (folder / "web").mkdir()
    for day in range(365):
        date = YEAR + timedelta(days=day)
        sql = EVENTS.format(day=date, rows=rows // 365)
        file = literal(str(folder / f"web/{date:%Y-%m-%d}.parquet"))
        deployment.engine.query(f"COPY ({sql}) TO {file} (FORMAT parquet)")
    deployment.close()


def _month(months: int) -> datetime:
    return datetime(YEAR.year + months // 12, months % 12 + 1, 1)


def _month_after(moment: datetime) -> datetime:
    return _month(moment.month)


@contextmanager
def _database(url: str) -> Iterator[sa.Connection]:
    """A connection to the database with an empty scratch schema, which is dropped at the end."""
    address = sa.make_url(url).set(drivername="postgresql+psycopg2")
    with sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
        try:
            yield connection
        finally:
            connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def _table(title: str, count: str) -> Table:
    shown = Table(title=title, title_justify="left", caption_justify="left")
    shown.add_column("load")
    for heading in ("seconds", "range", count, "MB"):
        shown.add_column(heading, justify="right", no_wrap=True)
    return shown


def _add(shown: Table, name: str, runs: list[dict[str, float]], rows: int) -> None:
    seconds, megabytes = ([run[what] for run in runs] for what in ("seconds", "megabytes"))
    middle = statistics.median(seconds)
    count = f"{rows / middle:,.0f}" if "second" in str(shown.columns[3].header) else f"{rows:,}"
    span = f"{min(seconds):.2f}-{max(seconds):.2f}"
    shown.add_row(name, f"{middle:.2f}", span, count, f"{statistics.median(megabytes):,.0f}")


def _run(side: str, folder: Path, *arguments: str) -> dict[str, float]:
    folder.mkdir(exist_ok=True)
    (folder / "c360.yaml").write_text(CONFIG)
    return measured_apart("portal.benchmarks.loading", side, str(folder), *arguments)


def _load(deployment: Deployment, dataset: str, window: Window | None = None) -> int:
    """One load as the asset does it; the rows held afterwards."""
    contract, feeds = deployment.contracts[f"sources/{dataset}"], Feeds(deployment)
    commit = feeds.commit(contract, feeds.load(contract, window))
    deployment.lake.publish(commit)
    return commit.rows


def _by_hand(deployment: Deployment) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(os.environ[DATABASE]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM c360_bench.orders")
        deployment.engine.backend.con.register("batches", cursor.fetch_record_batch())
        target = literal(str(deployment.engine.scratch / "orders.parquet"))
        deployment.engine.query(f"COPY (SELECT * FROM batches) TO {target} (FORMAT parquet, COMPRESSION zstd)")


def _by_pandas(folder: Path) -> None:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    address = sa.make_url(os.environ[DATABASE]).set(drivername="postgresql+psycopg2")
    writer = None
    with sa.create_engine(address).connect().execution_options(stream_results=True) as connection:
        for chunk in pd.read_sql("SELECT * FROM c360_bench.orders", connection, chunksize=100_000):
            batch = pa.Table.from_pandas(chunk, preserve_index=False)
            writer = writer or pq.ParquetWriter(folder / "orders.parquet", batch.schema, compression="zstd")
            writer.write_table(batch)
    if writer:
        writer.close()


def _main() -> None:
    side, text, *arguments = sys.argv[1:]
    folder = Path(text)
    deployment = deployments.load(folder / "c360.yaml")
    # What either side imports at first use.
    import adbc_driver_postgresql.dbapi  # noqa: F401
    import pandas  # noqa: F401
    import pyiceberg.io.pyarrow  # noqa: F401

    deployment.engine.query("SELECT 1")
    _ = deployment.lake.catalog
    rows, started = 0, time.perf_counter()
    match side:
        case "ours":
            rows = _load(deployment, "orders")
        case "window":
            rows = _load(deployment, "web_analytics", Window(*map(datetime.fromisoformat, arguments)))
        case "all":
            rows = _load(deployment, "web_analytics")
        case "pandas":
            _by_pandas(folder)
        case _:
            _by_hand(deployment)
    seconds, peak = time.perf_counter() - started, peak_megabytes()
    deployment.close()
    print(json.dumps({"seconds": seconds, "megabytes": peak, "rows": rows}))


if __name__ == "__main__":
    _main()
