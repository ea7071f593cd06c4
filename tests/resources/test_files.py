"""Files: the shapes a source may come in, and what is said of one that cannot be read."""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.connectors import ConnectorError, Raw, Request
from resources.engine import Engine, literal
from resources.files import Files, Sample

HEADER = "id,name\n"
MANY = 30_000  # more lines than a parser looks at before it decides on a shape

cells = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", " ", "#", "'", '"', "\\", "a,b", "x\ny", "x\r\ny", "-- no comment", "NULL", "NaN", "2024-01-31", "0012"]
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine("1GB", threads=2)
    yield engine
    engine.close()


def put(folder: Path, content: str | bytes, name: str = "people.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def put_workbook(file: Path | io.BytesIO, **sheets: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in sheets.items():
        sheet = book.create_sheet(name)
        for row in table:
            sheet.append(row)
    book.save(file)


def put_archive(file: Path | io.BytesIO, **members: str) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def read(engine: Engine, folder: Path, path: str = "people.csv", **settings: Any) -> Raw:
    return Files(type="files", path=path, **settings).read(Request("shop", "customer", folder), engine)


def rows(engine: Engine, raw: Raw, columns: str = "*") -> list[tuple[Any, ...]]:
    """The rows in order of their values, nulls first."""
    found = engine.query(f"SELECT {columns} FROM ({raw.sql})")
    return sorted(found, key=lambda row: [(value is not None, str(value)) for value in row])


def column_names(engine: Engine, raw: Raw) -> list[str]:
    return [name for name, *_ in engine.query(f"DESCRIBE {raw.sql}")]


def numbered(count: int) -> list[str]:
    return [f"{number},Ann\n" for number in range(count)]


def test_a_csv_is_text_column_by_column(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, 'id,name\n0012,Ann\n2," Bob, ""Bo"""\n3,"two\nlines"\n4,\n5,""\n')
    raw = read(engine, tmp_path)
    assert rows(engine, raw) == [
        ("0012", "Ann"),
        ("2", ' Bob, "Bo"'),
        ("3", "two\nlines"),
        ("4", None),
        ("5", None),
    ]
    assert (raw.origin, raw.broken) == ("shop: people.csv", [])


@pytest.mark.parametrize("text", ["NULL", "NA", "nan", "\\N", "#1", "'", "-", "1,0", "2024-01-31", "true", "Zoë 🎈"])
def test_no_text_but_the_empty_one_means_null(text: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f'{HEADER}1,"{text}"\n')
    assert rows(engine, read(engine, tmp_path)) == [("1", text)]


@settings(max_examples=40, deadline=None)
@given(records=st.lists(st.tuples(cells, cells, cells), max_size=8))
def test_a_csv_reads_as_pythons_own_reader_reads_it(engine: Engine, records: list[tuple[str, str, str]]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("a", "b", "c"), *records])
    with TemporaryDirectory() as folder:
        put(Path(folder), buffer.getvalue())
        found = rows(engine, read(engine, Path(folder)))
    read_by_python = list(csv.reader(io.StringIO(buffer.getvalue(), newline="")))[1:]
    assert sorted(tuple(value or "" for value in row) for row in found) == sorted(map(tuple, read_by_python))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(line_end: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, line_end.join(["id,name", "1,Ann", "2,Bob"]))
    assert rows(engine, read(engine, tmp_path)) == [("1", "Ann"), ("2", "Bob")]


def test_lines_of_one_file_may_end_in_different_ways(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "id,name\n1,Ann\r\n2,Bob\n")
    assert rows(engine, read(engine, tmp_path)) == [("1", "Ann"), ("2", "Bob")]


def test_a_file_of_a_header_is_a_table_without_rows(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, HEADER)
    raw = read(engine, tmp_path)
    assert (column_names(engine, raw), rows(engine, raw)) == (["id", "name"], [])


def test_a_file_without_header_has_numbered_columns(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "1,Ann\n2,Bob\n")
    raw = read(engine, tmp_path, header=False)
    assert (column_names(engine, raw), len(rows(engine, raw))) == (["column0", "column1"], 2)


def test_an_empty_file_is_refused(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "")
    with pytest.raises(ConnectorError, match=r"shop, path people\.csv: people\.csv is empty; not even column names"):
        read(engine, tmp_path)


@pytest.mark.parametrize("content", ["\n", "\r\n\r\n"])
def test_a_file_of_blank_lines_is_refused_as_empty(content: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, content)
    with pytest.raises(ConnectorError, match=r"shop, path people\.csv: people\.csv is empty"):
        read(engine, tmp_path)


def test_a_gzip_of_nothing_is_refused_as_empty(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, gzip.compress(b""), "people.csv.gz")
    with pytest.raises(ConnectorError, match=r"people\.csv\.gz is empty"):
        read(engine, tmp_path, "people.csv.gz")


def test_blank_lines_before_the_header_are_passed_over(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"\n\n{HEADER}1,Ann\n")
    assert rows(engine, read(engine, tmp_path)) == [("1", "Ann")]


@pytest.mark.parametrize("nothing", [b"", b"\n\n", gzip.compress(b"")], ids=["no byte", "blank lines", "gzip"])
def test_an_empty_file_among_others_is_passed_over_and_told(nothing: bytes, engine: Engine, tmp_path: Path) -> None:
    name = "june.csv.gz" if nothing.strip() else "june.csv"
    put(tmp_path, f"{HEADER}1,Ann\n", "may.csv")
    put(tmp_path, nothing, name)
    raw = read(engine, tmp_path, "*.csv*")
    assert (rows(engine, raw), raw.notes) == ([("1", "Ann")], [f"{name} is empty and was passed over"])


def test_a_missing_file_is_refused_with_where_was_looked_and_what_to_do(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(
        ConnectorError, match=rf"Connector shop, path x\.csv: no such file.*{tmp_path}.*Correct the path"
    ):
        read(engine, tmp_path, "x.csv")
    put(tmp_path, ANN)
    assert rows(engine, read(engine, tmp_path)) == [("1", "Ann")]


@pytest.mark.parametrize("name", ["people", "people.dat", "people.csv.bak"])
def test_a_file_of_unknown_ending_needs_a_format(name: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Ann\n", name)
    with pytest.raises(ConnectorError, match=r"set `format`, or use one of \.csv, \.tsv"):
        read(engine, tmp_path, name)
    assert rows(engine, read(engine, tmp_path, name, format="csv")) == [("1", "Ann")]


@pytest.mark.parametrize("folder", ["May [final]", "what?", "a*", "it's"])
def test_a_folder_of_any_name_can_hold_the_deployment(folder: str, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    put(tmp_path / folder, f"{HEADER}1,Ann\n")
    assert rows(engine, read(engine, tmp_path / folder)) == [("1", "Ann")]


@pytest.mark.parametrize(
    ("encoding", "setting"),
    [("latin-1", "latin-1"), ("utf-16", "utf-16"), ("utf-8-sig", "utf-8")],
)
def test_text_is_read_in_its_encoding(encoding: str, setting: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Zoë Müller\n".encode(encoding))
    raw = read(engine, tmp_path, encoding=setting)
    assert (column_names(engine, raw), rows(engine, raw)) == (["id", "name"], [("1", "Zoë Müller")])


@pytest.mark.parametrize("line", [2, 7, MANY], ids=lambda line: f"line {line}")
def test_text_of_another_encoding_is_refused_with_line_and_remedy(line: int, engine: Engine, tmp_path: Path) -> None:
    lines = [HEADER, *numbered(line + 3)]
    lines[line - 1] = "0,Müller\n"
    put(tmp_path, "".join(lines).encode("latin-1"))
    with pytest.raises(ConnectorError, match=rf"line {line:,} is not utf-8\. Set `encoding: windows-1252`"):
        read(engine, tmp_path)


def test_a_header_of_another_encoding_is_refused_too(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "id,größe\n1,3\n2,4\n".encode("latin-1"))
    with pytest.raises(ConnectorError, match=r"line 1 is not utf-8\. Set `encoding: windows-1252`"):
        read(engine, tmp_path)


def test_a_tab_may_separate(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "id\tname\n1\tMüller, Ann\n")
    assert rows(engine, read(engine, tmp_path, delimiter="\t")) == [("1", "Müller, Ann")]


def test_a_tsv_is_separated_by_tabs(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "id\tname\n1\tMüller, Ann\n", "people.tsv")
    assert rows(engine, read(engine, tmp_path, "people.tsv")) == [("1", "Müller, Ann")]


def test_plain_lines_are_kept_as_they_are(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "id,\"name\n  1\t'Ann'; #\n\nlast\\\n", "letters.txt")
    raw = read(engine, tmp_path, "letters.txt")
    assert rows(engine, raw, "line") == [(None,), ("  1\t'Ann'; #",), ('id,"name',), ("last\\",)]


@pytest.mark.parametrize("size", [1, 3], ids=lambda size: f"{size} MB")
def test_a_long_cell_is_read_whole(size: int, engine: Engine, tmp_path: Path) -> None:
    letter = "x" * (size * 1024 * 1024)
    put(tmp_path, f"{HEADER}1,{letter}\n2,Bob\n")
    assert rows(engine, read(engine, tmp_path)) == [("1", letter), ("2", "Bob")]


def test_a_long_cell_of_a_first_line_without_header_is_read_whole(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"1,{'x' * 1_000_000}\n2,Bob\n")
    assert rows(engine, read(engine, tmp_path, header=False)) == [("1", "x" * 1_000_000), ("2", "Bob")]


def test_a_null_byte_is_part_of_its_cell(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,An\0n\n2,Bob\n")
    assert rows(engine, read(engine, tmp_path)) == [("1", "An\0n"), ("2", "Bob")]


@pytest.mark.parametrize(
    ("line", "fault"),
    [("0", "missing columns"), ("0,Ann,extra", "too many columns"), ('0,"An"n', "unquoted value")],
)
@pytest.mark.parametrize("place", [3, MANY])
def test_a_line_that_cannot_be_split_is_set_aside_by_number(
    line: str, fault: str, place: int, engine: Engine, tmp_path: Path
) -> None:
    lines = [HEADER, *numbered(place + 10)]
    lines[place - 1] = f"{line}\n"
    put(tmp_path, "".join(lines))
    raw = read(engine, tmp_path)
    assert raw.broken == [f"line {place} of people.csv: {fault}"]
    assert len(rows(engine, raw)) == place + 9


def test_a_line_with_two_faults_is_set_aside_once(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f'{HEADER}1,Ann\n0,"An"n,x,y,z\n2,Bob\n')
    raw = read(engine, tmp_path)
    assert (len(raw.broken), len(rows(engine, raw))) == (1, 2)


@pytest.mark.parametrize("place", [3, MANY])
def test_a_quote_without_end_is_refused_with_its_line(place: int, engine: Engine, tmp_path: Path) -> None:
    # It swallows every line after it, so what would be left is no table of the source.
    lines = [HEADER, *numbered(place + 10)]
    lines[place - 1] = '0,"Ann\n'
    put(tmp_path, "".join(lines))
    with pytest.raises(ConnectorError, match=rf"shop, path people\.csv: people\.csv, line {place:,} .*quote"):
        read(engine, tmp_path)


@pytest.mark.parametrize("count", [5, MANY])
def test_a_quote_without_end_in_the_header_is_refused_too(count: int, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "".join(['id,"name\n', *numbered(count)]))
    with pytest.raises(ConnectorError, match=r"shop, path people\.csv: people\.csv, line 1 [^\n]*quote[^\n]*\Z"):
        read(engine, tmp_path)


def test_text_after_a_quote_that_spans_lines_is_no_quote_without_end(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f'{HEADER}1,"two\nlines"x\n2,Bob\n')
    raw = read(engine, tmp_path)
    assert raw.broken == ["line 2 of people.csv: unquoted value", "line 3 of people.csv: part of line 2"]
    assert rows(engine, raw) == [("2", "Bob")]


def test_a_file_of_which_no_line_can_be_split_is_refused(engine: Engine, tmp_path: Path) -> None:
    # Such as an export with a column more than its header.
    put(tmp_path, HEADER + "1,Ann,x\n" * 20)
    with pytest.raises(
        ConnectorError, match=r"people\.csv has no line with the columns of its header \(too many columns\)"
    ):
        read(engine, tmp_path)


@pytest.mark.parametrize("content", [f"{HEADER}1,Ann\n", '{"id": "1", "name": "Ann"}\n'])
def test_a_gzipped_file_reads_like_the_file(content: str, engine: Engine, tmp_path: Path) -> None:
    name = "people.csv.gz" if content.startswith(HEADER) else "people.jsonl.gz"
    put(tmp_path, gzip.compress(content.encode()), name)
    assert rows(engine, read(engine, tmp_path, name)) == [("1", "Ann")]


def test_a_zstandard_file_reads_like_the_file(engine: Engine, tmp_path: Path) -> None:
    engine.query(f"COPY (SELECT '1' AS id, 'Ann' AS name) TO '{tmp_path}/people.csv.zst' (HEADER)")
    assert rows(engine, read(engine, tmp_path, "people.csv.zst")) == [("1", "Ann")]


@pytest.mark.parametrize("harm", ["is no gzip", "breaks off", "has a changed byte"])
def test_a_corrupted_gzip_is_refused(harm: str, engine: Engine, tmp_path: Path) -> None:
    whole = gzip.compress("".join([HEADER, *numbered(MANY)]).encode())
    middle = len(whole) // 2
    harmed = {
        "is no gzip": b"id,name\n1,Ann\n",
        "breaks off": whole[:middle],
        "has a changed byte": whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :],
    }
    put(tmp_path, harmed[harm], "people.csv.gz")
    with pytest.raises(ConnectorError, match=r"shop, path people\.csv\.gz: .*(?i:gzip)"):
        read(engine, tmp_path, "people.csv.gz")


@pytest.mark.parametrize("content", [b"\x28\xb5\x2f\xfd and no more", b"id,name\n1,Ann\n"])
def test_a_corrupted_zstandard_file_is_refused(content: bytes, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, content, "people.csv.zst")
    with pytest.raises(ConnectorError, match=r"shop, path people\.csv\.zst: [^\n]*(?i:zstd|zstandard)"):
        read(engine, tmp_path, "people.csv.zst")


def test_parquet_keeps_its_types(engine: Engine, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "name": ["Ann", None]}), tmp_path / "people.parquet")
    assert rows(engine, read(engine, tmp_path, "people.parquet")) == [(1, "Ann"), (2, None)]


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"no parquet at all"])
def test_a_broken_parquet_file_is_refused(content: bytes, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, content, "people.parquet")
    with pytest.raises(
        ConnectorError, match=r"path people\.parquet: people\.parquet is no whole Parquet file; fetch it"
    ):
        read(engine, tmp_path, "people.parquet")
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "people.parquet")
    assert rows(engine, read(engine, tmp_path, "people.parquet")) == [("1",)]


def test_json_lines_may_lack_keys_and_order_them_differently(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, '{"id": "1", "age": 33}\n\n{"name": "Bob", "id": "2"}\n', "people.jsonl")
    raw = read(engine, tmp_path, "people.jsonl")
    assert rows(engine, raw, "id, name, age::VARCHAR") == [("1", None, "33"), ("2", "Bob", None)]


@pytest.mark.parametrize("between", ["", "\n"])
@pytest.mark.parametrize("name", ["people.json", "people.jsonl", "people.json.gz"])
def test_json_objects_may_be_in_a_list(name: str, between: str, engine: Engine, tmp_path: Path) -> None:
    text = f'[{between}{{{between}"id": "1",{between}"age": 33}},{between}{{"id": "2"}}]{between}'
    put(tmp_path, gzip.compress(text.encode()) if name.endswith(".gz") else text, name)
    assert rows(engine, read(engine, tmp_path, name), "id, age::VARCHAR") == [("1", "33"), ("2", None)]


def test_an_empty_list_of_json_is_an_empty_file(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "[]\n", "may.json")
    with pytest.raises(ConnectorError, match=r"may\.json is empty"):
        read(engine, tmp_path, "*.json")
    put(tmp_path, '[{"id": "1"}]', "june.json")
    raw = read(engine, tmp_path, "*.json")
    assert (rows(engine, raw, "id"), list(raw.notes)) == ([("1",)], ["may.json is empty and was passed over"])


def test_inside_json_lines_a_select_can_reach(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, '{"id": "1", "home": {"city": "Rome"}}\n', "people.ndjson")
    assert rows(engine, read(engine, tmp_path, "people.ndjson"), "id, home.city") == [("1", "Rome")]


@pytest.mark.parametrize("text", ["0012", "12-01-2010", "2010-01-12T10:00:00Z", "550E8400-E29B-41D4-A716-446655440000"])
def test_text_in_json_lines_stays_as_it_is_written(text: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f'{{"id": "{text}"}}\n', "people.jsonl")
    assert rows(engine, read(engine, tmp_path, "people.jsonl"), "id::VARCHAR") == [(text,)]


def test_one_number_among_texts_changes_no_text_in_json_lines(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, '{"id": "A1"}\n{"id": 2}\n', "people.jsonl")
    assert rows(engine, read(engine, tmp_path, "people.jsonl"), "id::VARCHAR") == [("2",), ("A1",)]


def test_what_is_now_a_list_now_a_text_in_json_lines_is_text(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, '{"id": "1", "tags": ["a", "b"]}\n{"id": "2", "tags": "c"}\n', "people.jsonl")
    assert rows(engine, read(engine, tmp_path, "people.jsonl"), "id, tags") == [("1", '["a","b"]'), ("2", "c")]


def test_lines_of_json_without_keys_are_refused(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, '{"id": "1"}\n["2"]\n', "people.jsonl")
    with pytest.raises(ConnectorError, match=r"people\.jsonl holds something that is no JSON object with keys"):
        read(engine, tmp_path, "people.jsonl")


def test_a_broken_line_of_json_is_refused_without_its_content(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, '{"id": "1"}\n{"id": ann@example.org}\n', "people.jsonl")
    with pytest.raises(ConnectorError, match=r"people\.jsonl.*line \d") as raised:
        read(engine, tmp_path, "people.jsonl")
    assert "ann@" not in str(raised.value)


def test_files_of_one_path_are_joined_by_column_name(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "id,name\n1,Ann\n", "2024-05.csv")
    put(tmp_path, "Name,id\nBob,2\n", "2024-06.csv")
    put(tmp_path, "id,name\n", "2024-07.csv")
    raw = read(engine, tmp_path, "2024-*.csv")
    assert rows(engine, raw, "id, name") == [("1", "Ann"), ("2", "Bob")]


@pytest.mark.parametrize(
    ("odd", "complaint"),
    [
        ("id,nickname\n2,Bob\n", "b.csv lacks the column name, which a.csv has"),
        ("id,name,city\n2,Bob,Rome\n", "b.csv has the column city, which a.csv lacks"),
        ("id\n2\n", "b.csv lacks the column name"),
        ("2,Bob\n3,Cy\n", "the first line of b.csv is not the header of a.csv"),
        ("2,2\n3,3\n", "the first line of b.csv is not the header of a.csv"),
    ],
    ids=["renamed", "more", "fewer", "no header", "no header, twice the same"],
)
def test_a_file_with_other_columns_than_the_others_is_named(
    odd: str, complaint: str, engine: Engine, tmp_path: Path
) -> None:
    for name, content in (("a", f"{HEADER}1,Ann\n"), ("b", odd), ("c", f"{HEADER}4,Dan\n")):
        put(tmp_path, content, f"{name}.csv")
    with pytest.raises(ConnectorError, match=complaint) as raised:
        read(engine, tmp_path, "*.csv")
    assert "Bob" not in str(raised.value)


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
def test_so_it_is_in_files_that_are_no_text(kind: str, engine: Engine, tmp_path: Path) -> None:
    for file, name in (("a", "name"), ("b", "nickname"), ("c", "name")):
        if kind == "parquet":
            pq.write_table(pa.table({"id": [1], name: ["Ann"]}), tmp_path / f"{file}.parquet")
        else:
            put_workbook(tmp_path / f"{file}.xlsx", people=[["id", name], [1, "Ann"]])
    with pytest.raises(ConnectorError, match=rf"b\.{kind} lacks the column name, which a\.{kind} has"):
        read(engine, tmp_path, f"*.{kind}")


def test_a_broken_line_is_named_with_its_file(engine: Engine, tmp_path: Path) -> None:
    for name in ("may.csv", "june.csv"):
        put(tmp_path, f"{HEADER}1,Ann\n{name}\n", name)
    broken = read(engine, tmp_path, "*.csv").broken
    assert broken == ["line 3 of june.csv: missing columns", "line 3 of may.csv: missing columns"]


def test_folders_below_can_be_searched(engine: Engine, tmp_path: Path) -> None:
    for name in ("", "2024/", "2024/05/"):
        (tmp_path / "exports" / name).mkdir(parents=True)
        put(tmp_path / "exports" / name, f"{HEADER}{len(name)},Ann\n")
    raw = read(engine, tmp_path, "exports/**/people.csv")
    assert rows(engine, raw, "id") == [("0",), ("5",), ("8",)]


def test_a_file_that_changed_is_read_anew(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Ann\n")
    assert rows(engine, read(engine, tmp_path)) == [("1", "Ann")]
    put(tmp_path, f"{HEADER}1,Ann\n2,Bob\n")
    assert rows(engine, read(engine, tmp_path)) == [("1", "Ann"), ("2", "Bob")]


def test_the_sample_company_is_made_once_below_the_deployment(engine: Engine, tmp_path: Path) -> None:
    sample = Sample(type="sample", customers=20)
    first = sample.read(Request("sample", "customer", tmp_path), engine)
    made = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    second = sample.read(Request("sample", "customer", tmp_path), engine)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")} == made
    assert rows(engine, first) == rows(engine, second) != []


# Encodings.


@pytest.mark.parametrize("setting", ["windows-1252", "latin-1", "iso-8859-1"])
def test_what_windows_calls_latin_1_has_dashes_quotes_and_the_euro(
    setting: str, engine: Engine, tmp_path: Path
) -> None:
    put(tmp_path, f"{HEADER}1,O’Neill – 5 € Žofie\n".encode("windows-1252"))
    assert rows(engine, read(engine, tmp_path, encoding=setting)) == [("1", "O’Neill – 5 € Žofie")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_needs_no_mark(encoding: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,José 文字\n".encode(encoding))
    assert rows(engine, read(engine, tmp_path, encoding="utf-16")) == [("1", "José 文字")]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_no_utf_16_is_told_with_the_remedy(encoding: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,José\n".encode(encoding))
    with pytest.raises(ConnectorError, match=r"people\.csv is no UTF-16\. Leave `encoding` out, .*windows-1252"):
        read(engine, tmp_path, encoding="utf-16")
    advised = {} if encoding == "utf-8" else {"encoding": "windows-1252"}
    assert rows(engine, read(engine, tmp_path, **advised)) == [("1", "José")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["Ann", "José"])
def test_utf_16_read_as_utf_8_is_told_with_the_remedy(name: str, encoding: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,{name}\n".encode(encoding))
    with pytest.raises(ConnectorError, match="Set `encoding: utf-16`"):
        read(engine, tmp_path)
    assert rows(engine, read(engine, tmp_path, encoding="utf-16")) == [("1", name)]


def test_any_encoding_that_python_knows_can_be_set(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Łódź\n".encode("cp1250"))
    assert rows(engine, read(engine, tmp_path, encoding="cp1250")) == [("1", "Łódź")]


@pytest.mark.parametrize(("packed", "remedy"), [("zip", r"\.zip"), ("gzip", r"\.gz")])
def test_a_packed_file_under_another_name_is_told(packed: str, remedy: str, engine: Engine, tmp_path: Path) -> None:
    if packed == "zip":
        put_archive(tmp_path / "people.csv", people=f"{HEADER}1,Ann\n")
    else:
        put(tmp_path, gzip.compress(f"{HEADER}1,Ann\n".encode()))
    with pytest.raises(ConnectorError, match=rf"let its name end in {remedy}"):
        read(engine, tmp_path)


# Shapes of tables in text.


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"'])
def test_the_line_that_names_the_separator_is_no_header(
    line: str, line_end: str, engine: Engine, tmp_path: Path
) -> None:
    put(tmp_path, line_end.join([line, "id;name", "1;Müller, Ann", ""]))
    assert rows(engine, read(engine, tmp_path)) == [("1", "Müller, Ann")]
    assert rows(engine, read(engine, tmp_path, delimiter=";")) == [("1", "Müller, Ann")]


def test_a_block_of_titles_is_skipped_and_lines_keep_their_numbers(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f'Report "May\n\n{HEADER}1,Ann\n2\n')
    raw = read(engine, tmp_path, skip=2)
    assert (rows(engine, raw), raw.broken) == ([("1", "Ann")], ["line 5 of people.csv: missing columns"])


def test_columns_without_header_can_be_named(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, "1,Ann\n2,Bob\n")
    raw = read(engine, tmp_path, header=False, columns=["id", "name"])
    assert (column_names(engine, raw), rows(engine, raw)) == (["id", "name"], [("1", "Ann"), ("2", "Bob")])
    with pytest.raises(ConnectorError, match=r"people\.csv has 2 columns, while `columns` names 1"):
        read(engine, tmp_path, header=False, columns=["id"])


def test_another_sign_may_quote_or_none_or_be_escaped(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,'Müller, Ann'\n")
    assert rows(engine, read(engine, tmp_path, quote="'")) == [("1", "Müller, Ann")]
    put(tmp_path, f'{HEADER}1,19" rack\n2,"x\n')
    assert rows(engine, read(engine, tmp_path, quote="")) == [("1", '19" rack'), ("2", '"x')]
    put(tmp_path, f'{HEADER}1,"19\\" rack, new"\n')
    assert rows(engine, read(engine, tmp_path, escape="\\")) == [("1", '19" rack, new')]


def test_rows_can_say_which_file_they_come_from(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Ann\n", "lyon.csv")
    put(tmp_path, f"{HEADER}1,Bob\n", "berlin.csv")
    pq.write_table(pa.table({"id": [2], "name": ["Cy"]}), tmp_path / "rome.parquet")
    read_back = [
        row for path in ("*.csv", "*.parquet") for row in rows(engine, read(engine, tmp_path, path, filename=True))
    ]
    assert read_back == [("1", "Ann", "lyon.csv"), ("1", "Bob", "berlin.csv"), (2, "Cy", "rome.parquet")]


# Quotes that belong to the text.


@pytest.mark.parametrize("closing", ['10,"C10",10.00', '10,C10,10.00"', '10,C"10,10.00', '"10,C10,10.00'])
def test_a_stray_quote_that_another_closes_some_lines_below_stops_the_load(
    closing: str, engine: Engine, tmp_path: Path
) -> None:
    lines = [f"{number},C{number},{number}.00" for number in range(30)]
    lines[4], lines[10] = '4,"C4,4.00', closing
    put(tmp_path, "\n".join(["id,name,amount", *lines, ""]))
    with pytest.raises(ConnectorError, match=r"people\.csv, line 6 opens a quote .*`quote: ''`"):
        read(engine, tmp_path)
    # What the error advises keeps every line.
    assert len(rows(engine, read(engine, tmp_path, quote=""))) == 30


def test_what_was_refused_of_a_file_does_not_stay_in_memory(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Ann\n2\n")
    assert read(engine, tmp_path).broken == ["line 3 of people.csv: missing columns"]
    assert engine.query("SELECT table_name FROM duckdb_tables()") == []


def test_a_note_of_many_lines_with_commas_is_no_stray_quote(engine: Engine, tmp_path: Path) -> None:
    note = "Dear shop,\nI bought, paid, and\n\nwaited, long, long"
    put(tmp_path, f'id,name,note\n1,Ann,"{note}"\n\n2,Bob,\n')
    raw = read(engine, tmp_path)
    assert (rows(engine, raw), raw.broken) == ([("1", "Ann", note), ("2", "Bob", None)], [])


BROKEN = re.compile("opens a quote|by one reader and not by another|no line with the columns")


def read_unless_broken(engine: Engine, folder: Path, path: str = "people.csv", **options: Any) -> Raw | None:
    """The file as read; None where it cannot be, for what is wrong with it and for nothing else."""
    try:
        return read(engine, folder, path, **options)
    except ConnectorError as fault:
        if not BROKEN.search(str(fault)):
            raise
        return None


lines = st.text(st.sampled_from("ab1,;\"'\\\r\n "), max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(lines, min_size=1, max_size=3),
    encoding=st.sampled_from(["utf-8", "utf-16", "windows-1252"]),
    escape=st.sampled_from([None, "\\"]),
)
def test_no_record_is_lost_unless_the_load_stops(
    engine: Engine, texts: list[str], encoding: str, escape: str | None
) -> None:
    """Of the records Python's reader finds none is missing among the rows and the lines that were refused."""
    with TemporaryDirectory() as folder:
        for position, text in enumerate(texts):
            put(Path(folder), f"a,b,c\n{text}".encode(encoding), f"{position}.csv")
        raw = read_unless_broken(engine, Path(folder), "*.csv", encoding=encoding, escape=escape)
        if raw is None:
            return
        kept = engine.query(f"SELECT * FROM ({raw.sql})")
    readers = [
        csv.reader(io.StringIO(text, newline=""), doublequote=escape is None, escapechar=escape) for text in texts
    ]
    expected = sum(bool(record) for reader in readers for record in reader)
    assert len(kept) <= expected <= len(kept) + len(raw.broken)


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(2, 25),
    strays=st.lists(st.tuples(st.integers(0), st.integers(0)), min_size=1, max_size=4),
    fault=st.sampled_from(["", "1,2", "1,2,3,4", '5,"6"7,8']),
)
def test_quotes_that_stray_into_the_text_lose_no_line(
    engine: Engine, count: int, strays: list[tuple[int, int]], fault: str
) -> None:
    rows_written = [f'{number},"Ann, {number}",{number}.50' for number in range(count)]
    for row, place in strays:
        line = rows_written[row % count]
        cut = place % (len(line) + 1)
        rows_written[row % count] = line[:cut] + '"' + line[cut:]
    with TemporaryDirectory() as folder:
        put(Path(folder), "\n".join(["id,name,amount", *rows_written, *([fault] if fault else []), ""]))
        raw = read_unless_broken(engine, Path(folder))
        if raw is None:
            return
        kept = engine.query(f"SELECT * FROM ({raw.sql})")
    assert len(kept) + len(raw.broken) == count + bool(fault)


# Archives and workbooks.


def test_files_in_a_zip_archive_are_read_like_files(engine: Engine, tmp_path: Path) -> None:
    put_archive(
        tmp_path / "orders.zip",
        **{"may.csv": f"{HEADER}1,Ann\n", "b/june.csv": f"{HEADER}2,Bob\n3\n", "__MACOSX/x": "?"},
    )
    raw = read(engine, tmp_path, "orders.zip")
    assert rows(engine, raw) == [("1", "Ann"), ("2", "Bob")]
    assert raw.broken == ["line 3 of orders.zip/b/june.csv: missing columns"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"PK\x03\x04 and no more", "no whole zip archive"), (b"no zip", "no whole zip archive")],
)
def test_a_broken_archive_is_refused(content: bytes, complaint: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, content, "orders.zip")
    with pytest.raises(ConnectorError, match=rf"orders\.zip is {complaint}"):
        read(engine, tmp_path, "orders.zip")


def packed_as(name: str, content: bytes) -> bytes:
    """The content of a file of that name: packed as its ending says, or, of Parquet and Excel, a table of its own."""
    target = io.BytesIO()
    if name.endswith(".gz"):
        return gzip.compress(content)
    if name.endswith(".zst"):
        with pa.CompressedOutputStream(sink := pa.BufferOutputStream(), "zstd") as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()
    if name.endswith(".zip"):
        put_archive(target, **{"people.csv": content.decode()})
    elif name.endswith(".parquet"):
        pq.write_table(pa.table({"id": ["1", "2"]}), target)
    elif name.endswith(".xlsx"):
        put_workbook(target, people=[["id"], ["1"], ["2"]])
    return target.getvalue() or content


@pytest.mark.parametrize(
    "name",
    ["p.csv.gz", "p.csv.zst", "p.jsonl.gz", "p.zip", "p.parquet", "p.xlsx", "list.json", "p.json"],
)
def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut(name: str, engine: Engine, tmp_path: Path) -> None:
    """But for lines of JSON cut between two of them."""
    rows = [f'{{"id": "{number}", "name": "Ann"}}' for number in range(4)]
    text = f"[{', '.join(rows)}]" if name == "list.json" else "".join(f"{row}\n" for row in rows)
    whole = packed_as(name, (text if ".json" in name else HEADER + "".join(numbered(4))).encode())
    ends = {
        place for place in range(len(whole)) if name == "p.json" and whole[place - 1 : place + 1] in (b"}\n", b"\n{")
    }
    for place in {*range(1, len(whole), len(whole) // 40 + 1), len(whole) - 1} - ends:
        put(tmp_path, whole[:place], name)
        with pytest.raises(ConnectorError, match=re.escape(name)):
            read(engine, tmp_path, name)


def test_an_archive_of_nothing_is_refused(engine: Engine, tmp_path: Path) -> None:
    put_archive(tmp_path / "orders.zip")
    with pytest.raises(ConnectorError, match=r"orders\.zip holds no file"):
        read(engine, tmp_path, "orders.zip")


def test_a_workbook_is_text_as_csv_would_have_it(engine: Engine, tmp_path: Path) -> None:
    table = [
        ["id", "born", "seen", "amount", "is_paid"],
        [17850, date(1970, 12, 31), datetime(2024, 5, 1, 10, 30), 2.5, True],
        [None, None, None, None, None],
        ["0012", None, None, 3.0, False],
        [1, None, None, None, None, "more"],
    ]
    put_workbook(tmp_path / "people.xlsx", notes=[["nothing"]], people=table)
    raw = read(engine, tmp_path, "people.xlsx", sheet="people")
    assert rows(engine, raw) == [
        ("0012", None, None, "3", "false"),
        ("17850", "1970-12-31", "2024-05-01 10:30:00", "2.5", "true"),
    ]
    assert raw.broken == ["line 5 of people.xlsx: too many columns"]
    assert rows(engine, read(engine, tmp_path, "people.xlsx")) == []
    with pytest.raises(ConnectorError, match=r"has no sheet 'orders'; correct `sheet`, there are 'notes', 'people'"):
        read(engine, tmp_path, "people.xlsx", sheet="orders")


def test_titles_above_the_table_of_a_workbook_are_skipped(engine: Engine, tmp_path: Path) -> None:
    put_workbook(tmp_path / "people.xlsx", people=[["Report"], [], ["id", "name"], [1, "Ann"]])
    assert rows(engine, read(engine, tmp_path, "people.xlsx", skip=1)) == [("1", "Ann")]


@pytest.mark.parametrize("name", ["people.xlsx", "people.xls", "people.ods"])
def test_what_is_no_workbook_is_refused(name: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, f"{HEADER}1,Ann\n", name)
    with pytest.raises(ConnectorError, match=rf"{name} is no whole file of Excel or OpenDocument"):
        read(engine, tmp_path, name)


# What an error advises, done: the rows are those of the file.


def zipped(**members: str) -> bytes:
    put_archive(file := io.BytesIO(), **members)
    return file.getvalue()


def locked(archive: bytes) -> bytes:
    """The archive as if a password locked it: the flag that says so, of its one member and of its directory."""
    data = bytearray(archive)
    data[6] |= 1
    data[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def workbook(**sheets: list[list[Any]]) -> bytes:
    put_workbook(file := io.BytesIO(), **sheets)
    return file.getvalue()


@dataclass(frozen=True)
class Remedy:
    """What a file holds, how it is read, and what is said; then the file (None: as it was) and the setting advised."""

    content: str | bytes
    told: str
    settings: dict[str, Any] = field(default_factory=dict)
    mended: str | bytes | None = None
    advised: dict[str, Any] = field(default_factory=dict)
    name: str = "people.csv"
    renamed: str | None = None
    rows: Sequence[tuple[str, ...]] = (("1", "Ann"),)


ANN = f"{HEADER}1,Ann\n"
WINDOWS = [("1", "Zoë – 5 €")]
NAMED = {"header": False, "columns": ["id", "name"]}
TWICE = "id,name,name\n1,Ann,x\n"
REMEDIES = {
    "another encoding": Remedy(
        f"{HEADER}1,Zoë – 5 €\n".encode("windows-1252"),
        r"line 2 is not utf-8\. Set `encoding: windows-1252` on the connector",
        advised={"encoding": "windows-1252"},
        rows=WINDOWS,
    ),
    "one line in another encoding": Remedy(
        f"{HEADER}1,Zoë\n2,Löw\n".encode() + "3,Müller\n".encode("latin-1"),
        r"line 4 is not utf-8\. Most others are: correct that line, or fetch the file again\.",
        mended=f"{HEADER}1,Zoë\n2,Löw\n3,Müller\n",
        rows=[("1", "Zoë"), ("2", "Löw"), ("3", "Müller")],
    ),
    "cut within a letter": Remedy(
        f"{HEADER}1,Zoë\n2,Löw\n3,Zoë".encode()[:-1],
        r"line 4 is not utf-8\. Most others are: correct that line, or fetch the file again\.",
        mended=f"{HEADER}1,Zoë\n2,Löw\n3,Zoë",
        rows=[("1", "Zoë"), ("2", "Löw"), ("3", "Zoë")],
    ),
    "not the encoding that is set": Remedy(
        f"{HEADER}1,Ágnes\n",
        r"line 2 is not windows-1252\. Set the encoding it was written in on the connector",
        {"encoding": "windows-1252"},
        advised={"encoding": "utf-8"},
        rows=[("1", "Ágnes")],
    ),
    "UTF-8 and no UTF-16": Remedy(
        f"{HEADER}1,Zoë\n", r"is no UTF-16\. Leave `encoding` out", {"encoding": "utf-16"}, rows=[("1", "Zoë")]
    ),
    "neither UTF-8 nor UTF-16": Remedy(
        f"{HEADER}1,Zoë – 5 €\n".encode("windows-1252"),
        r"is no UTF-16\. Leave `encoding` out, which means UTF-8, or set `encoding: windows-1252`",
        {"encoding": "utf-16"},
        advised={"encoding": "windows-1252"},
        rows=WINDOWS,
    ),
    "an archive of another name": Remedy(
        zipped(**{"people.csv": ANN}), r"It is a zip archive: let its name end in \.zip", renamed="people.zip"
    ),
    "a workbook of another name": Remedy(
        workbook(people=[["id", "name"], [1, "Ann"]]),
        r"let its name end in .* of Excel, \.xlsx",
        renamed="people.xlsx",
    ),
    "a gzip of another name": Remedy(
        gzip.compress(ANN.encode()), r"It is a gzip file: let its name end in \.gz", renamed="people.csv.gz"
    ),
    "no gzip": Remedy(
        ANN,
        r"is no whole gzip file; fetch it again, or, if it is not packed, rename it",
        name="people.csv.gz",
        renamed="people.csv",
    ),
    "a locked archive": Remedy(
        locked(zipped(**{"people.csv": ANN})),
        r"is locked by a password .*; unpack it, and name what was in it as `path`",
        mended=ANN,
        name="people.zip",
        renamed="people.csv",
    ),
    "half an archive": Remedy(
        zipped(**{"people.csv": ANN})[:40],
        "is no whole zip archive; fetch it again",
        mended=zipped(**{"people.csv": ANN}),
        name="people.zip",
    ),
    "an archive of nothing": Remedy(
        zipped(), "holds no file; fetch it again", mended=zipped(**{"people.csv": ANN}), name="people.zip"
    ),
    "half a gzip": Remedy(
        gzip.compress(ANN.encode())[:20],
        "is no whole gzip file; fetch it again",
        mended=gzip.compress(ANN.encode()),
        name="people.csv.gz",
    ),
    "an archive with a note": Remedy(
        zipped(**{"READ.txt": "Our people", "people.csv": ANN}),
        r"people\.zip/READ\.txt and people\.zip/people\.csv are of different formats\. .* unpack an archive before",
        mended=ANN,
        name="people.zip",
        renamed="people.csv",
    ),
    "an ending that tells nothing": Remedy(
        ANN, r"the ending of people\.dat tells no format; set `format`", name="people.dat", advised={"format": "csv"}
    ),
    "text called a workbook": Remedy(
        ANN, r"save it again, or, if it is text, set `format: csv`", name="people.xls", advised={"format": "csv"}
    ),
    "another sheet": Remedy(
        workbook(people=[["id", "name"], [1, "Ann"]]),
        r"has no sheet 'persons'; correct `sheet`, there are 'people'",
        {"sheet": "persons"},
        name="people.xlsx",
        advised={"sheet": "people"},
    ),
    "a column that is not named": Remedy(
        "1,Ann\n",
        r"has 2 columns, while `columns` names 1; name every column, in order",
        {**NAMED, "columns": ["id"]},
        advised=NAMED,
    ),
    "columns that are not split": Remedy(
        "1;Ann\n",
        r"has 1 columns, while `columns` names 2; set the `delimiter` between them",
        NAMED,
        advised={**NAMED, "delimiter": ";"},
    ),
    "a name twice": Remedy(
        TWICE,
        r"more than once, the first in column 2\. Rename them there, or skip the header \(`skip: 1`, `header: false`\)",
        advised={"skip": 1, "header": False, "columns": ["id", "name", "x"]},
        rows=[("1", "Ann", "x")],
    ),
    "a name twice, renamed": Remedy(
        TWICE, "Rename them there", mended=TWICE.replace("name,name", "name,x"), rows=[("1", "Ann", "x")]
    ),
    "a name twice below a title": Remedy(
        f"People\n\n{TWICE}",
        r"skip the header \(`skip: 3`, `header: false`\) and name the columns in `columns`",
        {"skip": 1},
        advised={"skip": 3, "header": False, "columns": ["id", "name", "x"]},
        rows=[("1", "Ann", "x")],
    ),
    "a name twice in a sheet": Remedy(
        workbook(people=[["People"], [], ["id", "name", "name"], [1, "Ann", "x"]]),
        r"skip the header \(`skip: 3`, `header: false`\)",
        {"skip": 1},
        advised={"skip": 3, "header": False, "columns": ["id", "name", "x"]},
        name="people.xlsx",
        rows=[("1", "Ann", "x")],
    ),
    "a quote in the header": Remedy(
        'id,"name\n1,Ann\n2,"Bob\n',
        r"line 1 opens a quote that nothing closes; it swallows .* set `quote: \'\'`",
        advised={"quote": ""},
        rows=[("1", "Ann"), ("2", '"Bob')],
    ),
    "a quote that nothing closes": Remedy(
        f'{ANN}2,"Bob\n3,Cy\n',
        r"line 3 opens a quote that nothing closes; .* set `quote: \'\'`",
        advised={"quote": ""},
        rows=[("1", "Ann"), ("2", '"Bob'), ("3", "Cy")],
    ),
    "quotes that two readers take two ways": Remedy(
        f'{HEADER}"a\\"\\,""\\",\n',
        r"has 1 records that are read by one reader and not by another; check `delimiter`, `quote`",
        advised={"quote": ""},
        rows=[('"a\\"\\', '""\\"')],
    ),
    "lines of more cells than the header": Remedy(
        "id;name\n" + "1;5,5\n" * 20,
        r"has no line with the columns of its header .*; check `delimiter`",
        advised={"delimiter": ";"},
        rows=[("1", "5,5")] * 20,
    ),
    "JSON that breaks off": Remedy(
        '[{"id": "1"},\n{"id": "2"',
        r"people\.jsonl breaks off: it is a list that does not end\. Fetch it again",
        mended='[{"id": "1"},\n{"id": "2"}]',
        name="people.jsonl",
        rows=[("1",), ("2",)],
    ),
    "JSON of values without names": Remedy(
        '[["1", "Ann"]]\n',
        r"people\.jsonl holds something that is no JSON object with keys\. Export it again .* or as CSV",
        mended=ANN,
        name="people.jsonl",
        renamed="people.csv",
    ),
}


@pytest.mark.parametrize("fault", REMEDIES)
def test_what_an_error_advises_brings_the_rows(fault: str, engine: Engine, tmp_path: Path) -> None:
    remedy = REMEDIES[fault]
    file = put(tmp_path, remedy.content, remedy.name)
    with pytest.raises(ConnectorError, match=remedy.told):
        read(engine, tmp_path, remedy.name, **remedy.settings)
    if remedy.mended is not None:
        put(tmp_path, remedy.mended, remedy.name)
    name = remedy.renamed or remedy.name
    file.rename(tmp_path / name)
    assert rows(engine, read(engine, tmp_path, name, **remedy.advised)) == list(remedy.rows)


@pytest.mark.parametrize("first", ["1,Ann\n", HEADER], ids=["row", "header"])
def test_a_part_without_header_is_given_one_or_read_apart(first: str, engine: Engine, tmp_path: Path) -> None:
    parts = {"a.csv": first, "b.csv": HEADER if first != HEADER else "1,Ann\n"}
    for name, content in parts.items():
        put(tmp_path, content + "2,Bob\n", name)
    without = next(name for name, content in parts.items() if content != HEADER)
    told = r"Give the one without a header the other's, or move that file .* connector of its own, with `header: false`"
    with pytest.raises(ConnectorError, match=told):
        read(engine, tmp_path, "*.csv")
    (tmp_path / "apart").mkdir()
    moved = (tmp_path / without).rename(tmp_path / "apart" / without)
    assert rows(engine, read(engine, tmp_path, "*.csv")) == [("2", "Bob")]
    assert rows(engine, read(engine, tmp_path, f"apart/{without}", **NAMED)) == [("1", "Ann"), ("2", "Bob")]
    put(tmp_path, HEADER + moved.read_text(), without)
    assert rows(engine, read(engine, tmp_path, "*.csv")) == [("1", "Ann"), ("2", "Bob"), ("2", "Bob")]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("id,nickname", r"b\.csv lacks the column name, which a\.csv has\. Rename it there, or move that file"),
        ("id,name,city", r"b\.csv has the column city, which a\.csv lacks\. Remove it there, or move that file"),
    ],
)
def test_a_part_of_other_columns_is_put_right_or_read_apart(
    header: str, told: str, engine: Engine, tmp_path: Path
) -> None:
    put(tmp_path, ANN, "a.csv")
    odd = put(tmp_path, f"{header}\n2,Bob,Rome\n".replace(",Rome", ",Rome" * header.count("city")), "b.csv")
    put(tmp_path, f"{HEADER}3,Cy\n", "c.csv")
    with pytest.raises(ConnectorError, match=told):
        read(engine, tmp_path, "*.csv")
    (tmp_path / "apart").mkdir()
    apart = odd.rename(tmp_path / "apart" / "b.csv")
    assert rows(engine, read(engine, tmp_path, "*.csv")) == [("1", "Ann"), ("3", "Cy")]
    assert rows(engine, read(engine, tmp_path, "apart/b.csv"))[0][:2] == ("2", "Bob")
    put(tmp_path, apart.read_text().replace("nickname", "name").replace(",city", "").replace(",Rome", ""), "b.csv")
    assert rows(engine, read(engine, tmp_path, "*.csv")) == [("1", "Ann"), ("2", "Bob"), ("3", "Cy")]


@pytest.mark.parametrize(
    ("wrong", "told", "right", "row"),
    [
        ({"encoding": "utf-9"}, "such as utf-8, windows-1252 .* or utf-16", {"encoding": "utf-16"}, ("1", "Ann")),
        ({"encoding": "utf-9"}, "such as utf-8, windows-1252", {"encoding": "windows-1252"}, ("1", "Ann")),
        ({"date_format": "%Q"}, "such as %d/%m/%Y", {"date_format": "%d/%m/%Y"}, ("1", "Ann")),
        (
            {"columns": ["a", "b"]},
            "Set `header: false` too; or",
            {"columns": ["a", "b"], "header": False},
            ("id", "name"),
        ),
        ({"columns": ["a", "b"]}, "if they have one, take `columns` out", {}, ("1", "Ann")),
        ({"decimal": ",", "thousands": ","}, "same sign; leave", {"decimal": ","}, ("1", "Ann")),
    ],
)
def test_what_is_advised_of_a_setting_can_be_set(
    wrong: dict[str, Any], told: str, right: dict[str, Any], row: tuple[str, str], engine: Engine, tmp_path: Path
) -> None:
    put(tmp_path, ANN.encode(str(right.get("encoding", "utf-8"))))
    with pytest.raises(ValueError, match=told):
        read(engine, tmp_path, **wrong)
    assert row in rows(engine, read(engine, tmp_path, **right))


@pytest.mark.parametrize("path", ["people.csv", "*.csv", "%Y/*.csv", "**/*.csv"])
def test_the_engine_may_reach_the_files_of_a_path_wherever_they_are_linked_to(path: str, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "shop [1]", tmp_path / "elsewhere"
    for each in (folder, folder / "2026", elsewhere):
        each.mkdir()
    target = put(elsewhere, "id\n7\n")
    for place in (folder, folder / "2026"):
        (place / "people.csv").symlink_to(target)
    secret = put(tmp_path, "id\n8\n", "secret.csv")
    files = Files(type="files", path=path)
    with closing(Engine("200MB", threads=1, reach=files.reach(folder))) as engine:
        assert set(rows(engine, files.read(Request("shop", "customer", folder), engine))) == {("7",)}
        with pytest.raises(duckdb.PermissionException):
            engine.query(f"FROM read_csv({literal(str(secret))})")
