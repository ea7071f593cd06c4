"""Processes that tests start: how to wait for them, and to see that none of them is left."""

import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

MARK = "C360_TEST_MARK"


def marked() -> dict[str, str]:
    """A variable for the environment of a process, by which `left` knows all that come of it."""
    return {MARK: uuid.uuid4().hex}


def left(environment: dict[str, str]) -> list[str]:
    """The commands of the processes that still run in a marked environment."""
    mark = f"{MARK}={environment[MARK]}".encode()
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                commands.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return commands


def until(happened: Callable[[], Any], seconds: float = 300) -> Any:
    """What `happened` returns once it is true."""
    patience = time.monotonic() + seconds
    while not (outcome := happened()):
        assert time.monotonic() < patience, f"{happened.__name__}: not within {seconds} seconds"
        time.sleep(0.2)
    return outcome


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def pids(environment: dict[str, str]) -> list[int]:
    """The processes that run in a marked environment."""
    mark = f"{MARK}={environment[MARK]}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found
