"""Touches: every meeting of customer and shop is counted once, under its channel."""

from collections import Counter
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.touches import touches
from c360_assets.conformed.answers import answers
from c360_assets.conformed.contacts import contacts
from c360_assets.conformed.ratings import ratings
from c360_assets.conformed.tickets import tickets
from tests.tables import at, computed, day, money, rows, table

ANN = {"customer_id": "ann"}


def met(**given: list[dict[str, Any]]) -> ir.Table:
    """The touches of what is given as of the 30th of June, with no rows in what is not given."""
    now = at("2026-06-30")
    made_of = {
        "marketing_touchpoint": contacts,
        "support_ticket": tickets,
        "survey_answer": answers,
        "review": ratings,
    }
    tables = [table(name, *given.get(name, [])) for name in ("sessions", "orders")]
    tables += [computed(made)(table(f"sources/{name}", *given.get(name, [])), now) for name, made in made_of.items()]
    return computed(touches)(*tables, now)


def session(number: int, on: str, channel: str | None = "email", orders: int = 0) -> dict[str, Any]:
    return {
        "session_id": str(number), "entity_id": "ann", "started_at": day(on), "traffic_channel": channel,
        "order_count": orders,
    }  # fmt: skip


def contact(number: int, on: str, cost: float) -> dict[str, Any]:
    return {**ANN, "touchpoint_id": str(number), "touched_at": day(on), "traffic_channel": "email", "cost": cost}


def test_each_source_is_a_kind_of_channel() -> None:
    found = met(
        sessions=[session(1, "2026-06-01", orders=1), session(2, "2026-04-01"), session(3, "2026-06-02", None)],
        orders=[
            {**ANN, "order_id": "1", "ordered_at": day("2026-06-01"), "is_completed": True, "sales_channel": "shop"}
        ],
        marketing_touchpoint=[contact(1, "2026-05-01", 0.25), contact(2, "2026-05-02", 0.5)],
        support_ticket=[{**ANN, "ticket_id": "1", "opened_at": day("2026-06-03"), "contact_channel": "chat"}],
        survey_answer=[{**ANN, "answer_id": "1", "answered_at": day("2026-06-04")}],
        review=[{**ANN, "review_id": "1", "reviewed_at": day("2026-06-05")}],
    )
    columns = ("channel_kind", "channel", "touch_count", "recent_touch_count", "cost", "order_count")
    assert sorted(rows(found, *columns)) == [
        ("feedback", "review", 1, 1, money("0"), 0),
        ("feedback", "survey", 1, 1, money("0"), 0),
        ("marketing", "email", 2, 2, money("0.75"), 0),
        ("sales", "shop", 1, 1, money("0"), 1),
        ("support", "chat", 1, 1, money("0"), 0),
        ("web", "email", 2, 1, money("0"), 1),
        ("web", "unknown", 1, 1, money("0"), 0),
    ]


def test_what_comes_after_as_of_has_not_happened_and_cancelled_orders_are_no_sales() -> None:
    cancelled = {**ANN, "order_id": "1", "ordered_at": day("2026-06-01"), "is_completed": False}
    assert rows(met(orders=[cancelled], marketing_touchpoint=[contact(1, "2026-07-01", 1.0)]), "customer_id") == []


def test_nobody_is_no_customer() -> None:
    assert rows(met(sessions=[session(1, "2026-06-01") | {"entity_id": None}]), "customer_id") == []


VISIT = st.tuples(st.sampled_from(["email", "search", None]), st.integers(1, 28))


@settings(max_examples=25, deadline=None)
@given(st.lists(VISIT, max_size=15), st.randoms(use_true_random=False))
def test_no_visit_is_lost_whatever_the_order_of_rows(visits: list[tuple[str | None, int]], random: Any) -> None:
    given_rows = [session(number, f"2026-06-{on:02}", channel) for number, (channel, on) in enumerate(visits)]
    random.shuffle(given_rows)
    expected = Counter(channel or "unknown" for channel, _ in visits)
    assert dict(rows(met(sessions=given_rows), "channel", "touch_count")) == dict(expected)
