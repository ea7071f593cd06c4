"""Frictions: where visits stumble, and what they leave behind."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.behaviour.frictions import TOP_PLACES, frictions
from c360_assets.conformed.stumbles import stumbles
from tests.tables import at, computed, money, rows, table

MORNING = datetime(2026, 6, 1, 9)
WHERE = ("kind", "place", "session_count", "customer_count", "example_count")


def event(
    seconds: float, page: str | None, action: str = "page_view", session: str = "s", **more: Any
) -> dict[str, Any]:
    moment = MORNING + timedelta(seconds=seconds)
    return {"session_id": session, "activity_ts": moment, "event_action": action, "page_url": page, **more}


def stumbled(*events: dict[str, Any], customers: dict[str, str] | None = None, priced: str | None = None) -> ir.Table:
    """Frictions of these events, their sessions and carts; each thing in a cart costs `priced`."""
    numbered = [{"activity_uuid": str(number), **event} for number, event in enumerate(events)]
    visits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in numbered:
        visits[row["session_id"]].append(row)
    sessions = []
    for name, happened in visits.items():
        did = Counter(row["event_action"] for row in happened)
        pages = [row["page_url"] for row in sorted(happened, key=lambda row: row["activity_ts"]) if row["page_url"]]
        sessions.append(
            {
                "session_id": name, "entity_id": (customers or {}).get(name), "event_count": len(happened),
                "cart_count": did["add_to_cart"], "checkout_count": did["checkout"], "order_count": did["order_placed"],
                "exit_page": pages[-1] if pages else None,
                "is_cart_abandoned": did["add_to_cart"] > 0 and did["order_placed"] == 0,
            }
        )  # fmt: skip
    carts = [
        {
            "activity_uuid": row["activity_uuid"],
            "session_id": row["session_id"],
            "order_value": priced and money(priced),
        }
        for row in numbered
        if row["event_action"] == "add_to_cart"
    ]
    web = table("sources/web_analytics", *numbered)
    visited = table("sessions", *sessions)
    return computed(frictions)(
        visited, computed(stumbles)(web, visited, at("2026-06-30")), table("items_added_to_cart", *carts)
    )


def test_a_cart_without_an_order_is_abandoned_where_the_visit_ends() -> None:
    found = stumbled(
        event(0, "/shoes", "add_to_cart"),
        event(1, "/shoes", "add_to_cart"),
        event(2, "/cart/"),
        event(0, "/shoes", "add_to_cart", "t"),
        event(9, "/thanks", "order_placed", "t"),
        event(0, "/cart", "add_to_cart", "u"),
        customers={"s": "ann", "t": "bob"},
        priced="10.50",
    )
    assert rows(found, *WHERE) == [("abandoned_cart", "/cart", 2, 1, 3)]
    assert rows(found, "session_share", "lost_value", "priority", "rank") == [(2 / 3, money("31.50"), "High", 1)]


def test_a_cart_that_nobody_can_price_has_no_value() -> None:
    assert rows(stumbled(event(0, None, "add_to_cart")), "kind", "place", "lost_value") == [
        ("abandoned_cart", "(unknown)", None)
    ]


def test_a_checkout_without_an_order_is_abandoned_and_repeating_it_is_a_failure() -> None:
    found = stumbled(
        event(0, "/pay?try=1", "checkout"),
        event(60, "/pay?try=2", "checkout"),
        event(120, "/help"),
        event(0, "/pay", "checkout", "once"),
        event(0, "/pay", "checkout", "paid"),
        event(60, "/pay", "checkout", "paid"),
        event(90, "/thanks", "order_placed", "paid"),
    )
    assert sorted(rows(found, *WHERE)) == [
        ("abandoned_checkout", "/help", 1, 0, 2),
        ("abandoned_checkout", "/pay", 1, 0, 1),
        ("repeated_failure", "/pay", 1, 0, 2),
    ]


def test_checkouts_of_one_moment_are_lines_of_one() -> None:
    found = stumbled(event(5, "/pay", "checkout"), event(5, "/pay", "checkout"))
    assert {kind for kind, *_ in rows(found, *WHERE)} == {"abandoned_checkout"}


@pytest.mark.parametrize(
    ("page", "action", "place"),
    [
        ("/payment_error", "page_view", "/payment_error"),
        ("/Error/500", "page_view", "/Error/500"),
        ("checkout_bug", "page_view", "checkout_bug"),
        (None, "payment_failed", "payment_failed"),
        ("/pay", "card_error", "/pay"),
    ],
)
def test_the_same_failure_twice_is_a_friction_even_where_an_order_follows(page: Any, action: str, place: str) -> None:
    ordered = event(90, "/thanks", "order_placed")
    found = stumbled(event(0, page, action), event(60, page, action), ordered)
    assert rows(found, *WHERE) == [("repeated_failure", place, 1, 0, 2)]
    assert rows(stumbled(event(0, page, action), ordered), "kind") == []


def test_pages_that_only_sound_like_a_failure_are_none() -> None:
    ladybug, spray = "/c/bugaboo", "/p/error-proof-bug-spray"
    twice = [event(0, ladybug), event(60, ladybug)]
    products = [event(seconds, spray, "product_view", product_sku="1") for seconds in (120, 180)]
    assert rows(stumbled(*twice, *products), "kind") == []


def test_going_back_and_forth_is_told_by_both_pages_and_reloads_do_not_break_it() -> None:
    steps = ["/b", "/a", "/a", "/b", "/b?x=1", "/a", "/b"]
    found = stumbled(*[event(60 * number, page) for number, page in enumerate(steps)], customers={"s": "ann"})
    assert rows(found, *WHERE) == [("back_and_forth", "/a <> /b", 1, 1, 2)]
    straight = [event(60 * number, page) for number, page in enumerate(["/a", "/b", "/a", "/c", "/b"])]
    assert rows(stumbled(*straight), "kind") == []


def test_what_is_put_aside_on_a_page_is_no_way_to_another() -> None:
    visit = [
        event(0, "/a", "product_view"),
        event(10, "/favourites", "add_to_favorite"),
        event(20, "/a", "product_view"),
        event(30, "/favourites", "add_to_favorite"),
    ]
    assert rows(stumbled(*visit), "kind") == []


def test_events_without_a_page_are_known_by_their_action() -> None:
    steps = [("catalog", "page_view"), (None, "product_view")] * 2
    found = stumbled(*[event(60 * number, page, action) for number, (page, action) in enumerate(steps)])
    assert rows(found, "kind", "place") == [("back_and_forth", "catalog <> product_view")]


def test_the_same_again_and_again_within_seconds_is_rage() -> None:
    found = stumbled(*[event(seconds, "/search") for seconds in (0, 2, 5, 10, 11)])
    assert rows(found, *WHERE) == [("rage_repeat", "/search", 1, 0, 2)]
    slow = [event(seconds, "/search") for seconds in (0, 4, 8, 12)]
    mixed = [event(number, "/search", action) for number, action in enumerate(["page_view", "click"] * 2)]
    assert rows(stumbled(*slow), "kind") == []
    assert rows(stumbled(*mixed), "kind") == []


def test_the_lines_of_an_order_are_no_rage() -> None:
    lines = [event(0, "/cart", "add_to_cart", product_sku=str(number)) for number in range(4)]
    ordered = [event(9, "/thanks", "order_placed", product_sku=str(number)) for number in range(4)]
    assert rows(stumbled(*lines, *ordered), "kind") == []


@pytest.mark.parametrize(
    ("page", "place"),
    [
        ("https://shop.example/c/toys?customer=ann@example.com#top", "/c/toys"),
        ("https://shop.example", "/"),
        ("https://shop.example/?q=1", "/"),
        ("/account/ann@example.com/orders/", "/account/*/orders"),
        ("/account/ann%40example.com", "/account/*"),
        ("/orders/4711-0815/lines/2", "/orders/*/lines/2"),
        ("/product/SKU000451", "/product/*"),
        ("tel/+49 (89) 12", "tel/*"),
        ("/cart;session=abc", "/cart"),
        ("/", "/"),
    ],
)
def test_of_a_page_only_the_path_is_told_without_identifiers(page: str, place: str) -> None:
    assert rows(stumbled(event(0, page, "add_to_cart")), "place") == [(place,)]


def test_places_beyond_the_most_frequent_are_one_row() -> None:
    frequent = [event(0, f"/{n}", "add_to_cart", f"f{n}-{i}") for n in range(TOP_PLACES) for i in range(2)]
    rare = [event(0, f"/rare{n}", "add_to_cart", f"r{n}") for n in range(5)]
    found = rows(stumbled(*frequent, *rare, priced="1"), "rank", "place", "session_count", "lost_value")
    assert len(found) == TOP_PLACES + 1
    assert found[0] == (1, "(other)", 5, money("5"))


def test_a_visit_that_stumbles_at_two_rare_places_is_one_visit_there() -> None:
    failures = [
        event(t, f"/error{n}", session=f"f{n}-{i}") for n in range(TOP_PLACES) for i in range(2) for t in (0, 60)
    ]
    unlucky = [event(t, page) for page in ("/error-x", "/error-y") for t in (0, 60)]
    found = {place: row for place, *row in rows(stumbled(*failures, *unlucky), "place", *WHERE[2:])}
    assert found["(other)"] == [1, 0, 4]


def test_priorities_follow_the_share_of_visits() -> None:
    carts = [event(0, "/often", "add_to_cart", f"o{number}") for number in range(5)]
    checkout = event(0, "/seldom", "checkout", "c")
    others = [event(0, "/", session=str(number)) for number in range(95)]
    assert rows(stumbled(*carts, checkout, *others[:94]), "kind", "session_share", "priority") == [
        ("abandoned_cart", 0.05, "High"),
        ("abandoned_checkout", 0.01, "Medium"),
    ]
    assert rows(stumbled(*carts, checkout, *others), "kind", "priority") == [
        ("abandoned_cart", "Medium"),
        ("abandoned_checkout", "Low"),
    ]


def test_without_visits_and_after_as_of_there_is_no_friction() -> None:
    assert rows(stumbled(), "kind") == []
    later = [event(86_400 * 40 + seconds, "/error") for seconds in (0, 60)]
    assert rows(stumbled(*later), "kind") == []


STEPS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.sampled_from("ab")), max_size=25)


@settings(max_examples=25, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_lost_ways_equal_a_plain_loop_whatever_the_order_of_rows(
    steps: list[tuple[int, int, str]], random: Any
) -> None:
    visits: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for who, gap, page in steps:
        before = visits[f"s{who}"][-1][0] if visits[f"s{who}"] else 0
        visits[f"s{who}"].append((before + gap + 1, page))
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name, visit in visits.items():
        stays = [page for page, _ in groupby(page for _, page in visit)]
        turns = max(len(stays) - 3, 0)
        if turns:
            found["back_and_forth", "/a <> /b"][name] = turns
        runs = [visit[end - 3 : end + 1] for end in range(3, len(visit))]
        for page in "ab":
            rages = sum({step for _, step in run} == {page} and run[3][0] - run[0][0] <= 10 for run in runs)
            if rages:
                found["rage_repeat", f"/{page}"][name] = rages
    expected = sorted((*key, len(by_visit), 0, sum(by_visit.values())) for key, by_visit in found.items())
    literal = [event(at, f"/{page}", session=name) for name, visit in visits.items() for at, page in visit]
    random.shuffle(literal)
    assert sorted(rows(stumbled(*literal), *WHERE)) == expected
