"""Churn predictions are kept once in 90 days, and held against what customers did once that is known."""

from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pytest
from sklearn import metrics

from c360_assets.models.churn_performance import churn_performance
from c360_assets.models.churn_predictions import churn_predictions
from tests.second import predictions
from tests.second.published import differences, exact
from tests.tables import CONTRACTS, at, function_of, rows, table

Row = dict[str, Any]

NOW = datetime(2026, 6, 30, 12)
CHOSEN = {"candidate": "a", "is_chosen": True, "model_hash": "h", "auc_low": 0.7}


def scores(**said: float | None) -> list[Row]:
    """What is said of each customer."""
    return [
        {"customer_id": who, "churn_probability": one, "horizon_days": 40, "model_hash": "h"}
        for who, one in said.items()
    ]


def kept(moment: str, before: ir.Table | None = None, **said: float | None) -> ir.Table:
    """The table after a run as of a moment."""
    held = table("churn_predictions") if before is None else before
    given = table("churn_scores", *scores(**said)), table("churn_model", CHOSEN), at(moment)
    made: ir.Table = function_of(churn_predictions)(*given, lambda key: held)
    return made


def told(table: ir.Table) -> list[tuple[Any, ...]]:
    return rows(table, "customer_id", "predicted_at", "churn_probability")


def test_predictions_are_kept_every_ninety_days() -> None:
    first = kept("2026-01-01 08:00", ann=0.5, bob=None)
    assert rows(first, "customer_id", "churn_probability", "horizon_days", "model_hash", "promised_auc") == [
        ("ann", 0.5, 40, "h", 0.7)
    ]
    assert told(kept("2026-03-31", first, ann=0.9)) == told(first)
    second = kept("2026-04-01 08:00", first, ann=0.9, bob=0.2)
    assert [row[0] for row in told(second)] == ["ann", "ann", "bob"]
    assert told(kept("2027-02-06", second)) == told(second.filter(second.predicted_at > datetime(2026, 3, 1)))


def test_a_second_run_as_of_one_moment_takes_the_place_of_the_first() -> None:
    first = kept("2026-01-01", ann=0.5)
    assert told(kept("2026-01-01", first, ann=0.6)) == [("ann", datetime(2026, 1, 1), 0.6)]


def test_a_question_about_the_past_takes_nothing_away() -> None:
    first = kept("2026-06-30", ann=0.5)
    asked = kept("2025-06-30", first, ann=0.1)
    assert sorted(row[2] for row in told(asked)) == [0.1, 0.5]
    assert told(function_of(churn_predictions)(*nothing(), lambda key: first)) == told(first)


def nothing() -> tuple[ir.Table, ...]:
    return table("churn_scores"), table("churn_model"), table("as_of")


def order(who: str, days_after: float, is_completed: bool = True) -> Row:
    moment = NOW - timedelta(days=90) + timedelta(days=days_after)
    return {"customer_id": who, "order_id": f"{who}{days_after}", "ordered_at": moment, "is_completed": is_completed}


def performance(said: dict[str, float], orders: list[Row], as_of: datetime = NOW) -> Row:
    made = kept(str(NOW - timedelta(days=90)), **said)
    found = function_of(churn_performance)(made, table("orders", *orders), at(str(as_of)))
    columns = CONTRACTS["churn_performance"].column_names
    (row,) = rows(found, *columns)
    return dict(zip(columns, row, strict=True))


def test_who_ordered_in_time_stayed_and_everybody_else_left() -> None:
    orders = [order("ann", 40), order("bob", 41), order("cat", 1, is_completed=False), order("dan", -1)]
    found = performance({"ann": 0.1, "bob": 0.8, "cat": 0.9, "dan": 0.1}, orders)
    assert found["churn_share"] == 0.75
    assert found["auc"] == pytest.approx(2.5 / 3, abs=1e-6)
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.01 + 0.81) / 4)
    assert (found["mean_probability"], found["customer_count"], found["promised_auc"]) == (0.475, 4, 0.7)


def test_figures_wait_until_every_horizon_is_over() -> None:
    found = performance({"ann": 0.1}, [], NOW - timedelta(seconds=1))
    assert not found["is_known"]
    assert found["known_at"] == NOW
    assert [found[name] for name in ("churn_share", "auc", "brier")] == [None] * 3
    everybody_left = performance({"ann": 0.1}, [])
    assert (everybody_left["churn_share"], everybody_left["auc"], everybody_left["brier"]) == (1.0, None, 0.81)


def test_figures_are_those_of_scikit_learn_and_of_a_second_computation() -> None:
    rng = np.random.default_rng(2)
    said = {f"c{number}": float(one) for number, one in enumerate(rng.integers(1, 20, 200) / 20)}
    orders = [order(who, float(days)) for who, days in zip(said, rng.integers(-20, 80, 200), strict=True)]
    found = performance(said, orders)
    lost = [not 0 < one["days"] <= 40 for one in ({"days": (o["ordered_at"] - NOW).days + 90} for o in orders)]
    chances = [*said.values()]
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(lost, chances), abs=1e-6)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(lost, chances), abs=1e-6)
    given = {
        "churn_predictions": kept(str(NOW - timedelta(days=90)), **said), "orders": table("orders", *orders),
        "as_of": at(str(NOW)),
    }  # fmt: skip
    expected = predictions.churn_performance({name: exact(one).to_pandas() for name, one in given.items()})
    made = exact(function_of(churn_performance)(*given.values())).to_pandas()
    assert differences(expected, made, ["predicted_at"]) == []


def test_nothing_was_ever_said() -> None:
    found = function_of(churn_performance)(table("churn_predictions"), table("orders"), table("as_of"))
    assert set(found.columns) == set(CONTRACTS["churn_performance"].column_names)
    assert rows(found, "predicted_at") == []
