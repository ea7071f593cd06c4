"""Customers: cleaning, ages, and who counts as known."""

from datetime import datetime
from typing import Any

import pytest

from c360_assets.conformed.customers import customers
from tests.tables import at, computed, day, rows, table

NO_ORDERS, NO_EVENTS = table("sources/orders"), table("sources/web_analytics")


def conformed(moment: str = "2026-06-30T12:00:00", **customer: Any) -> Any:
    return computed(customers)(
        table("sources/customer", {"customer_id": "c1", **customer}), NO_ORDERS, NO_EVENTS, at(moment)
    )


@pytest.mark.parametrize(
    ("column", "given", "expected"),
    [
        ("gender", " F ", "female"),
        ("gender", "MALE", "male"),
        ("gender", "Diverse", "other"),
        ("gender", "unknwon", None),
        ("phone_number", "+1 (212) 555-0100", "+12125550100"),
        ("phone_number", "(312) 555-0188 ext. 204", "3125550188"),
        ("phone_number", "312-555-0188x204", "3125550188"),
        ("phone_number", "312 555 0188 #204", "3125550188"),
        ("phone_number", "(+49) 30 1234", "+49301234"),
        ("phone_number", "0049 (+49) 30 1234", "004949301234"),
        ("phone_number", "-", None),
        ("phone_number", "+", None),
        ("email_address", " Ann@Example.COM ", "ann@example.com"),
        ("city", "  ", None),
        ("age_band", " 35-44", "35-44"),
        ("income_band", "50-74K ", "50-74K"),
        ("household_composition", " 2 Adults Kids", "2 Adults Kids"),
    ],
)
def test_text_is_cleaned(column: str, given: str, expected: str | None) -> None:
    assert rows(conformed(**{column: given}), column) == [(expected,)]


@pytest.mark.parametrize(
    ("born", "moment", "age"),
    [
        ("2000-06-30", "2026-06-29T23:59:59", 25),
        ("2000-06-30", "2026-06-30T00:00:00", 26),
        ("2000-02-29", "2026-02-28T12:00:00", 25),
        ("2000-02-29", "2026-03-01T00:00:00", 26),
    ],
)
def test_age_counts_birthdays(born: str, moment: str, age: int) -> None:
    assert rows(conformed(moment, date_of_birth=day(born), age=99), "age") == [(age,)]


@pytest.mark.parametrize(
    ("born", "stored", "age"), [(None, 40, 40), ("1880-01-01", 40, 40), (None, 200, None), ("2020-01-01", 5, None)]
)
def test_an_implausible_age_gives_way_to_the_stored_one_or_to_none(
    born: str | None, stored: int, age: int | None
) -> None:
    assert rows(conformed(date_of_birth=day(born) if born else None, age=stored), "age") == [(age,)]


def test_state_code_and_name_complete_each_other() -> None:
    assert rows(conformed(state="California"), "state_code", "state") == [("CA", "California")]
    assert rows(conformed(state_code="ny"), "state_code", "state") == [("NY", "New York")]
    assert rows(conformed(state="Bavaria"), "state_code", "state") == [(None, "Bavaria")]


@pytest.mark.parametrize(("ordered", "known"), [("2026-06-01", [("c1", "ann", None, True)]), ("2026-07-01", [])])
def test_who_orders_is_known_whatever_the_registration_says(ordered: str, known: list[tuple[Any, ...]]) -> None:
    people = table(
        "sources/customer", {"customer_id": "c1", "first_name": "ann", "registration_date": day("2026-08-01")}
    )
    bought = table("sources/orders", {"order_id": "o", "customer_id": "c1", "ordered_at": day(ordered)})
    found = computed(customers)(people, bought, NO_EVENTS, at("2026-06-30"))
    assert rows(found, "customer_id", "first_name", "registered_at", "is_registered") == known


def test_who_only_orders_or_browses_is_a_customer_too_but_not_registered() -> None:
    result = computed(customers)(
        table("sources/customer", {"customer_id": "registered"}),
        table("sources/orders", {"order_id": "o", "customer_id": "orders"}, {"order_id": "p", "customer_id": None}),
        table(
            "sources/web_analytics", {"activity_uuid": "a", "entity_id": "browses", "activity_ts": day("2026-01-01")}
        ),
        at("2026-06-30T00:00:00"),
    )
    assert rows(result, "customer_id", "is_registered") == [
        ("browses", False),
        ("orders", False),
        ("registered", True),
    ]


def test_who_registers_after_as_of_is_not_known_yet() -> None:
    later = datetime(2026, 6, 30, 12, 0, 1)
    assert rows(conformed(registration_date=later), "customer_id") == []
    assert rows(conformed(registration_date=datetime(2026, 6, 30, 12)), "customer_id") == [("c1",)]
