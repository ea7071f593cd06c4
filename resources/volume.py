"""Volume: whether a load of the whole brings as many rows as it should, given what is held and what came before.

Of a file that is cut off, or of some stores alone, every row is right, and yet most are missing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from governance.contract import Contract
from resources.connectors import Raw

# The property in which a table keeps what the last load of the whole read of each connector: rows, and names of files.
READ = "c360.read"
# A run with this tag takes the datasets it names as they come, however many rows fewer than are held.
ACCEPT_FEWER = "c360/accept-fewer"
# With fewer rows nobody can tell.
ROWS_THAT_TELL = 20
# Of more files a table does not keep the names.
FILES_KEPT = 1_000
FILES_SHOWN = 3

# Of each connector: how many `rows` came, and the names of the `files` they came from.
Read = Mapping[str, Mapping[str, Any]]


def is_short(contract: Contract, count: int, before: int) -> bool:
    """Whether so many rows are fewer than the contract tolerates where there were so many before."""
    return before >= ROWS_THAT_TELL and 100 * (before - count) > contract.tolerated_shrink_percent * before


def read_of(raws: Mapping[str, Raw], counts: Mapping[str, int], folder: Path) -> Read:
    """What was read, files by their path below `folder`."""
    return {
        name: {"rows": count} | ({"files": _names(raws[name], folder)} if len(raws[name].files) <= FILES_KEPT else {})
        for name, count in counts.items()
    }


def shortfalls(contract: Contract, rows: int, held: int, before: Read, now: Read) -> list[str]:
    """What is far less than it was: the rows that come than those held, or, of several connectors, those of one than
    the time `before`.
    """
    faults = [f"{_rows(rows)} came, while {held:,} are held"] if is_short(contract, rows, held) else []
    if len(now) > 1:
        counts = {name: (one["rows"], before[name]["rows"]) for name, one in now.items() if name in before}
        faults += [
            f"{name} brought {_rows(count)}, the last time {last:,}"
            for name, (count, last) in counts.items()
            if is_short(contract, count, last)
        ]
    return faults


def gone(before: Read, now: Read) -> list[str]:
    """The files of the time before that are there no more, in words, where there are any and their names were kept."""
    last, files = ({file for one in read.values() for file in one.get("files", ())} for read in (before, now))
    missing = sorted(last - files) if all("files" in one for one in now.values()) else []
    if not missing:
        return []
    more = f" and {len(missing) - FILES_SHOWN:,} more" if len(missing) > FILES_SHOWN else ""
    verb = "is" if len(missing) == 1 else "are"
    return [f"{', '.join(missing[:FILES_SHOWN])}{more}, which the last load read, {verb} there no more"]


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _names(raw: Raw, folder: Path) -> list[str]:
    return [str(file.relative_to(folder) if file.is_relative_to(folder) else file) for file in raw.files]
