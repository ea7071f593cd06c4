"""Actions: what marketing may write of next steps, and what is said of a file that cannot be used."""

import re
from pathlib import Path

import pytest

from governance import actions, contracts, rule_lint
from governance.actions import ASKED, Actions, ActionsError
from governance.rule_lint import Finding
from governance.segments import Condition

CONTRACTS = contracts.load()
MORE = [CONTRACTS[table].column(name) for table, names in ASKED.items() for name in names]
SMALL = """\
version: "1"
next_action:
  - name: Frequent
    when: {frequency: ">= 20", average_rating: ">= 4.5"}
    next_action: High-Value Purchase
    probability: 0.95
best_action:
  - name: Buys
    when: {probability_purchase: ">= 0.5"}
    action: Serve well
    priority: Medium
    reason: Orders soon, usually for {average_order_amount}
    basis: purchase probability {probability_purchase}
  - name: Rest
    action: Wait
    priority: Low
    reason: Nothing to do
    basis: orders {frequency}
"""
FAULTS = {
    "no version": ('version: "1"\n', "", "version"),
    "an override of everybody": ('{frequency: ">= 20", average_rating: ">= 4.5"}', "{}", "when"),
    "an override by nothing": ('when: {frequency: ">= 20", average_rating: ">= 4.5"}\n    next', "next", "when"),
    "a probability above 1": ("0.95", "95", "probability"),
    "an override that asks for itself": ('frequency: ">= 20"', 'next_action: "= Purchase"', "next_action"),
    "a name twice": ("- name: Rest", "- name: Buys", "best_action"),
    "an open rule before the last": ('when: {probability_purchase: ">= 0.5"}\n    action', "action", "best_action"),
    "no rule at all": (SMALL[SMALL.index("best_action:") :], "best_action: []\n", "best_action"),
    "a priority nobody knows": ("priority: Low", "priority: Urgent", "priority"),
    "a condition nobody can read": ('">= 0.5"', '"half"', "best_action"),
    "no reason": ("    reason: Nothing to do\n", "", "reason"),
    "no number": ("    basis: orders {frequency}\n", "", "basis"),
    "a brace alone": ("orders {frequency}", '"orders {frequency"', "best_action"),
    "a text of a page": ("Nothing to do", "x" * 161, "reason"),
    "an unknown key": ("    action: Wait", "    do: now\n    action: Wait", "do"),
}


def written(folder: Path, text: str) -> Path:
    file = folder / "own.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def found(rules: Actions) -> list[Finding]:
    return rule_lint.findings(rules.listed, CONTRACTS["features"], MORE)


def test_who_orders_often_and_rates_highly_will_make_a_purchase_of_high_value() -> None:
    (override,) = actions.load().next_action
    assert override.rule.alternatives == [[Condition("frequency", ">=", 20), Condition("average_rating", ">=", 4.5)]]
    assert (override.next_action, override.probability) == ("High-Value Purchase", 0.95)


def test_everybody_has_an_action_that_can_hold() -> None:
    published = actions.load()
    assert published.best_action[-1].rule.is_open
    assert {one.priority for one in published.best_action} == {"High", "Medium", "Low"}
    assert [finding for finding in found(published) if finding.is_fault or finding.kind == "gap"] == []


def test_a_text_names_the_columns_it_shows(tmp_path: Path) -> None:
    buys, rest = actions.load(written(tmp_path, SMALL)).best_action
    assert (buys.told, rest.told) == ({"average_order_amount", "probability_purchase"}, {"frequency"})


def test_no_change_goes_unseen_though_the_version_stays(tmp_path: Path) -> None:
    before = actions.load(written(tmp_path, SMALL)).full_version
    assert actions.load(written(tmp_path, "# reviewed\n" + SMALL)).full_version == before
    assert actions.load(written(tmp_path, SMALL.replace("0.95", "0.9"))).full_version != before


def test_overrides_may_be_left_out(tmp_path: Path) -> None:
    start, end = SMALL.index("next_action:"), SMALL.index("best_action:")
    assert actions.load(written(tmp_path, SMALL[:start] + SMALL[end:])).next_action == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_one_error_that_names_file_and_key(fault: str, tmp_path: Path) -> None:
    old, new, key = FAULTS[fault]
    assert old in SMALL
    with pytest.raises(ActionsError) as raised:
        actions.load(written(tmp_path, SMALL.replace(old, new, 1)))
    assert re.search(rf"own\.yaml.*\b{key}\b", str(raised.value))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'frequency: ">= 20"', 'freqency: ">= 20"',
            "next_action / Frequent: there is no feature 'freqency'",
        ),
        (
            'probability_purchase: ">= 0.5"', 'next_best_action: "= Wait"',
            "best_action / Buys: there is no feature 'next_best_action'",
        ),
        ("orders {frequency}", "orders {freq}", "best_action / Rest: its text shows 'freq', no feature"),
        (
            '">= 0.5"', '["> 0.6", "< 0.5"]',
            "best_action / Buys: can never hold: its conditions exclude one another",
        ),
        ('">= 0.5"', '"> 1"', "best_action / Buys: can never hold: its conditions exclude one another"),
        (
            "  - name: Rest\n", '  - name: Rest\n    when: {probability_purchase: ">= 0.9"}\n',
            "best_action / Rest: can never hold: rules before it take all it could hold for",
        ),
    ],
)  # fmt: skip
def test_rules_that_can_never_hold_and_columns_nobody_knows_are_faults(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in SMALL
    faults = [str(one) for one in found(actions.load(written(tmp_path, SMALL.replace(old, new)))) if one.is_fault]
    assert faults == [told]


def test_overlaps_and_whom_no_action_is_for_are_told_and_overrides_leave_out_whom_they_like(tmp_path: Path) -> None:
    second = '  - name: Rest\n    when: {probability_purchase: ">= 0.2"}\n'
    listed = found(actions.load(written(tmp_path, SMALL.replace("  - name: Rest\n", second))))
    assert [(one.kind, str(one)) for one in listed] == [
        ("overlap", "best_action / Buys, Rest: overlap; 'Buys' takes precedence"),
        ("gap", "best_action: leaves out customers such as one with probability_purchase unknown (no action)"),
    ]
