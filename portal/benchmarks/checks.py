"""Benchmark of the quality checks: all rules of the orders against one hand-written query that counts the same.

Both sides read the same published Parquet files, each in a process of its own, in turn. Our side includes the trends,
which the query leaves out; the import of Great Expectations, once a process, is left out of both.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import yaml
from rich.table import Table

from portal.benchmarks.tables import FLOOR, in_turn, measured_apart, peak_megabytes
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.engine import quoted

AS_OF = datetime(2026, 6, 30)
ORDERS = "sources/orders"
# Rows per customer; faults repeat every so many rows, so that every rule finds some.
ORDERS_OF_A_CUSTOMER = 10
ROWS: dict[str, str] = {
    "sources/customer": "SELECT 'C' || i AS customer_id FROM range({customers}) t(i)",
    "sources/transactions": (
        "SELECT 'T' || i AS transaction_id, 'O' || i AS order_id, 10.0 AS amount, 'paypal' AS payment_method,"
        " TIMESTAMP '2024-01-01' + to_minutes(i % 1000000) AS transaction_ts FROM range({orders}) t(i)"
    ),
    "sources/orders": (
        "SELECT 'O' || i AS order_id, CASE WHEN i % 97 > 0 THEN 'C' || (i * 7 % ({customers} + 5)) END AS customer_id,"
        " TIMESTAMP '2024-01-01' + to_minutes(i % 1000000) AS ordered_at,"
        " ['delivered', 'placed', 'cancelled', 'delivrd', 'returned'][1 + i % 5] AS order_status,"
        " CASE WHEN i % 11 > 0 THEN TIMESTAMP '2024-01-01' + to_minutes(i % 1000000) + to_days(((i % 37) - 2)::INTEGER)"
        " END AS order_delivery_date, i % 1013 - 1.0 AS total_amount, 'T' || i AS transaction_id,"
        " CASE WHEN i % 23 > 0 THEN ['paypal', 'paypal', 'cash', 'crdit_card'][1 + i % 4] END AS payment_method"
        " FROM range({orders}) t(i)"
    ),
}


def compare(orders: int, rounds: int, tell: Callable[[str], None] = lambda text: None) -> Table:
    """Check so many orders by our rules and by hand, in turn; medians in seconds and MB."""
    with tempfile.TemporaryDirectory(prefix="c360-bench-") as folder:
        tell(f"Writing {orders:,} orders ...")
        config = company(Path(folder), orders)
        runs = in_turn(
            ("ours", "SQL"), rounds, lambda side, _: measured_apart("portal.benchmarks.checks", side, str(config))
        )
    ratios = [mine["seconds"] / theirs["seconds"] for mine, theirs in zip(runs["ours"], runs["SQL"], strict=True)]
    shown = Table(title=f"Checks of {orders:,} orders, median of {rounds} rounds in turn", title_justify="left")
    shown.add_column("side")
    for heading in ("seconds", "MB", "ratio", "range"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for side, found in runs.items():
        seconds, megabytes = (statistics.median(run[name] for run in found) for name in ("seconds", "megabytes"))
        is_ours = side == "ours"
        ratio = f"{statistics.median(ratios):.2f}" if is_ours else ""
        span = f"{min(ratios):.2f}-{max(ratios):.2f}" if is_ours else ""
        shown.add_row(side, f"{seconds:.2f}", f"{megabytes:,.0f}", ratio, span)
    return shown


def company(folder: Path, orders: int) -> Path:
    """A deployment whose orders, transactions and customers are made of arithmetic, faults and all."""
    config = folder / "c360.yaml"
    config.write_text(yaml.safe_dump({"name": "Bench", "currency": "EUR"}))
    deployment = deployments.load(config)
    for key, sql in ROWS.items():
        contract = deployment.contracts[key]
        made = sql.format(orders=orders, customers=max(1, orders // ORDERS_OF_A_CUSTOMER))
        names = {name for name, *_ in deployment.engine.query(f"DESCRIBE {made}")}
        columns = ", ".join(
            f"{quoted(c.name) if c.name in names else 'NULL'}::{c.type} AS {quoted(c.name)}" for c in contract.columns
        )
        rows = deployment.engine.view(f"made {key}", f"SELECT {columns} FROM ({made})")
        deployment.lake.publish(deployment.lake.write(contract, rows))
    deployment.close()
    return config


def by_rules(deployment: Deployment) -> tuple[float, dict[str, int]]:
    """Seconds, and failing rows by rule, with the rows free of any fault."""
    from checks import expectations
    from checks.measuring import measure

    expectations.load()
    deployment.lake.state(ORDERS)
    operations = deployment.operations
    started = time.perf_counter()
    measured = measure(
        deployment.contracts[ORDERS],
        AS_OF,
        lake=deployment.lake,
        contracts=deployment.contracts,
        feeds=deployment.feeds,
        operations=operations,
    )
    seconds = time.perf_counter() - started
    found = {result.rule.name: result.failing for result in measured.results}
    return seconds, {**found, "faultless": measured.faultless_rows, "rows": measured.row_count}


def by_hand(deployment: Deployment) -> tuple[float, dict[str, int]]:
    """The same by the hand-written query."""
    deployment.lake.state(ORDERS)
    started = time.perf_counter()
    for key in ROWS:
        deployment.lake.read(deployment.contracts[key])
    sql = (FLOOR / "checks/orders.sql").read_text().replace("{as_of}", f"TIMESTAMP '{AS_OF}'")
    names = [name for name, *_ in deployment.engine.query(f"DESCRIBE {sql}")]
    (counts,) = deployment.engine.query(sql)
    return time.perf_counter() - started, dict(zip(names, counts, strict=True))


def _main() -> None:
    side, config = sys.argv[1:]
    deployment = deployments.load(Path(config))
    seconds, _ = (by_rules if side == "ours" else by_hand)(deployment)
    peak = peak_megabytes()
    deployment.close()
    print(json.dumps({"seconds": seconds, "megabytes": peak}))


if __name__ == "__main__":
    _main()
