"""Churn model: what was planted is found, noise is called noise, and nobody is judged by what was seen in training."""

import json
import random
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pytest

from c360_assets.models.churn_model import FORMER, NAMES
from c360_assets.terms.promotion import BY_HAND, promoted
from tests.c360_assets.leavers import Row, leaving, population, trained
from tests.tables import CONTRACTS, rows, table

COLUMNS = CONTRACTS["churn_model"].column_names
BASELINES = ("recency alone", "frequency alone")


@pytest.fixture(scope="module")
def people() -> list[Row]:
    return population(700)


@pytest.fixture(scope="module")
def judged(people: list[Row]) -> dict[str, Row]:
    return by_candidate(people)


def by_candidate(people: list[Row], before: Sequence[Row] = ()) -> dict[str, Row]:
    """The rows of the table where it had those `before`."""
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows(trained(people, before), *COLUMNS)}


def test_a_model_that_beats_every_single_number_is_chosen_and_comes_near_the_best_that_can_be(
    people: list[Row], judged: dict[str, Row]
) -> None:
    (chosen,) = [row for row in judged.values() if row["is_chosen"]]
    assert not chosen["is_baseline"]
    assert chosen["auc_gain_low"] > 0
    assert chosen["auc"] > max(judged[name]["auc"] for name in BASELINES)
    unseen = [row for row in people if row["is_judged"]]
    truth = np.array([leaving(row["recency_days"], row["frequency"]) for row in unseen])
    lost = np.array([row["has_churned"] for row in unseen])
    best = np.mean(truth[lost][:, None] > truth[~lost][None, :])
    assert best - 0.02 < chosen["auc"] < best + 0.02
    assert chosen["reason"].startswith("chosen: best in cross-validation; AUC +")
    assert chosen["kfold_auc"] >= judged["ensemble"]["kfold_auc"]


def test_every_candidate_says_what_it_was_trained_and_judged_by(judged: dict[str, Row]) -> None:
    assert set(judged) == set(NAMES)
    for row in judged.values():
        assert (row["training_count"], row["judged_count"]) == (1_400, 700)
        assert (row["judged_at"] - row["trained_until"]).days == 90
        assert row["auc_low"] < row["auc"] < row["auc_high"]
        assert json.loads(row["fitted_model"]) != json.loads(row["judged_model"])
    assert len({row["model_hash"] for row in judged.values()}) == len(NAMES)
    assert judged["recency alone"]["features_used"] == "recency_days"
    assert "overdue" in judged["gradient boosting"]["features_used"]
    # Everybody has the same return rate, and nobody a rating.
    assert not {"return_rate", "average_rating"} & set(judged["ensemble"]["features_used"].split(", "))


def test_where_nothing_tells_who_leaves_no_model_is_chosen() -> None:
    found = by_candidate(population(500, seed=3, is_noise=True))
    (chosen,) = [row for row in found.values() if row["is_chosen"]]
    assert chosen["is_baseline"]
    assert chosen["reason"].startswith("chosen: no model is better for certain; ")
    assert any(row["reason"].startswith("best in cross-validation, but not for certain") for row in found.values())


def test_the_order_of_rows_changes_nothing(people: list[Row], judged: dict[str, Row]) -> None:
    shuffled = list(people)
    random.Random(5).shuffle(shuffled)
    assert by_candidate(shuffled) == judged


def test_what_is_judged_by_never_trains_the_model_that_is_judged(people: list[Row], judged: dict[str, Row]) -> None:
    turned = [row | {"has_churned": row["has_churned"] is not row["is_judged"]} for row in people]
    found = by_candidate(turned)
    for name, row in judged.items():
        assert found[name]["judged_model"] == row["judged_model"]
        assert found[name]["kfold_auc"] == row["kfold_auc"]
        assert found[name]["auc"] == pytest.approx(1 - row["auc"], abs=1e-6)


def chosen_of(found: dict[str, Row]) -> Row:
    (chosen,) = [row for row in found.values() if row["is_chosen"]]
    return chosen


def misled(people: list[Row]) -> list[Row]:
    """The same customers, but what is learnt from is wrong: who stayed left."""
    return [row | {"has_churned": row["has_churned"] is row["is_judged"]} for row in people]


def test_a_former_version_scores_on_where_what_is_new_does_worse(people: list[Row], judged: dict[str, Row]) -> None:
    champion = chosen_of(judged)
    found = by_candidate(misled(people), [champion])
    kept = chosen_of(found)
    assert set(found) == {*NAMES, FORMER}
    assert kept["candidate"] == FORMER
    same = ("judged_model", "fitted_model", "model_hash", "trained_until", "auc", "auc_low", "auc_high", "brier")
    assert {name: kept[name] for name in same} == {name: champion[name] for name in same}
    assert kept["reason"].startswith("kept: the new ")
    assert "AUC -" in kept["reason"]
    assert sum(row["reason"].startswith("not used: AUC -") for row in found.values()) == 1
    # It is what the next version has to beat, whatever it is called.
    assert chosen_of(by_candidate(misled(people), [*found.values()]))["model_hash"] == champion["model_hash"]


def test_what_is_new_scores_where_it_does_better_or_as_well(people: list[Row], judged: dict[str, Row]) -> None:
    worse = by_candidate(misled(people))
    assert by_candidate(people, [*worse.values()]) == judged
    assert by_candidate(people, [*judged.values()]) == judged


@pytest.mark.parametrize(
    "changed",
    [{"judged_at": datetime(2026, 5, 1)}, {"features_used": "recency_days, forgotten"}],
    ids=["has seen what it would be judged by", "asks for what is no more"],
)
def test_a_former_version_that_cannot_be_compared_is_let_go(
    people: list[Row], judged: dict[str, Row], changed: Row
) -> None:
    found = by_candidate(misled(people), [chosen_of(judged) | changed])
    assert set(found) == set(NAMES)


def test_what_a_person_has_promoted_is_trained_anew_and_scores(people: list[Row], judged: dict[str, Row]) -> None:
    decided = promoted([*judged.values()], "decision tree", f"{BY_HAND}: it can be drawn", "candidate", "fitted_model")
    found = by_candidate(people, decided)
    assert chosen_of(found)["candidate"] == "decision tree"
    assert chosen_of(found)["reason"] == f"{BY_HAND}: it can be drawn"
    assert found["decision tree"]["model_hash"] == judged["decision tree"]["model_hash"]
    assert found[chosen_of(judged)["candidate"]]["reason"].startswith(f"not used, since another was {BY_HAND}; chosen")


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (lambda row: False, "of 90 days before as_of, 0 customers, needed are 200"),
        (lambda row: row["customer_id"] < "c00150", "of 90 days before as_of, 150 customers, needed are 200"),
        (lambda row: row["is_judged"], "of 180 and 240 days before as_of, 0 customers, needed are 200"),
        (lambda row: row["has_churned"], "of 90 days before as_of, 0 who came back, needed are 20"),
        (lambda row: not row["has_churned"], "of 90 days before as_of, 0 who did not come back, needed are 20"),
    ],
    ids=["nobody", "few", "too short a history", "everybody left", "nobody left"],
)
def test_too_little_to_learn_from_is_said_and_nothing_invented(people: list[Row], kept: object, reason: str) -> None:
    assert callable(kept)
    found = by_candidate([row for row in people if kept(row)])
    assert set(found) == set(NAMES)
    for row in found.values():
        assert row["reason"] == f"not enough data: {reason}"
        filled = {name for name in COLUMNS if row[name] is not None}
        assert filled == {"candidate", "is_baseline", "is_chosen", "reason"}


def test_identical_customers_are_told_apart_by_nobody() -> None:
    alike = [
        row | {"recency_days": 10, "frequency": 2, "overdue": 1.0, "orders_per_year": 9.0} for row in population(300)
    ]
    same = {
        "history_days": 50,
        "monetary": None,
        "recent_order_count": 1,
        "order_interval_days": 40.0,
        "horizon_days": 80,
    }
    found = by_candidate([row | same for row in alike])
    assert {row["reason"] for row in found.values()} == {
        "not enough data: customers are too much alike to be told apart"
    }


def test_columns_are_those_of_the_contract() -> None:
    assert trained([]).schema() == table("churn_model").schema()
