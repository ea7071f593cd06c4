"""Requests of people: noted as they come, due within a month, and done when they are answered."""

import calendar
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from rich.table import Table

from resources.deployment import Deployment
from resources.operations import Operations
from resources.tombstones import subject_hash

TABLE = "subject_requests"
ACCESS, ERASURE = "access", "erasure"
KINDS = (ACCESS, ERASURE)


def due(received: date) -> date:
    """The last day of the month within which a request is to be answered: GDPR, article 12(3).

    It is the day of the same number, or the last one of a month that has none (Regulation 1182/71, article 3(2)(c)).
    """
    year, month = divmod(received.year * 12 + received.month, 12)
    return date(year, month + 1, min(received.day, calendar.monthrange(year, month + 1)[1]))


def add(deployment: Deployment, kind: str, key: str, received: date) -> Mapping[str, Any]:
    """Note a request of the person with an ID; the row that is kept of it."""
    operations = deployment.operations
    with operations.begin() as connection:
        return _added(operations, connection, kind, subject_hash(deployment, key), received)


def answered(deployment: Deployment, kind: str, key: str, by: str) -> None:
    """Note that the open requests of a person were done now; of one that was not noted before, that it came today."""
    operations, now = deployment.operations, datetime.now(UTC).replace(tzinfo=None)
    subject = subject_hash(deployment, key)
    with operations.begin() as connection:
        table = operations.table(TABLE)
        mine = (table.c.subject_hash == subject, table.c.kind == kind)
        if connection.scalar(sa.select(sa.func.count()).where(*mine, table.c.done_at.is_(None))) == 0:
            if connection.scalar(sa.select(sa.func.count()).where(*mine)):
                return
            _added(operations, connection, kind, subject, now.date())
        connection.execute(sa.update(table).where(*mine, table.c.done_at.is_(None)).values(done_at=now, done_by=by))


def listing(deployment: Deployment, today: date) -> Table:
    """All requests, those that are overdue marked."""
    shown = Table(title="Requests of customers", title_justify="left")
    for name in ("request", "kind", "subject", "received", "due", "done", "by"):
        shown.add_column(name)
    for row in deployment.operations.records(TABLE):
        is_late = row["done_at"] is None and row["due_on"] < today
        done = f"{row['done_at']:%Y-%m-%d}" if row["done_at"] else "overdue" if is_late else "open"
        days = (f"{row['received_on']}", f"{row['due_on']}", done)
        shown.add_row(
            row["request_id"], row["kind"], row["subject_hash"][:16], *days, row["done_by"] or "",
            style="bold red" if is_late else None,
        )  # fmt: skip
    return shown


def _added(
    operations: Operations, connection: sa.Connection, kind: str, subject: str, received: date
) -> Mapping[str, Any]:
    table = operations.table(TABLE)
    before = connection.scalar(sa.select(sa.func.count()).where(table.c.received_on == received)) or 0
    row = {
        "request_id": f"{received:%Y%m%d}-{before + 1:04}",
        "kind": kind,
        "subject_hash": subject,
        "received_on": received,
        "due_on": due(received),
        "done_at": None,
        "done_by": None,
    }
    operations.upsert(connection, TABLE, row)
    return row
