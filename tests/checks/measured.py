"""How tests of checks get a deployment whose tables hold the rows of the test."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from checks import measuring
from checks.measuring import Measurement
from governance.contract import Contract
from governance.quality import Rule
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.tables import table

NOON = datetime(2026, 6, 30, 12)


@contextmanager
def empty_deployment(home: Path) -> Iterator[Deployment]:
    """A deployment without feeds, kept in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "c360.yaml").write_text(yaml.safe_dump({"name": "Test", "currency": "EUR", "engine": {"threads": 1}}))
    deployment = deployments.load(home / "c360.yaml")
    try:
        yield deployment
    finally:
        deployment.close()


def hold(deployment: Deployment, key: str, *rows: dict[str, Any]) -> None:
    """Make these the rows of a table."""
    deployment.lake.publish(deployment.lake.write(deployment.contracts[key], table(key, *rows)))


def measure(
    deployment: Deployment, contract: Contract, as_of: datetime | None, rules: Sequence[Rule] | None = None
) -> Measurement:
    """What the rules of a table, or some rules, find in the rows that a deployment holds."""
    return measuring.measure(
        contract,
        as_of,
        rules,
        lake=deployment.lake,
        contracts=deployment.contracts,
        feeds=deployment.feeds,
        operations=deployment.operations,
    )


def measured(deployment: Deployment, key: str, *rows: dict[str, Any], as_of: datetime | None = NOON) -> Measurement:
    """What the rules of a table find in these rows."""
    hold(deployment, key, *rows)
    return measure(deployment, deployment.contracts[key], as_of)


def failing(measurement: Measurement) -> dict[str, int]:
    """How many rows fail, by rule, where any does."""
    return {result.rule.name: result.failing for result in measurement.results if result.failing}


def counts(measurement: Measurement) -> dict[str, tuple[int, int]]:
    """Passing and failing, by rule."""
    return {result.rule.name: (result.passing, result.failing) for result in measurement.results}
