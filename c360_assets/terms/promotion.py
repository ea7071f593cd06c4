"""Promotion: which candidate of a model a person has decided for, whatever its figures say."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

BY_HAND = "promoted by hand"


def scoring(rows: Sequence[Row]) -> Row | None:
    """The row of the candidate that scores, if there is one."""
    return next((row for row in rows if row["is_chosen"]), None)


def promoted(rows: Sequence[Row], name: str, reason: str, called: str, needed: str) -> list[Row]:
    """The rows of a model's table, of which the candidate `name` in the column `called` scores, for a `reason`.

    ValueError where there is no such candidate, or where it lacks what is `needed` to score: the column of that name.
    """
    known = {row[called]: row for row in rows}
    if name not in known:
        raise ValueError(f"there is no candidate '{name}', but {', '.join(sorted(known))}")
    if known[name][needed] is None:
        raise ValueError(f"'{name}' cannot score: {known[name]['reason']}")
    return [row | _standing(row, row[called] == name, reason) for row in rows]


def _standing(row: Row, is_promoted: bool, reason: str) -> Row:
    if is_promoted:
        return {"is_chosen": True, "reason": reason}
    told = f"not used, since another was {BY_HAND}; {row['reason']}" if row["is_chosen"] else row["reason"]
    return {"is_chosen": False, "reason": told}


def as_decided(
    rows: Sequence[Row], before: Sequence[Row], called: str, needed: str, part: str | None = None
) -> list[Row]:
    """The rows as trained now, chosen as a person decided of those `before`, if that candidate can score now, too.

    Of models that share a table, told apart by the column `part`, each is decided by itself.
    """
    if part is None:
        return _decided(rows, before, called, needed)
    names = dict.fromkeys(row[part] for row in rows)
    parts = [[[row for row in held if row[part] == name] for held in (rows, before)] for name in names]
    return [row for now, then in parts for row in _decided(now, then, called, needed)]


def _decided(rows: Sequence[Row], before: Sequence[Row], called: str, needed: str) -> list[Row]:
    decided = scoring(before)
    able = {row[called] for row in rows if row.get(needed) is not None}
    if decided is None or not decided["reason"].startswith(BY_HAND) or decided[called] not in able:
        return list(rows)
    return promoted(rows, decided[called], decided["reason"], called, needed)
