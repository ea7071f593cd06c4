"""Joins of many tables that each know something of the same thing."""

from collections.abc import Sequence

import ibis.expr.types as ir


def widened(rows: ir.Table, key: str, parts: Sequence[ir.Table]) -> ir.Table:
    """The rows with the columns of every part, null where a part has no row of their key.

    One chain of joins: a projection after each would nest a query per part, deeper than Ibis and Python can go.
    """
    joined = rows
    for number, part in enumerate(parts):
        named = part.rename({f"{key}_of_{number}": key})
        joined = joined.left_join(named, rows[key] == named[f"{key}_of_{number}"])
    return joined.drop([f"{key}_of_{number}" for number in range(len(parts))]) if parts else rows
