"""RFM distribution: customers, spend and spread behind each score, code and level."""

import statistics
from collections import defaultdict
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.rfm_distribution import SCORED, rfm_distribution
from tests.tables import computed, money, rows, table

COLUMNS = ("measure", "value", "customer_count", "customer_share", "monetary", "monetary_share")
SPREAD = ("measure", "value", "least", "median", "greatest")


def scored(customer: str, recency: int | None, frequency: int, monetary: str, scores: str | None) -> dict[str, Any]:
    return {
        "customer_id": customer, "recency_days": recency, "frequency": frequency, "monetary": money(monetary),
        "recency_score": int(scores[0]) if scores else None, "frequency_score": int(scores[1]) if scores else 1,
        "monetary_score": int(scores[2]) if scores else 1, "rfm_code": scores,
    }  # fmt: skip


def levelled(customer: str, level: str, monetary: str) -> dict[str, Any]:
    return {"customer_id": customer, "engagement_level": level, "monetary": money(monetary)}


def of(found: ir.Table, measure: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [row[1:] for row in rows(found.filter(found.measure == measure), *columns, by="value")]


def test_each_value_has_its_customers_their_spend_and_the_spread_of_what_is_scored() -> None:
    rfm = table(
        "rfm",
        scored("ann", 10, 4, "60", "555"),
        scored("bob", 20, 1, "20", "511"),
        scored("cat", 90, 1, "20", "111"),
    )
    levels = [
        ("ann", "Champions", "60"),
        ("bob", "Churn Risk", "20"),
        ("cat", "Churn Risk", "20"),
        ("dan", "Churn Risk", "0"),
    ]
    found = computed(rfm_distribution)(rfm, table("customer_segments", *[levelled(*one) for one in levels]))
    third, two_thirds = 1 / 3, 2 / 3
    assert of(found, "recency_score", COLUMNS) == [
        ("1", 1, third, money("20"), 0.2),
        ("5", 2, two_thirds, money("80"), 0.8),
    ]
    assert of(found, "recency_score", SPREAD) == [("1", 90.0, 90.0, 90.0), ("5", 10.0, 15.0, 20.0)]
    assert of(found, "frequency_score", SPREAD) == [("1", 1.0, 1.0, 1.0), ("5", 4.0, 4.0, 4.0)]
    assert [value for value, *_ in of(found, "rfm_code", COLUMNS)] == ["111", "511", "555"]
    assert of(found, "engagement_level", COLUMNS) == [
        ("Champions", 1, 0.25, money("60"), 0.6),
        ("Churn Risk", 3, 0.75, money("40"), 0.4),
    ]
    assert of(found, "engagement_level", SPREAD) == [("Champions", 60.0, 60.0, 60.0), ("Churn Risk", 0.0, 20.0, 20.0)]


def test_undated_customers_have_no_recency_score_and_no_code_to_be_distributed() -> None:
    rfm = table("rfm", scored("ann", None, 1, "5", None))
    found = computed(rfm_distribution)(rfm, table("customer_segments"))
    assert rows(found, "measure", "value", "customer_share") == [
        ("frequency_score", "1", 1.0),
        ("monetary_score", "1", 1.0),
    ]


def test_nothing_spent_has_no_shares() -> None:
    rfm = table("rfm", scored("ann", 1, 1, "0", "555"))
    assert of(computed(rfm_distribution)(rfm, table("customer_segments")), "rfm_code", COLUMNS) == [
        ("555", 1, 1.0, money("0"), None)
    ]


BUYERS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 9), st.integers(0, 90_000), st.sampled_from(["111", "345", "355"])),
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(BUYERS)
def test_distribution_equals_a_plain_loop(bought: list[tuple[int, int, int, str]]) -> None:
    literal = [
        scored(f"c{n}", days, orders, f"{cents}e-2", code) for n, (days, orders, cents, code) in enumerate(bought)
    ]
    groups = defaultdict(list)
    for row in literal:
        for measure, spread in SCORED.items():
            groups[measure, str(row[measure])].append((row["monetary"], Decimal(row[spread])))
    expected = {
        key: (
            len(members), sum(spent for spent, _ in members), float(min(amount for _, amount in members)),
            float(statistics.median(amount for _, amount in members)), float(max(amount for _, amount in members)),
        )
        for key, members in groups.items()
    }  # fmt: skip
    found = computed(rfm_distribution)(table("rfm", *literal), table("customer_segments")).to_pyarrow().to_pylist()
    measured = ("customer_count", "monetary", "least", "median", "greatest")
    assert {(row["measure"], row["value"]): tuple(row[name] for name in measured) for row in found} == expected
    for name in SCORED if bought else ():
        assert sum(row["customer_share"] for row in found if row["measure"] == name) == pytest.approx(1)
