"""Session paths: what a visit did, in order."""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.conformed.session_paths import MOST_ACTIONS, session_paths
from tests.tables import at, computed, rows, table

MORNING = datetime(2026, 6, 1, 9)


def event(number: int, seconds: float, action: str, session: str | None = "s") -> dict[str, Any]:
    moment = MORNING + timedelta(seconds=seconds)
    return {"activity_uuid": str(number), "session_id": session, "activity_ts": moment, "event_action": action}


def paths(*events: dict[str, Any], as_of: str = "2026-06-30") -> list[tuple[Any, ...]]:
    found: ir.Table = computed(session_paths)(table("sources/web_analytics", *events), at(as_of))
    return rows(found, "session_id", "path", "step_count")


def test_a_path_is_the_actions_in_the_order_of_their_time_and_repeats_are_one_step() -> None:
    found = paths(
        event(1, 9, "add_to_cart"),
        event(2, 0, "page_view"),
        event(3, 2, "page_view"),
        event(4, 5, "product_view"),
        event(5, 12, "product_view"),
        event(6, 1, "checkout", "other"),
    )
    assert found == [("other", "checkout", 1), ("s", "page_view > product_view > add_to_cart > product_view", 4)]


def test_actions_of_one_moment_come_by_the_alphabet_and_a_microsecond_later_is_later() -> None:
    lines = [event(1, 5, "order_placed"), event(2, 5, "checkout"), event(3, 5, "order_placed"), event(4, 4.999999, "z")]
    assert paths(*lines) == [("s", "z > checkout > order_placed", 3)]


def test_events_outside_of_a_session_or_after_as_of_are_in_no_path() -> None:
    late = event(2, 86_400 * 60, "checkout")
    assert paths(event(1, 0, "page_view"), late, event(3, 1, "product_view", None)) == [("s", "page_view", 1)]
    assert paths() == []


def test_an_order_said_again_is_no_step_and_one_said_outside_of_a_session_is_not_said_before() -> None:
    outside, said, again = (
        event(number, number, "order_placed", session) for number, session in ((1, None), (2, "s"), (3, "t"))
    )
    order = {"order_id": "o"}
    found = paths(outside | order, said | order, again | order, event(4, 4, "page_view"))
    assert found == [("s", "order_placed > page_view", 2)]


def test_the_first_and_last_moments_a_contract_allows_keep_their_order() -> None:
    last = event(1, 0, "page_view") | {"activity_ts": datetime(2099, 12, 31, 23, 59, 59)}
    first = event(2, 0, "product_view") | {"activity_ts": datetime(1900, 1, 1)}
    assert paths(last, first, as_of="2100-01-01") == [("s", "product_view > page_view", 2)]


def test_actions_beyond_the_most_that_fit_share_a_name() -> None:
    found = paths(*[event(number, number, f"a{number:04}") for number in range(MOST_ACTIONS + 2)])
    steps = found[0][1].split(" > ")
    assert steps == [*(f"a{number:04}" for number in range(MOST_ACTIONS - 1)), "(other)"]


EVENTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.sampled_from("abcd")), max_size=25)


@settings(max_examples=25, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_paths_equal_a_plain_loop_whatever_the_order_of_rows(did: list[tuple[int, int, str]], random: Any) -> None:
    literal = [event(number, seconds, action, f"s{who}") for number, (who, seconds, action) in enumerate(did)]
    random.shuffle(literal)
    expected = []
    for who in sorted({who for who, _, _ in did}):
        in_order = [
            action for _, action in sorted((seconds, action) for session, seconds, action in did if session == who)
        ]
        steps = [action for action, _ in groupby(in_order)]
        expected.append((f"s{who}", " > ".join(steps), len(steps)))
    assert paths(*literal) == expected
