"""Memberships: the long form, and sums over segments that agree with it."""

from typing import Any

import ibis
import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.memberships import RULED, memberships, totals
from governance import segments
from tests.tables import money, rows, table

COLUMNS = ("customer_id", "segmentation", "segment", "is_sensitive")


def tables(*people: dict[str, Any]) -> tuple[ir.Table, ir.Table, ir.Table]:
    """customer_segments, audiences and clusters of people with `audiences` and `cluster` beside their segments."""
    listed = [
        {"customer_id": person["customer_id"], "audience": audience, "is_sensitive": audience == "Secret"}
        for person in people
        for audience in person.get("audiences", ())
    ]
    clustered = [{"customer_id": one["customer_id"], "cluster_name": one.get("cluster")} for one in people]
    placed = [{k: v for k, v in person.items() if k not in ("audiences", "cluster")} for person in people]
    return table("customer_segments", *placed), table("audiences", *listed), table("clusters", *clustered)


def test_the_segmentations_are_those_of_the_rules() -> None:
    assert list(RULED) == list(segments.load().segmentations)


def test_a_customer_has_a_row_for_each_segment_and_none_where_he_is_in_none() -> None:
    ann = {"customer_id": "ann", "engagement_level": "Champions", "persona": "Explorer", "is_premium": True}
    bob = {"customer_id": "bob", "engagement_level": "Champions", "is_premium": False, "primary_segment": "Prospects"}
    found = memberships(*tables(ann | {"audiences": ["Buyers", "Secret"], "cluster": "Lapsed"}, bob))
    assert sorted(rows(found, *COLUMNS)) == [
        ("ann", "audience", "Buyers", False),
        ("ann", "audience", "Secret", True),
        ("ann", "cluster", "Lapsed", False),
        ("ann", "engagement_level", "Champions", False),
        ("ann", "persona", "Explorer", False),
        ("ann", "premium", "Premium", False),
        ("bob", "engagement_level", "Champions", False),
    ]


PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "engagement_level": st.sampled_from(["Champions", "Churn Risk"]),
            "price_range": st.sampled_from([None, "Budget", "Middle"]),
            "is_premium": st.sampled_from([None, True, False]),
            "cluster": st.sampled_from([None, "Lapsed", "Recent"]),
            "audiences": st.sets(st.sampled_from(["Buyers", "Secret", "Prospects"])).map(sorted),
        }
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None)
@given(PEOPLE)
def test_totals_are_the_sums_over_the_long_form(people: list[dict[str, Any]]) -> None:
    known = [person | {"customer_id": str(number)} for number, person in enumerate(people)]
    spent = [{"customer_id": one["customer_id"], "monetary": money(f"{n}.1")} for n, one in enumerate(known)]
    measured = table("features", *spent).select("customer_id", "monetary")
    sums = {"customers": ibis._.count(), "monetary": ibis._.monetary.sum()}
    long = memberships(*tables(*known)).inner_join(measured, "customer_id")
    expected = long.group_by("segmentation", "segment", "is_sensitive").agg(**sums)
    columns = ("segmentation", "segment", "is_sensitive", "customers", "monetary")
    found = totals(measured, *tables(*known), sums)
    assert sorted(rows(found, *columns)) == sorted(rows(expected, *columns))
