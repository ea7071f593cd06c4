"""Dagster's history over connections that stay open holds what Dagster's own would, without the outputs of checks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from resources.event_log import KEPT_FILES, EventLog
from resources.instance import settings


@dg.asset(check_specs=[dg.AssetCheckSpec("good", asset="said")])
def said(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    context.log.info("here")
    yield dg.MaterializeResult(
        metadata={"rows": 1}, check_results=[dg.AssetCheckResult(check_name="good", passed=True)]
    )


@contextmanager
def ours(home: Path) -> Iterator[dg.DagsterInstance]:
    (home / "dagster.yaml").write_text(settings(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def opened(home: Path) -> set[str]:
    """The files of the history that this process holds open, by name."""
    files = {link.resolve() for link in Path("/proc/self/fd").iterdir()}
    return {file.name for file in files if file.parent == home / "history/runs" and file.suffix == ".db"}


def run(instance: dg.DagsterInstance) -> str:
    return dg.materialize([said], instance=instance).run_id


def told(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEventType]:
    return [entry.dagster_event.event_type for entry in instance.all_logs(run_id) if entry.dagster_event]


def latest(instance: dg.DagsterInstance) -> dg.EventLogEntry:
    """The event of the latest materialisation, which must be there."""
    event = instance.get_latest_materialization_event(said.key)
    assert event is not None
    return event


def test_a_run_tells_what_it_tells_dagsters_own_storage(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (tmp_path / "ours").mkdir()
    with dg.DagsterInstance.from_config(str(tmp_path / "theirs")) as theirs, ours(tmp_path / "ours") as kept:
        assert type(theirs.event_log_storage) is not type(kept.event_log_storage)
        expected, found = (told(instance, run(instance)) for instance in (theirs, kept))
        # The asset yields first; of its check, which yields last, the evaluation says more.
        outputs = [place for place, kind in enumerate(expected) if kind == dg.DagsterEventType.STEP_OUTPUT]
        assert len(outputs) == 2
        del expected[outputs[-1]]
        assert found == expected
        assert found[-1] == dg.DagsterEventType.RUN_SUCCESS
        for instance in (theirs, kept):
            materialization = latest(instance).asset_materialization
            assert materialization is not None
            assert materialization.metadata["rows"].value == 1


def test_what_ours_wrote_dagsters_own_storage_reads(tmp_path: Path) -> None:
    with ours(tmp_path) as instance:
        run_id = run(instance)
        expected = told(instance, run_id)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not isinstance(instance.event_log_storage, EventLog)
        assert told(instance, run_id) == expected


def test_files_stay_open_the_latest_few_and_none_at_the_end(tmp_path: Path) -> None:
    with ours(tmp_path) as instance:
        runs = [run(instance) for _ in range(KEPT_FILES + 2)]
        assert opened(tmp_path) == {"index.db", *(f"{run_id}.db" for run_id in runs[1 - KEPT_FILES :])}
        assert told(instance, runs[0])[-1] == dg.DagsterEventType.RUN_SUCCESS
        assert len(opened(tmp_path)) == KEPT_FILES
    assert not opened(tmp_path)
    assert not list(tmp_path.glob("history/runs/*.db-wal"))


def test_another_process_sees_an_event_at_once(tmp_path: Path) -> None:
    with ours(tmp_path) as first, ours(tmp_path) as second:
        assert second.get_latest_materialization_event(said.key) is None
        run_id = run(first)
        assert told(second, run_id) == told(first, run_id)
        assert latest(second).run_id == run_id


def test_a_history_that_was_wiped_begins_anew(tmp_path: Path) -> None:
    with ours(tmp_path) as instance:
        gone = run(instance)
        instance.event_log_storage.wipe()
        assert told(instance, gone) == []
        assert told(instance, run(instance))[-1] == dg.DagsterEventType.RUN_SUCCESS


def test_threads_take_turns(tmp_path: Path) -> None:
    with ours(tmp_path) as instance, ThreadPoolExecutor(4) as pool:
        run_id = run(instance)
        found = list(pool.map(lambda _: told(instance, run_id), range(40)))
    assert all(one == found[0] for one in found)
    assert found[0][-1] == dg.DagsterEventType.RUN_SUCCESS


def test_an_event_that_cannot_be_written_leaves_the_file_usable(tmp_path: Path) -> None:
    with ours(tmp_path) as instance:
        run_id = run(instance)
        before = told(instance, run_id)
        with pytest.raises(ZeroDivisionError):
            _half(instance, run_id)
        assert told(instance, run_id) == before


def _half(instance: dg.DagsterInstance, run_id: str) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, EventLog)
    with storage.run_connection(run_id) as connection:
        connection.exec_driver_sql("DELETE FROM event_logs")
        raise ZeroDivisionError
