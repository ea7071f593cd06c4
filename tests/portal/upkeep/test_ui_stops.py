"""`make ui` ends as a user expects: at Ctrl-C or when told to, quietly, and with all it has started."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import free_port, left, marked, until

PROJECT = Path(__file__).parents[3]
# Seconds: Dagster gives its webserver and its daemon a minute each to end, and says so where it has to kill one.
DAGSTERS_PATIENCE = 130

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc"),
]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info"):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("send", "number"),
    # Ctrl-C in a terminal reaches every process of the group; `kill` only make, which passes it on.
    [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)],
)
def test_it_stops_with_all_it_has_started(
    send: Callable[[int, int], None], number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "c360.yaml").write_text("name: Shop\ncurrency: EUR\n")
    port, log = free_port(), tmp_path / "log"
    environment = {**os.environ, **marked(), "C360_CONFIG": str(tmp_path / "c360.yaml")}
    environment.pop("DAGSTER_HOME", None)
    command = ["make", "--old-file=.venv/runtime", "ui", f"PORT={port}", f"BIN={Path(sys.executable).parent}"]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # As in a terminal, however the tests were started: a shell's background has Ctrl-C ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as ui,
    ):
        try:
            until(lambda: answers(port) and "with the following daemons" in log.read_text())
            assert len(left(environment)) > 3
            send(ui.pid, number)
            assert ui.wait(DAGSTERS_PATIENCE) == -number
        finally:
            if ui.poll() is None:
                os.killpg(ui.pid, signal.SIGKILL)
    until(lambda: left(environment) == [], seconds=10)
    assert "Dagster services shut down" in log.read_text()
    assert "did not terminate cleanly" not in log.read_text()
    assert "Traceback" not in log.read_text()
