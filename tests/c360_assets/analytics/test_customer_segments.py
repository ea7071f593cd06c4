"""Customer segments and audiences: the first rule that holds, and everyone in exactly one."""

from collections.abc import Callable
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.audiences import audiences
from c360_assets.analytics.customer_segments import customer_segments
from governance import segments
from governance.errors import C360Error
from governance.segments import Rule, Rules
from tests.tables import computed, money, rows, table

RULES = segments.load()
LEVELS = {rule.name for rule in RULES.engagement_level}
BASE = {"is_registered": True, "frequency": 1, "monetary": money("1"), "historical_value": money("1")}
INTEREST = {"category": "Baby", "recent_interest_count": 3}


def segmented(
    *people: dict[str, Any], rules: Callable[[], Rules] = segments.load, interests: tuple[dict[str, Any], ...] = ()
) -> ir.Table:
    described = table("features", *[BASE | person for person in people])
    return computed(customer_segments)(described, table("category_interest", *interests), rules)


def listed(
    *people: dict[str, Any], rules: Callable[[], Rules] = segments.load, interests: tuple[dict[str, Any], ...] = ()
) -> ir.Table:
    described = table("features", *[BASE | person for person in people])
    return computed(audiences)(described, table("category_interest", *interests), rules)


def ann(**known: Any) -> dict[str, Any]:
    return {"customer_id": "ann", **known}


@pytest.mark.parametrize(
    ("history_days", "monetary", "segment"),
    [(365, "5000.01", "VIP"), (365, "5000", "Regular"), (364, "9999", "New"), (None, "9999", "New")],
)
def test_vip_and_regular_need_a_year_of_history(history_days: int | None, monetary: str, segment: str) -> None:
    found = segmented(ann(history_days=history_days, monetary=money(monetary)))
    assert rows(found, "customer_segment") == [(segment,)]


@pytest.mark.parametrize(
    ("recency", "frequency", "monetary", "level"),
    [
        (5, 5, 5, "Champions"),
        (4, 4, 3, "Loyal Customers"),
        (2, 1, 4, "At Risk (High Value)"),
        (3, 2, 5, "Needs Attention"),
        (None, 5, 5, "Needs Attention"),
        (2, 5, 3, "Churn Risk"),
        (1, 1, 1, "Churn Risk"),
    ],
)
def test_engagement_level_follows_the_scores(recency: int | None, frequency: int, monetary: int, level: str) -> None:
    found = segmented(ann(recency_score=recency, frequency_score=frequency, monetary_score=monetary))
    assert rows(found, "engagement_level") == [(level,)]


def test_who_never_bought_is_new_and_a_prospect_or_an_abandoner() -> None:
    columns = ("customer_segment", "primary_segment", "persona", "lifecycle_stage", "persona_traits")
    never = ann(frequency=0, monetary=money("0"))
    assert rows(segmented(never), *columns) == [("New", "Prospects", "Prospect", "Prospect", "Not a buyer yet")]
    assert rows(segmented(never | {"cart_count": 5}), "primary_segment") == [("Frequent Cart Abandoner",)]


def test_premium_is_shown_beside_the_segment_and_changes_no_audience() -> None:
    found = segmented(ann(is_premium=True), {"customer_id": "bob", "is_premium": False})
    assert rows(found, "customer_id", "is_premium", "primary_segment") == [
        ("ann", True, "One-Time Buyers"),
        ("bob", False, "One-Time Buyers"),
    ]


def test_what_cannot_be_known_is_empty_with_its_reason() -> None:
    columns = ("lifecycle_stage", "price_range", "activity_trend", "unknown_because")
    assert rows(segmented(ann()), "customer_id", *columns) == [
        (
            "ann", None, None, None,
            "lifecycle_stage: no order has a date; price_range: nothing bought at a known price;"
            " activity_trend: no order and no visit has a date",
        )
    ]  # fmt: skip
    known = ann(history_days=100, recency_days=10, average_unit_price=80.0, activity_change=0.1)
    assert rows(segmented(known), "customer_id", *columns) == [
        ("ann", "Established", "Premium (80 and more)", "Steady", None)
    ]


def test_all_traits_that_hold_are_kept_in_their_order() -> None:
    found = segmented(ann(frequency=4, frequency_score=5, is_premium=True, price_index=1.3, nps_score=9))
    assert rows(found, "persona", "persona_traits") == [
        ("Premium Loyalist", "Quality-focused; Subscription member; Regular purchaser; Recommends us")
    ]


def test_a_customer_is_in_every_audience_that_holds_and_the_first_is_the_primary_one() -> None:
    found = listed(ann(monetary_score=5, frequency=3, frequency_score=5))
    assert rows(found, "precedence", "audience", "is_primary") == [
        (1, "High Spending Customers", True),
        (3, "Frequent Buyers", False),
        (9, "Repeat Buyers", False),
    ]


def test_a_sensitive_audience_is_marked_and_never_the_primary_one() -> None:
    interest = INTEREST | {"customer_id": "ann"}
    found = listed(ann(number_of_children=0), interests=(interest,))
    assert rows(found, "precedence", "audience", "is_primary", "is_sensitive") == [
        (2, "Expecting Parents", False, True),
        (8, "One-Time Buyers", True, False),
    ]
    assert rows(listed(ann(number_of_children=1), interests=(interest,)), "audience") == [("One-Time Buyers",)]
    segment = segmented(ann(number_of_children=0), interests=(interest,))
    assert rows(segment, "primary_segment") == [("One-Time Buyers",)]


def test_a_changed_rule_changes_segments_and_version() -> None:
    tiers = [Rule(name="High", when={"monetary_score": ">= 2"}), Rule(name="Low")]
    changed = RULES.model_copy(update={"value_tier": tiers})
    person = ann(monetary_score=2)
    ((before, old),) = rows(segmented(person), "value_tier", "rule_version")
    ((after, new),) = rows(segmented(person, rules=lambda: changed), "value_tier", "rule_version")
    assert (before, after) == ("Low", "High")
    assert old == RULES.full_version != new


def test_a_rule_about_a_column_nobody_knows_names_rule_and_column() -> None:
    rules = RULES.model_copy(update={"traits": [Rule(name="Big feet", when={"shoe_size": "> 45"}), Rule(name="-")]})
    with pytest.raises(C360Error, match="rule Big feet: there is no column 'shoe_size'"):
        segmented(ann(), rules=lambda: rules)


SCORE = st.one_of(st.none(), st.integers(1, 5))
PERSON = st.tuples(SCORE, SCORE, SCORE, st.integers(0, 30), st.one_of(st.none(), st.integers(0, 6)))


@settings(max_examples=25, deadline=None)
@given(st.lists(PERSON, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_every_customer_is_in_exactly_one_segment_of_each_kind(scores: list[tuple[Any, ...]], random: Any) -> None:
    people = [
        {"customer_id": f"c{n:02}", "recency_score": r, "frequency_score": f, "monetary_score": m, "frequency": orders}
        for n, (r, f, m, orders, _) in enumerate(scores)
    ]
    interests = tuple(
        INTEREST | {"customer_id": f"c{n:02}", "recent_interest_count": interest}
        for n, (*_, interest) in enumerate(scores)
        if interest is not None
    )
    columns = ("customer_id", "customer_segment", "engagement_level", "primary_segment", "value_tier", "persona")
    found = rows(segmented(*people, interests=interests), *columns)
    assert [who for who, *_ in found] == [person["customer_id"] for person in people]
    assert all(level in LEVELS and segment and primary and tier for _, segment, level, primary, tier, _ in found)
    chosen = listed(*people, interests=interests).filter("is_primary")
    assert rows(chosen, "customer_id", "audience") == [(who, primary) for who, _, _, primary, _, _ in found]
    random.shuffle(people)
    assert rows(segmented(*people, interests=interests), *columns) == found
