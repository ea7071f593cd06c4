"""Merging batches: what a table holds afterwards, which files were touched, and what is told of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.contract import HOURLY, UPSERT, Column, Contract
from resources import merging
from resources.engine import Engine
from resources.lake import HOURS, Commit, Lake
from resources.merging import Window, covered, gaps
from tests.lakes import opened

Row = dict[str, Any]
START = datetime(2026, 1, 31, 20)


def column(name: str, type_: str = "VARCHAR", **promises: Any) -> Column:
    return Column(name, type_, f"The {name}.", **promises)


THINGS = Contract(
    layer="sources",
    name="things",
    title="Things",
    version="1.0.0",
    purpose="Tests.",
    grain="One row per thing",
    owner="us",
    domain="tests",
    frequency="1 d",
    retention="1 y",
    columns=(column("id", required=True, key_position=1), column("happened_at", "TIMESTAMP"), column("label")),
    event_time="happened_at",
    loading=UPSERT,
)
EVENTS = replace(THINGS, name="events", loading=HOURLY)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def row(key: str, at: float, label: str | None = None) -> Row:
    return {"id": key, "happened_at": START + timedelta(hours=at), "label": label}


def rows(lake: Lake, contract: Contract, given: list[Row]) -> ir.Table:
    return ibis.memtable(pa.Table.from_pylist(given, schema=lake.empty(contract).schema().to_pyarrow()))


def merge(lake: Lake, contract: Contract, given: list[Row], window: Window | None = None) -> Commit:
    commit = lake.merge(contract, rows(lake, contract, given), window=window)
    lake.publish(commit)
    return commit


def write(lake: Lake, contract: Contract, given: list[Row]) -> None:
    lake.publish(lake.write(contract, rows(lake, contract, given)))


def held(lake: Lake, contract: Contract) -> list[Row]:
    found: list[Row] = lake.read(contract).order_by("id").to_pyarrow().to_pylist()
    return found


def files(lake: Lake, contract: Contract) -> dict[str, int]:
    table = lake.catalog.load_table(("sources", contract.name))
    return {task.file.file_path: task.file.record_count for task in table.scan().plan_files()}


def test_a_row_takes_the_place_of_the_one_held_by_its_key(lake: Lake) -> None:
    write(lake, THINGS, [row("a", 0, "old"), row("b", 0, "old")])
    commit = merge(lake, THINGS, [row("b", 1, "new"), row("c", 1, "new")])
    assert held(lake, THINGS) == [row("a", 0, "old"), row("b", 1, "new"), row("c", 1, "new")]
    assert commit.merged is not None
    assert (commit.rows, commit.merged.fresh, commit.merged.gone) == (3, 2, 0)


def test_rows_held_as_they_are_touch_no_file(lake: Lake) -> None:
    write(lake, THINGS, [row("a", 0, "same"), row("b", 0, None)])
    before = files(lake, THINGS)
    commit = merge(lake, THINGS, [row("a", 0, "same"), row("b", 0, None)])
    assert commit.merged is not None
    assert commit.merged.is_nothing
    assert files(lake, THINGS) == before
    assert len(held(lake, THINGS)) == 2


def test_a_batch_that_changes_nothing_still_keeps_its_properties(lake: Lake) -> None:
    write(lake, THINGS, [row("a", 0)])
    commit = lake.merge(THINGS, rows(lake, THINGS, [row("a", 0)]), {"c360.mark": "7"})
    head = lake.head(THINGS)
    assert commit.properties["c360.mark"] == "7"
    assert head is not None
    assert (head.properties["c360.mark"], head.watermark, head.rows) == ("7", "2026-01-31 20:00:00", 1)


def test_the_first_batch_makes_the_table(lake: Lake) -> None:
    assert merge(lake, THINGS, [row("a", 0)]).rows == 1
    assert held(lake, THINGS) == [row("a", 0)]


def test_nobody_reads_a_batch_before_it_is_published(lake: Lake) -> None:
    write(lake, THINGS, [row("a", 0, "old")])
    lake.merge(THINGS, rows(lake, THINGS, [row("a", 0, "new")]))
    assert held(lake, THINGS) == [row("a", 0, "old")]


def test_only_files_that_hold_a_changed_row_are_rewritten(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SMALL_FILE_ROWS", 0)
    for batch in range(4):
        merge(lake, THINGS, [row(f"{batch}-{place}", batch) for place in range(5)])
    before = files(lake, THINGS)
    merge(lake, THINGS, [row("2-3", 2, "changed")])
    gone = before.keys() - files(lake, THINGS).keys()
    assert len(before) == 4
    assert len(gone) == 1
    assert len(held(lake, THINGS)) == 20


def test_small_batches_do_not_leave_many_files(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SMALL_FILE_ROWS", 4)
    for batch in range(13):
        merge(lake, THINGS, [row(f"{batch:02}", batch)])
    counts = sorted(files(lake, THINGS).values())
    assert counts == [1, 4, 4, 4]
    assert [found["id"] for found in held(lake, THINGS)] == [f"{batch:02}" for batch in range(13)]


KEYS = st.sampled_from("abcde")
BATCHES = st.lists(st.dictionaries(KEYS, st.tuples(st.integers(0, 9), st.sampled_from(["x", "y", None]))), max_size=5)


@settings(max_examples=15, deadline=None)
@given(batches=BATCHES, small=st.sampled_from([0, 3, 100]))
def test_merging_is_what_updating_a_dictionary_is(
    batches: list[dict[str, tuple[int, str | None]]],
    small: int,
    tmp_path_factory: pytest.TempPathFactory,
    engine: Engine,
) -> None:
    lake = opened(tmp_path_factory.mktemp("lake"), engine)
    expected: dict[str, Row] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "SMALL_FILE_ROWS", small)
        for batch in batches:
            given = {key: row(key, at, label) for key, (at, label) in batch.items()}
            commit = merge(lake, THINGS, list(given.values()))
            assert commit.merged is not None
            assert commit.merged.fresh == sum(expected.get(key) != found for key, found in given.items())
            expected |= given
            assert held(lake, THINGS) == [expected[key] for key in sorted(expected)]
    lake.close()


def test_a_window_holds_what_it_was_given_and_no_more(lake: Lake) -> None:
    write(lake, EVENTS, [row("a", 0), row("b", 1), row("c", 1.5), row("d", 2)])
    commit = merge(lake, EVENTS, [row("b", 1), row("e", 1.7)], Window(hour(1), hour(2)))
    assert held(lake, EVENTS) == [row("a", 0), row("b", 1), row("d", 2), row("e", 1.7)]
    assert commit.merged is not None
    assert (commit.merged.fresh, commit.merged.gone) == (1, 1)


def test_a_window_leaves_the_files_of_other_months_alone(lake: Lake) -> None:
    write(lake, EVENTS, [row(f"{day:02}", 24.0 * day) for day in range(60)])
    before = files(lake, EVENTS)
    merge(lake, EVENTS, [row("late", 24.5), row("01", 24)], Window(hour(24), hour(48)))
    gone = before.keys() - files(lake, EVENTS).keys()
    assert len(before) == 3
    assert len(gone) == 1
    assert before[gone.pop()] == 28
    assert len(held(lake, EVENTS)) == 61


def test_of_rows_that_share_a_key_the_newest_event_stays_whichever_came_first(lake: Lake) -> None:
    for first, second in ((1, 2), (2, 1)):
        write(lake, EVENTS, [])
        for at in (first, second):
            merge(lake, EVENTS, [row("a", at)], Window(hour(at), hour(at + 1)))
        assert held(lake, EVENTS) == [row("a", 2)]


def test_rows_new_in_hours_that_were_loaded_before_are_late(lake: Lake) -> None:
    merge(lake, EVENTS, [row("a", 0.1)], Window(hour(0), hour(1)))
    on_time = merge(lake, EVENTS, [row("a", 0.1), row("b", 1.1)], Window(hour(0), hour(2)))
    late = merge(lake, EVENTS, [row("a", 0.1), row("c", 0.2), row("b", 1.1)], Window(hour(0), hour(2)))
    assert (on_time.late, late.late) == (0, 1)


def test_hours_that_were_loaded_are_known_and_the_missing_ones_between(lake: Lake) -> None:
    write(lake, EVENTS, [row("a", 0.5), row("b", 3.2)])
    commit = merge(lake, EVENTS, [], Window(hour(6), hour(7)))
    assert commit.properties[HOURS] == "2026-01-31T20:00:00/2026-02-01T00:00:00 2026-02-01T02:00:00/2026-02-01T03:00:00"
    assert gaps(commit.properties[HOURS]) == [Window(hour(4), hour(6))]
    commit = merge(lake, EVENTS, [], Window(hour(4), hour(6)))
    assert gaps(commit.properties[HOURS]) == []


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), min_size=1, max_size=8)


@given(spans=SPANS)
def test_hours_covered_are_the_union_of_the_windows_whatever_their_order(spans: list[tuple[int, int]]) -> None:
    def union(order: list[tuple[int, int]]) -> str:
        known = ""
        for first, length in order:
            known = covered(known, Window(hour(first), hour(first + length)))
        return known

    wanted = {first + step for first, length in spans for step in range(length)}
    missing = {hour for gap in gaps(union(spans)) for hour in range(_number(gap.start), _number(gap.end))}
    assert union(spans) == union(sorted(spans)) == union(spans[::-1])
    assert missing == set(range(min(wanted), max(wanted))) - wanted


def _number(moment: datetime) -> int:
    return int((moment - START) / timedelta(hours=1))


def test_a_table_laid_out_otherwise_is_laid_out_by_month_when_it_is_written_again(lake: Lake) -> None:
    before = replace(EVENTS, loading=UPSERT)
    write(lake, before, [row("a", 0), row("b", 24)])
    assert len(files(lake, EVENTS)) == 1
    merge(lake, EVENTS, [row("a", 0.5), row("c", 1)], Window(hour(0), hour(2)))
    assert len(files(lake, EVENTS)) == 2
    assert held(lake, EVENTS) == [row("a", 0.5), row("b", 24), row("c", 1)]


def test_a_merge_takes_up_what_another_process_committed_meanwhile(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake, THINGS, [row("a", 0), row("b", 0)])
    other = opened(tmp_path, Engine("200MB", threads=1))
    copy, pending = lake._copy, [lambda: merge(other, THINGS, [row("b", 5, "theirs"), row("c", 5, "theirs")])]

    def interrupted(*arguments: Any) -> Any:
        written = copy(*arguments)
        if pending:
            pending.pop()()
        return written

    monkeypatch.setattr(lake, "_copy", interrupted)
    merge(lake, THINGS, [row("a", 7, "ours")])
    assert held(lake, THINGS) == [row("a", 7, "ours"), row("b", 5, "theirs"), row("c", 5, "theirs")]
    other.close()
    other.engine.close()
