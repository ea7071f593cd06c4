"""A first look at files: how to read each, and what its columns are like."""

from pathlib import Path

import pytest

from resources.engine import Engine
from resources.inspection import Seen, is_header, look


def seen(engine: Engine, folder: Path, values: list[str], column: str = "total") -> Seen:
    """What is known of a column of these values."""
    (folder / "table.csv").write_text(f"id|{column}\n" + "".join(f"{n}|{value}\n" for n, value in enumerate(values)))
    ((table,), _) = look([folder / "table.csv"], folder, engine)
    return table.column(column)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.50", "-3"], "number"),
        (["1,5", "1.250,00", "7"], "number"),
        (["1,250.50", "3"], "number"),
        (["€ 5", "€ 6.10"], "number"),
        (["17850.0", "3"], "whole"),
        (["2024-06-01", "2024-06-02 10:00:00"], "date"),
        (["2024-06-01 10:00:00 -0400"], "date"),
        (["31.12.2024", "01.01.2025"], "date"),
        (["20240601", "20241231"], "date"),
        (["yes", "NO"], "boolean"),
        (["a@example.org"], "email"),
        (["+1-601-555-0183 x4232", "06 12 34 56 78"], "phone"),
        (["https://example.org/x", "/cart"], "url"),
    ],
)
def test_values_are_of_a_kind(values: list[str], kind: str, engine: Engine, tmp_path: Path) -> None:
    assert seen(engine, tmp_path, values).is_nearly(kind)


@pytest.mark.parametrize(("values", "kind"), [(["1", "x"], "number"), (["12345678"], "date"), (["90210"], "phone")])
def test_values_that_only_look_so_are_not(values: list[str], kind: str, engine: Engine, tmp_path: Path) -> None:
    assert not seen(engine, tmp_path, values).is_nearly(kind)


def test_words_for_nothing_are_no_values(engine: Engine, tmp_path: Path) -> None:
    found = seen(engine, tmp_path, ["5", "NULL", "n/a", "5"])
    assert (found.rows, found.filled, found.distinct, found.is_unique) == (4, 2, 1, False)


@pytest.mark.parametrize(
    ("records", "is_one"),
    [
        ([["order_id", "total"], ["1", "2"]], True),
        ([["Kundennummer", "Vorname"], ["K1", "Ann"]], True),
        ([["tenure", "churn"], ["5", "Yes"]], True),
        ([["", "x"], ["0", "a"]], True),
        ([["Ann", "Smith"], ["Bob", "Jones"]], False),
        ([["Customer", "Rome"], ["Customer", "Pisa"]], False),
        ([["1", "name"], ["2", "x"]], False),
        ([["name", "a@example.org"], ["x", "b@example.org"]], False),
    ],
)
def test_a_header_is_told_from_a_row(records: list[list[str]], is_one: bool) -> None:
    assert is_header(records) is is_one


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("cp1252", "windows-1252"),
    ],
)
def test_an_encoding_is_told_from_the_bytes(encoding: str, said: str, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "kunden.csv").write_bytes("Kundennummer,Ort\n1,Köln\n2,Münster\n".encode(encoding))
    ((table,), unread) = look([tmp_path / "kunden.csv"], tmp_path, engine)
    assert (table.connector.encoding, table.column("Ort").distinct, unread) == (said, 2, [])


def test_a_broken_archive_is_named(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "orders.zip").write_bytes(b"PK no archive")
    assert [file.path for file in look([tmp_path], tmp_path, engine)[1]] == ["orders.zip"]
