"""Customer history: versions from snapshots, each with its time, its change and its run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from c360_assets import definitions
from c360_assets.conformed import customer_history
from c360_assets.conformed.customer_history import advanced, history, rolled_back
from resources.deployment import Deployment
from tests.checks.measured import empty_deployment, hold
from tests.tables import CONTRACTS, arrow, computed, day, rows, table

KEY, PROFILE = "customer_id", ("city", "annual_income")
OWN = [
    "customer_id", "version", "valid_from", "valid_to", "is_current", "change", "changed_columns", "run_id",
]  # fmt: skip
EPOCH = datetime(2026, 1, 1)

Profile = tuple[Any, ...]
Snapshot = dict[str, Profile]
Run = tuple[datetime | None, Snapshot]

profiles = st.tuples(st.sampled_from([None, "Oslo", "Bergen"]), st.sampled_from([None, 0.0, 1.5]))
snapshots = st.dictionaries(st.sampled_from(["ann", "bob"]), profiles)
moments = st.integers(1, 4).map(lambda days: EPOCH + timedelta(days))
runs_of_any_time = st.lists(st.tuples(st.none() | moments, snapshots), max_size=6)
runs_in_order = st.lists(st.tuples(moments, snapshots), max_size=6).map(
    lambda runs: sorted(runs, key=lambda run: run[0])
)


@pytest.fixture(scope="module", autouse=True)
def _compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customer_history, "advanced", computed(advanced))
        yield


def snapshot_of(people: Snapshot) -> ir.Table:
    """The source dataset, of which two attributes will do."""
    records = [{KEY: key, **dict(zip(PROFILE, values, strict=True))} for key, values in people.items()]
    return ibis.memtable(arrow(table("sources/customer", *records)).select([KEY, *PROFILE]))


def kept(result: ir.Table) -> ir.Table:
    """The table as a later run finds it."""
    return ibis.memtable(arrow(result))


def nothing() -> ir.Table:
    return ibis.memtable(arrow(table("customer_history")).select([*OWN, *PROFILE]))


def after(runs: list[Run], former: ir.Table | None = None) -> ir.Table:
    """The history after these runs, each with its place as run id."""
    found = nothing() if former is None else former
    for place, (moment, people) in enumerate(runs):
        found = kept(history(snapshot_of(people), found, moment, f"run {place}"))
    return found


def content(found: ir.Table) -> list[tuple[Any, ...]]:
    return sorted(rows(found, *found.columns), key=lambda row: row[:2])


def versions(found: ir.Table) -> dict[str, list[dict[str, Any]]]:
    """The versions of each customer, in order."""
    records = sorted(arrow(found).to_pylist(), key=lambda record: record["version"])
    return {key: [record for record in records if record[KEY] == key] for key in {record[KEY] for record in records}}


def told(found: ir.Table) -> list[tuple[Any, ...]]:
    """What the history says of itself, days for moments."""
    return [
        (key, number, start.day, end and end.day, current, change, columns, run)
        for key, number, start, end, current, change, columns, run, *_ in content(found)
    ]


# The oracle: from all runs at once, each customer's profile moment by moment, then one version per stretch of equals.


def expected(runs: list[Run]) -> list[tuple[Any, ...]]:
    by_moment: dict[datetime, list[tuple[str, Snapshot]]] = {}
    for place, (moment, people) in enumerate(runs):
        ends = [end or start for _, _, start, end, *_ in _versions(by_moment)]
        if moment is None or moment < max(ends, default=moment):
            continue
        # Later moments are those of runs that saw nothing new, or the history would hold them.
        by_moment = {known: seen for known, seen in by_moment.items() if known <= moment}
        by_moment.setdefault(moment, []).append((f"run {place}", people))
    return _versions(by_moment)


def _versions(by_moment: dict[datetime, list[tuple[str, Snapshot]]]) -> list[tuple[Any, ...]]:
    found = []
    for key in ("ann", "bob"):
        stretches: list[list[Any]] = []
        for moment, seen in sorted(by_moment.items()):
            profile = seen[-1][1].get(key)
            if not stretches or stretches[-1][2] != profile:
                if stretches:
                    stretches[-1][1] = moment
                stretches.append([moment, None, profile, _first_of_the_last(seen, key)])
        known = [stretch for stretch in stretches if stretch[2] is not None]
        for number, (start, end, profile, run) in enumerate(known):
            before = known[number - 1] if number else None
            change = "added" if before is None else "changed" if before[1] == start else "re-added"
            differing = [
                name for place, name in enumerate(PROFILE) if before is not None and before[2][place] != profile[place]
            ]
            columns = ", ".join(differing) or None
            found.append((key, number + 1, start, end, end is None, change, columns, run, *profile))
    return found


def _first_of_the_last(seen: list[tuple[str, Snapshot]], key: str) -> str:
    """The run from which on the profile was as the last run of the moment found it."""
    first = len(seen) - 1
    while first and seen[first - 1][1].get(key) == seen[-1][1].get(key):
        first -= 1
    return seen[first][0]


def test_a_profile_that_changes_has_a_version_for_each_time() -> None:
    found = after(
        [
            (day("2026-01-01"), {"ann": ("Oslo", 1.0), "bob": (None, None)}),
            (day("2026-01-02"), {"ann": ("Bergen", None), "bob": (None, None)}),
            (day("2026-01-03"), {"ann": ("Bergen", None)}),
            (day("2026-01-04"), {"ann": ("Bergen", None), "bob": (None, None)}),
        ]
    )
    assert told(found) == [
        ("ann", 1, 1, 2, False, "added", None, "run 0"),
        ("ann", 2, 2, None, True, "changed", "city, annual_income", "run 1"),
        ("bob", 1, 1, 3, False, "added", None, "run 0"),
        ("bob", 2, 4, None, True, "re-added", None, "run 3"),
    ]
    assert [row[-2:] for row in content(found)] == [("Oslo", 1.0), ("Bergen", None), (None, None), (None, None)]


def test_a_second_change_as_of_one_moment_takes_the_place_of_the_first() -> None:
    runs: list[Run] = [(day("2026-01-01"), {"ann": ("Oslo", None)}), (day("2026-01-02"), {"ann": ("Bergen", None)})]
    again: Run = (day("2026-01-02"), {"ann": ("Bergen", 1.5)})
    assert told(after([*runs, again])) == [
        ("ann", 1, 1, 2, False, "added", None, "run 0"),
        ("ann", 2, 2, None, True, "changed", "city, annual_income", "run 2"),
    ]
    back: Run = (day("2026-01-02"), {"ann": ("Oslo", None)})
    assert told(after([*runs, back])) == [("ann", 1, 1, None, True, "added", None, "run 0")]


def test_who_comes_and_goes_as_of_one_moment_was_never_there() -> None:
    ann: Snapshot = {"ann": ("Oslo", None)}
    first, second = day("2026-01-01"), day("2026-01-02")
    assert told(after([(first, ann), (first, {})])) == []
    assert told(after([(first, ann), (second, {}), (second, ann)])) == [
        ("ann", 1, 1, None, True, "added", None, "run 0")
    ]


def test_a_run_of_the_past_or_of_no_moment_changes_nothing() -> None:
    found = after([(day("2026-01-01"), {"ann": ("Oslo", None)}), (day("2026-01-03"), {})])
    for moment in (day("2026-01-02"), None):
        assert content(after([(moment, {"bob": ("Oslo", None)})], found)) == content(found)


def test_without_customers_there_is_no_history() -> None:
    assert content(after([(day("2026-01-01"), {})])) == []
    assert content(after([(None, {"ann": ("Oslo", None)})])) == []


@settings(max_examples=100, deadline=None)
@given(runs_of_any_time)
@example(
    [
        (EPOCH, {"ann": ("Oslo", None)}),
        (EPOCH + timedelta(2), {"ann": (None, None)}),
        (EPOCH + timedelta(2), {"ann": ("Oslo", None)}),
        (EPOCH + timedelta(1), {}),
    ]
)
def test_the_history_is_that_of_a_plain_loop(runs: list[Run]) -> None:
    found = after(runs)
    assert content(found) == expected(runs)
    assert found.columns == nothing().columns


@settings(max_examples=30, deadline=None)
@given(runs_in_order.filter(bool))
def test_current_versions_are_the_snapshot_and_a_second_look_adds_nothing(runs: list[Run]) -> None:
    found = after(runs)
    moment, people = runs[-1]
    current = found.filter(found.is_current)
    assert {key: profile for key, *profile in rows(current, KEY, *PROFILE)} == {
        key: [*profile] for key, profile in people.items()
    }
    assert content(kept(history(snapshot_of(people), found, moment, "again"))) == content(found)
    later = EPOCH + timedelta(30)
    assert content(kept(history(snapshot_of(people), found, later, "later"))) == content(found)


@settings(max_examples=30, deadline=None)
@given(runs_of_any_time)
def test_versions_follow_one_another(runs: list[Run]) -> None:
    for mine in versions(after(runs)).values():
        assert [version["version"] for version in mine] == list(range(1, len(mine) + 1))
        assert [version["change"] == "added" for version in mine] == [version["version"] == 1 for version in mine]
        assert all(version["valid_to"] is not None for version in mine[:-1])
        assert all(version["is_current"] == (version["valid_to"] is None) for version in mine)
        assert all(version["valid_from"] < version["valid_to"] for version in mine if version["valid_to"])
        for before, version in pairwise(mine):
            if version["change"] == "changed":
                assert version["valid_from"] == before["valid_to"]
            else:
                assert version["valid_from"] > before["valid_to"]


@settings(max_examples=30, deadline=None)
@given(runs_in_order.filter(bool), st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(runs: list[Run], order: Any) -> None:
    *earlier, (moment, people) = runs
    former = after(earlier)
    in_order = history(snapshot_of(people), former, moment, "run")
    mixed = history(shuffled(snapshot_of(people), order), shuffled(former, order), moment, "run")
    assert content(mixed) == content(in_order)


def shuffled(found: ir.Table, order: Any) -> ir.Table:
    records = arrow(found)
    places = list(range(records.num_rows))
    order.shuffle(places)
    return ibis.memtable(records.take(pa.array(places, pa.int64())))


def test_every_column_of_the_source_has_a_history() -> None:
    source, contract = CONTRACTS["sources/customer"], CONTRACTS["customer_history"]
    assert contract.column_names == [*OWN, *(name for name in source.column_names if name != KEY)]
    for column in source.columns:
        mine = contract.column(column.name)
        assert (mine.type, mine.description, mine.classification) == (
            column.type, column.description, column.classification,
        )  # fmt: skip


def test_a_change_of_any_column_is_seen() -> None:
    source = CONTRACTS["sources/customer"]
    values = {"VARCHAR": "x", "INTEGER": 1, "DOUBLE": 0.5, "BOOLEAN": False, "TIMESTAMP": EPOCH}
    names = [name for name in source.column_names if name != KEY]
    people = [{KEY: name, name: values[source.column(name).type]} for name in names]
    blank = table("sources/customer", *({KEY: name} for name in names))
    former = kept(history(blank, table("customer_history"), EPOCH, "first"))
    found = history(table("sources/customer", *people), former, EPOCH + timedelta(1), "second")
    assert rows(found.filter(found.is_current), KEY, "changed_columns") == sorted((name, name) for name in names)


def built(deployment: Deployment, instance: dg.DagsterInstance) -> str:
    """Build the table, and what it depends on no more than it finds; the id of the run."""
    job = definitions.build(deployment).resolve_job_def("refresh")
    done = job.execute_in_process(asset_selection=[dg.AssetKey("customer_history")], instance=instance)
    return done.run_id


def test_a_run_finds_the_versions_of_the_run_before(tmp_path: Path) -> None:
    with empty_deployment(tmp_path) as deployment, dg.DagsterInstance.ephemeral() as instance:
        ids = []
        for date, city in (("2026-01-01", "Oslo"), ("2026-01-02", "Oslo"), ("2026-01-03", "Bergen")):
            later = {KEY: "zoe", "registration_date": day("2026-02-01")}
            hold(deployment, "sources/customer", {KEY: "ann", "city": city}, later)
            hold(deployment, "as_of", {"as_of": day(date), "timezone": "UTC"})
            ids.append(built(deployment, instance))
        contract = deployment.contracts["customer_history"]
        found = deployment.lake.newest(contract)[0]
        assert rows(found, "version", KEY, "valid_from", "valid_to", "run_id", "city") == [
            (1, "ann", day("2026-01-01"), day("2026-01-03"), ids[0], "Oslo"),
            (2, "ann", day("2026-01-03"), None, ids[2], "Bergen"),
        ]


@given(runs=runs_in_order, moment=moments)
@settings(max_examples=15, deadline=None)
def test_rolled_back_it_is_what_the_runs_up_to_then_had_made_it(runs: list[Run], moment: datetime) -> None:
    up_to = [run for run in runs if run[0] is None or run[0] <= moment]
    assert content(rolled_back(after(runs), moment)) == content(after(up_to))
