"""Segment rules: what marketing and sales may write, and what is said of a rule that cannot be used."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import segments
from governance.segments import Condition, Partial, Rule, RulesError

SMALL = """\
version: "1"
customer_segment:
  needs: {orders_span_days: ">= 720"}
  rules:
    - name: VIP
      when: {history_days: ">= 365", monetary: "> 5000"}
    - name: New
      when: {history_days: ["< 365", known]}
  otherwise:
    - name: no order
      when: {frequency: "= 0"}
    - name: short history
engagement_level: {rules: [{name: All, when: {frequency: ">= 1"}}], otherwise: never bought}
value_tier: {rules: [{name: Any, when: {frequency: ">= 1"}}], otherwise: never bought}
lifecycle_stage: {rules: [{name: Buyer, when: {frequency: ">= 1"}}], otherwise: never bought}
price_range: {rules: [{name: Dear, when: {average_unit_price: ">= 1"}}], otherwise: no price}
activity_trend: {rules: [{name: Steady, when: {activity_change: known}}], otherwise: no date}
persona:
  - name: Everybody
traits:
  - name: None
audiences:
  - name: Whoever
action_matrix:
  All: {Any: "protect, High"}
"""
VIP = 'when: {history_days: ">= 365", monetary: "> 5000"}'

# What is written instead of what, and what the error must name.
FAULTS = {
    "a word for a number": ('"> 5000"', '"> much"', "monetary"),
    "no operator": ('"> 5000"', '"5000"', "monetary"),
    "two operators": ('"> 5000"', '">> 5000"', "monetary"),
    "an operator of another language": ('"> 5000"', '"!= 5000"', "monetary"),
    "an equality that is none": ('"> 5000"', '"= > 5000"', "monetary"),
    "a number of two words": ('"> 5000"', '"= 5000 or so"', "monetary"),
    "a second condition in one": ('"> 5000"', '"> 5000 and < 6000"', "monetary"),
    "a number without quotes and operator": ('"> 5000"', "5000", "monetary"),
    "a list of conditions": (VIP, 'when: ["monetary > 5000"]', "when"),
    "an unknown segmentation": ("version:", "segment: []\nversion:", "segment"),
    "an unknown key of a rule": ("      when:", "      if:", "if"),
    "a rule without name": ("- name: Everybody", "- {}", "name"),
    "a name twice": ("- name: New", "- {name: VIP, when: {frequency: '> 1'}}\n    - name: New", "customer_segment"),
    "no version": ('version: "1"\n', "", "version"),
    "a missing segmentation": ("audiences:\n  - name: Whoever\n", "", "audiences"),
    "a segmentation without rules": ('[{name: All, when: {frequency: ">= 1"}}]', "[]", "engagement_level.rules"),
    "no open rule": ("- name: Everybody", "- {name: Some, when: {frequency: '> 1'}}", "persona"),
    "an open rule before the last": (
        "- name: Whoever",
        "- name: Whoever\n  - {name: Some, when: {frequency: '> 1'}}",
        "audiences",
    ),
    "a second open rule": ("- name: Everybody", "- name: Nobody\n  - name: Everybody", "persona"),
    "reasons that leave somebody without one": ("    - name: short history\n", "", "customer_segment.otherwise"),
    "a need that is no condition": ('">= 720"', '"two years"', "customer_segment"),
    "a sensitive audience for the rest": ("name: Whoever", "name: Whoever\n    sensitive: true", "audiences"),
    "no reason for those left out": (", otherwise: no price", "", "price_range.otherwise"),
    "a priority nobody knows": ("protect, High", "protect, Urgent", "action_matrix.All.Any.priority"),
    "a level without actions": ('All: {Any: "protect, High"}', "{}", "action_matrix"),
    "a tier nobody knows": ('{Any: "protect, High"}', '{Any: "protect, High", Some: "wait, Low"}', "action_matrix"),
}


def written(folder: Path, text: str) -> Path:
    file = folder / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_published_segments_are_these_in_this_order() -> None:
    rules = segments.load()
    assert [rule.name for rule in rules.customer_segment.rules] == ["VIP", "Regular", "New"]
    assert [rule.name for rule in rules.engagement_level.rules] == [
        "Champions",
        "At Risk (High Value)",
        "Loyal Customers",
        "Needs Attention",
        "Churn Risk",
    ]
    assert [rule.name for rule in rules.value_tier.rules] == ["High", "Medium", "Low"]
    assert [rule.name for rule in rules.audiences if rule.sensitive] == ["Expecting Parents"]
    assert {"Premium Loyalist", "Bargain Hunter", "Quality Seeker"} <= {rule.name for rule in rules.persona}


def test_a_vip_has_twelve_months_of_history_and_spent_more_than_5000() -> None:
    vip, regular, new = segments.load().customer_segment.rules
    assert vip.alternatives == [[Condition("history_days", ">=", 365), Condition("monetary", ">", 5000)]]
    assert regular.alternatives == [[Condition("history_days", ">=", 365)]]
    assert new.alternatives == [[Condition("history_days", "<", 365)]]


def test_what_a_segmentation_needs_is_asked_by_each_of_its_rules() -> None:
    needed = Partial(
        needs={"span": ">= 2", "age": "known"},
        rules=[Rule(name="a", when=[{"span": "< 9"}, {"age": "= 1"}])],
        otherwise="none",
    )
    known_age, enough = Condition("age", "known"), Condition("span", ">=", 2)
    assert [rule.alternatives for rule in needed.asked] == [
        [[enough, Condition("span", "<", 9), known_age], [enough, known_age, Condition("age", "=", 1)]]
    ]
    assert [rule.name for rule in needed.otherwise] == ["none"]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("= true", Condition("x", "=", True)),
        ("= Baby Clothes", Condition("x", "=", "Baby Clothes")),
        ("known", Condition("x", "known")),
        (" unknown ", Condition("x", "unknown")),
    ],
)
def test_a_condition_may_ask_for_a_word_or_whether_a_value_is_known(text: str, condition: Condition) -> None:
    assert Rule(name="any", when={"x": text}).alternatives == [[condition]]


def test_conditions_of_one_column_and_alternatives_are_lists() -> None:
    rule = Rule(name="any", when=[{"x": [">= 1", "< 5"]}, {"y": "= 1", "x": "unknown"}])
    assert rule.alternatives == [
        [Condition("x", ">=", 1), Condition("x", "<", 5)],
        [Condition("y", "=", 1), Condition("x", "unknown")],
    ]


def test_no_change_of_a_rule_goes_unseen_though_the_version_stays(tmp_path: Path) -> None:
    before = segments.load(written(tmp_path, SMALL)).full_version
    assert segments.load(written(tmp_path, "# reviewed\n" + SMALL)).full_version == before
    after = segments.load(written(tmp_path, SMALL.replace("5000", "4000"))).full_version
    assert before.startswith("1-")
    assert after.startswith("1-")
    assert after != before


def test_rules_keep_the_order_they_are_written_in(tmp_path: Path) -> None:
    names = [f"Rule {number}" for number in (3, 1, 2)]
    listed = "".join(f'    - name: {name}\n      when: {{frequency: "= 1"}}\n' for name in names)
    rules = segments.load(written(tmp_path, SMALL.replace("    - name: VIP", listed + "    - name: VIP")))
    assert [rule.name for rule in rules.customer_segment.rules] == [*names, "VIP", "New"]


@pytest.mark.parametrize("operator", [">=", "<=", ">", "<", "="])
@given(number=st.decimals(min_value=-(10**9), max_value=10**9, places=2), space=st.sampled_from(["", " ", "   "]))
def test_a_condition_is_an_operator_and_a_number(operator: str, number: Decimal, space: str) -> None:
    rule = Rule(name="any", when={"monetary": f"{operator}{space}{number:f}"})
    assert rule.alternatives == [[Condition("monetary", operator, float(number))]]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_rule_file_is_one_error_that_names_file_and_key(fault: str, tmp_path: Path) -> None:
    old, new, key = FAULTS[fault]
    assert old in SMALL
    with pytest.raises(RulesError) as raised:
        segments.load(written(tmp_path, SMALL.replace(old, new, 1)))
    assert re.search(rf"rules\.yaml.*\b{key}\b", str(raised.value))


@pytest.mark.parametrize("text", ["", "# no rules yet\n", "- VIP\n", "version: [1\n"])
def test_a_file_that_is_no_rule_file_is_one_error_that_names_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"rules\.yaml[^\n]*\Z"):
        segments.load(written(tmp_path, text))


OTHER_VIP = f"- name: VIP\n      {VIP}\n    - {{name: VIP, when: {{frequency: '> 9'}}}}"
ONE_VIP = "- name: VIP\n      when: [{history_days: '>= 365', monetary: '> 5000'}, {frequency: '> 9'}]"
SOME = "- {name: Some, when: {frequency: '> 1'}}"


@pytest.mark.parametrize(
    ("old", "wrong", "told", "right"),
    [
        *(
            (
                '"> 5000"',
                '"!= 5000"',
                "must be one of >=, <=, >, <, = and a number, = and a word, known or unknown",
                one,
            )
            for one in ('">= 5"', '"<= 5"', '"> 5"', '"< 5"', '"= 5"', '"= Gold"', "known", "unknown")
        ),
        ("- name: Everybody", SOME, "only the last, must have no `when`", f"{SOME}\n  - name: Everybody"),
        (
            f"- name: VIP\n      {VIP}",
            OTHER_VIP,
            "'VIP' is there twice; list its alternatives under one `when`",
            ONE_VIP,
        ),
        ('All: {Any: "protect, High"}', "All: {}", "has no action for All / Any", 'All: {Any: "keep, Low"}'),
    ],
)
def test_what_an_error_advises_is_a_rule(old: str, wrong: str, told: str, right: str, tmp_path: Path) -> None:
    assert old in SMALL
    with pytest.raises(RulesError, match=told):
        segments.load(written(tmp_path, SMALL.replace(old, wrong)))
    rules = segments.load(written(tmp_path, SMALL.replace(old, right)))
    assert [rule.name for rule in rules.customer_segment.rules] == ["VIP", "New"]
