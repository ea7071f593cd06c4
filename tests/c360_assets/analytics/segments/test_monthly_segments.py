"""Monthly segments: RFM and the rules, as they would have spoken at the end of each month."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import ibis
import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.customer_segments import customer_segments
from c360_assets.analytics.segments.monthly_segments import monthly_segments
from c360_assets.analytics.segments.rfm import rfm
from c360_assets.terms.time import until
from governance import segments
from governance.segments import Rules
from tests.tables import at, computed, day, money, rows, table

AS_OF = "2026-06-15T12:00:00"
KEY = ("customer_id", "month_on")
MEASURES = (
    "recency_days", "frequency", "monetary", "recency_score", "frequency_score", "monetary_score",
)  # fmt: skip
SEGMENTS = ("engagement_level", "customer_segment")
FEATURES = table("features").schema()
TIERS = dict.fromkeys(("High", "Medium", "Low"), "protect, High")


def order(order_id: int, customer: str | None, at: datetime | None, amount: str = "10", **more: Any) -> dict[str, Any]:
    return {
        "order_id": str(order_id), "customer_id": customer, "ordered_at": at, "is_completed": True,
        "order_amount": money(amount), "returned_amount": money("0"), "refunded_amount": money("0"), **more,
    }  # fmt: skip


def monthly(orders: ir.Table, as_of: str | None = AS_OF) -> ir.Table:
    return computed(monthly_segments)(orders, at(as_of) if as_of else table("as_of", {"as_of": None}), segments.load)


def test_a_customer_is_there_from_the_month_of_the_first_completed_order_on() -> None:
    orders = table(
        "orders",
        order(1, "ann", day("2026-04-10"), "10"),
        order(2, "ann", datetime(2026, 4, 30, 23, 59), "5"),
        order(3, "ann", day("2026-06-15"), "1"),
        order(4, "bob", day("2026-05-31"), "99"),
        order(5, "cat", day("2026-05-31"), "0", is_completed=False),
        order(6, None, day("2026-05-31")),
    )
    found = monthly(orders).order_by("month_on", "customer_id")
    assert rows(found, "month_on", "customer_id", "recency_days", "frequency", "monetary", by="month_on") == [
        (date(2026, 4, 30), "ann", 0, 2, money("15")),
        (date(2026, 5, 31), "ann", 31, 2, money("15")),
        (date(2026, 5, 31), "bob", 0, 1, money("99")),
        (date(2026, 6, 15), "ann", 0, 3, money("16")),
        (date(2026, 6, 15), "bob", 15, 1, money("99")),
    ]


def test_a_refund_takes_back_from_its_month_on_and_alone_makes_no_customer() -> None:
    handed_back = {"is_completed": False, "refunded_amount": money("4")}
    orders = table(
        "orders",
        order(1, "ann", day("2026-04-10"), "10"),
        order(2, "ann", day("2026-05-10"), "0", **handed_back),
        order(3, "bob", day("2026-04-10"), "0", **handed_back),
        order(4, "bob", day("2026-06-01"), "5"),
    )
    columns = ("customer_id", "month_on", "is_whole", "recency_days", "frequency", "monetary")
    assert sorted(rows(monthly(orders), *columns)) == [
        ("ann", date(2026, 4, 30), True, 20, 1, money("10")),
        ("ann", date(2026, 5, 31), True, 51, 1, money("6")),
        ("ann", date(2026, 6, 15), False, 66, 1, money("6")),
        ("bob", date(2026, 6, 15), False, 14, 1, money("1")),
    ]


def test_thirteen_moments_are_kept_the_last_of_them_as_of_itself() -> None:
    found = rows(monthly(table("orders", order(1, "ann", day("2019-01-01")))), "month_on", "customer_segment")
    assert [on for on, _ in found] == [
        *[
            date(2025, month, last)
            for month, last in ((6, 30), (7, 31), (8, 31), (9, 30), (10, 31), (11, 30), (12, 31))
        ],
        *[date(2026, month, last) for month, last in ((1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 15))],
    ]
    assert {segment for _, segment in found} == {"Regular"}


def test_a_new_customer_becomes_a_regular_one_after_a_year() -> None:
    ann, bob = order(1, "ann", day("2025-05-31")), order(2, "bob", day("2024-06-01"))
    found = monthly(table("orders", ann, bob))
    segments_of_ann = rows(found.filter(found.customer_id == "ann"), "month_on", "customer_segment")
    assert [segment for _, segment in segments_of_ann] == ["New"] * 11 + ["Regular"] * 2
    assert {segment for _, segment in rows(monthly(table("orders", ann)), "month_on", "customer_segment")} == {None}


def test_undated_orders_count_in_every_month_and_where_nothing_is_dated_there_are_no_months() -> None:
    undated = order(1, "ann", None)
    orders = table("orders", undated, order(2, "bob", day("2026-06-01")))
    found = monthly(orders)
    assert (
        rows(found.filter(found.customer_id == "ann"), "frequency", "recency_days", "recency_score")
        == [(1, None, None)] * 13
    )
    assert rows(monthly(table("orders", undated), None), "month_on") == []


def test_a_segmentation_that_asks_for_more_than_orders_tell_has_no_past() -> None:
    published = segments.load().model_dump()
    visitors = {"rules": [{"name": "Visitors", "when": {"session_count": ">= 1"}}], "otherwise": "no visit"}
    buyers = {"rules": [{"name": "Buyers", "when": {"frequency": ">= 1"}}], "otherwise": "no order"}
    rules = Rules.model_validate(
        published | {"customer_segment": visitors, "engagement_level": buyers, "action_matrix": {"Buyers": TIERS}}
    )
    found = computed(monthly_segments)(table("orders", order(1, "ann", day("2026-06-01"))), at(AS_OF), lambda: rules)
    assert rows(found, "customer_id", *SEGMENTS) == [("ann", "Buyers", None)]


DATED = st.datetimes(datetime(2025, 3, 1), datetime(2026, 6, 15, 12))
BOUGHT = st.lists(st.tuples(st.integers(0, 5), st.none() | DATED, st.integers(0, 400_000)), max_size=25)


def literal(bought: list[tuple[int, datetime | None, int]]) -> list[dict[str, Any]]:
    return [order(n, f"c{who}", when, f"{cents}e-2") for n, (who, when, cents) in enumerate(bought)]


def month_ends() -> list[datetime]:
    """The last microsecond of each of the twelve months before, and as_of."""
    first_days = [datetime(2025 + month // 12, month % 12 + 1, 1) for month in range(6, 18)]
    return [first - timedelta(microseconds=1) for first in first_days] + [datetime.fromisoformat(AS_OF)]


def scored_then(orders: ir.Table, moment: datetime) -> ir.Table:
    """What RFM said at that moment."""
    then = at(moment.isoformat())
    return computed(rfm)(until(orders, "ordered_at", then), then).mutate(month_on=ibis.literal(moment.date()))


def segmented_then(orders: ir.Table, moment: datetime) -> ir.Table:
    """What the segments said at that moment."""
    scored = scored_then(orders, moment)
    # Whether two years of orders are held is said of all that are held now.
    span = (ibis.literal(datetime.fromisoformat(AS_OF)).delta(orders.ordered_at.min(), unit="day") + 1).as_scalar()
    known = scored.mutate(
        history_days=ibis.literal(moment).delta(scored.first_ordered_at, unit="day").cast("int32"),
        orders_span_days=span.cast("int32"),
    )
    unknown = {name: ibis.null(kind) for name, kind in FEATURES.items() if name not in known.columns}
    described = known.mutate(**unknown).select(*FEATURES)
    return computed(customer_segments)(described, table("category_interest"), segments.load).mutate(
        month_on=ibis.literal(moment.date())
    )


@settings(max_examples=8, deadline=None)
@given(BOUGHT)
def test_every_month_is_what_rfm_said_then(bought: list[tuple[int, datetime | None, int]]) -> None:
    orders = table("orders", *literal(bought))
    expected = ibis.union(*[scored_then(orders, moment).select(KEY + MEASURES) for moment in month_ends()])
    assert sorted(rows(monthly(orders), *KEY, *MEASURES)) == sorted(rows(expected, *KEY, *MEASURES))


def test_every_month_is_what_the_segments_said_then() -> None:
    chance = Random(7)
    now = datetime.fromisoformat(AS_OF)
    bought = [
        (int(chance.paretovariate(0.5)) % 40, now - timedelta(days=900 * chance.random()), chance.randrange(300_000))
        for _ in range(200)
    ]
    orders = table("orders", *literal(bought))
    expected = ibis.union(*[segmented_then(orders, moment).select(KEY + SEGMENTS) for moment in month_ends()])
    found = rows(monthly(orders), *KEY, *SEGMENTS)
    assert sorted(found) == sorted(rows(expected, *KEY, *SEGMENTS))
    assert len({level for *_, level, _ in found}) == 5
    assert len({segment for *_, segment in found}) == 3


@settings(max_examples=25, deadline=None)
@given(BOUGHT, st.randoms(use_true_random=False))
def test_deleting_the_future_changes_no_earlier_month(
    bought: list[tuple[int, datetime | None, int]], random: Any
) -> None:
    orders = literal(bought)
    random.shuffle(orders)
    march = date(2026, 3, 31)
    past = [one for one in orders if one["ordered_at"] is None or one["ordered_at"].date() <= march]
    columns = (*KEY, *MEASURES, *SEGMENTS)
    whole, cut = monthly(table("orders", *orders)), monthly(table("orders", *past), "2026-04-02")
    before, after = (
        sorted(row for row in rows(found, *columns) if date(2025, 6, 30) <= row[1] <= march) for found in (whole, cut)
    )
    assert before == after


@pytest.mark.parametrize("as_of", ["2026-03-31T23:59:59", "2024-02-29", "2026-01-01"])
def test_month_ends_are_right_in_any_month(as_of: str) -> None:
    moment = datetime.fromisoformat(as_of)
    found = [on for (on,) in rows(monthly(table("orders", order(1, "ann", day("2019-01-01"))), as_of), "month_on")]
    assert found[-1] == moment.date()
    assert len(found) == 13
    assert all((on + timedelta(days=1)).day == 1 for on in found[:-1])
    assert [on.month for on in found] == [(moment.month - 1 + n) % 12 + 1 for n in range(13)]
