"""Promoting: a person decides which candidate of a model scores customers, or goes back to the version before."""

import uuid
from collections.abc import Iterator, Sequence
from itertools import pairwise

import ibis
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from c360_assets.terms.promotion import BY_HAND, promoted
from governance.contract import Contract
from governance.errors import C360Error
from portal.reports.models import Model, Row, chosen, figure
from portal.reports.showing import built
from resources.deployment import Deployment
from resources.lake import Commit
from resources.run_lock import only_run

# Told, with the model's name, of a snapshot that brings back an earlier one: which.
VERSION_OF = "c360.version_of."


def promote(deployment: Deployment, model: Model, candidate: str, because: str, console: Console) -> None:
    """Let a candidate score from now on, also when it is trained anew, until that is rolled back.

    C360Error where there is none of that name, or none could be trained.
    """
    contract = built(deployment, model.table)
    with only_run(deployment, str(uuid.uuid4()), console.print):
        rows = deployment.lake.newest(contract)[0].to_pyarrow()
        ours, others = _told_apart(model, rows.to_pylist())
        try:
            decided = promoted(ours, candidate, f"{BY_HAND}: {because}", model.candidate, model.needed)
        except ValueError as fault:
            raise C360Error(f"Model {model.name}: {fault}. c360 models {model.name} shows what there is.") from None
        _write(deployment, contract, [*decided, *others], rows.schema, {})
    console.print(f"{model.name}: {candidate} scores customers from the next run on. {_now(model)}")


def roll_back(deployment: Deployment, model: Model, console: Console) -> None:
    """Go back to the version before: what was chosen until the last training, promotion or rollback changed it.

    C360Error where no other version is kept.
    """
    contract = built(deployment, model.table)
    with only_run(deployment, str(uuid.uuid4()), console.print):
        present, *earlier = versions(deployment, model)
        if not earlier:
            raise C360Error(f"Model {model.name}: no version before this one is kept.")
        before, rows = earlier[0]
        whole = deployment.lake.newest(contract)[0].to_pyarrow()
        _, others = _told_apart(model, whole.to_pylist())
        ours, _ = _told_apart(model, rows)
        _write(deployment, contract, [*ours, *others], whole.schema, {VERSION_OF + model.name: str(before.snapshot_id)})
    console.print(f"{model.name}: {_told(model, present[1])} was rolled back to {_told(model, ours)}. {_now(model)}")


def versions(deployment: Deployment, model: Model) -> list[tuple[Commit, list[Row]]]:
    """The versions that are kept, the present one first, each with its rows; those that were rolled back are none.

    A snapshot in which the same candidate says the same as in the one before it is no version.
    """
    held = [*_line(deployment, built(deployment, model.table), VERSION_OF + model.name)]
    told = [(commit, _told_apart(model, rows)[0]) for commit, rows in held]
    changes = [one for one, before in pairwise(told) if chosen(one[1]) != chosen(before[1])]
    return [*changes, *told[-1:]]


def listing(deployment: Deployment, model: Model) -> Table:
    """The versions of a model with their figures, the present one first."""
    shown = Table(title=f"{deployment.settings.name}: versions of {model.name}", title_justify="left", box=SIMPLE_HEAD)
    shown.show_edge = shown.pad_edge = False
    for title in ("as of", "chosen", model.called, "why"):
        shown.add_column(title, no_wrap=title == "as of")
    for _, rows in versions(deployment, model):
        best = chosen(rows)
        when = f"{best[model.since]:%Y-%m-%d}" if best and model.since and best[model.since] else ""
        told = (best[model.candidate], figure(model, best)) if best else ("none", "")
        shown.add_row(when, *told, best["reason"] if best else rows[0]["reason"] if rows else "nothing was trained")
    return shown


def _line(deployment: Deployment, contract: Contract, version_of: str) -> Iterator[tuple[Commit, list[Row]]]:
    """Snapshots from the newest on; one that brings back an earlier one goes on from there."""
    wanted: str | None = None
    for commit in deployment.lake.history(contract):
        if wanted and str(commit.snapshot_id) != wanted:
            continue
        wanted = commit.properties.get(version_of)
        rows = deployment.lake.at(contract, commit.snapshot_id)
        if rows is not None and not wanted:
            yield commit, rows.to_pyarrow().to_pylist()


def _told_apart(model: Model, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of the model, and those of others that share its table."""
    if model.part is None:
        return list(rows), []
    column, name = model.part
    return [row for row in rows if row[column] == name], [row for row in rows if row[column] != name]


def _write(
    deployment: Deployment, contract: Contract, rows: Sequence[Row], schema: pa.Schema, properties: dict[str, str]
) -> None:
    table = ibis.memtable(pa.Table.from_pylist(list(rows), schema=schema))
    deployment.lake.publish(deployment.lake.write(contract, table, properties))


def _told(model: Model, rows: Sequence[Row]) -> str:
    best = chosen(rows)
    return f"{best[model.candidate]} ({figure(model, best)})" if best else "none"


def _now(model: Model) -> str:
    return f"To score now: c360 run --select {model.scores}"
