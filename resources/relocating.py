"""Tables that were moved or copied with their folder.

Iceberg names every file by its whole path, from the metadata down to the manifests, so all of these are written anew.
Nothing is changed or deleted of what is there, and nothing of where it was.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from resources import iceberg
from resources.replacing import replacing

CODEC = "gzip"
# Where a manifest names its data file, and a list of manifests the manifest and its bytes.
FILE_PATH, MANIFEST_PATH, MANIFEST_LENGTH = 1, 0, 1


def lies_in(file: Path | str, folder: Path) -> bool:
    """Whether a file or folder that Iceberg names is this folder, or below it, by whatever links."""
    named = Path(iceberg.path(str(file)))
    return named.is_relative_to(folder) or named.resolve().is_relative_to(folder.resolve())


def relocated(file: Path, table: Any, folder: Path) -> Path:
    """The metadata file of the table as it lies in `folder`: `file` itself where it tells of that, else one made anew.

    `table` is what `file` tells of. Manifests that cannot be read are named where they lie now. OSError where nothing
    can be written.
    """
    if lies_in(table.location(), folder):
        return file
    metadata, move = json.loads(file.read_text(encoding="utf-8")), _Move(table.location(), folder)
    lists = {one.snapshot_id: move.manifest_list(table, one) for one in table.snapshots()}
    for snapshot in metadata["snapshots"]:
        snapshot["manifest-list"] = lists[snapshot["snapshot-id"]]
    for earlier in metadata.get("metadata-log", []):
        earlier["metadata-file"] = move.uri(earlier["metadata-file"])
    metadata["location"] = folder.as_uri()
    number = int(file.name.split("-")[0]) + 1
    anew = folder / "metadata" / f"{number:05}-{uuid4()}.metadata.json"
    with replacing(anew) as fresh:
        fresh.write_text(json.dumps(metadata), encoding="utf-8")
    return anew


class _Move:
    """From where a table was to its folder; manifests that several snapshots share are written once."""

    def __init__(self, before: str, folder: Path) -> None:
        self.before, self.after = before.rstrip("/"), folder.as_uri()
        self.folder = folder
        self.manifests: dict[str, tuple[str, int]] = {}

    def uri(self, named: str) -> str:
        """Where a file lies now."""
        return self.after + named.removeprefix(self.before) if named.startswith(f"{self.before}/") else named

    def manifest_list(self, table: Any, snapshot: Any) -> str:
        """The list of manifests of a snapshot, written anew."""
        from pyiceberg.manifest import ManifestFile, read_manifest_list, write_manifest_list

        here = self.uri(snapshot.manifest_list)
        found = _read(lambda: list(read_manifest_list(table.io.new_input(here))))
        if found is None:
            return here
        # Those read are kept in memory by PyIceberg, and are not ours to change.
        manifests = [ManifestFile(*one._data) for one in found]
        for one in manifests:
            one[MANIFEST_PATH], one[MANIFEST_LENGTH] = self._manifest(table, one)
        target = table.io.new_output(self._fresh(f"snap-{snapshot.snapshot_id}-0-{uuid4()}.avro"))
        version, numbers = table.metadata.format_version, (snapshot.parent_snapshot_id, snapshot.sequence_number)
        with write_manifest_list(version, target, snapshot.snapshot_id, *numbers, CODEC) as writer:
            writer.add_manifests(manifests)
        return str(target.location)

    def _manifest(self, table: Any, manifest: Any) -> tuple[str, int]:
        if manifest.manifest_path not in self.manifests:
            self.manifests[manifest.manifest_path] = self._manifest_anew(table, manifest)
        return self.manifests[manifest.manifest_path]

    def _manifest_anew(self, table: Any, manifest: Any) -> tuple[str, int]:
        """The address of a manifest that names its files where they lie now, and its bytes."""
        from pyiceberg.manifest import ManifestFile, write_manifest

        here = ManifestFile(*manifest._data)
        here[MANIFEST_PATH] = self.uri(manifest.manifest_path)
        entries = _read(lambda: here.fetch_manifest_entry(table.io, discard_deleted=False))
        if entries is None:
            return here.manifest_path, here.manifest_length
        target = table.io.new_output(self._fresh(f"{uuid4()}-m0.avro"))
        spec, version = table.specs()[manifest.partition_spec_id], table.metadata.format_version
        with write_manifest(version, spec, table.schema(), target, manifest.added_snapshot_id, CODEC) as writer:
            for entry in entries:
                entry.data_file[FILE_PATH] = self.uri(entry.data_file.file_path)
                writer.add_entry(entry)
        return target.location, len(target)

    def _fresh(self, name: str) -> str:
        return (self.folder / "metadata" / name).as_uri()


def _read(read: Callable[[], list[Any]]) -> list[Any] | None:
    """What a file holds; None where it is damaged, which shows then wherever it lies."""
    with suppress(Exception):  # whatever a reader of Avro makes of bytes that are none
        return read()
    return None
