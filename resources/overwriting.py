"""Overwriting: one snapshot in which data files go and others come, at the same cost after ten thousand as after ten.

PyIceberg's own leaves a manifest of the files that went in every snapshot after it, for good, and reads them all with
each write; and each write adds a manifest. Iceberg wants the files that went to be named in the snapshot that drops
them, and in no later one; and it lets manifests be written together.
"""

from typing import Any

from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles

# Manifests of a table, beyond which they are written together.
MOST_MANIFESTS = 8
MANIFEST_BYTES = 8 * 1024 * 1024


class Overwrite(_OverwriteFiles):  # type: ignore[misc]
    """A snapshot of the table's main branch with these `properties`; used as a context, which commits it."""

    def __init__(self, transaction: Transaction, io: Any, properties: dict[str, str]) -> None:
        is_first = transaction.table_metadata.current_snapshot() is None
        operation = Operation.APPEND if is_first else Operation.OVERWRITE
        super().__init__(operation, transaction, io, snapshot_properties=properties)

    def _existing_manifests(self) -> list[Any]:
        """Those of the snapshot before that hold a file which stays."""
        return [one for one in super()._existing_manifests() if one.has_added_files() or one.has_existing_files()]

    def _process_manifests(self, manifests: list[Any]) -> list[Any]:
        together: list[Any] = _ManifestMergeManager(MANIFEST_BYTES, MOST_MANIFESTS, True, self).merge_manifests(
            manifests
        )
        return together
