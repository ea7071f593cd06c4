"""Churn metrics and deciles: computed again by scikit-learn and by a plain loop from the model that was judged."""

from functools import cache

import ibis.expr.types as ir
import numpy as np
import pytest
from sklearn import metrics

from c360_assets.models.churn_deciles import churn_deciles
from c360_assets.models.churn_metrics import churn_metrics
from c360_assets.models.churn_model import NAMES
from c360_assets.terms import classifiers
from c360_assets.terms.churn import judged_models, unseen
from governance import playbook
from tests.c360_assets.leavers import examples, population, trained
from tests.tables import function_of, rows, table

THRESHOLD = playbook.load().churn.threshold


@cache
def made() -> tuple[ir.Table, ir.Table]:
    people = population(300, seed=2)
    return examples(people), trained(people)


def measured() -> dict[tuple[str, str], tuple[float, float, float]]:
    result = function_of(churn_metrics)(*made(), playbook.load)
    found = rows(result, "candidate", "metric", "value", "value_low", "value_high")
    return {(candidate, metric): (value, low, high) for candidate, metric, value, low, high in found}


def test_metrics_are_those_of_scikit_learn_on_the_unseen() -> None:
    people, model = made()
    found, judged = measured(), unseen(people)
    for candidate, kept in judged_models(model).items():
        said = classifiers.probabilities(kept, judged.columns)
        told = said >= THRESHOLD
        expected = {
            "AUC-ROC": metrics.roc_auc_score(judged.has_churned, said),
            "PR-AUC": metrics.average_precision_score(judged.has_churned, said),
            "Brier score": metrics.brier_score_loss(judged.has_churned, said),
            "log loss": metrics.log_loss(judged.has_churned, said),
            "accuracy": metrics.accuracy_score(judged.has_churned, told),
            "precision": metrics.precision_score(judged.has_churned, told, zero_division=0),
            "recall": metrics.recall_score(judged.has_churned, told),
            "F1": metrics.f1_score(judged.has_churned, told),
        }
        for metric, value in expected.items():
            assert found[candidate, metric][0] == pytest.approx(value, abs=1e-6)
    assert len(found) == 9 * len(NAMES)
    assert all(low <= value <= high for value, low, high in found.values())


def test_deciles_hold_everybody_and_tell_said_from_seen() -> None:
    people, model = made()
    judged = unseen(people)
    said = classifiers.probabilities(judged_models(model)["ensemble"], judged.columns)
    order = sorted(range(300), key=lambda row: (-said[row], row))
    ensemble = function_of(churn_deciles)(*made()).filter(lambda t: t.candidate == "ensemble")
    figures = ("customer_count", "mean_probability", "churn_share", "lift", "captured_share")
    table_rows = rows(ensemble, "decile", *figures)
    for decile, count, mean, share, lift, captured in table_rows:
        members = order[30 * (decile - 1) : 30 * decile]
        assert count == 30
        assert mean == pytest.approx(np.mean([said[row] for row in members]), abs=1e-6)
        assert share == pytest.approx(np.mean([judged.has_churned[row] for row in members]), abs=1e-6)
        assert lift == pytest.approx(share / judged.has_churned.mean(), abs=1e-5)
        so_far = sum(judged.has_churned[row] for row in order[: 30 * decile])
        assert captured == pytest.approx(so_far / judged.has_churned.sum(), abs=1e-6)
    assert [row[0] for row in table_rows] == list(range(1, 11))


def test_without_a_judged_model_there_are_no_rows_but_all_columns() -> None:
    nothing = examples([])
    untrained = trained([])
    result = function_of(churn_metrics)(nothing, untrained, playbook.load)
    deciles = function_of(churn_deciles)(nothing, untrained)
    assert rows(result, "candidate") == rows(deciles, "candidate") == []
    assert result.schema() == table("churn_metrics").schema()
    assert deciles.schema() == table("churn_deciles").schema()
