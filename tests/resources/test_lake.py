"""The lake: what is written, what readers see of it and when, and what is left when a write fails or is killed."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.avro.file import AvroFile

from governance.contract import Column, Contract
from resources import iceberg
from resources import lake as lakes
from resources.engine import Engine
from resources.lake import ROW_GROUP_ROWS, Lake, LakeError, TableState
from tests.lakes import opened
from tests.tables import CONTRACTS

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("crashing_writer.py")
# How often a reader looks while others write.
LOOKS = 60
# Writes slow down as snapshots gather, so the kills are spread over some lakes.
KILLS, LAKES = 25, 5

Row = dict[str, Any]


def column(name: str, type_: str = "VARCHAR", **promises: Any) -> Column:
    return Column(name, type_, f"The {name}.", **promises)


def contract(*columns: Column, **promises: Any) -> Contract:
    names = {
        "layer": "conformed",
        "name": "things",
        "title": "Things",
        "grain": "One row per thing",
        "version": "1.0.0",
    }
    duties = {"purpose": "Tests.", "owner": "us", "domain": "tests", "frequency": "1 d", "retention": "1 y"}
    return Contract(**{**names, **duties, **promises}, columns=columns)


ID = column("id", "BIGINT", required=True)
THINGS = contract(ID, column("name"))
OLD = [{"id": 1, "name": "old"}]
NEW = [{"id": 1, "name": "new"}, {"id": 2, "name": None}]
QUARANTINE = CONTRACTS["quarantine"]

EVERY_TYPE = contract(
    ID,
    column("text"),
    column("small", "INTEGER"),
    column("number", "DOUBLE"),
    column("amount", "DECIMAL(18,4)"),
    column("is_so", "BOOLEAN"),
    column("happened_on", "DATE"),
    column("happened_at", "TIMESTAMP"),
)
VALUES = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(max_size=40),
        "small": st.none() | st.integers(-(2**31), 2**31 - 1),
        "number": st.none() | st.floats(allow_nan=False),
        "amount": st.none() | st.integers(1 - 10**18, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-4)),
        "is_so": st.none() | st.booleans(),
        "happened_on": st.none() | st.dates(),
        "happened_at": st.none() | st.datetimes(),
    }
)


@pytest.fixture
def other(lake: Lake, tmp_path: Path) -> Iterator[Lake]:
    """The same lake as another process would open it."""
    other = opened(tmp_path, Engine("500MB", threads=1))
    yield other
    other.close()
    other.engine.close()


# Reading and writing


@pytest.mark.parametrize("name", ["our lake", "50% off", "Läden", "shop#1"])
def test_a_lake_may_lie_in_a_folder_of_any_name(tmp_path: Path, engine: Engine, name: str) -> None:
    lake = opened(tmp_path / name, engine)
    _write(lake, THINGS, NEW)
    assert _read(lake, THINGS) == NEW
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert lake.integrity(deep=True).examine("things").faults == []
    assert lake.integrity().tables() == ["things"]
    lake.close()


@given(values=st.lists(VALUES, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_table_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, values: list[Row]
) -> None:
    lake = opened(tmp_path_factory.mktemp("lake"), engine)
    rows = [{"id": place, **value} for place, value in enumerate(values)]
    _write(lake, EVERY_TYPE, rows)
    assert _read(lake, EVERY_TYPE) == rows
    assert lake.read(EVERY_TYPE).schema() == lake.empty(EVERY_TYPE).schema()
    selected = engine.connection.sql(f"{lake.select(EVERY_TYPE)} ORDER BY id").to_arrow_table()
    assert selected == lake.read(EVERY_TYPE).order_by("id").to_pyarrow()
    lake.close()


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        pytest.param("DOUBLE", "nan", id="no number"),
        pytest.param("DOUBLE", "-inf", id="infinite number"),
        pytest.param("VARCHAR", "\U0010ffff" * 20, id="last letter of all"),
        pytest.param("VARCHAR", "long " * 10_000, id="long text"),
    ],
)
def test_a_value_python_cannot_hold_or_bound_is_kept_all_the_same(lake: Lake, type_: str, value: str) -> None:
    strange = contract(column("value", type_))
    text = ibis.memtable(pa.table({"value": [value]}))
    lake.publish(lake.write(strange, text.select(value=text.value.cast(_types(lake, strange)["value"]))))
    found = lake.read(strange)
    assert found.select(value=found.value.cast("string")).to_pyarrow().to_pylist() == [{"value": value}]


def test_the_columns_come_in_the_contract_s_order_whatever_order_they_are_given_in(lake: Lake) -> None:
    lake.publish(lake.write(THINGS, _table(lake, THINGS, NEW).select("name", "id")))
    assert lake.read(THINGS).columns == ("id", "name")
    assert _read(lake, THINGS) == NEW
    assert _read(lake, contract(column("name"), ID)) == NEW


def test_a_timestamp_fits_whether_or_not_its_precision_is_named(lake: Lake) -> None:
    dated = contract(column("at", "TIMESTAMP"))
    moment = datetime(2026, 11, 21, 1, 2, 3, 456789)
    lake.publish(lake.write(dated, ibis.memtable({"at": [moment]}, schema={"at": "timestamp"})))
    assert _read(lake, dated) == [{"at": moment}]


def test_a_product_of_amounts_is_kept_in_the_contract_s_decimals(lake: Lake) -> None:
    amounts = _table(lake, EVERY_TYPE, [{"id": 1, "amount": Decimal("1.0001")}])
    lake.publish(lake.write(EVERY_TYPE, amounts.mutate(amount=amounts.amount * amounts.amount)))
    assert [row["amount"] for row in _read(lake, EVERY_TYPE)] == [Decimal("1.0002")]
    [file] = _files(lake)
    assert pq.read_schema(file).field("amount").type == pa.decimal128(18, 4)


def test_what_was_never_published_reads_as_no_rows_in_the_contract_s_columns(lake: Lake) -> None:
    assert _read(lake, EVERY_TYPE) == []
    assert lake.read(EVERY_TYPE).schema() == _types(lake, EVERY_TYPE)
    assert lake.state("things") is None
    lake.write(THINGS, _table(lake, THINGS, NEW))
    assert _read(lake, THINGS) == []
    assert lake.state("things") is None


def test_an_empty_result_is_an_empty_table_of_the_contract_s_types_and_no_file(lake: Lake) -> None:
    _write(lake, EVERY_TYPE, [])
    assert lake.read(EVERY_TYPE).schema() == _types(lake, EVERY_TYPE)
    assert (_read(lake, EVERY_TYPE), lake.state("things").rows, _files(lake)) == ([], 0, [])


def test_rows_give_way_to_no_rows(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    _write(lake, THINGS, [])
    assert (_read(lake, THINGS), lake.state("things").rows) == ([], 0)


def test_a_table_bears_its_name_whether_or_not_it_has_rows(lake: Lake) -> None:
    names = [lake.read(THINGS).get_name()]
    for rows in (OLD, []):
        _write(lake, THINGS, rows)
        names.append(lake.read(THINGS).get_name())
    assert names == ["things"] * 3


def test_a_source_and_a_table_of_the_same_word_are_two_tables(lake: Lake) -> None:
    source = replace(THINGS, layer="sources")
    _write(lake, source, OLD)
    _write(lake, THINGS, NEW)
    assert (_read(lake, source), _read(lake, THINGS)) == (OLD, NEW)


# Publishing


def test_readers_see_the_old_rows_until_the_new_ones_are_published(lake: Lake, other: Lake) -> None:
    _write(lake, THINGS, OLD)
    commit = lake.write(THINGS, _table(lake, THINGS, NEW))
    assert (_read(lake, THINGS), _read(other, THINGS)) == (OLD, OLD)
    lake.publish(commit)
    assert (_read(lake, THINGS), _read(other, THINGS)) == (NEW, NEW)


def test_a_replace_is_exactly_one_new_snapshot(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    before = _snapshots(lake)
    commit = lake.write(THINGS, _table(lake, THINGS, NEW))
    assert _snapshots(lake) == [*before, commit.snapshot_id]


def test_a_large_table_is_read_by_all_threads_and_planned_for_by_its_size(lake: Lake, engine: Engine) -> None:
    count = 3 * ROW_GROUP_ROWS
    numbers = ibis.range(count).unnest().cast("int64").name("id").as_table()
    lake.publish(lake.write(THINGS, numbers.mutate(name=numbers.id.cast("string"))))
    # One file of a given schema is read by one thread, and without a number all tables are planned for as empty.
    assert len(list(lake.warehouse.rglob("*.parquet"))) > 1
    lake.read(THINGS)
    ((_, plan),) = engine.query(f"EXPLAIN SELECT max(name) FROM {THINGS.name}")
    assert f"~{count:,} rows" in plan


def test_the_snapshot_says_who_wrote_it_by_which_contract_and_how_new_its_rows_are(lake: Lake) -> None:
    dated = contract(ID, column("at", "TIMESTAMP"), event_time="at", version="2.1.0")
    rows = [
        {"id": 1, "at": datetime(2026, 1, 2)},
        {"id": 2, "at": datetime(2026, 1, 10, 3, 4, 5, 6)},
        {"id": 3, "at": None},
    ]
    commit = lake.write(dated, _table(lake, dated, rows), {"c360.run_id": "run", "c360.code_version": "code"})
    lake.publish(commit)
    assert commit.watermark == "2026-01-10 03:04:05.000006"
    assert lake.state("things").properties == {
        "c360.run_id": "run",
        "c360.code_version": "code",
        "c360.contract_version": "2.1.0",
        "c360.watermark": commit.watermark,
    }


def test_undated_rows_have_no_watermark(lake: Lake) -> None:
    dated = contract(ID, column("at", "TIMESTAMP"), event_time="at")
    assert lake.write(dated, _table(lake, dated, [{"id": 1}])).watermark is None
    assert lake.write(dated, _table(lake, dated, [])).watermark is None


def test_the_state_is_what_readers_see(lake: Lake) -> None:
    _write(lake, THINGS, NEW)
    [file] = _files(lake)
    commit = lake.write(THINGS, _table(lake, THINGS, OLD))
    state = lake.state("things")
    assert state.snapshot_id != commit.snapshot_id
    assert state == TableState(
        key="things",
        snapshot_id=state.snapshot_id,
        rows=2,
        bytes=file.stat().st_size,
        location=str(lake.warehouse / "c360/things"),
        properties={"c360.contract_version": "1.0.0"},
    )
    lake.publish(commit)
    assert (lake.state("things").snapshot_id, lake.state("things").rows) == (commit.snapshot_id, commit.rows)


# Refusals


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ([column("id", "BIGINT")], ["column 'name' is missing"]),
        ([*THINGS.columns, column("surplus")], ["column 'surplus' is not in the contract"]),
        ([column("id"), column("name")], ["column 'id' is string but the contract says BIGINT"]),
        (
            [column("id", "INTEGER"), column("Name")],
            ["'id' is int32", "'name' is missing", "'Name' is not in the contract"],
        ),
    ],
)
def test_columns_that_break_the_contract_are_named_and_nothing_changes(
    lake: Lake, given: list[Column], faults: list[str]
) -> None:
    _write(lake, THINGS, OLD)
    before = _footprint(lake)
    with pytest.raises(LakeError) as refusal:
        lake.write(THINGS, _table(lake, contract(*given), []))
    assert all(fault in str(refusal.value) for fault in faults), refusal.value
    assert _footprint(lake) == before
    # One or the other is mended, as is advised.
    assert str(refusal.value).endswith("Mend the table or its contract conformed/things.odcs.yaml.")
    assert lake.write(THINGS, _table(lake, THINGS, NEW)).rows == len(NEW)
    assert lake.write(contract(*given), _table(lake, contract(*given), [])).rows == 0


def test_a_required_column_with_holes_is_named_and_nothing_changes(lake: Lake) -> None:
    strict = contract(ID, column('the "name"', required=True), column("free"))
    _write(lake, strict, [{"id": 1, 'the "name"': "a"}])
    before = _footprint(lake)
    rows = [{"id": None, 'the "name"': None}, {"id": None, 'the "name"': "b"}, {"id": 3, 'the "name"': "c"}]
    with pytest.raises(LakeError, match="'id' is empty in 2 of 3 rows; column 'the \"name\"' is empty in 1 of 3 rows"):
        lake.write(strict, _table(lake, strict, rows))
    assert _footprint(lake) == before


def test_a_refused_write_does_not_change_the_columns_either(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    stricter = contract(ID, column("label", renamed_from="name"), column("added", required=True))
    with pytest.raises(LakeError, match="added"):
        lake.write(stricter, _table(lake, stricter, [{"id": 2, "label": "b"}]))
    assert _read(lake, THINGS) == OLD


def test_rows_that_fail_while_they_are_computed_leave_the_old_ones_and_no_file(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    before = _footprint(lake)
    name = "CASE WHEN range = 400000 THEN error('no such luck') ELSE 'x' END"
    late = f"SELECT range AS id, {name} AS name FROM range(500000)"
    with pytest.raises(LakeError, match=r"Table things fails on a row \(InvalidInput error\)") as raised:
        lake.write(THINGS, lake.engine.view("late", late))
    assert "no such luck" not in "".join(traceback.format_exception(raised.value))
    assert _footprint(lake) == before
    _write(lake, THINGS, NEW)
    assert _read(lake, THINGS) == NEW


# Contracts that change


def test_a_renamed_column_reads_right_before_anything_is_written_under_its_new_name(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    assert _read(lake, contract(ID, column("label", renamed_from="name"))) == [{"id": 1, "label": "old"}]


def test_a_renamed_column_reads_right_in_old_snapshots_and_new_ones(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    renamed = contract(ID, column("label", renamed_from="name"))
    commit = lake.write(renamed, _table(lake, renamed, [{"id": 2, "label": "new"}]))
    assert _read(lake, renamed) == [{"id": 1, "label": "old"}]
    lake.publish(commit)
    assert _read(lake, renamed) == [{"id": 2, "label": "new"}]


def test_columns_change_under_the_files_of_other_partitions(lake: Lake) -> None:
    before = contract(column("id", "BIGINT"), column("part", partitions=True), column("name"), column("gone"))
    after = contract(*before.columns[:2], column("label", renamed_from="name"), column("added", "DOUBLE"))
    _write(lake, before, [{"id": 1, "part": "a", "name": "old", "gone": "x"}], partition="a")
    _write(lake, after, [{"id": 2, "part": "b", "label": "new", "added": 0.5}], partition="b")
    assert _read(lake, after) == [
        {"id": 1, "part": "a", "label": "old", "added": None},
        {"id": 2, "part": "b", "label": "new", "added": 0.5},
    ]
    again = contract(*after.columns, column("gone"))
    _write(lake, again, [{"id": 2, "part": "b"}], partition="b")
    assert [row["gone"] for row in _read(lake, again)] == [None, None]


def test_a_column_reads_in_the_contract_s_type_before_it_is_written_in_it(lake: Lake) -> None:
    _write(lake, THINGS, OLD)
    retyped = contract(column("id"), column("name"))
    assert lake.read(retyped).schema() == _types(lake, retyped)


@pytest.mark.parametrize("new", [column("count", "BIGINT"), column("total", "BIGINT", renamed_from="count")])
def test_a_column_of_another_type_is_null_in_old_rows(lake: Lake, new: Column) -> None:
    before = contract(column("part", partitions=True), column("count"))
    after = contract(column("part", partitions=True), new)
    _write(lake, before, [{"part": "a", "count": "one"}], partition="a")
    _write(lake, after, [{"part": "b", new.name: 2}], partition="b")
    rows = lake.read(after).order_by("part").to_pyarrow().to_pylist()
    assert rows == [{"part": "a", new.name: None}, {"part": "b", new.name: 2}]


# Partitions


def test_writing_one_partition_leaves_the_others_as_they_were(lake: Lake) -> None:
    long_name = "marketing_touchpoint of 'every' kind = 1/2"
    for dataset in ("orders", "brand", long_name):
        _quarantine(lake, dataset, copies=1)
    _quarantine(lake, "orders", copies=2)
    assert _quarantined(lake) == {"orders": 2, "brand": 1, long_name: 1}
    assert lake.state("quarantine").rows == 3


def test_a_partition_written_empty_is_gone_and_the_others_are_not(lake: Lake) -> None:
    _quarantine(lake, "orders", copies=1)
    _quarantine(lake, "brand", copies=1)
    lake.publish(lake.write(QUARANTINE, lake.empty(QUARANTINE), partition="orders"))
    assert (_quarantined(lake), lake.state("quarantine").rows) == ({"brand": 1}, 1)


def test_rows_of_another_partition_than_the_one_written_are_refused(lake: Lake) -> None:
    _quarantine(lake, "brand", copies=1)
    with pytest.raises(LakeError, match="dataset"):
        lake.write(QUARANTINE, _quarantine_rows(lake, "brand", 2), partition="orders")
    assert _quarantined(lake) == {"brand": 1}


# Personal values


def test_metadata_holds_no_value_of_a_masked_column(lake: Lake) -> None:
    part = column("part", partitions=True)
    before = contract(part, column("email", classification="direct_identifier"))
    after = contract(part, column("address", classification="personal", renamed_from="email"))
    for value in ("first@secret", "next@secret"):
        _write(lake, before, [{"part": "plain", "email": value}], partition="plain")
    _write(lake, after, [{"part": "plain", "address": "renamed@secret"}], partition="plain")
    _write(lake, after, [], partition="plain")
    held = _metadata(lake)
    assert "b'plain'" in held
    assert "secret" not in held


# Several at once


def test_a_new_lake_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    homes = [tmp_path / str(number) for number in range(10)]
    for home in homes:
        home.mkdir()
    openers = _writer("open", *map(str, homes))
    assert (openers.communicate(timeout=60)[1], openers.returncode) == ("", 0)


def test_another_partition_written_meanwhile_stays(lake: Lake, other: Lake) -> None:
    _quarantine(lake, "orders", copies=1)
    rows = _quarantine_rows(lake, "orders", 2)
    slow = rows.mutate(copies=_meanwhile(lambda: _quarantine(other, "brand", copies=3))(rows.copies))
    lake.publish(lake.write(QUARANTINE, slow, partition="orders"))
    assert _quarantined(lake) == {"orders": 2, "brand": 3}


@pytest.mark.parametrize("before", [None, [], OLD])
def test_of_two_whole_writes_at_once_readers_see_one(lake: Lake, other: Lake, before: list[Row] | None) -> None:
    if before is not None:
        _write(lake, THINGS, before)
    rows = _table(lake, THINGS, [{"id": 3, "name": "slow"}])
    slow = rows.mutate(id=_meanwhile(lambda: _write(other, THINGS, NEW))(rows.id))
    with suppress(LakeError):
        lake.publish(lake.write(THINGS, slow))
    assert _read(lake, THINGS) in (NEW, [{"id": 3, "name": "slow"}])
    assert len(_files(lake)) == len(_referenced(lake))


def test_columns_that_another_process_adds_meanwhile_are_not_taken_for_ours(lake: Lake, other: Lake) -> None:
    _write(lake, THINGS, OLD)
    ours = contract(*THINGS.columns, column("ours"))
    theirs = contract(*THINGS.columns, column("theirs"))
    rows = [{"id": 3, "name": "slow", "ours": "x"}]
    slow = _table(lake, ours, rows)
    slow = slow.mutate(id=_meanwhile(lambda: _write(other, theirs, NEW))(slow.id))
    with suppress(LakeError):
        lake.publish(lake.write(ours, slow))
    assert _read(lake, ours) in (rows, [{**row, "ours": None} for row in NEW])


def test_a_writer_whom_others_never_let_through_gives_up_and_leaves_nothing(
    lake: Lake, other: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(lake, THINGS, OLD)
    evolve = iceberg.evolve

    def meanwhile(transaction: Any, contract: Contract) -> None:
        evolve(transaction, contract)
        with monkeypatch.context() as theirs:
            theirs.setattr(iceberg, "evolve", evolve)
            _write(other, THINGS, NEW)

    monkeypatch.setattr(iceberg, "evolve", meanwhile)
    monkeypatch.setattr(lakes, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(LakeError, match=r"Table things: for 0\.5 seconds other processes were faster"):
        lake.write(THINGS, _table(lake, THINGS, [{"id": 3, "name": "slow"}]))
    assert _read(lake, THINGS) == NEW
    assert len(_files(lake)) == len(_referenced(lake))


def test_a_late_publish_does_not_take_readers_back(lake: Lake, other: Lake) -> None:
    earlier = lake.write(QUARANTINE, _quarantine_rows(lake, "orders", 1), partition="orders")
    later = other.write(QUARANTINE, _quarantine_rows(other, "brand", 1), partition="brand")
    other.publish(later)
    lake.publish(earlier)
    assert _quarantined(lake) == {"orders": 1, "brand": 1}


def test_a_publish_so_late_that_its_snapshot_has_expired_changes_nothing(lake: Lake, other: Lake) -> None:
    commit = lake.write(THINGS, _table(lake, THINGS, OLD))
    while commit.snapshot_id in _snapshots(other):
        _write(other, THINGS, NEW)
    lake.publish(commit)
    assert _read(lake, THINGS) == NEW


def test_processes_that_write_their_own_partitions_lose_nothing(lake: Lake, tmp_path: Path) -> None:
    datasets = ["brand", "customer", "orders", "product"]
    assert lake.state("quarantine") is None
    writers = _writer("partitions", str(tmp_path), *datasets)
    told, complaints = writers.communicate(timeout=120)
    assert writers.returncode == 0, told + complaints
    assert _quarantined(lake) == dict.fromkeys(datasets, 10)
    assert lake.state("quarantine").rows == len(datasets)
    # Ten writes each, none of them twice: every snapshot has the next number.
    assert _iceberg(lake, "quarantine").metadata.last_sequence_number == 10 * len(datasets)


def test_a_writer_killed_at_any_moment_leaves_one_whole_generation(tmp_path: Path, engine: Engine) -> None:
    chance = random.Random(360)
    brand = CONTRACTS["sources/brand"]
    writer = _writer("generations")
    for kill in range(KILLS):
        home, first = tmp_path / str(kill % LAKES), 1000 * (kill + 1)
        home.mkdir(exist_ok=True)
        lake = opened(home, engine)
        print(home, first, file=writer.stdin, flush=True)
        process = _process(writer)
        time.sleep(chance.uniform(0, 0.4))
        os.kill(process, signal.SIGKILL)
        told = [int(line) for line in itertools.takewhile(lambda line: line != "gone\n", writer.stdout)]
        last = max(told, default=first)
        # The last generation told of, or one that was published and could not be told of any more.
        assert _generation(lake) in [(last, 1000), (last + 1, 1000)]
        _write(lake, brand, [{"brand_id": "1", brand.column_names[-1]: str(first + 999)}])
        assert _generation(lake) == (first + 999, 1)
        lake.close()
    writer.communicate()


def test_three_writers_and_a_reader_at_once(tmp_path: Path, engine: Engine) -> None:
    """Every look shows one whole generation, never one before that of the last look."""
    lake = opened(tmp_path, engine)
    writers = _writer("together")
    for number in range(1, 4):
        print(tmp_path, number * 1_000_000, file=writers.stdin, flush=True)
    told: list[int] = []
    processes = [_process(writers, told) for _ in range(3)]
    seen: dict[int, int] = {}
    newest: dict[int, int] = {}
    looks = 0
    # Until whatever each of them wrote third is seen, however slow the machine makes one.
    while looks < LOOKS or len(newest) < 3 or min(newest.values()) < 2:
        for process in processes:
            os.kill(process, 0)  # nobody gave up
        generation, rows = _generation(lake)
        assert rows == 1000
        published = lake.catalog.load_table(("sources", "brand")).snapshot_by_name("published")
        seen[published.sequence_number] = generation
        writer_number, number = divmod(generation, 1_000_000)
        newest[writer_number] = max(number, newest.get(writer_number, 0))
        looks += 1
    for process in processes:
        os.kill(process, signal.SIGKILL)
    told += [int(line) for line in writers.communicate()[0].split() if line != "gone"]
    # They were at work together, and each was seen.
    assert {generation // 1_000_000 for generation in told} == {1, 2, 3}, told
    assert list(seen) == sorted(seen)
    assert len({generation // 1_000_000 for generation in seen.values()}) == 3, seen
    newest_told = {generation // 1_000_000: generation for generation in told}
    last, _ = _generation(lake)
    assert last in {*told, *(generation + 1 for generation in newest_told.values())}
    lake.close()


def _generation(lake: Lake) -> tuple[int, int]:
    """The one generation readers see, and how many rows it has."""
    brand = CONTRACTS["sources/brand"]
    mark = brand.column_names[-1]
    found = lake.read(brand).group_by(mark).agg(rows=ibis._.count()).to_pyarrow().to_pylist()
    assert len(found) == 1, "no generation, or a mixture"
    return int(found[0][mark]), found[0]["rows"]


def _process(writer: subprocess.Popen[str], told: list[int] | None = None) -> int:
    """The process that tells of itself next; generations of others that are told of before go to `told`."""
    while not (line := writer.stdout.readline()).startswith("process "):
        assert line, writer.stderr.read()
        told.append(int(line))
    return int(line.split()[1])


def _writer(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _meanwhile(act: Callable[[], None]) -> Callable[[ir.IntegerColumn], ir.IntegerColumn]:
    """A function of a column that changes nothing; computing it lets `act` happen once, as by another process."""
    waiting = [act]

    @ibis.udf.scalar.python
    def unchanged(value: int) -> int:
        while waiting:
            waiting.pop()()
        return value

    return unchanged


def _types(lake: Lake, table: Contract) -> ibis.Schema:
    return lake.empty(table).schema()


def _table(lake: Lake, table: Contract, rows: list[Row]) -> ir.Table:
    """Rows in the contract's types; what is left out is null."""
    return ibis.memtable(pa.Table.from_pylist(rows, schema=_types(lake, table).to_pyarrow()))


def _write(lake: Lake, table: Contract, rows: list[Row], partition: str | None = None) -> None:
    lake.publish(lake.write(table, _table(lake, table, rows), partition=partition))


def _read(lake: Lake, table: Contract) -> list[Row]:
    """The published rows, by their first column."""
    found = lake.read(table)
    return found.order_by("id" if "id" in found.columns else found.columns[0]).to_pyarrow().to_pylist()


def _quarantine_rows(lake: Lake, dataset: str, copies: int) -> ir.Table:
    row = {"dataset": dataset, "source": "shop", "reason": "id is missing", "record": "{}", "copies": copies}
    return _table(lake, QUARANTINE, [row])


def _quarantine(lake: Lake, dataset: str, copies: int) -> None:
    lake.publish(lake.write(QUARANTINE, _quarantine_rows(lake, dataset, copies), partition=dataset))


def _quarantined(lake: Lake) -> dict[str, int]:
    rows = _read(lake, QUARANTINE)
    found = {row["dataset"]: row["copies"] for row in rows}
    assert len(found) == len(rows), "a partition twice"
    return found


def _iceberg(lake: Lake, name: str) -> Any:
    return lake.catalog.load_table(("c360", name))


def _snapshots(lake: Lake) -> list[int]:
    return [snapshot.snapshot_id for snapshot in _iceberg(lake, "things").snapshots()]


def _files(lake: Lake) -> list[Path]:
    return sorted(lake.warehouse.rglob("*.parquet"))


def _referenced(lake: Lake) -> set[str]:
    """The files of every snapshot of the table."""
    table = _iceberg(lake, "things")
    return {
        task.file.file_path for snapshot in _snapshots(lake) for task in table.scan(snapshot_id=snapshot).plan_files()
    }


def _footprint(lake: Lake) -> tuple[Any, ...]:
    """What must be the same before and after a write that failed."""
    table = _iceberg(lake, "things")
    held = table.scan().to_arrow().to_pylist()
    return (
        held,
        table.schema(),
        _snapshots(lake),
        lake.state("things"),
        sorted(lake.warehouse.rglob("data/*")),
        _files(lake),
    )


def _metadata(lake: Lake) -> str:
    """Everything the lake keeps beside the rows: table metadata, and the records of all manifests, old and new."""
    table = _iceberg(lake, "things")
    held = [file.read_text(encoding="utf-8") for file in lake.warehouse.rglob("*.json")]
    for file in lake.warehouse.rglob("*.avro"):
        with AvroFile[Any](table.io.new_input(file.as_uri())) as records:
            held += [repr(record) for record in records]
    return "\n".join(held)
