"""Expiry: the newest snapshots stay, and what nobody needs any more goes, at the same cost however old the table is."""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import resources.lake
from resources import expiry
from resources.engine import Engine
from resources.expiry import CROWD, GUARD_SECONDS, KEPT_SNAPSHOTS, MOST_SNAPSHOTS
from resources.lake import Lake
from resources.merging import Window
from resources.overwriting import MOST_MANIFESTS
from tests.lakes import opened
from tests.tables import CONTRACTS, rows, table

BRAND, WEB = CONTRACTS["sources/brand"], CONTRACTS["sources/web_analytics"]
# Metadata files of the last 20 changes stay, and the one that holds.
METADATA_FILES = 21


@pytest.fixture
def nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """No snapshot is kept for those who may read it still."""
    monkeypatch.setattr(expiry, "READING_SECONDS", 0)


def brand(generation: int) -> ir.Table:
    return table("sources/brand", {"brand_id": f"b{generation}"})


def loaded(lake: Lake, key: str) -> Any:
    return lake.catalog.load_table(tuple(key.split("/")))


def age(*paths: Path) -> None:
    """Make files look as if they had been written before the guard."""
    past = time.time() - GUARD_SECONDS - 60
    for path in paths:
        os.utime(path, (past, past))


def held(lake: Lake, key: str) -> set[str]:
    """Every manifest list, manifest and data file of the snapshots that are kept."""
    found, table = set(), loaded(lake, key)
    for snapshot in table.snapshots():
        manifests = snapshot.manifests(table.io)
        entries = [entry for manifest in manifests for entry in manifest.fetch_manifest_entry(table.io)]
        found |= {snapshot.manifest_list, *(one.manifest_path for one in manifests)}
        found |= {entry.data_file.file_path for entry in entries}
    return found


def lying(lake: Lake, key: str) -> set[str]:
    """All files below the table but those of metadata."""
    return {path.as_uri() for path in (lake.warehouse / key).rglob("*") if path.suffix in (".parquet", ".avro")}


@pytest.mark.usefixtures("nobody_reads")
def test_old_snapshots_and_their_files_go_and_the_table_stays(lake: Lake) -> None:
    last = 2 * MOST_SNAPSHOTS
    for generation in range(last + 1):
        lake.publish(lake.write(BRAND, brand(generation)))
    assert KEPT_SNAPSHOTS <= len(loaded(lake, BRAND.key).snapshots()) <= MOST_SNAPSHOTS
    assert lying(lake, BRAND.key) == held(lake, BRAND.key)
    location = lake.warehouse / BRAND.key
    assert len(list(location.glob("metadata/*.metadata.json"))) == METADATA_FILES
    assert {path.name for path in location.glob("data/*")} == {
        path.parent.name for path in location.glob("data/*/*.parquet")
    }
    assert rows(lake.read(BRAND), "brand_id") == [(f"b{last}",)]


def test_what_somebody_may_be_reading_stays_unless_writes_come_in_a_crowd(lake: Lake) -> None:
    most = CROWD + MOST_SNAPSHOTS - KEPT_SNAPSHOTS
    counts = []
    for generation in range(most + 5):
        lake.publish(lake.write(BRAND, brand(generation)))
        counts.append(len(loaded(lake, BRAND.key).snapshots()))
    assert counts[: most - 1] == list(range(1, most))
    assert max(counts) < most + 2
    assert counts[-1] < most
    assert lying(lake, BRAND.key) == held(lake, BRAND.key)


@pytest.mark.usefixtures("nobody_reads")
def test_rows_that_readers_see_stay_however_many_are_written_and_not_published(lake: Lake) -> None:
    lake.publish(lake.write(BRAND, brand(0)))
    for generation in range(1, 2 * MOST_SNAPSHOTS):
        lake.write(BRAND, brand(generation))
    assert rows(lake.read(BRAND), "brand_id") == [("b0",)]
    assert len(loaded(lake, BRAND.key).snapshots()) <= MOST_SNAPSHOTS + 1
    assert lying(lake, BRAND.key) == held(lake, BRAND.key)


def test_no_manifest_names_what_went_before_and_few_name_what_stays(lake: Lake) -> None:
    start = datetime(2026, 1, 1)
    for month in range(3 * MOST_MANIFESTS):
        at = start + timedelta(days=31 * month)
        event = table(WEB.key, {"activity_uuid": f"e{month}", "activity_ts": at, "event_action": "view"})
        lake.publish(lake.merge(WEB, event, window=Window(at, at + timedelta(hours=1))))
    held_now = loaded(lake, WEB.key)
    manifests = held_now.current_snapshot().manifests(held_now.io)
    assert len(manifests) <= MOST_MANIFESTS
    files = [entry.data_file.file_path for one in manifests for entry in one.fetch_manifest_entry(held_now.io)]
    assert len(files) == len(set(files)) == 3 * MOST_MANIFESTS
    assert lake.read(WEB).count().to_pyarrow().as_py() == 3 * MOST_MANIFESTS
    for generation in range(5):
        lake.publish(lake.write(BRAND, brand(generation)))
    replaced = loaded(lake, BRAND.key)
    came, went = replaced.current_snapshot().manifests(replaced.io)
    assert (came.added_files_count, went.deleted_files_count) == (1, 1)


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "merge", "keep back"]), st.integers(0, 3)), min_size=8, max_size=16
)


@given(steps=STEPS)
@settings(max_examples=8, deadline=None)
def test_whatever_was_written_and_merged_every_snapshot_has_its_files_and_no_other_file_lies_there(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, steps: list[tuple[str, int]]
) -> None:
    lake = opened(tmp_path_factory.mktemp("lake"), engine)
    expected: dict[str, str] = {}
    seen: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(expiry, "READING_SECONDS", 0)
        for module in (expiry, resources.lake):
            patched.setattr(module, "MOST_SNAPSHOTS", 4)
        patched.setattr(expiry, "KEPT_SNAPSHOTS", 2)
        for step, (kind, which) in enumerate(steps):
            row = table(BRAND.key, {"brand_id": f"b{which}", "brand_name": f"n{step}"})
            commit = lake.merge(BRAND, row) if kind == "merge" else lake.write(BRAND, row)
            expected = {**(expected if kind == "merge" else {}), f"b{which}": f"n{step}"}
            if kind != "keep back":
                lake.publish(commit)
                seen = expected
    assert dict(rows(lake.read(BRAND), "brand_id", "brand_name")) == seen
    assert dict(rows(lake.newest(BRAND)[0], "brand_id", "brand_name")) == expected
    assert lying(lake, BRAND.key) == held(lake, BRAND.key)
    lake.close()


@pytest.mark.usefixtures("nobody_reads")
def test_a_table_that_lost_a_manifest_of_an_old_snapshot_is_written_all_the_same(lake: Lake) -> None:
    for generation in range(3 * MOST_SNAPSHOTS):
        lake.publish(lake.write(BRAND, brand(generation)))
        if generation == MOST_SNAPSHOTS // 2:
            oldest = min(loaded(lake, BRAND.key).snapshots(), key=lambda one: one.sequence_number)
            Path(oldest.manifest_list.removeprefix("file://")).unlink()
    assert rows(lake.read(BRAND), "brand_id") == [(f"b{generation}",)]
    assert len(loaded(lake, BRAND.key).snapshots()) <= MOST_SNAPSHOTS
    assert held(lake, BRAND.key) < lying(lake, BRAND.key)


def test_litter_goes_once_it_can_belong_to_no_write_under_way(lake: Lake) -> None:
    lake.publish(lake.write(BRAND, brand(0)))
    location = lake.warehouse / BRAND.key
    litter = {}
    for name in ("young", "old"):
        litter[name] = [location / f"data/{name}/part-0.parquet", location / f"metadata/{name}.avro"]
        litter[name].append(location / f"metadata/00001-{name}.metadata.json")
        litter[name][0].parent.mkdir()
        for file in litter[name]:
            file.write_bytes(b"not committed")
    age(*litter["old"], litter["old"][0].parent)
    age(*(path for path in location.rglob("*") if path.is_file() and path not in litter["young"]))
    assert lake.sweep() == (3, [])
    assert not any(file.exists() for file in (*litter["old"], litter["old"][0].parent))
    assert all(file.exists() for file in litter["young"])
    assert lying(lake, BRAND.key) - {file.as_uri() for file in litter["young"]} == held(lake, BRAND.key)
    assert rows(lake.read(BRAND), "brand_id") == [("b0",)]
    assert lake.sweep() == (0, [])
