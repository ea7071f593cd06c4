"""Loyalty members: accounts by the kind of their entries, and who uses them."""

from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.experience.loyalty_members import loyalty_members
from c360_assets.conformed.points import points as points_of
from tests.tables import arrow, at, computed, day, rows, table

NOW = at("2026-06-30T12:00:00")
Row = dict[str, Any]


def entry(who: str | None, on: str | None, kind: str | None, points: int | None) -> Row:
    return {
        "entry_id": f"{who} {on} {kind} {points}", "customer_id": who, "entry_ts": day(on) if on else None,
        "entry_type": kind, "points": points,
    }  # fmt: skip


def members(*entries: Row, now: ir.Table = NOW) -> ir.Table:
    return computed(loyalty_members)(computed(points_of)(table("sources/loyalty_ledger", *entries), now), now)


def test_points_are_added_and_taken_by_the_kind_of_entry_whatever_its_usual_sign() -> None:
    found = members(
        entry("ann", "2026-01-01", "earn", 100),
        entry("ann", "2026-05-01", "Earn ", 50),
        entry("ann", "2026-06-01", "burn", -60),
        entry("ann", "2026-06-02", "burn", -30),
        entry("ann", "2026-06-03", "expire", -10),
        entry("ann", "2026-06-04", "gift", 1000),
        entry("ann", "2026-06-04", None, 1000),
        entry("ann", "2026-06-04", "earn", None),
        entry(None, "2026-06-01", "earn", 5),
    )
    points = ("customer_id", "points_earned", "points_burned", "points_expired", "points_balance", "burn_rate")
    assert rows(found, *points) == [("ann", 150, 90, 10, 50, 0.6)]
    assert rows(found, "earn_count", "burn_count", "recent_earn_count", "recent_burn_count") == [(3, 2, 2, 2)]
    assert rows(found, "joined_at", "last_entry_at", "last_activity_at") == [
        (day("2026-01-01"), day("2026-06-04"), day("2026-06-04"))
    ]


def test_members_are_active_then_dormant_then_lapsed() -> None:
    # 89, 90, 364 and 365 days before the 30th of June.
    days = {"a": "2026-04-02", "b": "2026-04-01", "c": "2025-07-01", "d": "2025-06-30"}
    used = [entry(who, on, "earn", 10) for who, on in days.items()]
    expired = [entry("d", "2026-06-30", "expire", 10), entry("e", "2026-06-30", "expire", 10)]
    columns = ("customer_id", "member_state", "is_engaged", "recent_earn_count")
    assert rows(members(*used, *expired), *columns) == [
        ("a", "active", True, 1),
        ("b", "dormant", False, 0),
        ("c", "dormant", False, 0),
        ("d", "lapsed", False, 0),
        ("e", None, None, 0),
    ]


def test_what_has_no_date_counts_and_says_nothing_of_when() -> None:
    undated = table("as_of", {"as_of": None})
    columns = ("points_balance", "joined_at", "recent_earn_count", "is_engaged", "member_state")
    assert rows(members(entry("ann", None, "earn", 10)), *columns) == [(10, None, None, None, None)]
    dated = members(entry("ann", "2026-01-01", "earn", 10), now=undated)
    assert rows(dated, *columns) == [(10, day("2026-01-01"), None, None, None)]


def test_who_never_earned_has_no_burn_rate_and_may_be_overdrawn() -> None:
    found = members(entry("ann", "2026-06-01", "burn", 10))
    assert rows(found, "points_balance", "burn_rate") == [(-10, None)]


def test_an_entry_of_the_other_sign_takes_back_one_before_it() -> None:
    found = members(
        entry("ann", "2026-01-01", "earn", 100),
        entry("ann", "2026-01-02", "earn", -40),
        entry("ann", "2026-05-01", "burn", -60),
        entry("ann", "2026-05-02", "burn", 60),
        entry("bob", "2026-05-02", "burn", -5),
    )
    counted = ("customer_id", "points_earned", "points_burned", "earn_count", "burn_count")
    assert rows(found, *counted) == [("ann", 60, 0, 1, 1), ("bob", 0, 5, 0, 1)]


def test_what_comes_after_the_moment_changes_nothing() -> None:
    before = entry("ann", "2026-06-01", "earn", 10)
    later = [entry("ann", "2026-07-01", "burn", 5), entry("bob", "2026-07-01", "earn", 5)]
    assert arrow(members(before, *later)) == arrow(members(before))
    assert rows(members(*later), "customer_id") == []


def test_points_beyond_four_bytes_are_summed() -> None:
    huge = -(2**31)
    found = members(entry("ann", "2026-06-01", "burn", huge), entry("ann", "2026-06-02", "burn", huge))
    assert rows(found, "points_burned") == [(2**32,)]


KINDS = st.sampled_from(["earn", "burn", "expire"])
ENTRIES = st.lists(st.tuples(st.integers(0, 3), KINDS, st.integers(-500, 500), st.integers(0, 500)), max_size=25)


@settings(max_examples=25, deadline=None)
@given(ENTRIES, st.randoms(use_true_random=False))
def test_accounts_equal_a_plain_loop_whatever_the_order_of_rows(
    given: list[tuple[int, str, int, int]], random: Any
) -> None:
    signs = {kind: sum((p > 0) - (p < 0) for _, k, p, _ in given if k == kind) for kind in ("earn", "burn", "expire")}
    accounts: dict[str, dict[str, int]] = {}
    used: dict[str, list[int]] = {}
    for who, kind, points, ago in given:
        account = accounts.setdefault(f"c{who}", dict.fromkeys(("earn", "burn", "expire"), 0))
        usual = -points if signs[kind] < 0 else points
        account[kind] += usual
        if kind != "expire" and usual >= 0:
            used.setdefault(f"c{who}", []).append(ago)
    literal = [
        entry(f"c{who}", "2026-06-30", kind, points) | {"entry_ts": datetime(2026, 6, 30) - timedelta(days=ago)}
        for who, kind, points, ago in given
    ]
    random.shuffle(literal)

    def state(who: str) -> str | None:
        ago = min(used.get(who, [10**6]))
        return None if who not in used else "active" if ago < 90 else "dormant" if ago < 365 else "lapsed"

    columns = ("customer_id", "points_earned", "points_burned", "points_expired", "points_balance", "member_state")
    assert rows(members(*literal), *columns) == [
        (who, *held.values(), held["earn"] - held["burn"] - held["expire"], state(who))
        for who, held in sorted(accounts.items())
    ]
