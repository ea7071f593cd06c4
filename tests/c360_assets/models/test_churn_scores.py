"""Churn scores: a probability, why, and what to do, or the reason why there is none."""

from functools import cache

import ibis.expr.types as ir
import pytest

from c360_assets.models import churn_scores as module
from c360_assets.models.churn_scores import churn_scores
from governance import playbook
from tests.c360_assets.leavers import Row, features_of, leaving, population, trained
from tests.tables import function_of, rows, table

CHURN = playbook.load().churn


@cache
def of_many() -> ir.Table:
    return trained(population(700))


def scored(*people: Row, model: ir.Table | None = None) -> ir.Table:
    held = of_many() if model is None else model
    result = function_of(churn_scores)(table("features", *people), held, playbook.load, "EUR")
    return table("churn_scores", *result.to_pyarrow().to_pylist())


def test_probabilities_follow_the_truth_that_was_planted() -> None:
    people = [
        features_of(10 * recency + frequency, recency, frequency)
        for recency in (2, 30, 60, 85)
        for frequency in (1, 3, 7)
    ]
    found = dict(rows(scored(*people), "customer_id", "churn_probability"))
    for person in people:
        truth = leaving(person["recency_days"], person["frequency"])
        assert abs(found[person["customer_id"]] - truth) < 0.15


def test_a_customer_long_silent_is_told_with_reasons_and_advice() -> None:
    silent, faithful = features_of(1, 85, 2), features_of(2, 1, 7)
    columns = ("customer_id", "churn_band", "horizon_days", "is_early_warning", "intervention")
    assert rows(scored(silent, faithful), *columns) == [
        ("c00001", "High", 80, False, CHURN.interventions["High"]),
        ("c00002", "Low", 80, False, CHURN.interventions["Low"]),
    ]
    ((reasons,),) = rows(scored(silent), "churn_reasons")
    assert "usually orders every 40 days, last 85 days ago" in reasons.split("; ")
    assert 1 <= len(reasons.split("; ")) <= 3


def test_an_early_warning_is_of_one_who_is_not_yet_overdue() -> None:
    found = rows(scored(features_of(1, 75, 2), features_of(2, 85, 2)), "churn_probability", "is_early_warning")
    assert [is_warned for _, is_warned in found] == [True, False]
    assert all(probability >= CHURN.threshold for probability, _ in found)


def test_the_likelier_to_leave_the_longer_until_the_next_order() -> None:
    people = [features_of(recency, recency, 3) for recency in (1, 40, 70)]
    days = [day for _, day in rows(scored(*people), "customer_id", "expected_next_order_days")]
    known = [day for day in days if day is not None]
    assert known == sorted(known)
    assert days[0] is not None


def test_who_never_bought_has_no_probability_but_the_reason() -> None:
    visitor = {"customer_id": "v", "frequency": 0}
    undated = {"customer_id": "u", "frequency": 2, "recency_days": None}
    columns = ("customer_id", "churn_probability", "churn_band", "is_early_warning", "unknown_because")
    nothing = (None, None, None, "no completed order with a date")
    assert rows(scored(visitor, undated), *columns) == [("u", *nothing), ("v", *nothing)]


def test_customers_are_scored_in_portions_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [features_of(number, 7 * number % 90, 1 + number % 6) for number in range(11)]
    columns = ("customer_id", "churn_probability", "churn_reasons", "expected_next_order_days", "intervention")
    at_once = rows(scored(*people), *columns)
    monkeypatch.setattr(module, "BATCH", 3)
    assert rows(scored(*people), *columns) == at_once


def test_without_a_model_the_missing_data_is_the_reason() -> None:
    columns = ("churn_probability", "horizon_days", "unknown_because")
    untrained = trained(population(100))
    why = "not enough data: of 90 days before as_of, 100 customers, needed are 200"
    assert rows(scored(features_of(1, 5, 2), model=untrained), *columns) == [(None, None, why)]
    never = table("churn_model")
    assert rows(scored(features_of(1, 5, 2), model=never), *columns) == [
        (None, None, "no model of churn was trained yet")
    ]


def test_columns_are_those_of_the_contract() -> None:
    for model in (of_many(), table("churn_model")):
        result = function_of(churn_scores)(table("features"), model, playbook.load, "EUR")
        assert result.schema() == table("churn_scores").schema()
