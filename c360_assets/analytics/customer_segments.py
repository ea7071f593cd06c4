"""Customer segments: who belongs where, by the rules in governance/segments.yaml."""

import operator

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import moment
from governance import segments
from governance.errors import C360Error
from governance.segments import Rule

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}
SCORES = ("recency_days", "recency_score", "frequency_score", "monetary_score", "rfm_code")


@dg.asset
def customer_segments(
    customers: ir.Table,
    rfm: ir.Table,
    product_views: ir.Table,
    items_added_to_cart: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer known to any system, in exactly one segment of each kind."""
    rules = segments.load()
    described = _described(customers, rfm, product_views, items_added_to_cart, as_of)
    return described.select(
        "customer_id",
        "is_premium",
        "frequency",
        "monetary",
        *SCORES,
        customer_segment=_first(described, rules.customer_segment),
        engagement_level=_first(described, rules.engagement_level),
        primary_segment=_first(described, rules.primary_segment),
        rule_version=ibis.literal(rules.version),
    )


def _described(
    customers: ir.Table,
    rfm: ir.Table,
    product_views: ir.Table,
    items_added_to_cart: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer with everything a rule may ask for."""
    viewed = product_views.group_by(customer_id="entity_id").agg(product_view_count=ibis._.count())
    carted = items_added_to_cart.group_by(customer_id="entity_id").agg(cart_count=ibis._.count())
    joined = (
        customers.select("customer_id", "is_premium")
        .left_join(rfm, "customer_id")
        .drop("customer_id_right")
        .left_join(viewed, "customer_id")
        .drop("customer_id_right")
        .left_join(carted, "customer_id")
        .drop("customer_id_right")
    )
    return joined.mutate(
        frequency=joined.frequency.fill_null(0),
        monetary=joined.monetary.fill_null(0),
        product_view_count=joined.product_view_count.fill_null(0),
        cart_count=joined.cart_count.fill_null(0),
        history_days=moment(as_of).delta(joined.first_ordered_at, unit="day"),
    )


def _first(described: ir.Table, rules: list[Rule]) -> ir.StringColumn:
    """The first rule that holds; the last one always does."""
    return ibis.cases(*[(_holds(described, rule), rule.name) for rule in rules[:-1]], else_=rules[-1].name)


def _holds(described: ir.Table, rule: Rule) -> ir.BooleanColumn:
    for condition in rule.conditions:
        if condition.column not in described.columns:
            known = ", ".join(described.columns)
            raise C360Error(
                f"governance/segments.yaml, rule {rule.name}: there is no column '{condition.column}'; known are"
                f" {known}."
            )
    tests = [
        OPERATORS[condition.operator](described[condition.column], condition.value) for condition in rule.conditions
    ]
    return ibis.and_(*tests)
