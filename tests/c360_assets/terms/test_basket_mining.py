"""Basket mining: the rules of another library, exact at every threshold, and measures by other means."""

import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, fisher_exact

from c360_assets.terms.basket_mining import Rule, Thresholds, measures, rules

Baskets = Sequence[Sequence[int]]


def mined(baskets: Baskets, thresholds: Thresholds) -> list[Rule]:
    return rules(*columns(baskets), len(baskets), thresholds)[0]


def columns(baskets: Baskets) -> tuple[np.ndarray, np.ndarray]:
    rows = [(number, product) for number, basket in enumerate(baskets) for product in basket]
    return np.array([row[0] for row in rows], dtype=np.int64), np.array([row[1] for row in rows], dtype=np.int64)


def crowd(seed: int, count: int = 60, products: int = 7) -> list[list[int]]:
    rng = random.Random(seed)
    return [sorted(rng.sample(range(products), rng.randint(0, 5))) for _ in range(count)]


def test_a_rule_counts_the_baskets_of_both_sides() -> None:
    found = mined([[0, 1], [0, 1], [0, 1, 2], [0], [2]], Thresholds("0.4", "0.6"))
    assert found == [Rule((0,), 1, 4, 3, 3, 2), Rule((1,), 0, 3, 4, 3, 2)]


@pytest.mark.parametrize("seed", range(6))
def test_rules_are_those_of_another_library(seed: int) -> None:
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    baskets = crowd(seed)
    held = pd.DataFrame([[product in basket for product in range(7)] for basket in baskets])
    theirs = association_rules(fpgrowth(held, min_support=0.0499), metric="confidence", min_threshold=0.3001)
    theirs = theirs[theirs.consequents.map(len) == 1]
    expected = {
        (tuple(sorted(row.antecedents)), *row.consequents): (row.support, row.confidence, row.lift, row.leverage)
        for row in theirs.itertuples()
    }
    ours = mined(baskets, Thresholds("0.05", "0.3001"))
    told = measures(ours, {2: 1}, len(baskets))
    assert [(rule.left, rule.right) for rule in ours] == sorted(expected)
    for name, place in (("support", 0), ("confidence", 1), ("lift", 2), ("leverage", 3)):
        assert told[name] == pytest.approx([expected[rule.left, rule.right][place] for rule in ours], abs=1e-6)


def test_a_confidence_of_just_the_threshold_is_enough() -> None:
    """0.8 is no binary number: 0.7999999 of a library would lose such rules."""
    baskets = [[0, 1]] * 4 + [[0]] + [[]] * 5
    assert [(rule.left, rule.right) for rule in mined(baskets, Thresholds("0.4", "0.8"))] == [((0,), 1), ((1,), 0)]
    assert mined(baskets, Thresholds("0.40001", "0.8")) == []


def test_of_too_many_sets_the_rarest_go() -> None:
    baskets = [[0, 1]] * 9 + [[2, 3]] * 6 + [[4, 5]] * 6
    every = mined(baskets, Thresholds("0", "0.5"))
    assert {rule.both_count for rule in every} == {9, 6}
    assert {rule.both_count: rule.least for rule in mined(baskets, Thresholds("0", "0.5", most_sets=2))} == {9: 7}
    assert mined([[0, 1, 2, 3]] * 9, Thresholds("0", "0.5", most_sets=2)) == []


def test_sets_are_no_longer_than_asked() -> None:
    baskets = [[0, 1, 2, 3]] * 9
    assert max(len(rule.left) for rule in mined(baskets, Thresholds("0", "0"))) == 3
    assert max(len(rule.left) for rule in mined(baskets, Thresholds("0", "0", most_items=2))) == 1


@pytest.mark.parametrize("baskets", [[], [[]], [[0]], [[0], [1]]])
def test_without_pairs_there_are_no_rules(baskets: Baskets) -> None:
    assert mined(baskets, Thresholds("0", "0")) == []
    assert set(map(tuple, measures([], {}, len(baskets)).values())) == {()}


def test_the_order_of_rows_changes_nothing() -> None:
    baskets, products = columns(crowd(1))
    order = np.random.default_rng(0).permutation(len(products))
    thresholds = Thresholds("0.05", "0.2")
    assert rules(baskets[order], products[order], 60, thresholds) == rules(baskets, products, 60, thresholds)


def test_p_values_are_those_of_fisher_and_q_values_those_of_benjamini_and_hochberg() -> None:
    baskets = crowd(2)
    found = mined(baskets, Thresholds("0.05", "0"))
    told = measures(found, {2: len(found)}, len(baskets))
    for rule, p_value in zip(found, told["p_value"], strict=True):
        only_left, only_right = rule.left_count - rule.both_count, rule.right_count - rule.both_count
        rest = len(baskets) - rule.both_count - only_left - only_right
        exact = fisher_exact([[rule.both_count, only_left], [only_right, rest]], alternative="greater").pvalue
        assert p_value == pytest.approx(exact, rel=1e-5)
    assert told["q_value"] == pytest.approx(false_discovery_control(told["p_value"]), rel=1e-4)
    stricter = measures(found, {2: 10 * len(found)}, len(baskets))["q_value"]
    assert all(ours >= theirs for ours, theirs in zip(stricter, told["q_value"], strict=True))


def test_conviction_is_empty_where_no_basket_breaks_the_rule() -> None:
    found = mined([[0, 1], [0, 1], [1], []], Thresholds("0.25", "0.1"))
    told = dict(zip([rule.left for rule in found], measures(found, {2: 2}, 4)["conviction"], strict=True))
    assert told == {(0,): None, (1,): pytest.approx(float((1 - Fraction(1, 2)) / (1 - Fraction(2, 3))), abs=1e-6)}
