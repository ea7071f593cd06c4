"""Expiry: the newest snapshots stay, everything else goes once it is old enough."""

import os
import time
from pathlib import Path

from resources.engine import Engine
from resources.expiry import GUARD_SECONDS, KEPT_SNAPSHOTS, MOST_SNAPSHOTS
from resources.lake import Lake
from tests.tables import CONTRACTS, rows, table

BRAND = CONTRACTS["sources/brand"]


def age(folder: Path) -> None:
    """Make all files look as if they had been written before the guard."""
    past = time.time() - GUARD_SECONDS - 60
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (past, past))


def test_old_snapshots_and_their_files_go_and_the_table_stays(tmp_path: Path) -> None:
    engine = Engine()
    lake = Lake(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "lake", engine)
    for generation in range(2 * MOST_SNAPSHOTS):
        if generation == 2 * MOST_SNAPSHOTS - 3:
            age(tmp_path / "lake")
        lake.publish(lake.write(BRAND, table("sources/brand", {"brand_id": f"b{generation}"})))
    snapshots = lake.catalog.load_table(("sources", "brand")).snapshots()
    assert KEPT_SNAPSHOTS <= len(snapshots) <= MOST_SNAPSHOTS
    location = tmp_path / "lake/sources/brand"
    assert len(list(location.glob("data/*/*.parquet"))) <= MOST_SNAPSHOTS
    assert len(list(location.glob("metadata/*.metadata.json"))) <= 21
    assert rows(lake.read(BRAND), "brand_id") == [(f"b{2 * MOST_SNAPSHOTS - 1}",)]
    lake.close()
    engine.close()


def test_a_file_that_may_belong_to_a_commit_in_flight_is_left_alone(tmp_path: Path) -> None:
    engine = Engine()
    lake = Lake(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "lake", engine)
    orphans = {}
    for generation in range(MOST_SNAPSHOTS):
        lake.publish(lake.write(BRAND, table("sources/brand", {"brand_id": f"b{generation}"})))
        if generation == 0:
            for name in ("young", "old"):
                orphans[name] = tmp_path / f"lake/sources/brand/data/{name}/part-0.parquet"
                orphans[name].parent.mkdir()
                orphans[name].write_bytes(b"not yet committed")
            age(orphans["old"].parent)
    assert orphans["young"].exists()
    assert not orphans["old"].exists()
    lake.close()
    engine.close()
