"""Requests of customers that are due: an incident while one is overdue, a warning in the last days before."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from checks import incidents
from checks.incidents import Outcome
from checks.scoring import FAIL, PASS, WARN
from resources.deployment import Deployment

TABLE = "subject_requests"
RULE = "answered_in_time"
CHECK_EVERY_SECONDS = 60 * 60
# So many days before a request is due, people are warned.
DAYS_BEFORE = timedelta(days=7)


def sensor(deployment: Deployment) -> dg.SensorDefinition:
    """The sensor that looks every hour for requests that are due."""

    @dg.sensor(
        name="subject_requests",
        minimum_interval_seconds=CHECK_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Warns of requests of customers due within a week, opens an incident for overdue ones.",
    )
    def look() -> dg.SkipReason:
        found = record(deployment, datetime.now(UTC).replace(tzinfo=None))
        return dg.SkipReason(f"{found.failing} requests are due")

    return look


def record(deployment: Deployment, moment: datetime) -> Outcome:
    """Carry what is due at a moment (UTC) over to the incidents."""
    found = outcome(deployment, moment.date())
    operations = deployment.operations
    with operations.begin() as connection:
        run_id = f"sensor at {moment:%Y-%m-%d %H:%M:%S}"
        incidents.record(operations, connection, TABLE, run_id, moment, [found])
    return found


def outcome(deployment: Deployment, today: date) -> Outcome:
    """Whether every open request is in time."""
    due = [row["due_on"] for row in deployment.operations.records(TABLE) if row["done_at"] is None]
    overdue, soon = sum(day < today for day in due), sum(day <= today + DAYS_BEFORE for day in due)
    if overdue:
        return Outcome(RULE, FAIL, "error", failing=overdue)
    return Outcome(RULE, WARN if soon else PASS, "warning", failing=soon)
