"""Rules on tables: what a rule asks of a customer as an expression."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from c360_assets.terms.joins import widened
from c360_assets.terms.texts import joined_texts
from governance.errors import C360Error
from governance.segments import INTEREST, KNOWN, UNKNOWN, Condition, Partial, Rule, columns_of

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}


def with_interests(features: ir.Table, category_interest: ir.Table, rules: Iterable[Rule]) -> ir.Table:
    """The features, and `interest.<category>` for each category that a rule asks for: 0 for whoever showed none."""
    names = sorted(column for column in columns_of(rules) if column.startswith(INTEREST))
    categories = [name.removeprefix(INTEREST) for name in names]
    if not categories:
        return features
    asked = category_interest.filter(category_interest.category.isin(categories))
    counted = asked.group_by("customer_id").agg(
        **{
            INTEREST + category: asked.recent_interest_count.sum(where=asked.category == category)
            for category in categories
        }
    )
    joined = widened(features, "customer_id", counted)
    return joined.mutate(**{name: joined[name].fill_null(0) for name in counted.columns if name != "customer_id"})


def first(described: ir.Table, rules: list[Rule]) -> ir.StringColumn:
    """The name of the first rule that holds; null where none does."""
    last = ibis.literal(rules[-1].name) if rules[-1].is_open else ibis.null("string")
    closed = [(_asked(described, rule), rule.name) for rule in rules if not rule.is_open]
    return ibis.cases(*closed, else_=last) if closed else last


def matching(described: ir.Table, rules: list[Rule]) -> dict[str, ir.BooleanColumn]:
    """Per rule whether it holds; the open one, the last, holds for whoever is in no other that is not sensitive."""
    held = {rule.name: _asked(described, rule).fill_null(False) for rule in rules if not rule.is_open}
    others = [held[rule.name] for rule in rules if not rule.is_open and not rule.sensitive]
    return {**held, rules[-1].name: ~ibis.or_(*others)}


def reasons(described: ir.Table, partial: Mapping[str, Partial]) -> ir.StringColumn:
    """Why a customer is in no segment of which segmentation, as `price_range: ...; activity_trend: ...`."""
    given = [
        first(described, one.asked).isnull().ifelse(ibis.literal(f"{name}: ") + first(described, one.otherwise), None)
        for name, one in partial.items()
    ]
    return joined_texts(given)


def _asked(described: ir.Table, rule: Rule) -> ir.BooleanColumn:
    """Whether a closed rule holds; not true, but maybe null, where it asks for a value that is not known."""
    sets = [ibis.and_(*[_test(described, rule, one) for one in conditions]) for conditions in rule.alternatives]
    return ibis.or_(*sets)


def _test(described: ir.Table, rule: Rule, condition: Condition) -> ir.BooleanColumn:
    if condition.column not in described.columns:
        raise C360Error(
            f"rule {rule.name}: there is no column '{condition.column}'; known are"
            f" {', '.join(described.columns)}, and {INTEREST}<category>."
        )
    value = described[condition.column]
    if condition.operator in (KNOWN, UNKNOWN):
        return value.notnull() if condition.operator == KNOWN else value.isnull()
    compared: Any = condition.value
    return OPERATORS[condition.operator](value, compared)
