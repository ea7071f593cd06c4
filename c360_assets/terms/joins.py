"""Joins of many tables that each know something of the same thing."""

from collections.abc import Sequence

import ibis.expr.types as ir


def widened(rows: ir.Table, key: str | Sequence[str], *parts: ir.Table) -> ir.Table:
    """The rows with the columns of every part, null where a part has no row of their key.

    One chain of joins: a projection after each would nest a query per part, deeper than Ibis and Python can go.
    """
    columns = [key] if isinstance(key, str) else list(key)
    joined, own = rows, list[str]()
    for number, part in enumerate(parts):
        theirs = {f"{column}_of_{number}": column for column in columns}
        named = part.rename(theirs)
        joined = joined.left_join(named, [(column, name) for name, column in theirs.items()])
        own += theirs
    return joined.drop(own) if own else rows
