"""Classifiers: what is kept as text says the same as the library's own model, and finds what was planted."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from c360_assets.terms import classifiers
from c360_assets.terms.classifiers import Candidate, Fitted, Flags, Floats

FITS: dict[str, Callable[[Floats, Flags], Fitted]] = {
    "logistic": classifiers.logistic,
    "tree": classifiers.tree,
    "boosting": classifiers.boosting,
    "network": classifiers.network,
}


def planted(count: int = 600, seed: int = 0) -> tuple[dict[str, Floats], Flags, Floats]:
    """Two features that tell, one that does not, with gaps; what happened, and how likely it was."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(size=count) for name in ("strong", "weak", "noise")}
    truth = 1 / (1 + np.exp(-(1.5 * columns["strong"] - 0.5 * columns["weak"])))
    happened = rng.random(count) < truth
    columns["noise"][::7] = np.nan
    return columns, happened, truth


@pytest.mark.parametrize("kind", FITS)
def test_what_was_planted_is_found_in_rows_that_were_not_seen(kind: str) -> None:
    columns, happened, _ = planted()
    unseen, _, truth = planted(400, seed=1)
    said = classifiers.probabilities(classifiers.trained(Candidate(kind, FITS[kind]), columns, happened), unseen)
    assert np.corrcoef(said, truth)[0, 1] > 0.85
    assert ((said > 0) & (said < 1)).all()


@pytest.mark.parametrize("kind", FITS)
def test_a_model_read_back_from_its_text_says_the_same_whatever_the_threads(kind: str) -> None:
    columns, happened, _ = planted()
    with threadpool_limits(1):
        one = classifiers.to_text(classifiers.trained(Candidate(kind, FITS[kind]), columns, happened))
    with threadpool_limits(2):
        two = classifiers.to_text(classifiers.trained(Candidate(kind, FITS[kind]), columns, happened))
    assert one == two
    assert json.loads(one)["features"] == ["strong", "weak", "noise"]
    model = classifiers.trained(Candidate(kind, FITS[kind]), columns, happened)
    assert np.array_equal(
        classifiers.probabilities(classifiers.from_text(one), columns), classifiers.probabilities(model, columns)
    )


def test_our_predictions_are_those_of_scikit_learn() -> None:
    columns, happened, _ = planted()
    points = np.column_stack([*columns.values()])
    scaled = np.nan_to_num((points - np.nanmean(points, axis=0)) / np.nanstd(points, axis=0))
    theirs = {
        "logistic": LogisticRegression(C=0.1, max_iter=1_000),
        "tree": DecisionTreeClassifier(
            max_leaf_nodes=classifiers.LEAVES, min_samples_leaf=classifiers.LEAF, random_state=0
        ),
        "network": MLPClassifier(
            (classifiers.HIDDEN,),
            alpha=classifiers.WEIGHT_DECAY,
            solver="lbfgs",
            max_iter=classifiers.ROUNDS,
            tol=1e-5,
            random_state=0,
        ),
    }
    for kind, model in theirs.items():
        expected = model.fit(scaled, happened).predict_proba(scaled)[:, 1]
        found = classifiers.probabilities(classifiers.trained(Candidate(kind, FITS[kind]), columns, happened), columns)
        assert found == pytest.approx(expected, abs=1e-6)


def test_what_is_said_of_a_row_left_out_does_not_depend_on_its_outcome() -> None:
    columns, happened, _ = planted(200)
    folds = np.arange(200) % 4
    logistic = Candidate("logistic", classifiers.logistic)
    before = classifiers.cross_trained(logistic, columns, happened, folds)
    changed = happened.copy()
    changed[folds == 2] = ~changed[folds == 2]
    after = classifiers.cross_trained(logistic, columns, changed, folds)
    assert np.array_equal(before[folds == 2], after[folds == 2])
    assert not np.array_equal(before[folds == 1], after[folds == 1])


def test_calibration_undoes_what_is_said_too_boldly_and_ignores_who_says_the_opposite() -> None:
    _, happened, truth = planted(20_000)
    log_odds = np.log(truth / (1 - truth))
    bold = 1 / (1 + np.exp(-3 * log_odds))
    slope, offset = classifiers.calibration(bold, happened)
    assert (slope, offset) == (pytest.approx(1 / 3, abs=0.03), pytest.approx(0, abs=0.06))
    assert classifiers.calibration(1 - bold, happened)[0] == 0.0


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_contributions_add_up_to_the_log_odds(kind: str) -> None:
    columns, happened, _ = planted()
    model = classifiers.trained(Candidate(kind, FITS[kind]), columns, happened)
    said = classifiers.probabilities(model, columns)
    rest = np.log(said / (1 - said)) - classifiers.contributions(model, columns).sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), rest[0]), abs=1e-9)


def test_an_ensemble_says_the_mean_of_its_members() -> None:
    columns, happened, _ = planted(300)
    members = [classifiers.trained(Candidate(kind, FITS[kind]), columns, happened) for kind in ("logistic", "tree")]
    said = [classifiers.probabilities(member, columns) for member in members]
    assert classifiers.probabilities({"members": members}, columns) == pytest.approx(np.mean(said, axis=0))


def test_what_says_the_opposite_of_what_happens_is_corrected_to_how_often_it_happens() -> None:
    rng = np.random.default_rng(2)
    said = rng.uniform(0.05, 0.4, 400)
    happened = rng.random(400) < 0.3 - said / 2
    corrected = classifiers.calibrated(said, classifiers.calibration(said, happened))
    assert corrected == pytest.approx(np.full(400, happened.mean()))


def test_the_overall_rate_is_said_of_everybody() -> None:
    columns, happened, _ = planted()
    model = classifiers.trained(Candidate("rate", classifiers.rate, ("strong",)), columns, happened)
    assert classifiers.probabilities(model, columns) == pytest.approx(np.full(len(happened), happened.mean()))
