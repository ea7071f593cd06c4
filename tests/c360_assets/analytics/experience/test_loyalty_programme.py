"""Loyalty programme: points, members and money by month."""

from collections import defaultdict
from datetime import date, timedelta
from math import sqrt
from statistics import stdev
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.experience.loyalty_programme import loyalty_programme
from c360_assets.conformed.points import points
from tests.tables import arrow, at, computed, day, money, rows, table

NOW = at("2026-06-30T12:00:00")
APRIL, MAY, JUNE = (date(2026, month, 1) for month in (4, 5, 6))
Row = dict[str, Any]


def entry(who: str, on: str | None, kind: str, points: int, order_id: str | None = None) -> Row:
    return {
        "entry_id": f"{who} {on} {kind} {points}", "customer_id": who, "entry_ts": day(on) if on else None,
        "entry_type": kind, "points": points, "order_id": order_id,
    }  # fmt: skip


def order(order_id: str, who: str | None, on: str | None, amount: str | None, **more: Any) -> Row:
    return {
        "order_id": order_id, "customer_id": who, "ordered_at": day(on) if on else None, "is_completed": True,
        "order_amount": money(amount) if amount else None, **more,
    }  # fmt: skip


def months(entries: list[Row], orders: list[Row] | None = None, now: ir.Table = NOW) -> ir.Table:
    accounts = computed(points)(table("sources/loyalty_ledger", *entries), now)
    return computed(loyalty_programme)(accounts, table("orders", *orders or []), now)


def test_points_are_told_by_month_and_held_until_burned_or_expired() -> None:
    entries = [
        entry("ann", "2026-04-10", "earn", 1000),
        entry("bob", "2026-04-20", "earn", 500),
        entry("ann", "2026-06-02", "burn", -300),
        entry("bob", "2026-06-03", "expire", 150),
        entry("eve", None, "earn", 77),
    ]
    points = ("month_on", "points_earned", "points_burned", "points_expired", "points_outstanding", "outstanding_value")
    assert rows(months(entries), *points) == [
        (APRIL, 1500, 0, 0, 1500, money("15")),
        (MAY, 0, 0, 0, 1500, money("15")),
        (JUNE, 0, 300, 150, 1050, money("10.5")),
    ]
    rates = ("month_on", "burn_rate", "breakage_rate", "programme_cost")
    assert rows(months(entries), *rates)[2] == (JUNE, 0.2, 0.1, money("3"))


def test_members_are_active_in_the_months_in_which_they_earn_or_burn() -> None:
    entries = [
        entry("ann", "2026-04-10", "earn", 10),
        entry("ann", "2026-04-11", "earn", 10),
        entry("bob", "2026-05-20", "earn", 50),
        entry("ann", "2026-06-02", "burn", 5),
        entry("bob", "2026-06-03", "expire", 15),
    ]
    columns = ("month_on", "member_count", "new_member_count", "active_member_count", "engagement_rate")
    assert rows(months(entries), *columns) == [(APRIL, 1, 1, 1, 1.0), (MAY, 2, 1, 1, 0.5), (JUNE, 2, 0, 1, 0.5)]


def test_orders_are_of_members_from_the_month_they_joined() -> None:
    entries = [entry("ann", "2026-05-31", "earn", 10), entry("bob", "2026-04-30", "earn", 10)]
    orders = [
        order("1", "ann", "2026-04-01", "10"),
        order("2", "ann", "2026-05-01", "20"),
        order("3", "bob", "2026-05-01", "50"),
        order("4", None, "2026-05-01", "7"),
        order("5", "ann", "2026-05-02", None),
        order("6", "ann", "2026-05-02", "0", is_completed=False),
        order("7", "ann", None, "99"),
        order("8", "ann", "2026-03-31", "99"),
    ]
    columns = ("month_on", "member_order_count", "other_order_count", "member_revenue", "other_revenue")
    assert rows(months(entries, orders), *columns) == [
        (APRIL, 0, 1, money("0"), money("10")),
        (MAY, 2, 1, money("70"), money("7")),
        (JUNE, 0, 0, money("0"), money("0")),
    ]
    averages = ("month_on", "member_average_order_amount", "other_average_order_amount")
    assert rows(months(entries, orders), *averages) == [(APRIL, None, 10.0), (MAY, 35.0, 7.0), (JUNE, None, None)]


def test_orders_with_burned_points_are_set_against_later_ones_without() -> None:
    entries = [
        entry("ann", "2026-04-01", "earn", 2000),
        entry("ann", "2026-05-02", "burn", 400, "burned"),
        entry("ann", "2026-05-09", "burn", 100, "burned"),
        entry("bob", "2026-05-03", "burn", 900, "never again"),
        entry("ann", "2026-05-04", "burn", 900, "cancelled"),
        entry("ann", "2026-05-05", "burn", 900),
    ]
    orders = [
        order("before", "ann", "2026-04-01", "1000"),
        order("burned", "ann", "2026-05-02", "57.5"),
        order("later", "ann", "2026-05-03", "40"),
        order("latest", "ann", "2026-06-03", "60"),
        order("undated", "ann", None, "500"),
        order("never again", "bob", "2026-05-03", "90"),
        order("cancelled", "ann", "2026-05-04", "0", is_completed=False),
    ]
    columns = ("month_on", "burn_order_count", "compared_order_count", "observed_uplift", "compared_cost")
    assert rows(months(entries, orders), *columns) == [
        (APRIL, 0, 0, None, None),
        (MAY, 2, 1, money("7.5"), money("5")),
        (JUNE, 0, 0, None, None),
    ]
    found = rows(months(entries, orders), "month_on", "observed_roi", "roi_reason")
    assert found == [(month, None, "fewer than ten orders can be compared") for month in (APRIL, MAY, JUNE)]


def test_the_return_of_ten_orders_is_told_with_its_interval() -> None:
    # Each buys for 20 with 100 points, worth 1, and later for 10 without; two gain nothing.
    names = [f"c{n}" for n in range(10)]
    entries = [entry(name, "2026-05-02", "burn", 100, order_id=f"{name} burned") for name in names]
    burned = [order(f"{name} burned", name, "2026-05-02", "11" if name in ("c0", "c1") else "20") for name in names]
    later = [order(f"{name} later", name, "2026-06-01", "10") for name in names]
    found = rows(
        months(entries, [*burned, *later]), "month_on", "observed_roi", "observed_roi_low", "observed_roi_high"
    )
    gains = [0.0, 0.0, *[9.0] * 8]
    half = 2.262157 * stdev(gains) / sqrt(10) * 10 / 10
    assert found[0] == (MAY, *[pytest.approx(end) for end in (7.2, 7.2 - half, 7.2 + half)])


def test_months_reach_to_the_moment_and_nothing_after_it_counts() -> None:
    early = entry("ann", "2026-04-10", "earn", 10)
    later = entry("ann", "2026-07-10", "earn", 10)
    assert arrow(months([early, later])) == arrow(months([early]))
    assert rows(months([early]), "month_on") == [(APRIL,), (MAY,), (JUNE,)]
    assert rows(months([later]), "month_on") == []


def test_without_entries_there_is_no_month_and_without_a_moment_months_reach_to_the_last_entry() -> None:
    undated = table("as_of", {"as_of": None})
    assert rows(months([], [order("1", "ann", "2026-04-01", "10")]), "month_on") == []
    assert rows(months([], now=undated), "month_on") == []
    assert rows(months([entry("ann", None, "earn", 10)]), "month_on") == []
    entries = [entry("ann", "2026-05-10", "earn", 10), entry("ann", "2026-04-10", "earn", 10)]
    assert rows(months(entries, now=undated), "month_on", "points_outstanding") == [(APRIL, 10), (MAY, 20)]


KINDS = st.sampled_from(["earn", "burn", "expire"])
ENTRIES = st.lists(
    st.tuples(st.integers(0, 3), KINDS, st.integers(0, 500), st.integers(0, 200)), min_size=1, max_size=25
)


@settings(max_examples=25, deadline=None)
@given(ENTRIES, st.randoms(use_true_random=False))
def test_months_equal_a_plain_loop_whatever_the_order_of_rows(
    given: list[tuple[int, str, int, int]], random: Any
) -> None:
    literal = [
        entry(f"c{who}", "2026-06-30", kind, points, str(n)) | {"entry_ts": day("2026-06-30") - timedelta(days=ago)}
        for n, (who, kind, points, ago) in enumerate(given)
    ]
    orders = [
        order(str(n), row["customer_id"], "2026-06-30", f"{n * n}.5") | {"ordered_at": row["entry_ts"]}
        for n, row in enumerate(literal)
    ]
    moved: dict[date, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("earn", "burn", "expire"), 0))
    active: dict[date, set[str]] = defaultdict(set)
    revenue: dict[date, Any] = defaultdict(lambda: money("0"))
    for row, bought in zip(literal, orders, strict=True):
        month = row["entry_ts"].date().replace(day=1)
        moved[month][row["entry_type"]] += row["points"]
        revenue[month] += bought["order_amount"]
        active[month] |= {row["customer_id"]} if row["entry_type"] != "expire" else set()
    random.shuffle(literal)
    random.shuffle(orders)
    columns = ("month_on", "points_earned", "points_burned", "points_expired", "active_member_count", "member_revenue")
    found = months(literal, orders).order_by("month_on").to_pyarrow().to_pylist()
    assert {tuple(row[name] for name in columns) for row in found if row["month_on"] in moved} == {
        (month, *points.values(), len(active[month]), revenue[month]) for month, points in moved.items()
    }
    total = {kind: sum(points[kind] for points in moved.values()) for kind in ("earn", "burn", "expire")}
    assert found[-1]["points_outstanding"] == total["earn"] - total["burn"] - total["expire"]
    assert found[-1]["member_count"] == len({row["customer_id"] for row in literal})
    assert sum(row["new_member_count"] for row in found) == found[-1]["member_count"]
    assert [row["month_on"] for row in found][-1] == JUNE
