"""Expiry: old snapshots of a table, and the files nobody refers to any more.

PyIceberg forgets snapshots but leaves their files; a killed write leaves files that no snapshot ever knew.
"""

import time
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

KEPT_SNAPSHOTS = 10
# Expiring in batches spreads its cost; a table has between the kept number of snapshots and this.
MOST_SNAPSHOTS = 2 * KEPT_SNAPSHOTS
# A younger file may belong to a commit that another process is about to make, or be read by a running query.
GUARD_SECONDS = 24 * 60 * 60


def expire(table: Any) -> None:
    """Forget all but the newest snapshots (and those that carry a name), then delete what nothing refers to."""
    from pyiceberg.exceptions import CommitFailedException

    named = {reference.snapshot_id for reference in table.refs().values()}
    newest = sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number, reverse=True)
    old = [snapshot.snapshot_id for snapshot in newest[KEPT_SNAPSHOTS:] if snapshot.snapshot_id not in named]
    if not old:
        return
    try:
        table.maintenance.expire_snapshots().by_ids(old).commit()
    except CommitFailedException:  # another process is at work on the table; the next publish will tidy up
        return
    _delete_unreferenced(table.refresh())


def _delete_unreferenced(table: Any) -> None:
    location = Path(urlparse(table.location()).path)
    used = _referenced(table)
    youngest = time.time() - GUARD_SECONDS
    for file in [*location.glob("data/**/*.parquet"), *location.glob("metadata/*.avro")]:
        if file not in used and _written_at(file) < youngest:
            file.unlink(missing_ok=True)
    for folder in location.glob("data/*/"):
        if not any(folder.iterdir()) and folder.stat().st_mtime < youngest:
            folder.rmdir()


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # another process tidies up too
        return time.time()


def _referenced(table: Any) -> set[Path]:
    """Every manifest list, manifest and data file of the snapshots that are left."""
    found = set()
    for snapshot in table.snapshots():
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            found.add(manifest.manifest_path)
            found |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io)}
    return {Path(urlparse(uri).path) for uri in found}
