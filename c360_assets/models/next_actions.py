"""Next actions: what each customer will probably do in the next 30 days, and what to do about it."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.models.churn_scores import NEVER_BOUGHT
from c360_assets.terms import classifiers, segment_rules
from c360_assets.terms.actions import BROWSE, CAMPAIGN, CATEGORY_SHIFT, CROSS_SELL, PURCHASE, TARGETS, UPSELL
from c360_assets.terms.category_shifts import FOUND, main_categories, next_categories
from c360_assets.terms.churn import columns_of, foreseen_by
from c360_assets.terms.classifiers import Fitted
from c360_assets.terms.joins import widened
from c360_assets.terms.texts import joined_texts
from c360_assets.terms.told import told
from governance.actions import ASKED, Actions

# What customers do, by the column that says how likely it is, the likeliest first where two are equal.
STEPS = {
    "probability_purchase": "Purchase",
    "probability_browse": "Browse",
    "probability_churn_risk": "Churn Risk",
}
PROPENSITIES = {
    "propensity_upsell": UPSELL,
    "propensity_cross_sell": CROSS_SELL,
    "propensity_campaign_response": CAMPAIGN,
}
NO_CATEGORY = "the category of no order is known"
NOT_TRAINED = "no model was trained yet"
DECIMALS, MONEY_DECIMALS = 6, 4
BATCH = 50_000
SCORED = pa.schema({"customer_id": pa.string(), **dict.fromkeys((*STEPS, *PROPENSITIES), pa.float64())})
SHIFTED = pa.schema(zip(FOUND, (pa.string(), pa.string(), pa.string(), pa.float64()), strict=True))
Models = Mapping[str, Fitted]


@dg.asset
def next_actions(
    features: ir.Table,
    action_model: ir.Table,
    churn_scores: ir.Table,
    lifetime_value: ir.Table,
    category_interest: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    actions: dg.ResourceParam[Callable[[], Actions]],
    currency: dg.ResourceParam[str],
) -> ir.Table:
    """One row per customer known to any system: what comes next by model and rules, and what to do, or why not."""
    written = actions()
    candidates = action_model.select("target", "is_chosen", "reason", "fitted_model").to_pyarrow().to_pylist()
    models = {row["target"]: classifiers.from_text(row["fitted_model"]) for row in candidates if row["is_chosen"]}
    said = [_scores(foreseen_by(features), models), _categories(order_lines, products, models)]
    expected = lifetime_value.select("customer_id", "expected_order_value", *ASKED["lifetime_value"])
    churn = churn_scores.select("customer_id", *ASKED["churn_scores"])
    wide = widened(features, "customer_id", *said, expected, churn)
    valued = wide.mutate(
        revenue_potential=_revenue(wide), **_likeliest(wide), unknown_because=_missing(wide, candidates)
    )
    described = segment_rules.with_interests(valued, category_interest, written.rules)
    decided = _overridden(described, written)
    return _advised(decided, written, currency).select(
        "customer_id",
        *STEPS,
        "next_action",
        "next_action_probability",
        "is_overridden",
        "override_rule",
        *FOUND[1:],
        *PROPENSITIES,
        "revenue_potential",
        "next_best_action",
        "next_best_action_priority",
        "next_best_action_reason",
        "next_best_action_basis",
        "next_best_action_rule",
        "unknown_because",
        actions_version=ibis.literal(written.full_version),
    )


def _scores(buyers: ir.Table, models: Models) -> ir.Table:
    """What models say of each buyer."""
    rows = buyers.order_by("customer_id").to_pyarrow()
    parts = [_part(rows.slice(start, BATCH), models) for start in range(0, len(rows), BATCH)]
    return ibis.memtable(pa.concat_tables([SCORED.empty_table(), *parts]))


def _part(rows: pa.Table, models: Models) -> pa.Table:
    columns = columns_of(rows)
    said = {
        target.name: classifiers.probabilities(models[target.name], columns) if target.name in models else None
        for target in TARGETS
    }
    steps = dict(zip(STEPS, _steps(said[PURCHASE.name], said[BROWSE.name]), strict=True))
    told = steps | {name: said[target.name] for name, target in PROPENSITIES.items()}
    arrays = [rows["customer_id"], *(_array(values, len(rows)) for values in told.values())]
    return pa.table(dict(zip(SCORED.names, arrays, strict=True)), schema=SCORED)


def _steps(purchase: Any, browse: Any) -> tuple[Any, Any, Any]:
    """Probabilities of an order, of visits alone, and of neither, which sum to 1; without visits known, of two."""
    if purchase is None:
        return None, None, None
    ordered = purchase.round(DECIMALS)
    visited = None if browse is None else ((1 - ordered) * browse).round(DECIMALS)
    return ordered, visited, 1 - ordered - (0 if visited is None else visited)


def _array(values: Any, count: int) -> pa.Array:
    return pa.nulls(count, pa.float64()) if values is None else pa.array(values.round(DECIMALS))


def _categories(order_lines: ir.Table, products: ir.Table, models: Models) -> ir.Table:
    """From which category each customer will go to which."""
    if CATEGORY_SHIFT not in models:
        return ibis.memtable(SHIFTED.empty_table())
    orders = main_categories(order_lines, products).order_by("customer_id", "ordered_at", "order_id").to_pyarrow()
    return ibis.memtable(pa.table(next_categories(models[CATEGORY_SHIFT], orders), schema=SHIFTED))


def _revenue(wide: ir.Table) -> ir.FloatingValue:
    """What an order of the customer is worth, if it comes."""
    value = wide.expected_order_value.fill_null(wide.average_order_amount)
    return (wide.probability_purchase * value).round(MONEY_DECIMALS)


def _likeliest(wide: ir.Table) -> dict[str, ir.Value]:
    """What the customer will most probably do by the model, and how likely that is."""
    greatest = ibis.greatest(*[wide[name].fill_null(0) for name in STEPS])
    is_known = wide.probability_purchase.notnull()
    return {
        "next_action": ibis.cases(*[(wide[name] == greatest, step) for name, step in STEPS.items()]),
        "next_action_probability": is_known.ifelse(greatest, None),
    }


def _missing(wide: ir.Table, candidates: list[dict[str, Any]]) -> ir.StringValue:
    """What is not said of a customer, and why, as `purchase: ...; browse: ...`."""
    why = {row["target"]: row["reason"] for row in reversed(candidates)}
    chosen = {row["target"] for row in candidates if row["is_chosen"]}
    names = [target.name for target in TARGETS] + [CATEGORY_SHIFT]
    untold = [f"{_words(name)}: {why.get(name, NOT_TRAINED)}" for name in names if name not in chosen]
    texts: list[ir.StringValue] = [ibis.literal(text) for text in untold]
    if CATEGORY_SHIFT in chosen:
        texts.append(wide.category_to.isnull().ifelse(f"{_words(CATEGORY_SHIFT)}: {NO_CATEGORY}", ibis.null("string")))
    is_buyer = (wide.frequency > 0) & wide.recency_days.notnull()
    return is_buyer.fill_null(False).ifelse(joined_texts(texts) if texts else None, NEVER_BOUGHT)


def _words(target: str) -> str:
    return target.replace("_", " ")


def _overridden(described: ir.Table, written: Actions) -> ir.Table:
    """Customers with what rules say in place of the model, where one holds."""
    rules = [one.rule for one in written.next_action]
    name = segment_rules.first(described, rules) if rules else ibis.null("string")
    named = described.mutate(override_rule=name)
    held = {one.name: one for one in written.next_action}
    said = {
        key: _by_rule(named.override_rule, {name: getattr(one, key) for name, one in held.items()}) for key in _SAID
    }
    return named.mutate(
        is_overridden=named.override_rule.notnull(),
        next_action=said["next_action"].fill_null(named.next_action),
        next_action_probability=said["probability"].fill_null(named.next_action_probability),
    )


_SAID = {"next_action": "string", "probability": "float64"}


def _advised(decided: ir.Table, written: Actions, currency: str) -> ir.Table:
    """Customers with the first action whose rule holds."""
    named = decided.mutate(
        next_best_action_rule=segment_rules.first(decided, [one.rule for one in written.best_action])
    )
    rule, listed = named.next_best_action_rule, written.best_action
    return named.mutate(
        next_best_action=_by_rule(rule, {one.name: one.action for one in listed}),
        next_best_action_priority=_by_rule(rule, {one.name: one.priority for one in listed}),
        next_best_action_reason=_by_rule(rule, {one.name: told(named, one.reason, currency) for one in listed}),
        next_best_action_basis=_by_rule(rule, {one.name: told(named, one.basis, currency) for one in listed}),
    )


def _by_rule(rule: ir.StringValue, values: Mapping[str, Any]) -> Any:
    return ibis.cases(*[(rule == name, value) for name, value in values.items()]) if values else ibis.null()
