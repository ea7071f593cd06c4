"""Dagster's history in SQLite, where and as Dagster keeps it, over connections that stay open.

Dagster makes an engine and a connection for every statement of an event, looks up each time which tables there are, and
when the last connection to a file closes, SQLite writes its journal back and waits for the disk. Here an event is one
transaction of each file it goes to, and so are events that come together, as the plan of a run does.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from dagster._core.definitions.utils import DEFAULT_OUTPUT
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEventType,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import StaticPool

# Files kept open: the index of all runs, and the runs written or looked at last.
KEPT_FILES = 4
# Events that Dagster gives in one go, such as all a run plans to do, and that are written in one transaction.
BATCH = 10_000
INDEXED = {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS}


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's own SQLite storage with such an event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        # Without it Dagster hands over one event at a time.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH))
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "SqliteStorage":
        """The storage of a dagster.yaml."""
        return cls.from_local(inst_data=inst_data, **config_value)


class EventLog(SqliteEventLogStorage):
    """An event log whose files stay open. As in Dagster's, a lock lets one thread at a time use it."""

    def __init__(self, base_dir: str) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        # Transactions under way, by file: what is asked for within one is part of it.
        self._under_way: dict[str, sa.Connection] = {}
        self._there: set[tuple[str, str]] = set()
        self._turn = threading.RLock()
        super().__init__(base_dir)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, all of it or nothing; none that only says a check had an outcome, as its evaluation does."""
        if _is_output_of_check(event):
            return
        with self._connect(event.run_id), self._connect(INDEX_SHARD_NAME) if _is_indexed(event) else nullcontext():
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run, all of them or none."""
        with self._connect(events[0].run_id), self._connect(INDEX_SHARD_NAME):
            super().store_event_batch(events)

    def has_table(self, table_name: str) -> bool:
        """Whether there is such a table; one that was there stays."""
        return self._stays(super().has_table, table_name)

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has such a column; one that was there stays."""
        return self._stays(super().has_asset_key_col, column_name)

    def has_secondary_index(self, name: str) -> bool:
        """Whether the history was brought up to this change of Dagster's; if so, it stays."""
        return self._stays(super().has_secondary_index, name)

    def _stays(self, is_there: Callable[[str], bool], name: str) -> bool:
        known = (is_there.__name__, name)
        if known not in self._there and is_there(name):
            self._there.add(known)
        return known in self._there

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._turn:
            if shard in self._under_way:
                yield self._under_way[shard]
                return
            with self._engine(shard).begin() as connection:
                self._under_way[shard] = connection
                try:
                    yield connection
                finally:
                    del self._under_way[shard]

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._engines:
            options = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = sa.create_engine(self.conn_string_for_shard(shard), poolclass=StaticPool, connect_args=options)
            self._initdb(engine)
            with engine.connect() as connection:
                # A crash of the process loses nothing; one of the machine may lose what happened last.
                connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > KEPT_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def wipe(self) -> None:
        """Forget all events. The files are removed, so they are closed first."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close the files."""
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._turn:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _is_output_of_check(event: EventLogEntry) -> bool:
    """Whether an event tells that a check yielded, which Dagster says of each; outputs of assets have no own name."""
    if event.dagster_event_type != DagsterEventType.STEP_OUTPUT:
        return False
    return event.get_dagster_event().step_output_data.output_name != DEFAULT_OUTPUT


def _is_indexed(event: EventLogEntry) -> bool:
    """Whether an event also goes to the index of all runs."""
    return event.is_dagster_event and event.dagster_event_type in INDEXED
