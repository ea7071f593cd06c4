"""Rows for people and programs: what is told of amounts."""

import re
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from governance import policy
from portal import printing
from portal.reports import showing
from resources.engine import Engine
from tests.tables import CONTRACTS

POLICY = policy.load()


def seen(table: str, role: str = "data_steward") -> policy.View:
    """What a role sees of a table in which amounts are of euros."""
    return POLICY.view(CONTRACTS[table].in_currency("EUR"), role)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with closing(Engine()) as engine:
        yield engine


def test_amounts_carry_their_currency_for_people_and_not_for_programs(
    engine: Engine, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    units = showing.amounts(seen("rfm"), "EUR")
    assert units.keys() == {"monetary", "gross_monetary", "returned_amount"}
    of_income = {"annual_income": "EUR per year", "income_band": "EUR per year"}
    assert (
        showing.amounts(seen("customers"), "EUR") == showing.amounts(seen("customers", "marketing"), "EUR") == of_income
    )
    assert showing.amounts(seen("customers", "data_consumer"), "EUR") == {}
    row = "'C1' AS customer_id, 2.5::DECIMAL(18,4) AS monetary, NULL AS returned_amount, NULL AS gross_monetary"
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
    assert not re.search("returned_amount.*EUR", narrow)
    assert "EUR" not in said(80, "csv") + said(80, "json")
