"""Whole runs of the sample company: repeatable, bound to as_of, safe to kill, silent about persons."""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from examples.company.generator import generate
from resources.deployment import Deployment
from tests.running import deployed, run

PROJECT = Path(__file__).parents[1]
CUSTOMERS = 300
AS_OF = "2025-09-30T23:59:59"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small sample company and the deployment that reads it."""
    folder = tmp_path_factory.mktemp("company")
    generate(folder / "data", CUSTOMERS, seed=11)
    return folder


@pytest.fixture(scope="module")
def built(company: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The company after one run. Tests may run it again, which changes nothing but snapshots."""
    folder = tmp_path_factory.mktemp("built")
    deployment = deployed(configured(folder, company / "data"), folder / "home")
    run(deployment)
    yield deployment
    deployment.close()


@pytest.fixture(scope="module")
def used(company: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment file of the company after one run as users do it, which Dagster keeps in `dagster` beside it.

    Tests may run it again: a run that ends leaves the same tables, and so does one that does not.
    """
    folder = tmp_path_factory.mktemp("used")
    config = configured(folder, company / "data")
    done = c360("run", "--config", str(config), DAGSTER_HOME=str(prepared(folder / "dagster")))
    assert done.returncode == 0, done.stderr
    return config


def configured(folder: Path, data: Path) -> Path:
    """A c360.yaml in `folder` with one feed per dataset found in `data`."""
    datasets = sorted(path.name for path in data.iterdir() if not path.name.startswith("truth_"))
    connectors = "".join(f"  {name}: {{type: files, path: '{data / name}/*.parquet'}}\n" for name in datasets)
    feeds = "".join(f"  {name}: {{from: {name}}}\n" for name in datasets)
    file = folder / "c360.yaml"
    file.write_text(f"name: test\ncurrency: USD\nconnectors:\n{connectors}feeds:\n{feeds}")
    return file


def derived(deployment: Deployment) -> list[str]:
    return [key for key, contract in deployment.contracts.items() if contract.layer not in ("sources", "operations")]


def content(deployment: Deployment, key: str, but: str = "") -> list[tuple]:
    """All rows of a table, sorted, without the column `but`."""
    deployment.lake.read(deployment.contracts[key])
    return deployment.engine.query(f"SELECT COLUMNS(name -> name <> '{but}') FROM \"{key}\" ORDER BY ALL")


def test_running_twice_changes_nothing_but_snapshots(built: Deployment) -> None:
    keys = [*derived(built), "quarantine"]
    first = {key: (content(built, key), built.lake.state(key)) for key in keys}
    run(built)
    for key in keys:
        rows, state = first[key]
        assert content(built, key) == rows, key
        assert built.lake.state(key).snapshot_id != state.snapshot_id


def test_deleting_the_future_changes_nothing(company: Path, tmp_path: Path) -> None:
    whole = deployed(configured(tmp_path, company / "data"), tmp_path / "whole")
    run(whole, AS_OF)
    past = tmp_path / "past"
    shutil.copytree(company / "data", past)
    for contract in whole.contracts.values():
        if contract.layer == "sources" and contract.event_time:
            rewrite(
                past / contract.name,
                f'"{contract.event_time}" <= TIMESTAMP \'{AS_OF}\' OR "{contract.event_time}" IS NULL',
            )
    (tmp_path / "cut").mkdir()
    cut = deployed(configured(tmp_path / "cut", past), tmp_path / "cut-home")
    run(cut, AS_OF)
    for key in derived(whole):
        assert content(whole, key, but="run_id") == content(cut, key, but="run_id"), key
    assert content(whole, "orders"), "the test cuts everything"
    assert whole.lake.state("sources/orders").rows > cut.lake.state("sources/orders").rows
    whole.close()
    cut.close()


def rewrite(folder: Path, condition: str) -> None:
    """Keep only the rows of a dataset that meet a condition, in another order and in one file."""
    files = sorted(folder.glob("*.parquet"))
    rest = folder / "rest"
    with duckdb.connect() as connection:
        source = f"read_parquet({[str(file) for file in files]})"
        connection.execute(f"COPY (FROM {source} WHERE {condition} ORDER BY random()) TO '{rest}' (FORMAT parquet)")
    for file in files:
        file.unlink()
    rest.rename(folder / "part-0.parquet")


def test_money_reconciles_from_the_lines_to_the_profile(built: Deployment) -> None:
    for key in ("order_lines", "orders", "rfm", "customer_segments", "customer_360"):
        built.lake.read(built.contracts[key])
    (sold,), (ordered,), *profiles = (
        built.engine.query(sql)[0]
        for sql in (
            "SELECT sum(line_amount) FROM order_lines WHERE line_kind = 'sale'",
            "SELECT sum(order_amount + coalesce(discount_amount, 0)) FROM orders WHERE is_completed",
            "SELECT sum(monetary) FROM rfm",
            "SELECT sum(monetary) FROM customer_segments",
            "SELECT sum(monetary) FROM customer_360",
            "SELECT sum(order_amount) FROM orders WHERE is_completed AND customer_id IS NOT NULL",
        )
    )
    assert sold == ordered
    assert len(set(profiles)) == 1
    assert profiles[0][0] > 0


def test_planted_faults_of_keys_are_all_in_quarantine(company: Path, built: Deployment) -> None:
    truth = duckdb.sql(
        f"SELECT dataset, count(*) FROM read_parquet('{company / 'data/truth_dirty/*.parquet'}')"
        " WHERE fault IN ('duplicate_key', 'missing_key') GROUP BY ALL"
    ).fetchall()
    built.lake.read(built.contracts["quarantine"])
    found = built.engine.query("SELECT dataset, sum(copies)::BIGINT FROM quarantine GROUP BY ALL")
    assert sorted(found) == sorted(truth)
    assert truth


def test_no_personal_value_reaches_dagster_or_the_quarantine(company: Path, used: Path) -> None:
    """Searches every file Dagster keeps for the names and addresses of all customers."""
    columns = ("email_address", "phone_number", "mailing_street", "last_name || ' '")
    people = f"read_parquet('{company / 'data/customer/*.parquet'}')"
    planted = {
        value.encode()
        for column in columns
        for (value,) in duckdb.sql(f"SELECT DISTINCT {column} FROM {people} WHERE length({column}) > 6").fetchall()
    }
    assert len(planted) > CUSTOMERS
    kept = b"\n".join(path.read_bytes() for path in sorted((used.parent / "dagster").rglob("*")) if path.is_file())
    found = [value for value in planted if value in kept]
    assert found == []
    deployment = deployed(used, used.parent / ".c360")
    deployment.lake.read(deployment.contracts["quarantine"])
    quarantined = str(deployment.engine.query("SELECT * FROM quarantine")).encode()
    assert [value for value in planted if value in quarantined] == []
    deployment.close()


def prepared(home: Path) -> Path:
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return home


def c360(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "portal.cli", *arguments],
        cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.timeout(900)
def test_a_killed_run_leaves_every_table_old_or_new_and_the_next_run_completes(used: Path) -> None:
    deployment = deployed(used, used.parent / ".c360")
    keys = [*derived(deployment), *(key for key in deployment.contracts if key.startswith("sources/"))]
    whole = {key: content(deployment, key) for key in keys}
    dagster = {"DAGSTER_HOME": str(used.parent / "dagster")}
    moments = random.Random(3)
    started = time.monotonic()
    assert c360("run", "--config", str(used), **dagster).returncode == 0
    duration = time.monotonic() - started
    torn = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.cli", "run", "--config", str(used)],
            cwd=PROJECT, env={**os.environ, **dagster}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.3, 0.95) * duration)
            # The machine is faster now than when the duration was measured.
            duration = time.monotonic() - started
        torn += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        for key in keys:
            assert content(deployment, key) == whole[key], key
    assert torn >= 3, "the run was over before it was killed"
    assert c360("run", "--config", str(used), **dagster).returncode == 0
    assert {key: content(deployment, key) for key in keys} == whole
    deployment.close()


def test_a_run_is_kept_in_dagsters_history(company: Path, tmp_path: Path) -> None:
    config = configured(tmp_path, company / "data")
    assert c360("run", "--config", str(config), "--select", "sources/brand").returncode == 0
    with sqlite3.connect(tmp_path / ".c360/dagster/history/runs.db") as history:
        assert history.execute("SELECT pipeline_name, status FROM runs").fetchall() == [("refresh", "SUCCESS")]


def test_a_failing_table_fails_the_run_and_keeps_its_old_rows(company: Path, used: Path, tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    shutil.copytree(company / "data/orders", orders)
    rewrite(orders, "true")
    broken = used.with_name("broken.yaml")
    broken.write_text(
        used.read_text()
        .replace(f"'{company / 'data/orders'}/", f"'{orders}/")
        .replace("  orders: {from: orders}", "  orders: {from: orders, select: 'select no_such from raw'}")
    )
    done = c360("run", "--config", str(broken))
    assert done.returncode == 1
    text = re.sub(r"\s+", " ", done.stdout)
    assert "sources/orders failed: Feed orders" in text
    assert "no_such" in text
    assert "Traceback" not in done.stdout + done.stderr
    assert "Not built, because they depend on what failed:" in text
    shown = c360("show", "orders", "--config", str(broken), "--format", "csv")
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) > CUSTOMERS
