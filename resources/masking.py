"""Masks: a table as a view of the policy shows it, as one expression of the engine."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import ibis
import ibis.expr.types as ir

from governance.contract import Contract
from governance.policy import Conditions, Forbidden, Link, Outcome, View, way
from governance.privacy import MASK

Bounds = Sequence[float]
WHOLE = ("INTEGER", "BIGINT")


def masked(
    rows: ir.Table, view: View, ranges: Mapping[str, Bounds], keyed_hash: Callable[[ir.Value], ir.Value]
) -> ir.Table:
    """The columns as the view shows them: text in place of a hash, a range or what is redacted; nulls stay nulls."""

    def shown(name: str, outcome: Outcome) -> ir.Value:
        value = rows[name]
        if outcome is Outcome.HASH:
            return keyed_hash(value.cast("string"))
        if outcome is Outcome.RANGE:
            return ranged(value, ranges[name], is_whole=view.contract.column(name).type in WHOLE)
        if outcome is Outcome.REDACTED:
            return value.notnull().ifelse(MASK, ibis.null("string"))
        return value

    outcomes = view.outcomes.items()
    return rows.select({name: shown(name, outcome) for name, outcome in outcomes if outcome is not Outcome.ABSENT})


def ranged(value: ir.Value, bounds: Bounds, is_whole: bool) -> ir.Value:
    """The range that a number lies in, in words: `under 18`, `18 to 24` of whole numbers, `65 and over`."""
    first, last = bounds[0], bounds[-1]
    steps = [(value < first, f"under {_number(first)}")]
    for low, high in pairwise(bounds):
        end = f"to {_number(high - 1)}" if is_whole else f"to under {_number(high)}"
        steps.append((value < high, f"{_number(low)} {end}" if not is_whole or low < high - 1 else _number(low)))
    return ibis.cases(*steps, (value >= last, f"{_number(last)} and over"))


def restricted(
    rows: ir.Table, view: View, contracts: Mapping[str, Contract], read: Callable[[str], ir.Table]
) -> ir.Table:
    """The rows that the view shows. `read` gives the rows of other tables, by which they are told.

    Forbidden where a view is restricted to some people and nothing says whose the rows of a table about people are.
    """
    if view.hides:
        rows = rows.filter(~rows[view.hides].fill_null(True))
    for table, alternatives in view.only:
        path = way(contracts, view.contract.key, table)
        if path is not None:
            rows = _along(rows, path, alternatives, read)
        elif any(column.is_classified for column in view.contract.columns):
            raise Forbidden(
                f"{view.contract.key} cannot be read: only rows of some {table} may be shown, and no relationship in"
                f" the contracts leads from {view.contract.key} to {table}."
            )
    return rows


def _along(
    rows: ir.Table, path: Sequence[Link], alternatives: Sequence[Conditions], read: Callable[[str], ir.Table]
) -> ir.Table:
    if not path:
        return rows.filter(_holds(rows, alternatives))
    link, *rest = path
    others = _along(read(link.table), rest, alternatives, read)
    return rows.semi_join(others, rows[link.column] == others[link.key])


def _holds(rows: ir.Table, alternatives: Sequence[Conditions]) -> ir.BooleanValue:
    def is_one(name: str, value: Any) -> ir.BooleanValue:
        return rows[name].isin(value if isinstance(value, tuple) else (value,))

    of_all = [ibis.and_(*(is_one(name, value) for name, value in conditions.items())) for conditions in alternatives]
    return ibis.or_(*of_all).fill_null(False)


def _number(bound: float) -> str:
    return f"{bound:,g}" if bound != int(bound) else f"{int(bound):,}"
