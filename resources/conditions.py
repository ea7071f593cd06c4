"""Quality rules as SQL: what a row must fulfil, true, false, or null where the rule does not judge it."""

from collections.abc import Callable
from datetime import datetime

from governance.contract import Contract
from governance.quality import (
    Between,
    Holds,
    KeptWithin,
    Lookup,
    Matches,
    Need,
    OneOf,
    Ordered,
    Present,
    Reconciles,
    RefersTo,
    SameWithin,
    SetAside,
    Steady,
    Unique,
    Usual,
)
from resources.engine import Engine, literal, quoted
from resources.statements import StatementError, check_expression

# A moment in SQL, in whose place others come.
SOME_MOMENT = "TIMESTAMP '2024-01-01 00:00:00'"
# As many groups as must be known before what is usual can be learnt from them.
GROUPS_THAT_TELL = 500


class Conditions:
    """The conditions of one table's rules.

    `rows` is the table in SQL, `other` gives the SQL name of another table by its key; neither is needed for rules that
    each row decides by itself. What refers to a table that `is_filled` denies is not judged.
    """

    def __init__(
        self,
        contract: Contract,
        rows: str = "",
        other: Callable[[str], str] = lambda key: key,
        as_of: datetime | None = None,
        is_filled: Callable[[str], bool] = lambda key: True,
    ) -> None:
        self.contract = contract
        self.rows = rows
        self.other = other
        self.is_filled = is_filled
        self.as_of = f"TIMESTAMP {literal(str(as_of))}" if as_of else "NULL::TIMESTAMP"

    def of(self, need: Need) -> str:
        """The condition of a need that each row passes or fails; TypeError for one of the table as a whole."""
        writers: dict[type[Need], Callable[..., str]] = {
            Present: self._present,
            OneOf: lambda need: f"{quoted(need.column)} IN ({_list(need.values)})",
            Between: self._between,
            Ordered: lambda need: f"{quoted(need.earlier)} <= {quoted(need.later)}",
            Matches: lambda need: f"regexp_matches({quoted(need.column)}, {literal(need.pattern)})",
            Unique: self._unique,
            RefersTo: self._refers_to,
            Holds: self._holds,
            Usual: self._usual,
            SameWithin: self._same_within,
            KeptWithin: self._kept_within,
            SetAside: lambda need: "true",
        }
        if type(need) not in writers:
            raise TypeError(f"{type(need).__name__} is no need of rows")
        return writers[type(need)](need)

    def join(self, name: str, lookup: Lookup, key: str) -> str:
        """The join that brings what a condition takes of another table with this key, as `<name>_<column>`."""
        taken = ", ".join(f"{quoted(column)} AS {quoted(f'{name}_{column}')}" for column in lookup.take)
        found = quoted(f"_{name}")
        looked_up = f"(SELECT {quoted(key)} AS {found}, {taken} FROM {self.other(lookup.table)})"
        return f"LEFT JOIN {looked_up} ON {found} = {quoted(lookup.by)}"

    def filled(self, column: str) -> str:
        """Whether the column is filled: never null itself."""
        name = quoted(column)
        if self.contract.column(column).type == "VARCHAR":
            return f"coalesce(regexp_matches({name}, '\\S'), false)"
        return f"({name} IS NOT NULL)"

    def with_moment(self, sql: str) -> str:
        """The SQL with the moment spoken of in its place."""
        return sql.replace("{as_of}", self.as_of)

    def _present(self, need: Present) -> str:
        return " AND ".join(self.filled(column) for column in need.columns)

    def _between(self, need: Between) -> str:
        above, below = (">", "<") if need.strict else (">=", "<=")
        bounds = ((need.minimum, above), (need.maximum, below))
        return " AND ".join(f"{quoted(need.column)} {sign} {bound}" for bound, sign in bounds if bound is not None)

    def _unique(self, need: Unique) -> str:
        columns = ", ".join(map(quoted, need.columns))
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in need.columns)
        repeated = f"SELECT ({columns}) FROM {self.rows} WHERE {known} GROUP BY {columns} HAVING count(*) > 1"
        return f"CASE WHEN {known} THEN ({columns}) NOT IN ({repeated}) END"

    def _refers_to(self, need: RefersTo) -> str:
        if not self.is_filled(need.table):
            return "NULL::BOOLEAN"
        # NULL IN (nothing) is false and not unknown.
        known = f"{quoted(need.column)} IN (SELECT {quoted(need.key)} FROM {self.other(need.table)})"
        return f"CASE WHEN {quoted(need.column)} IS NOT NULL THEN {known} END"

    def _holds(self, need: Holds) -> str:
        condition = self.with_moment(need.condition)
        return f"CASE WHEN {self.with_moment(need.where)} THEN ({condition}) END" if need.where else f"({condition})"

    def _usual(self, need: Usual) -> str:
        group = quoted(need.per)
        sizes = f"SELECT {group} AS grp, count(*) AS size FROM {self.rows} WHERE {need.where} GROUP BY ALL"
        # Median and MAD of log1p, as for the trends; the floor keeps a narrow distribution from crying wolf.
        deviation = "greatest(1.4826 * mad(ln(1 + size)), 0.05)"
        learnt = (
            f"SELECT CASE WHEN count(*) < {GROUPS_THAT_TELL} THEN {need.start} ELSE greatest({need.start},"
            f" exp(median(ln(1 + size)) + 6 * {deviation}) - 1) END FROM sizes WHERE grp IS NOT NULL"
        )
        crowded = f"WITH sizes AS ({sizes}) SELECT grp FROM sizes WHERE grp IS NOT NULL AND size > ({learnt})"
        return f"{group} NOT IN ({crowded})"

    def _same_within(self, need: SameWithin) -> str:
        column, group = quoted(need.column), quoted(need.group)
        # Of equally many the first by name, so that the order of the rows decides nothing.
        usual = (
            f"SELECT ({group}, {column}) FROM (SELECT {group}, {column}, row_number() OVER (PARTITION BY {group}"
            f" ORDER BY count(*) DESC, {column}) AS place FROM {self.rows} WHERE {column} IS NOT NULL"
            f" AND {group} IS NOT NULL GROUP BY {group}, {column}) WHERE place = 1"
        )
        return f"CASE WHEN {column} IS NOT NULL AND {group} IS NOT NULL THEN ({group}, {column}) IN ({usual}) END"

    def _kept_within(self, need: KeptWithin) -> str:
        column, group = quoted(need.column), quoted(need.group)
        filling = f"SELECT {group} FROM {self.rows} WHERE {column} IS NOT NULL AND {group} IS NOT NULL"
        return f"CASE WHEN {column} IS NOT NULL THEN true WHEN {group} IN ({filling}) THEN false END"


def refusal(engine: Engine, need: Need) -> str | None:
    """Why the SQL that is written in a need may not run; None where it may, as far as can be told without a table."""
    try:
        for sql in _written(need):
            check_expression(engine, sql.replace("{as_of}", SOME_MOMENT).replace("{end}", SOME_MOMENT))
    except StatementError as fault:
        return (
            f"its SQL {fault}. A condition is one expression over the columns of the row, an aggregate one over those"
            " of the table; what is needed of another table comes by `lookup`."
        )
    return None


def _written(need: Need) -> list[str]:
    """The SQL that is written in a need."""
    match need:
        case Holds():
            return [need.condition, *([need.where] if need.where else [])]
        case Usual():
            return [need.where]
        case Steady():
            return [need.value]
        case Reconciles():
            return [need.value, need.other]
    return []


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(map(literal, values))
