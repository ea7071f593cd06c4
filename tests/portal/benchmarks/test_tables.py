"""The hand-written SQL of the benchmark is an oracle: every table equals it, row by row."""

from pathlib import Path

import pytest

from governance.contract import DERIVED
from governance.errors import C360Error
from portal.benchmarks import tables as benchmark
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.tables import table

# A single moment, histories made from former rows, models made in numpy, and texts that the playbook brings.
MODELS = {"cluster_trials", "clusters", "lifetime_model", "lifetime_value", "basket_rules", "recommendation_model"}
MODELS |= {"recommendations", "churn_model", "churn_metrics", "churn_deciles", "churn_scores", "action_model"}
MODELS |= {"next_actions", "forecast_model", "forecasts", "reorder_points"}
# The features at past cutoffs are held against those of a shop that ended there.
NOT_RELATIONAL = {"as_of", "customer_history", "churn_predictions", "segment_summary", "churn_examples", *MODELS}


@pytest.mark.parametrize("table", benchmark.tables())
def test_the_table_equals_its_hand_written_sql(golden: Deployment, table: str) -> None:
    sql = benchmark.floor_sql(golden, table)
    contract = golden.contracts[table]
    golden.lake.read(contract)
    columns = ", ".join(f'"{name}"' for name in contract.column_names)
    rows = golden.engine.query(f'SELECT {columns} FROM "{table}" ORDER BY ALL')
    assert rows == golden.engine.query(f"SELECT {columns} FROM ({sql}) ORDER BY ALL")
    assert rows


def test_every_relational_table_has_a_twin(golden: Deployment) -> None:
    relational = {key for key, contract in golden.contracts.items() if contract.layer in DERIVED}
    assert set(benchmark.tables()) == relational - NOT_RELATIONAL


def test_a_lake_is_aged_by_writes_that_change_no_row(tmp_path: Path) -> None:
    (tmp_path / "c360.yaml").write_text("name: Test\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n", encoding="utf-8")
    deployment = deployments.load(tmp_path / "c360.yaml")
    lake, brand = deployment.lake, deployment.contracts["sources/brand"]
    lake.publish(lake.write(brand, table("sources/brand", {"brand_id": "b1"}, {"brand_id": "b2"})))
    benchmark.age(deployment, 3)
    assert len(lake.history(brand)) == 4
    assert sorted(lake.read(brand).brand_id.to_pyarrow().to_pylist()) == ["b1", "b2"]
    assert [key for key in deployment.contracts if lake.state(key)] == ["sources/brand"]
    deployment.close()


def test_a_table_without_a_twin_is_told_with_all_that_have_one() -> None:
    with pytest.raises(C360Error, match="rfn has no hand-written twin") as raised:
        benchmark.compare(100, 1, ["rfn"])
    assert str(raised.value).split("There is one for ")[1].rstrip(".").split(", ") == [*benchmark.tables()]
