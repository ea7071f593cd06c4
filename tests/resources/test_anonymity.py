"""Anonymity of files: nobody is alone in them, whatever was in the table; counted by hand beside the engine."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.contract import Column
from governance.policy import Anonymity, Outcome, View
from resources.anonymity import Report, anonymous
from resources.engine import Engine
from tests.tables import CONTRACTS

COLUMNS = (
    Column("customer_id", "VARCHAR", "Who.", key_position=1, classification="pseudonymous"),
    Column("city", "VARCHAR", "Where.", classification="personal"),
    Column("gender", "VARCHAR", "What.", classification="personal"),
    Column("income", "VARCHAR", "How much.", classification="personal"),
    Column("orders", "INTEGER", "How many."),
)
CONTRACT = replace(CONTRACTS["customers"], columns=COLUMNS)
VIEW = View(CONTRACT, dict.fromkeys(CONTRACT.column_names, Outcome.CLEAR), None, ())
ASKED = Anonymity(k=3, l=2, attributes=("income",))
Row = tuple[str | None, str | None, str | None, str | None, int]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with closing(Engine(threads=1)) as engine:
        yield engine


def leaving(
    engine: Engine, rows: Sequence[Row], asked: Anonymity = ASKED, view: View = VIEW, is_enforced: bool = True
) -> tuple[list[Row], Report]:
    schema = pa.schema([(column.name, pa.int32() if column.type == "INTEGER" else pa.string()) for column in COLUMNS])
    held = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
    engine.connection.register("held", held)
    found = anonymous(engine.connection, "SELECT * FROM held", view, asked, is_enforced)
    assert found is not None
    select, report = found
    return sorted(engine.query(select), key=str), report


def crowd(size: int, city: str | None, gender: str | None, begin: int = 0) -> list[Row]:
    """People alike, with two incomes among them."""
    return [(f"C{begin + n}", city, gender, ("high", "low")[n % 2], n) for n in range(size)]


def test_who_is_alone_is_held_back_and_counted(engine: Engine) -> None:
    rows = [*crowd(60, "Rome", "f"), *crowd(40, "Lyon", "m", 100), ("X", "Nice", "m", "low", 1)]
    kept, report = leaving(engine, rows)
    assert len(kept) == 100
    assert "X" not in {row[0] for row in kept}
    assert report == Report(
        columns=("city", "gender"),
        attributes=("income",),
        rows=101,
        smallest=40,
        least=2,
        alone=1,
        hidden=(),
        held_back=1,
    )


def test_the_column_that_tells_most_people_apart_is_hidden_first(engine: Engine) -> None:
    rows: list[Row] = [(f"C{n}", f"town {n}", "fm"[n % 2], ("high", "low")[n // 2 % 2], n) for n in range(40)]
    kept, report = leaving(engine, [*rows, ("N", None, "f", "low", 1)])
    assert report.hidden == ("city",)
    assert report.held_back == 0
    assert {row[1] for row in kept} == {"***"}, "a mask in some rows alone would tell who has a value"
    assert Counter(row[2] for row in kept) == {"f": 21, "m": 20}


def test_a_crowd_in_which_all_earn_alike_is_none(engine: Engine) -> None:
    alike: list[Row] = [(f"R{n}", "Rome", "f", "high", n) for n in range(3)]
    kept, report = leaving(engine, [*alike, *crowd(97, "Lyon", "f")])
    assert len(kept) == 97
    assert (report.held_back, report.least) == (3, 2)
    kept, report = leaving(engine, [*alike, *crowd(97, "Lyon", "f")], Anonymity(k=3, l=1, attributes=("income",)))
    assert (len(kept), report.least) == (100, 1)


def test_an_attribute_that_is_empty_or_the_same_for_all_makes_nobody_less_of_a_crowd(engine: Engine) -> None:
    for income in (None, "high"):
        rows: list[Row] = [(f"C{n}", "Rome", "f", income, n) for n in range(20)]
        kept, report = leaving(engine, rows)
        assert len(kept) == 20
        assert (report.held_back, report.hidden, report.attributes, report.least) == (0, (), (), None)


def test_while_no_column_alone_makes_a_crowd_the_most_telling_are_hidden(engine: Engine) -> None:
    rows: list[Row] = [(f"C{n}", f"town {n}", f"kind {n}", ("high", "low")[n % 2], n) for n in range(40)]
    kept, report = leaving(engine, rows, Anonymity(k=3))
    assert (report.hidden, len(kept)) == (("city", "gender"), 40)
    assert Counter(row[3] for row in kept) == {"high": 20, "low": 20}


def test_people_are_counted_and_not_their_rows(engine: Engine) -> None:
    often: list[Row] = [("C1", "Nice", "m", ("high", "low")[n % 2], n) for n in range(4)]
    _, report = leaving(engine, [*often, *crowd(96, "Lyon", "f", 100)])
    assert report.held_back == 4
    unknown: list[Row] = [(None, "Nice", "m", ("high", "low")[n % 2], n) for n in range(4)]
    _, report = leaving(engine, [*unknown, *crowd(96, "Lyon", "f", 100)])
    assert report.held_back == 0


def test_where_nothing_is_enforced_it_is_told_and_nothing_held_back(engine: Engine) -> None:
    rows = [*crowd(60, "Rome", "f"), ("X", "Nice", "m", "low", 1)]
    kept, report = leaving(engine, rows, is_enforced=False)
    assert kept == sorted(rows, key=str)
    assert (report.smallest, report.least, report.alone, report.held_back, report.hidden) == (1, 1, 1, 0, ())


def test_where_nothing_shown_tells_people_apart_there_is_no_report(engine: Engine) -> None:
    without = replace(VIEW, outcomes={**VIEW.outcomes, **dict.fromkeys(("city", "gender", "income"), Outcome.ABSENT)})
    assert anonymous(engine.connection, "SELECT 1", without, ASKED, True) is None


towns = st.sampled_from(["Rome", "Lyon", "Nice", None])
people = st.lists(
    st.tuples(
        st.sampled_from(["C1", "C2", "C3", "C4", "C5", "C6", None]), towns, st.sampled_from(["f", "m", None]),
        st.sampled_from(["high", "low", None]), st.integers(0, 3),
    ),
    max_size=40,
)  # fmt: skip


@given(people, st.integers(2, 4), st.integers(1, 3))
def test_nobody_is_alone_in_what_leaves_whatever_was_there(rows: list[Row], k: int, diverse: int) -> None:
    with closing(Engine(threads=1)) as engine:
        kept, report = leaving(engine, rows, Anonymity(k=k, l=diverse, attributes=("income",)))
        turned, again = leaving(engine, rows[::-1], Anonymity(k=k, l=diverse, attributes=("income",)))
    assert (kept, report) == (turned, again)
    assert report.rows == len(rows) == len(kept) + report.held_back
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in kept:
        groups[row[1:3]].append(row)
    for members in groups.values():
        known = {row[0] for row in members} - {None}
        assert len(known) + sum(row[0] is None for row in members) >= k
        assert len({row[3] for row in members}) >= (diverse if len({row[3] for row in rows}) >= diverse else 1)
    # What is left is as it was, but for what is hidden.
    as_it_was = Counter((row[0], row[3], row[4]) for row in rows)
    assert Counter((row[0], row[3], row[4]) for row in kept) <= as_it_was
