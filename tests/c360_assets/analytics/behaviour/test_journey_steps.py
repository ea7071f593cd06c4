"""Journey steps: where visits go from each action, and where they end."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.journey_steps import journey_steps
from tests.tables import computed, rows, table

COLUMNS = ("from_action", "to_action", "transition_count", "session_count", "share_of_from", "is_drop_off")


def stepped(*paths: str) -> ir.Table:
    return computed(journey_steps)(
        table("session_paths", *[{"session_id": str(number), "path": path} for number, path in enumerate(paths)])
    )


def test_each_step_is_counted_by_times_and_by_visits() -> None:
    assert sorted(rows(stepped("a > b > a > b", "a", "a > b"), *COLUMNS)) == [
        ("(start)", "a", 3, 3, 1.0, False),
        ("a", "(end)", 1, 1, 0.25, True),
        ("a", "b", 3, 2, 0.75, False),
        ("b", "(end)", 2, 2, 2 / 3, True),
        ("b", "a", 1, 1, 1 / 3, False),
    ]


def test_without_visits_there_is_no_step() -> None:
    assert rows(stepped(), "from_action") == []


PATHS = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(" > ".join), max_size=12)


@settings(max_examples=25, deadline=None)
@given(PATHS, st.randoms(use_true_random=False))
def test_what_flows_into_an_action_flows_out_of_it(paths: list[str], random: Any) -> None:
    mixed = list(paths)
    random.shuffle(mixed)
    found = rows(stepped(*mixed), *COLUMNS)
    flow: dict[str, int] = defaultdict(int)
    for origin, target, times, _, _, is_drop_off in found:
        flow[origin] -= times
        flow[target] += times
        assert is_drop_off == (target == "(end)")
    assert {action: net for action, net in flow.items() if net} == (
        {"(start)": -len(paths), "(end)": len(paths)} if paths else {}
    )


@settings(max_examples=25, deadline=None)
@given(PATHS)
def test_steps_equal_a_plain_loop(paths: list[str]) -> None:
    times: Counter[tuple[str, str]] = Counter()
    visits: Counter[tuple[str, str]] = Counter()
    for path in paths:
        taken = list(pairwise(["(start)", *path.split(" > "), "(end)"]))
        times.update(taken)
        visits.update(set(taken))
    left: Counter[str] = Counter()
    for (origin, _), count in times.items():
        left[origin] += count
    expected = [(*step, times[step], visits[step], times[step] / left[step[0]]) for step in sorted(times)]
    assert sorted(rows(stepped(*paths), *COLUMNS[:-1])) == expected
