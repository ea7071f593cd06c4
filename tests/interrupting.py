"""An interrupt in the middle of what is done here, as Ctrl-C in a terminal makes one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterExecutionInterruptedError


@contextmanager
def interrupting(seconds: float) -> Iterator[None]:
    """After so many seconds comes the error by which Dagster stops a run, as Python would by KeyboardInterrupt."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise DagsterExecutionInterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
