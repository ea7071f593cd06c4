"""Tickets: what was known of them by as_of."""

from c360_assets.conformed.tickets import tickets
from tests.tables import at, computed, day, rows, table


def test_a_ticket_is_resolved_only_from_its_resolution_on() -> None:
    given = {
        "resolved": ("2026-06-01", "2026-06-02"),
        "later": ("2026-06-01", "2026-07-01"),
        "open": ("2026-06-01", None),
        "backwards": ("2026-06-02", "2026-06-01"),
        "undated": (None, "2026-06-01"),
        "to come": ("2026-07-01", "2026-07-02"),
    }
    source = [
        {"ticket_id": name, "opened_at": opened and day(opened), "resolved_at": resolved and day(resolved)}
        for name, (opened, resolved) in given.items()
    ]
    found = computed(tickets)(table("sources/support_ticket", *source), at("2026-06-30"))
    assert rows(found, "ticket_id", "resolved_at", "resolution_seconds") == [
        ("backwards", day("2026-06-01"), None),
        ("later", None, None),
        ("open", None, None),
        ("resolved", day("2026-06-02"), 86_400),
        ("undated", day("2026-06-01"), None),
    ]
