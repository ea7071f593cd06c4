"""The sensor in real time: when a batch starts, and what becomes of a source that is down."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from c360_assets.definitions import build
from c360_assets.real_time import LONGEST_WAIT
from checks import runs
from resources.feeds import Feeds
from tests.running import deployed

FILES = """\
  till: {type: files, path: till.csv}
  web: {type: files, path: web.csv}
feeds:
  orders: {from: till}
  order_line_item: {from: web}
"""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
STARTED = 1_800_000_000.0


class Batches:
    """The real-time sensor of a shop whose orders lie in one file and their lines in another."""

    def __init__(self, folder: Path, sources: str = FILES, **variables: str) -> None:
        self.till = folder / "till.csv"
        self.put("O1")
        (folder / "web.csv").write_text("order_li_id,order_id,qty,unit_price\nL1,O1,1,2\n")
        (folder / "c360.yaml").write_text(f"name: Shop\ncurrency: EUR\nconnectors:\n{sources}")
        self.deployment = deployed(folder / "c360.yaml", folder / "home", **variables)
        self.defs = build(self.deployment)
        self.cursor: str | None = None
        self.ticks = 0

    def put(self, *orders: str) -> None:
        self.till.write_text("order_id,customer_id,ordered_at\n" + "".join(f"{one},C1,2026-01-01\n" for one in orders))

    def tick(self, instance: dg.DagsterInstance) -> dg.RunRequest | str:
        """What the sensor does, as the daemon asks it: with the cursor that it left."""
        sensor = self.defs.resolve_sensor_def("real_time")
        self.ticks += 1
        context = dg.build_sensor_context(
            instance=instance,
            repository_def=self.defs.get_repository_def(),
            cursor=self.cursor,
            last_sensor_start_time=STARTED + 5 * self.ticks,
        )
        found = sensor.evaluate_tick(context)
        self.cursor = found.cursor
        return found.run_requests[0] if found.run_requests else found.skip_message or ""

    def asked(self, instance: dg.DagsterInstance, ticks: int) -> list[int]:
        """At which of the next ticks the source was asked, and could not be."""
        told = [str(self.tick(instance)) for _ in range(ticks)]
        return [number for number, one in enumerate(told, 1) if "cannot be looked at" in one]

    def load(self, run_id: str = "earlier", *datasets: str) -> None:
        for dataset in datasets or ("orders", "order_line_item"):
            contract = self.deployment.contracts[f"sources/{dataset}"]
            load = Feeds(self.deployment).load(contract)
            self.deployment.lake.write(contract, load.rows, {**load.properties, "c360.run_id": run_id})

    def run(self, instance: dg.DagsterInstance, request: dg.RunRequest | str) -> bool:
        """Load what a batch is to load, as the daemon would; whether it could."""
        assert isinstance(request, dg.RunRequest)
        chosen = request.asset_selection or [dg.AssetKey(["sources", name]) for name in ("orders", "order_line_item")]
        sources = {key for key in chosen if key.path[0] == "sources"}
        job = self.defs.resolve_job_def("real_time").get_subset(asset_selection=sources, asset_check_selection=set())
        done = job.execute_in_process(QUIET, instance=instance, tags=dict(request.tags), raise_on_error=False)
        runs.record(self.deployment, instance, done.run_id)
        return done.success

    @property
    def incidents(self) -> dict[str, str]:
        found = self.deployment.operations.records("incidents")
        return {row["dataset"]: row["status"] for row in found if row["rule"] == runs.RULE}

    @property
    def told(self) -> list[tuple[str, str]]:
        rows = sorted(self.deployment.operations.records("notifications"), key=lambda row: row["sequence"])
        return [(row["dataset"], row["event"]) for row in rows if row["rule"] == runs.RULE]


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[Batches]:
    batches = Batches(tmp_path)
    yield batches
    batches.deployment.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_a_batch_starts_when_a_source_has_news_and_not_before(batches: Batches, instance: dg.DagsterInstance) -> None:
    first = batches.tick(instance)
    assert isinstance(first, dg.RunRequest)
    assert first.tags["news"] == "order_line_item, orders"
    batches.load()
    assert batches.tick(instance) == "nothing new"
    batches.put("O1", "O2")
    second = batches.tick(instance)
    assert isinstance(second, dg.RunRequest)
    assert (second.tags["news"], second.asset_selection) == ("orders", None)
    assert batches.incidents == {}


def test_one_batch_is_in_flight_and_the_next_may_wait_once_it_has_loaded(
    batches: Batches, instance: dg.DagsterInstance
) -> None:
    job = batches.defs.resolve_job_def("real_time")
    batches.load()
    batches.put("O1", "O2")
    first = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert "in flight" in str(batches.tick(instance))
    batches.load(first.run_id)
    assert batches.tick(instance) == "nothing new"
    batches.put("O1", "O2", "O3")
    assert isinstance(batches.tick(instance), dg.RunRequest)
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING)
    assert "in flight" in str(batches.tick(instance))


def test_a_source_that_is_gone_is_one_incident_told_once_and_asked_less_and_less_often(
    batches: Batches, instance: dg.DagsterInstance
) -> None:
    batches.load()
    away = batches.till.rename(batches.till.with_name("away"))
    assert batches.asked(instance, 40) == [1, 3, 6, 11, 20, 37]
    assert batches.incidents == {"sources/orders": "open"}
    assert batches.told == [("sources/orders", "opened")]
    away.rename(batches.till)
    # Nothing was loaded meanwhile: it is as it was.
    while "orders" in str(batches.tick(instance)):
        assert batches.ticks < 100
    assert batches.incidents == {"sources/orders": "resolved"}
    assert batches.told == [("sources/orders", "opened"), ("sources/orders", "resolved")]
    batches.till.unlink()
    assert batches.asked(instance, 4) == [1, 3]
    assert batches.told[2:] == [("sources/orders", "reopened")]


def test_a_source_is_never_left_alone_for_longer_than_some_minutes(
    batches: Batches, instance: dg.DagsterInstance
) -> None:
    batches.load()
    batches.till.unlink()
    batches.cursor = json.dumps({"troubles": {"orders": {"failures": 50, "wait": 0, "held": "earlier"}}})
    batches.tick(instance)
    wait = json.loads(batches.cursor or "")["troubles"]["orders"]["wait"]
    assert wait * batches.deployment.settings.schedules.real_time_seconds == LONGEST_WAIT.total_seconds()


def test_while_one_source_is_down_the_others_are_loaded(batches: Batches, instance: dg.DagsterInstance) -> None:
    batches.load("earlier", "orders")
    batches.till.unlink()
    request = batches.tick(instance)
    assert isinstance(request, dg.RunRequest)
    chosen = {key.to_user_string() for key in request.asset_selection or ()}
    assert {"sources/order_line_item", "orders", "customer_360"} <= chosen
    assert "sources/orders" not in chosen
    # Unless told, Dagster takes all checks of the tables that are chosen.
    assert request.asset_check_keys is None
    assert batches.run(instance, request)
    assert batches.incidents == {"sources/orders": "open"}


def test_a_source_whose_load_fails_is_tried_less_and_less_often_until_it_works(
    batches: Batches, instance: dg.DagsterInstance
) -> None:
    batches.load()
    batches.till.write_text('order_id,ordered_at\n"O1,2026-01-01\n')
    tried = []
    for tick in range(1, 13):
        request = batches.tick(instance)
        if isinstance(request, dg.RunRequest):
            tried.append(tick)
            assert not batches.run(instance, request)
    assert tried == [1, 3, 6, 11]
    assert batches.told == [("sources/orders", "opened")]
    batches.put("O1", "O2")
    while isinstance(request := batches.tick(instance), str):
        assert batches.ticks < 100
    assert batches.run(instance, request)
    assert batches.tick(instance) == "nothing new"
    assert batches.told == [("sources/orders", "opened"), ("sources/orders", "resolved")]
    assert json.loads(batches.cursor or "")["troubles"] == {}


def test_a_batch_repeats_what_the_checks_of_its_sources_said_last_and_measures_nothing(
    batches: Batches, instance: dg.DagsterInstance
) -> None:
    orders = dg.AssetKey(["sources", "orders"])

    def built(job: str) -> dict[str, dg.AssetCheckEvaluation]:
        chosen = batches.defs.resolve_job_def(job).get_subset(asset_selection={orders})
        done = chosen.execute_in_process(QUIET, instance=instance, raise_on_error=False)
        return {found.check_name: found for found in done.get_asset_check_evaluations()}

    assert built("real_time") == {}, "nothing was ever measured"
    batches.put("O1", "", "O1")
    measured = built("refresh")
    kept = batches.deployment.operations.records("quality_results")
    assert not measured["key_unique"].passed
    batches.put("O1", "O2")
    repeated = built("real_time")
    assert repeated.keys() == measured.keys()
    for name, found in repeated.items():
        assert (found.passed, found.severity) == (measured[name].passed, measured[name].severity)
        assert found.description == (
            f"{measured[name].description} (when all rows were checked last, as of 2026-01-01 00:00;"
            " later rows are not counted yet)"
        )
    assert batches.deployment.operations.records("quality_results") == kept
    loaded = instance.get_latest_materialization_event(orders)
    assert loaded
    for found in repeated.values():
        assert found.target_materialization_data
        assert found.target_materialization_data.run_id == loaded.run_id


def test_a_batch_that_fails_after_it_has_loaded_delays_nothing(batches: Batches, instance: dg.DagsterInstance) -> None:
    job = batches.defs.resolve_job_def("real_time")
    failed = instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE, tags={"news": "orders"})
    batches.load(failed.run_id)
    batches.put("O1", "O2")
    assert isinstance(batches.tick(instance), dg.RunRequest)


def test_a_database_that_lets_nobody_in_is_one_incident_and_its_rows_come_once_it_does(
    postgres: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    address = sa.make_url(postgres)
    server = sa.create_engine(address.set(database="postgres"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    shop = sa.create_engine(address, poolclass=sa.NullPool)
    with shop.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE orders (order_id text, ordered_at timestamp, updated_at timestamptz DEFAULT now())"
        )
        connection.exec_driver_sql("INSERT INTO orders VALUES ('O1', '2026-01-01')")
    sources = (
        '  shop: {type: postgres, url: "${SHOP_DB}"}\nfeeds:\n  orders:\n    from: shop\n    watermark: updated_at\n'
        "    select: select order_id, ordered_at from raw\n"
    )

    def let_in(allowed: bool) -> None:
        with server.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {address.database} ALLOW_CONNECTIONS {allowed}")

    batches = Batches(tmp_path, sources, SHOP_DB=postgres)
    with closing(batches.deployment):
        assert batches.run(instance, batches.tick(instance))
        assert batches.tick(instance) == "nothing new"
        let_in(False)
        assert batches.asked(instance, 5) == [1, 3]
        assert batches.told == [("sources/orders", "opened")]
        let_in(True)
        with shop.begin() as connection:
            connection.exec_driver_sql("INSERT INTO orders VALUES ('O2', '2026-01-02')")
        while isinstance(request := batches.tick(instance), str):
            assert batches.ticks < 20
        assert batches.run(instance, request)
        assert batches.tick(instance) == "nothing new"
        assert batches.told == [("sources/orders", "opened"), ("sources/orders", "resolved")]
