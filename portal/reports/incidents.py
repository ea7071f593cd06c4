"""Incidents and notifications on the command line: what is wrong, who took it up, and what people were told."""

from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from checks.incidents import OPEN, acknowledge, mute
from governance.errors import C360Error
from governance.privacy import MASK
from portal.reports.showing import write_json
from resources.deployment import Deployment
from resources.notifications import deliver

Row = dict[str, Any]


def change(deployment: Deployment, dataset: str | None, **options: str | None) -> None:
    """Acknowledge or mute an incident; C360Error where an option is missing or there is no such open incident."""
    given = {name: value.strip() for name, value in options.items() if value and value.strip()}
    verbs = [name for name in ("acknowledge", "mute") if name in given]
    needed = {"acknowledge": {"by", "reason"}, "mute": {"until", "reason"}}
    if len(verbs) != 1 or dataset is None or given.keys() - verbs != needed[verbs[0]]:
        raise C360Error(
            "Write either DATASET --acknowledge RULE --by NAME --reason TEXT, or DATASET --mute RULE --until DATE"
            " --reason TEXT."
        )
    if "mute" in given:
        from portal.runs import running

        try:
            until = running.moment(given["until"], deployment.settings.clock)
        except running.SelectionError:
            raise C360Error(f"--until '{given['until']}' is no moment. Write for example 2026-06-30.") from None
        mute(deployment.operations, dataset, given["mute"], until, given["reason"])
    else:
        acknowledge(deployment.operations, dataset, given["acknowledge"], given["by"], given["reason"])


def show(deployment: Deployment, dataset: str | None, everything: bool, kind: str, out: Console) -> None:
    """Print incidents as a table or JSON, the open ones unless `everything` is asked for; names are masked."""
    if dataset is not None and dataset not in deployment.contracts:
        raise C360Error(f"There is no table '{dataset}'. c360 tables lists those there are.")
    rows = [
        row | {"acknowledged_by": row["acknowledged_by"] and MASK}
        for row in deployment.operations.records("incidents")
        if dataset in (None, row["dataset"]) and (everything or row["status"] == OPEN)
    ]
    if kind == "json":
        write_json(rows)
    elif rows:
        out.print(_table(rows))
    else:
        out.print("No incidents." if everything else "No open incidents.")


def notify(deployment: Deployment, out: Console) -> bool:
    """Deliver what waits in the outbox and print what came of it; whether every sink took all of its own."""
    result = deliver(deployment.operations, deployment.settings.notifications)
    out.print(f"{result.delivered} delivered, {result.failed} failed.")
    waiting = [row for row in deployment.operations.records("notifications") if not row["delivered"]]
    known = {sink.name for sink in deployment.settings.notifications}
    for sink in sorted({row["sink"] for row in waiting}):
        rows = [row for row in waiting if row["sink"] == sink]
        problem = next((row["last_problem"] for row in rows if row["last_problem"]), "not sent yet")
        reason = problem if sink in known else "no such sink in c360.yaml any more"
        out.print(f"{sink}: {len(rows)} waiting ({reason})")
    return not result.failed


def _table(incidents: list[Row]) -> Table:
    shown = Table()
    shown.add_column("rule")
    for heading in ("state", "severity", "since (UTC)"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("runs", "rows"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for dataset, of_dataset in groupby(incidents, key=lambda incident: incident["dataset"]):
        shown.add_section()
        shown.add_row(dataset, style="bold")
        for incident in of_dataset:
            note = _note(incident)
            shown.add_row(
                f"  {incident['rule']}" + (f"\n    {note}" if note else ""),
                str(incident["status"]),
                str(incident["severity"]),
                f"{incident['opened_at']:%Y-%m-%d %H:%M}",
                *(f"{incident[name]:,}" for name in ("failed_runs", "failing")),
            )
    return shown


def _note(incident: Row) -> str:
    notes = []
    if incident["acknowledged_by"]:
        notes.append(f"acknowledged: {incident['acknowledged_reason']}")
    if incident["muted_until"]:
        notes.append(f"muted until {incident['muted_until']:%Y-%m-%d %H:%M}: {incident['muted_reason']}")
    return "; ".join(notes)
