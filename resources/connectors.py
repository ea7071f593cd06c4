"""Connectors: what a feed may read. Each brings a dataset as it is; the feed's SQL maps it to the contract."""

import glob
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field

from governance.errors import C360Error
from resources.engine import Engine, literal
from resources.merging import Window
from resources.text_files import TextFile, TextFileError

# The property in which a table keeps the mark of its source when it was read.
MARK = "c360.mark"
# A day in a path, as strftime writes it.
DAY = re.compile("%[Ymdj]")
COMPRESSION_SUFFIXES = (".gz", ".zst")
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "lines",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


class ConnectorError(C360Error):
    """A source that cannot be read."""


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
    """What a connector brought: a SELECT over it, where it came from, and the rows that could not even be split.

    `reached` is how far it read, as properties that the table keeps and that the next request starts from.
    """

    sql: str
    origin: str
    broken: list[str]
    reached: Mapping[str, str] = field(default_factory=dict)


class Connector(BaseModel):
    """What all connectors share: no key but those declared, and no value of theirs in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def read(self, request: Request, engine: Engine) -> Raw:
        """The raw rows of the request's dataset; ConnectorError where they cannot be had."""
        raise NotImplementedError

    def mark(self, request: Request) -> str:
        """What changes whenever the source may hold something new for a feed; ConnectorError where nobody can tell."""
        raise NotImplementedError


class OnDisk(Connector):
    """What lies in files below a path, which may be a glob."""

    path: str

    def mark(self, request: Request) -> str:
        """Names, sizes and times of the files."""
        return file_mark(self.found(request))

    def found(self, request: Request) -> list[Path]:
        """The files the path names, in order; ConnectorError where there is none or one is empty."""
        found = _matching(_patterns(self.path, request.window), request.folder)
        if not found and request.window:
            # Of these days there is no file; any other tells the columns.
            found = _matching(_patterns(self.path, None), request.folder)[-1:]
        if not found:
            raise ConnectorError(
                f"{self.named(request)}: no such file, looked below {request.folder}. Correct the path in c360.yaml, or"
                " set the environment variable it uses."
            )
        for file in found:
            if file.stat().st_size == 0:
                raise ConnectorError(f"{self.named(request)}: {file.name} is empty; not even column names are there.")
        return found

    def named(self, request: Request) -> str:
        """How errors name the connector."""
        return f"Connector {request.name}, path {self.path}"

    def origin(self, request: Request) -> str:
        """Connector and path as people know them: below the deployment's folder where it lies there."""
        absolute, folder = request.folder / self.path, request.folder
        path = str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else self.path
        return f"{request.name}: {path}"


class Files(OnDisk):
    """Files on disk: CSV, Parquet, JSON lines, or plain lines, compressed or not; `path` may be a glob.

    `format` follows the file's ending unless given; `lines` gives one column `line`, for shapes of their own.
    A path with the day in it, such as 'web/%Y-%m-%d.parquet', is read day by day where hours are loaded.
    """

    type: Literal["files"]
    format: Literal["csv", "parquet", "jsonl", "lines"] | None = None
    delimiter: str | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    header: bool = True

    def read(self, request: Request, engine: Engine) -> Raw:
        """The files' rows; ConnectorError where they are not there or cannot be parsed."""
        where, files = self.named(request), self.found(request)
        kind = self.format or self._format_of(files[0], where)
        try:
            staged, broken = (files, []) if kind == "parquet" else self._stage(kind, files, engine)
            paths = ", ".join(literal(str(file)) for file in staged)
            sql = f"SELECT * FROM read_parquet([{paths}], union_by_name = true)"
            engine.query(f"DESCRIBE {sql}")
        except TextFileError as fault:
            raise ConnectorError(f"{where}: {fault}.") from None
        except duckdb.Error as fault:
            # Not chained: DuckDB quotes the row, and the chain ends in Dagster's log.
            raise ConnectorError(f"{where}: {readable(fault)}") from None
        return Raw(sql, self.origin(request), broken, {MARK: file_mark(files)})

    def _format_of(self, file: Path, where: str) -> str:
        if ending(file) not in FORMATS:
            known = ", ".join(FORMATS)
            raise ConnectorError(f"{where}: the ending tells no format; set `format`, or use one of {known}.")
        return FORMATS[ending(file)]

    def _stage(self, kind: str, files: list[Path], engine: Engine) -> tuple[list[Path], list[str]]:
        """Text is parsed once, into scratch Parquet files that all feeds of the connector read."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, self.model_dump_json() + file_mark(files)).hex
        folder = engine.scratch / f"raw-{name}"
        broken = folder / "broken.txt"
        if not broken.exists():
            folder.mkdir(exist_ok=True)
            found = []
            for position, file in enumerate(files):
                delimiter = self.delimiter or ("\t" if ending(file) == ".tsv" else ",")
                text = TextFile(file, self.encoding, delimiter, self.header)
                found += text.stage(kind, folder / f"{position:05d}.parquet", engine)
            broken.write_text("\n".join(found), encoding="utf-8")
        return sorted(folder.glob("*.parquet")), broken.read_text(encoding="utf-8").splitlines()


class Sample(Connector):
    """The sample company, generated on first use: synthetic customers with all datasets."""

    type: Literal["sample"]
    customers: Annotated[int, Field(ge=1)] = 5_000
    seed: Annotated[int, Field(ge=0)] = 7
    path: str = ".c360/sample"

    def read(self, request: Request, engine: Engine) -> Raw:
        """The company's rows of the dataset."""
        company = self._company(request)
        if not company.exists():
            from examples.company.generator import generate

            generate(company, self.customers, self.seed)
        return self._files(request).read(request, engine)

    def mark(self, request: Request) -> str:
        """That of the generated files; nothing as long as there are none."""
        return self._files(request).mark(request) if self._company(request).exists() else ""

    def _company(self, request: Request) -> Path:
        return request.folder / self.path / f"customers-{self.customers}-seed-{self.seed}"

    def _files(self, request: Request) -> Files:
        return Files(type="files", path=str(self._company(request) / request.dataset / "*.parquet"))


def file_mark(files: Iterable[Path]) -> str:
    """A word for the files as they are: their names, sizes and times."""
    stamps = "".join(f"{file}{file.stat().st_mtime_ns}{file.stat().st_size}" for file in files)
    return uuid.uuid5(uuid.NAMESPACE_URL, stamps).hex


def _patterns(path: str, window: Window | None) -> list[str]:
    """The path with the days of the window in it; with any day where there is no window."""
    if not DAY.search(path):
        return [path]
    if window is None:
        return [DAY.sub("*", path)]
    # Exports are cut into days by the clock of wherever they are made, so a day more on either side may hold some.
    days = (window.end - window.start).days + 3
    return [(window.start + timedelta(days=day - 1)).strftime(path) for day in range(days + 1)]


def _matching(patterns: Iterable[str], folder: Path) -> list[Path]:
    below = [
        pattern if Path(pattern).is_absolute() else f"{glob.escape(str(folder))}/{pattern}" for pattern in patterns
    ]
    return sorted({Path(file) for pattern in below for file in glob.glob(pattern, recursive=True)})


def ending(file: Path) -> str:
    """The file's ending without that of its compression."""
    suffixes = [suffix for suffix in file.suffixes if suffix not in COMPRESSION_SUFFIXES]
    return suffixes[-1] if suffixes else ""


def readable(fault: duckdb.Error) -> str:
    """The first lines of DuckDB's message, without the values of rows it may quote."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return " ".join(lines[:1])
