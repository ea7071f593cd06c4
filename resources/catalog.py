"""The Iceberg catalog: which metadata file of a table is the current one.

PyIceberg reads and parses that file at every look at a table. It never changes, so what was read once is kept, and a
look costs one question to the database.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import PY_IO_IMPL
from pyiceberg.table import Transaction
from pyiceberg.table.metadata import MetadataLogEntry, SnapshotLogEntry
from pyiceberg.table.snapshots import Snapshot
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from resources import iceberg
from resources.iceberg import NAMESPACE, SOURCES_NAMESPACE

# They never change, and PyIceberg copies all of a table's some ten times a write.
for part in (Snapshot, SnapshotLogEntry, MetadataLogEntry):
    part.__deepcopy__ = lambda self, memo: self

FILES = "resources.local_files.LocalFiles"
CURRENT = sa.select(IcebergTables.metadata_location).where(
    IcebergTables.catalog_name == sa.bindparam("catalog"),
    IcebergTables.table_namespace == sa.bindparam("namespace"),
    IcebergTables.table_name == sa.bindparam("name"),
)


# Of several processes that open a new lake at once, all but one find its tables half made and look again.
@retry(
    retry=retry_if_exception_type((OperationalError, ProgrammingError, IntegrityError)),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(0.05, 1),
    reraise=True,
)
def opened(uri: str, warehouse: str) -> "Catalog":
    """The catalog in the database at `uri`, made where there is none; `warehouse` is the folder of new tables."""
    catalog = Catalog("c360", uri=uri, warehouse=warehouse, **{PY_IO_IMPL: FILES})
    for namespace in (SOURCES_NAMESPACE, NAMESPACE):
        catalog.create_namespace_if_not_exists(namespace)
    return catalog


def shown(uri: str) -> str:
    """The address of a catalog without who enters and with what."""
    return sa.make_url(uri).set(username=None, password=None, query={}).render_as_string()


class Change(Transaction):  # type: ignore[misc]
    """A transaction that computes what the table becomes once for each update.

    PyIceberg does it at every look, some thirty times a write, and copies all of the metadata each time.
    """

    def __init__(self, table: Any) -> None:
        self._seen: tuple[Any, Any, Any] = (None, None, None)
        super().__init__(table)

    @property
    def table_metadata(self) -> Any:
        """The metadata of the table with the updates made so far."""
        before, updates, becomes = self._seen
        if before is not self._table.metadata or updates is not self._updates:
            before, updates, becomes = self._table.metadata, self._updates, super().table_metadata
            self._seen = before, updates, becomes
        return becomes


class Catalog(SqlCatalog):  # type: ignore[misc]
    """PyIceberg's catalog with a memory of the tables as they were last."""

    def __init__(self, name: str, **properties: str) -> None:
        super().__init__(name, **properties)
        self._known: dict[tuple[str, ...], Any] = {}

    def load_table(self, identifier: Any) -> Any:
        """The table as it is now, an object of the caller's own: a commit changes the one it is made on."""
        identity = self.identifier_to_tuple(identifier)
        known = self._known.get(identity)
        if known is None or known.metadata_location != self._current(identity):
            known = self._known[identity] = super().load_table(identity)
        return copy.copy(known)

    def location(self, identifier: Any) -> Path:
        """The metadata file that is current. NoSuchTableError where the catalog does not know the table."""
        uri = self._current(self.identifier_to_tuple(identifier))
        if uri is None:
            raise NoSuchTableError(f"There is no table {identifier}")
        return Path(iceberg.path(uri))

    def commit_table(self, table: Any, requirements: Any, updates: Any) -> Any:
        """Commit, and keep what the table has become."""
        committed = super().commit_table(table, requirements, updates)
        known = copy.copy(table)
        known.metadata, known.metadata_location = committed.metadata, committed.metadata_location
        self._known[table.name()] = known
        return committed

    def _current(self, identity: tuple[str, ...]) -> str | None:
        *namespace, name = identity
        asked: Mapping[str, str] = {"catalog": self.name, "namespace": ".".join(namespace), "name": name}
        with self.engine.connect() as connection:
            location: str | None = connection.scalar(CURRENT, asked)
        return location
