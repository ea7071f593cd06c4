"""Rolling the history of customers back by the command: what would go is told first, and then it goes."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal import cli
from portal.runs.summary import closed_history
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.tables import CONTRACTS, table

HISTORY, AS_OF = CONTRACTS["customer_history"], CONTRACTS["as_of"]
TRUE, MISTYPED = datetime(2026, 1, 2), datetime(2062, 1, 3)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A history that a moment of a mistyped year has closed, and the moment that is true."""
    file = tmp_path / "c360.yaml"
    file.write_text("name: Test\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n")
    deployment = deployments.load(file)
    own = {"customer_id": "ann", "run_id": "run", "change": "added"}
    rows = table(
        "customer_history",
        own | {"version": 1, "valid_from": TRUE, "valid_to": MISTYPED, "is_current": False},
        own | {"version": 2, "valid_from": MISTYPED, "is_current": True, "change": "changed"},
    )
    for contract, written in ((HISTORY, rows), (AS_OF, table("as_of", {"as_of": TRUE, "timezone": "UTC"}))):
        deployment.lake.publish(deployment.lake.write(contract, written))
    yield deployment
    deployment.close()


def rollback(deployment: Deployment, *options: str) -> Result:
    return CliRunner().invoke(cli.main, ["rollback", "--config", str(deployment.file), *options])


def versions(deployment: Deployment) -> list[tuple[int, bool]]:
    held = deployment.lake.read(HISTORY).order_by("version")
    return [(row["version"], row["is_current"]) for row in held.to_pyarrow().to_pylist()]


def test_a_closed_history_is_told_with_what_opens_it_which_says_first_what_goes(deployment: Deployment) -> None:
    (told,) = closed_history(deployment)
    assert told.startswith(
        "customer_history stays as it was: it knows of 2062-01-03, and the newest event is of 2026-01-02."
    )
    advised = re.search(r"c360 rollback (--to \S+)$", told)
    assert advised
    options = advised[1].split()
    asked = rollback(deployment, *options)
    assert asked.exit_code == 1
    assert "It would forget 1 version that began after 2026-01-02 23:59:59 UTC; then 1 is current." in plain(asked)
    assert versions(deployment) == [(1, False), (2, True)]
    done = rollback(deployment, *options, "--yes")
    assert done.exit_code == 0, done.output
    assert versions(deployment) == [(1, True)]
    assert closed_history(deployment) == []


def test_without_a_history_there_is_nothing_to_roll_back(tmp_path: Path) -> None:
    file = tmp_path / "c360.yaml"
    file.write_text("name: Test\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n")
    done = CliRunner().invoke(cli.main, ["rollback", "--config", str(file), "--to", "2026-01-01"])
    assert done.exit_code == 1
    assert "customer_history has not been built yet" in plain(done)


def plain(result: Result) -> str:
    return " ".join((result.stdout + result.stderr).split())
