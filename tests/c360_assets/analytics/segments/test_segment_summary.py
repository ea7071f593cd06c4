"""Segment summary: every segment in one row, its figures, and advice that follows from name or traits."""

from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.segment_summary import segment_summary
from c360_assets.analytics.segments.segment_traits import segment_traits
from governance import playbook, segments
from tests.tables import CONTRACTS, arrow, computed, money, table

RULES = segments.load()
PLAYBOOK = playbook.load()
EXPECTED = ("churn_probability", "probability_purchase", "p_alive", "clv")
BESIDE = ("engagement_level", "price_range", "audience", "cluster", "agreed", *EXPECTED)
Person = dict[str, Any]
Row = dict[str, Any]


def summary(*people: Person, stability: tuple[Row, ...] = (), with_traits: bool = True) -> dict[str, Row]:
    """The summary by segment_id, of people who name segments, an audience, a cluster and consent beside features."""
    features = table("features", *[{k: v for k, v in person.items() if k not in BESIDE} for person in people])
    placed = table(
        "customer_segments", *[_only(one, "engagement_level", "price_range", "is_premium") for one in people]
    )
    audiences = table("audiences", *[_only(one, "audience") | _secret(one) for one in people if one.get("audience")])
    clusters = table("clusters", *[_cluster(person) for person in people])
    traits = table("segment_traits")
    if with_traits:
        traits = computed(segment_traits)(features, placed, audiences, clusters)
    customers = table("customers", *[_only(one) | {"accepts_email": one.get("agreed")} for one in people])
    steady = table("segment_stability", *stability)
    scores = table("churn_scores", *[_only(one, "churn_probability") for one in people])
    worth = table("lifetime_value", *[_only(one, "p_alive", "clv") for one in people if one.get("clv")])
    soon = table("next_actions", *[_only(one, "probability_purchase") for one in people])
    models = (scores, worth, soon)
    found = computed(segment_summary)(
        features, customers, placed, audiences, clusters, traits, steady, *models, segments.load, playbook.load
    )
    return {row["segment_id"]: row for row in arrow(found).to_pylist()}


def _only(person: Person, *names: str) -> Row:
    return {name: person.get(name) for name in ("customer_id", *names)}


def _secret(person: Person) -> Row:
    return {"is_sensitive": person["audience"] == "Expecting Parents"}


def _cluster(person: Person) -> Row:
    name = person.get("cluster")
    return _only(person) | {"cluster_name": name, "cluster_id": name and 1 + (name > "L")}


def person(number: int, level: str = "Champions", **known: Any) -> Person:
    value = money(str(known.pop("value", 0)))
    return {"customer_id": f"c{number:03}", "engagement_level": level, "historical_value": value, **known}


def test_the_columns_are_those_of_the_contract() -> None:
    assert set(next(iter(summary(person(1)).values()))) == set(CONTRACTS["segment_summary"].column_names)


def test_all_segments_of_the_rules_are_there_and_those_without_customers_have_the_reason() -> None:
    found = summary(person(1))
    ruled = {**RULES.segmentations, "audience": RULES.audiences}
    assert Counter(row["segmentation"] for row in found.values()) == {
        **{name: len(listed) for name, listed in ruled.items()},
        "premium": 1,
    }
    reasons = {name: found[name]["reason"] for name in ("engagement_level/champions", "engagement_level/churn-risk")}
    assert reasons == {"engagement_level/champions": None, "engagement_level/churn-risk": "nobody fits the rule"}
    assert found["price_range/budget-below-20"]["reason"] == RULES.price_range.otherwise[-1].name
    assert found["premium/premium"]["reason"] == "no subscription is known"
    assert found["engagement_level/churn-risk"]["precedence"] == len(RULES.engagement_level.rules)


def test_size_worth_and_reach_stand_against_all_customers() -> None:
    found = summary(
        person(1, value=600, agreed=True, audience="One-Time Buyers", is_premium=True),
        person(2, value=150, agreed=False, audience="One-Time Buyers", is_premium=False),
        person(3, "Churn Risk", value=250),
        person(4, "Churn Risk", value=0),
    )
    told = ("customer_count", "customer_share", "value_share", "business_relevance", "actionability", "premium_share")
    shown = {name: tuple(found[name][column] for column in told) for name in found}
    assert shown["engagement_level/champions"] == (2, 0.5, 0.75, 1.0, 0.5, 0.5)
    assert shown["engagement_level/churn-risk"] == (2, 0.5, 0.25, 250 / 750, 0.0, None)
    assert shown["audience/one-time-buyers"] == (2, 0.5, 0.75, 1.0, 0.5, 0.5)
    # Those outside the overlay count as one more segment.
    assert shown["premium/premium"] == (1, 0.25, 0.6, 1.0, 1.0, 1.0)
    assert shown["engagement_level/needs-attention"] == (0, 0.0, 0.0, 0.0, None, None)


def test_what_models_expect_is_told_as_the_mean_of_those_of_whom_they_know() -> None:
    found = summary(
        person(1, churn_probability=0.2, probability_purchase=0.25, p_alive=0.9, clv=100.0),
        person(2, churn_probability=0.4, p_alive=0.5, clv=25.5),
        person(3, churn_probability=None),
        person(4, "Churn Risk"),
    )
    told = (
        "mean_churn_probability",
        "mean_p_alive",
        "mean_clv",
        "mean_purchase_probability",
        "mean_expected_purchases",
    )
    champions, risky = (found[f"engagement_level/{name}"] for name in ("champions", "churn-risk"))
    assert [champions[column] for column in told] == [pytest.approx(0.3), 0.7, 62.75, 0.25, None]
    assert [risky[column] for column in told] == [None] * 5


def test_shares_of_nothing_are_unknown() -> None:
    champions = summary(person(1, value=5), person(2, value=-9))["engagement_level/champions"]
    told = ("value_share", "business_relevance", "actionability", "stability", "trait_1")
    assert [champions[column] for column in told] == [None] * len(told)


def test_deltas_are_the_mean_over_that_of_all_customers_less_one() -> None:
    crowd = [person(n, monetary=money("30"), recency_days=10, return_rate=0.0) for n in range(2)]
    crowd += [person(n, "Churn Risk", monetary=money("10"), recency_days=70, return_rate=0.0) for n in range(2, 4)]
    champions = summary(*crowd)["engagement_level/champions"]
    deltas = ("monetary_delta", "recency_days_delta", "return_rate_delta", "session_count_delta")
    assert [champions[column] for column in deltas] == [0.5, -0.75, None, None]


def test_traits_are_the_most_telling_one_of_each_topic() -> None:
    spent = [(n, "Champions", 3) if n < 20 else (n, "Churn Risk", 1) for n in range(40)]
    crowd = [
        person(n, level, monetary=money(f"{10 * orders}"), value=10 * orders - n % 2, frequency=orders, recency_days=n)
        for n, level, orders in spent
    ]
    champions = summary(*crowd)["engagement_level/champions"]
    assert [champions[f"trait_{place}"] for place in range(1, 6)] == [
        "more orders: 3.00 against 2.00",
        "spends more: 30.0 against 20.0",
        "last order more recent: 10 days against 20",
        None,
        None,
    ]


def test_a_segment_of_the_playbook_has_its_advice() -> None:
    champions = summary(*[person(n) for n in range(40)])["engagement_level/champions"]
    written = PLAYBOOK.segments["engagement_level"]["Champions"]
    assert _actions(champions) == [(action.action, action.priority) for action in written.actions]
    assert _risks(champions) == written.risks


def _actions(row: Row) -> list[tuple[str, str]]:
    numbered = [(row[f"action_{place}"], row[f"priority_{place}"]) for place in (1, 2, 3)]
    return [pair for pair in numbered if pair != (None, None)]


def _risks(row: Row) -> list[str]:
    return [row[f"risk_{place}"] for place in (1, 2) if row[f"risk_{place}"]]


def test_a_cluster_is_advised_by_its_traits_the_most_urgent_first() -> None:
    crowd = [person(n, cluster="Keen", discount_rate=0.9, recency_days=300) for n in range(40)]
    crowd += [person(n, cluster="Lapsed", discount_rate=0.1, recency_days=20) for n in range(40, 100)]
    found = summary(*crowd)
    traits = PLAYBOOK.traits
    lapsed, bargains = traits["recency_days"].high, traits["discount_rate"].high
    assert lapsed is not None
    assert bargains is not None
    assert _actions(found["cluster/keen"]) == [
        (lapsed.action.action, "High"),
        (bargains.action.action, "Medium"),
    ]
    assert _risks(found["cluster/keen"]) == [bargains.risk, lapsed.risk]
    assert [found[name]["precedence"] for name in ("cluster/keen", "cluster/lapsed")] == [1, 2]


def test_a_cluster_like_everybody_gets_general_advice() -> None:
    average = summary(*[person(n, cluster="Average") for n in range(40)])["cluster/average"]
    assert _actions(average) == [(action.action, action.priority) for action in PLAYBOOK.general.actions]
    assert _risks(average) == PLAYBOOK.general.risks


@pytest.mark.parametrize(("count", "is_small"), [(PLAYBOOK.small.below - 1, True), (PLAYBOOK.small.below, False)])
def test_the_first_risk_of_a_small_segment_is_its_size(count: int, is_small: bool) -> None:
    champions = summary(*[person(n) for n in range(count)])["engagement_level/champions"]
    assert (champions["risk_1"] == PLAYBOOK.small.risk) == is_small


def test_sensitive_audiences_are_marked() -> None:
    found = summary(person(1, audience="Expecting Parents"))
    assert [name for name, row in found.items() if row["is_sensitive"]] == ["audience/expecting-parents"]
    assert found["audience/expecting-parents"]["customer_count"] == 1


def test_stability_is_the_newest_that_is_known_of_whole_months() -> None:
    months = [("2026-04-30", 0.5), ("2026-06-30", None), ("2026-05-31", 0.75), ("2026-07-09", 0.25)]
    steady = tuple(
        {
            "segmentation": "engagement_level", "month_on": date.fromisoformat(month), "adjusted_rand_index": index,
            "is_whole": month != "2026-07-09",
        }
        for month, index in months
    )  # fmt: skip
    found = summary(person(1), stability=steady)
    assert found["engagement_level/champions"]["stability"] == 0.75
    assert found["persona/explorer"]["stability"] is None


def test_names_that_come_to_the_same_are_told_apart() -> None:
    found = summary(person(1, cluster="Keen!"), person(2, cluster="keen?"))
    assert {name for name in found if name.startswith("cluster/")} == {"cluster/keen-1", "cluster/keen-2"}


def test_no_customers_make_empty_segments() -> None:
    found = summary()
    assert {row["customer_count"] for row in found.values()} == {0}
    assert {row["customer_share"] for row in found.values()} == {None}
    assert all(row["reason"] and row["action_2"] and row["risk_1"] for row in found.values())


CROWD = st.lists(
    st.fixed_dictionaries(
        {
            "level": st.sampled_from([rule.name for rule in RULES.engagement_level.rules]),
            "price_range": st.sampled_from([None, *[rule.name for rule in RULES.price_range.rules]]),
            "audience": st.sampled_from([None, *[rule.name for rule in RULES.audiences]]),
            "cluster": st.sampled_from([None, "Keen", "Lapsed"]),
            "is_premium": st.sampled_from([None, True, False]),
            "agreed": st.sampled_from([None, True, False]),
            "value": st.integers(-100, 1000),
        }
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(CROWD, st.randoms(use_true_random=False))
def test_everybody_is_counted_once_whatever_the_order_of_rows(crowd: list[Person], random: Any) -> None:
    people = [person(number, **known) for number, known in enumerate(crowd)]
    counted = Counter(("engagement_level", one["engagement_level"]) for one in people)
    for name in ("price_range", "audience", "cluster"):
        counted.update((name, one[name]) for one in people if one[name])
    counted.update(("premium", "Premium") for one in people if one["is_premium"])
    random.shuffle(people)
    found = summary(*people, with_traits=False)
    shown = {(row["segmentation"], row["segment_name"]): row["customer_count"] for row in found.values()}
    assert {segment: count for segment, count in shown.items() if count} == counted
    levels = [row for row in found.values() if row["segmentation"] == "engagement_level"]
    assert sum(row["historical_value"] for row in levels) == sum(one["historical_value"] for one in people)
    assert all(len(_actions(row)) >= 2 and _risks(row) for row in found.values())
