"""Points: what each entry of an account means, whatever its sign."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.conformed.points import points
from tests.tables import at, computed, day, rows, table

MEANING = ("entry_id", "is_earn", "is_burn", "earned", "burned", "expired")
NOW = at("2026-06-30")


def entry(entry_id: str, kind: str | None, amount: int | None, **more: Any) -> dict[str, Any]:
    return {"entry_id": entry_id, "customer_id": "ann", "entry_type": kind, "points": amount, **more}


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_burned_may_be_written_with_a_minus_or_without(sign: int) -> None:
    entries = [entry("1", " Burn ", sign * 60), entry("2", "burn", sign * 30), entry("3", "burn", -sign * 10)]
    found = computed(points)(table("sources/loyalty_ledger", *entries), NOW)
    # The last one gives some back.
    assert rows(found, *MEANING) == [
        ("1", False, True, 0, 60, 0),
        ("2", False, True, 0, 30, 0),
        ("3", False, False, 0, -10, 0),
    ]


def test_an_entry_of_no_kind_or_no_number_moves_nothing_and_one_of_nobody_is_left_out() -> None:
    entries = [
        entry("1", "gift", 100),
        entry("2", None, 100),
        entry("3", "earn", None),
        entry("4", "expire", 5),
        entry("5", "earn", 5, customer_id=None),
        entry("6", "earn", 5, entry_ts=day("2026-07-01")),
    ]
    found = computed(points)(table("sources/loyalty_ledger", *entries), NOW)
    assert rows(found, *MEANING) == [
        ("1", False, False, 0, 0, 0),
        ("2", False, False, 0, 0, 0),
        ("3", True, False, 0, 0, 0),
        ("4", False, False, 0, 0, 5),
    ]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["earn", "burn", "expire", "gift"]), st.integers(-500, 500)), max_size=12))
def test_the_other_signs_make_the_same_account(entries: list[tuple[str, int]]) -> None:
    def account(sign: int) -> list[Any]:
        written = [entry(str(n), kind, sign * amount) for n, (kind, amount) in enumerate(entries)]
        return rows(computed(points)(table("sources/loyalty_ledger", *written), NOW), *MEANING)

    balance = {kind: sum((amount > 0) - (amount < 0) for one, amount in entries if one == kind) for kind, _ in entries}
    # Where as many entries are below 0 as above, nobody can tell, and they stay as they are written.
    if all(balance.values()):
        assert account(1) == account(-1)
