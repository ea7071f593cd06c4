"""Incidents: what opens, resolves and reopens one, who is told, and what two databases and two processes make of it."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.incidents import IncidentError, Outcome, acknowledge, mute, record
from resources.operations import Operations
from tests.tables import CONTRACTS, day

ROOT = Path(__file__).parents[2]
DATASET, RULE = "sources/orders", "key_unique"
SINKS = ("log", "mail")
FAILURES = ("fail", "error", "warn")
RUNS = 15
NEW_YEAR = day("2026-01-01")

Row = dict[str, Any]

# Records a failing run again and again while others do the same.
RECORDER = """
import sys
from governance import contracts
from resources.operations import Operations
from tests.checks.test_incidents import RUNS, SINKS, ran

operations = Operations(sys.argv[1], contracts.load(), SINKS)
print("ready", flush=True)
sys.stdin.readline()
for run in range(RUNS):
    ran(operations, f"{sys.argv[2]}-{run}", "fail")
operations.close()
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'operations.db'}"


@pytest.fixture
def operations(uri: str) -> Iterator[Operations]:
    with closing(Operations(uri, CONTRACTS, SINKS)) as opened:
        yield opened


def ran(
    operations: Operations,
    run_id: str,
    status: str,
    as_of: datetime = NEW_YEAR,
    failing: int = 12,
    severity: str = "error",
) -> list[str]:
    with operations.begin() as connection:
        return record(operations, connection, DATASET, run_id, as_of, [Outcome(RULE, status, severity, failing)])


def incident(operations: Operations) -> Row:
    (row,) = operations.rows("incidents").to_pylist()
    return row


def told(operations: Operations, sink: str = "log") -> list[Row]:
    rows = [row for row in operations.rows("notifications").to_pylist() if row["sink"] == sink]
    return sorted(rows, key=lambda row: row["sequence"])


@pytest.mark.parametrize("status", FAILURES)
def test_the_first_failure_opens_an_incident_and_every_sink_is_told(status: str, operations: Operations) -> None:
    assert ran(operations, "r1", status) == ["opened"]
    row = incident(operations)
    assert (row["dataset"], row["rule"], row["status"], row["severity"]) == (DATASET, RULE, "open", "error")
    assert (row["opened_at"], row["opened_run_id"]) == (NEW_YEAR, "r1")
    assert (row["last_failed_at"], row["last_run_id"]) == (NEW_YEAR, "r1")
    assert (row["failed_runs"], row["failing"], row["reopened"]) == (1, 12, 0)
    assert [len(told(operations, sink)) for sink in SINKS] == [1, 1]


def test_a_rule_that_holds_or_applies_to_nothing_opens_none(operations: Operations) -> None:
    assert ran(operations, "r1", "pass") == ran(operations, "r2", "not_assessed") == []
    assert operations.rows("incidents").num_rows == operations.rows("notifications").num_rows == 0


def test_later_failures_are_counted_once_a_run_and_nobody_is_told(operations: Operations) -> None:
    ran(operations, "r1", "fail")
    assert ran(operations, "r2", "fail", day("2026-01-02"), failing=3, severity="warning") == []
    assert ran(operations, "r2", "fail", day("2026-01-02"), failing=3, severity="warning") == []
    row = incident(operations)
    assert (row["failed_runs"], row["failing"], row["severity"]) == (2, 3, "warning")
    assert (row["opened_at"], row["last_failed_at"], row["last_run_id"]) == (NEW_YEAR, day("2026-01-02"), "r2")
    assert len(told(operations)) == 1


def test_a_pass_resolves_it_and_the_next_failure_opens_the_same_row_again(operations: Operations) -> None:
    ran(operations, "r1", "fail")
    acknowledge(operations, DATASET, RULE, "Ann", "the shop repairs it")
    ran(operations, "r2", "fail")
    assert ran(operations, "r3", "pass", day("2026-01-03")) == ["resolved"]
    row = incident(operations)
    assert (row["status"], row["resolved_at"], row["resolved_run_id"]) == ("resolved", day("2026-01-03"), "r3")
    assert (row["acknowledged_by"], row["failed_runs"]) == ("Ann", 2)
    assert ran(operations, "r4", "pass") == []
    assert ran(operations, "r5", "fail", day("2026-01-05")) == ["reopened"]
    row = incident(operations)
    assert (row["status"], row["reopened"], row["failed_runs"]) == ("open", 1, 1)
    assert (row["opened_at"], row["opened_run_id"]) == (day("2026-01-05"), "r5")
    assert (row["acknowledged_by"], row["acknowledged_reason"], row["resolved_at"]) == (None, None, None)


def test_people_read_of_dataset_rule_and_counts(operations: Operations) -> None:
    ran(operations, "r1", "fail", failing=1200)
    ran(operations, "r2", "pass", day("2026-01-02"))
    ran(operations, "r3", "error", day("2026-01-03"), failing=0)
    ran(operations, "r4", "error", day("2026-01-04"))
    ran(operations, "r5", "pass", day("2026-01-05"))
    assert [row["message"] for row in told(operations)] == [
        "sources/orders: rule key_unique fails on 1,200 rows (error), as of 2026-01-01 00:00 UTC",
        "sources/orders: rule key_unique holds again after 1 failing run, as of 2026-01-02 00:00 UTC",
        "sources/orders: rule key_unique could not run (error), again, as of 2026-01-03 00:00 UTC",
        "sources/orders: rule key_unique holds again after 2 failing runs, as of 2026-01-05 00:00 UTC",
    ]
    assert [row["event"] for row in told(operations)] == ["opened", "resolved", "reopened", "resolved"]
    assert [row["sequence"] for row in told(operations)] == [1, 2, 3, 4]


def test_while_muted_nobody_is_told_and_a_new_failure_ends_it(operations: Operations) -> None:
    ran(operations, "r1", "fail")
    mute(operations, DATASET, RULE, day("2026-01-10"), "known")
    row = incident(operations)
    assert (row["muted_until"], row["muted_reason"]) == (day("2026-01-10"), "known")
    assert ran(operations, "r2", "pass", day("2026-01-09")) == ["resolved"]
    assert [row["event"] for row in told(operations)] == ["opened"]
    assert ran(operations, "r3", "fail", day("2026-01-09")) == ["reopened"]
    assert [row["event"] for row in told(operations)] == ["opened", "reopened"]
    assert (incident(operations)["muted_until"], incident(operations)["muted_reason"]) == (None, None)


def test_a_mute_is_over_at_the_moment_it_names(operations: Operations) -> None:
    ran(operations, "r1", "fail")
    mute(operations, DATASET, RULE, day("2026-01-10"), "known")
    ran(operations, "r2", "pass", day("2026-01-10"))
    assert [row["event"] for row in told(operations)] == ["opened", "resolved"]


def test_rules_and_datasets_do_not_meddle_with_each_other(operations: Operations) -> None:
    outcomes = [Outcome("a", "fail", "error", 1), Outcome("b", "warn", "warning", 2), Outcome("c", "pass", "error", 0)]
    with operations.begin() as connection:
        assert record(operations, connection, "orders", "r1", NEW_YEAR, outcomes) == ["opened", "opened"]
        assert record(operations, connection, "rfm", "r1", NEW_YEAR, outcomes[:1]) == ["opened"]
        now = [Outcome("a", "pass", "error", 0)]
        assert record(operations, connection, "orders", "r2", day("2026-01-02"), now) == ["resolved"]
    found = [(row["dataset"], row["rule"], row["status"]) for row in operations.rows("incidents").to_pylist()]
    assert found == [("orders", "a", "resolved"), ("orders", "b", "open"), ("rfm", "a", "open")]


def test_what_is_recorded_in_a_transaction_that_fails_never_was(operations: Operations) -> None:
    def record_and_fail() -> None:
        outcomes = [Outcome(RULE, "fail", "error", 1), Outcome("another", "failed", "error", 1)]
        with operations.begin() as connection:
            record(operations, connection, DATASET, "r1", NEW_YEAR, outcomes)

    with pytest.raises(ValueError, match="'failed' is no status of a rule"):
        record_and_fail()
    assert operations.rows("incidents").num_rows == operations.rows("notifications").num_rows == 0


def test_only_an_open_incident_can_be_taken_up_or_muted(operations: Operations) -> None:
    def nothing_to_do() -> None:
        with pytest.raises(IncidentError, match=r"'key_unique' of sources/orders has no open incident.*c360 incidents"):
            acknowledge(operations, DATASET, RULE, "Ann", "known")
        with pytest.raises(IncidentError, match="no open incident"):
            mute(operations, DATASET, RULE, day("2026-01-10"), "known")

    nothing_to_do()
    ran(operations, "r1", "fail")
    ran(operations, "r2", "pass")
    nothing_to_do()


class Model:
    """What should come of a sequence of runs of one rule, in plain Python."""

    def __init__(self) -> None:
        self.state: tuple[str, int, int] | None = None
        self.last_failing_run = ""
        self.muted_until: datetime | None = None
        self.told: list[tuple[str, str]] = []

    def run(self, run_id: str, status: str, as_of: datetime) -> None:
        if status in FAILURES:
            if self.state is None:
                self.state = ("open", 1, 0)
                self.tell("opened", run_id, as_of)
            elif self.state[0] == "resolved":
                self.state = ("open", 1, self.state[2] + 1)
                self.muted_until = None
                self.tell("reopened", run_id, as_of)
            elif self.last_failing_run != run_id:
                self.state = ("open", self.state[1] + 1, self.state[2])
            self.last_failing_run = run_id
        elif status == "pass" and self.state and self.state[0] == "open":
            self.state = ("resolved", *self.state[1:])
            self.tell("resolved", run_id, as_of)

    def mute(self, until: datetime) -> None:
        if self.state and self.state[0] == "open":
            self.muted_until = until

    def tell(self, event: str, run_id: str, as_of: datetime) -> None:
        if self.muted_until is None or as_of >= self.muted_until:
            # One event of one run is told once, at its latest place.
            self.told = [*(entry for entry in self.told if entry != (event, run_id)), (event, run_id)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*FAILURES, "pass", "pass", "not_assessed", "mute"]),
        st.booleans().map(lambda is_same_run: 0 if is_same_run else 1),
        st.integers(1, 5),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_any_sequence_of_runs_ends_where_plain_python_says(steps: list[tuple[str, int, int]]) -> None:
    model, run = Model(), 0
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Operations(f"sqlite:///{folder}/operations.db", CONTRACTS, SINKS)) as operations,
    ):
        for position, (step, further, days) in enumerate(steps):
            moment = NEW_YEAR + timedelta(days=position)
            if step == "mute":
                until = moment + timedelta(days=days)
                model.mute(until)
                with suppress(IncidentError):
                    mute(operations, DATASET, RULE, until, "known")
            else:
                run += further
                model.run(f"r{run}", step, moment)
                ran(operations, f"r{run}", step, moment)
        rows = operations.rows("incidents").to_pylist()
        found = [(row["status"], row["failed_runs"], row["reopened"]) for row in rows]
        assert found == ([model.state] if model.state else [])
        assert [row["muted_until"] for row in rows] == ([model.muted_until] if model.state else [])
        for sink in SINKS:
            assert [(row["event"], row["run_id"]) for row in told(operations, sink)] == model.told


def test_processes_that_record_at_once_lose_nothing(operations: Operations, uri: str) -> None:
    recorders = [
        subprocess.Popen(
            [sys.executable, "-c", RECORDER, uri, name],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for recorder in recorders:
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == "ready\n"
    for recorder in recorders:
        recorder.communicate("go\n", timeout=60)
        assert recorder.returncode == 0
    assert incident(operations)["failed_runs"] == 2 * RUNS
    assert [row["event"] for row in told(operations)] == ["opened"]


def test_postgresql_keeps_the_same_and_writers_take_turns(postgres: str) -> None:
    with closing(Operations(postgres, CONTRACTS, SINKS)) as operations:
        assert ran(operations, "r1", "fail", NEW_YEAR.replace(microsecond=7)) == ["opened"]
        acknowledge(operations, DATASET, RULE, "Ann", "the shop repairs it")
        assert ran(operations, "r2", "pass", day("2026-01-02")) == ["resolved"]
        assert ran(operations, "r3", "warn", day("2026-01-03")) == ["reopened"]
        mute(operations, DATASET, RULE, day("2026-01-10"), "known")

        def record_often(name: str) -> None:
            with closing(Operations(postgres, CONTRACTS, SINKS)) as another:
                for run in range(RUNS):
                    ran(another, f"{name}-{run}", "fail", day("2026-01-04"))

        recorders = [threading.Thread(target=record_often, args=(name,)) for name in ("a", "b")]
        for recorder in recorders:
            recorder.start()
        for recorder in recorders:
            recorder.join()
        row = incident(operations)
        assert (row["status"], row["failed_runs"], row["reopened"]) == ("open", 1 + 2 * RUNS, 1)
        assert (row["acknowledged_by"], row["muted_until"]) == (None, day("2026-01-10"))
        assert [row["event"] for row in told(operations)] == ["opened", "resolved", "reopened"]
        assert told(operations)[0]["as_of"] == NEW_YEAR.replace(microsecond=7)
