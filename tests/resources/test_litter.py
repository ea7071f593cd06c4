"""Litter: folders of killed processes go once nobody can be at work with them, and nothing else does."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from c360_assets import automation
from portal.cli import main
from resources import deployment as deployments
from resources.engine import Engine
from resources.expiry import GUARD_SECONDS
from resources.litter import purge
from tests.told import plain

CONFIG = """
name: Test
currency: EUR
connectors: {sample: {type: sample, customers: 1, path: sample}}
feeds: {}
"""


def age(folder: Path) -> None:
    past = time.time() - GUARD_SECONDS - 60
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (past, past))


def test_old_folders_of_killed_processes_go_and_those_in_use_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    (tmp_path / "c360.yaml").write_text(CONFIG)
    engine, ended = Engine(), subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed, running, busy = scratch / f"c360-{ended.pid}-x", engine.scratch, scratch / f"c360-{ended.pid}-busy"
    theirs = scratch / "other"
    half_made = tmp_path / "sample/.customers-1-seed-7-x1"
    for folder in (killed, busy, theirs, half_made):
        folder.mkdir(parents=True)
        (folder / "part").write_text("rows")
    for folder in (killed, running, busy, theirs, half_made):
        age(folder)
    (busy / "part").touch()
    deployment = deployments.load(tmp_path / "c360.yaml")
    purged = purge(deployment)
    deployment.close()
    assert [folder.exists() for folder in (killed, running, busy, theirs, half_made)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert str(purged) == "Deleted 0 files that no table knows and 2 folders of killed processes."


def test_the_command_says_what_it_deleted(tmp_path: Path) -> None:
    (tmp_path / "c360.yaml").write_text(CONFIG)
    done = CliRunner().invoke(main, ["purge", "--config", str(tmp_path / "c360.yaml")])
    assert done.exit_code == 0
    assert re.match(r"Deleted 0 files that no table knows and \d+ folders of killed processes\. ?$", plain(done.stdout))


def test_it_is_done_once_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "c360.yaml").write_text(CONFIG)
    deployment = deployments.load(tmp_path / "c360.yaml")
    sensor = automation.housekeeping(deployment)
    assert sensor.minimum_interval_seconds == 24 * 60 * 60
    told = sensor()
    assert isinstance(told, dg.SkipReason)
    assert str(told.skip_message).startswith("Deleted 0 files that no table knows")
    deployment.close()
