"""One run at a time: whoever builds tables of a deployment holds its lock, and others wait for their turn.

Two runs at once would publish tables of two moments, and of the same table the one that began first might end last. The
lock is one of the operating system on a file of the home, so it ends with its process, however that ends.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from resources.deployment import Deployment

LOCK, HOLDER = "run.lock", "run.holder.json"


@contextmanager
def only_run(deployment: Deployment, run_id: str, tell: Callable[[str], object]) -> Iterator[None]:
    """Within it no other run is at work on the deployment. Who is waited for, if anybody, is told first."""
    deployment.claim_home()
    lock = FileLock(deployment.home / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"Waits for {_holder(deployment)} to end.")
        lock.acquire()
    try:
        holder = {"run": run_id, "process": os.getpid(), "host": socket.gethostname(), "since": _now()}
        (deployment.home / HOLDER).write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        lock.release()


def at_work(deployment: Deployment) -> str | None:
    """Which run is at work on the deployment, in words; None where none is."""
    if not (deployment.home / LOCK).exists():
        return None
    lock = FileLock(deployment.home / LOCK)
    try:
        with lock.acquire(timeout=0):
            return None
    except Timeout:
        return _holder(deployment)


def _holder(deployment: Deployment) -> str:
    with suppress(OSError, ValueError, KeyError):  # half-written just now
        held = json.loads((deployment.home / HOLDER).read_text(encoding="utf-8"))
        return f"run {held['run'][:8]} (process {held['process']} on {held['host']}, since {held['since']})"
    return "another run"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
