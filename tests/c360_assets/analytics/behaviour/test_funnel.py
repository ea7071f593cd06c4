"""Funnel: how far sessions get, counted per step and never widening."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.funnel import funnel
from tests.tables import computed, rows, table

COLUMNS = ("product_view_count", "favorite_count", "cart_count", "order_count")


def session(session_id: str, did: str, customer: str | None = None, **more: Any) -> dict[str, Any]:
    """`did` names the steps by their first letters, such as 'vco'."""
    counts = {column: 2 * (step in did) for column, step in zip(COLUMNS, "vfco", strict=True)}
    return {"session_id": session_id, "entity_id": customer, **counts, **more}


def segment(customer: str, value: str, level: str) -> dict[str, Any]:
    return {"customer_id": customer, "customer_segment": value, "engagement_level": level}


def of_all(sessions: Any, *columns: str) -> list[tuple[Any, ...]]:
    found: Any = computed(funnel)(sessions, table("customer_segments"))
    return rows(found.filter(found.dimension == "all"), *columns, by="step")


def test_a_session_counts_for_what_it_did_and_reached_whatever_comes_before() -> None:
    visits = table(
        "sessions",
        session("1", "v", "ann"),
        session("2", "vf", "ann"),
        session("3", "vc", "ann"),
        session("4", "vfco", "bob"),
        session("5", "o"),
        session("6", ""),
    )
    assert of_all(visits, "step", "step_name", "session_count", "reached_count", "customer_count", "reason") == [
        (1, "view", 4, 5, 2, None),
        (2, "favorite", 2, 4, 2, None),
        (3, "cart", 2, 3, 2, None),
        (4, "order", 2, 2, 1, None),
    ]
    assert of_all(visits, "rate_of_views", "rate_of_previous", "drop_off_rate") == [
        (1.0, None, 1 / 5),
        (2 / 4, 2 / 4, 1 / 4),
        (2 / 4, 1 / 2, 1 / 3),
        (1 / 4, 1 / 2, None),
    ]


def test_the_funnel_is_told_by_channel_device_and_segment() -> None:
    visits = table(
        "sessions",
        session("1", "vo", "ann", traffic_channel="email", device="mobile"),
        session("2", "v", None, traffic_channel="unknown"),
        session("3", "v", "bob"),
    )
    segments = table("customer_segments", segment("ann", "VIP", "Champions"), segment("bob", "New", "Churn Risk"))
    found: Any = computed(funnel)(visits, segments)
    views = found.filter(found.step == 1, found.dimension != "all").order_by("dimension", "value")
    columns = ("dimension", "value", "session_count", "customer_count")
    assert [tuple(record[name] for name in columns) for record in views.to_pyarrow().to_pylist()] == [
        ("customer_segment", "New", 1, 1),
        ("customer_segment", "VIP", 1, 1),
        ("customer_segment", "unknown", 1, 0),
        ("device", "mobile", 1, 1),
        ("device", "unknown", 2, 1),
        ("engagement_level", "Champions", 1, 1),
        ("engagement_level", "Churn Risk", 1, 1),
        ("engagement_level", "unknown", 1, 0),
        ("traffic_channel", "email", 1, 1),
        ("traffic_channel", "unknown", 2, 1),
    ]


def test_without_web_events_the_four_steps_say_why_they_are_empty() -> None:
    found: Any = computed(funnel)(table("sessions"), table("customer_segments", segment("ann", "VIP", "Champions")))
    columns = ("step", "dimension", "value", "session_count", "reached_count", "customer_count", "drop_off_rate")
    assert rows(found, *columns, "reason") == [
        (step, "all", "all", None, None, None, None, "no web events") for step in (1, 2, 3, 4)
    ]


def test_sessions_that_look_at_nothing_have_no_rates() -> None:
    visits = table("sessions", session("1", ""))
    columns = ("session_count", "rate_of_views", "rate_of_previous", "drop_off_rate", "reason")
    assert of_all(visits, *columns) == [(0, None, None, None, None)] * 4


VISITS = st.lists(
    st.tuples(
        st.sampled_from(["", "v", "vf", "vc", "vfc", "vco", "co", "o", "vfco"]),
        st.sampled_from([None, "ann", "bob"]),
        st.sampled_from([None, "email", "social"]),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(VISITS, st.randoms(use_true_random=False))
def test_the_funnel_equals_a_plain_loop_and_each_dimension_holds_all_sessions(visits: list[Any], random: Any) -> None:
    literal = [session(str(n), did, who, traffic_channel=via) for n, (did, who, via) in enumerate(visits)]
    random.shuffle(literal)
    expected = []
    for step, letter in enumerate("vfco", 1):
        did = [visit for visit in visits if letter in visit[0]]
        reached = sum(any(later in visit[0] for later in "vfco"[step - 1 :]) for visit in visits)
        expected.append((step, len(did), reached, len({who for _, who, _ in did if who})))
    measured = table("sessions", *literal)
    assert of_all(measured, "step", "session_count", "reached_count", "customer_count") == expected
    assert all(before[2] >= after[2] for before, after in pairwise(expected))
    found: Any = computed(funnel)(measured, table("customer_segments", segment("ann", "VIP", "Champions")))
    sums = found.group_by("dimension", "step").agg(sessions=found.session_count.sum().cast("int64"))
    assert set(rows(sums, "step", "sessions")) == {(step, count) for step, count, *_ in expected}
    assert len(rows(sums, "step")) == 5 * 4
