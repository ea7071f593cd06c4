"""One run at a time: the second waits, is told for whom, and nobody waits for a process that is dead."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal import cli
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.run_lock import HOLDER, at_work, only_run

ROOT = Path(__file__).parents[2]
CONFIG = """
name: Test
currency: EUR
connectors: {till: {type: files, path: orders.csv}}
feeds:
  orders:
    from: till
    select: select id as order_id, day::timestamp as ordered_at, 'completed' as order_status from raw
"""
HOLDS = """
import sys
from pathlib import Path
from resources import deployment
from resources.run_lock import only_run

with only_run(deployment.load(Path(sys.argv[1])), "1234567890", print):
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    file = tmp_path / "c360.yaml"
    file.write_text(CONFIG)
    (tmp_path / "orders.csv").write_text("id,day\n1,2026-01-01\n")
    deployment = deployments.load(file)
    yield deployment
    deployment.close()


@contextmanager
def another(deployment: Deployment) -> Iterator[subprocess.Popen[str]]:
    """Another process at work on the deployment; it ends as its input does."""
    command = [sys.executable, "-c", HOLDS, str(deployment.file)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def test_who_is_at_work_is_told_until_it_ends_or_is_killed(deployment: Deployment) -> None:
    assert at_work(deployment) is None
    with another(deployment) as process:
        assert f"run 12345678 (process {process.pid} on " in (at_work(deployment) or "")
        process.kill()
        process.wait()
        assert at_work(deployment) is None


def test_a_second_run_begins_when_the_first_has_ended(deployment: Deployment) -> None:
    told: list[str] = []
    with another(deployment) as process:
        began = threading.Event()

        def second() -> None:
            with only_run(deployment, "second", told.append):
                began.set()

        waiting = threading.Thread(target=second)
        waiting.start()
        assert not began.wait(0.2)
        assert process.stdin
        process.stdin.close()
        assert began.wait(20)
        waiting.join()
    (line,) = told
    assert line.startswith(f"Waits for run 12345678 (process {process.pid} on ")


def test_of_many_at_once_one_is_at_work(deployment: Deployment) -> None:
    at_once, most = 0, 0
    lock = threading.Lock()

    def work(number: int) -> None:
        nonlocal at_once, most
        with only_run(deployment, str(number), lambda told: None):
            with lock:
                at_once += 1
                most = max(most, at_once)
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_the_command_says_for_whom_it_waits_and_then_builds(deployment: Deployment) -> None:
    with another(deployment) as process:
        assert process.stdin
        threading.Timer(1, process.stdin.close).start()
        done = CliRunner().invoke(cli.main, ["run", "--select", "sources/orders", "--config", str(deployment.file)])
        assert process.wait(10) == 0
    assert done.exit_code == 0, (done.output, done.exception)
    assert f"Waits for run 12345678 (process {process.pid} on" in " ".join(done.stderr.split())


def test_what_stops_a_run_before_its_first_table_is_told(deployment: Deployment) -> None:
    deployment.claim_home()
    (deployment.home / HOLDER).mkdir()
    done = CliRunner().invoke(cli.main, ["run", "--select", "sources/orders", "--config", str(deployment.file)])
    assert done.exit_code == 1
    told = f"The run failed: {deployment.home / HOLDER} is a file where a folder is needed, or the other way round."
    assert told.replace(" ", "") in "".join(done.output.split())
