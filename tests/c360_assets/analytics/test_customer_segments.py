"""Customer segments: the first rule that holds, and everyone in exactly one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.customer_segments import customer_segments
from governance import segments
from tests.tables import at, day, money, rows, table

NOW = at("2026-06-30")
NO_VIEWS, NO_CARTS = table("product_views"), table("items_added_to_cart")
LEVELS = {rule.name for rule in segments.load().engagement_level}


def segmented(*profiles: dict[str, Any], carts: int = 0) -> Any:
    base = {"frequency": 1, "monetary": money("1"), "returned_amount": money("0")}
    return customer_segments(
        table("customers", *[{"customer_id": profile["customer_id"], "is_registered": True} for profile in profiles]),
        table("rfm", *[base | profile for profile in profiles if len(profile) > 1]),
        NO_VIEWS,
        table("items_added_to_cart", *[{"activity_uuid": str(n), "entity_id": "ann"} for n in range(carts)]),
        NOW,
    )


@pytest.mark.parametrize(
    ("first_order", "monetary", "segment"),
    [
        ("2025-06-30", "5000.01", "VIP"),
        ("2025-06-30", "5000", "Regular"),
        ("2025-07-01", "9999", "New"),
    ],
)
def test_vip_and_regular_need_a_year_of_history(first_order: str, monetary: str, segment: str) -> None:
    ann = {"customer_id": "ann", "first_ordered_at": day(first_order), "monetary": money(monetary)}
    assert rows(segmented(ann), "customer_segment") == [(segment,)]


@pytest.mark.parametrize(
    ("recency", "frequency", "monetary", "level"),
    [
        (5, 5, 5, "Champions"),
        (4, 4, 3, "Loyal Customers"),
        (2, 1, 4, "At Risk (High Value)"),
        (3, 2, 5, "Needs Attention"),
        (2, 5, 3, "Churn Risk"),
        (1, 1, 1, "Churn Risk"),
    ],
)
def test_engagement_level_follows_the_scores(recency: int, frequency: int, monetary: int, level: str) -> None:
    ann = {"customer_id": "ann", "recency_score": recency, "frequency_score": frequency, "monetary_score": monetary}
    assert rows(segmented(ann), "engagement_level") == [(level,)]


def test_who_never_bought_is_new_and_a_prospect_or_an_abandoner() -> None:
    columns = ("customer_segment", "primary_segment", "frequency", "monetary", "rfm_code")
    assert rows(segmented({"customer_id": "ann"}), *columns) == [("New", "Prospects", 0, money("0"), None)]
    assert rows(segmented({"customer_id": "ann"}, carts=5), "primary_segment") == [("Frequent Cart Abandoner",)]


def test_premium_is_shown_beside_the_segment_and_changes_none() -> None:
    people = table(
        "customers",
        {"customer_id": "a", "is_premium": True, "is_registered": True},
        {"customer_id": "b", "is_premium": False, "is_registered": True},
    )
    found = rows(
        customer_segments(people, table("rfm"), NO_VIEWS, NO_CARTS, NOW), "customer_id", "is_premium", "primary_segment"
    )
    assert found == [("a", True, "Prospects"), ("b", False, "Prospects")]


SCORE = st.one_of(st.none(), st.integers(1, 5))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(SCORE, SCORE, SCORE, st.integers(1, 30)), min_size=1, max_size=20))
def test_every_customer_is_in_exactly_one_segment_of_each_kind(scores: list[tuple[Any, ...]]) -> None:
    people = [
        {"customer_id": f"c{n:02}", "recency_score": r, "frequency_score": f, "monetary_score": m, "frequency": orders}
        for n, (r, f, m, orders) in enumerate(scores)
    ]
    found = rows(segmented(*people), "customer_id", "customer_segment", "engagement_level", "primary_segment")
    assert [who for who, *_ in found] == [person["customer_id"] for person in people]
    assert all(level in LEVELS and segment and primary for _, segment, level, primary in found)
