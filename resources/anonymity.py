"""Anonymity of files: how well people are lost in the crowd by what is shown of them, and what is held back for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from governance.policy import Anonymity, Outcome, View
from governance.privacy import MASK
from resources.engine import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A mask tells at least whether there is a value.
TELLING = (Outcome.CLEAR, Outcome.RANGE, Outcome.HASH, Outcome.REDACTED)
# Columns are hidden until so many rows are of a crowd; to hide more for the last few would cost more than it brings.
KEPT = 0.95
# By what name the engine knows the rows that are about to leave.
LEAVING = "c360_leaving"


@dataclass(frozen=True)
class Report:
    """What is told of an export: the columns that together tell people apart, and how few share what is shown.

    `smallest` is the size of the smallest group of people (k), `least` the fewest different values of an attribute in a
    group (l), None without attribute. `alone` counts rows of groups smaller than asked, `hidden` names the columns that
    were hidden and `held_back` counts the rows left out for it: none where the file is not to be anonymous.
    """

    columns: tuple[str, ...]
    attributes: tuple[str, ...]
    rows: int
    smallest: int | None
    least: int | None
    alone: int
    hidden: tuple[str, ...] = ()
    held_back: int = 0


def anonymous(
    connection: "DuckDBPyConnection", rows: str, view: View, asked: Anonymity, is_enforced: bool
) -> tuple[str, Report] | None:
    """The SELECT of those of the rows, a SELECT too, that may leave, and the report.

    What tells people apart are the personal columns that are shown in whatever way; hashes are equal where values are.
    None where no such column is shown. An attribute of which all rows together have too few values tells nothing of a
    group, and is not asked of any. People are counted by the first pseudonymous column that is shown, rows where there
    is none. The SELECT reads a temporary table until it is asked for again.
    """
    shown = [(column, outcome) for column, outcome in view.classified() if outcome in TELLING]
    personal = [column.name for column, _ in shown if column.classification == "personal"]
    attributes = tuple(name for name in asked.attributes if name in personal)
    columns = tuple(name for name in personal if name not in attributes)
    if not columns:
        return None
    person = next((column.name for column, _ in shown if column.classification == "pseudonymous"), None)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {LEAVING} AS {rows}")
    crowd = _Crowd(connection, person, _Crowd(connection, person, attributes, asked).varied(), asked)
    left = crowd.thinned(columns) if is_enforced else columns
    hidden = tuple(name for name in columns if name not in left)
    smallest, least, alone = crowd.measured(left, is_enforced)
    report = Report(columns, crowd.attributes, crowd.rows, smallest, least, alone, hidden, alone if is_enforced else 0)
    return (crowd.kept(view, left, hidden) if is_enforced else f"SELECT * FROM {LEAVING}"), report


@dataclass(frozen=True)
class _Crowd:
    """Rows about to leave, grouped by what is shown of people."""

    connection: "DuckDBPyConnection"
    person: str | None
    attributes: tuple[str, ...]
    asked: Anonymity

    def varied(self) -> tuple[str, ...]:
        """The attributes of which all rows together have as many values as is asked of each group."""
        return tuple(name for name, count in self._counts(self.attributes).items() if count >= self.asked.l)

    @property
    def rows(self) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {LEAVING}").fetchall()[0][0])

    def measured(self, columns: Sequence[str], of_crowds: bool) -> tuple[int | None, int | None, int]:
        """People in the smallest group and fewest values in one, of all or of crowds alone; rows that are of none."""
        which = self._is_crowd() if of_crowds else "true"
        least = f"min({self._least()}) FILTER ({which})" if self.attributes else "NULL"
        ((smallest, fewest, alone),) = self.connection.execute(
            f"SELECT min(people) FILTER ({which}), {least},"
            f" coalesce(sum(count) FILTER (NOT ({self._is_crowd()})), 0)::BIGINT FROM ({self._groups(columns)})"
        ).fetchall()
        return smallest, fewest, alone

    def thinned(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The columns that stay when those are hidden, one after the other, that bring most rows into a crowd."""
        left, rows, counts = tuple(columns), self.rows, self._counts(columns)

        def worth(hidden: str) -> tuple[int, int]:
            # While no column alone makes a crowd, the one of most values tells most apart.
            return self._alone([name for name in left if name != hidden]), -counts[hidden]

        while left and self._alone(left) > rows * (1 - KEPT):
            # Among equals the last: columns are in the order of the contract.
            worst = min(reversed(left), key=worth)
            left = tuple(name for name in left if name != worst)
        return left

    def kept(self, view: View, left: Sequence[str], hidden: Sequence[str]) -> str:
        """The SELECT of the rows that are of a crowd, with hidden columns masked."""
        names = [name for name, outcome in view.outcomes.items() if outcome is not Outcome.ABSENT]
        # In every row: a mask only where there is a value would still tell who has one.
        masked = {name: f"{literal(MASK)} AS {quoted(name)}" for name in hidden}
        columns = ", ".join(masked.get(name, f"held.{quoted(name)}") for name in names)
        same = " AND ".join(f"held.{quoted(name)} IS NOT DISTINCT FROM crowd.{quoted(name)}" for name in left) or "true"
        crowds = f"SELECT * FROM ({self._groups(left)}) WHERE {self._is_crowd()}"
        return f"SELECT {columns} FROM {LEAVING} AS held SEMI JOIN ({crowds}) AS crowd ON {same}"

    def _alone(self, columns: Sequence[str]) -> int:
        return self.measured(columns, of_crowds=True)[2]

    def _counts(self, columns: Sequence[str]) -> dict[str, int]:
        """How many values each column has in all rows."""
        counts = ", ".join(map(_values, columns))
        found = self.connection.execute(f"SELECT {counts} FROM {LEAVING}").fetchall()[0] if columns else ()
        return {name: count or 0 for name, count in zip(columns, found, strict=True)}

    def _groups(self, columns: Sequence[str]) -> str:
        people = "count(*)"
        if self.person:
            name = quoted(self.person)
            # Of whom nothing says who they are, every row may be somebody else.
            people = f"count(DISTINCT {name}) + count(*) FILTER ({name} IS NULL)"
        values = ", ".join(f"{_values(name)} AS {quoted(f'values of {name}')}" for name in self.attributes)
        listed = ", ".join(map(quoted, columns))
        told = ", ".join(filter(None, (listed, f"{people} AS people", "count(*) AS count", values)))
        return f"SELECT {told} FROM {LEAVING} " + (f" GROUP BY {listed}" if listed else "")

    def _least(self) -> str:
        return f"least({', '.join(quoted(f'values of {name}') for name in self.attributes)})"

    def _is_crowd(self) -> str:
        diverse = f" AND {self._least()} >= {self.asked.l}" if self.attributes else ""
        return f"people >= {self.asked.k}{diverse}"


def _values(name: str) -> str:
    """The SQL of how many values a column has, none at all being one of them."""
    return f"count(DISTINCT {quoted(name)}) + max(({quoted(name)} IS NULL)::INTEGER)"
