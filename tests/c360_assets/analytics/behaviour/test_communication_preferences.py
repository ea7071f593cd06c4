"""Communication preferences: who agreed to which channel, in counts alone."""

from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.communication_preferences import CHANNELS, communication_preferences
from c360_assets.conformed.contacts import contacts as contacts_of
from tests.tables import at, computed, day, rows, table

CONSENT = ("channel", "accepted_count", "declined_count", "unknown_count", "acceptance_rate", "reachable_count")


def asked(*customers: dict[str, Any], contacts: tuple[dict[str, Any], ...] = ()) -> ir.Table:
    known = [{"customer_id": str(number), **customer} for number, customer in enumerate(customers)]
    touches = [{"touchpoint_id": str(number), **contact} for number, contact in enumerate(contacts)]
    made = computed(contacts_of)(table("sources/marketing_touchpoint", *touches), at("2026-06-30"))
    return computed(communication_preferences)(table("customers", *known), made)


def test_consent_counts_by_channel_and_only_who_has_an_address_can_be_reached() -> None:
    found = asked(
        {"accepts_email": True, "email_address": "a@b.c", "accepts_sms": True, "accepts_phone": False},
        {"accepts_email": True, "accepts_sms": False, "phone_number": "1"},
        {"accepts_email": False, "email_address": "d@e.f", "accepts_sms": True, "phone_number": "2"},
        {},
    )
    assert rows(found, *CONSENT) == [
        ("email", 2, 1, 1, 2 / 3, 1),
        ("phone", 0, 1, 3, 0.0, 0),
        ("sms", 2, 1, 1, 2 / 3, 1),
    ]
    assert rows(found, "channel", "customer_count", "reason") == [(name, 4, None) for name in ("email", "phone", "sms")]


def test_preferences_and_contacts_count_whatever_their_case() -> None:
    contacts = ({"traffic_channel": "SMS ", "touched_at": day("2026-06-01")}, {"traffic_channel": "display"})
    found = asked({"preferred_channel": "Email"}, {"preferred_channel": "post"}, {}, contacts=contacts)
    assert rows(found, "channel", "preferred_count", "touch_count") == [("email", 1, 0), ("phone", 0, 0), ("sms", 0, 1)]


def test_what_no_source_tells_is_empty_with_a_reason() -> None:
    later = {"traffic_channel": "email", "touched_at": day("2026-07-01")}
    for found in (asked(), asked({}, contacts=(later,))):
        assert [row[0] for row in rows(found, "channel")] == ["email", "phone", "sms"]
        empty = (
            "accepted_count",
            "declined_count",
            "acceptance_rate",
            "reachable_count",
            "preferred_count",
            "touch_count",
        )
        assert set(rows(found, *empty)) == {(None,) * 6}
        assert set(rows(found, "reason")) == {("no customer's consent is known",)}


ANSWERS = st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 3, st.booleans()), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(ANSWERS, st.randoms(use_true_random=False))
def test_every_customer_is_counted_once_in_each_channel(answers: list[tuple[Any, ...]], random: Any) -> None:
    customers = [
        {"accepts_email": email, "accepts_sms": sms, "accepts_phone": phone, "phone_number": "1" if known else None}
        for email, sms, phone, known in answers
    ]
    random.shuffle(customers)
    found = rows(asked(*customers), *CONSENT)
    for channel, accepted, declined, unknown, rate, reachable in found:
        said = [customer[CHANNELS[channel][0]] for customer in customers]
        assert unknown == said.count(None)
        if any(answer is not None for answer in said):
            assert (accepted, declined) == (said.count(True), said.count(False))
            assert rate == accepted / (accepted + declined)
            address = CHANNELS[channel][1]
            assert reachable == sum(
                bool(a and customer.get(address)) for a, customer in zip(said, customers, strict=True)
            )
