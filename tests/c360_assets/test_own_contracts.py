"""Contracts of a deployment's own: what becomes of its datasets and of the columns it adds to ours."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from c360_assets.definitions import build
from resources.deployment import Deployment
from resources.io_manager import LakeIOManager
from tests.governance.test_own_contracts import VISITS, written
from tests.running import deployed, run
from tests.tables import CONTRACTS

CONFIG = """\
name: Store
currency: EUR
contracts: contracts
connectors:
  visits: {type: files, path: visits.csv}
feeds:
  store_visit: {from: visits}
"""
BRAND = """\
schema:
  - name: brand
    properties:
      - {name: orders, logicalType: integer, physicalType: BIGINT, description: "Ours, of a name that yours has."}
"""
VISIT = dg.AssetKey(["sources", "store_visit"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Deployment]:
    (tmp_path / "c360.yaml").write_text(CONFIG)
    (tmp_path / "visits.csv").write_text("visit_id,customer_id\nV1,C1\nV2,\n,C1\n")
    written(tmp_path / "contracts", VISITS, "sources/store_visit")
    written(tmp_path / "contracts", BRAND, "sources/brand")
    deployment = deployed(tmp_path / "c360.yaml", tmp_path / "home")
    yield deployment
    deployment.close()


def test_a_dataset_of_its_own_is_loaded_as_often_as_it_says_and_has_a_score(store: Deployment) -> None:
    run(store, job="load_every_hour")
    assert store.lake.read(store.contracts["sources/store_visit"]).visit_id.to_pyarrow().to_pylist() == ["V1", "V2"]
    (score,) = store.operations.rows("quality_scores").to_pylist()
    assert score["dataset"] == "sources/store_visit"
    assert 0 < score["score"] < 100


def test_dagster_knows_a_dataset_of_its_own_like_ours(store: Deployment) -> None:
    definitions = build(store)
    dg.Definitions.validate_loadable(definitions)
    spec = definitions.resolve_asset_graph().get(VISIT)
    assert (spec.group_name, spec.owners, spec.tags["frequency"]) == ("sources", ["team:store"], "1h")
    assert str(spec.metadata["contract"]) == "contracts/sources/store_visit.odcs.yaml, version 1.0.0"


def test_our_tables_see_no_column_that_was_added(store: Deployment) -> None:
    contract = store.contracts["sources/brand"]
    assert contract.own_columns == ("orders",)
    context = dg.build_input_context(asset_key=dg.AssetKey(["sources", "brand"]))
    assert list(LakeIOManager(store).load_input(context).columns) == CONTRACTS["sources/brand"].column_names
