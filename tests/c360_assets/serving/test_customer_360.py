"""Customer 360: everything about a customer in one row."""

from datetime import datetime
from typing import Any

import ibis.expr.types as ir

from c360_assets.serving.customer_360 import customer_360
from tests.tables import CONTRACTS, at, computed, day, money, rows, table

ZERO = money("0")
ANN = {"customer_id": "ann"}
INPUTS = (
    "customers",
    "features",
    "customer_segments",
    "audiences",
    "clusters",
    "lifetime_value",
    "churn_scores",
    "next_actions",
    "orders",
    "order_lines",
    "products",
    "category_interest",
    "browsing",
    "touches",
    "loyalty_members",
    "recommendations",
)


def order(order_id: str, on: str, **more: Any) -> dict[str, Any]:
    return {**ANN, "order_id": order_id, "ordered_at": day(on), "is_completed": True, "returned_amount": ZERO, **more}


def line(line_id: str, sku: str, amount: str, kind: str = "sale") -> dict[str, Any]:
    return {**ANN, "order_line_id": line_id, "sku_id": sku, "net_amount": money(amount), "line_kind": kind}


def profile(**given: list[dict[str, Any]]) -> ir.Table:
    """The profile of ann and whoever else is given, with no rows in what is not given."""
    known = {"customers": [{**ANN, "is_registered": True}], "features": [ANN], "customer_segments": [ANN]} | given
    return computed(customer_360)(*[table(name, *known.get(name, [])) for name in INPUTS], at("2026-06-30"))


def test_a_profile_joins_who_they_are_what_they_bought_and_how_they_behave() -> None:
    found = profile(
        customers=[{**ANN, "city": "Austin", "is_registered": True, "email_address": "ann@example.com"}],
        features=[
            {**ANN, "frequency": 2, "monetary": money("50"), "returned_amount": money("5"), "session_count": 1},
        ],
        customer_segments=[{**ANN, "customer_segment": "New", "persona": "Explorer"}],
        orders=[
            order("1", "2026-01-01", payment_method="card"),
            order("2", "2026-02-01", payment_method="cash"),
            order("3", "2026-03-01", payment_method="cash", is_completed=False, returned_amount=money("5")),
        ],
        order_lines=[
            line("1", "hat", "30") | {"line_amount": money("60")},
            line("2", "shoe", "20"),
            line("3", "shoe", "15"),
            line("4", "hat", "90", "return"),
        ],
        products=[
            {"sku_id": "hat", "product_category": "Accessories", "brand_name": "B"},
            {"sku_id": "shoe", "product_category": "Footwear", "brand_name": "A"},
        ],
        browsing=[{**ANN, "last_seen_at": datetime(2026, 6, 1, 10), "preferred_device": "mobile"}],
        clusters=[{**ANN, "cluster_name": "Frequent"}],
        lifetime_value=[{**ANN, "p_alive": 0.9, "expected_purchases": 1.5, "clv": 60.0}],
        churn_scores=[{**ANN, "churn_probability": 0.8, "churn_band": "High"}],
        next_actions=[
            {
                **ANN,
                "next_action": "Browse",
                "next_action_probability": 0.6,
                "next_best_action": "Remind",
                "next_best_action_priority": "High",
            }
        ],
    )
    columns = (
        "customer_id", "city", "frequency", "monetary", "returned_amount", "preferred_category", "preferred_brand",
        "preferred_payment_method", "last_seen_at", "first_ordered_at", "last_ordered_at", "preferred_device",
        "persona", "cluster_name", "p_alive", "expected_purchases", "clv", "churn_probability", "churn_band",
        "next_action", "next_action_probability", "next_best_action", "next_best_action_priority", "as_of",
    )  # fmt: skip
    assert rows(found, *columns) == [
        (
            "ann", "Austin", 2, money("50"), money("5"), "Footwear", "A", "card", datetime(2026, 6, 1, 10),
            day("2026-01-01"), day("2026-02-01"), "mobile", "Explorer", "Frequent", 0.9, 1.5, 60.0,
            0.8, "High", "Browse", 0.6, "Remind", "High", day("2026-06-30"),
        )
    ]  # fmt: skip
    assert "email_address" not in found.columns


def test_who_only_registered_has_a_profile_and_is_told_what_is_missing() -> None:
    found = profile(customer_segments=[{**ANN, "unknown_because": "price_range: nothing bought"}])
    touched = ("customer_id", "touch_count", "channel_count", "last_seen_at")
    assert rows(found, *touched) == [("ann", None, None, None)]
    others = [{"customer_id": "bob", "channel_kind": "web", "channel": "email", "touch_count": 3}]
    assert rows(profile(touches=others), *touched) == [("ann", 0, 0, None)]
    ((told,),) = rows(found, "unknown_because")
    assert told.split("; ") == [
        "price_range: nothing bought",
        "demographics: the customer system does not know the age",
        "web behaviour: no web events",
        "satisfaction: no NPS answer",
        "cluster: the customer was not there when clusters were made",
        "churn: the customer was not there when churn was scored",
        "next action: the customer was not there when next actions were told",
        "lifetime value: no completed order when values were last expected",
    ]
    ((told,),) = rows(profile(customers=[{**ANN, "is_registered": True, "age_band": "35-44"}]), "unknown_because")
    assert "demographics" not in told
    nowhere = [{**ANN, "reason": "no completed order and no visit"}]
    unknown = profile(customers=[{**ANN, "is_registered": False}], clusters=nowhere)
    ((told,),) = rows(unknown, "unknown_because")
    assert told.split("; ")[:4:3] == [
        "demographics: the customer system does not know the customer",
        "cluster: no completed order and no visit",
    ]


def test_audiences_are_listed_without_the_sensitive_ones() -> None:
    found = profile(
        audiences=[
            {**ANN, "audience": "Repeat Buyers", "precedence": 9, "is_sensitive": False},
            {**ANN, "audience": "Expecting Parents", "precedence": 2, "is_sensitive": True},
            {**ANN, "audience": "Frequent Buyers", "precedence": 3, "is_sensitive": False},
        ]
    )
    assert rows(found, "audiences") == [("Frequent Buyers; Repeat Buyers",)]


def test_the_three_strongest_interests_and_all_touches_are_told() -> None:
    interests = [
        {**ANN, "category": name, "preference_rank": place}
        for place, name in enumerate(("Toys", "Baby", "Home", "Beauty"), start=1)
    ]
    touched = [
        {**ANN, "channel_kind": "web", "channel": "email", "touch_count": 3},
        {**ANN, "channel_kind": "support", "channel": "chat", "touch_count": 1},
    ]
    found = profile(category_interest=interests[::-1], touches=touched)
    assert rows(found, "category_preferences", "touch_count", "channel_count") == [("Toys; Baby; Home", 4, 2)]


def test_a_profile_has_the_columns_of_its_contract() -> None:
    assert set(profile().columns) == set(CONTRACTS["customer_360"].column_names)


def test_the_product_ranked_first_is_recommended_by_its_name_or_else_its_id() -> None:
    ranked = [
        {"customer_id": "ann", "rank": 2, "product_id": "P1", "product_name": "Hat"},
        {"customer_id": "ann", "rank": 1, "product_id": "P2", "product_name": "Shoe"},
        {"customer_id": "bob", "rank": 1, "product_id": "P3"},
    ]
    people = [{"customer_id": who, "is_registered": True} for who in ("ann", "bob", "cy")]
    found = profile(customers=people, recommendations=ranked)
    assert rows(found, "customer_id", "top_recommendation") == [("ann", "Shoe"), ("bob", "P3"), ("cy", None)]
