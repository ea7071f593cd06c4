"""Reference data: what a steward edits by hand must stay one name to one code."""

import re

import pytest

from governance.reference import column_names, us_states
from tests.tables import CONTRACTS

NAMES = column_names.load()

STATES = us_states.names_by_code()


def test_the_fifty_states_and_the_federal_district_are_known() -> None:
    assert len(STATES) == 51
    assert (STATES["CA"], STATES["NY"], STATES["DC"]) == ("California", "New York", "District of Columbia")


def test_a_state_has_a_code_of_two_capital_letters() -> None:
    assert [code for code in STATES if not re.fullmatch("[A-Z]{2}", code)] == []


def test_no_two_states_share_a_name() -> None:
    assert len(set(STATES.values())) == len(STATES)


def test_no_name_is_empty_or_padded() -> None:
    assert [name for name in STATES.values() if not name or name != name.strip()] == []


def test_no_code_is_listed_twice() -> None:
    listed = us_states.__file__.removesuffix("py") + "csv"
    with open(listed, encoding="utf-8") as file:
        assert len(file.readlines()) == 1 + len(STATES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customer_id", ("customer", "id")),
        ("CustomerNo", ("customer", "id")),
        ("Kundennummer", ("customer", "id")),
        ("N° client", ("id", "customer")),
        ("Date de naissance", ("date", "birth")),
        ("Straße", ("street",)),
        ("StockCode", ("sku",)),
        ("Purchase Amount (USD)", ("order", "amount")),
        ("", ()),
    ],
)
def test_a_name_is_its_words_in_whatever_spelling_and_language(name: str, words: tuple[str, ...]) -> None:
    assert NAMES.read(name) == words


def test_names_are_listed_for_datasets_and_columns_that_there_are() -> None:
    sources = {contract.name: contract for contract in CONTRACTS.values() if contract.layer == "sources"}
    assert set(NAMES.file_names) == set(NAMES.nouns) == set(sources)
    known = {f"{contract.name}.{name}" for contract in sources.values() for name in contract.column_names}
    assert set(NAMES.column_names) <= known


def test_a_word_has_one_meaning() -> None:
    listed = [other for others in NAMES.words.values() for other in others]
    assert {word for word in listed if listed.count(word) > 1} == set()
