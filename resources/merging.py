"""Merging: a batch of rows into a table, without touching the files in which nothing changes.

A batch brings rows that are new, rows that differ from those held, and rows that are held as they are. Only files that
hold a row to be replaced are rewritten, and with them small ones, so that many small batches do not leave many small
files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from governance.contract import Contract
from resources import iceberg
from resources.engine import Engine, quoted
from resources.iceberg import FILENAME

# A file below this is rewritten by the next batch. It bounds both the number of files and what a batch rewrites.
SMALL_FILE_ROWS = 100_000


@dataclass(frozen=True)
class Window:
    """Event times from `start` up to, not including, `end` (UTC), of which a batch has every row."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """How many hours it is long."""
        return (self.end - self.start) // timedelta(hours=1)

    def holds(self, column: str) -> str:
        """The SQL condition that an event is of the window; `column` is an SQL expression."""
        return f"{column} >= TIMESTAMP '{self.start}' AND {column} < TIMESTAMP '{self.end}'"


@dataclass(frozen=True)
class Merge:
    """What a batch does to a table: files that go, and the view of the rows that come in their place.

    `fresh` rows (of the table `fresh_rows`) are new or differ from those held, `gone` ones are there no more.
    """

    dropped: frozenset[str]
    rows: str
    fresh_rows: str
    fresh: int
    gone: int

    @property
    def is_nothing(self) -> bool:
        """Whether the table has all of it already."""
        return not self.fresh and not self.gone


def plan(
    engine: Engine, contract: Contract, batch: str, files: Mapping[str, int], schema: Any, window: Window | None
) -> Merge:
    """How the view `batch`, whose keys are unique, comes into a table that holds `files` (path and rows of each).

    Without a window a row of the batch takes the place of the one held by its key. With one, the batch is all there is
    in the window: rows held there and missing in the batch go, and of rows that share a key the newest event stays.
    """
    return _Planning(engine, contract, batch, files, schema, window).plan()


def forget(engine: Engine, contract: Contract) -> None:
    """Give back the memory of the rows that a plan compared."""
    for name in _names(contract):
        engine.query(f"DROP TABLE IF EXISTS {quoted(name)}")


def _names(contract: Contract) -> tuple[str, str]:
    """The engine's tables of the rows that come anew and of those that go."""
    return f"fresh rows of {contract.key}", f"gone rows of {contract.key}"


class _Planning:
    def __init__(
        self,
        engine: Engine,
        contract: Contract,
        batch: str,
        files: Mapping[str, int],
        schema: Any,
        window: Window | None,
    ) -> None:
        self.engine = engine
        self.contract = contract
        self.batch = batch
        self.time = contract.event_time or ""
        self.files = files
        self.schema = schema
        self.window = window
        self.key = ", ".join(quoted(name) for name in contract.primary_key)
        self.columns = ", ".join(quoted(name) for name in contract.column_names)
        self.fresh, self.gone = _names(contract)

    def plan(self) -> Merge:
        near = self._with_keys_of(self.batch) if self.window is None else set(self.files)
        if not near and not self._small():
            ((count,),) = self.engine.query(f"SELECT count(*) FROM {quoted(self.batch)}")
            return Merge(frozenset(), self.batch, self.batch, count, 0)
        held = self._rows(near)
        inside = f"SELECT * FROM ({held}) WHERE {self.window.holds(quoted(self.time))}" if self.window else held
        fresh = self._differing(self.fresh, f"FROM {quoted(self.batch)} AS one", inside)
        gone = 0
        if self.window:
            gone = self._differing(self.gone, f"FROM ({inside}) AS one", f"SELECT * FROM {quoted(self.batch)}")
            fresh -= self._yield_to_newer(held, self.window)
        removed = self.fresh if self.window is None else self._both()
        dropped = self._with_keys_of(removed, near) | (self._small() if fresh else set())
        kept = f"SELECT {self.columns} FROM ({self._rows(dropped)}) ANTI JOIN {quoted(removed)} USING ({self.key})"
        name = f"merged {self.contract.key}"
        self.engine.view(name, f"{kept} UNION ALL SELECT {self.columns} FROM {quoted(self.fresh)}")
        return Merge(frozenset(dropped), name, self.fresh, fresh, gone)

    def _differing(self, table: str, rows: str, others: str) -> int:
        """Make a table of those rows that have no equal among others of the same key; how many they are."""
        one, other = (
            ", ".join(f"{side}.{quoted(name)}" for name in self.contract.column_names) for side in ("one", "other")
        )
        same = " AND ".join(f"one.{quoted(name)} = other.{quoted(name)}" for name in self.contract.primary_key)
        self.engine.query(
            f"CREATE OR REPLACE TABLE {quoted(table)} AS SELECT {one} {rows}"
            f" ANTI JOIN ({others}) AS other ON {same} AND row({one}) IS NOT DISTINCT FROM row({other})"
        )
        ((count,),) = self.engine.query(f"SELECT count(*) FROM {quoted(table)}")
        return int(count)

    def _small(self) -> set[str]:
        return {file for file, rows in self.files.items() if rows < SMALL_FILE_ROWS}

    def _both(self) -> str:
        """A view of the keys of all rows that come or go."""
        name = f"removed keys of {self.contract.key}"
        keys = f"SELECT {self.key} FROM"
        self.engine.view(name, f"{keys} {quoted(self.fresh)} UNION ALL {keys} {quoted(self.gone)}")
        return name

    def _with_keys_of(self, rows: str, files: set[str] | None = None) -> set[str]:
        """The files that hold a row with one of these keys; reads the key columns alone."""
        among = self._rows(set(self.files) if files is None else files)
        found = self.engine.query(
            f"SELECT DISTINCT {FILENAME} FROM ({among}) SEMI JOIN {quoted(rows)} USING ({self.key})"
        )
        return {file for (file,) in found}

    def _yield_to_newer(self, held: str, window: Window) -> int:
        """Take from the fresh rows those whose key is held with a newer event outside the window; how many."""
        time, fresh = quoted(self.time), quoted(self.fresh)
        newer = (
            f"SELECT {self.key} FROM ({held}) AS held JOIN {fresh} AS fresh USING ({self.key})"
            f" WHERE held.{time} > fresh.{time} AND NOT ({window.holds(f'held.{time}')})"
        )
        return len(self.engine.query(f"DELETE FROM {fresh} WHERE ({self.key}) IN ({newer}) RETURNING {self.key}"))

    def _rows(self, files: set[str]) -> str:
        return iceberg.select({file: self.files[file] for file in files}, self.schema, self.contract, with_file=True)


def covered(hours: str, window: Window) -> str:
    """Hours known to be loaded, written `start/end` one after another, and with them those of the window."""
    merged: list[Window] = []
    for one in sorted([*windows(hours), window], key=lambda one: one.start):
        if merged and one.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return " ".join(f"{one.start.isoformat()}/{one.end.isoformat()}" for one in merged)


def gaps(hours: str) -> list[Window]:
    """The spans between hours that were loaded, which were not."""
    return [Window(before.end, after.start) for before, after in pairwise(windows(hours))]


def loaded_hours(hours: str) -> int:
    """How many hours were loaded."""
    return sum(window.hours for window in windows(hours))


def is_covered(hours: str, column: str) -> str:
    """The SQL condition that an event lies in hours that were loaded."""
    held = [window.holds(quoted(column)) for window in windows(hours)]
    return f"({' OR '.join(held) or 'false'})"


def windows(hours: str) -> list[Window]:
    """The spans of hours that were loaded, in order."""
    return [Window(*map(datetime.fromisoformat, span.split("/"))) for span in hours.split()]
