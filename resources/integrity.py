"""Integrity: whether the files of a table lie on the disk as they were written, and how a table is put back where not.

A table whose newest rows are damaged goes back to its newest snapshot that is whole. What is put aside is moved and
never deleted.
"""

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources import iceberg
from resources.iceberg import PUBLISHED
from resources.relocating import lies_in, relocated
from resources.replacing import unused

VERSION = re.compile(r"(\d+)-")
DIGEST = re.compile(r"-([0-9a-f]{64})$")
# How a Parquet file begins and ends.
PARQUET = b"PAR1"


@dataclass(frozen=True)
class Fault:
    """A file of a table that is not as it was written."""

    file: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.file} {self.problem}"


class Elsewhere(Fault):
    """A table that lies in another folder than the catalog knows, since it was moved or copied, or is another's."""


@dataclass(frozen=True)
class Examined:
    """What was found of one table.

    `lost` is what keeps the catalog from it, `damaged` the faults of each of its snapshots that has any, `current` the
    snapshots that are written last or seen by readers, `written` when the newest was (seconds since 1970).
    """

    key: str
    snapshots: int
    files: int
    lost: Fault | None
    damaged: dict[int, list[Fault]]
    current: frozenset[int]
    written: float = 0.0

    @property
    def faults(self) -> list[Fault]:
        """All that is wrong, each once."""
        found = [fault for faults in self.damaged.values() for fault in faults]
        return [*([self.lost] if self.lost else []), *dict.fromkeys(found)]


def sealed(file: Path) -> Path:
    """The file, renamed so that its name tells its content: then a bit that turns over is found."""
    return file.rename(file.with_stem(f"{file.stem}-{_digest(file)}"))


def has_snapshots(folder: Path) -> bool:
    """Whether rows of a table were ever committed there. A process killed as it makes a table leaves a folder, too."""
    return any(folder.glob("metadata/snap-*.avro"))


class Integrity:
    """The tables of a catalog and of the folders below a warehouse. Where it is `deep`, it reads all of their bytes."""

    def __init__(self, catalog: Any, warehouse: Path, deep: bool = False) -> None:
        self.catalog = catalog
        self.warehouse = warehouse
        self.deep = deep

    def tables(self) -> list[str]:
        """Every table that the catalog knows, or of which there is a folder with rows."""
        return sorted(self._lying() | self._known())

    def moved(self) -> Elsewhere | None:
        """That tables lie in another place than the catalog knows, told of one of them; None where none does."""
        faults = (self.elsewhere(key, self.catalog.location(iceberg.identifier(key))) for key in sorted(self._known()))
        return next(filter(None, faults), None)

    def unknown(self) -> list[str]:
        """Tables of which there is a folder with rows, and that the catalog does not know."""
        # In this order, for another process may make a table meanwhile.
        lying = self._lying()
        return sorted(lying - self._known())

    def _lying(self) -> set[str]:
        folders = [folder for folder in self.warehouse.glob("*/*/") if has_snapshots(folder)]
        return {iceberg.key(*folder.relative_to(self.warehouse).parts) for folder in folders}

    def _known(self) -> set[str]:
        spaces = self.catalog.list_namespaces()
        return {iceberg.key(*identity) for space in spaces for identity in self.catalog.list_tables(space)}

    def examine(self, key: str) -> Examined:
        """What is wrong with a table."""
        table, lost = self._opened(key)
        if table is None:
            return Examined(key, 0, 0, lost, {}, frozenset())
        snapshots = _Snapshots(table, self.deep)
        damaged = {one.snapshot_id: faults for one in table.snapshots() if (faults := snapshots.faults(one))}
        current = {reference.snapshot_id for reference in table.refs().values()}
        written = max((one.timestamp_ms for one in table.snapshots()), default=0) / 1000
        count, files = len(table.snapshots()), len(snapshots.data_files)
        return Examined(key, count, files, None, damaged, frozenset(current), written)

    def repair(self, examined: Examined) -> str:
        """Put a damaged table back on its newest whole snapshot, or aside where there is none; what was done."""
        if examined.lost:
            found = self._registered(examined.key)
            if found is None:
                return self._put_aside(examined.key)
            again = self.examine(examined.key)
            message = f"registered again by {found.name}"
            return f"{message}; {self.repair(again)}" if again.damaged else message
        table = self.catalog.load_table(iceberg.identifier(examined.key))
        whole = [one for one in _newest_first(table) if one.snapshot_id not in examined.damaged]
        if not whole:
            return self._put_aside(examined.key)
        message = (
            self._put_back(table, whole, set(examined.damaged)) if examined.current & set(examined.damaged) else ""
        )
        gone = [one.snapshot_id for one in table.refresh().snapshots() if one.snapshot_id in examined.damaged]
        table.maintenance.expire_snapshots().by_ids(gone).commit()
        return message or f"{len(gone)} older snapshots forgotten, which nobody reads"

    def _put_back(self, table: Any, whole: list[Any], damaged: set[int]) -> str:
        seen, newest = table.snapshot_by_name(PUBLISHED), table.current_snapshot()
        steps = []
        if newest.snapshot_id in damaged:
            table.manage_snapshots().set_current_snapshot(whole[0].snapshot_id).commit()
            steps.append(f"put back on its newest whole snapshot, of {_moment(whole[0])}")
        if seen and seen.snapshot_id in damaged:
            older = [one for one in whole if one.sequence_number < seen.sequence_number]
            if older:
                table.manage_snapshots().create_tag(older[0].snapshot_id, PUBLISHED).commit()
                steps.append(f"readers see the rows of {_moment(older[0])}")
            else:
                table.manage_snapshots().remove_tag(PUBLISHED).commit()
                steps.append("readers see no rows until it is built again")
        return "; ".join(steps)

    def elsewhere(self, key: str, where: Path) -> Elsewhere | None:
        """That a table, known by its metadata file, lies in another folder than it should; None where it does not."""
        folder = self._folder(key)
        if lies_in(where, folder):
            return None
        known = where.parent.parent
        moved = f"was moved or copied here from {known}"
        return Elsewhere(folder, moved if has_snapshots(folder) else f"is not there, the catalog knows it in {known}")

    def _folder(self, key: str) -> Path:
        return self.warehouse.joinpath(*iceberg.identifier(key))

    def _opened(self, key: str) -> tuple[Any, Fault | None]:
        """The table, read anew; or what keeps us from it."""
        from pyiceberg.exceptions import NoSuchTableError

        identity = iceberg.identifier(key)
        try:
            where = self.catalog.location(identity)
        except NoSuchTableError:
            return None, Fault(self._folder(key), "is not in the catalog")
        if elsewhere := self.elsewhere(key, where):
            return None, elsewhere
        try:
            return self.catalog.load_table(identity), None
        except FileNotFoundError:
            return None, Fault(where, "is missing")
        except Exception:  # whatever a reader of JSON and of its model makes of bytes that are none
            return None, Fault(where, "cannot be read")

    def _registered(self, key: str) -> Path | None:
        """The metadata file by which the catalog knows a table again: the newest that tells of whole rows."""
        identity = iceberg.identifier(key)
        for known in self._histories(key):
            table = self._by(known)
            if table is None:
                continue
            file = relocated(known, table, self._folder(key))
            if file != known:
                table = self._by(file)
            snapshots = _Snapshots(table, self.deep)
            if any(not snapshots.faults(one) for one in table.snapshots()):
                self._forget(identity)
                self.catalog.register_table(identity, file.as_uri())
                return file
        return None

    def _by(self, file: Path) -> Any:
        """The table by a metadata file; None where that cannot be read."""
        from pyiceberg.table import StaticTable

        with suppress(Exception):  # as above
            return StaticTable.from_metadata(file.as_uri(), self.catalog.properties)
        return None

    def _histories(self, key: str) -> list[Path]:
        """The metadata files of a table, newest first."""
        return sorted(self._folder(key).glob("metadata/*.metadata.json"), key=_version, reverse=True)

    def _put_aside(self, key: str) -> str:
        """Forget a table of which no snapshot is whole, and move its folder out of the way."""
        identity = iceberg.identifier(key)
        folder = self._folder(key)
        if not has_snapshots(folder) and not lies_in(self.catalog.location(identity), folder):
            return (
                "left as it is, since it may be another deployment's: name the folder of the lake, or another catalog"
            )
        self._forget(identity)
        if not folder.exists():
            return "forgotten, as nothing of it is left; build it again"
        aside = unused(self.warehouse.with_name(f"{self.warehouse.name}.damaged") / "-".join(identity))
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
        return f"no snapshot of it is whole; what is left was moved to {aside}; build it again"

    def _forget(self, identity: tuple[str, str]) -> None:
        from pyiceberg.exceptions import NoSuchTableError

        with suppress(NoSuchTableError):
            self.catalog.drop_table(identity)


class _Snapshots:
    """Finds what is wrong with the snapshots of a table; files that several share are looked at once."""

    def __init__(self, table: Any, deep: bool) -> None:
        self.io = table.io
        self.deep = deep
        self.data_files: dict[str, list[Fault]] = {}
        self.manifests: dict[str, list[Fault]] = {}

    def faults(self, snapshot: Any) -> list[Fault]:
        from pyiceberg.manifest import read_manifest_list

        file = Path(iceberg.path(snapshot.manifest_list))
        manifests, faults = _read(file, lambda: read_manifest_list(self.io.new_input(snapshot.manifest_list)))
        return [*faults, *(fault for manifest in manifests for fault in self._of_manifest(manifest))]

    def _of_manifest(self, manifest: Any) -> list[Fault]:
        path = manifest.manifest_path
        if path not in self.manifests:
            file = Path(iceberg.path(path))
            entries, faults = _read(file, lambda: manifest.fetch_manifest_entry(self.io))
            found = [fault for entry in entries for fault in self._of_data(entry.data_file)]
            self.manifests[path] = [*faults, *found]
        return self.manifests[path]

    def _of_data(self, written: Any) -> list[Fault]:
        path = written.file_path
        if path not in self.data_files:
            problem = self._problem(Path(iceberg.path(path)), written.file_size_in_bytes)
            self.data_files[path] = [Fault(Path(iceberg.path(path)), problem)] if problem else []
        return self.data_files[path]

    def _problem(self, file: Path, size: int) -> str:
        try:
            found = file.stat().st_size
            if found != size:
                return f"has {found:,} of {size:,} bytes"
            is_whole = _is_parquet(file) and (not self.deep or _is_as_sealed(file))
            return "" if is_whole else "is not as it was written"
        except FileNotFoundError:
            return "is missing"
        except OSError:
            return "cannot be read"


def _read(file: Path, read: Any) -> tuple[list[Any], list[Fault]]:
    try:
        return list(read()), []
    except FileNotFoundError:
        return [], [Fault(file, "is missing")]
    except Exception:  # whatever a reader of Avro makes of bytes that are none
        return [], [Fault(file, "cannot be read")]


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as content:
        begin = content.read(len(PARQUET))
        content.seek(-len(PARQUET), 2)
        return begin == content.read() == PARQUET


def _is_as_sealed(file: Path) -> bool:
    """Whether the content is what the name tells; of files older than such names there is nothing to compare."""
    digest = DIGEST.search(file.stem)
    return digest is None or digest[1] == _digest(file)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _newest_first(table: Any) -> list[Any]:
    return sorted(table.snapshots(), key=lambda one: one.sequence_number, reverse=True)


def _version(file: Path) -> tuple[int, int, str]:
    """What orders the metadata files of a table; of two that follow upon the same one, the later is newer."""
    number = VERSION.match(file.name)
    try:
        written = int(json.loads(file.read_text(encoding="utf-8"))["last-updated-ms"])
    except (OSError, ValueError, KeyError, TypeError):
        written = 0
    return (int(number[1]) if number else -1, written, file.name)


def _moment(snapshot: Any) -> str:
    return f"{datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
