"""The linter of segment rules: what can never hold, what overlaps, whom nothing covers."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from governance import contracts, rule_lint, segments
from governance.rule_lint import Finding
from governance.segments import Partial, Rule, Rules

FEATURES = contracts.load()["features"]
PUBLISHED = segments.load()


def with_rules(**lists: Any) -> Rules:
    """The published rules with some lists replaced."""
    return PUBLISHED.model_copy(update=lists)


def ranges(*rules: Rule) -> Partial:
    return Partial(rules=list(rules), otherwise="no price")


def found(kind: str, rules: Rules, name: str) -> list[str]:
    return [
        str(one)
        for one in rule_lint.findings(rules.listed, FEATURES)
        if one.kind == kind and one.where.startswith(name)
    ]


def test_the_published_rules_can_all_hold() -> None:
    assert [finding for finding in rule_lint.findings(PUBLISHED.listed, FEATURES) if finding.is_fault] == []


def test_a_rule_behind_a_wider_one_can_never_hold() -> None:
    tiers = [
        Rule(name="High", when={"monetary_score": ">= 3"}),
        Rule(name="Medium", when={"monetary_score": "= 4"}),
        Rule(name="Low", when={"frequency": ">= 1"}),
    ]
    assert found("never", with_rules(value_tier=ranges(*tiers)), "value_tier") == [
        "value_tier / Medium: can never hold: rules before it take all it could hold for"
    ]


def test_rules_together_can_take_all_of_a_later_one() -> None:
    prices = ranges(
        Rule(name="cheap", when={"average_unit_price": "< 20"}),
        Rule(name="dear", when={"average_unit_price": ">= 20"}),
        Rule(name="middle", when={"average_unit_price": [">= 10", "<= 30"]}),
    )
    assert found("never", with_rules(price_range=prices), "price_range / middle")


def test_conditions_that_exclude_one_another_are_found_in_audiences_too() -> None:
    audiences = [Rule(name="impossible", when={"frequency": ["> 3", "< 4"]}), Rule(name="rest")]
    assert found("never", with_rules(audiences=audiences), "audiences") == [
        "audiences / impossible: can never hold: its conditions exclude one another"
    ]
    fractions = [Rule(name="possible", when={"average_rating": ["> 3", "< 4"]}), Rule(name="rest")]
    assert not found("never", with_rules(audiences=fractions), "audiences")


def test_an_audience_behind_a_wider_one_holds_all_the_same() -> None:
    audiences = [
        Rule(name="buyers", when={"frequency": ">= 1"}),
        Rule(name="frequent", when={"frequency": ">= 9"}),
        Rule(name="rest"),
    ]
    assert not found("never", with_rules(audiences=audiences), "audiences")
    assert found("overlap", with_rules(audiences=audiences), "audiences") == [
        "audiences / buyers, frequent: overlap; a customer may be in both"
    ]


def test_a_gap_is_told_with_its_reason() -> None:
    prices = ranges(
        Rule(name="dear", when={"average_unit_price": "> 50"}), Rule(name="cheap", when={"average_unit_price": "< 50"})
    )
    (told,) = found("gap", with_rules(price_range=prices), "price_range")
    assert "average_unit_price" in told
    assert told.endswith("(no price)")


def test_a_column_nobody_knows_is_a_fault() -> None:
    tiers = Partial(
        rules=[Rule(name="High", when={"shoe_size": "> 45"})],
        otherwise=[Rule(name="no hat", when={"hat_size": "unknown"}), Rule(name="other")],
    )
    assert rule_lint.findings(with_rules(value_tier=tiers).listed, FEATURES) == [
        Finding("unknown column", "value_tier / High", "there is no feature 'shoe_size'"),
        Finding("unknown column", "value_tier.otherwise / no hat", "there is no feature 'hat_size'"),
    ]


OPERATORS = {">=": "__ge__", "<=": "__le__", ">": "__gt__", "<": "__lt__", "=": "__eq__"}
CONDITION = st.tuples(
    st.sampled_from(["recency_score", "frequency_score"]), st.sampled_from(sorted(OPERATORS)), st.integers(0, 6)
)
RULES = st.lists(st.lists(CONDITION, min_size=1, max_size=2, unique_by=lambda one: one[0]), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(RULES)
def test_rules_that_never_hold_are_those_a_loop_over_all_customers_never_finds(listed: list[Any]) -> None:
    when = [{column: f"{sign} {value}" for column, sign, value in conditions} for conditions in listed]
    prices = ranges(*[Rule(name=str(number), when=one) for number, one in enumerate(when)])
    scores = (None, 1, 2, 3, 4, 5)
    firsts = set()
    for recency, frequency in itertools.product(scores, scores):
        person = {"recency_score": recency, "frequency_score": frequency}
        firsts.add(next((number for number, rule in enumerate(listed) if holds(person, rule)), None))
    told = {
        where.split(" / ")[1].split(":")[0] for where in found("never", with_rules(price_range=prices), "price_range")
    }
    assert told == {str(number) for number in range(len(listed)) if number not in firsts}
    assert bool(found("gap", with_rules(price_range=prices), "price_range")) == (None in firsts)


def holds(person: dict[str, int | None], conditions: list[tuple[str, str, int]]) -> bool:
    known = [(person[column], sign, value) for column, sign, value in conditions]
    return all(score is not None and getattr(score, OPERATORS[sign])(value) for score, sign, value in known)
