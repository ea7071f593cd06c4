"""Judging: the figures are those of scikit-learn, and intervals hold the truth as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from c360_assets.terms import judging
from c360_assets.terms.judging import Flags, Floats, Ranked

THRESHOLD = 0.4


def drawn(seed: int, count: int = 300, decimals: int = 2) -> tuple[Floats, Flags]:
    """Probabilities, many of them equal, and what came of them."""
    rng = np.random.default_rng(seed)
    said = np.clip(rng.random(count).round(decimals), 0.01, 0.99)
    return said, rng.random(count) < said


def once(said: Floats, happened: Flags, measure: judging.Measure) -> float:
    return judging.measured(said, happened, measure)


@given(st.integers(0, 10_000))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    said, happened = drawn(seed)
    told = said >= THRESHOLD
    expected = {
        judging.auc: metrics.roc_auc_score(happened, said),
        judging.average_precision: metrics.average_precision_score(happened, said),
        judging.brier: metrics.brier_score_loss(happened, said),
        judging.log_loss: metrics.log_loss(happened, said),
        judging.at_threshold(THRESHOLD)["accuracy"]: metrics.accuracy_score(happened, told),
        judging.at_threshold(THRESHOLD)["precision"]: metrics.precision_score(happened, told),
        judging.at_threshold(THRESHOLD)["recall"]: metrics.recall_score(happened, told),
        judging.at_threshold(THRESHOLD)["F1"]: metrics.f1_score(happened, told),
    }
    for measure, figure in expected.items():
        assert once(said, happened, measure) == pytest.approx(figure, abs=1e-12)


@given(st.integers(0, 10_000))
def test_weights_count_a_customer_so_many_times(seed: int) -> None:
    said, happened = drawn(seed, 60)
    weights = np.random.default_rng(seed).integers(0, 4, 60)
    ranked, repeated = Ranked.of(said, happened), Ranked.of(np.repeat(said, weights), np.repeat(happened, weights))
    ones = np.ones(len(repeated.said))
    for measure in (judging.auc, judging.average_precision, judging.brier, judging.lift):
        weighted = measure(ranked, weights[ranked.order].astype(float))
        assert weighted == pytest.approx(measure(repeated, ones), abs=1e-12)


def test_the_lift_is_of_the_tenth_said_to_be_likeliest() -> None:
    said = np.linspace(0.99, 0.01, 20)
    happened = np.array([True, True, *[False] * 16, True, True])
    assert once(said, happened, judging.lift) == pytest.approx(1 / 0.2)


def test_an_interval_of_95_percent_holds_the_truth_about_so_often() -> None:
    # What is said is the truth, so that the expected Brier score follows from it.
    held = 0
    for seed in range(60):
        said, happened = drawn(seed, 400, decimals=6)
        ((_, low, high),) = judging.judged(said, happened, {"Brier score": judging.brier}).values()
        held += low <= float((said * (1 - said)).mean()) <= high
    assert 52 <= held <= 60


def test_a_better_model_gains_and_the_same_gains_nothing() -> None:
    said, happened = drawn(1, 2_000)
    blind = np.random.default_rng(2).random(2_000)
    value, low, high = judging.gain(said, blind, happened)
    assert 0.2 < low < value < high < 0.5
    assert judging.gain(said, said, happened) == (0.0, 0.0, 0.0)


def test_resamples_are_the_same_every_time() -> None:
    said, happened = drawn(3)
    figures = {"auc": judging.auc}
    assert judging.judged(said, happened, figures) == judging.judged(said, happened, figures)


def test_resamples_that_are_kept_are_those_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [*judging.resamples(50)]
    monkeypatch.setattr(judging, "KEPT", 0)
    assert all(np.array_equal(one, other) for one, other in zip(kept, judging.resamples(50), strict=True))
    assert len(kept) == judging.RESAMPLES
