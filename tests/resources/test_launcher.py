"""Runs that are forked: they see the code as it is, end as they should, and are found when they died."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from resources import launcher
from resources.instance import settings
from resources.launcher import PROCESS_TAG, ForkingRunLauncher, process_tags
from tests.processes import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="runs are forked on Linux only")

ROOT = Path(__file__).parents[2]
CODE = '''
"""A code location that tells what it finds, or waits."""
import json, os, sys, time
from pathlib import Path

# Of `resources` the run's own instance has loaded what keeps its history.
NAMES = ("resources.deployment", "governance", "checks", "great_expectations", "sklearn")
LOADED = [name for name in NAMES if name in sys.modules]

import dagster as dg
from launched_price import PRICE

FOLDER = Path(__file__).parent


@dg.op
def tell() -> None:
    print("printed by the run")
    FOLDER.joinpath("told").write_text(json.dumps({"price": PRICE, "loaded": LOADED, "pid": os.getpid()}))


@dg.op
def count() -> None:
    import duckdb
    for connection in (duckdb, duckdb.connect()):
        rows = connection.sql("SELECT range % 7 AS day, count(*) AS rows FROM range(2000000) GROUP BY ALL").df()
        assert rows["rows"].sum() == 2_000_000
    print(rows)


@dg.op
def wait() -> None:
    FOLDER.joinpath("waiting").touch()
    while not FOLDER.joinpath("go").exists():
        time.sleep(0.05)


@dg.op
def vanish() -> None:
    os._exit(3)


def job(op) -> dg.JobDefinition:
    return dg.GraphDefinition(name=op.name + "_job", node_defs=[op]).to_job(executor_def=dg.in_process_executor)


defs = dg.Definitions(jobs=[job(tell), job(count), job(wait), job(vanish)])
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("launched")
    (folder / "launched_code.py").write_text(CODE)
    (folder / "launched_price.py").write_text("PRICE = 1\n")
    (folder / "dagster.yaml").write_text(settings(folder))
    return folder


@pytest.fixture(scope="module")
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


@pytest.fixture(autouse=True)
def _nobody_waits(folder: Path) -> None:
    for name in ("told", "waiting", "go"):
        (folder / name).unlink(missing_ok=True)


def launch(instance: dg.DagsterInstance, folder: Path, op: str) -> str:
    code = ReconstructableRepository.for_file(str(folder / "launched_code.py"), "defs", str(folder))
    job = code.get_reconstructable_job(f"{op}_job")
    run = instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin())
    instance.launch_run(run.run_id, workspace=None)  # type: ignore[arg-type]
    return run.run_id


def run_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def end_of(instance: dg.DagsterInstance, run_id: str) -> str:
    until(lambda: run_of(instance, run_id).is_finished)
    return run_of(instance, run_id).status.value


def waiting(instance: dg.DagsterInstance, folder: Path) -> tuple[str, int]:
    """A run that is under way, and its process."""
    run_id = launch(instance, folder, "wait")
    until((folder / "waiting").exists)
    return run_id, int(run_of(instance, run_id).tags[PROCESS_TAG].split("/")[2])


def monitor(instance: dg.DagsterInstance) -> None:
    """What Dagster's daemon does every few seconds."""
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context:
        faults = list(execute_run_monitoring_iteration(context, logging.getLogger("monitor")))
    assert [fault for fault in faults if fault] == []


def test_a_run_is_a_fork_and_prints_into_its_own_log(instance: dg.DagsterInstance, folder: Path) -> None:
    run_id = launch(instance, folder, "tell")
    assert end_of(instance, run_id) == "SUCCESS"
    told = json.loads((folder / "told").read_text())
    assert str(told["pid"]) == run_of(instance, run_id).tags[PROCESS_TAG].split("/")[2]
    (logs,) = (folder / "storage" / run_id / "compute_logs").glob("*.out")
    assert logs.read_text() == "printed by the run\n"


@pytest.fixture
def _all_loaded(instance: dg.DagsterInstance, folder: Path) -> None:
    end_of(instance, launch(instance, folder, "tell"))
    forker = instance.run_launcher._forker._process.pid  # type: ignore[attr-defined]
    until(lambda: "sklearn/ensemble" in Path(f"/proc/{forker}/maps").read_text())


@pytest.mark.usefixtures("_all_loaded")
def test_a_run_ends_with_its_process_whatever_libraries_it_used(instance: dg.DagsterInstance, folder: Path) -> None:
    for _ in range(3):
        run_id = launch(instance, folder, "count")
        assert end_of(instance, run_id) == "SUCCESS"
        pid = int(run_of(instance, run_id).tags[PROCESS_TAG].split("/")[2])
        until(lambda pid=pid: launcher._started(pid) is None, seconds=10)


@pytest.mark.usefixtures("_all_loaded")
def test_libraries_are_loaded_before_a_run_and_our_code_is_not(instance: dg.DagsterInstance, folder: Path) -> None:
    end_of(instance, launch(instance, folder, "tell"))
    assert json.loads((folder / "told").read_text())["loaded"] == ["great_expectations", "sklearn"]


def test_a_change_to_the_code_is_seen_by_the_next_run(instance: dg.DagsterInstance, folder: Path) -> None:
    for price in ("1", "22"):
        (folder / "launched_price.py").write_text(f"PRICE = {price}\n")
        end_of(instance, launch(instance, folder, "tell"))
        assert json.loads((folder / "told").read_text())["price"] == int(price)


def test_a_killed_run_is_failed_and_will_be_tried_again(instance: dg.DagsterInstance, folder: Path) -> None:
    run_id, pid = waiting(instance, folder)
    monitor(instance)
    assert run_of(instance, run_id).status.value == "STARTED"
    os.kill(pid, signal.SIGKILL)
    until(lambda: launcher._started(pid) is None)
    monitor(instance)
    run = run_of(instance, run_id)
    assert (run.status.value, run.tags[WILL_RETRY_TAG]) == ("FAILURE", "true")
    assert any(f"process {pid} is gone" in entry.message for entry in instance.all_logs(run_id))


def test_a_run_whose_process_ends_without_a_word_is_failed(instance: dg.DagsterInstance, folder: Path) -> None:
    run_id = launch(instance, folder, "vanish")
    until(lambda: PROCESS_TAG in run_of(instance, run_id).tags)
    pid = int(run_of(instance, run_id).tags[PROCESS_TAG].split("/")[2])
    until(lambda: launcher._started(pid) is None)
    monitor(instance)
    assert end_of(instance, run_id) == "FAILURE"


def test_a_run_can_be_canceled_by_any_process(instance: dg.DagsterInstance, folder: Path) -> None:
    run_id, _ = waiting(instance, folder)
    with dg.DagsterInstance.from_config(str(folder)) as another:
        assert another.run_launcher.terminate(run_id)
    assert end_of(instance, run_id) == "CANCELED"
    assert not instance.run_launcher.terminate(run_id)


def test_a_run_that_is_dead_already_is_canceled_at_once(instance: dg.DagsterInstance, folder: Path) -> None:
    run_id, pid = waiting(instance, folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: launcher._started(pid) is None)
    assert instance.run_launcher.terminate(run_id)
    assert run_of(instance, run_id).status.value == "CANCELED"


def test_a_run_outlives_a_killed_daemon_and_the_next_recognises_it(folder: Path) -> None:
    with dg.DagsterInstance.from_config(str(folder)) as killed:
        run_id, _ = waiting(killed, folder)
        forker = killed.run_launcher._forker  # type: ignore[attr-defined]
        # All that the forker ever sees of a daemon's sudden death.
        forker._requests.close()
        forker._process.wait()
        killed.run_launcher._forker = None  # type: ignore[attr-defined]
    with dg.DagsterInstance.from_config(str(folder)) as successor:
        monitor(successor)
        assert run_of(successor, run_id).status.value == "STARTED"
        (folder / "go").touch()
        assert end_of(successor, run_id) == "SUCCESS"


def test_an_orderly_end_interrupts_the_runs_and_they_will_be_tried_again(folder: Path) -> None:
    with dg.DagsterInstance.from_config(str(folder)) as stopped:
        run_id, pid = waiting(stopped, folder)
    assert launcher._started(pid) is None
    with dg.DagsterInstance.from_config(str(folder)) as successor:
        run = run_of(successor, run_id)
        assert (run.status.value, run.tags[WILL_RETRY_TAG]) == ("FAILURE", "true")


def test_a_forker_that_died_is_replaced(folder: Path) -> None:
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        for _ in range(2):
            assert end_of(instance, launch(instance, folder, "tell")) == "SUCCESS"
            forker = instance.run_launcher._forker  # type: ignore[attr-defined]
            forker._process.kill()
            forker._process.wait()
            forker._requests.close()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, WorkerStatus.RUNNING),
        # A later process of the same number, an earlier boot.
        ({"started": "1"}, WorkerStatus.NOT_FOUND),
        ({"boot": "another"}, WorkerStatus.NOT_FOUND),
        # What cannot be seen is left alone.
        ({"host": "another", "started": "1"}, WorkerStatus.RUNNING),
    ],
)
def test_a_process_is_recognised(change: dict[str, str], status: WorkerStatus) -> None:
    tag = "/".join(({**dict(zip(("host", "boot", "pid", "started"), parts(), strict=True)), **change}).values())
    run = dg.DagsterRun(job_name="a_job", tags={PROCESS_TAG: tag})
    assert ForkingRunLauncher().check_run_worker_health(run).status == status


def parts() -> list[str]:
    return process_tags()[PROCESS_TAG].split("/")


def test_a_run_that_somebody_else_started_is_left_alone() -> None:
    run = dg.DagsterRun(job_name="a_job")
    assert ForkingRunLauncher().check_run_worker_health(run).status == WorkerStatus.RUNNING


def test_a_process_that_waits_to_be_reaped_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        until(lambda: launcher._started(ended.pid) is None)
        assert Path(f"/proc/{ended.pid}").exists()


def test_no_thread_of_duckdb_is_lost_in_a_fork() -> None:
    code = "import os; from resources import launcher; launcher._load('duckdb'); print(os.listdir('/proc/self/task'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count(",") == 0


def test_a_library_that_cannot_be_loaded_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    launcher._load("no_such_library")
    assert "no_such_library could not be loaded ahead of the runs" in capsys.readouterr().err


def test_a_run_that_cannot_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    forker = launcher._Forker()
    forker._process.wait()
    with pytest.raises(Exception, match="The process that runs are forked from failed"):
        forker.fork("anything")
    forker.stop()
