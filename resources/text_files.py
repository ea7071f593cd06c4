"""Text files: CSV, JSON lines and plain lines as tables of text, whole or not at all.

DuckDB parses; what it would pass over in silence (a gzip that breaks off, a header in another encoding, a quote that
swallows the lines after it) is looked for here, and every line of a CSV file is accounted for. Every value stays the
text it is until a contract gives it a type.
"""

import codecs
import csv
import gzip
import io
import json
import re
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import duckdb

from resources.engine import Engine, literal, quoted

# A cell may hold a whole letter or an encoded image; DuckDB's own limit is 2 MB a line.
MAX_LINE_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 8 * 1024 * 1024
# Where no line has the columns of the header, the file is another than it should be; with fewer lines nobody can tell.
LINES_THAT_TELL = 20
# A line of so many columns within a cell is a row and no note, whatever is in its first.
COLUMNS_THAT_TELL = 5
# What Windows calls ANSI and many programs write as latin-1, whose 32 control characters it fills; browsers read it so.
WINDOWS = "windows-1252"
CODECS = {"latin-1": WINDOWS, "latin1": WINDOWS, "iso-8859-1": WINDOWS, "ascii": "utf-8"}
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The first line by which a spreadsheet is told the delimiter.
SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?', re.IGNORECASE)
SWALLOWS = (
    "swallows the lines after it. Correct the file, or set `quote: ''` on the connector where quotes are plain text"
)
AS_JSON_LINES = "Export it again with one object on each line, or as CSV"
JSON_LINE = re.compile(r"in line (\d+)")
LINE_END = re.compile(r"\r\n|\r|\n")
PACKED = {b"PK\x03\x04": (".zip or, of Excel, .xlsx", "a zip archive"), b"\x1f\x8b": (".gz", "a gzip file")}


class TextFileError(Exception):
    """A file that cannot be read as the table it should be; names it and says why, without the text of a row."""


@dataclass(frozen=True)
class Head:
    """How a CSV file begins: its first record, and what stands before it.

    `title` counts the lines that are no part of the table, `blank` the empty ones after them.
    """

    record: tuple[str, ...]
    title: int
    blank: int
    line_count: int
    delimiter: str


@dataclass(frozen=True)
class TableFile:
    """A file of a table: how many lines come before it (`skip`), and whether its first record is a `header`.

    Without a header `columns` are its names, or else column0, column1 ...; `called` is what errors call the file where
    that is not its name.
    """

    path: Path
    header: bool = field(default=True, kw_only=True)
    skip: int = field(default=0, kw_only=True)
    columns: tuple[str, ...] | None = field(default=None, kw_only=True)
    called: str | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """What errors call the file."""
        return self.called or self.path.name

    @property
    def first_record(self) -> Sequence[str | None]:
        """The cells of the header or, where there is none, of the first row; none where the file is empty."""
        raise NotImplementedError

    @property
    def header_end(self) -> int:
        """The number of the line that the first record ends in."""
        raise NotImplementedError

    @property
    def first_names(self) -> list[str]:
        """The first record as names of columns, whether they are any or not."""
        return [
            ((name or "").strip() if self.header else "") or f"column{position}"
            for position, name in enumerate(self.first_record)
        ]

    @cached_property
    def column_names(self) -> list[str]:
        """The names of the columns; TextFileError where they do not tell the columns apart."""
        if self.columns is not None and len(self.columns) != len(self.first_record):
            remedy = "name every column, in order" if len(self.first_record) > 1 else "set the `delimiter` between them"
            raise TextFileError(
                f"{self.name} has {len(self.first_record)} columns, while `columns` names {len(self.columns)}; {remedy}"
            )
        if self.columns is not None:
            return list(self.columns)
        names = self.first_names
        if any("\0" in name for name in names):
            raise TextFileError(f"{self.name} looks like UTF-16. Set `encoding: utf-16` on the connector")
        folded = [name.lower() for name in names]
        repeated = sorted({name for name in names if folded.count(name.lower()) > 1})
        if repeated:
            raise TextFileError(
                f"{self.name}: the header names {len(repeated)} columns more than once, the first in column"
                f" {names.index(repeated[0]) + 1}. Rename them there, or skip the header (`skip: {self.header_end}`,"
                " `header: false`) and name the columns in `columns`"
            )
        return names


@dataclass(frozen=True)
class TextFile(TableFile):
    """How to read one text file: its `kind` is `csv`, `jsonl` or `lines`, its `encoding` one that Python knows.

    Of CSV: what separates and quotes (an empty `quote`: nothing does), and what stands before a quote that is none.
    """

    kind: str = "csv"
    encoding: str = "utf-8"
    delimiter: str | None = None
    quote: str = '"'
    escape: str | None = None

    @cached_property
    def head(self) -> Head:
        """How the CSV file begins, without a look at the rest. TextFileError where nothing does."""
        try:
            with _opened(self.path) as source, io.TextIOWrapper(source, self._codec, newline="") as text:
                return self._head(text)
        except UnicodeDecodeError:
            # Says which line it is.
            for _ in self._texts():
                pass
            raise
        except (EOFError, OSError, zlib.error) as fault:
            raise self._torn() from fault

    @property
    def first_record(self) -> Sequence[str | None]:
        """The cells of the header or, where there is none, of the first row; none where the file is empty."""
        return self.head.record

    @property
    def header_end(self) -> int:
        """The number of the line that the first record ends in."""
        return self.head.title + self.head.blank + self.head.line_count

    @property
    def is_empty(self) -> bool:
        """Whether there is not one line with anything on it; of plain lines, not one line."""
        if self.kind == "csv":
            return not self.head.record
        nothing = ("", "[]") if self.kind == "jsonl" else ("",)
        return not any(text.strip() not in nothing for text in self._texts())

    def stage(self, target: Path, engine: Engine, more: str = "") -> list[str]:
        """Write the rows to the Parquet file `target`, as columns of text.

        `more` are further columns in SQL. Returns one description per line that belongs to no row. TextFileError where
        the file is no such table; duckdb.Error where DuckDB cannot parse it.
        """
        title = self.head.title if self.kind == "csv" else 0
        plain, line_count = self._plain(engine.scratch, title)
        try:
            if self.kind == "jsonl":
                rows = self._json_rows(plain, engine)
                engine.query(f"COPY (SELECT *{more} FROM ({rows})) TO {literal(str(target))} (FORMAT parquet)")
                return []
            if self.kind == "lines":
                # No byte of a text file separates or quotes plain lines: the whole line is one value.
                return self._copy(_Shape(plain, ["line"], "\x1f"), target, engine, more)
            return self._copy(self._shape(plain, line_count), target, engine, more)
        finally:
            if plain != self.path:
                plain.unlink()

    def _head(self, text: io.TextIOWrapper) -> Head:
        title = sum(1 for _ in islice(text, self.skip))
        first = text.readline()
        separator = SEPARATOR.fullmatch(first.strip().lstrip("\ufeff"))
        delimiter = self.delimiter or (separator[1] if separator else ("\t" if ".tsv" in self.path.suffixes else ","))
        csv.field_size_limit(MAX_LINE_BYTES)
        lines = text if separator else chain([first.removeprefix("\ufeff")], text)
        records = csv.reader(lines, strict=True, **_dialect(delimiter, self.quote, self.escape))
        blank = 0
        try:
            while not any(record := next(records)):
                blank = records.line_num
        except StopIteration:
            return Head((), title, blank, 0, delimiter)
        except csv.Error as fault:
            line = title + bool(separator) + blank + 1
            raise self._error(f"line {line:,} opens a quote that nothing closes; it {SWALLOWS}") from fault
        return Head(tuple(record), title + bool(separator), blank, records.line_num - blank, delimiter)

    def _shape(self, plain: Path, line_count: int) -> "_Shape":
        head, names = self.head, self.column_names
        if not head.record:
            raise self._error("is empty; not even column names are there")
        rows = line_count - head.blank - (head.line_count if self.header else 0)
        return _Shape(plain, names, head.delimiter, self.quote, self.escape, self.header, head.title, head.blank, rows)

    def _plain(self, scratch: Path, title: int) -> tuple[Path, int]:
        """The file itself where it is plain UTF-8, else a UTF-8 copy without the title; and how many lines there are.

        TextFileError where it cannot be decoded.
        """
        is_plain = self._codec == "utf-8" and self.path.suffix not in (".gz", ".zst") and not title
        copy = scratch / f"{uuid.uuid4().hex}{self.path.with_suffix('').suffix}"
        lines = _Lines()
        try:
            if is_plain:
                for text in self._texts():
                    lines.count(text)
                return self.path, lines.total
            with copy.open("wb") as target:
                for text in _without_lines(self._texts(), title):
                    lines.count(text)
                    target.write(text.encode())
        except TextFileError:
            copy.unlink(missing_ok=True)
            raise
        return copy, lines.total

    @cached_property
    def _codec(self) -> str:
        """The codec to decode by: UTF-16 needs no mark that says which byte comes first."""
        known = codecs.lookup(CODECS.get(self.encoding.lower(), self.encoding)).name
        if known != "utf-16":
            return known
        start = self._start
        if start[:2] in UTF_16_MARKS or not start:
            return known
        high, low = start[0::2].count(0), start[1::2].count(0)
        # Delimiters, digits and line ends have a zero in one of their two bytes, in whatever language the text is.
        if max(high, low) * 16 < len(start) // 2:
            raise self._error(f"is no UTF-16. Leave `encoding` out, which means UTF-8, or set `encoding: {WINDOWS}`")
        return "utf-16-be" if high > low else "utf-16-le"

    @cached_property
    def _start(self) -> bytes:
        with _opened(self.path) as source:
            return bytes(source.read(4096))

    def _texts(self) -> Iterator[str]:
        line = 1
        try:
            decode = codecs.getincrementaldecoder(self._codec)().decode
            with _opened(self.path) as source:
                while chunk := source.read(CHUNK_BYTES):
                    yield self._text(decode, chunk, line, final=False)
                    line += chunk.count(b"\n")
                yield self._text(decode, b"", line, final=True)
        except (EOFError, OSError, zlib.error) as fault:  # OSError is what a broken gzip or zstd raises
            raise self._torn() from fault

    def _text(self, decode: Any, chunk: bytes, line: int, final: bool) -> str:
        try:
            return str(decode(chunk, final))
        except UnicodeError as fault:
            if isinstance(fault, UnicodeDecodeError):
                line += fault.object[: fault.start].count(b"\n")
            text = fault.object if isinstance(fault, UnicodeDecodeError) else b""
            raise self._error(f"line {line:,} is not {self.encoding}. {self._remedy(text)}") from fault

    def _remedy(self, text: bytes) -> str:
        """What to do about a piece of the file that could not be decoded."""
        start = self._start
        for mark, (suffix, kind) in PACKED.items():
            if start.startswith(mark):
                return f"It is {kind}: let its name end in {suffix}"
        if start[:2] in UTF_16_MARKS or start.count(0) * 4 > len(start):
            return "Set `encoding: utf-16` on the connector"
        if self._codec == "utf-8":
            # Read in another encoding, the letters of all other lines would become signs that nobody wrote.
            letters = [sign for sign in (start + text).decode("utf-8", "replace") if not sign.isascii()]
            if 0 < 2 * letters.count("\ufffd") <= len(letters):
                return "Most others are: correct that line, or fetch the file again"
            return f"Set `encoding: {WINDOWS}` on the connector, or another that it was written in, or convert the file"
        return "Set the encoding it was written in on the connector, or convert the file"

    def _copy(self, shape: "_Shape", target: Path, engine: Engine, more: str) -> list[str]:
        try:
            return self._copied(shape, target, engine, more)
        except duckdb.InvalidInputException as fault:
            if "invalid state" not in str(fault):
                raise
            # Lines that end now this way, now that way: DuckDB wants one.
            even = _with_one_line_end(shape.plain, engine.scratch)
            return self._copied(replace(shape, plain=even), target, engine, more)

    def _copied(self, shape: "_Shape", target: Path, engine: Engine, more: str) -> list[str]:
        refused = self._written(shape, target, engine, more)
        for record in refused:
            if shape.quote and (shape.is_open(record.lines) or shape.swallows(record.lines)):
                raise self._error(f"line {record.line:,} opens a quote that nothing closes; it {SWALLOWS}")
        ((count,),) = engine.query(f"SELECT count(*) FROM read_parquet({literal(str(target))})")
        if not count and len(refused) >= LINES_THAT_TELL:
            raise self._error(f"has no line with the columns of its header ({refused[0].fault}); check `delimiter`")
        if shape.line_count not in (None, count + sum(len(record.lines) for record in refused)):
            self._account(shape, count + len(refused))
        return [sentence for record in refused for sentence in record.sentences(self.name)]

    def _written(self, shape: "_Shape", target: Path, engine: Engine, more: str) -> list["_Refused"]:
        """Write the rows that DuckDB reads, and return the lines it does not."""
        rejects = f"rejects_{uuid.uuid4().hex}"
        try:
            engine.query(
                f"COPY (SELECT *{more} FROM read_csv({shape.arguments}, store_rejects = true,"
                f" rejects_table = {literal(rejects)}, rejects_scan = {literal(rejects + '_scan')}, rejects_limit = 0,"
                f" max_line_size = {MAX_LINE_BYTES}, buffer_size = {2 * MAX_LINE_BYTES}))"
                f" TO {literal(str(target))} (FORMAT parquet)"
            )
            return [
                _Refused(line + shape.title, fault, LINE_END.split(text.strip("\r\n")))
                for line, fault, text in engine.query(
                    "SELECT line, min(lower(error_type::VARCHAR)), first(csv_line ORDER BY length(csv_line) DESC)"
                    f" FROM {quoted(rejects)} GROUP BY line ORDER BY line"
                )
            ]
        finally:
            # They would stay in memory, half a megabyte for each file.
            for name in (rejects, f"{rejects}_scan"):
                engine.query(f"DROP TABLE IF EXISTS {quoted(name)}")

    def _account(self, shape: "_Shape", record_count: int) -> None:
        """Compare with the records Python's reader finds; TextFileError where they are not as many, or swallow others.

        Where each line is a record there is no need for it: this takes a second for a million short lines.
        """
        with shape.plain.open(encoding="utf-8-sig", newline="") as text:
            lines = _Kept(text)
            found = 0
            for record in csv.reader(lines, **shape.dialect):
                first, taken = lines.take()
                if not record:
                    continue
                found += 1
                is_header = shape.header and found == 1
                if len(taken) > 1 and not is_header and shape.swallows(taken):
                    raise self._error(f"line {first + shape.title:,} opens a quote that {SWALLOWS}")
        if found - shape.header != record_count:
            raise self._error(
                f"has {abs(found - shape.header - record_count):,} records that are read by one reader and not by"
                " another; check `delimiter`, `quote` and `escape`"
            )

    def _json_rows(self, plain: Path, engine: Engine) -> str:
        if _is_open_list(plain):
            # DuckDB takes what is there.
            raise self._error("breaks off: it is a list that does not end. Fetch it again")
        try:
            return _json_rows(plain, engine)
        except duckdb.InvalidInputException as fault:
            line = JSON_LINE.search(str(fault))
            where = f"line {line[1]}" if line else "at one place"
            raise self._error(f"{where} is no JSON. {AS_JSON_LINES}") from None
        except TextFileError as fault:
            raise self._error(f"{fault}. {AS_JSON_LINES}") from None

    def _error(self, problem: str) -> TextFileError:
        return TextFileError(f"{self.name}{', ' if problem.startswith('line ') else ' '}{problem}")

    def _torn(self) -> TextFileError:
        packing = {".gz": "gzip", ".zst": "zstd"}.get(self.path.suffix, self.encoding)
        return self._error(f"is no whole {packing} file; fetch it again, or, if it is not packed, rename it")


@dataclass(frozen=True)
class _Shape:
    """A table in a plain file: its columns, what separates and quotes, and whether the first record names the columns.

    `title` lines stood before what the plain file holds, `skip` empty ones stand before the table in it; `line_count`
    is the number of lines below the header, where they have to be accounted for.
    """

    plain: Path
    columns: Sequence[str]
    delimiter: str
    quote: str = ""
    escape: str | None = None
    header: bool = False
    title: int = 0
    skip: int = 0
    line_count: int | None = None

    @property
    def arguments(self) -> str:
        """What DuckDB's reader is told."""
        types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"{literal(str(self.plain))}, columns = {{{types}}}, auto_detect = false,"
            f" delim = {literal(self.delimiter)}, quote = {literal(self.quote)},"
            f" escape = {literal(self.escape or self.quote)}, header = {str(self.header).lower()}, skip = {self.skip}"
        )

    @property
    def dialect(self) -> dict[str, Any]:
        """What Python's reader is told."""
        return _dialect(self.delimiter, self.quote, self.escape)

    def is_open(self, lines: Sequence[str]) -> bool:
        """Whether a record of these lines has an odd number of quotes: one of them was never closed."""
        return len(lines) > 1 and sum(line.count(self.quote) for line in lines) % 2 == 1

    def swallows(self, lines: Sequence[str]) -> bool:
        """Whether a line but the first has the columns of a record, and a first cell written like that of the first.

        So it is with a quote that stands for inches: the next one, some rows below, closes it.
        """
        first = self._written(lines[0])
        # Words and commas are in any note, numbers where the rows have theirs are not.
        if "9" not in first and len(self.columns) < COLUMNS_THAT_TELL:
            return False
        rows = (line for line in lines[1:] if line.count(self.delimiter) >= len(self.columns) - 1)
        return any(self._written(row) == first for row in rows)

    def _written(self, line: str) -> str:
        """How the first cell of a line is written: digits and letters without their number."""
        cell = line.split(self.delimiter)[0].replace(self.quote, "").strip()
        return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell))


@dataclass(frozen=True)
class _Refused:
    """A record the reader refused: the line it begins in, why, and the text of each of its lines."""

    line: int
    fault: str
    lines: Sequence[str]

    def sentences(self, name: str) -> list[str]:
        """A description of each line, without its text."""
        further = [f"line {self.line + more} of {name}: part of line {self.line}" for more in range(1, len(self.lines))]
        return [f"line {self.line} of {name}: {self.fault}", *further]


class _Kept:
    """The lines of a text, and which of them a reader has taken since last asked."""

    def __init__(self, text: Iterator[str]) -> None:
        self.text = text
        self.lines: list[str] = []
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.text:
            self.lines.append(line)
            yield line

    def take(self) -> tuple[int, list[str]]:
        """The number of the first of these lines, and all of them."""
        first, lines, self.lines = self.taken + 1, self.lines, []
        self.taken += len(lines)
        return first, lines


class _Lines:
    """Counts the lines of a text that comes in pieces."""

    def __init__(self) -> None:
        self.ends = 0
        self.last = "\n"

    def count(self, text: str) -> None:
        """Count those that end in this piece."""
        if not text:
            return
        returns = text.count("\r") - text.count("\r\n")
        self.ends += text.count("\n") + returns - (self.last == "\r" and text[0] == "\n")
        self.last = text[-1]

    @property
    def total(self) -> int:
        """All lines, the last too where nothing ends it."""
        return self.ends + (self.last not in "\r\n")


def first_text(path: Path, count: int) -> bytes:
    """The first bytes of a text file, unpacked. TextFileError where it breaks off before."""
    try:
        with _opened(path) as source:
            return bytes(source.read(count))
    except (EOFError, OSError, zlib.error) as fault:
        raise TextFileError(f"{path.name} is no whole file; fetch it again") from fault


def _dialect(delimiter: str, quote: str, escape: str | None) -> dict[str, Any]:
    quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    own_escape = escape if escape != quote else None
    return {
        "delimiter": delimiter, "quotechar": quote or None, "quoting": quoting,
        "doublequote": own_escape is None, "escapechar": own_escape,
    }  # fmt: skip


def _without_lines(texts: Iterator[str], count: int) -> Iterator[str]:
    """The text without its first lines, which are all in the first piece."""
    for text in texts:
        if count:
            begun = re.match(rf"(?:[^\r\n]*(?:\r\n|\r|\n)){{{count}}}", text)
            text, count = text[begun.end() :] if begun else "", 0
        yield text


def _opened(path: Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path)
    if path.suffix == ".zst":
        import pyarrow as pa

        return pa.input_stream(str(path), compression="zstd")
    return path.open("rb")


def _with_one_line_end(plain: Path, scratch: Path) -> Path:
    copy = scratch / f"{uuid.uuid4().hex}.csv"
    with plain.open(encoding="utf-8") as source, copy.open("w", encoding="utf-8", newline="\n") as target:
        while text := source.read(CHUNK_BYTES):
            target.write(text)
    return copy


def _json_rows(plain: Path, engine: Engine) -> str:
    """A SELECT of the keys of all objects, one a line or all in a list: plain values as text, lists and objects with
    the types they have.

    DuckDB's own reader would take text that looks like a date or an identifier for one, and write it differently.
    """
    lines = f"read_json_objects({literal(str(plain))}, format = 'auto', maximum_object_size = {MAX_LINE_BYTES})"
    keys = dict(
        engine.query(
            "WITH shapes AS (SELECT"
            " CASE WHEN json_type(json) IN ('OBJECT', 'NULL') THEN json_keys(json) ELSE [NULL] END AS keys,"
            " list_transform(json_type(json, '$.*'), lambda type: type IN ('ARRAY', 'OBJECT')) AS are_nested"
            f" FROM {lines} GROUP BY ALL),"
            " cells AS (SELECT unnest(keys) AS key, unnest(are_nested) AS is_nested, unnest(range(len(keys))) AS place"
            " FROM shapes)"
            " SELECT key, bool_or(is_nested) FROM cells GROUP BY key ORDER BY min(place), key"
        )
    )
    if None in keys or not keys:
        raise TextFileError("holds something that is no JSON object with keys")
    nested = [name for name, is_nested in keys.items() if is_nested]
    types = dict.fromkeys(keys, "VARCHAR") | _json_types(nested, lines, engine)
    paths = ", ".join(_json_path(name) for name in keys)
    columns = ", ".join(
        f"texts[{place}] AS {quoted(name)}"
        if isinstance(types[name], str)
        else f"from_json(json -> {_json_path(name)}, {literal(json.dumps(types[name]))}) AS {quoted(name)}"
        for place, name in enumerate(keys, 1)
    )
    # All texts at once: each line is parsed but once for them.
    return f"SELECT {columns} FROM (SELECT json, json ->> [{paths}] AS texts FROM {lines})"


def _is_open_list(plain: Path) -> bool:
    """Whether a file begins as a list of JSON and does not end as one."""
    with plain.open("rb") as file:
        start = file.read(CHUNK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
        file.seek(max(0, plain.stat().st_size - CHUNK_BYTES))
        return start.startswith(b"[") and not file.read().rstrip().endswith(b"]")


def _json_types(names: Sequence[str], lines: str, engine: Engine) -> dict[str, Any]:
    """The types of keys that are lists or objects in some lines; text where they are in some only."""
    if not names:
        return {}
    structures = ", ".join(f"json_group_structure(json -> {_json_path(name)})" for name in names)
    (found,) = engine.query(f"SELECT {structures} FROM {lines}")
    return {name: json.loads(structure) for name, structure in zip(names, found, strict=True)}


def _json_path(key: str) -> str:
    return literal("$." + json.dumps(key, ensure_ascii=False))
