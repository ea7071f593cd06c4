"""Files on disk as what a feed reads: of any kind, alone or many of one path, packed or not."""

import glob
import json
import os
import re
import shutil
import threading
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import duckdb
from pydantic import Field, field_validator, model_validator

from resources.connectors import (
    MARK,
    Connector,
    ConnectorError,
    Raw,
    Request,
    Stamp,
    no_rows,
    readable,
    stamps,
    unchanged,
)
from resources.engine import Engine, literal
from resources.merging import Window
from resources.sheets import Sheet
from resources.text_files import WINDOWS, TextFile, TextFileError
from resources.values import Notation

# A day in a path, as strftime writes it.
DAY = re.compile("%[Ymdj]")
COMPRESSION_SUFFIXES = (".gz", ".zst")
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "lines",
    ".parquet": "parquet",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
# Of these, all files of a path have the same columns.
TABULAR = ("csv", "excel")
# Of these, the columns are known without the rows.
TEXT = ("csv", "lines")
# What may separate cells.
DELIMITERS = (",", ";", "\t", "|")
# How many names of columns an error lists.
LISTED = 6
# Where the lines that are in no row, and what was passed over, are noted beside the rows of files.
TOLD = "told.json"
# Feeds that read the same files wait for whoever unpacks or parses them.
STAGING = threading.RLock()


class OnDisk(Connector):
    """What lies in files below a path, which may be a glob."""

    path: str

    def reach(self, folder: Path) -> list[Path]:
        """The file, or the folder below which the files are, and those in which files are that it only links to."""
        certain = takewhile(lambda part: not (glob.has_magic(part) or DAY.search(part)), Path(self.path).parts)
        base = folder.joinpath(*certain)
        found = _matching(_patterns(self.path, None), folder) if base != folder / self.path else []
        return [base, *{file.resolve().parent for file in found}]

    def mark(self, request: Request) -> str:
        """Names, sizes and times of the files."""
        return file_mark(stamps(self.found(request), self.named(request)))

    def found(self, request: Request) -> list[Path]:
        """The files the path names, in order; ConnectorError where there is none, or one that may not be read."""
        try:
            found = _matching(_patterns(self.path, request.window), request.folder)
            if not found and request.window:
                # Of these days there is no file; any other tells the columns.
                found = _matching(_patterns(self.path, None), request.folder)[-1:]
            closed = next((file for file in found if not os.access(file, os.R_OK)), None)
        except PermissionError as fault:
            found, closed = [], Path(fault.filename)
        if closed:
            raise ConnectorError(
                f"{self.named(request)}: {closed.name} may not be read. Give the user of this process the right to."
            )
        if not found and (request.folder / self.path).is_dir():
            raise ConnectorError(
                f"{self.named(request)}: is a folder. Name the files in it, for example {self.path}/*.csv."
            )
        if not found:
            raise ConnectorError(
                f"{self.named(request)}: no such file, looked below {request.folder}. Correct the path in c360.yaml, or"
                " set the environment variable it uses."
            )
        return found

    def filled(self, request: Request) -> tuple[list[Path], list[str], dict[Path, Stamp]]:
        """The files with anything in them, a note of each that has nothing, and all as they are; ConnectorError where
        none has.
        """
        found = stamps(self.found(request), self.named(request))
        filled = [file for file, (_, size) in found.items() if size]
        if not filled:
            raise ConnectorError(
                f"{self.named(request)}: {next(iter(found)).name} is empty; not even column names are there."
            )
        return filled, [_passed_over(file.name) for file in found if file not in filled], found

    def named(self, request: Request) -> str:
        """How errors name the connector."""
        return f"Connector {request.name}, path {self.path}"

    def origin(self, request: Request) -> str:
        """Connector and path as people know them: below the deployment's folder where it lies there."""
        absolute, folder = request.folder / self.path, request.folder
        path = str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else self.path
        return f"{request.name}: {path}"


class Files(OnDisk):
    """Files on disk: CSV, Excel, Parquet, JSON, or plain lines, compressed or not; `path` may be a glob.

    `format` follows the file's ending unless given; `lines` gives one column `line`, for shapes of their own. The files
    in a .zip count as if they lay beside it. A path with the day in it, such as 'web/%Y-%m-%d.parquet', is read day by
    day where hours are loaded.
    """

    has_notation: ClassVar[bool] = True

    type: Literal["files"]
    format: Literal["csv", "excel", "parquet", "jsonl", "lines"] | None = None
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=4)] | None = None
    quote: Annotated[str, Field(max_length=1)] = '"'
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    header: bool = True
    columns: tuple[str, ...] | None = None
    sheet: str | None = None
    filename: bool = False
    decimal: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    date_format: str | tuple[str, ...] = ()
    null_values: tuple[str, ...] | None = None

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"must be an encoding, such as utf-8, {WINDOWS} (Excel on Windows) or utf-16") from None
        return name

    @field_validator("date_format")
    @classmethod
    def _check_date_format(cls, written: str | tuple[str, ...]) -> str | tuple[str, ...]:
        try:
            for one in [written] if isinstance(written, str) else written:
                duckdb.execute(f"SELECT strptime(NULL, {literal(one)})")
        except duckdb.Error:
            raise ValueError("must be a format as strptime writes it, such as %d/%m/%Y") from None
        return written

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ValueError("`decimal` and `thousands` are the same sign; leave out the one that does not occur")
        if self.columns is not None and self.header:
            raise ValueError(
                "`columns` names those of files without a header. Set `header: false` too; or, if they have one, take"
                " `columns` out and rename in the select"
            )
        return self

    def read(self, request: Request, engine: Engine) -> Raw:
        """The files' rows; ConnectorError where they are not there or cannot be parsed."""
        return self._brought(request, engine, self._stage)

    def look(self, request: Request, engine: Engine) -> Raw:
        """The files' columns: of CSV from how each file begins, of JSON and sheets from all that is in them."""
        return self._brought(request, engine, self._columns)

    def _brought(self, request: Request, engine: Engine, stage: Callable[["_Opened", Engine], "_Staged"]) -> Raw:
        where, (files, notes, found) = self.named(request), self.filled(request)
        with unchanged(found, where):
            try:
                packed = [file for file in files if file.suffix == ".zip"]
                unpacked = [table for file in packed for table in _unpacked(file, found[file], engine, where)]
                tables = [*(_Named(file.name, file) for file in files if file not in packed), *unpacked]
                kind = self.format or self._format_of(tables, where)
                staged = stage(_Opened(kind, tables, found, where), engine)
                engine.query(f"DESCRIBE {staged.sql}")
            except TextFileError as fault:
                raise ConnectorError(f"{where}: {fault}.") from None
            except duckdb.OutOfMemoryException:  # no fault of the files
                raise
            except duckdb.Error as fault:
                # Not chained: DuckDB quotes the row, and the chain ends in Dagster's log.
                raise ConnectorError(f"{where}: {readable(fault)}") from None
        return Raw(
            staged.sql,
            self.origin(request),
            staged.broken,
            {MARK: file_mark(found)},
            [*notes, *staged.notes],
            self._notation,
            doubt=self._doubt(kind, staged.sql, engine),
            files=found,
        )

    def _doubt(self, kind: str, sql: str, engine: Engine) -> str:
        """What to set if the columns are not what their names say; it never quotes one, which may be a value."""
        if kind == "lines":
            return "Its lines are taken as they are; if they are those of a table, set `format: csv`."
        if kind not in TABULAR or not self.header:
            return ""
        names = [name for name, *_ in engine.query(f"DESCRIBE {sql}") if not (self.filename and name == "filename")]
        sign = max(DELIMITERS, key=names[0].count)
        if kind == "csv" and len(names) == 1 and sign in names[0]:
            return f"Its first line is one column: set `delimiter: {json.dumps(sign)}` on the connector."
        return (
            "If it begins with titles, set `skip` to the number of their lines; if its first line is a row already, set"
            " `header: false`."
        )

    @property
    def _notation(self) -> Notation:
        formats = (self.date_format,) if isinstance(self.date_format, str) else self.date_format
        decimal = self.decimal or (("," if self.thousands == "." else ".") if self.thousands else None)
        return Notation(decimal, self.thousands, formats, self.null_values)

    def _format_of(self, tables: Sequence["_Named"], where: str) -> str:
        """The format of all files; ConnectorError where their endings tell none, or several."""
        kinds = {FORMATS.get(ending(table.path)): table.name for table in tables}
        if None in kinds:
            known = ", ".join(FORMATS)
            raise ConnectorError(
                f"{where}: the ending of {kinds[None]} tells no format; set `format`, or use one of {known}."
            )
        if len(kinds) > 1:
            raise ConnectorError(
                f"{where}: {' and '.join(sorted(kinds.values()))} are of different formats. Name files of one format in"
                " `path`; unpack an archive before."
            )
        return str(*kinds)

    def _stage(self, opened: "_Opened", engine: Engine) -> "_Staged":
        """The rows of all files as Parquet: text is parsed once, into scratch files that all feeds of the connector
        read.
        """
        if opened.kind == "parquet":
            columns = {table.name: [*parquet_columns(table.path, table.name, engine)] for table in opened.tables}
            _check_columns(columns)
            return _Staged(_parquet_rows([table.path for table in opened.tables], self.filename))
        name = uuid.uuid5(uuid.NAMESPACE_URL, self.model_dump_json() + file_mark(opened.files)).hex
        folder = engine.scratch / f"raw-{name}"
        with STAGING:
            if not folder.exists():
                with _filling(folder, opened.files, opened.where) as fresh:
                    filled, notes = self._filled(opened)
                    broken: list[str] = []
                    for position, file in enumerate(filled):
                        more = f", {literal(file.name)} AS filename" if self.filename else ""
                        broken += file.stage(fresh / f"{position:05d}.parquet", engine, more)
                    remarks = json.dumps({"broken": broken, "notes": notes})
                    (fresh / TOLD).write_text(remarks, encoding="utf-8")
        remarks = (folder / TOLD).read_text(encoding="utf-8")
        return _Staged(_parquet_rows(sorted(folder.glob("*.parquet"))), **json.loads(remarks))

    def _columns(self, opened: "_Opened", engine: Engine) -> "_Staged":
        """The columns of all files, with no rows where these need not be read for it; what is read stays staged."""
        if opened.kind not in TEXT:
            return self._stage(opened, engine)
        filled, notes = self._filled(opened)
        is_table = opened.kind in TABULAR
        names = [*(filled[0].column_names if is_table else ["line"]), *(["filename"] if self.filename else [])]
        return _Staged(no_rows(dict.fromkeys(names, "VARCHAR")), notes=notes)

    def _filled(self, opened: "_Opened") -> tuple[list[TextFile | Sheet], list[str]]:
        """The files with anything in them, and a note of each that has nothing; TextFileError where all have not, or
        where columns differ.
        """
        files = [self._described(opened.kind, table) for table in opened.tables]
        filled = [file for file in files if not file.is_empty]
        if not filled:
            raise TextFileError(f"{files[0].name} is empty; not even column names are there")
        if opened.kind in TABULAR:
            _check_columns({file.name: file.first_names for file in filled})
        return filled, [_passed_over(file.name) for file in files if file not in filled]

    def _described(self, kind: str, table: "_Named") -> TextFile | Sheet:
        shape: dict[str, Any] = {
            "header": self.header, "skip": self.skip, "columns": self.columns, "called": table.name
        }  # fmt: skip
        if kind == "excel":
            return Sheet(table.path, self.sheet, **shape)
        return TextFile(table.path, kind, self.encoding, self.delimiter, self.quote, self.escape, **shape)


@dataclass(frozen=True)
class _Named:
    """A file, and what it is called: one in an archive lies elsewhere."""

    name: str
    path: Path


@dataclass(frozen=True)
class _Opened:
    """Tables to be read, of one `kind`; the files they lie in, packed or not, as they were before; how errors begin."""

    kind: str
    tables: Sequence[_Named]
    files: Mapping[Path, Stamp]
    where: str


@dataclass(frozen=True)
class _Staged:
    """A SELECT of the rows of all files, the lines that are in no row, and what was passed over."""

    sql: str
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _passed_over(name: str) -> str:
    return f"{name} is empty and was passed over"


def _parquet_rows(paths: Sequence[Path], with_name: bool = False) -> str:
    listed = ", ".join(literal(str(path)) for path in paths)
    if with_name:
        named = "SELECT * REPLACE (parse_filename(filename) AS filename)"
        return f"{named} FROM read_parquet([{listed}], union_by_name = true, filename = true)"
    return f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"


def parquet_columns(path: Path, name: str, engine: Engine) -> dict[str, str]:
    """Names and types of the columns of a Parquet file; TextFileError, which calls it by its name, where it is none."""
    try:
        described = engine.query(f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})")
    except duckdb.Error:
        raise TextFileError(f"{name} is no whole Parquet file; fetch it again") from None
    return {column: type_ for column, type_, *_ in described}


def _check_columns(columns: Mapping[str, Sequence[str]]) -> None:
    """TextFileError where the columns of a file are not those of the others: its values would be missing unseen."""
    sets = {file: frozenset(name.lower() for name in names) for file, names in columns.items()}
    ((usual, _),) = Counter(sets.values()).most_common(1)
    model = next(file for file, found in sets.items() if found == usual)
    for file, found in sets.items():
        if found == usual:
            continue
        apart = "or move that file to where the path does not find it, and read it by a connector of its own"
        if not found & usual:
            raise TextFileError(
                f"the first line of {file} is not the header of {model}. Give the one without a header the other's,"
                f" {apart}, with `header: false` if it has none"
            )
        if lacking := [name for name in columns[model] if name.lower() not in found]:
            raise TextFileError(f"{file} lacks {_listed(lacking)}, which {model} has. Rename it there, {apart}")
        extra = [name for name in columns[file] if name.lower() not in usual]
        raise TextFileError(f"{file} has {_listed(extra)}, which {model} lacks. Remove it there, {apart}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"


def _unpacked(archive: Path, stamp: Stamp, engine: Engine, where: str) -> list[_Named]:
    """The files in a zip archive, unpacked into the scratch folder."""
    folder = engine.scratch / f"zip-{file_mark({archive: stamp})}"
    try:
        with STAGING, zipfile.ZipFile(archive) as packed:
            members = [
                one for one in packed.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")
            ]
            places = [Path(str(position), Path(one.filename).name) for position, one in enumerate(members)]
            if not folder.exists():
                with _filling(folder, {archive: stamp}, where) as fresh:
                    for one, place in zip(members, places, strict=True):
                        _extract(packed, one, fresh / place)
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error) as fault:
        raise TextFileError(f"{archive.name} is no whole zip archive; fetch it again") from fault
    except (RuntimeError, NotImplementedError) as fault:
        raise TextFileError(
            f"{archive.name} is locked by a password or packed in a way we do not know; unpack it, and name what was in"
            " it as `path`"
        ) from fault
    if not members:
        raise TextFileError(f"{archive.name} holds no file; fetch it again")
    names = [f"{archive.name}/{one.filename}" for one in members]
    found = [_Named(name, folder / place) for name, place in zip(names, places, strict=True)]
    return sorted(found, key=lambda table: table.name)


def _extract(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir()
    with packed.open(member) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)


@contextmanager
def _filling(folder: Path, files: Mapping[Path, Stamp], where: str) -> Iterator[Path]:
    """A scratch folder to be filled from files, which is there for others once it is whole and the files held still."""
    fresh = folder.with_name(uuid.uuid4().hex)
    fresh.mkdir()
    try:
        with unchanged(files, where):
            yield fresh
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
        return replace(self._files(request).read(request, engine), timezone="UTC")

    def look(self, request: Request, engine: Engine) -> Raw:
        """The columns of the dataset, which a company of one customer has as well."""
        if self._company(request).exists():
            return replace(self._files(request).look(request, engine), timezone="UTC")
        from examples.company.generator import generate

        company = engine.scratch / "sample"
        with STAGING:
            if not company.exists():
                generate(company, 1)
        files = Files(type="files", path=str(company / request.dataset / "*.parquet"))
        return replace(files.look(request, engine), timezone="UTC")

    def reach(self, folder: Path) -> list[Path]:
        """The folder of the generated files."""
        return [folder / self.path]

    def mark(self, request: Request) -> str:
        """That of the generated files; nothing as long as there are none."""
        return self._files(request).mark(request) if self._company(request).exists() else ""

    def _company(self, request: Request) -> Path:
        return request.folder / self.path / f"customers-{self.customers}-seed-{self.seed}"

    def _files(self, request: Request) -> Files:
        return Files(type="files", path=str(self._company(request) / request.dataset / "*.parquet"))


def file_mark(files: Mapping[Path, Stamp]) -> str:
    """A word for files as they were: their names, sizes and times."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "".join(f"{file}{time}{size}" for file, (time, size) in files.items())).hex


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
    found = set()
    for pattern in patterns:
        below = pattern if Path(pattern).is_absolute() else f"{glob.escape(str(folder))}/{pattern}"
        found |= {Path(file) for file in glob.glob(below, recursive=True) if not Path(file).is_dir()}
        # The name of a file may have brackets, of which a glob makes a choice.
        found |= {folder / pattern} if (folder / pattern).is_file() else set()
    return sorted(found)


def ending(file: Path) -> str:
    """The file's ending without that of its compression."""
    suffixes = [suffix for suffix in file.suffixes if suffix not in COMPRESSION_SUFFIXES]
    return suffixes[-1] if suffixes else ""
