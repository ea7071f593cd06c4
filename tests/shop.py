"""A shop that is open: its orders lie in a real PostgreSQL and change while the product runs beside it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from examples.company.generator import generate
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.processes import free_port, marked

PROJECT = Path(__file__).parents[1]
CUSTOMERS = 300
# Placed in the order they are shipped: nobody's order waits for that of another.
CONFIG = """\
name: Open shop
currency: USD
engine: {{memory_limit: 2GB}}
schedules: {{hours_from: 2026-11-01T00:00:00}}
connectors:
  shop: {{type: postgres, url: "${{SHOP_DB}}"}}
  files: {{type: sample, customers: {customers}, seed: 7}}
feeds:
  orders: {{from: shop, watermark: updated_at, select: select * exclude (updated_at) from raw}}
  order_line_item: {{from: shop, watermark: updated_at, select: select * exclude (updated_at) from raw}}
"""
FROM_FILES = (
    "brand",
    "customer",
    "product",
    "transactions",
    "web_analytics",
    "review",
    "support_ticket",
    "survey_answer",
)


@dataclass(frozen=True)
class Shop:
    """The shop's database, and the folder of the deployment that reads it."""

    folder: Path
    url: str

    @property
    def config(self) -> Path:
        """The deployment's file."""
        return self.folder / "c360.yaml"

    @contextmanager
    def database(self) -> Iterator[sa.Connection]:
        """A transaction in the shop's database."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            yield connection

    def place(self, number: int) -> str:
        """Place an order of two lines by a customer nobody knew before, in one transaction; returns the customer."""
        customer, order = f"N{number:06}", f"NEW-{number:06}"
        with self.database() as shop:
            shop.exec_driver_sql(
                "INSERT INTO orders (order_id, customer_id, ordered_at, order_status, total_amount, payment_method)"
                f" VALUES ('{order}', '{customer}', now() AT TIME ZONE 'UTC', 'placed', {number + 0.5}, 'paypal')"
            )
            for line in (1, 2):
                shop.exec_driver_sql(
                    "INSERT INTO order_line_item (order_li_id, order_id, qty, unit_price)"
                    f" VALUES ('{order}-{line}', '{order}', {line}, 9.5)"
                )
        return customer

    def ship(self, number: int) -> None:
        """Change an order that was placed."""
        with self.database() as shop:
            shop.exec_driver_sql(
                "UPDATE orders SET order_status = 'shipped', total_amount = total_amount + 1, updated_at = now()"
                f" WHERE order_id = 'NEW-{number:06}'"
            )

    def rows(self, table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        """What the shop itself has, in order."""
        with self.database() as shop:
            found = shop.exec_driver_sql(f"SELECT {columns} FROM {table} WHERE {where} ORDER BY 1")
            return [tuple(row) for row in found]

    def deployment(self, home: str = ".c360") -> Deployment:
        """The deployment, to be closed; with another `home` one that never loaded anything."""
        settings = self.config.read_text()
        other = self.folder / f"{home.strip('.')}.yaml"
        other.write_text(f"{settings}home: {home}\n")
        os.environ["SHOP_DB"] = self.url
        return deployments.load(other)

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the product needs to know, with a mark by which it is found again."""
        known = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        return {**known, **marked(), "SHOP_DB": self.url, "C360_CONFIG": str(self.config)}


def opened(folder: Path, url: str) -> Shop:
    """A shop with a past: orders of the sample company, in tables that note when a row was changed."""
    company = folder / ".c360/sample" / f"customers-{CUSTOMERS}-seed-7"
    generate(company, CUSTOMERS, 7)
    feeds = "".join(f"  {dataset}: {{from: files}}\n" for dataset in FROM_FILES)
    (folder / "c360.yaml").write_text(CONFIG.format(customers=CUSTOMERS) + feeds)
    address = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        for table in ("orders", "order_line_item"):
            rows = duckdb.sql(f"SELECT * FROM read_parquet('{company}/{table}/*.parquet')").to_arrow_table()
            cursor.adbc_ingest(table, rows, mode="create")
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now()")
            cursor.execute(f"CREATE INDEX ON {table} (updated_at)")
        connection.commit()
    return Shop(folder, url)


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the product in a session of its own; told to stop at the end, and waited for."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(45)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ui(environment: dict[str, str], log: Path) -> Any:
    """Webserver and daemon, as `c360 ui` starts them."""
    return running([sys.executable, "-m", "portal.cli", "ui", "--port", str(free_port())], environment, log)


def steadily(count: int, seconds: float) -> Iterator[int]:
    """0 to count - 1 over so many seconds, at uneven intervals that are the same each time."""
    chance = random.Random(count)
    start = time.monotonic()
    for number, place in enumerate(sorted(chance.random() for _ in range(count))):
        time.sleep(max(0.0, start + place * seconds - time.monotonic()))
        yield number
