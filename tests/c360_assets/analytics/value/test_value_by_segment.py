"""Value by segment: what the customers of each segment of each segmentation are worth."""

import statistics
from collections import defaultdict
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.value.value_by_segment import PREMIUM, SEGMENTATIONS, value_by_segment
from tests.tables import computed, money, rows, table


def values(*customers: dict[str, Any]) -> ir.Table:
    """The table over customers given with what both inputs say of them."""
    placed = [{name: one.get(name) for name in ("customer_id", PREMIUM, *SEGMENTATIONS)} for one in customers]
    valued = [{name: value for name, value in one.items() if name not in SEGMENTATIONS} for one in customers]
    return computed(value_by_segment)(table("customer_segments", *placed), table("features", *valued))


def customer(name: str, level: str, frequency: int, monetary: str, value: str, **more: Any) -> dict[str, Any]:
    return {
        "customer_id": name, "engagement_level": level, "frequency": frequency, "gross_monetary": money(monetary),
        "historical_value": money(value), **more,
    }  # fmt: skip


ANN = customer("ann", "Champions", 4, "80", "60", is_premium=True)
BOB = customer("bob", "Champions", 1, "20", "20", is_premium=False)
CAT = customer("cat", "Churn Risk", 1, "20", "20", is_premium=False)
DAN = customer("dan", "Churn Risk", 0, "0", "0")


def of(found: ir.Table, segmentation: str, *columns: str) -> list[tuple[Any, ...]]:
    return rows(found.filter(found.segmentation == segmentation), "segment", *columns)


def test_a_segment_has_its_value_and_how_it_comes_about() -> None:
    found = values(ANN, BOB, CAT, DAN)
    counted = ("customer_count", "buyer_count", "historical_value", "value_share", "average_value", "median_value")
    assert of(found, "engagement_level", *counted) == [
        ("Champions", 2, 2, money("80"), 0.8, 40.0, 40.0),
        ("Churn Risk", 2, 1, money("20"), 0.2, 10.0, 10.0),
    ]
    derived = ("average_order_amount", "orders_per_customer", "premium_share")
    assert of(found, "engagement_level", *derived) == [("Champions", 20.0, 2.5, 0.5), ("Churn Risk", 20.0, 0.5, 0.0)]


def test_premium_is_an_overlay_with_a_place_for_those_of_whom_it_is_not_known() -> None:
    assert of(values(ANN, BOB, CAT, DAN), "is_premium", "customer_count", "historical_value", "premium_share") == [
        ("not premium", 2, money("40"), 0.0),
        ("premium", 1, money("60"), 1.0),
        ("unknown", 1, money("0"), None),
    ]


def test_whom_a_segmentation_leaves_out_is_unknown() -> None:
    found = values(ANN | {"lifecycle_stage": "Growing"}, DAN)
    assert of(found, "lifecycle_stage", "customer_count") == [("Growing", 1), ("unknown", 1)]


def test_who_never_bought_has_no_order_amount_and_nobody_no_rows() -> None:
    assert of(values(DAN), "engagement_level", "average_order_amount", "value_share") == [("Churn Risk", None, None)]
    assert rows(values(), "segmentation") == []


CUSTOMERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 10**5), st.sampled_from([True, False, None])),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(CUSTOMERS)
def test_values_equal_a_plain_loop_and_every_segmentation_holds_all_of_it(
    drawn: list[tuple[str, int, int, bool | None]],
) -> None:
    customers = [
        customer(f"c{n}", level, frequency, f"{cents}e-2", f"{cents}e-2", is_premium=premium)
        for n, (level, frequency, cents, premium) in enumerate(drawn)
    ]
    groups = defaultdict(list)
    for one in customers:
        groups[one["engagement_level"]].append(one)
    expected = [
        (
            level, len(members), sum(one["frequency"] > 0 for one in members),
            sum(one["historical_value"] for one in members),
            float(statistics.median(one["historical_value"] for one in members)),
        )
        for level, members in sorted(groups.items())
    ]  # fmt: skip
    found = values(*customers).to_pyarrow().to_pylist()
    columns = ("segment", "customer_count", "buyer_count", "historical_value", "median_value")
    levels = [row for row in found if row["segmentation"] == "engagement_level"]
    assert sorted(tuple(row[name] for name in columns) for row in levels) == expected
    whole = sum((one["historical_value"] for one in customers), money("0"))
    for segmentation in (*SEGMENTATIONS, PREMIUM):
        held = [row["historical_value"] for row in found if row["segmentation"] == segmentation]
        assert sum(held, money("0")) == whole
