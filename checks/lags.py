"""The profile lag: how long the change of a row at its source takes to be seen in the customer's profile.

This is the one measure that reads a clock, and only for a difference: each load notes how old its changes were by the
clock of the source, and when it asked; to this the time until the profiles are published is added. The two clocks may
therefore differ.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from resources.databases import CHANGED
from resources.deployment import Deployment


@dataclass(frozen=True)
class Changes:
    """What one load brought: its run, the rows, how old the oldest and the median change were (seconds), and when."""

    run_id: str
    rows: int
    oldest: float
    median: float
    asked_at: float


def record(deployment: Deployment, run_id: str) -> dict[str, float]:
    """Store the lags of all changed rows that the profiles just published show for the first time.

    Returns them over all datasets as metadata: rows, median and worst (seconds); nothing where no row was changed.
    """
    now = time.time()
    seen: list[tuple[float, float, int]] = []
    with deployment.operations.begin() as connection:
        for dataset, changes in _unseen(deployment, connection):
            waited = now - changes.asked_at
            lag = {"median_seconds": changes.median + waited, "worst_seconds": changes.oldest + waited}
            row = {"run_id": changes.run_id, "dataset": dataset, "changed_rows": changes.rows, "profile_run_id": run_id}
            visible = {"visible_at": datetime.fromtimestamp(now, UTC).replace(tzinfo=None)}
            deployment.operations.upsert(connection, "profile_lags", {**row, **lag, **visible})
            seen.append((lag["median_seconds"], lag["worst_seconds"], changes.rows))
    if not seen:
        return {}
    return {
        "profile lag, median (s)": round(_median([(median, rows) for median, _, rows in seen]), 1),
        "profile lag, worst (s)": round(max(worst for _, worst, _ in seen), 1),
        "changed rows": float(sum(rows for *_, rows in seen)),
    }


def _unseen(deployment: Deployment, connection: sa.Connection) -> Iterator[tuple[str, Changes]]:
    """Loads of changed rows not in a profile before: from the newest back to the first that was."""
    lags = deployment.operations.table("profile_lags")
    for dataset in (name for name, feed in deployment.feeds.items() if feed.watermark):
        contract = deployment.contracts[f"sources/{dataset}"]
        history = [commit.properties for commit in deployment.lake.history(contract)]
        loads = [properties.get("c360.run_id") for properties in history]
        # Asked by key: there is a row for every batch there ever was.
        asked = sa.select(lags.c.run_id).where(lags.c.dataset == contract.key, lags.c.run_id.in_(loads))
        known = set(connection.scalars(asked))
        for properties in history:
            if properties.get("c360.run_id") in known:
                break
            if CHANGED in properties:
                yield contract.key, _changes(properties)


def _changes(properties: Mapping[str, str]) -> Changes:
    rows, oldest, median, asked_at = properties[CHANGED].split()
    return Changes(properties["c360.run_id"], int(rows), float(oldest), float(median), float(asked_at))


def _median(weighed: list[tuple[float, int]]) -> float:
    """The value that half of the rows do not exceed, each batch standing at its own median."""
    half, passed = sum(rows for _, rows in weighed) / 2, 0
    for value, rows in sorted(weighed):
        passed += rows
        if passed >= half:
            return value
    raise ValueError("no value to take a median of")
