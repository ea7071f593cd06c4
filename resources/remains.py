"""Remains: every file of a deployment, read for the names of a person who was erased.

Looked for are bytes: in each file as it lies, and in what Parquet, Avro and SQLite have packed in it.
"""

import gzip
import io
import os
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from resources.engine import quoted
from resources.replacing import replacing

PARQUET, AVRO, SQLITE, GZIP = b"PAR1", b"Obj\x01", b"SQLite format 3\0", b"\x1f\x8b"
ZLIB = 0x78
# In place of what is taken out of a file that is no table.
REDACTED = b"***"
# How Parquet says that a column is packed as a dictionary, in its second version and in its first.
DICTIONARY = {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}
# Rows of Parquet read at a time.
BATCH = 1 << 20
LOG_OF_SQLITE = re.compile(r"-(wal|shm|journal)$")


@dataclass
class Remains:
    """How many files and bytes, unpacked, were read, and in which of them something was found.

    `of_sources` are those which are the retailer's own; what cannot be unpacked is `unreadable`.
    """

    files: int = 0
    bytes: int = 0
    found: list[Path] = field(default_factory=list)
    of_sources: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def search(folders: Iterable[Path], names: Sequence[bytes], sources: Sequence[Path] = ()) -> Remains:
    """Read all files below folders, or single ones, for these names."""
    remains = Remains()
    files = sorted({file for folder in folders for file in _below(folder)})
    # Where a longer one is, a shorter one in it is too.
    names = [name for name in names if not any(other != name and other in name for other in names)]
    # What unpacks and what searches wait for each other within one thread, and for nobody in two.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, (size, is_found, is_readable) in zip(
            files, pool.map(partial(_searched, names=names), files), strict=True
        ):
            remains.files += size is not None
            remains.bytes += size or 0
            if not is_readable:
                remains.unreadable.append(file)
            if is_found:
                is_source = any(file.is_relative_to(source) for source in sources)
                (remains.of_sources if is_source else remains.found).append(file)
    return remains


def _searched(file: Path, names: Sequence[bytes]) -> tuple[int | None, bool, bool]:
    """The bytes of a file, unpacked (None where it is gone), whether a name is in it, and whether all could be read."""
    size, is_found = 0, False
    try:
        for part in parts(file):
            size += len(part)
            is_found = is_found or any(name in part for name in names)
    except FileNotFoundError:  # whoever is at work beside us has removed it
        return None, False, True
    except Exception:  # whatever a reader makes of bytes that are not what they begin as
        return size, is_found, False
    return size, is_found, True


def parts(file: Path) -> Iterator[bytes]:
    """The bytes of a file as it lies, then what is packed in it."""
    content = file.read_bytes()
    yield content
    if content.startswith(PARQUET):
        yield from _of_parquet(content)
    elif content.startswith(AVRO):
        yield from _of_avro(content)
    elif content.startswith(GZIP):
        yield gzip.decompress(content)
    elif content.startswith(SQLITE):
        yield from _of_sqlite(file)


def redact(files: Iterable[Path], names: Sequence[bytes]) -> None:
    """Take names out of files that are no tables of the lake: logs, reports, and the databases beside it.

    Of a database its cells are changed, and then all of its pages written anew, so that none keeps what was deleted.
    """
    for file in files:
        database = file.with_name(LOG_OF_SQLITE.sub("", file.name))
        with suppress(FileNotFoundError):
            if database.read_bytes()[: len(SQLITE)] == SQLITE:
                _redact_database(database, names)
            else:
                content = file.read_bytes()
                for name in names:
                    content = content.replace(name, REDACTED)
                with replacing(file) as fresh:
                    fresh.write_bytes(content)


def _below(folder: Path) -> Iterator[Path]:
    yield from (path for path in ([folder] if folder.is_file() else folder.rglob("*")) if path.is_file())


def _of_parquet(content: bytes) -> Iterator[bytes]:
    """The texts of every column; of those that are packed as a dictionary each word once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = pq.read_metadata(io.BytesIO(content))
    chunks = [
        described.row_group(0).column(place)
        for place in range(described.num_columns if described.num_row_groups else 0)
    ]
    texts = [chunk.path_in_schema for chunk in chunks if chunk.physical_type == "BYTE_ARRAY"]
    repeated = [chunk.path_in_schema for chunk in chunks if not DICTIONARY.isdisjoint(chunk.encodings)]
    file = pq.ParquetFile(io.BytesIO(content), read_dictionary=[name for name in texts if name in repeated])
    for batch in file.iter_batches(columns=texts, batch_size=BATCH) if texts else ():
        for column in batch.columns:
            values = column.dictionary if pa.types.is_dictionary(column.type) else column
            if buffer := values.buffers()[-1]:
                yield buffer.to_pybytes()


def _of_avro(content: bytes) -> Iterator[bytes]:
    """The blocks of a container file (Avro 1.11, Object Container Files), by its codec `null` or `deflate`."""
    stream = io.BytesIO(content[len(AVRO) :])
    codec = b"null"
    while count := _long(stream):
        if count < 0:
            _long(stream)
        for _ in range(abs(count)):
            key, value = _bytes(stream), _bytes(stream)
            codec = value if key == b"avro.codec" else codec
    if codec not in (b"null", b"deflate"):
        raise ValueError("packed in a way we do not know")
    sync = stream.read(16)
    while stream.tell() < len(content) - len(AVRO):
        _long(stream)
        block = _bytes(stream)
        yield zlib.decompress(block, -15) if codec == b"deflate" else block
        if stream.read(16) != sync:
            raise ValueError("damaged")


def _bytes(stream: io.BytesIO) -> bytes:
    return stream.read(_long(stream))


def _long(stream: io.BytesIO) -> int:
    """A number as Avro writes it: zigzag, seven bits a byte."""
    number = shift = 0
    while True:
        (byte,) = stream.read(1)
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)


def _of_sqlite(file: Path) -> Iterator[bytes]:
    """What is compressed in cells: Dagster keeps some of what it knows so."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        for table, column in _columns(database):
            for (cell,) in database.execute(f"SELECT {column} FROM {table} WHERE typeof({column}) = 'blob'"):
                if cell[:1] == bytes([ZLIB]):
                    with suppress(zlib.error):
                        yield zlib.decompress(cell)


def _columns(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every table with each of its columns, quoted."""
    tables = [
        _text(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    ]
    return [
        (quoted(table), quoted(_text(row[1])))
        for table in tables
        for row in database.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    ]


def _redact_database(file: Path, names: Sequence[bytes]) -> None:
    with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete = ON")
        for table, column in _columns(database):
            for name in names:
                text = name.decode()
                database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                    f" WHERE typeof({column}) = 'text' AND instr({column}, ?)",
                    (text, REDACTED.decode(), text),
                )
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
