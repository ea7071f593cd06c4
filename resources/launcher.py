"""How Dagster starts a run here: as a fork of a process that has the libraries loaded. Linux only.

A fresh interpreter spends seconds on importing them, more than a batch of orders costs. Our own code is never loaded
before the fork, so each run sees it as it is on disk; libraries are those the daemon was started with.

A run is known by its process: one that died is found dead, by this daemon or the next. Runs outlive a daemon that was
killed, and go on to their end. A daemon that is stopped in order interrupts its runs first; they fail, and the next
daemon tries them again.
"""

import atexit
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster import _check as check
from dagster._cli.api import _execute_run_command_body
from dagster._config.config_schema import UserConfigSchema
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, deserialize_value, serialize_value
from dagster._serdes.config_class import ConfigurableClassData
from dagster._utils.interrupts import capture_interrupts

# What a run would import otherwise, by and large; in this order, as a run may be asked for before all are there.
LIBRARIES = (
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.run_coordinator",
    "dagster_postgres",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "duckdb",
    "ibis.backends.duckdb",
    "pyarrow.parquet",
    "pandas",
    "pyiceberg.catalog.sql",
    "pyiceberg.io.pyarrow",
    "duckdb_engine",
    "great_expectations.expectations",
    "sklearn.ensemble",
)
PROCESS_TAG = "c360/process"
STARTS_WITHIN_SECONDS = 30.0
STOPS_WITHIN_SECONDS = 20.0


class ForkingRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Starts runs as forks. Meant for Dagster's daemon: runs do not outlive the orderly end of who started them."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inst_data = inst_data
        self._lock = threading.Lock()
        self._forker: _Forker | None = None

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """As Dagster handed it to us."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """There is nothing to configure."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> "ForkingRunLauncher":
        """The launcher of a dagster.yaml."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process. DagsterLaunchFailedError where none could be started."""
        origin = check.not_none(context.job_code_origin)
        arguments = ExecuteRunArgs(origin, context.dagster_run.run_id, self._instance.get_ref())
        with self._lock:
            if self._forker is None or not self._forker.is_alive:
                self._forker = _Forker()
            self._forker.fork(serialize_value(arguments))

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run, as Ctrl-C would. False where there is nothing to interrupt, or not on this machine."""
        run = self._instance.get_run_by_id(run_id)
        process = _process_of(run)
        if run is None or run.is_finished or process is None or process.is_elsewhere:
            return False
        self._instance.report_run_canceling(run)
        if process.is_alive:
            os.kill(process.pid, signal.SIGINT)
        else:
            self._instance.report_run_canceled(run, f"The run's process {process.pid} is gone.")
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: a run whose process died is found by Dagster's run monitoring."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives. A process that cannot be seen from here is taken to be alive."""
        process = _process_of(run)
        if process is None or process.is_elsewhere or process.is_alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"The run's process {process.pid} is gone.")

    def dispose(self) -> None:
        """Interrupt the runs that were started here, and wait until they have ended."""
        with self._lock:
            if self._forker is not None:
                self._forker.stop()
                self._forker = None


@dataclass(frozen=True)
class _Process:
    """A process that cannot be mistaken for a later one of the same number."""

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> "_Process":
        pid = os.getpid()
        return cls(socket.gethostname(), _boot(), pid, check.not_none(_started(pid)))

    @property
    def is_elsewhere(self) -> bool:
        return self.host != socket.gethostname()

    @property
    def is_alive(self) -> bool:
        return self.boot == _boot() and self.started == _started(self.pid)


def process_tags() -> dict[str, str]:
    """The tags of a run that this process executes, by which others see whether it lives. Linux only, else none."""
    if not sys.platform.startswith("linux"):
        return {}
    return {PROCESS_TAG: "/".join(str(part) for part in astuple(_Process.this()))}


def _process_of(run: DagsterRun | None) -> _Process | None:
    if run is None or PROCESS_TAG not in run.tags:
        return None
    host, boot, pid, started = run.tags[PROCESS_TAG].split("/")
    return _Process(host, boot, int(pid), started)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> str | None:
    """When a process was started, in clock ticks since boot; None where it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


class _Forker:
    """The process that runs are forked from, as the one that asks for runs sees it.

    A process of its own, as the daemon has threads, which a fork does not copy; and no child of multiprocessing, which
    would load the daemon's main module into every run.
    """

    def __init__(self) -> None:
        self._requests, theirs = Pipe()
        # A session of its own: Ctrl-C in a terminal is for the daemon, which then tells us to stop.
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, arguments: str) -> None:
        try:
            self._requests.send(arguments)
            problem = self._requests.recv() if self._requests.poll(STARTS_WITHIN_SECONDS) else "It does not answer."
        except (EOFError, OSError) as fault:
            problem = repr(fault)
        if problem:
            # An answer that comes late would be taken for that to the next request.
            self._process.kill()
            self._process.wait()
            message = f"The process that runs are forked from failed: {problem}"
            raise DagsterLaunchFailedError(message)  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        with suppress(OSError):
            self._requests.send(None)
        self._process.wait()
        self._requests.close()


def _serve(requests: Connection) -> str | None:
    """Forks at every request, and returns it in the fork; returns None once there will be no more."""
    libraries = list(LIBRARIES)
    runs: set[int] = set()
    while True:
        # Nobody waits for our imports: a run asked for before they are done imports the rest itself, little disturbed.
        if not select.select([requests], [], [], 1 if runs else 0 if libraries else None)[0]:
            runs -= _ended(runs)
            if libraries:
                _load(libraries.pop(0))
            continue
        try:
            arguments: str | None = requests.recv()
        except EOFError:
            return None
        if arguments is None:
            _interrupt(runs)
            return None
        try:
            pid = os.fork()
        except OSError as fault:
            requests.send(repr(fault))
            continue
        if pid == 0:
            return arguments
        runs.add(pid)
        requests.send(None)


def _load(library: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(library)
        if library == "duckdb":
            # It opens a database as it is imported, whose threads a fork does not have, but would wait for at its end.
            module.default_connection().close()
    except Exception:
        traceback.print_exc()
        print(f"{library} could not be loaded ahead of the runs; each will load it itself.", file=sys.stderr)
    # What is frozen is left alone by the garbage collector, so that runs go on sharing its memory.
    gc.collect()
    gc.freeze()


def _ended(runs: set[int]) -> set[int]:
    return {pid for pid in runs if os.waitpid(pid, os.WNOHANG)[0]}


def _interrupt(runs: set[int]) -> None:
    for pid in runs:
        os.kill(pid, signal.SIGINT)
    patience = time.monotonic() + STOPS_WITHIN_SECONDS
    while (runs := runs - _ended(runs)) and time.monotonic() < patience:
        time.sleep(0.1)
    for pid in runs:
        os.kill(pid, signal.SIGKILL)


def _execute(arguments: str) -> int:
    """The life of a run's process: what `dagster api execute_run` does. Returns its exit code."""
    # A daemon that a shell put into the background has Ctrl-C ignored, and would pass that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # As `python -m dagster` has it; and what was looked for in vain before the fork may be there now.
    sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()
    from resources.garbage import collect_seldom

    collect_seldom()
    asked = deserialize_value(arguments, ExecuteRunArgs)
    with capture_interrupts(), DagsterInstance.from_ref(check.not_none(asked.instance_ref)) as instance:
        instance.add_run_tags(asked.run_id, process_tags())
        return _execute_run_command_body(asked.run_id, instance, lambda event: None, set_exit_code_on_failure=True)


def main() -> int:
    """The process that runs are forked from, and each of its forks."""
    with Connection(int(sys.argv[1])) as requests:
        arguments = _serve(requests)
    if arguments is None:
        return 0
    code = _execute(arguments)
    # As forks do: what libraries set up before the fork is not taken down again in its copy, which may never end.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
