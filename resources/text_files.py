"""Text files: CSV, JSON lines and plain lines as tables of text, whole or not at all.

DuckDB parses; what it would pass over in silence (a gzip that breaks off, a header in another encoding, a quote that
swallows the lines after it) is looked for here. Every value stays the text it is until a contract gives it a type.
"""

import codecs
import csv
import gzip
import json
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import duckdb

from resources.engine import Engine, literal, quoted

# A cell may hold a whole letter or an encoded image; DuckDB's own limit is 2 MB a line.
MAX_LINE_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 8 * 1024 * 1024
# Where no line has the columns of the header, the file is another than it should be; with fewer lines nobody can tell.
LINES_THAT_TELL = 20


class TextFileError(Exception):
    """A file that cannot be read as the table it should be; says why, without the text of a row."""


@dataclass(frozen=True)
class TextFile:
    """How to read one text file; `encoding` is Python's name."""

    path: Path
    encoding: str = "utf-8"
    delimiter: str = ","
    header: bool = True

    def stage(self, kind: str, target: Path, engine: Engine) -> list[str]:
        """Write the rows of a `csv`, `jsonl` or `lines` file to the Parquet file `target`, as columns of text.

        Returns one description per line that could not be split into its columns. TextFileError where the file is no
        such table; duckdb.Error where DuckDB cannot parse it.
        """
        plain = self._plain(engine.scratch)
        try:
            return self._stage(kind, plain, target, engine)
        finally:
            if plain != self.path:
                plain.unlink()

    def _stage(self, kind: str, plain: Path, target: Path, engine: Engine) -> list[str]:
        if kind == "jsonl":
            engine.query(f"COPY ({_json_rows(plain, engine)}) TO {literal(str(target))} (FORMAT parquet)")
            return []
        # No byte of a text file separates or quotes plain lines: the whole line is one value.
        columns, shape = ["line"], _Shape("\x1f", "", False)
        if kind == "csv":
            columns, blank = self._columns(plain)
            shape = _Shape(self.delimiter, '"', self.header, blank)
        try:
            return self._copy(plain, columns, shape, target, engine)
        except duckdb.InvalidInputException as fault:
            if "invalid state" not in str(fault):
                raise
            # Lines that end now this way, now that way: DuckDB wants one.
            return self._copy(_with_one_line_end(plain, engine.scratch), columns, shape, target, engine)

    def _plain(self, scratch: Path) -> Path:
        """The file itself where it is plain UTF-8, else a UTF-8 copy; TextFileError where it cannot be decoded."""
        is_plain = self.encoding == "utf-8" and self.path.suffix not in (".gz", ".zst")
        copy = scratch / f"{uuid.uuid4().hex}{self.path.with_suffix('').suffix}"
        try:
            with _opened(self.path) as source:
                if is_plain:
                    for _ in self._decoded(source):
                        pass
                    return self.path
                with copy.open("wb") as target:
                    for text in self._decoded(source):
                        target.write(text.encode())
        except (EOFError, OSError, zlib.error) as fault:  # OSError is what a broken gzip or zstd raises
            copy.unlink(missing_ok=True)
            raise TextFileError(f"{self.path.name} is no whole {self._packing()} file; fetch it again") from fault
        return copy

    def _packing(self) -> str:
        return {".gz": "gzip", ".zst": "zstd"}.get(self.path.suffix, self.encoding)

    def _decoded(self, source: IO[bytes]) -> Iterator[str]:
        decode = codecs.getincrementaldecoder(self.encoding)().decode
        line = 1
        while chunk := source.read(CHUNK_BYTES):
            yield self._text(decode, chunk, line, final=False)
            line += chunk.count(b"\n")
        yield self._text(decode, b"", line, final=True)

    def _text(self, decode: Any, chunk: bytes, line: int, final: bool) -> str:
        try:
            return str(decode(chunk, final))
        except UnicodeDecodeError as fault:
            line += fault.object[: fault.start].count(b"\n")
            raise TextFileError(
                f"line {line:,} is not {self.encoding}. Set `encoding: latin-1` (or utf-16) on the connector, or"
                " convert the file"
            ) from fault

    def _columns(self, plain: Path) -> tuple[list[str], int]:
        """The names in the header, or column0, column1 ... where there is none; and the blank lines before it."""
        csv.field_size_limit(MAX_LINE_BYTES)
        with plain.open(encoding="utf-8-sig", newline="") as text:
            lines = csv.reader(text, delimiter=self.delimiter, strict=True)
            first: list[str] = []
            blank = 0
            try:
                while not any(first := next(lines)):
                    blank = lines.line_num
            except StopIteration:
                first = []
            except csv.Error as fault:
                raise TextFileError(f"line {blank + 1:,} opens a quote that nothing closes") from fault
        if not first:
            raise TextFileError(f"{self.path.name} is empty; not even column names are there")
        if not self.header:
            return [f"column{position}" for position in range(len(first))], blank
        names = [name.strip() or f"column{position}" for position, name in enumerate(first)]
        folded = [name.lower() for name in names]
        repeated = sorted({name for name in names if folded.count(name.lower()) > 1})
        if repeated:
            raise TextFileError(
                f"the header names {len(repeated)} columns more than once, the first in column"
                f" {names.index(repeated[0]) + 1}"
            )
        return names, blank

    def _copy(self, plain: Path, columns: list[str], shape: "_Shape", target: Path, engine: Engine) -> list[str]:
        rejects = f"rejects_{uuid.uuid4().hex}"
        types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
        engine.query(
            f"COPY (SELECT * FROM read_csv({literal(str(plain))}, columns = {{{types}}}, auto_detect = false,"
            f" delim = {literal(shape.delimiter)}, quote = {literal(shape.quote)}, escape = {literal(shape.quote)},"
            f" header = {str(shape.header).lower()}, skip = {shape.skip}, store_rejects = true,"
            f" rejects_table = {literal(rejects)}, rejects_scan = {literal(rejects + '_scan')}, rejects_limit = 0,"
            f" max_line_size = {MAX_LINE_BYTES}, buffer_size = {2 * MAX_LINE_BYTES}))"
            f" TO {literal(str(target))} (FORMAT parquet)"
        )
        faults = engine.query(
            "SELECT line, min(lower(error_type::VARCHAR)),"
            # An odd number of quotes: one of them was never closed.
            " bool_or(error_type = 'UNQUOTED VALUE' AND regexp_matches(csv_line, '[\\n\\r]')"
            " AND (length(csv_line) - length(replace(csv_line, '\"', ''))) % 2 = 1)"
            f" FROM {quoted(rejects)} GROUP BY line ORDER BY line"
        )
        for line, _, swallows in faults:
            if swallows:
                raise TextFileError(f"line {line:,} opens a quote that nothing closes; it swallows the lines after it")
        ((count,),) = engine.query(f"SELECT count(*) FROM read_parquet({literal(str(target))})")
        if not count and len(faults) >= LINES_THAT_TELL:
            raise TextFileError(f"no line has the columns of the header ({faults[0][1]}); check `delimiter`")
        return [f"line {line} of {self.path.name}: {fault}" for line, fault, _ in faults]


@dataclass(frozen=True)
class _Shape:
    """What separates and quotes, and whether the first line names the columns."""

    delimiter: str
    quote: str
    header: bool
    skip: int = 0


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
    """A SELECT of the keys of all lines: plain values as text, lists and objects with the types they have.

    DuckDB's own reader would take text that looks like a date or an identifier for one, and write it differently.
    """
    lines = f"read_ndjson_objects({literal(str(plain))}, maximum_object_size = {MAX_LINE_BYTES})"
    ((structure,),) = engine.query(f"SELECT json_group_structure(json) FROM {lines}")
    keys = json.loads(structure or "{}")
    if not isinstance(keys, dict) or not keys:
        raise TextFileError("no line is a JSON object with keys")
    columns = ", ".join(f"{_json_value(name, type_)} AS {quoted(name)}" for name, type_ in keys.items())
    return f"SELECT {columns} FROM {lines}"


def _json_value(name: str, type_: Any) -> str:
    path = literal("$." + json.dumps(name, ensure_ascii=False))
    if isinstance(type_, str):
        return f"json ->> {path}"
    return f"from_json(json -> {path}, {literal(json.dumps(type_))})"
