"""The engine: views, compiled SQL, quoting and what is left behind."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pytest
from dagster import DagsterExecutionInterruptedError
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.engine import Engine, literal, quoted
from tests.interrupting import interrupting

ROOT = Path(__file__).parents[2]
# DuckDB reads a statement up to its first NUL.
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


def test_a_view_is_a_lazy_table_of_its_name(engine: Engine) -> None:
    numbers = engine.view("numbers", "SELECT 1::BIGINT AS n UNION ALL SELECT 2")
    assert numbers.get_name() == "numbers"
    assert numbers.order_by("n").to_pyarrow().to_pydict() == {"n": [1, 2]}


def test_a_view_of_the_same_name_takes_the_place_of_the_old_one(engine: Engine) -> None:
    engine.view("numbers", "SELECT 1 AS n")
    assert engine.view("numbers", "SELECT 'two' AS word").to_pyarrow().to_pydict() == {"word": ["two"]}


@pytest.mark.parametrize("name", ["sources/orders", 'the "best" ones', "it's", "quarantine of orders", "select"])
def test_a_view_may_bear_any_name(engine: Engine, name: str) -> None:
    assert engine.view(name, "SELECT 1 AS n").to_pyarrow().to_pydict() == {"n": [1]}


def test_compiled_sql_knows_in_memory_tables(engine: Engine) -> None:
    rows = ibis.memtable(pa.table({"n": [3, 4]}))
    assert engine.query(engine.sql_of(rows.agg(total=rows.n.sum()))) == [(7,)]


def test_compiled_sql_knows_python_functions(engine: Engine) -> None:
    @ibis.udf.scalar.python
    def doubled(n: int) -> int:
        return 2 * n

    rows = ibis.memtable(pa.table({"n": [3]}))
    assert engine.query(engine.sql_of(rows.select(n=doubled(rows.n)))) == [(6,)]


def test_ibis_and_statements_share_a_connection(engine: Engine) -> None:
    assert engine.backend.con is engine.connection


def test_a_name_in_a_statement_is_never_a_variable_of_python() -> None:
    engine = Engine("200MB", threads=1)
    rows = pa.table({"n": [1]})
    with pytest.raises(duckdb.CatalogException):
        engine.query("SELECT * FROM rows")
    assert rows.num_rows == 1
    engine.close()


def test_a_parameter_is_a_value_and_never_sql(engine: Engine) -> None:
    assert engine.query("SELECT ?", ["'; DROP TABLE x"]) == [("'; DROP TABLE x",)]


def test_a_statement_that_fails_says_so(engine: Engine) -> None:
    with pytest.raises(duckdb.Error, match="no_such_table"):
        engine.query("SELECT * FROM no_such_table")


LONG = "SELECT sum(number % 3) AS rest FROM range(1000000000000) AS t(number)"


@pytest.mark.timeout(60)
def test_an_interrupt_of_a_long_statement_stays_an_interrupt_and_ends_it(engine: Engine) -> None:
    # Without an end, one in twenty of the statements that came next waited for good.
    for place in range(40):
        with pytest.raises(DagsterExecutionInterruptedError), interrupting(0.02 + place / 400):
            engine.query(LONG)
        assert engine.query("SELECT 1") == [(1,)]


@pytest.mark.timeout(60)
def test_an_interrupt_while_rows_are_read_stays_an_interrupt(engine: Engine) -> None:
    rows = engine.view("long", LONG)
    for _ in range(3):
        with pytest.raises(DagsterExecutionInterruptedError), interrupting(0.3):
            rows.to_pyarrow()
        assert engine.query("SELECT 1") == [(1,)]


def test_the_engine_keeps_its_limits() -> None:
    engine = Engine("200MiB", threads=1)
    assert engine.query("SELECT current_setting('memory_limit'), current_setting('threads')") == [("200.0 MiB", 1)]
    engine.close()


def test_moments_are_read_as_utc_wherever_the_machine_stands() -> None:
    moment = "SELECT '2026-11-21T01:00:00+02:00'::TIMESTAMPTZ::TIMESTAMP::VARCHAR"
    script = f'from resources.engine import Engine; print(Engine().query("{moment}")[0][0])'
    environment = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "2026-11-20 23:00:00\n"


def test_closing_removes_the_scratch_folder_and_what_is_in_it() -> None:
    engine = Engine("200MB", threads=1)
    scratch = engine.scratch
    engine.query(f"COPY (SELECT 1) TO {literal(str(scratch / 'part.parquet'))}")
    engine.close()
    assert not scratch.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_text('{inside}/../secret.csv')",
        "SELECT * FROM read_text('{inside}/link.csv')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{secret}')",
        "SELECT * FROM read_text('https://example.org/')",
        "COPY (SELECT 1) TO '{secret}'",
        "ATTACH '{secret}' AS evil",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET allowed_paths = ['{secret}']",
        "RESET allowed_directories",
    ],
)
def test_a_statement_reaches_no_further_than_the_engine(statement: str, tmp_path: Path) -> None:
    secret, inside = tmp_path / "secret.csv", tmp_path / "inside"
    secret.write_text("secret")
    inside.mkdir()
    (inside / "link.csv").symlink_to(secret)
    with closing(Engine("200MB", threads=1, reach=[inside])) as engine, closing(engine.sibling()) as other:
        for each in (engine, other):
            with pytest.raises(duckdb.Error, match=r"disabled|Cannot"):
                each.query(statement.format(secret=secret, inside=inside))
    assert secret.read_text() == "secret"


def test_what_the_engine_reaches_is_read_and_written(tmp_path: Path) -> None:
    file = tmp_path / "number.csv"
    file.write_text("n\n1\n")
    for reach in (file, tmp_path):
        with closing(Engine("200MB", threads=1, reach=[reach])) as engine:
            engine.query(f"COPY (SELECT 2 AS n) TO {literal(str(engine.scratch / 'two.parquet'))}")
            files = [literal(str(path)) for path in (file, engine.scratch / "*.parquet")]
            assert [engine.query(f"SELECT n FROM {path}") for path in files] == [[(1,)], [(2,)]]


def test_closing_twice_is_closing_once_and_a_closed_engine_opens_again() -> None:
    engine = Engine("200MB", threads=1)
    engine.query("SELECT 1")
    engine.close()
    engine.close()
    assert engine.query("SELECT 1") == [(1,)]
    engine.close()


def test_an_engine_that_did_nothing_opens_nothing() -> None:
    engine = Engine()
    engine.close()
    assert not {"backend", "connection", "scratch"} & engine.__dict__.keys()


@given(text=TEXT)
@settings(deadline=None)
def test_a_literal_is_the_text_it_was_made_of(engine: Engine, text: str) -> None:
    assert engine.query(f"SELECT {literal(text)}") == [(text,)]


@given(name=TEXT.filter(bool))
@settings(deadline=None)
def test_a_quoted_name_is_the_name_it_was_made_of(engine: Engine, name: str) -> None:
    described = engine.query(f"DESCRIBE SELECT 1 AS {quoted(name)}")
    assert [column for column, *_ in described] == [name]
