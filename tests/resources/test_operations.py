"""The operational store: what it keeps, how writers take turns, and what is said where it cannot be opened."""

import re
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from resources import deployment as deployments
from resources.operations import TABLES, Operations, OperationsError
from tests.tables import CONTRACTS, day

ROOT = Path(__file__).parents[2]
PROCESSES, ROWS = 3, 20

# Opens a store that others open at the same moment, and adds one to a row of it, many times.
WRITER = """
import sys
import sqlalchemy as sa
from governance import contracts
from resources.operations import Operations
from tests.resources.test_operations import ROWS, incident

operations = Operations(sys.argv[1], contracts.load(), [])
incidents = operations.table("incidents")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(ROWS):
    with operations.begin() as connection:
        count = connection.execute(sa.select(incidents.c.failed_runs)).scalar() or 0
        operations.upsert(connection, "incidents", incident(failed_runs=count + 1))
operations.close()
"""


def incident(**columns: Any) -> dict[str, Any]:
    told = {"dataset": "orders", "rule": "key_unique", "status": "open", "severity": "error"}
    moments = {"opened_at": day("2026-01-01"), "last_failed_at": day("2026-01-01")}
    runs = {"opened_run_id": "r1", "last_run_id": "r1", "failed_runs": 1, "failing": 2, "reopened": 0}
    return {**told, **moments, **runs, **columns}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'operations.db'}"


@pytest.fixture
def operations(uri: str) -> Iterator[Operations]:
    with closing(Operations(uri, CONTRACTS, ["log"])) as opened:
        yield opened


def put(operations: Operations, **columns: Any) -> None:
    with operations.begin() as connection:
        operations.upsert(connection, "incidents", incident(**columns))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_its_contract_says(name: str, operations: Operations) -> None:
    contract = CONTRACTS[name]
    with operations.begin() as connection:
        found = sa.inspect(connection)
        columns = {column["name"]: column["nullable"] for column in found.get_columns(name)}
        key = found.get_pk_constraint(name)["constrained_columns"]
    assert columns == {column.name: not column.required for column in contract.columns}
    assert key == contract.primary_key


@pytest.mark.parametrize("name", TABLES)
def test_rows_come_in_the_columns_of_the_contract_even_where_there_are_none(name: str, operations: Operations) -> None:
    types = {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }
    rows = operations.rows(name)
    assert rows.num_rows == 0
    assert [(field.name, field.type) for field in rows.schema] == [
        (column.name, types[column.type]) for column in CONTRACTS[name].columns
    ]


def test_a_row_put_in_twice_is_there_once_with_what_was_said_last(operations: Operations) -> None:
    put(operations, acknowledged_by="ann", opened_at=day("2026-01-01").replace(microsecond=7))
    put(operations, failing=9)
    put(operations, rule="another")
    another, row = operations.rows("incidents").to_pylist()
    assert (another["rule"], row["rule"]) == ("another", "key_unique")
    assert (row["failing"], row["acknowledged_by"]) == (9, "ann")
    assert row["resolved_at"] is None
    assert operations.records("incidents") == [another, row]
    assert (operations.count("incidents"), operations.count("notifications")) == (2, 0)


def test_what_is_kept_outlives_the_process(operations: Operations, uri: str) -> None:
    moment = day("2026-01-01").replace(hour=5, microsecond=7)
    put(operations, opened_at=moment)
    operations.close()
    with closing(Operations(uri, CONTRACTS, [])) as again:
        assert again.rows("incidents")["opened_at"].to_pylist() == [moment]


def test_a_transaction_that_fails_leaves_nothing_behind(operations: Operations) -> None:
    def write_and_fail() -> None:
        with operations.begin() as connection:
            operations.upsert(connection, "incidents", incident())
            operations.upsert(connection, "incidents", incident(rule="another", status=None))

    with pytest.raises(IntegrityError):
        write_and_fail()
    assert operations.rows("incidents").num_rows == 0


def test_nothing_is_made_before_it_is_used(tmp_path: Path, uri: str) -> None:
    with closing(Operations(uri, CONTRACTS, [])) as operations:
        assert operations.table("incidents").name == "incidents"
        assert list(tmp_path.iterdir()) == []


def test_readers_and_a_writer_do_not_wait_for_each_other(operations: Operations, tmp_path: Path) -> None:
    put(operations)
    with closing(sqlite3.connect(tmp_path / "operations.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM incidents").fetchone() == (1,)
        with operations.begin() as connection:
            operations.upsert(connection, "incidents", incident(rule="another"))
            assert operations.rows("incidents").num_rows == 1
        assert operations.rows("incidents").num_rows == 2
        assert reader.execute("SELECT count(*) FROM incidents").fetchone() == (1,)


def test_a_second_writer_waits_for_the_first(operations: Operations) -> None:
    put(operations)
    first_may_go_on = threading.Event()
    order: list[str] = []

    def write_second() -> None:
        first_may_go_on.set()
        with operations.begin():
            order.append("second")

    second = threading.Thread(target=write_second)
    with operations.begin():
        second.start()
        first_may_go_on.wait()
        second.join(0.2)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


def test_processes_that_open_and_write_at_once_lose_nothing(uri: str) -> None:
    command = [sys.executable, "-c", WRITER, uri]
    writers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    with closing(Operations(uri, CONTRACTS, [])) as operations:
        assert operations.rows("incidents")["failed_runs"].to_pylist() == [PROCESSES * ROWS]


@pytest.mark.parametrize("uri", ["operations.db", "", "mysql://ann:s3cret@host/c360", "sqlite+nothing:///x"])
def test_an_address_of_something_else_is_refused_with_two_that_would_do(uri: str) -> None:
    with pytest.raises(OperationsError, match=r"sqlite:////data.*postgresql\+psycopg2://") as raised:
        Operations(uri, CONTRACTS, [])
    assert "s3cret" not in str(raised.value)


def test_an_address_as_it_is_advised_will_do(tmp_path: Path, postgres: str) -> None:
    # With ${DB_USER} and all they are what the error gives as examples.
    for uri in (f"sqlite:///{tmp_path.absolute()}/operations.db", postgres):
        assert re.match(r"sqlite:////|postgresql\+psycopg2://", uri)
        with closing(Operations(uri, CONTRACTS, [])) as operations:
            assert operations.count("incidents") == 0


def test_a_store_that_cannot_be_opened_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = f"postgresql+psycopg2://ann:s3cret@127.0.0.1:{port}/c360?password=s3cret"
    for uri in (refused, f"sqlite:///{tmp_path / 'nowhere' / 'operations.db'}", "postgresql+asyncpg://ann:s3cret@x/y"):
        with closing(Operations(uri, CONTRACTS, [])) as operations:
            with pytest.raises(OperationsError, match=r"cannot be opened: .*key `operations`") as raised:
                operations.rows("incidents")
            assert "s3cret" not in str(raised.value)
            assert raised.value.__suppress_context__
    (tmp_path / "nowhere").mkdir()
    with closing(Operations(f"sqlite:///{tmp_path / 'nowhere' / 'operations.db'}", CONTRACTS, [])) as operations:
        assert operations.count("incidents") == 0


def test_a_deployment_keeps_its_store_at_home_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "c360.yaml"
    for setting, place in (("", ".c360/operations.db"), (f"operations: sqlite:///{tmp_path}/else.db\n", "else.db")):
        file.write_text(f"name: Shop\ncurrency: EUR\n{setting}")
        with closing(deployments.load(file)) as deployment:
            assert deployment.operations.sinks == ("log",)
            put(deployment.operations)
        assert (tmp_path / place).is_file()
        assert not (tmp_path / f"{place}-wal").exists()


def test_a_deployment_does_not_tell_the_address_of_its_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATIONS", "postgresql+psycopg2://ann:s3cret@host/c360")
    file = tmp_path / "c360.yaml"
    file.write_text('name: Shop\ncurrency: EUR\noperations: "${OPERATIONS}"\n')
    with closing(deployments.load(file)) as deployment:
        assert "s3cret" not in repr(deployment)
        assert deployment.settings.operations == "postgresql+psycopg2://ann:s3cret@host/c360"
