"""An interrupt in the middle of what is done here, as Ctrl-C in a terminal makes one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterExecutionInterruptedError


@contextmanager
def interrupting(seconds: float) -> Iterator[None]:
    """After so many seconds comes the error by which Dagster stops a run, as Python would by KeyboardInterrupt."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise DagsterExecutionInterruptedError

    before = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(seconds, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR1, before)
