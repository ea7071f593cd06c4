"""The progress of a run, on a real terminal: it moves while the run goes on, and leaves the summary alone."""

import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from fcntl import ioctl
from pathlib import Path
from threading import Thread

import pytest

from portal import cli
from resources import deployment as deployments
from tests import golden_company

PROJECT = Path(__file__).parents[3]
CONFIG = """
name: Two brands
currency: EUR
connectors: {shop: {type: files, path: brands.csv}}
feeds: {brand: {from: shop}}
"""
TABLES = ("sources/brand", "sources/product", "as_of", "products")
LINE = re.compile(r"(\d+)/(\d+) tables (\d:\d\d:\d\d) ([\w/]*)")
# A step that has the descriptors, as Dagster gives them to it, until it is told to end.
STEP = """
import os, sys
from types import SimpleNamespace
from portal.runs.progress import ProgressLine

with ProgressLine() as progress:
    progress.expect(2)
    kept, elsewhere = (os.dup(1), os.dup(2)), os.open(os.devnull, os.O_WRONLY)
    for place in (1, 2):
        os.dup2(elsewhere, place)
    progress.notice(SimpleNamespace(key="sources/brand", state="running"))
    sys.stdin.readline()
    for place in (1, 2):
        os.dup2(kept[place - 1], place)
print("closed:", progress.terminal.file.closed)
"""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "brands.csv").write_text("brand_id,brand_name\nB1,Acme\nB2,Other\n")
    (tmp_path / "c360.yaml").write_text(CONFIG)
    return tmp_path / "c360.yaml"


def command(shop: Path) -> list[str]:
    chosen = [word for table in TABLES for word in ("--select", table)]
    return [sys.executable, "-m", "portal.cli", "run", "--config", str(shop), *chosen]


def written(shop: Path, **environment: str) -> Iterator[str]:
    """What a run writes to a terminal of 80 columns, piece by piece as it comes."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    known = {**golden_company.environment(), "TERM": "xterm-256color", **environment}
    with subprocess.Popen(
        command(shop), cwd=PROJECT, env=known, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        # On Linux, to read from a terminal that nobody writes to any more is an error.
        with suppress(OSError):
            while piece := os.read(ours, 65536):
                yield piece.decode()
        assert process.wait(60) == 0
    os.close(ours)


def test_it_moves_while_tables_are_built_and_is_gone_when_the_summary_comes(shop: Path) -> None:
    deployment = deployments.load(shop)
    counts, raw, screen, was_early = [], "", "", False
    for piece in written(shop):
        raw += piece
        screen += ESCAPES.sub("", piece)
        counts = [int(done) for done, *_ in LINE.findall(screen)]
        if counts and 0 < counts[-1] < len(TABLES):
            was_early |= deployment.lake.state("products") is None
    deployment.close()
    assert was_early, "it did not move before the last table was built"
    assert counts == sorted(counts)
    assert screen.index("0/? tables") < screen.index("0/4 tables"), "it did not move before Dagster was imported"
    assert {total for _, total, *_ in LINE.findall(screen)} <= {str(len(TABLES))}
    assert {table for *_, table in LINE.findall(screen)} & set(TABLES)
    assert screen.index(" tables 0:") < screen.index("Two brands: what was built")
    # The first line names the deployment's file, however deep it lies, and a path is never broken.
    shown = [line.split("\r")[-1].strip() for line in screen.splitlines()[1:]]
    assert max(len(line) for line in shown if line != str(shop)) <= 80
    last = raw.split("Two brands: what was built")[0]
    # What a transient line leaves: the cursor back at its start, and the line erased.
    assert last[last.rindex("tables") :].count("\x1b[2K") >= 1


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="as users have it"),
        pytest.param({"NO_COLOR": "1"}, id="without colours"),
        pytest.param({"PYTHONIOENCODING": "ascii:strict"}, id="without letters but those of ASCII"),
        pytest.param({"PYTHONIOENCODING": "utf-8", "LC_ALL": "C", "PYTHONUTF8": "0"}, id="with letters of its own"),
    ],
)
def test_it_is_on_the_terminal_while_a_step_has_the_descriptors(environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    known = {**golden_company.environment(), "PYTHONPATH": str(PROJECT), "TERM": "xterm-256color", **environment}
    script, screen = [sys.executable, "-c", STEP], ""
    with subprocess.Popen(script, env=known, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with suppress(OSError):
            while piece := _read(ours):
                screen += ESCAPES.sub("", piece)
                if "sources/" in screen and process.stdin and not process.stdin.closed:
                    process.stdin.close()
        process.kill()
    os.close(ours)
    assert "closed: True" in screen
    assert max(len(frame) for frame in re.split(r"[\r\n]", screen)) <= 40


def _read(terminal: int) -> str:
    ready, _, _ = select.select([terminal], [], [], 60)
    return os.read(terminal, 65536).decode() if ready else ""


@contextmanager
def terminal() -> Iterator[Callable[[], str]]:
    """Standard output and error of this process are a terminal; what was written there is told afterwards."""
    ours, theirs = pty.openpty()
    pieces: list[str] = []

    def read() -> None:
        with suppress(OSError):
            while piece := os.read(ours, 65536):
                pieces.append(piece.decode())

    reader = Thread(target=read)
    reader.start()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
            yield lambda: "".join(pieces)
    finally:
        reader.join()
        os.close(ours)


def here(shop: Path) -> None:
    """The same run in this process, which has the libraries loaded."""
    cli.main(command(shop)[3:], standalone_mode=False)


def test_without_a_terminal_there_is_none(shop: Path) -> None:
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        here(shop)
    assert not LINE.search(told.getvalue())
    assert "Two brands: what was built" in told.getvalue()


def test_a_dumb_terminal_sees_only_the_summary(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as told:
        here(shop)
    assert "\x1b[2K" not in told()
    assert "Two brands: what was built" in told()
