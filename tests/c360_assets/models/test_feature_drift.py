"""Feature drift: one that moved is told, and no other; a second computation in pandas agrees."""

import random
from typing import Any

import pytest

from c360_assets.models.feature_drift import feature_drift
from checks import anomalies
from tests.c360_assets.leavers import examples, features_of, population
from tests.second import predictions
from tests.second.published import differences, exact
from tests.tables import function_of, rows, table

Row = dict[str, Any]

CHOSEN = {"candidate": "a", "is_chosen": True, "features_used": "recency_days, frequency, monetary"}
COLUMNS = ("feature", "psi", "drift", "is_used", "reason")
HERE = ("customer_id", "recency_days", "history_days", "frequency", "monetary", "average_order_amount")


def buyers(count: int = 700, **changed: Any) -> list[Row]:
    """Customers of today as those of the examples are; `changed` gives a feature's value by that it had."""
    then = [row for row in population(count) if row["is_judged"]]
    now = [{**features_of(0, row["recency_days"], row["frequency"]), "customer_id": row["customer_id"]} for row in then]
    return [row | {name: change(row.get(name)) for name, change in changed.items()} for row in now]


def drift(now: list[Row], then: list[Row] | None = None, models: tuple[Row, ...] = (CHOSEN,)) -> dict[str, Row]:
    given = table("features", *now), examples(population(700) if then is None else then), table("churn_model", *models)
    found = rows(function_of(feature_drift)(*given), *COLUMNS)
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in found}


def test_customers_as_before_have_not_drifted() -> None:
    found = drift(buyers())
    assert {row["drift"] for row in found.values()} == {"none"}
    assert max(row["psi"] for row in found.values()) < 0.05
    assert {name for name, row in found.items() if row["is_used"]} == {"recency_days", "frequency", "monetary"}


@pytest.mark.parametrize(
    ("feature", "change"),
    [("monetary", lambda value: value * 2), ("return_rate", lambda value: None), ("item_count", lambda value: 3)],
    ids=["other values", "no longer known", "known for the first time"],
)
def test_one_feature_that_moved_is_told_and_no_other(feature: str, change: object) -> None:
    found = drift(buyers(**{feature: change}))
    assert [name for name, row in found.items() if row["drift"] == "much"] == [feature]


def test_a_second_computation_agrees() -> None:
    now, then = buyers(recency_days=lambda days: days + 3), population(700)
    given = {
        "features": table("features", *now), "churn_examples": examples(then),
        "churn_model": table("churn_model", CHOSEN),
    }  # fmt: skip
    found = exact(function_of(feature_drift)(*given.values())).to_pandas()
    expected = predictions.feature_drift({name: exact(one).to_pandas() for name, one in given.items()})
    assert differences(expected, found, ["feature"]) == []
    assert found.psi.max() > 0.1


def test_the_index_is_that_of_the_rules_of_contracts() -> None:
    now, then = buyers(frequency=lambda count: count + 1), population(700)
    counts = [{} for _ in range(2)]  # type: list[dict[int, int]]
    for side, people in zip(counts, (then, now), strict=True):
        for row in people:
            side[row["frequency"]] = side.get(row["frequency"], 0) + 1
    # So few values that each is a bin of its own.
    assert drift(now)["frequency"]["psi"] == pytest.approx(anomalies.psi(*counts), abs=1e-6)


def test_too_few_are_said_and_not_compared() -> None:
    found = drift(buyers(400))
    assert {row["reason"] for row in found.values()} == {"fewer than 500 examples or customers"}
    assert {row["psi"] for row in found.values()} == {None}
    assert {row["reason"] for row in drift(buyers(), then=[]).values()} == {"fewer than 500 examples or customers"}
    assert drift([], then=[]) == {}
    assert not any(row["is_used"] for row in drift(buyers(), models=()).values())


def test_the_order_of_rows_changes_nothing() -> None:
    now, then = buyers(), population(700)
    random.Random(3).shuffle(now)
    random.Random(4).shuffle(then)
    assert drift(now, then) == drift(buyers())
