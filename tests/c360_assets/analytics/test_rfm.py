"""RFM: measures, scores and their laws."""

from datetime import timedelta
from typing import Any

import ibis
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.rfm import rfm
from tests.tables import at, computed, day, money, rows, table


def order(order_id: str, customer: str | None, on: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": order_id, "customer_id": customer, "ordered_at": day(on), "is_completed": True,
        "order_amount": money(amount), "returned_amount": money("0"), **more,
    }  # fmt: skip


def test_rfm_measures_completed_orders_and_keeps_returns_apart() -> None:
    orders = table(
        "orders",
        order("1", "ann", "2026-01-01", "10.50"),
        order("2", "ann", "2026-06-20", "4.25"),
        order("3", "ann", "2026-06-25", "0", is_completed=False, returned_amount=money("3")),
        order("4", "bob", "2026-05-01", "99"),
        order("5", "returns only", "2026-05-01", "0", is_completed=False),
        order("6", None, "2026-05-01", "7"),
        order("7", "ann", "2026-06-26", "0", is_completed=False, returned_amount=money("2")),
        order("8", "cid", "2026-05-01", "0", order_amount=None),
    )
    columns = ("customer_id", "recency_days", "frequency", "monetary", "returned_amount", "first_ordered_at")
    assert rows(computed(rfm)(orders, at("2026-06-30T08:00:00")), *columns) == [
        ("ann", 10, 2, money("14.75"), money("5"), day("2026-01-01")),
        ("bob", 60, 1, money("99"), money("0"), day("2026-05-01")),
        ("cid", 60, 1, money("0"), money("0"), day("2026-05-01")),
    ]


def test_ten_customers_fall_into_fifths_and_equals_score_alike() -> None:
    amounts = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "9"]
    orders = table("orders", *[order(str(n), f"c{n}", "2026-06-01", amount) for n, amount in enumerate(amounts)])
    found = rows(computed(rfm)(orders, at("2026-06-30")), "customer_id", "monetary_score", "recency_score", "rfm_code")
    assert [score for _, score, _, _ in found] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert {recency for _, _, recency, _ in found} == {1}
    assert found[0][3] == "111"


def test_undated_orders_have_no_recency() -> None:
    orders = table("orders", order("1", "ann", "2026-01-01", "5") | {"ordered_at": None})
    columns = ("recency_days", "recency_score", "frequency", "monetary_score", "rfm_code")
    assert rows(computed(rfm)(orders, table("as_of", {"as_of": None})), *columns) == [(None, None, 1, 1, None)]


BOUGHT = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 400), st.integers(0, 50_000)), min_size=1, max_size=25)


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

    def score(customer: str, place: int, sign: int) -> int:
        worse = sum(sign * other[place] < sign * measured[customer][place] for other in measured.values())
        return 1 + 5 * worse // len(measured)

    expected = sorted(
        (who, *values, score(who, 0, -1), score(who, 1, 1), score(who, 2, 1)) for who, values in measured.items()
    )
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
