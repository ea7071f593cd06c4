"""Runs that fail and runs that go well: what becomes of the incidents of their tables."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from c360_assets.definitions import build
from checks import runs
from resources.deployment import Deployment
from tests.running import deployed

ORDERS = dg.AssetKey(["sources", "orders"])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    (tmp_path / "c360.yaml").write_text(
        "name: Shop\ncurrency: EUR\nconnectors:\n  till: {type: files, path: till.csv}\n"
        "feeds:\n  orders: {from: till}\n"
    )
    deployment = deployed(tmp_path / "c360.yaml", tmp_path / "home")
    yield deployment
    deployment.close()


def run(shop: Deployment, instance: dg.DagsterInstance) -> str:
    job = build(shop).resolve_job_def("real_time")
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    done = job.execute_in_process(config, instance=instance, asset_selection=[ORDERS], raise_on_error=False)
    runs.record(shop, instance, done.run_id)
    return done.run_id


def incidents(shop: Deployment) -> dict[str, str]:
    rows = shop.operations.rows("incidents").to_pylist()
    return {row["dataset"]: row["status"] for row in rows if row["rule"] == runs.RULE}


def told(shop: Deployment) -> list[tuple[str, str]]:
    rows = shop.operations.rows("notifications").to_pylist()
    return [(row["event"], row["message"].split(", as of")[0]) for row in rows if row["rule"] == runs.RULE]


def test_a_table_that_could_not_be_built_is_an_incident_until_it_is_built(shop: Deployment, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(shop, instance)
        assert incidents(shop) == {"sources/orders": "open"}
        run(shop, instance)
        (tmp_path / "till.csv").write_text("order_id,ordered_at\nO1,2026-01-01\n")
        run(shop, instance)
    assert incidents(shop) == {"sources/orders": "resolved"}
    assert told(shop) == [
        ("opened", "sources/orders: rule built could not run (error)"),
        ("resolved", "sources/orders: rule built holds again after 2 failing runs"),
    ]


def test_a_run_told_of_twice_is_told_once(shop: Deployment) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = run(shop, instance)
        runs.record(shop, instance, run_id)
    assert len(told(shop)) == 1


def test_a_run_whose_process_died_is_an_incident_of_its_job(shop: Deployment) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build(shop).resolve_job_def("real_time")
        dead = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        instance.report_run_failed(dead, "the process is gone")
        runs.record(shop, instance, dead.run_id)
    assert incidents(shop) == {"real_time": "open"}


def test_the_sensors_watch_every_run_of_the_instance(shop: Deployment) -> None:
    names = {sensor.name for sensor in build(shop).sensors or ()}
    assert {"failed_runs", "good_runs", "housekeeping", "notifications", "real_time", "subject_requests"} == names
