"""A person decides which candidate of a model scores, by the command: it is written, listed, and can be taken back."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from portal import cli
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.tables import CONTRACTS, table

Row = dict[str, Any]

CHURN, LIFETIMES, LISTS = (CONTRACTS[key] for key in ("churn_model", "lifetime_model", "recommendation_model"))


def churn(candidate: str, auc: float, is_chosen: bool = False, **more: Any) -> Row:
    kept = {"fitted_model": f"model of {auc}", "model_hash": f"hash of {auc}"}
    figures = {"auc": auc, "auc_low": auc - 0.01, "auc_high": auc + 0.01, "judged_at": datetime(2026, 1, 2)}
    reason = "chosen: best" if is_chosen else "no better"
    said = {"candidate": candidate, "is_baseline": False, "is_chosen": is_chosen, "reason": reason}
    return said | kept | figures | more


def ranking(name: str, candidate: str, is_chosen: bool) -> Row:
    return {
        "list": name,
        "candidate": candidate,
        "ndcg": 0.25,
        "is_chosen": is_chosen,
        "reason": "told",
    } | dict.fromkeys(("customer_count", "product_count", "hold_out_days"), 90)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """Two versions of a model of churn, one each of the others."""
    file = tmp_path / "c360.yaml"
    file.write_text("name: Test\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n")
    deployment = deployments.load(file)
    write(deployment, "churn_model", churn("tree", 0.7), churn("boosting", 0.8, is_chosen=True))
    write(deployment, "churn_model", churn("tree", 0.71), churn("boosting", 0.82, is_chosen=True))
    counted = [f"{part}customer_count" for part in ("", "repeat_", "calibration_", "calibration_repeat_")]
    told = dict.fromkeys(counted, 0) | {"reason": "the baseline"}
    ways = told | {"model": "mean rate", "is_chosen": False}, told | {"model": "BG/NBD", "is_chosen": True, "r": 0.2}
    write(deployment, "lifetime_model", *ways)
    lists = [ranking(name, one, one == "EASE") for name in ("discover", "joined") for one in ("EASE", "popularity")]
    write(deployment, "recommendation_model", *lists)
    yield deployment
    deployment.close()


def write(deployment: Deployment, key: str, *rows: Row) -> None:
    deployment.lake.publish(deployment.lake.write(CONTRACTS[key], table(key, *rows)))


def c360(deployment: Deployment, *words: str) -> Result:
    return CliRunner().invoke(cli.main, ["models", *words, "--config", str(deployment.file)], env={"COLUMNS": "300"})


def chosen(deployment: Deployment, key: str) -> list[tuple[Any, ...]]:
    rows = deployment.lake.read(CONTRACTS[key]).to_pyarrow().to_pylist()
    return [(row["candidate"], row["reason"]) for row in rows if row["is_chosen"]]


def test_what_is_promoted_scores_and_says_why(deployment: Deployment) -> None:
    done = c360(deployment, "promote", "churn", "tree", "--because", "it can be read")
    assert done.exit_code == 0, done.output
    assert "churn: tree scores customers from the next run on" in done.output
    assert "c360 run --config" in done.output
    assert chosen(deployment, "churn_model") == [("tree", "promoted by hand: it can be read")]
    rows = deployment.lake.read(CHURN).order_by("candidate").to_pyarrow().to_pylist()
    assert rows[0]["reason"] == "not used, since another was promoted by hand; chosen: best"
    assert [row["auc"] for row in rows] == [0.82, 0.71]
    assert "tree: AUC-ROC 0.710 (0.700 to 0.720); promoted by hand: it can be read" in c360(deployment).output


def test_a_model_goes_back_version_by_version_and_says_when_there_is_none(deployment: Deployment) -> None:
    c360(deployment, "promote", "churn", "tree", "--because", "it can be read")
    back = c360(deployment, "rollback", "churn")
    assert "churn: tree (0.710 (0.700 to 0.720)) was rolled back to boosting (0.820 (0.810 to 0.830))" in back.output
    assert chosen(deployment, "churn_model") == [("boosting", "chosen: best")]
    c360(deployment, "rollback", "churn")
    rows = deployment.lake.read(CHURN).order_by("candidate").to_pyarrow().to_pylist()
    assert [row["auc"] for row in rows] == [0.8, 0.7]
    last = c360(deployment, "rollback", "churn")
    assert last.exit_code == 1
    assert "no version before this one is kept" in last.output
    # What is trained then follows on what was brought back.
    write(deployment, "churn_model", churn("tree", 0.9, is_chosen=True))
    assert [line.split("  ")[0] for line in versions(deployment)] == ["2026-01-02", "2026-01-02"]
    c360(deployment, "rollback", "churn")
    assert chosen(deployment, "churn_model") == [("boosting", "chosen: best")]


def versions(deployment: Deployment) -> list[str]:
    listed = c360(deployment, "versions", "churn").output.splitlines()
    return [line for line in listed if line.startswith("2026")]


def test_versions_are_told_with_their_figures_and_a_run_that_changed_nothing_is_none(deployment: Deployment) -> None:
    again = deployment.lake.read(CHURN).to_pyarrow().to_pylist()
    write(deployment, "churn_model", *again)
    told = versions(deployment)
    assert len(told) == 2
    assert "0.820 (0.810 to 0.830)" in told[0]
    assert "0.800 (0.790 to 0.810)" in told[1]


def test_one_list_is_decided_without_the_other(deployment: Deployment) -> None:
    c360(deployment, "promote", "recommendations_discover", "popularity", "--because", "new goods")
    found = deployment.lake.read(LISTS).filter(lambda rows: rows.is_chosen).order_by("list").to_pyarrow().to_pylist()
    assert [(row["list"], row["candidate"]) for row in found] == [("discover", "popularity"), ("joined", "EASE")]
    c360(deployment, "rollback", "recommendations_discover")
    assert {candidate for candidate, _ in chosen(deployment, "recommendation_model")} == {"EASE"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("promote", "churn", "oracle", "--because", "x"), "there is no candidate 'oracle', but boosting, tree"),
        (("promote", "lifetime_value", "mean rate", "--because", "x"), "'mean rate' cannot score: the baseline"),
        (("promote", "luck", "tree", "--because", "x"), "There is no model 'luck'."),
        (("promote", "churn", "tree"), "Missing option '--because'"),
        (("rollback", "lifetime_value"), "Model lifetime_value: no version before this one is kept"),
    ],
    ids=["no candidate", "a baseline that has no parameters", "no model", "no reason", "no version"],
)
def test_what_cannot_be_is_said_and_changes_nothing(deployment: Deployment, words: tuple[str, ...], told: str) -> None:
    before = [len(deployment.lake.history(contract)) for contract in (CHURN, LIFETIMES, LISTS)]
    done = c360(deployment, *words)
    assert done.exit_code != 0
    assert told in " ".join(done.output.split())
    assert [len(deployment.lake.history(contract)) for contract in (CHURN, LIFETIMES, LISTS)] == before
