"""Reference data: what a steward edits by hand must stay one name to one code."""

import re

from governance.reference import us_states

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
