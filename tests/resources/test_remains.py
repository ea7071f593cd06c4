"""Remains: whatever file a name is in, and however it is packed, it is found; and taken out where that may be."""

import gzip
import io
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.avro.file import AvroOutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import NestedField, StringType

from resources.remains import redact, search

NAME = "ann.lovelace@example.org"
OTHERS = ["bo@example.org"] * 500


def parquet(file: Path, compression: str, is_dictionary: bool) -> None:
    rows = pa.table({"n": list(range(1001)), "email": [*OTHERS, NAME, *OTHERS]})
    pq.write_table(rows, file, compression=compression, use_dictionary=is_dictionary, write_statistics=False)


def by_duckdb(file: Path) -> None:
    listed = ", ".join(f"({number}, 'c{number}@example.org')" for number in range(3000))
    rows = f"SELECT * FROM (VALUES {listed}, (-1, '{NAME}')) AS t(n, email)"
    duckdb.sql(f"COPY ({rows}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")


def avro(file: Path) -> None:
    schema = Schema(NestedField(1, "email", StringType(), required=True))
    metadata = {"avro.codec": "deflate"}
    with AvroOutputFile(PyArrowFileIO().new_output(str(file)), schema, "rows", metadata=metadata) as written:
        written.write_block([Record(text) for text in (*OTHERS, NAME, *OTHERS)])


def database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("CREATE TABLE event (body TEXT)")
        opened.execute("INSERT INTO event VALUES (?)", [f'{{"said": "{NAME}"}}'])
        opened.commit()


def deleted(file: Path) -> None:
    """A row that is there no more, on a page that is."""
    database(file)
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA secure_delete = OFF")
        opened.execute("DELETE FROM event")
        opened.commit()


def packed_cell(file: Path) -> None:
    with closing(sqlite3.connect(file)) as opened:
        opened.execute('CREATE TABLE "snap shots" (body BLOB)')
        opened.execute('INSERT INTO "snap shots" VALUES (?)', [zlib.compress(f"{OTHERS} {NAME}".encode())])
        opened.commit()


PACKED: dict[str, Callable[[Path], object]] = {
    "zstd.parquet": lambda file: parquet(file, "zstd", False),
    "dictionary.parquet": lambda file: parquet(file, "snappy", True),
    "duckdb.parquet": by_duckdb,
    "manifest.avro": avro,
    "log.gz": lambda file: file.write_bytes(gzip.compress(f"{OTHERS} {NAME}".encode())),
    "stdout.log": lambda file: file.write_text(f"hello {NAME}"),
    "operations.db": database,
    "deleted.db": deleted,
    "packed.db": packed_cell,
}


@pytest.mark.parametrize("name", PACKED)
def test_a_name_is_found_however_it_is_packed_and_another_is_not(name: str, tmp_path: Path) -> None:
    file = tmp_path / "below" / name
    file.parent.mkdir()
    PACKED[name](file)
    remains = search([tmp_path], [NAME.encode()])
    assert (remains.found, remains.files, remains.unreadable) == ([file], 1, [])
    assert search([tmp_path], [b"nobody@example.org"]).found == []


@given(
    st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=30), st.text("abc", min_size=1, max_size=3)
)
def test_no_row_of_parquet_is_passed_over(values: list[str], asked: str) -> None:
    for is_dictionary in (True, False):
        written = io.BytesIO()
        pq.write_table(pa.table({"v": values}), written, use_dictionary=is_dictionary, row_group_size=4)
        from resources.remains import _of_parquet

        found = any(asked.encode() in part for part in _of_parquet(written.getvalue()))
        assert found or not any(asked in value for value in values)


def test_files_of_sources_are_told_apart_and_what_is_damaged_is_told(tmp_path: Path) -> None:
    source, damaged = tmp_path / "shop" / "customers.csv", tmp_path / "damaged.parquet"
    source.parent.mkdir()
    source.write_text(NAME)
    damaged.write_bytes(b"PAR1 and no more")
    remains = search([tmp_path], [NAME.encode()], [source.parent])
    assert (remains.found, remains.of_sources, remains.unreadable) == ([], [source], [damaged])


@pytest.mark.parametrize("name", ["stdout.log", "operations.db", "deleted.db"])
def test_what_is_no_table_is_redacted_to_the_last_page(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    PACKED[name](file)
    redact([file], [NAME.encode()])
    assert search([tmp_path], [NAME.encode()]).found == []
    if name == "operations.db":
        with closing(sqlite3.connect(file)) as opened:
            assert opened.execute("SELECT body FROM event").fetchall() == [('{"said": "***"}',)]


def test_the_log_beside_a_database_is_emptied_with_it(tmp_path: Path) -> None:
    file = tmp_path / "operations.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("CREATE TABLE event (body TEXT)")
        opened.execute("INSERT INTO event VALUES (?)", [NAME])
        log = tmp_path / "operations.db-wal"
        assert search([tmp_path], [NAME.encode()]).found == [log]
        redact([log], [NAME.encode()])
        assert search([tmp_path], [NAME.encode()]).found == []
