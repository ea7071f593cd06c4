"""Next actions: what models and rules say of customers, what to do, and the reason where nothing is said."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pytest

from c360_assets.models import next_actions as module
from c360_assets.models.action_model import action_model
from c360_assets.models.next_actions import next_actions
from governance import actions
from governance.actions import Actions
from tests.c360_assets.doers import examples, goods, line, ordering, person, trained, visiting
from tests.c360_assets.leavers import Row
from tests.tables import at, function_of, rows, table

CAMPAIGN = "campaign_response"
SUMS = ("probability_purchase", "probability_browse", "probability_churn_risk")
MINIMAL = """\
version: "1"
best_action:
  - name: Buys
    when: {probability_purchase: ">= 0.5"}
    action: Serve well
    priority: Medium
    reason: Orders soon
    basis: purchase probability {probability_purchase}
"""
OVERRIDING = """\
next_action:
  - name: Frequent
    when: {frequency: ">= 20", average_rating: ">= 4.5"}
    next_action: High-Value Purchase
    probability: 0.95
"""


def without_visits() -> ir.Table:
    """The models of a shop that knows neither visits nor contacts."""
    of_others = [row for row in trained().to_pyarrow().to_pylist() if row["target"] not in ("browse", CAMPAIGN)]
    untold = {"candidate": "overall rate", "is_baseline": True, "is_chosen": False}
    told = {"browse": "no web events", CAMPAIGN: "no contact of marketing is known"}
    lacking = [
        untold | {"target": target, "reason": f"not enough data: of 90 days before as_of, {why}"}
        for target, why in told.items()
    ]
    return table("action_model", *of_others, *lacking)


def acted(
    *people: Row,
    model: ir.Table | None = None,
    rules: Actions | None = None,
    sold: ir.Table | None = None,
    **more: Sequence[Row],
) -> ir.Table:
    others = {
        name: table(name, *more.get(name, [])) for name in ("churn_scores", "lifetime_value", "category_interest")
    }
    result = function_of(next_actions)(
        features=table("features", *people),
        action_model=trained() if model is None else model,
        order_lines=table("order_lines") if sold is None else sold,
        products=goods(),
        actions=lambda: rules or actions.load(),
        currency="EUR",
        **others,
    )
    return table("next_actions", *result.to_pyarrow().to_pylist())


def own(folder: Path, text: str) -> Actions:
    file = folder / "own.yaml"
    file.write_text(text, encoding="utf-8")
    return actions.load(file)


def test_probabilities_follow_the_truth_and_sum_to_one() -> None:
    people = [person(10 * r + v, r, v, 3) for r in (2, 40, 85) for v in (2, 40)]
    found = {row[0]: row[1:] for row in rows(acted(*people), "customer_id", *SUMS)}
    for who in people:
        purchase, browse, neither = found[who["customer_id"]]
        truth = ordering(who["recency_days"])
        assert purchase == pytest.approx(truth, abs=0.15)
        assert browse == pytest.approx((1 - truth) * visiting(who["visit_recency_days"]), abs=0.15)
        assert purchase + browse + neither == pytest.approx(1, abs=1e-9)


def test_the_likeliest_is_told() -> None:
    found = acted(person(1, 2, 50, 3), person(2, 85, 2, 3), person(3, 85, 55, 3))
    told = rows(found, "customer_id", "next_action", "next_action_probability", "is_overridden", *SUMS)
    assert [row[1] for row in told] == ["Purchase", "Browse", "Churn Risk"]
    assert [row[2] for row in told] == [max(row[4:]) for row in told]
    assert not any(row[3] for row in told)


def test_without_visits_there_are_orders_and_churn_risk_and_the_reason_says_so() -> None:
    found = acted(person(1, 2, 50, 3), person(2, 85, 2, 3), model=without_visits())
    for purchase, browse, neither, action, why in rows(found, *SUMS, "next_action", "unknown_because"):
        assert browse is None
        assert purchase + neither == pytest.approx(1, abs=1e-9)
        assert action == ("Purchase" if purchase > 0.5 else "Churn Risk")
        assert "browse: not enough data: of 90 days before as_of, no web events" in why.split("; ")
        assert "campaign response: not enough data: of 90 days before as_of, no contact of marketing is known" in why


def test_who_never_bought_has_no_probability_but_the_reason_and_an_action_where_a_rule_holds() -> None:
    visitor = {"customer_id": "v", "frequency": 0, "session_count": 3}
    undated = {"customer_id": "u", "frequency": 2, "recency_days": None}
    columns = ("customer_id", *SUMS, "next_action", "revenue_potential", "unknown_because", "next_best_action")
    nothing = (None, None, None, None, None, "no completed order with a date")
    assert rows(acted(visitor, undated), *columns) == [
        ("u", *nothing, "Wait"),
        ("v", *nothing, "Make the first order easy"),
    ]


def test_a_rule_overrides_what_is_told_and_not_what_the_model_says() -> None:
    often = person(1, 85, 2, 20, average_rating=4.5)
    plain = often | {"customer_id": "c00002", "average_rating": 4.4}
    columns = ("next_action", "next_action_probability", "is_overridden", "override_rule")
    found = acted(often, plain)
    assert next(row[1:] for row in rows(found, "customer_id", *columns)) == (
        "High-Value Purchase", 0.95, True, "Frequent buyer who rates highly",
    )  # fmt: skip
    assert [row[1:] for row in rows(found, "customer_id", *columns)][1][2:] == (False, None)
    one, other = (row[1:] for row in rows(found, "customer_id", *SUMS))
    assert one == other


def test_an_action_says_why_and_by_which_number(tmp_path: Path) -> None:
    rules = own(tmp_path, MINIMAL)
    found = acted(person(1, 2, 50, 3), person(2, 85, 2, 3), rules=rules)
    columns = ("customer_id", "next_best_action", "next_best_action_priority", "next_best_action_reason")
    ((purchase,), _) = rows(found.order_by("customer_id"), "probability_purchase", by="customer_id")
    assert rows(found, *columns, "next_best_action_basis", "actions_version") == [
        (
            "c00001", "Serve well", "Medium", "Orders soon", f"purchase probability {purchase * 100:.0f} %",
            rules.full_version,
        ),
        ("c00002", None, None, None, None, rules.full_version),
    ]  # fmt: skip


def test_rules_ask_for_churn_value_and_interests_too(tmp_path: Path) -> None:
    asked = '{churn_probability: ">= 0.5", clv: ">= 10", interest.Tea: ">= 2", next_action: "= High-Value Purchase"}'
    rules = own(tmp_path, OVERRIDING + MINIMAL.replace('{probability_purchase: ">= 0.5"}', asked))
    who = person(1, 85, 2, 20, average_rating=5.0)
    other, key = who | {"customer_id": "c00002"}, {"customer_id": "c00001"}
    found = acted(
        who,
        other,
        rules=rules,
        churn_scores=[key | {"churn_probability": 0.6}],
        lifetime_value=[key | {"clv": 12.0}],
        category_interest=[key | {"category": "Tea", "recent_interest_count": 2}],
    )
    assert rows(found, "customer_id", "next_best_action_rule") == [("c00001", "Buys"), ("c00002", None)]


def test_revenue_is_an_order_of_expected_value_if_it_comes() -> None:
    people = [person(number, 10, 10, 3) for number in (1, 2)] + [person(3, 10, 10, 3, average_order_amount=None)]
    found = acted(*people, lifetime_value=[{"customer_id": "c00001", "expected_order_value": 50.0}])
    columns = ("customer_id", "probability_purchase", "revenue_potential")
    (_, one, dear), (_, _, usual), (_, _, unknown) = rows(found, *columns)
    assert (dear, usual) == (pytest.approx(50 * one, abs=1e-3), pytest.approx(20 * one, abs=1e-3))
    assert unknown is None


def test_the_category_to_come_follows_from_those_so_far() -> None:
    sold = table("order_lines", *[line("c00001", f"o{place}", 50 - place, "Tea") for place in range(6)])
    found = acted(person(1, 10, 10, 6), person(2, 10, 10, 3), sold=sold)
    columns = ("category_from", "category_to", "category_probability", "unknown_because")
    known, unknown = (row[1:] for row in rows(found, "customer_id", *columns))
    assert known[:2] == ("Tea", "Tea")
    assert 0.6 < known[2] < 1
    assert known[3] is None
    assert unknown == (None, None, None, "category shift: the category of no order is known")


def test_propensities_are_between_nothing_and_certainty_and_an_upsell_needs_an_order() -> None:
    found = acted(*[person(r, r, 10, 3) for r in (2, 40, 85)])
    names = ("probability_purchase", "propensity_upsell", "propensity_cross_sell", "propensity_campaign_response")
    for values in rows(found, *names):
        assert all(0 < value < 1 for value in values)
        assert values[1] < values[0] + 0.05


def test_customers_are_scored_in_portions_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [person(number, 7 * number % 90, 5 * number % 60, 1 + number % 6) for number in range(11)]
    columns = ("customer_id", *SUMS, "propensity_upsell", "next_best_action_basis")
    at_once = rows(acted(*people), *columns)
    monkeypatch.setattr(module, "BATCH", 3)
    assert rows(acted(*reversed(people)), *columns) == at_once


def test_without_a_model_the_missing_data_is_the_reason() -> None:
    untrained = function_of(action_model)(examples([]), table("order_lines"), goods(), at("2026-06-30"), table)
    columns = ("probability_purchase", "next_action", "next_action_probability", "next_best_action", "unknown_because")
    ((*nothing, action, why),) = rows(acted(person(1, 5, 5, 2), model=untrained), *columns)
    assert (nothing, action) == ([None, None, None], "Wait")
    assert why.startswith("purchase: not enough data: of 90 days before as_of, no order is known; browse: not enough")
    ((why,),) = rows(acted(person(1, 5, 5, 2), model=table("action_model")), "unknown_because")
    assert why.startswith("purchase: no model was trained yet; browse: ")


def test_columns_are_those_of_the_contract() -> None:
    for model in (trained(), table("action_model")):
        assert schema(model) == table("next_actions").schema()


def schema(model: ir.Table) -> Any:
    tables = {name: table(name) for name in ("features", "churn_scores", "lifetime_value", "category_interest")}
    goods_sold = {"order_lines": table("order_lines"), "products": table("products")}
    return function_of(next_actions)(
        **tables, **goods_sold, action_model=model, actions=actions.load, currency="EUR"
    ).schema()
