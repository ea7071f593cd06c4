"""RFM: measures, scores and their laws."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.rfm import rfm
from tests.tables import at, computed, day, money, rows, table


def order(order_id: str, customer: str | None, on: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": order_id, "customer_id": customer, "ordered_at": day(on), "is_completed": True,
        "order_amount": money(amount), "returned_amount": money("0"), "refunded_amount": money("0"), **more,
    }  # fmt: skip


def test_rfm_measures_completed_orders_and_keeps_returns_apart() -> None:
    orders = table(
        "orders",
        order("1", "ann", "2026-01-01", "10.50"),
        order("2", "ann", "2026-06-20", "4.25"),
        order(
            "3", "ann", "2026-06-25", "0", is_completed=False, returned_amount=money("3"), refunded_amount=money("3")
        ),
        order("4", "bob", "2026-05-01", "99"),
        order("5", "returns only", "2026-05-01", "0", is_completed=False),
        order("6", None, "2026-05-01", "7"),
        order("7", "ann", "2026-06-26", "0", is_completed=False, returned_amount=money("2")),
        order("8", "cid", "2026-05-01", "0", order_amount=None),
    )
    columns = ("customer_id", "recency_days", "frequency", "monetary", "gross_monetary", "returned_amount")
    assert rows(computed(rfm)(orders, at("2026-06-30T08:00:00")), *columns) == [
        ("ann", 10, 2, money("11.75"), money("14.75"), money("5")),
        ("bob", 60, 1, money("99"), money("99"), money("0")),
        ("cid", 60, 1, money("0"), money("0"), money("0")),
    ]


def test_ten_customers_fall_into_fifths_and_equals_score_alike() -> None:
    amounts = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "9"]
    orders = table("orders", *[order(str(n), f"c{n}", "2026-06-01", amount) for n, amount in enumerate(amounts)])
    columns = ("customer_id", "monetary_score", "frequency_score", "recency_score", "rfm_code")
    found = rows(computed(rfm)(orders, at("2026-06-30")), *columns)
    assert [score for _, score, *_ in found] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    # All ordered once, on one day: there is nothing to score.
    assert {tuple(rest) for _, _, *rest in found} == {(None, None, None)}


def test_equals_score_by_the_middle_of_their_place() -> None:
    # One each buys 1, 2, 3 and 4 times, six once more: they are neither the worst nor the best.
    counts = [1, 2, 3, 4, 5, *[3] * 5]
    orders = [
        order(f"{who} {n}", f"c{who}", "2026-06-01", "1") for who, count in enumerate(counts) for n in range(count)
    ]
    found = rows(computed(rfm)(table("orders", *orders), at("2026-06-30")), "customer_id", "frequency_score")
    assert [score for _, score in found] == [1, 1, 3, 5, 5, *[3] * 5]


@pytest.mark.parametrize(("first", "is_scored"), [("2026-05-06", True), ("2026-05-07", False)])
def test_recency_is_scored_where_orders_span_eight_weeks(first: str, is_scored: bool) -> None:
    days = [first, "2026-06-10", "2026-06-15", "2026-06-20", "2026-06-25"]
    orders = table("orders", *[order(str(n), f"c{n}", on, "1") for n, on in enumerate(days)])
    found = rows(computed(rfm)(orders, at("2026-06-30")), "customer_id", "recency_score")
    assert [score for _, score in found] == ([1, 2, 3, 4, 5] if is_scored else [None] * 5)


def test_undated_orders_have_no_recency() -> None:
    orders = table("orders", order("1", "ann", "2026-01-01", "5") | {"ordered_at": None})
    columns = ("recency_days", "recency_score", "frequency", "monetary_score", "rfm_code")
    assert rows(computed(rfm)(orders, table("as_of", {"as_of": None})), *columns) == [(None, None, 1, None, None)]


BOUGHT = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400), st.integers(0, 50_000)), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(BOUGHT, st.randoms(use_true_random=False))
def test_rfm_equals_a_plain_loop_whatever_the_order_of_rows(bought: list[tuple[int, int, int]], random: Any) -> None:
    today = day("2026-06-30")
    literal = [
        order(str(n), f"c{who}", "2026-06-30", "0")
        | {"ordered_at": today - timedelta(days=ago), "order_amount": money(f"{cents}e-2")}
        for n, (who, ago, cents) in enumerate(bought)
    ]
    measured: dict[str, tuple[int, int, Any]] = {}
    for row in literal:
        recency, frequency, monetary = measured.get(row["customer_id"], (10**6, 0, money("0")))
        ago = (today - row["ordered_at"]).days
        measured[row["customer_id"]] = (min(recency, ago), frequency + 1, monetary + row["order_amount"])

    longest = max(ago for _, ago, _ in bought)

    def score(customer: str, place: int, sign: int) -> int | None:
        values = [measure[place] for measure in measured.values()]
        if len(set(values)) < 5 or (place == 0 and longest + 1 < 56):
            return None
        own = measured[customer][place]
        worse, equal = sum(sign * value < sign * own for value in values), values.count(own)
        return 1 + int(5 * Fraction(2 * worse + equal, 2 * len(values)))

    expected = [
        (who, *measured[who], score(who, 0, -1), score(who, 1, 1), score(who, 2, 1)) for who in sorted(measured)
    ]
    random.shuffle(literal)
    columns = (
        "customer_id",
        "recency_days",
        "frequency",
        "monetary",
        "recency_score",
        "frequency_score",
        "monetary_score",
    )
    assert rows(computed(rfm)(table("orders", *literal), at("2026-06-30")), *columns) == expected


def test_a_million_times_the_same_amount_is_summed_exactly() -> None:
    one = table("orders", order("1", "ann", "2026-01-01", "0.1001"))
    many = one.cross_join(ibis.range(0, 1_000_000).unnest().name("n").as_table()).drop("n")
    assert rows(computed(rfm)(many, at("2026-06-30")), "monetary") == [(money("100100"),)]
