"""Column lineage, read off an Ibis expression: which column of which input each output column is computed from."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir

Origin = tuple[str, str]


def column_lineage(table: ir.Table) -> dict[str, list[Origin]]:
    """For each column the (input table, input column) pairs that decide its values, sorted.

    Everything a value depends on counts, the windows it is ranked in included; filters and join conditions, which
    decide rows and not values, do not. A row count depends on (input table, '*'). In-memory tables have no origin.
    """
    root = table.op()
    return {name: sorted(_origins(root, name)) for name in table.columns}


@cache
def _origins(relation: ops.Relation, column: str) -> frozenset[Origin]:
    if isinstance(relation, ops.InMemoryTable):
        return frozenset()
    if isinstance(relation, ops.PhysicalTable):
        return frozenset({(relation.name, column)})
    if isinstance(relation, ops.Set):
        return _origins(relation.left, column) | _origins(relation.right, column)
    if isinstance(relation, ops.Reference):
        return _origins(relation.parent, column)
    if column not in relation.values:  # raw SQL: who knows
        parents = [parent for parent in relation.args if isinstance(parent, ops.Relation)]
        return frozenset().union(*(_all_origins(parent) for parent in parents))
    return _value_origins(relation.values[column])


def _all_origins(relation: ops.Relation) -> frozenset[Origin]:
    return frozenset().union(*(_origins(relation, name) for name in relation.schema))


@cache
def _value_origins(value: ops.Node) -> frozenset[Origin]:
    if isinstance(value, ops.Field):
        return _origins(value.rel, value.name)
    found = frozenset().union(*(_value_origins(child) for child in _children(value)))
    for relation in (argument for argument in value.args if isinstance(argument, ops.Relation)):
        if isinstance(value, ops.CountStar | ops.CountDistinctStar | ops.ExistsSubquery):
            found |= {(name, "*") for name in _inputs(relation)}
        else:
            found |= _all_origins(relation)
    return found


@cache
def _inputs(relation: ops.Relation) -> frozenset[str]:
    # What a scalar subquery reads decides values, not how many rows there are.
    tables = relation.find(ops.PhysicalTable, filter=lambda node: not isinstance(node, ops.ScalarSubquery))
    return frozenset(table.name for table in tables if not isinstance(table, ops.InMemoryTable))


def _children(value: ops.Node) -> Iterator[ops.Node]:
    """The values a value is made of; a relation it stands in is none."""

    def flat(argument: Any) -> Iterator[ops.Node]:
        if isinstance(argument, tuple):
            for part in argument:
                yield from flat(part)
        elif isinstance(argument, ops.Node) and not isinstance(argument, ops.Relation):
            yield argument

    for argument in value.args:
        yield from flat(argument)
