"""Connectors: what a feed may read. Each brings a dataset as it is; the feed's SQL maps it to the contract."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import duckdb
from pydantic import BaseModel, ConfigDict
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from governance.errors import C360Error
from resources.engine import Engine, quoted
from resources.merging import Window
from resources.values import Notation

# The property in which a table keeps the mark of its source when it was read.
MARK = "c360.mark"
# How often files are read that change meanwhile.
READINGS = 3
# When a file was written (ns) and how many bytes it has: what tells that it is another by now.
Stamp = tuple[int, int]


class ConnectorError(C360Error):
    """A source that cannot be read."""


class SourceChanged(ConnectorError):
    """Files that changed while they were read; the next time they may hold still."""


# For whoever reads sources: what was read of files that changed meanwhile is forgotten, and they are read again.
read_again = retry(retry=retry_if_exception_type(SourceChanged), stop=stop_after_attempt(READINGS), reraise=True)


@dataclass(frozen=True)
class Request:
    """What a feed asks of a connector: `name` is the connector's own, relative paths start at `folder`.

    Of a database it asks for a `table` (left out: the dataset's name). `watermark` is the column by which rows are read
    in part: those changed `since` a value it had, and `overlap` before; or those of the hours of a `window`.
    """

    name: str
    dataset: str
    folder: Path
    table: str | None = None
    watermark: str | None = None
    overlap: int = 0
    since: str | None = None
    window: Window | None = None


@dataclass(frozen=True)
class Raw:
    """What a connector brought: a SELECT over it, where it came from, and the lines that could not even be split.

    `reached` is how far it read, as properties that the table keeps and that the next request starts from; `notes` say
    what was passed over, the `notation` is how numbers, moments and missing values are written, and `timezone` is the
    clock of moments without offset, where the source has one of its own. `doubt` says, where the names of columns may
    be none but values of a row, what to set if they are. `files` are those the rows lie in, as they were before they
    were read: not all rows are read yet.
    """

    sql: str
    origin: str
    broken: list[str]
    reached: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    notation: Notation = field(default_factory=Notation)
    timezone: str | None = None
    doubt: str = ""
    files: Mapping[Path, Stamp] = field(default_factory=dict)


class Connector(BaseModel):
    """What all connectors share: no key but those declared, and no value of theirs in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # Whether it has keys that say how numbers and moments are written.
    has_notation: ClassVar[bool] = False

    def read(self, request: Request, engine: Engine) -> Raw:
        """The raw rows of the request's dataset; ConnectorError where they cannot be had."""
        raise NotImplementedError

    def look(self, request: Request, engine: Engine) -> Raw:
        """The columns that `read` would bring, without the rows as far as they tell none; ConnectorError as there."""
        raise NotImplementedError

    def reach(self, folder: Path) -> list[Path]:
        """The files and folders on this machine that the engine reads for it; relative paths start at `folder`."""
        return []

    def mark(self, request: Request) -> str:
        """What changes whenever the source may hold something new for a feed; ConnectorError where nobody can tell."""
        raise NotImplementedError


def stamps(files: Iterable[Path], where: str) -> dict[Path, Stamp]:
    """The files as they are. SourceChanged where one is gone by now."""
    found = {file: _stamp(file) for file in files}
    _raise_changed([file for file, stamp in found.items() if stamp is None], where)
    return {file: stamp for file, stamp in found.items() if stamp}


@contextmanager
def unchanged(files: Mapping[Path, Stamp], where: str) -> Iterator[None]:
    """SourceChanged where at the end of the block files are not as they were, whatever else came of it."""
    try:
        yield
    finally:
        _raise_changed([file for file, stamp in files.items() if _stamp(file) != stamp], where)


def _raise_changed(changed: Sequence[Path], where: str) -> None:
    if changed:
        more = f" and {len(changed) - 1:,} others" if len(changed) > 1 else ""
        # Not chained: what a file that changes was read as may quote a row.
        raise SourceChanged(
            f"{where}: {changed[0].name}{more} changed while it was read, {READINGS} times in a row; nothing was"
            " loaded. Run again once it is written. To be safe at any time, write to another name and move it into"
            " place."
        ) from None


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def no_rows(columns: Mapping[str, str]) -> str:
    """A SELECT of no row of these columns, each with its type."""
    return f"SELECT {', '.join(f'NULL::{type_} AS {quoted(name)}' for name, type_ in columns.items())} WHERE false"


def readable(fault: duckdb.Error) -> str:
    """The first lines of DuckDB's message, without the values of rows it may quote."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return " ".join(lines[:1])
