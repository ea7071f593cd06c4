"""Severing: the SQL that finds the rows of people, and that takes the people out of them.

Whose rows is told by a table of the engine with the columns `kind` and `name`: keys of people under the name of their
column in `customers`, aliases under that of theirs, and, under TEXT in small letters, what names them in a record.
"""

from collections.abc import Callable, Mapping

from governance.subjects import PERSON, Fate, Holding
from resources.engine import literal, quoted

TEXT = "text"
NAMES = "names of people"


def of_them(
    holding: Holding, found: Mapping[str, Holding], select: Callable[[str], str], seen: tuple[str, ...] = ()
) -> str | None:
    """The SQL condition that a row is of one of these people; None where the table leads to nobody.

    Rows that refer to those of another table go by `select`, which gives the rows of a table, and `found`, what tables
    hold. Tables may refer to each other; `seen` are those on the way.
    """
    seen = (*seen, holding.contract.key)
    parts = [_is_named(key, PERSON) for key in holding.keys]
    if holding.keys:
        nobody = " AND ".join(f"{quoted(key)} IS NULL" for key in holding.keys)
        parts += [f"({nobody} AND {_is_named(alias, alias)})" for alias in holding.aliases]
    for link in holding.links:
        if link.table not in seen and (theirs := of_them(found[link.table], found, select, seen)):
            rows = f"SELECT {quoted(link.key)} FROM ({select(link.table)}) WHERE {theirs}"
            parts.append(f"coalesce({quoted(link.column)} IN ({rows}), false)")
    parts += [_tells(record) for record in holding.records]
    return f"({' OR '.join(parts)})" if parts else None


def naming_them(holding: Holding, names: str = NAMES) -> str:
    """The SQL condition that a row with columns of keys and aliases names one of these people."""
    named = [_is_named(key, PERSON, names) for key in holding.keys]
    named += [_is_named(alias, alias, names) for alias in holding.aliases]
    return f"({' OR '.join(named)})"


def severed(holding: Holding, rows: str, names: str = NAMES) -> str:
    """The SELECT of rows without these people: where a row is theirs, all that is said of a person is empty."""
    theirs = " OR ".join(_is_named(key, PERSON, names) for key in holding.keys)
    emptied = {key: _is_named(key, PERSON, names) for key in holding.keys}
    emptied |= {alias: f"({theirs} OR {_is_named(alias, alias, names)})" for alias in holding.aliases}
    emptied |= dict.fromkeys(holding.personal, f"({theirs})")
    cells = ", ".join(
        f"CASE WHEN NOT {condition} THEN {quoted(name)} END AS {quoted(name)}" for name, condition in emptied.items()
    )
    return f"SELECT * REPLACE ({cells}) FROM ({rows})"


def without(holding: Holding, rows: str, theirs: str, names: str = NAMES) -> str:
    """The SELECT of rows as they are once these people are erased; `theirs` is the condition that a row is of them."""
    if holding.fate is Fate.SEVERED:
        return severed(holding, rows, names)
    return f"SELECT * FROM ({rows}) WHERE NOT {theirs}"


def _is_named(column: str, kind: str, names: str = NAMES) -> str:
    known = f"SELECT name FROM {quoted(names)} WHERE kind = {literal(kind)}"
    return f"coalesce({quoted(column)} IN ({known}), false)"


def _tells(record: str) -> str:
    """Whether a cell of a row in JSON names somebody; a line that could not be split is masked as a whole."""
    cells = f"json_extract_string({quoted(record)}, '$.*')"
    plain = f"list_transform({cells}, lambda cell: regexp_replace(lower(trim(cell)), '\\.0+$', ''))"
    known = f"(SELECT list(name) FROM {quoted(NAMES)} WHERE kind = {literal(TEXT)})"
    # A condition beside it would not keep DuckDB from reading what is no JSON.
    return f"CASE WHEN json_valid({quoted(record)}) THEN coalesce(list_has_any({plain}, {known}), false) ELSE false END"
