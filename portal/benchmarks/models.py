"""Benchmark of the models: ours, from tables to tables, against the library a user would pick instead.

Every side runs in a process of its own, in turn: ours reads the tables of a lake and writes its own there, the library
reads the same rows from Parquet files, in an environment of its own (`make bench-models`), and writes nothing. Told are
CPU seconds, imports and start-up left out, and the peak memory of the process.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml
from rich.box import SIMPLE
from rich.table import Table

from governance.contract import Contract
from portal.benchmarks.tables import PROJECT, in_turn, measured_apart, peak_megabytes
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.engine import literal, quoted

PEERS = Path(__file__).with_name("model_peers.py")
PYTHON_OF_PEERS = PROJECT / ".venv-peers/bin/python"
PRODUCTS, TASTES = 20_000, 200
EXPORTED = ("orders", "order_lines")


@dataclass(frozen=True)
class Task:
    """What is timed: tables of ours, one after the other, and the library that does about the same."""

    tables: tuple[str, ...]
    peer: str = ""


TASKS = {
    "churn": Task(("rfm", "browsing", "feedback", "loyalty_members", "features", "churn_examples", "churn_model",
                   "churn_scores")),
    "lifetime value": Task(("lifetime_model", "lifetime_value"), "lifetimes"),
    "market baskets": Task(("basket_rules",), "mlxtend"),
    "recommendations": Task(("recommendation_model", "recommendations"), "implicit"),
    "forecasts": Task(("weekly_sales", "forecast_model", "forecasts", "reorder_points"), "statsforecast"),
    "next actions": Task(("action_model", "next_actions")),
}  # fmt: skip
# A shop of two years: customers join all the time, buy at a pace of their own (gamma-like, 12 to 200 days), and leave
# some day; whoever has a taste buys of it, popular goods most.
CHANCE = "(hash({of}) % 1000003) / 1000003.0"
CUSTOMERS = """
  SELECT
    printf('C%08d', i) AS customer_id,
    TIMESTAMP '2024-06-30' + to_seconds(({joins} * 54000000)::BIGINT) AS joined_at,
    12 + 190 * {pace} * {pace} AS pace_days,
    -300 * ln({stays} + 1e-6) AS stays_days,
    i % {tastes} AS taste
  FROM range({customers}) t(i)
"""
ORDERS = """
  SELECT
    customer_id || '-' || visit AS order_id,
    customer_id,
    taste,
    joined_at + to_seconds((86400 * pace_days * (visit + 0.6 * {jitter}))::BIGINT) AS ordered_at,
    1 + (hash(customer_id, visit) % 4)::INTEGER AS line_count
  FROM ({customers}), range(40) v(visit)
  WHERE visit * pace_days < stays_days AND ordered_at < TIMESTAMP '2026-06-30'
"""
LINES = """
  SELECT
    order_id || '-' || line AS order_line_id,
    order_id,
    customer_id,
    ordered_at,
    'sale' AS line_kind,
    'delivered' AS order_status,
    printf('P%05d', least({width} - 1, floor(3 * (1 / ({rank} + 1e-3) - 1))::BIGINT) * {tastes} + taste) AS product_id,
    product_id AS sku_id,
    1::DECIMAL(18, 4) AS quantity,
    (5 + hash(product_id) % 60)::DECIMAL(18, 4) AS net_amount,
    net_amount AS line_amount,
    net_amount AS unit_price,
    0 AS discount_amount
  FROM ({orders}), range(4) l(line)
  WHERE line < line_count
"""


def compare(customers: int, rounds: int, only: Sequence[str] = (), tell: Callable[[str], None] = print) -> Table:
    """Make up a shop of so many customers and time every task, or `only` these, beside its library."""
    with tempfile.TemporaryDirectory(prefix="c360-bench-") as folder:
        tell(f"Making up {customers:,} customers, {PRODUCTS:,} products and their orders ...")
        config = shop(Path(folder), customers)
        shown = Table(title=_title(config, customers, rounds), title_justify="left", box=SIMPLE, padding=0)
        shown.add_column("task", no_wrap=True)
        for heading in ("side", "CPU s", "MB", "rows"):
            shown.add_column(heading, justify="left" if heading == "side" else "right", no_wrap=True)
        for name in only or TASKS:
            tell(f"{name} ...")
            for side, runs in _timed(config, name, rounds).items():
                seconds, megabytes = (statistics.median(run[one] for run in runs) for one in ("seconds", "megabytes"))
                shown.add_row(name, side, f"{seconds:.1f}", f"{megabytes:,.0f}", f"{runs[0]['rows']:,.0f}")
    return shown


def _title(config: Path, customers: int, rounds: int) -> str:
    deployment = deployments.load(config)
    counts = [deployment.lake.state(key) for key in EXPORTED]
    deployment.close()
    orders, lines = (state.rows if state else 0 for state in counts)
    return f"{customers:,} customers, {orders:,} orders, {lines:,} lines, median of {rounds} rounds in turn"


def _timed(config: Path, name: str, rounds: int) -> dict[str, list[dict[str, float]]]:
    peer = TASKS[name].peer
    sides = ("ours", peer) if peer and PYTHON_OF_PEERS.exists() else ("ours",)
    return in_turn(sides, rounds, lambda side, _: _measured(side, config, name))


def _measured(side: str, config: Path, name: str) -> dict[str, float]:
    if side == "ours":
        return measured_apart("portal.benchmarks.models", str(config), name)
    command = [str(PYTHON_OF_PEERS), str(PEERS), side, str(config.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def shop(folder: Path, customers: int) -> Path:
    """A deployment whose conformed tables are made of arithmetic, and what libraries read, as Parquet files."""
    config = folder / "c360.yaml"
    config.write_text(yaml.safe_dump({"name": "Bench", "currency": "EUR"}))
    deployment = deployments.load(config)
    for key, sql in _rows(customers).items():
        contract = deployment.contracts[key]
        made = deployment.engine.view(f"made {key}", f"SELECT {_columns(deployment, contract, sql)} FROM ({sql})")
        deployment.lake.publish(deployment.lake.write(contract, made))
        if key in EXPORTED:
            _export(deployment.lake.select(contract), folder / f"{key}.parquet")
    deployment.close()
    return config


def _export(select: str, file: Path) -> None:
    # Our own engine writes nowhere but into the lake.
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO {literal(str(file))} (FORMAT parquet)")


def _rows(customers: int) -> dict[str, str]:
    """The SQL of each table; those left out are empty."""
    people = CUSTOMERS.format(
        customers=customers,
        tastes=TASTES,
        **{name: CHANCE.format(of=f"i, '{name}'") for name in ("joins", "pace", "stays")},
    )
    orders = ORDERS.format(customers=people, jitter=CHANCE.format(of="customer_id, visit, 'jitter'"))
    rank = CHANCE.format(of="order_id, line, 'rank'")
    lines = LINES.format(orders=orders, tastes=TASTES, width=PRODUCTS // TASTES, rank=rank)
    placed = (
        "SELECT order_id, any_value(customer_id) AS customer_id, any_value(ordered_at) AS ordered_at,"
        " 'delivered' AS order_status, true AS is_completed, false AS is_anonymous, count(*) AS line_count,"
        " count(*) AS item_count, sum(net_amount) AS lines_amount, sum(net_amount) AS order_amount,"
        f" 0 AS discount_amount, 0 AS returned_amount, 0 AS refunded_amount FROM ({lines}) GROUP BY order_id"
    )
    goods = (
        "SELECT printf('P%05d', i) AS sku_id, sku_id AS product_id, 'Product ' || i AS product_name,"
        f" 'Category ' || i % 40 AS product_category FROM range({PRODUCTS}) t(i)"
    )
    known = f"SELECT customer_id, true AS is_registered, joined_at AS registered_at FROM ({people})"
    moment = "SELECT TIMESTAMP '2026-06-30' AS as_of, 'UTC' AS timezone"
    given = {"as_of": moment, "customers": known, "products": goods, "order_lines": lines, "orders": placed}
    empty = ("sessions", "answers", "ratings", "tickets", "points")
    return given | dict.fromkeys(empty, "SELECT 1 AS nothing WHERE false")


def _columns(deployment: Deployment, contract: Contract, sql: str) -> str:
    names = {name for name, *_ in deployment.engine.query(f"DESCRIBE {sql}")}
    return ", ".join(
        f"{quoted(one.name) if one.name in names else 'NULL'}::{one.type} AS {quoted(one.name)}"
        for one in contract.columns
    )


def built(deployment: Deployment, tables: Sequence[str]) -> int:
    """Make the tables one after the other, as a run does but without checks; returns the rows of the last."""
    from c360_assets.definitions import build

    definitions, lake, rows = build(deployment), deployment.lake, 0
    beside: dict[str, Any] = {name: getattr(deployment, name) for name in deployment.rule_files}
    beside["currency"] = deployment.settings.currency
    beside["former"] = lambda key: lake.newest(deployment.contracts[key])[0]
    for table in tables:
        asset = definitions.resolve_assets_def(table)
        op: Any = asset.op
        inputs = {
            name: lake.read(deployment.contracts[key.to_user_string()])
            for name, key in asset.keys_by_input_name.items()
        }
        resources = {name: value for name, value in beside.items() if name in asset.required_resource_keys}
        commit = lake.write(deployment.contracts[table], op.compute_fn.decorated_fn(**inputs, **resources))
        lake.publish(commit)
        rows = commit.rows
    return rows


def _main() -> None:
    config, name = sys.argv[1:]
    deployment = deployments.load(Path(config))
    started = time.process_time()
    rows = built(deployment, TASKS[name].tables)
    seconds = time.process_time() - started
    deployment.close()
    print(json.dumps({"seconds": seconds, "rows": rows, "megabytes": peak_megabytes()}))


if __name__ == "__main__":
    _main()
