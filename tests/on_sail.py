"""A plugin of pytest by which examples and laws of tables are computed on Sail: `pytest -p tests.on_sail`."""

import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq
import pytest

from tests import tables

ORDERED = "Ibis has no order within an aggregate for Spark"
CHOSEN = "Sail does not find a column where rows are chosen by a window over them"
# Tables that Sail cannot make yet, or makes otherwise, and why.
DIFFERENT = {
    "browsing": ORDERED,
    "churn_examples": ORDERED,
    "customer_360": ORDERED,
    "customer_history": CHOSEN,
    "journeys": ORDERED,
    "session_paths": ORDERED,
    "sessions": "its events of one moment are in the order of DuckDB's hash",
    "segment_traits": "its numbers are written by DuckDB's format",
    "segment_summary": CHOSEN,
}


@cache
def started() -> tuple[Any, Any]:
    """Sail in this process as Ibis knows it, and the server, which is there as long as somebody holds it."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return ibis.pyspark.connect(session), server


def sail() -> Any:
    """Sail as Ibis knows it."""
    return started()[0]


@cache
def computed(made: Callable[..., ir.Table] | dg.AssetsDefinition) -> Callable[..., ir.Table]:
    """What a function or an asset makes of tables, as rows."""
    function = made.op.compute_fn.decorated_fn if isinstance(made, dg.AssetsDefinition) else made

    def rows_of(*given: Any, **named: Any) -> ir.Table:
        with tempfile.TemporaryDirectory() as folder:
            placed = [moved(value, Path(folder, str(place))) for place, value in enumerate(given)]
            expression = function(*placed, **{name: moved(value, Path(folder, name)) for name, value in named.items()})
            found = sail().to_pyarrow(expression)
        return ibis.memtable(found.cast(expression.schema().to_pyarrow()), schema=expression.schema())

    return rows_of


def moved(value: Any, file: Path) -> Any:
    """A table as one of Sail. By a file, since PySpark cannot take a table in memory whose amounts are empty."""
    if not isinstance(value, ir.Table):
        return value
    pq.write_table(tables.arrow(value), file)
    return sail().read_parquet(str(file)).cast(value.schema())


def pytest_configure() -> None:
    """From here on examples are computed on Sail."""
    tables.computed = computed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples of tables that are known to differ are left out."""
    for item in items:
        if reason := DIFFERENT.get(item.path.stem.removeprefix("test_")):
            item.add_marker(pytest.mark.skip(reason=reason))
