"""Rows for people and programs: what a mask hides, and what it leaves."""

import dataclasses
import re
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from governance.contract import Column, Contract
from governance.contracts import LOGICAL_TYPES
from portal import printing
from portal.reports import showing
from resources.engine import Engine
from tests.tables import CONTRACTS

PERSONAL = tuple(
    Column(type_, type_, "Of a person.", classification="personal") for type_ in LOGICAL_TYPES if type_ != "VARCHAR"
)
KEY = Column("id", "VARCHAR", "The key.", required=True, key_position=1)
CONTRACT = dataclasses.replace(CONTRACTS["sources/customer"], columns=(KEY, *PERSONAL), sensitive_rows=None)
ONE = {
    "INTEGER": "1", "BIGINT": "1", "DOUBLE": "1.5", "DECIMAL(18,4)": "1.5", "BOOLEAN": "true",
    "DATE": "DATE '2026-01-01'", "TIMESTAMP": "TIMESTAMP '2026-01-01'",
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[Engine]:
    with closing(Engine()) as engine:
        yield engine


def rows(contract: Contract) -> str:
    """A row that has a value in every column, and one that has none but its key."""
    filled = ", ".join(f'{ONE[column.type]}::{column.type} AS "{column.name}"' for column in contract.columns[1:])
    return f"SELECT 'a' AS id, {filled} UNION ALL BY NAME SELECT 'b' AS id"


def test_a_masked_value_of_any_type_is_told_from_a_missing_one(engine: Engine) -> None:
    shown = engine.query(f"{showing.masked(rows(CONTRACT), CONTRACT)} ORDER BY 1")
    assert shown == [("a", *["***"] * len(PERSONAL)), ("b", *[None] * len(PERSONAL))]


def test_amounts_carry_their_currency_for_people_and_not_for_programs(
    engine: Engine, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    contract = CONTRACTS["rfm"].in_currency("EUR")
    units = showing.amounts(contract, "EUR")
    assert units.keys() == {"monetary", "gross_monetary", "returned_amount"}
    people = showing.amounts(CONTRACTS["customers"].in_currency("EUR"), "EUR")
    assert people == {"annual_income": "EUR per year", "income_band": "EUR per year"}
    row = "'C1' AS customer_id, 2.5::DECIMAL(18,4) AS monetary, NULL AS returned_amount, '***' AS gross_monetary"
    shown = engine.connection.sql(f"SELECT {row}")

    def said(width: int, kind: str = "table") -> str:
        # Of the process's own standard output, where programs read from.
        showing.write(shown, kind, None, printing.Screen(width=width, file=sys.stdout), units)
        sys.stdout.flush()
        return capsysbinary.readouterr().out.decode()

    wide, narrow = said(80), said(30)
    assert re.search(r"┃ +┃ monetary ┃ returned_amount ┃ gross_monetary ┃\n┃ customer_id ┃ +EUR ┃ +EUR ┃ +EUR +┃", wide)
    assert "2.50 │" in wide
    assert re.search(r"monetary +│ 2.50 EUR │", narrow)
    assert not re.search("(returned_amount|gross_monetary).*EUR", narrow)
    assert "EUR" not in said(80, "csv") + said(80, "json")
