"""The event log stays open during a run, and is as it was after."""

from pathlib import Path

import dagster as dg
import pytest

from resources.launcher import kept_open


@dg.op
def say(context: dg.OpExecutionContext) -> None:
    context.log.info("here")


@dg.job
def speaking() -> None:
    say()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return tmp_path


def test_journals_live_as_long_as_the_run_is_kept_open(home: Path) -> None:
    run_id = "0b1e6f8e-5f3c-4d9a-9a53-2f6f4d9f9c11"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        with kept_open(instance, run_id):
            speaking.execute_in_process(instance=instance, run_id=run_id)
            journals = {file.name for file in home.glob("history/runs/*.db-wal")}
            assert journals == {"index.db-wal", f"{run_id}.db-wal"}
        assert not list(home.glob("history/runs/*.db-wal"))
        told = [entry.dagster_event.event_type for entry in instance.all_logs(run_id) if entry.dagster_event]
        assert told[0] == dg.DagsterEventType.RUN_START
        assert dg.DagsterEventType.STEP_SUCCESS in told
        assert told[-1] == dg.DagsterEventType.RUN_SUCCESS


def test_a_history_in_memory_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance, kept_open(instance, "none"):
        assert speaking.execute_in_process(instance=instance).success
