"""Expiry: old snapshots of a table, and the files nobody refers to any more.

PyIceberg forgets snapshots but leaves their files; a killed write leaves files that no snapshot ever knew.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from resources import iceberg

KEPT_SNAPSHOTS = 10
# Expiring in batches spreads its cost.
MOST_SNAPSHOTS = 2 * KEPT_SNAPSHOTS
# Whoever began to read a snapshot before it was replaced may take so long, unless writes follow in a crowd.
READING_SECONDS = 5 * 60
CROWD = 5 * KEPT_SNAPSHOTS
# A younger file may belong to a commit that another process is about to make.
GUARD_SECONDS = 24 * 60 * 60
# While no run is at work only small tables are written, by rows that a person gives: they are committed within this.
COMMIT_SECONDS = 60


def expire(table: Any) -> None:
    """Forget old snapshots (none that carries a name, nor one of the newest), and delete the files they alone held.

    What it costs depends on the snapshots it forgets and not on how often the table was written.
    """
    from pyiceberg.exceptions import CommitFailedException

    old, kept = _told_apart(table)
    if len(old) < MOST_SNAPSHOTS - KEPT_SNAPSHOTS:
        return
    alone: set[Path] = set()
    # Read before the commit, after which another process may delete what tells. Of a damaged table nothing is deleted.
    with suppress(OSError):
        alone = _held_by(old, kept, table.io)
    try:
        table.maintenance.expire_snapshots().by_ids([one.snapshot_id for one in old]).commit()
    except CommitFailedException:  # another process is at work on the table; the next publish will tidy up
        return
    except ValueError:
        # Another process has forgotten some of them first, and deletes what they held.
        if all(table.refresh().snapshot_by_id(one.snapshot_id) for one in old):
            raise
        return
    _delete(alone, _location(table))


def _told_apart(table: Any) -> tuple[list[Any], list[Any]]:
    """The snapshots that nobody needs any more, and the others."""
    named = {reference.snapshot_id for reference in table.refs().values()}
    newest = sorted(table.snapshots(), key=lambda snapshot: snapshot.sequence_number, reverse=True)
    read_since = (time.time() - READING_SECONDS) * 1000
    old = [
        one
        for place, (after, one) in enumerate(pairwise(newest), start=1)
        if one.snapshot_id not in named
        and (place >= CROWD or (place >= KEPT_SNAPSHOTS and after.timestamp_ms < read_since))
    ]
    return old, [one for one in newest if one not in old]


def _held_by(old: list[Any], kept: list[Any], io: Any) -> set[Path]:
    """The files that only these old snapshots hold.

    What went never comes back, so what is held still by those kept is told by the first one written after the old
    ones, and by those before it, which are kept for their names.
    """
    last = max(one.sequence_number for one in old)
    after = min((one for one in kept if one.sequence_number > last), key=lambda one: one.sequence_number)
    held = _manifests([after, *(one for one in kept if one.sequence_number < last)], io)
    gone = {path: manifest for path, manifest in _manifests(old, io).items() if path not in held}
    files = {*gone, *(one.manifest_list for one in old), *(_data_files(gone, io) - _data_files(held, io))}
    return {Path(iceberg.path(uri)) for uri in files}


def _manifests(snapshots: Iterable[Any], io: Any) -> dict[str, Any]:
    return {manifest.manifest_path: manifest for snapshot in snapshots for manifest in snapshot.manifests(io)}


def _data_files(manifests: Mapping[str, Any], io: Any) -> set[str]:
    return {entry.data_file.file_path for one in manifests.values() for entry in one.fetch_manifest_entry(io)}


def _delete(files: Iterable[Path], location: Path) -> None:
    """Delete files of a table, and the folders of its data that are empty then."""
    data = location / "data"
    for file in files:
        file.unlink(missing_ok=True)
        for folder in file.parents:
            if not folder.is_relative_to(data) or folder == data:
                break
            with suppress(OSError):  # something is in it
                folder.rmdir()


def forget(table: Any) -> int:
    """Forget every snapshot but the one written last and the one readers see, and delete the files these do not hold.

    For whoever keeps runs away meanwhile: rows that no snapshot ever held are waited for, until they are so old that
    they belong to no commit any more; other such files, which hold no rows, stay as long. Returns how many files were
    deleted; who is interrupted can begin again.
    """
    before = _referenced(table)
    kept = {one.snapshot_id for one in (table.current_snapshot(), table.snapshot_by_name(iceberg.PUBLISHED)) if one}
    old = [one.snapshot_id for one in table.snapshots() if one.snapshot_id not in kept]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()
    while young := [file for file in _unheld(table.refresh()) - before if _holds_rows(file) and _is_young(file)]:
        time.sleep(max(0.0, COMMIT_SECONDS - min(map(_age, young))))
    gone = {file for file in _unheld(table) if file in before or not _is_young(file)}
    _delete(gone, _location(table))
    return len(gone)


def _holds_rows(file: Path) -> bool:
    return file.suffix == ".parquet"


def _is_young(file: Path) -> bool:
    return _age(file) < COMMIT_SECONDS


def _unheld(table: Any) -> set[Path]:
    """The files below a table that none of its snapshots holds."""
    return set(_lying(_location(table))) - _referenced(table)


def _age(file: Path) -> float:
    return time.time() - _written_at(file)


def _location(table: Any) -> Path:
    return Path(iceberg.path(table.location()))


def sweep(table: Any) -> int:
    """Delete the files below a table that no snapshot refers to, once they are old enough; how many there were."""
    location, used = _location(table), _referenced(table)
    young = time.time() - GUARD_SECONDS
    found = [file for file in _lying(location) if file not in used and _written_at(file) < young]
    _delete(found, location)
    for folder in location.glob("data/*/"):
        if not any(folder.iterdir()) and folder.stat().st_mtime < young:
            folder.rmdir()
    return len(found)


def _lying(location: Path) -> list[Path]:
    return [*location.glob("data/**/*.parquet"), *location.glob("metadata/*.avro"), *location.glob("metadata/*.json")]


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # another process tidies up too
        return time.time()


def _referenced(table: Any) -> set[Path]:
    """Every file of metadata, manifest list, manifest and data file of the snapshots that are left."""
    manifests = _manifests(table.snapshots(), table.io)
    found = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    found |= {*manifests, *(one.manifest_list for one in table.snapshots()), *_data_files(manifests, table.io)}
    return {Path(iceberg.path(uri)) for uri in found}
