"""The benchmark of models: a made-up shop is one they can learn from, and a task measures what it makes."""

from pathlib import Path

from portal.benchmarks import models as models_benchmark
from portal.benchmarks.models import TASKS
from resources import deployment as deployments


def test_a_made_up_shop_is_modelled(tmp_path: Path) -> None:
    deployment = deployments.load(models_benchmark.shop(tmp_path, 500))
    orders, lines = (deployment.lake.read(deployment.contracts[key]) for key in ("orders", "order_lines"))
    assert orders.count().to_pyarrow().as_py() > 2_000
    assert lines.net_amount.sum().to_pyarrow().as_py() == orders.order_amount.sum().to_pyarrow().as_py()
    assert models_benchmark.built(deployment, TASKS["lifetime value"].tables) > 400
    chosen = deployment.lake.read(deployment.contracts["lifetime_model"]).filter(lambda rows: rows.is_chosen)
    assert chosen.count().to_pyarrow().as_py() == 1
    assert {path.name for path in tmp_path.glob("*.parquet")} == {"orders.parquet", "order_lines.parquet"}
    deployment.close()


def test_tables_that_are_timed_are_ours() -> None:
    known = deployments.load().contracts
    assert {table for task in TASKS.values() for table in task.tables} <= set(known)
