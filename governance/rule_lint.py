"""What is wrong with rules that can be read: rules that can never hold, that overlap, or that leave a gap.

Every column is cut where some rule compares it, into cells within which no rule tells two values apart; unknown is a
cell of its own. A set of conditions is a box of cells, and boxes are subtracted from one another. Columns are taken as
independent: a rule said to hold for nobody never does, but one that holds only for impossible customers is not found.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from governance.contract import Column, Contract
from governance.segments import INTEREST, KNOWN, UNKNOWN, Condition, Listed, Rule

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}
INTEGERS = ("INTEGER", "BIGINT")
OTHER = "another value"

Cell = float | str | bool | None
Box = dict[str, frozenset[Cell]]
Columns = Mapping[str, Column]


@dataclass(frozen=True)
class Finding:
    """`kind` is unknown column, never, overlap or gap; `where` the list and rules it is about."""

    kind: str
    where: str
    message: str

    @property
    def is_fault(self) -> bool:
        """Whether it must be mended: overlaps are settled by precedence, and gaps have their reason."""
        return self.kind in ("unknown column", "never")

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def findings(lists: Iterable[Listed], features: Contract, more: Iterable[Column] = ()) -> list[Finding]:
    """Everything worth a reviewer's look, list by list.

    `features` is the contract of what rules may ask for, `more` are columns beside it.
    """
    listed = [*lists]
    columns = {column.name: column for column in (*features.columns, *more)}
    strange = [finding for one in listed for finding in _strange(one, columns)]
    return strange or [finding for one in listed for finding in _of(one, columns)]


def _strange(listed: Listed, columns: Columns) -> Iterator[Finding]:
    for name, rules in ((listed.name, listed.rules), (f"{listed.name}.otherwise", listed.otherwise)):
        for rule, condition in _conditions(rules):
            if condition.column not in columns and not condition.column.startswith(INTEREST):
                yield Finding("unknown column", f"{name} / {rule.name}", f"there is no feature '{condition.column}'")
    for rule_name, told in listed.told.items():
        for column in sorted(set(told) - set(columns)):
            yield Finding("unknown column", f"{listed.name} / {rule_name}", f"its text shows '{column}', no feature")


def _of(listed: Listed, columns: Columns) -> Iterator[Finding]:
    cells = _cells(listed.rules, columns)
    boxes = {rule.name: [_box(conditions, cells) for conditions in rule.alternatives] for rule in listed.rules}
    taken: list[Box] = []
    for rule in listed.rules:
        before = taken if listed.is_first_match else []
        if not [*_minus_all((box for box in boxes[rule.name] if _is_possible(box)), before)]:
            why = (
                "rules before it take all it could hold for"
                if any(map(_is_possible, boxes[rule.name]))
                else "its conditions exclude one another"
            )
            yield Finding("never", f"{listed.name} / {rule.name}", f"can never hold: {why}")
        taken += boxes[rule.name]
    yield from _overlaps(listed, boxes)
    if listed.gap is None:
        return
    gap = next(_minus_all([dict(cells)], [box for boxed in boxes.values() for box in boxed]), None)
    if gap is not None:
        left_out = f"leaves out customers such as one with {_customer(gap, cells)} ({listed.gap})"
        yield Finding("gap", listed.name, left_out)


def _overlaps(listed: Listed, boxes: Mapping[str, list[Box]]) -> Iterator[Finding]:
    for one, other in combinations([rule for rule in listed.rules if not rule.is_open], 2):
        if any(_is_possible(_common(a, b)) for a in boxes[one.name] for b in boxes[other.name]):
            settled = f"'{one.name}' takes precedence" if listed.is_first_match else "a customer may be in both"
            yield Finding("overlap", f"{listed.name} / {one.name}, {other.name}", f"overlap; {settled}")


def _conditions(listed: Iterable[Rule]) -> Iterator[tuple[Rule, Condition]]:
    for rule in listed:
        for conditions in rule.alternatives:
            for condition in conditions:
                yield rule, condition


def _cells(listed: Iterable[Rule], columns: Columns) -> Box:
    """All cells of every column that some rule of the list asks for."""
    asked: dict[str, set[float | str | bool]] = {}
    for _, condition in _conditions(listed):
        values = asked.setdefault(condition.column, set())
        if condition.value is not None:
            values.add(condition.value)
    return {name: frozenset(_cut(_column(name, columns), values)) for name, values in asked.items()}


def _column(name: str, columns: Columns) -> Column:
    if name.startswith(INTEREST):
        return Column(name, "BIGINT", "Interest in a category.", required=True, minimum="0")
    return columns[name]


def _cut(column: Column, values: set[float | str | bool]) -> Iterator[Cell]:
    if not column.required:
        yield None
    if column.type == "BOOLEAN":
        yield from (True, False)
    elif column.type == "VARCHAR":
        yield from (*values, OTHER)
    else:
        yield from _numbers(column, sorted(float(value) for value in values))


def _numbers(column: Column, cuts: list[float]) -> Iterator[float]:
    """Each cut and a number between, before and after them, as far as the column may hold it."""
    is_whole = column.type in INTEGERS
    step = 1.0 if is_whole else 0.5
    between = [low + 1 if is_whole else (low + high) / 2 for low, high in pairwise(cuts)]
    least = float(column.minimum) if column.minimum is not None else float("-inf")
    greatest = float(column.maximum) if column.maximum is not None else float("inf")
    ends = [cuts[0] - step, cuts[-1] + step] if cuts else [min(max(0.0, least), greatest)]
    yield from sorted({number for number in (*cuts, *between, *ends) if least <= number <= greatest})


def _box(conditions: list[Condition], cells: Box) -> Box:
    box = dict(cells)
    for condition in conditions:
        box[condition.column] = frozenset(cell for cell in box[condition.column] if _holds(cell, condition))
    return box


def _holds(cell: Cell, condition: Condition) -> bool:
    if condition.operator in (KNOWN, UNKNOWN):
        return (cell is not None) == (condition.operator == KNOWN)
    compare: Callable[[Any, Any], bool] = OPERATORS[condition.operator]
    return cell is not None and compare(cell, condition.value)


def _is_possible(box: Box) -> bool:
    return all(box.values())


def _common(a: Box, b: Box) -> Box:
    return {name: a[name] & b[name] for name in a}


def _minus_all(boxes: Iterable[Box], others: list[Box]) -> Iterator[Box]:
    left = [*boxes]
    for other in others:
        left = [piece for box in left for piece in _minus(box, other)]
    return iter(left)


def _minus(box: Box, other: Box) -> Iterator[Box]:
    """What is left of a box, as boxes that do not touch."""
    rest = dict(box)
    for name in box:
        outside = rest[name] - other[name]
        if outside:
            yield {**rest, name: outside}
        rest[name] &= other[name]
        if not rest[name]:
            return


def _customer(gap: Box, cells: Box) -> str:
    """One customer in the gap, by the columns that matter."""
    return ", ".join(f"{name} {_example(gap[name])}" for name in sorted(gap) if gap[name] != cells[name])


def _example(cells: frozenset[Cell]) -> str:
    if None in cells:
        return UNKNOWN
    cell = min(cells, key=str)
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
