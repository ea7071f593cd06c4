"""Erasing a person at the command line: what would go, and the proof that nothing is left."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from governance.errors import C360Error
from portal.rights import requests
from resources.deployment import Deployment
from resources.erasure import Erased, ErasureError, Proof, erase, preview
from resources.reader import Reader
from resources.replacing import replacing

# How many files are named.
FILES_SHOWN = 10


def erase_person(
    reader: Reader, key: str, is_sure: bool, elsewhere: Sequence[Path], target: Path | None, console: Console
) -> None:
    """Say what would go or, where that `is_sure`, erase a person, print the proof and write it as JSON.

    Forbidden to whoever may not erase; ErasureError where nobody of that ID is held, or something is left.
    """
    reader.must_be_able_to("erase")
    deployment = reader.deployment
    if not is_sure:
        console.print(_planned(preview(deployment, key)))
        raise C360Error("Nothing was changed. If that is meant, add --yes.")
    proof = erase(deployment, key, elsewhere, console.print)
    print_proof(proof, deployment, console)
    if target:
        with replacing(target) as fresh:
            fresh.write_text(json.dumps(as_json(proof), indent=2) + "\n", encoding="utf-8")
        console.print(f"The proof, without any value of the person: {target}", soft_wrap=True)
    if not proof.holds:
        raise ErasureError(
            "The person is not erased from everything: see above what is left. Mend that, and erase again: it goes on"
            " from there."
        )
    requests.answered(deployment, requests.ERASURE, key, reader.identity.subject)


def print_proof(proof: Proof, deployment: Deployment, console: Console) -> None:
    """What became of which rows, what was looked for, and what was found."""
    console.print(_done(proof.tables))
    looked_for = ", ".join(f"{count} of {kind}" for kind, count in sorted(proof.names.items()) if count) or "nothing"
    remains = proof.remains
    console.print(
        f"Looked for, in {remains.files:,} files ({remains.bytes:,} bytes, unpacked): {looked_for}. Found in"
        f" {len(remains.found):,}; rows that still name the person: {sum(proof.left.values()):,}."
    )
    _list(console, remains.found, "Still names the person")
    _list(console, remains.unreadable, "Could not be unpacked")
    _list(console, proof.redacted, "Had the name taken out")
    _list(console, remains.of_sources, "A source of yours that brings the person still; a tombstone keeps it out")
    for key, count in proof.left.items():
        console.print(f"{key}: {count:,} rows still name the person.", style="bold red")
    if outside := _outside(deployment):
        console.print(f"Not looked at, since they are databases of yours: {outside}.", style="yellow")
    verdict = "Nothing is left." if proof.holds else "Something is left."
    console.print(f"{verdict} Subject {proof.subject[:16]}, {proof.seconds:.1f} seconds.")


def as_json(proof: Proof) -> dict[str, Any]:
    """The proof for programs: a keyed hash stands for the person, and no value of theirs is in it."""
    remains = proof.remains
    return {
        "subject_hash": proof.subject,
        "erased_at": f"{proof.erased_at.isoformat()}Z",
        "seconds": round(proof.seconds, 1),
        "holds": proof.holds,
        "tables": [
            {"table": one.key, "fate": one.fate.value, "rows": one.rows, "files_deleted": one.files}
            for one in proof.tables
        ],
        "looked_for": proof.names,
        "files": remains.files,
        "bytes": remains.bytes,
        "rows_left": proof.left,
        "found_in": [str(file) for file in remains.found],
        "redacted": [str(file) for file in proof.redacted],
        "unreadable": [str(file) for file in remains.unreadable],
        "sources_that_bring_the_person": [str(file) for file in remains.of_sources],
    }


def _planned(found: Sequence[Erased]) -> Table:
    shown = Table(title="What erasing would do", title_justify="left")
    shown.add_column("table", no_wrap=True)
    shown.add_column("rows", justify="right")
    shown.add_column("would be")
    for one in found:
        shown.add_row(one.key, f"{one.rows:,}", one.fate.value)
    return shown


def _done(found: Sequence[Erased]) -> Table:
    shown = Table(title="What was erased", title_justify="left")
    shown.add_column("table", no_wrap=True)
    shown.add_column("rows", justify="right")
    shown.add_column("were")
    shown.add_column("files deleted", justify="right")
    for one in found:
        if one.rows or one.files:
            shown.add_row(one.key, f"{one.rows:,}", one.fate.value if one.rows else "", f"{one.files:,}")
    return shown


def _list(console: Console, files: Sequence[Path], what: str) -> None:
    for file in files[:FILES_SHOWN]:
        console.print(f"{what}: {file}", soft_wrap=True)
    if len(files) > FILES_SHOWN:
        console.print(f"{what}: {len(files) - FILES_SHOWN:,} more files.")


def _outside(deployment: Deployment) -> str:
    """Databases of the deployment that lie in no file of its home, by the key of c360.yaml."""
    settings = deployment.settings
    kept = (("operations", settings.operations), ("lake.catalog", settings.lake.catalog))
    return ", ".join(key for key, uri in kept if uri and not uri.startswith("sqlite"))
