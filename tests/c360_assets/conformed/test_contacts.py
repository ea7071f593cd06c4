"""Contacts: what marketing did by as_of."""

from c360_assets.conformed.contacts import contacts
from tests.tables import at, computed, day, money, rows, table


def test_contacts_by_as_of_are_there_with_their_exact_cost() -> None:
    given = [
        {"touchpoint_id": "1", "customer_id": "ann", "touched_at": day("2026-06-01"), "cost": 0.1},
        {"touchpoint_id": "2", "touched_at": None, "cost": None},
        {"touchpoint_id": "3", "customer_id": "ann", "touched_at": day("2026-07-01"), "cost": 1.0},
    ]
    found = computed(contacts)(table("sources/marketing_touchpoint", *given), at("2026-06-30"))
    assert rows(found, "touchpoint_id", "customer_id", "cost") == [("1", "ann", money("0.1")), ("2", None, None)]
