"""A first look at files: which tables they hold, how to read each, and what kind of values its columns have.

Nothing is guessed that the readers would not take: every table found has been read whole by the connector that is
proposed for it. No value leaves this module but words of columns with few of them, to compare with vocabularies.
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from governance.reference import column_names
from resources.connectors import ConnectorError, Request
from resources.engine import Engine, literal, quoted
from resources.files import DELIMITERS, FORMATS, Files, ending
from resources.sheets import sheet_names
from resources.text_files import UTF_16_MARKS, WINDOWS, TextFileError, first_text
from resources.values import EMAIL, GUID, NO_VALUE

# The view of the cells of lines that a feed's select has to split.
CELLS = "cells"
# How many lines of a text file tell what separates its cells, and how many values of a column what they are like.
LINES_SEEN, VALUES_SEEN = 200, 5_000
# An encoding shows where the first letter beyond ASCII is.
BYTES_SEEN, BYTES_THAT_TELL = 16 * 1024 * 1024, 400
# A column of dates written in more ways is not read.
MOST_FORMATS = 4
# A column with more different values is no vocabulary.
VOCABULARY = 60
# What share of the values must be of a kind for the column to be of it.
NEARLY_ALL = 0.95
DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%Y.%m.%d", "%Y/%m/%d",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y",
)  # fmt: skip
TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
ISO_DAY, ISO_TIMES = "%Y-%m-%d", ("", " %H:%M:%S", "T%H:%M:%S", " %H:%M", " %H:%M:%S.%f")
DATE_LIKE = r"^\d{1,4}[./ -](\d{1,2}|[A-Za-z]{3})[./ -]\d{2,4}|^[A-Za-z]{3} \d{1,2}, \d{4}|^(19|20)\d{6}$"
COMMA_DECIMAL = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+$"
COMMA_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
PHONE = r"^'?[+(]?[\d ()./-]{7,20}( ?(x|ext\.?) ?\d+)?$"
CURRENCY = r"^[€$£¥]\s*[+-]?\d|\d\s*(€|\$|£|EUR|USD|GBP|CHF)$"
BOOLEANS = ("yes", "no", "true", "false", "t", "f", "y", "n", "0", "1")
YES_AND_NO = {"ja": True, "nein": False, "oui": True, "non": False, "si": True, "sí": True, "sim": True, "não": False}
NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,]*")


@dataclass(frozen=True)
class Seen:
    """What the values of a column are like: `rows` of the table, `filled` of them with a value, `distinct` values.

    Shares are of the filled ones. Each of the `date_formats` reads nearly all of them or, where they `is_mixed`, all of
    the formats together do. `words` are the values, in small letters, of a column with few of them.
    """

    name: str
    type: str
    rows: int
    filled: int
    distinct: int
    length: float
    shares: dict[str, float]
    date_formats: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    is_mixed: bool = False

    @property
    def is_unique(self) -> bool:
        """Whether the column tells all rows apart."""
        return bool(self.rows) and self.filled == self.distinct == self.rows

    def is_nearly(self, kind: str) -> bool:
        """Whether nearly all values are of the kind."""
        return self.shares.get(kind, 0) >= NEARLY_ALL


@dataclass(frozen=True)
class Found:
    """A table in files: the connector that reads it, its rows as a SELECT, and what its columns are like.

    `doubts` say what of the connector is a guess, by its key. `view` is what a feed's select reads: the connector's
    rows, or what a `prelude` (WITH ...) makes of them where lines have to be split first.
    """

    name: str
    connector: Files
    sql: str
    columns: tuple[Seen, ...]
    doubts: dict[str, str] = field(default_factory=dict)
    prelude: str = ""
    view: str = "raw"

    def column(self, name: str) -> Seen:
        """What is known of a column; KeyError where there is none of that name."""
        return {column.name: column for column in self.columns}[name]


@dataclass(frozen=True)
class Unread:
    """A file that cannot be read as a table, and why."""

    path: str
    reason: str


def look(paths: Sequence[Path], folder: Path, engine: Engine) -> tuple[list[Found], list[Unread]]:
    """The tables in these files and in those below these folders, and the files that hold none that can be read.

    Paths are written from `folder`, where the deployment's file will be. Parts of one table, told apart by numbers in
    their names, are one table if their columns are the same.
    """
    found: list[Found] = []
    unread: list[Unread] = []
    for files in _parts(paths):
        try:
            for sheet in _sheets(files[0]):
                found += _tables(files, sheet, folder, engine)
        except (ConnectorError, TextFileError) as fault:
            unread.append(Unread(_written(files[0], folder), _reason(fault)))
    return _named_apart(found), unread


def _reason(fault: Exception) -> str:
    text = str(fault).removesuffix(".")
    return text.partition(": ")[2] if text.startswith("Connector ") else text


def _parts(paths: Sequence[Path]) -> list[list[Path]]:
    files = sorted({file for path in paths for file in _files(path)})
    groups: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        groups.setdefault((file.parent, re.sub(r"\d+", "*", file.name)), []).append(file)
    return list(groups.values())


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in path.rglob("*"):
        if file.is_file() and not file.name.startswith(".") and (ending(file) in FORMATS or file.suffix == ".zip"):
            yield file


def _sheets(file: Path) -> list[str | None]:
    """The sheets of a workbook; of other files the one table they are."""
    if FORMATS.get(ending(file)) != "excel":
        return [None]
    names = sheet_names(file)
    return [None] if len(names) == 1 else list(names)


def _tables(files: list[Path], sheet: str | None, folder: Path, engine: Engine) -> list[Found]:
    """The table of all parts or, where they do not go together, that of each."""
    path = str(files[0].parent / re.sub(r"\d+", "*", files[0].name)) if len(files) > 1 else str(files[0])
    try:
        return [_table(files[0], path, sheet, folder, engine)]
    except (ConnectorError, TextFileError):
        if len(files) == 1:
            raise
    return [_table(file, str(file), sheet, folder, engine) for file in files]


def _table(file: Path, path: str, sheet: str | None, folder: Path, engine: Engine) -> Found:
    options, doubts, prelude = _text_options(file) if _is_text(file) else ({}, {}, "")
    options |= {"sheet": sheet} if sheet else {}
    written = _written(Path(path), folder)
    connector = Files.model_validate({"type": "files", "path": written, **options})
    # Numbers tell nothing where a name is theirs alone.
    name = f"{Path(path).stem}-{sheet}" if sheet else _stem(Path(path))
    raw = connector.read(Request(name=name, dataset="", folder=folder), engine)
    view = CELLS if prelude else "raw"
    sql = f"WITH raw AS ({raw.sql}){prelude and ', '}{prelude.removeprefix('with ')} SELECT * FROM {view}"
    columns = tuple(inspected(sql, name, type_, engine) for name, type_, *_ in engine.query(f"DESCRIBE {sql}"))
    notation, more = _notation(columns)
    if notation:
        connector = Files.model_validate({"type": "files", "path": written, **options, **notation})
    return Found(name, connector, sql, columns, doubts | more, prelude, view)


def _written(path: Path, folder: Path) -> str:
    absolute = path.resolve()
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)


def _stem(path: Path) -> str:
    """What the table is called: its file or, of parts that have only numbers, its folder."""
    stem = path.name.split(".")[0]
    bare = re.sub(r"[*\d]+|part", "", stem).strip("-_ ")
    return bare or path.parent.name


def _named_apart(found: list[Found]) -> list[Found]:
    """The tables under names that are identifiers, each but once."""
    names: list[str] = []
    for table in found:
        base = re.sub(r"\W+", "_", table.name).strip("_").lower() or "table"
        names.append(base if base not in names else f"{base}_{1 + sum(name.startswith(base) for name in names)}")
    return [replace(table, name=name) for name, table in zip(names, found, strict=True)]


# Text files.


def _is_text(file: Path) -> bool:
    name = _archived(file)[0] if file.suffix == ".zip" else file.name
    return FORMATS.get(ending(Path(name))) in ("csv", "lines")


def _text_options(file: Path) -> tuple[dict[str, Any], dict[str, str], str]:
    """The keys of a connector that a text file needs, which of them are a guess, and what splits its lines if need."""
    start, options = _start(file)
    lines = [line for line in start.splitlines() if line.strip()][:LINES_SEEN]
    delimiter, widths = _delimiter(lines)
    usual = "\t" if ".tsv" in file.suffixes else ","
    if delimiter is None:
        options |= {"format": "lines"} if ending(file) != ".txt" else {}
        if prelude := _split_at_blanks(lines):
            return options, {}, prelude
        return options, {"format": "no sign separates the same number of cells in every line"}, ""
    if ending(file) == ".txt":
        options["format"] = "csv"
    if delimiter != usual and not lines[0].lower().startswith("sep="):
        options["delimiter"] = delimiter
    width = max(sorted(set(widths)), key=widths.count)
    title = next(place for place, count in enumerate(widths) if count == width)
    if title and not lines[0].lower().startswith("sep="):
        options["skip"] = start.splitlines().index(lines[title])
    if title and (names := _quoted_header(lines[title - 1], delimiter, width)):
        return options | {"header": False, "columns": names}, {}, ""
    records = list(csv.reader(io.StringIO("\n".join(lines[title:])), delimiter=delimiter))
    if is_header(records):
        return options, {}, ""
    doubt = "the first line looks like a row; name the columns with `columns: [...]`"
    return options | {"header": False}, {"header": doubt}, ""


def _quoted_header(line: str, delimiter: str, width: int) -> list[str]:
    """The names of columns in a line that is quoted as a whole, as if it were one cell; nothing where it is a title."""
    cells = next(csv.reader([line], delimiter=delimiter))
    names = next(csv.reader(cells, delimiter=delimiter), []) if len(cells) == 1 else []
    return [name.strip() for name in names] if len(names) == width and len(set(names)) == width else []


def _split_at_blanks(lines: Sequence[str]) -> str:
    """A WITH that makes cells of lines in which blanks separate as many in each; nothing where they do not."""
    records = [line.split() for line in lines]
    width = len(records[0]) if records else 0
    if width < 2 or any(len(record) != width for record in records):
        return ""
    names, where = [f"column{place}" for place in range(width)], "trim(line) <> ''"
    if is_header(records):
        names, where = records[0], f"trim(line) NOT IN ('', {literal(lines[0].strip())})"
    cells = ", ".join(f"field[{place}] as {quoted(name)}" for place, name in enumerate(names, 1))
    return (
        f"with {CELLS} as (\n  select {cells}\n  from (select regexp_split_to_array(trim(line), '\\s+') as field"
        f" from raw where {where})\n)"
    )


def _start(file: Path) -> tuple[str, dict[str, Any]]:
    """The beginning of a text file, and its encoding where that has to be said."""
    start = _archived(file)[1] if file.suffix == ".zip" else first_text(file, BYTES_SEEN)
    has_mark = start.startswith(UTF_16_MARKS)
    if has_mark or start[:BYTES_THAT_TELL].count(0) * 4 > len(start[:BYTES_THAT_TELL]):
        return start.decode("utf-16" if has_mark else "utf-16-le", "replace"), {"encoding": "utf-16"}
    try:
        # The last letter may be cut.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(start), {}
    except UnicodeDecodeError:
        return start.decode(WINDOWS, "replace"), {"encoding": WINDOWS}


def _archived(archive: Path) -> tuple[str, bytes]:
    """The name and the beginning of the first file in a zip archive; TextFileError where it cannot be read."""
    try:
        with zipfile.ZipFile(archive) as packed:
            names = sorted(one.filename for one in packed.infolist() if not one.is_dir())
            return (names[0], packed.open(names[0]).read(BYTES_SEEN)) if names else ("", b"")
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, zlib.error) as fault:
        raise TextFileError(f"{archive.name} is no whole zip archive, or is locked; fetch or unpack it") from fault


def _delimiter(lines: Sequence[str]) -> tuple[str | None, list[int]]:
    """What separates the cells, and how many each line has; nothing where lines have now more, now fewer."""
    best: tuple[float, int, str, list[int]] | None = None
    for delimiter in DELIMITERS:
        widths = [len(record) for record in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter) if record]
        if not widths:
            continue
        width = max(sorted(set(widths)), key=widths.count)
        share = widths.count(width) / len(widths)
        if width > 1 and share > 0.5 and (best is None or (share, width) > best[:2]):
            best = (share, width, delimiter, widths)
    return (best[2], best[3]) if best else (None, [])


def is_header(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record names the columns; where that is not sure it does not, for it may name persons."""
    names = column_names.load()
    first, rows = [cell.strip() for cell in records[0]], records[1:]
    if any("@" in cell or NUMBER.fullmatch(cell) or re.search(DATE_LIKE, cell) for cell in first):
        return False
    columns = [[row[place].strip() for row in rows if place < len(row)] for place in range(len(first))]
    if any(cell and cell in column for cell, column in zip(first, columns, strict=True)):
        return False
    if 2 * sum(names.knows(cell) for cell in first) >= len(first):
        return True
    return any(any(column) and all(NUMBER.fullmatch(cell) for cell in column if cell) for column in columns)


# Columns.


def inspected(sql: str, name: str, type_: str, engine: Engine) -> Seen:
    """What the values of a column of these rows are like."""
    column = quoted(name)
    nothing = ", ".join(map(literal, NO_VALUE))
    value = f"CASE WHEN lower(trim({column}::VARCHAR)) NOT IN ({nothing}) THEN trim({column}::VARCHAR) END"
    values = f"(SELECT {value} AS v FROM ({sql}))"
    tests = {
        "number": "try_cast(v AS DOUBLE) IS NOT NULL",
        "whole": r"regexp_matches(v, '^[+-]?\d+(\.0+)?$')",
        # Two long numbers are no fraction, but an ID of Google Analytics.
        "fraction": r"regexp_matches(v, '^[+-]?\d*\.\d*[1-9]\d*$') AND NOT regexp_matches(v, '^\d{6,}\.\d{6,}$')",
        "share": "abs(try_cast(v AS DOUBLE)) < 1",
        "comma": f"regexp_matches(v, {literal(COMMA_DECIMAL)})",
        "thousands": f"regexp_matches(v, {literal(COMMA_THOUSANDS)})",
        "currency": f"regexp_matches(v, {literal(CURRENCY)})",
        "date": r"regexp_matches(v, '^\d{4}-\d\d?-\d\d?') AND try_cast(v AS TIMESTAMP) IS NOT NULL"
        r" OR regexp_matches(v, ':.*[+-][0-9:]+$')"
        r" AND try_cast(regexp_replace(v, ' ([+-][0-9:]+)$', '\1') AS TIMESTAMPTZ) IS NOT NULL",
        "month": r"regexp_matches(v, '^(19|20)\d\d-(0[1-9]|1[0-2])$')",
        "date_like": f"regexp_matches(v, {literal(DATE_LIKE)})",
        "boolean": f"lower(v) IN ({', '.join(map(literal, (*BOOLEANS, *YES_AND_NO)))})",
        "email": f"regexp_matches(v, {literal(EMAIL)})",
        "guid": f"regexp_matches(v, {literal(GUID)})",
        "url": r"regexp_matches(v, '^(https?://|www\.|/[\w/.-]*$)')",
        "phone": f"regexp_matches(v, {literal(PHONE)}) AND regexp_matches(v, '[ ()/+-]|^0')",
        # As a number has them that says neither country nor area apart.
        "digits": r"regexp_matches(v, '^\+?\d{8,15}(\.0)?$')",
        "words": r"regexp_matches(v, '\S\s+\S')",
        "digit": r"regexp_matches(v, '\d')",
        "hash": r"regexp_matches(v, '^#\d+$')",
    }
    counted = "count(*), count(v), count(DISTINCT v), coalesce(avg(length(v)), 0)"
    ((rows, filled, distinct, length),) = engine.query(f"SELECT {counted} FROM {values}")
    # The same values whatever the order of the rows, and hardly any work however many there are.
    sample = f"(SELECT DISTINCT v FROM {values} WHERE v IS NOT NULL ORDER BY hash(v), v LIMIT {VALUES_SEEN})"
    seen = [value for (value,) in engine.query(f"SELECT v FROM {sample}")]
    counts = ", ".join(f"count(*) FILTER ({test})" for test in tests.values())
    (kinds,) = engine.query(f"SELECT {counts} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [seen])
    shares = {kind: count / len(seen) if seen else 0.0 for kind, count in zip(tests, kinds, strict=True)}
    words = frozenset(value.lower() for value in seen) if distinct <= VOCABULARY else frozenset()
    formats: tuple[str, ...] = ()
    is_mixed = False
    if type_ == "VARCHAR" and shares["date_like"] >= NEARLY_ALL > shares["date"]:
        formats = _date_formats(seen, engine)
        is_mixed = not formats
        formats = formats or _mixed_formats(seen, engine)
        shares["date"] = 1.0 if formats else 0.0
    if type_ == "VARCHAR" and shares["date"] < NEARLY_ALL:
        shares["number"] = _number_share(shares)
    return Seen(name, type_, rows, filled, distinct, float(length), shares, formats, words, is_mixed)


def _number_share(shares: dict[str, float]) -> float:
    """What share are numbers in one notation or the other, signs of currencies apart."""
    if shares["currency"] >= NEARLY_ALL:
        return 1.0
    if shares["comma"]:
        return min(1.0, shares["comma"] + shares["whole"])
    return min(1.0, shares["number"] + (shares["thousands"] if shares["thousands"] else 0))


def _date_formats(seen: Sequence[str], engine: Engine) -> tuple[str, ...]:
    """The formats in which nearly all of the values are dates, likeliest first."""
    counts = _read_by([day + time for day in DAYS for time in TIMES], seen, engine)
    return tuple(each for each, count in counts.items() if count >= NEARLY_ALL * len(seen))


def _mixed_formats(seen: Sequence[str], engine: Engine) -> tuple[str, ...]:
    """The few formats in which nearly all of the values together are dates; none where day and month may be either."""
    formats = [ISO_DAY + time for time in ISO_TIMES] + [day + time for day in DAYS for time in TIMES]
    chosen: list[str] = []
    left = list(seen)
    while len(left) > (1 - NEARLY_ALL) * len(seen) and len(chosen) < MOST_FORMATS:
        counts = _read_by(formats, left, engine)
        best = max(formats, key=lambda each: counts[each])
        read = f"SELECT v FROM (SELECT unnest(?::VARCHAR[]) AS v) WHERE try_strptime(v, {literal(best)}) IS NULL"
        chosen, left = [*chosen, best], [value for (value,) in engine.query(read, [left])]
    is_read = len(left) <= (1 - NEARLY_ALL) * len(seen)
    return tuple(chosen) if is_read and not {"dmy", "mdy"} <= {_order(each) for each in chosen} else ()


def _read_by(formats: Sequence[str], seen: Sequence[str], engine: Engine) -> dict[str, int]:
    """How many of the values each format reads."""
    counts = ", ".join(f"count(try_strptime(v, {literal(each)}))" for each in formats)
    (found,) = engine.query(f"SELECT {counts} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [list(seen)])
    return dict(zip(formats, found, strict=True))


def _notation(columns: Sequence[Seen]) -> tuple[dict[str, Any], dict[str, str]]:
    """How numbers and dates of a text file are written, where not as SQL writes them; and what of it is a guess."""
    options: dict[str, Any] = {}
    doubts: dict[str, str] = {}
    numbers = [column for column in columns if column.type == "VARCHAR" and column.is_nearly("number")]
    if any(column.shares["comma"] for column in numbers):
        options["decimal"] = ","
    elif any(column.shares["thousands"] for column in numbers):
        options["thousands"] = ","
    mixed = [each for column in columns if column.is_mixed for each in column.date_formats]
    written = [column for column in columns if column.date_formats and not column.is_mixed]
    if written or mixed:
        open_ones = [column for column in written if len({_order(each) for each in column.date_formats}) > 1]
        known = {_order(column.date_formats[0]) for column in written if column not in open_ones}
        known |= set(map(_order, mixed))
        chosen = [
            next((each for each in column.date_formats if _order(each) in known), column.date_formats[0])
            for column in written
        ]
        chosen += mixed
        if any(column.type == "VARCHAR" and column.is_nearly("date") and not column.date_formats for column in columns):
            chosen += [ISO_DAY + time for time in ISO_TIMES]
        formats = list(dict.fromkeys(chosen))
        options["date_format"] = formats[0] if len(formats) == 1 else formats
        if open_ones and not known:
            doubts["date_format"] = "every value can be read with day and month exchanged, too"
    return options, doubts


def _order(date_format: str) -> str:
    """In which order day, month and year come."""
    return "".join(re.findall(r"%([dmbyY])", date_format)).lower().replace("b", "m")
