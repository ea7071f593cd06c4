"""Journeys: the paths most visits take, and what came of them."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.journeys import MAX_STEPS, TOP_PATHS, journeys
from tests.tables import computed, rows, table

MORNING = datetime(2026, 6, 1, 9)


def walked(*visits: tuple[str, str | None, int, int]) -> ir.Table:
    """Journeys of visits, each with its path, customer, seconds and orders."""
    paths, sessions = [], []
    for number, (path, customer, seconds, orders) in enumerate(visits):
        name, ended = f"s{number:03}", MORNING + timedelta(seconds=seconds)
        paths.append({"session_id": name, "path": path, "step_count": path.count(" > ") + 1})
        sessions.append(
            {"session_id": name, "entity_id": customer, "started_at": MORNING, "ended_at": ended, "order_count": orders}
        )
    return computed(journeys)(table("session_paths", *paths), table("sessions", *sessions))


def test_visits_of_one_path_are_counted_together() -> None:
    found = walked(
        ("page_view", "ann", 0, 0),
        ("page_view > order_placed", "ann", 90, 2),
        ("page_view > order_placed", "ann", 30, 1),
        ("page_view > order_placed", None, 60, 1),
    )
    counts = ("rank", "path", "step_count", "session_count", "session_share", "customer_count", "order_count")
    assert rows(found, *counts) == [
        (1, "page_view > order_placed", 2, 3, 0.75, 1, 3),
        (2, "page_view", 1, 1, 0.25, 1, 0),
    ]
    assert rows(found, "rank", "conversion_rate", "last_action", "average_minutes") == [
        (1, 1.0, "order_placed", 1.0),
        (2, 0.0, "page_view", 0.0),
    ]


def test_a_long_path_is_cut_and_ends_as_most_of_its_visits_do() -> None:
    begun = " > ".join(["a", "b"] * (MAX_STEPS // 2))
    found = walked(
        (f"{begun} > a > order_placed", "ann", 0, 1),
        (f"{begun} > a", "bob", 0, 0),
        (f"{begun} > c > a", "cid", 0, 0),
        (begun, "ann", 0, 0),
    )
    columns = ("rank", "path", "step_count", "session_count", "customer_count", "order_count", "last_action")
    assert rows(found, *columns) == [
        (1, f"{begun} > ...", MAX_STEPS, 3, 3, 1, "a"),
        (2, begun, MAX_STEPS, 1, 1, 0, "b"),
    ]


def test_rare_paths_are_one_row_that_comes_last() -> None:
    frequent = [(f"p{number:03}", "ann", 0, 0) for number in range(TOP_PATHS)] * 2
    rare = [
        ("z > order_placed", "bob", 60, 1),
        ("y", "bob", 0, 0),
        ("x", None, 0, 0),
        ("y > order_placed", None, 60, 1),
    ]
    found = walked(*frequent, *rare)
    columns = ("path", "step_count", "session_count", "customer_count", "order_count", "last_action", "average_minutes")
    last = rows(found, "rank", *columns)[-1]
    assert last == (TOP_PATHS + 1, "(other)", None, 4, 1, 2, "order_placed", 0.5)
    assert found.count().to_pyarrow().as_py() == TOP_PATHS + 1


def test_without_visits_there_is_no_journey() -> None:
    assert rows(walked(), "path") == []


VISITS = st.lists(
    st.tuples(
        st.sampled_from(["a", "a > b", "b > a", "b"]), st.sampled_from(["ann", "bob", None]), st.integers(0, 300)
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(VISITS, st.randoms(use_true_random=False))
def test_no_visit_is_lost_whatever_the_order_of_rows(visits: list[tuple[str, str | None, int]], random: Any) -> None:
    mixed = [(path, customer, seconds, seconds % 2) for path, customer, seconds in visits]
    random.shuffle(mixed)
    found = rows(walked(*mixed), "rank", "path", "session_count", "order_count", "customer_count", "average_minutes")
    sizes = Counter(path for path, _, _ in visits)
    assert [(path, count) for _, path, count, *_ in found] == sorted(
        sizes.items(), key=lambda item: (-item[1], item[0])
    )
    for _, path, count, orders, customers, minutes in found:
        taken = [(customer, seconds) for way, customer, seconds in visits if way == path]
        assert orders == sum(seconds % 2 for _, seconds in taken)
        assert customers == len({customer for customer, _ in taken if customer})
        assert minutes == sum(seconds for _, seconds in taken) / (60 * count)
