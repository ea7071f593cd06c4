"""Trials: what is put to the test, what is chosen, and what speaks for the ensemble."""

import numpy as np
import pytest

from c360_assets.terms import judging, trials
from c360_assets.terms.arrays import Floats
from c360_assets.terms.trials import ENSEMBLE, Trial

COUNT = 400
HAPPENED = np.random.default_rng(0).random(COUNT) < 0.4
BASELINES = ("recency alone", "overall rate")


def saying(skill: float, seed: int) -> Floats:
    """Probabilities that tell what happens the better the more skill."""
    noise = np.random.default_rng(seed).normal(size=COUNT)
    return 1 / (1 + np.exp(-(skill * (2 * HAPPENED - 1) + noise)))


def trial(in_turn: Floats, said: Floats) -> Trial:
    return Trial(in_turn, said, {}, {})


def tried(model: float, baseline: float = 0.5, in_turn: float | None = None) -> dict[str, Trial]:
    """A baseline, a model and the ensemble, by their skill."""
    usual = np.full(COUNT, 0.4)
    known = trial(saying(model if in_turn is None else in_turn, 1), saying(model, 2))
    return {
        "overall rate": trial(usual, usual),
        "recency alone": trial(saying(baseline, 3), saying(baseline, 4)),
        "boosting": known,
        ENSEMBLE: trial(saying(model, 5), saying(model, 6)),
    }


def test_a_model_that_is_better_for_certain_is_chosen() -> None:
    reasons, gains = trials.chosen(tried(2.0), BASELINES, HAPPENED, HAPPENED)
    assert [name for name, reason in reasons.items() if reason.startswith("chosen: best")] == [ENSEMBLE]
    assert gains[ENSEMBLE][1] > 0
    assert "recency alone" not in gains


def test_where_none_is_better_for_certain_the_best_baseline_is() -> None:
    reasons, gains = trials.chosen(tried(0.5), BASELINES, HAPPENED, HAPPENED)
    assert reasons["recency alone"].startswith("chosen: no model is better for certain; ensemble has AUC ")
    assert reasons[ENSEMBLE].startswith("best in cross-validation, but not for certain better than one number")
    assert gains[ENSEMBLE][1] < 0 < gains[ENSEMBLE][2]


def test_another_than_the_ensemble_is_put_to_the_test_if_it_is_better_for_certain_in_training() -> None:
    assert trials.best_in_training(tried(1.0), BASELINES, HAPPENED) == ENSEMBLE
    assert trials.best_in_training(tried(1.0, in_turn=3.0), BASELINES, HAPPENED) == "boosting"


def test_the_ensemble_says_the_mean() -> None:
    one, other = (trial(saying(1, seed), saying(1, seed + 1)) for seed in (7, 9))
    both = trials.together([one, other])
    assert both.said == pytest.approx((one.said + other.said) / 2)
    assert both.judged == {"members": [{}, {}]}


def test_figures_are_of_training_and_of_the_unseen_with_bounds() -> None:
    found = trials.figures(tried(1.0)["boosting"], HAPPENED, HAPPENED, {"auc": judging.auc})
    assert set(found) == {"kfold_auc", "auc", "auc_low", "auc_high"}
    assert found["auc_low"] < found["auc"] < found["auc_high"]
