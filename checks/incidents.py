"""Incidents: from failing rules to what people are told.

A rule of a dataset has one incident for good: its first failure opens it, a pass resolves it, the next failure opens it
again. People are told of these three events through the outbox, which is written in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from checks.scoring import ERROR, FAIL, NOT_ASSESSED, PASS, WARN
from governance.errors import C360Error
from resources.operations import Operations

OPEN, RESOLVED = "open", "resolved"
OPENED, REOPENED = "opened", "reopened"
FAILURES = (FAIL, ERROR, WARN)
FRESH = dict.fromkeys(
    (
        "acknowledged_by",
        "acknowledged_reason",
        "muted_until",
        "muted_reason",
        "resolved_at",
        "resolved_run_id",
    )
)


class IncidentError(C360Error):
    """An incident that is not there, or over."""


@dataclass(frozen=True)
class Outcome:
    """What became of one rule: `status` is pass, warn, fail, error or not_assessed, `failing` counts rows."""

    rule: str
    status: str
    severity: str
    failing: int


def record(
    operations: Operations,
    connection: sa.Connection,
    dataset: str,
    run_id: str,
    as_of: datetime,
    outcomes: Sequence[Outcome],
) -> list[str]:
    """Carry the outcomes of one run over to the incidents, within a transaction of `operations.begin()`.

    A run that is recorded twice in a row counts once. Returns the events (opened, reopened, resolved) in
    the order of the outcomes; while an incident is muted they happen, but nobody is told.
    """
    incidents = operations.table("incidents")
    found = connection.execute(sa.select(incidents).where(incidents.c.dataset == dataset)).mappings()
    known: dict[str, Mapping[str, Any]] = {row["rule"]: dict(row) for row in found}
    events = []
    for outcome in outcomes:
        event, changes = _consequence(known.get(outcome.rule), outcome, run_id, as_of)
        if not changes:
            continue
        key = {"dataset": dataset, "rule": outcome.rule}
        incident = {**known.get(outcome.rule, {}), **key, **changes}
        known[outcome.rule] = incident
        operations.upsert(connection, "incidents", incident)
        if event:
            events.append(event)
            if not _is_muted(incident, as_of):
                _tell(operations, connection, incident, event, outcome, run_id, as_of)
    return events


def acknowledge(operations: Operations, dataset: str, rule: str, by: str, reason: str) -> None:
    """Note who has taken up an open incident and why it may stay; IncidentError where there is none."""
    _change(operations, dataset, rule, acknowledged_by=by, acknowledged_reason=reason)


def mute(operations: Operations, dataset: str, rule: str, until: datetime, reason: str) -> None:
    """Tell nobody of an open incident before the moment `until` (UTC); IncidentError where there is none.

    A failure after the rule held again ends the mute, for it may have another cause.
    """
    _change(operations, dataset, rule, muted_until=until, muted_reason=reason)


def _consequence(
    incident: Mapping[str, Any] | None, outcome: Outcome, run_id: str, as_of: datetime
) -> tuple[str | None, dict[str, Any]]:
    """The event, if it is one, and the columns of the incident that change."""
    if outcome.status not in (PASS, NOT_ASSESSED, *FAILURES):
        raise ValueError(f"'{outcome.status}' is no status of a rule")
    is_open = incident is not None and incident["status"] == OPEN
    if outcome.status == PASS and is_open:
        return RESOLVED, {"status": RESOLVED, "resolved_at": as_of, "resolved_run_id": run_id}
    if outcome.status not in FAILURES:
        return None, {}
    failure = {
        "severity": outcome.severity,
        "failing": outcome.failing,
        "last_failed_at": as_of,
        "last_run_id": run_id,
    }
    if incident is not None and is_open:
        is_another_run = incident["last_run_id"] != run_id
        return None, {**failure, "failed_runs": incident["failed_runs"] + is_another_run}
    opening = {"status": OPEN, "opened_at": as_of, "opened_run_id": run_id, "failed_runs": 1, **FRESH}
    if incident is None:
        return OPENED, {**failure, **opening, "reopened": 0}
    return REOPENED, {**failure, **opening, "reopened": incident["reopened"] + 1}


def _is_muted(incident: Mapping[str, Any], as_of: datetime) -> bool:
    until = incident["muted_until"]
    return until is not None and as_of < until


def _tell(
    operations: Operations,
    connection: sa.Connection,
    incident: Mapping[str, Any],
    event: str,
    outcome: Outcome,
    run_id: str,
    as_of: datetime,
) -> None:
    outbox = operations.table("notifications")
    stored = connection.execute(sa.select(sa.func.coalesce(sa.func.max(outbox.c.sequence), 0))).scalar_one()
    dataset, rule = incident["dataset"], incident["rule"]
    notification = {
        "notification_id": f"{dataset}|{rule}|{event}|{run_id}",
        "sequence": stored + 1,
        "event": event,
        "dataset": dataset,
        "rule": rule,
        "severity": incident["severity"],
        "message": _message(incident, event, outcome, as_of),
        "as_of": as_of,
        "run_id": run_id,
        "delivered": False,
        "attempts": 0,
        "last_problem": None,
    }
    for sink in operations.sinks:
        operations.upsert(connection, "notifications", {**notification, "sink": sink})


def _message(incident: Mapping[str, Any], event: str, outcome: Outcome, as_of: datetime) -> str:
    if event == RESOLVED:
        change = f"holds again after {_counted(incident['failed_runs'], 'failing run')}"
    else:
        change = "could not run" if outcome.status == ERROR else f"fails on {_counted(outcome.failing, 'row')}"
        change += f" ({incident['severity']})" + (", again" if event == REOPENED else "")
    return f"{incident['dataset']}: rule {incident['rule']} {change}, as of {as_of:%Y-%m-%d %H:%M} UTC"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _change(operations: Operations, dataset: str, rule: str, **columns: Any) -> None:
    incidents = operations.table("incidents")
    the_open_one = (incidents.c.dataset == dataset, incidents.c.rule == rule, incidents.c.status == OPEN)
    with operations.begin() as connection:
        changed = connection.execute(sa.update(incidents).where(*the_open_one).values(**columns))
        if not changed.rowcount:
            raise IncidentError(
                f"Rule '{rule}' of {dataset} has no open incident. See those there are with: c360 incidents"
                " (with --all also those that are resolved)."
            )
