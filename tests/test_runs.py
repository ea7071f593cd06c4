"""Whole runs of the golden company: repeatable, bound to as_of, safe to kill, silent about persons."""

import multiprocessing
import os
import random
import re
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb
import ibis.expr.types as ir
import pytest
from click.testing import CliRunner, Result

from portal import cli
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.iceberg import identifier
from resources.launcher import LIBRARIES
from tests import golden_company
from tests.deriving import derived
from tests.golden_company import configured
from tests.processes import until as until_true
from tests.told import plain

AS_OF = "2025-09-30T23:59:59"
# A graph with gates, a source set aside in part, and tables three layers deep, that takes seconds.
SMALL = (
    "sources/product", "sources/orders", "sources/order_line_item", "as_of", "products", "orders", "order_lines", "rfm",
)  # fmt: skip
KILLS = 6


def of_layers(deployment: Deployment, *but: str) -> list[str]:
    return [key for key, contract in deployment.contracts.items() if contract.layer not in (*but, "operations")]


def selecting(*tables: str) -> list[str]:
    return [word for table in tables for word in ("--select", table)]


def content(deployment: Deployment, key: str, but: str = "") -> list[tuple]:
    """All rows of a table, sorted, without the column `but`."""
    deployment.lake.read(deployment.contracts[key])
    return deployment.engine.query(f"SELECT COLUMNS(name -> name <> '{but}') FROM \"{key}\" ORDER BY ALL")


def test_deleting_the_future_changes_nothing(golden: Deployment) -> None:
    sources = {key: golden.read(key) for key in golden.contracts if key.startswith("sources/")}
    past = {key: until(golden, key) for key in sources}
    whole, cut = (derived(golden, known, AS_OF, name) for known, name in ((sources, "whole"), (past, "cut")))
    for key in of_layers(golden, "sources"):
        with_future, without = (rows_of(one.read(key), golden, but="run_id") for one in (whole, cut))
        assert with_future == without, key
    assert rows_of(whole.read("orders"), golden), "the test cuts everything"
    counts = [known["sources/orders"].count().to_pyarrow().as_py() for known in (sources, past)]
    assert counts[0] > counts[1]


def until(deployment: Deployment, key: str) -> ir.Table:
    """The rows of a source up to AS_OF, in another order."""
    event_time = deployment.contracts[key].event_time
    past = f'"{event_time}" <= TIMESTAMP \'{AS_OF}\' OR "{event_time}" IS NULL' if event_time else "true"
    name = f"past of {key}"
    deployment.engine.query(f'CREATE TABLE "{name}" AS SELECT * FROM "{key}" WHERE {past} ORDER BY random()')
    return deployment.engine.backend.table(name)


def rows_of(table: ir.Table, deployment: Deployment, but: str = "") -> list[tuple]:
    """All rows of a table, sorted, without the column `but`."""
    kept = [name for name in table.columns if name != but]
    return deployment.engine.query(f"FROM ({deployment.engine.sql_of(table.select(kept))}) ORDER BY ALL")


def test_money_reconciles_from_the_lines_to_the_profile(golden: Deployment) -> None:
    for key in ("order_lines", "orders", "rfm", "customer_segments", "customer_360"):
        golden.lake.read(golden.contracts[key])
    (sold,), (ordered,), *profiles = (
        golden.engine.query(sql)[0]
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


def test_planted_faults_of_keys_are_all_in_quarantine(golden: Deployment) -> None:
    truth = duckdb.sql(
        f"SELECT dataset, count(*) FROM read_parquet('{golden.folder / 'data/truth_dirty/*.parquet'}')"
        " WHERE fault IN ('duplicate_key', 'missing_key') GROUP BY ALL"
    ).fetchall()
    golden.lake.read(golden.contracts["quarantine"])
    found = golden.engine.query("SELECT dataset, sum(copies)::BIGINT FROM quarantine GROUP BY ALL")
    assert sorted(found) == sorted(truth)
    assert truth


def test_no_personal_value_reaches_dagster_or_the_quarantine(golden: Deployment) -> None:
    """Searches every file Dagster keeps for the names and addresses of all customers."""
    columns = ("email_address", "phone_number", "mailing_street", "last_name || ' '")
    people = f"read_parquet('{golden.folder / 'data/customer/*.parquet'}')"
    planted = {
        value.encode()
        for column in columns
        for (value,) in duckdb.sql(f"SELECT DISTINCT {column} FROM {people} WHERE length({column}) > 6").fetchall()
    }
    assert len(planted) > golden_company.CUSTOMERS
    kept = b"\n".join(path.read_bytes() for path in sorted((golden.home / "dagster").rglob("*")) if path.is_file())
    found = [value for value in planted if value in kept]
    assert found == []
    golden.lake.read(golden.contracts["quarantine"])
    quarantined = str(golden.engine.query("SELECT * FROM quarantine")).encode()
    assert [value for value in planted if value in quarantined] == []


@pytest.fixture(scope="module", autouse=True)
def _nothing_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("DAGSTER_HOME", raising=False)
        environment.setenv("C360_CONFIG", "")
        yield


@pytest.mark.timeout(900)
def test_a_killed_run_leaves_every_table_old_or_new_and_the_next_run_completes(
    golden: Deployment, tmp_path: Path
) -> None:
    config = configured(tmp_path, golden.folder / "data")
    command = ["run", "--config", str(config), *selecting(*SMALL)]
    assert here(*command).exit_code == 0
    deployment = deployments.load(config)
    whole = {key: content(deployment, key) for key in SMALL}
    snapshots = {key: deployment.lake.state(key).snapshot_id for key in SMALL}
    started = time.monotonic()
    with killing(command) as process:
        process.join()
        assert process.exitcode == 0
    duration = time.monotonic() - started
    # Run twice, nothing is another but the snapshots.
    assert {key: content(deployment, key) for key in SMALL} == whole
    assert all(deployment.lake.state(key).snapshot_id != snapshots[key] for key in SMALL)
    moments, torn = random.Random(3), 0
    for _ in range(KILLS):
        lasted, was_torn = killed(command, moments.uniform(0.3, 0.95) * duration)
        # The machine may be faster now than when the duration was measured.
        duration = duration if was_torn else lasted
        torn += was_torn
        for key in SMALL:
            assert content(deployment, key) == whole[key], key
    assert torn >= KILLS // 2, "the run was over before it was killed"
    assert here(*command).exit_code == 0
    assert {key: content(deployment, key) for key in SMALL} == whole
    deployment.close()


def killed(command: Sequence[str], after: float) -> tuple[float, bool]:
    """Kill a command after so many seconds: how long it lasted, and whether it was still at work."""
    started = time.monotonic()
    with killing(command) as process:
        process.join(after)
        return time.monotonic() - started, process.is_alive()


@pytest.mark.timeout(900)
def test_doctor_and_purge_killed_at_any_moment_lose_nothing_and_leave_nothing(
    golden: Deployment, tmp_path: Path
) -> None:
    config = configured(tmp_path, golden.folder / "data")
    tables = selecting(*SMALL)
    run, doctor, purge = (
        [*words, "--config", str(config)] for words in (["run", *tables], ["doctor", "--repair"], ["purge"])
    )
    # Twice, so that a table whose newest rows are damaged has rows to go back to.
    assert [here(*command).exit_code for command in (run, run)] == [0, 0]
    deployment = deployments.load(config)
    whole = {key: content(deployment, key) for key in SMALL}
    moments = random.Random(14)
    for key in moments.sample(SMALL, KILLS):
        cut_newest_rows(deployment, key)
        for command in (doctor, purge):
            aged(deployment.home)
            killed(command, moments.uniform(0, 2))
            assert here(*command).exit_code == 0, (command, key)
        deployment.close()
        assert {key: content(deployment, key) for key in SMALL} == whole
    assert here(*run).exit_code == 0
    aged(deployment.home)
    deployment.close()
    assert {key: content(deployment, key) for key in SMALL} == whole
    deployment.lake.sweep()
    assert deployment.lake.sweep() == (0, [])
    deployment.close()


def cut_newest_rows(deployment: Deployment, key: str) -> None:
    """Half of the newest data file of a table is gone."""
    files = deployment.lake.warehouse.joinpath(*identifier(key)).rglob("*.parquet")
    newest = max(files, key=lambda file: file.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])


def aged(folder: Path) -> None:
    """All that lies there is two days old, as whatever purges looks at it."""
    for path in folder.rglob("*.*"):
        with suppress(FileNotFoundError):
            os.utime(path, (path.stat().st_atime - 172_800, path.stat().st_mtime - 172_800))


@pytest.mark.timeout(900)
def test_a_first_run_killed_halfway_is_completed_by_the_next(golden: Deployment, tmp_path: Path) -> None:
    """All tables: what was built is whole, nothing else is there, and in the end all is as if nothing had happened."""
    config = configured(tmp_path, golden.folder / "data")
    command = ["run", "--config", str(config)]
    deployment = deployments.load(config)
    with killing(command) as process:
        until_true(lambda: not process.is_alive() or deployment.lake.state("rfm"), seconds=600)
        assert process.is_alive(), "the run was over before it was killed"
    expected = {key: content(golden, key, but="run_id") for key in of_layers(golden)}
    torn = {key: content(deployment, key, but="run_id") for key in expected if deployment.lake.state(key)}
    assert 0 < len(torn) < len(expected)
    assert torn == {key: expected[key] for key in torn}
    assert here(*command).exit_code == 0
    assert {key: content(deployment, key, but="run_id") for key in expected} == expected
    deployment.close()


@pytest.mark.timeout(900)
def test_a_run_that_is_interrupted_says_what_stays_and_what_is_left(golden: Deployment, tmp_path: Path) -> None:
    """Ctrl-C in a terminal is this signal."""
    config, told = configured(tmp_path, golden.folder / "data"), tmp_path / "told.txt"
    tables = selecting(*SMALL)
    deployment = deployments.load(config)
    with killing(["run", "--config", str(config), *tables], told) as process:
        until_true(lambda: not process.is_alive() or deployment.lake.state("as_of"), seconds=300)
        assert process.pid
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
        assert process.exitcode == 1
    text = plain(told.read_text(encoding="utf-8"))
    assert "The run was interrupted. What it had built stays; the rest: c360 run" in text
    assert re.search(r"Not built: [a-z_, ]*rfm", text)
    assert "Traceback" not in text
    assert "Unexpected" not in text
    for key in SMALL:
        if deployment.lake.state(key):
            assert content(deployment, key, but="run_id") == content(golden, key, but="run_id"), key
    deployment.close()


def here(*arguments: str) -> Result:
    """The command in this process, which has the libraries loaded."""
    return CliRunner().invoke(cli.main, arguments)


@contextmanager
def killing(command: Sequence[str], told: Path = Path(os.devnull)) -> Iterator[BaseProcess]:
    """A command of the product in a process that has the libraries loaded, killed at the end with all its threads.

    What it says goes to the file `told`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_runs", *LIBRARIES])
    process = context.Process(target=_apart, args=(command, told))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _apart(command: Sequence[str], told: Path) -> None:
    with told.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        cli.main(command)


def test_a_run_is_kept_in_dagsters_history(golden: Deployment) -> None:
    with sqlite3.connect(golden.home / "dagster/history/runs.db") as history:
        assert history.execute("SELECT pipeline_name, status FROM runs").fetchall() == [("refresh", "SUCCESS")]


def test_a_failing_table_fails_the_run_and_keeps_its_old_rows(golden: Deployment, tmp_path: Path) -> None:
    config = configured(tmp_path, golden.folder / "data")
    tables = selecting("sources/orders", "as_of", "orders")
    assert here("run", "--config", str(config), *tables).exit_code == 0
    select = "select * replace (cast(order_id as integer) as total_amount) from raw"
    broken = f"  orders: {{from: orders, select: '{select}'}}"
    config.write_text(config.read_text().replace("  orders: {from: orders}", broken))
    done = here("run", "--config", str(config), *tables, *selecting("rfm"))
    assert done.exit_code == 1
    text = re.sub(r"\s+", " ", done.output)
    assert "sources/orders failed: Feed orders" in text
    assert "the select fails on a row" in text
    assert "Traceback" not in done.output
    assert "Not built, because they depend on what failed:" in text
    shown = here("show", "orders", "--config", str(config), "--format", "csv")
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > golden_company.CUSTOMERS
