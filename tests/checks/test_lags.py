"""The profile lag: what is told of changed rows once a customer's profile shows them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from c360_assets.definitions import build
from checks.quality import PROFILE, SCORE
from resources.feeds import Feeds
from tests.running import deployed

# Of a batch in real time the ends; what lies between them is of no consequence here.
ENDS = [dg.AssetKey(["sources", "orders"]), dg.AssetKey(PROFILE)]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Shop:
    """Orders in a database, and the profiles made of them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.execute("DROP TABLE IF EXISTS orders")
        self.execute(
            "CREATE TABLE orders (order_id text, customer_id text, ordered_at timestamp DEFAULT '2026-01-01',"
            " updated_at timestamptz)"
        )
        (folder / "c360.yaml").write_text(
            'name: Shop\ncurrency: EUR\nconnectors:\n  shop: {type: postgres, url: "${SHOP}"}\n'
            "feeds:\n  orders: {from: shop, watermark: updated_at, select: select * exclude updated_at from raw}\n"
        )
        self.deployment = deployed(folder / "c360.yaml", folder / "home", SHOP=url)

    def execute(self, sql: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(sql)

    def change(self, orders: str, seconds_ago: int) -> None:
        rows = ", ".join(f"('{one}', 'C{one}', now() - interval '{seconds_ago} seconds')" for one in orders)
        self.execute(f"INSERT INTO orders (order_id, customer_id, updated_at) VALUES {rows}")

    def batch(self) -> dict[str, Any]:
        """One batch in real time; what the score of the profiles says of it."""
        job = build(self.deployment).resolve_job_def("real_time")
        with dg.DagsterInstance.ephemeral() as instance:
            done = job.execute_in_process(QUIET, instance=instance, asset_selection=ENDS)
        for found in done.get_asset_check_evaluations():
            if (found.asset_key.to_user_string(), found.check_name) == (PROFILE, SCORE):
                return {name: entry.value for name, entry in found.metadata.items()}
        raise AssertionError("the profiles were not checked")

    def load_alone(self) -> None:
        """What a run leaves that loads orders and breaks before the profiles are made."""
        contract = self.deployment.contracts["sources/orders"]
        load = Feeds(self.deployment).load(contract)
        lake = self.deployment.lake
        lake.publish(lake.merge(contract, load.rows, {**load.properties, "c360.run_id": "broken"}))

    @property
    def lags(self) -> list[dict[str, Any]]:
        rows = self.deployment.operations.rows("profile_lags").to_pylist()
        return sorted(rows, key=lambda row: row["visible_at"])


@pytest.fixture
def shop(tmp_path: Path, postgres: str) -> Iterator[Shop]:
    shop = Shop(tmp_path, postgres)
    yield shop
    shop.deployment.close()


def test_changed_rows_have_a_lag_and_those_of_the_first_load_have_none(shop: Shop) -> None:
    shop.change("ab", seconds_ago=5000)
    assert "changed rows" not in shop.batch()
    assert shop.lags == []
    shop.change("c", seconds_ago=300)
    shop.change("def", seconds_ago=100)
    told = shop.batch()
    (lag,) = shop.lags
    assert (lag["dataset"], lag["changed_rows"]) == ("sources/orders", 4)
    assert lag["run_id"] == lag["profile_run_id"]
    assert 300 < lag["worst_seconds"] < 400
    assert 100 < lag["median_seconds"] < 200
    assert told["profile lag, worst (s)"] == round(lag["worst_seconds"], 1)
    assert told["profile lag, median (s)"] == round(lag["median_seconds"], 1)
    assert told["changed rows"] == 4


def test_rows_of_a_run_that_broke_count_once_they_are_shown(shop: Shop) -> None:
    shop.change("a", seconds_ago=5000)
    shop.batch()
    shop.change("b", seconds_ago=400)
    shop.load_alone()
    shop.change("cd", seconds_ago=100)
    told = shop.batch()
    assert {lag["run_id"] == "broken": lag["changed_rows"] for lag in shop.lags} == {True: 1, False: 2}
    assert told["changed rows"] == 3
    assert told["profile lag, worst (s)"] > 400
    shop.change("e", seconds_ago=10)
    assert shop.batch()["changed rows"] == 1
