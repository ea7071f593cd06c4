"""Customer segments and audiences: the first rule that holds, and everyone in exactly one."""

from collections.abc import Callable
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.audiences import audiences
from c360_assets.analytics.segments.customer_segments import customer_segments
from governance import segments
from governance.errors import C360Error
from governance.segments import Partial, Rule, Rules
from tests.tables import computed, money, rows, table

RULES = segments.load()
LEVELS = {rule.name for rule in RULES.engagement_level.rules}
BASE = {
    "is_registered": True, "frequency": 1, "order_count": 1, "open_order_count": 0, "monetary": money("1"),
    "historical_value": money("1"), "returned_amount": money("0"),
}  # fmt: skip
NEVER = {"frequency": 0, "order_count": 0, "monetary": money("0"), "historical_value": money("0")}
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
    [(365, "5000.01", "VIP"), (365, "5000", "Regular"), (364, "9999", "New"), (None, "9999", None)],
)
def test_vip_and_regular_need_a_year_of_history_among_two(
    history_days: int | None, monetary: str, segment: str | None
) -> None:
    person = ann(history_days=history_days, monetary=money(monetary))
    assert rows(segmented(person | {"orders_span_days": 720}), "customer_segment") == [(segment,)]
    assert rows(segmented(person | {"orders_span_days": 719}), "customer_segment") == [(None,)]


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
        (1, 1, None, None),
        (5, None, 5, None),
    ],
)
def test_engagement_level_follows_the_scores(
    recency: int | None, frequency: int | None, monetary: int | None, level: str | None
) -> None:
    scores = {"recency_score": recency, "frequency_score": frequency, "monetary_score": monetary}
    found = segmented(ann(recency_days=recency, orders_span_days=56, **scores))
    assert rows(found, "engagement_level") == [(level,)]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (NEVER, "no completed order"),
        ({"orders_span_days": 1}, "orders of less than eight weeks are held"),
        ({"orders_span_days": 400}, "buyers are too much alike to be scored"),
        ({}, "no order has a date"),
    ],
)
def test_levels_are_of_buyers_whom_the_data_can_tell_apart(known: dict[str, Any], reason: str) -> None:
    ((level, because),) = rows(segmented(ann(**known)), "engagement_level", "unknown_because")
    assert level is None
    assert f"engagement_level: {reason}" in because.split("; ")


@pytest.mark.parametrize(
    ("above", "tier"), [(0.0, "High"), (0.79, "High"), (0.8, "Medium"), (0.95, "Low"), (None, "Low")]
)
def test_tiers_divide_what_all_customers_are_worth(above: float | None, tier: str) -> None:
    assert rows(segmented(ann(value_share_above=above, monetary_score=3)), "value_tier") == [(tier,)]
    assert rows(segmented(ann(value_share_above=above)), "value_tier") == [(None,)]


@pytest.mark.parametrize(
    ("known", "stage"),
    [
        (NEVER, "Prospect"),
        ({"monetary": money("0"), "returned_amount": money("9"), "history_days": 10}, "Returned everything"),
        (NEVER | {"order_count": 1, "returned_amount": money("9")}, "Returned everything"),
        (NEVER | {"order_count": 2}, "Cancelled only"),
        (NEVER | {"order_count": 2, "open_order_count": 1}, None),
        ({"history_days": 10}, "New"),
    ],
)
def test_whose_orders_came_to_nothing_is_in_a_stage_of_its_own(known: dict[str, Any], stage: str | None) -> None:
    assert rows(segmented(ann(**known)), "lifecycle_stage") == [(stage,)]


def test_who_never_bought_is_a_prospect_or_an_abandoner_of_no_level() -> None:
    columns = ("customer_segment", "engagement_level", "value_tier", "primary_segment", "persona", "persona_traits")
    never = ann(**NEVER)
    assert rows(segmented(never), *columns) == [(None, None, None, "Prospects", "Prospect", "Not a buyer yet")]
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
            "customer_segment: no order has a date; engagement_level: no order has a date;"
            " value_tier: buyers are too much alike to be scored; lifecycle_stage: no order has a date;"
            " price_range: nothing bought at a known price; activity_trend: no order and no visit has a date",
        )
    ]  # fmt: skip
    spans = {"orders_span_days": 800, "activity_span_days": 800, "tenure_days": 200}
    scores = dict.fromkeys(("recency_score", "frequency_score", "monetary_score"), 3)
    known = ann(history_days=200, recency_days=10, average_unit_price=80.0, activity_change=0.1, **spans, **scores)
    assert rows(segmented(known), "customer_id", *columns) == [
        ("ann", "Established", "Premium (80 and more)", "Steady", None)
    ]


@pytest.mark.parametrize(
    ("known", "trend"),
    [
        ({"activity_change": 1.0, "tenure_days": 180, "activity_span_days": 180}, "Rising"),
        ({"activity_change": None, "tenure_days": 180, "activity_span_days": 180, "recency_days": 200}, "Inactive"),
        ({"tenure_days": 179, "activity_span_days": 800}, "too new to tell"),
        ({"tenure_days": 999, "activity_span_days": 179}, "orders and visits of less than 180 days are held"),
    ],
)
def test_a_trend_needs_both_windows(known: dict[str, Any], trend: str) -> None:
    ((found, because),) = rows(segmented(ann(**known)), "activity_trend", "unknown_because")
    assert (found or because.split("activity_trend: ")[1]) == trend


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
    tiers = [Rule(name="High", when={"monetary_score": ">= 2"}), Rule(name="Low", when={"frequency": ">= 1"})]
    changed = RULES.model_copy(update={"value_tier": Partial(rules=tiers, otherwise="no order")})
    person = ann(monetary_score=2)
    ((before, old),) = rows(segmented(person), "value_tier", "rule_version")
    ((after, new),) = rows(segmented(person, rules=lambda: changed), "value_tier", "rule_version")
    assert (before, after) == ("Low", "High")
    assert old == RULES.full_version != new


def test_a_rule_about_a_column_nobody_knows_names_rule_and_column() -> None:
    rules = RULES.model_copy(update={"traits": [Rule(name="Big feet", when={"shoe_size": "> 45"}), Rule(name="-")]})
    with pytest.raises(C360Error, match=r"rule Big feet: there is no column 'shoe_size'; known are .*\bfrequency\b"):
        segmented(ann(), rules=lambda: rules)
    known = [Rule(name="Big buyer", when={"frequency": "> 45"}), Rule(name="-")]
    segment = segmented(ann(frequency=46), rules=lambda: RULES.model_copy(update={"traits": known}))
    assert rows(segment, "persona_traits") == [("Big buyer",)]


SCORE = st.one_of(st.none(), st.integers(1, 5))
PERSON = st.tuples(SCORE, SCORE, SCORE, st.integers(0, 30), st.one_of(st.none(), st.integers(0, 6)))


@settings(max_examples=25, deadline=None)
@given(st.lists(PERSON, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_every_customer_is_in_exactly_one_segment_of_each_kind(scores: list[tuple[Any, ...]], random: Any) -> None:
    people = [
        {
            "customer_id": f"c{n:02}",
            "recency_score": r,
            "frequency_score": f,
            "monetary_score": m,
            "frequency": orders,
            "orders_span_days": 800,
            "history_days": 300,
            "recency_days": r,
        }
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
    for person, (_, segment, level, primary, tier, persona) in zip(people, found, strict=True):
        assert segment == "New"
        assert primary
        assert persona
        assert (level in LEVELS) == (person["frequency_score"] is not None and person["monetary_score"] is not None)
        assert (tier == "Low") == (person["monetary_score"] is not None and person["frequency"] > 0)
    chosen = listed(*people, interests=interests).filter("is_primary")
    assert rows(chosen, "customer_id", "audience") == [(who, primary) for who, _, _, primary, _, _ in found]
    random.shuffle(people)
    assert rows(segmented(*people, interests=interests), *columns) == found
