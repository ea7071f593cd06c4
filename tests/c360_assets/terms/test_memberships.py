"""Memberships: sums over segments agree with a loop over people."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.terms.memberships import PREMIUM_SEGMENT, RULED, totals
from governance import segments
from tests.tables import money, rows, table

COLUMNS = ("segmentation", "segment", "is_sensitive", "customers")


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


def segments_of(person: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Segmentation, segment and whether it is sensitive, for each segment the person is in."""
    single = [(name, person.get(name)) for name in RULED] + [("cluster", person.get("cluster"))]
    premium = [("premium", PREMIUM_SEGMENT)] if person.get("is_premium") else []
    listed = [("audience", name, name == "Secret") for name in person.get("audiences", ())]
    return [(name, segment, False) for name, segment in single + premium if segment is not None] + listed


def test_a_customer_counts_in_each_of_his_segments_and_in_none_where_he_is_in_none() -> None:
    ann = {"customer_id": "ann", "engagement_level": "Champions", "persona": "Explorer", "is_premium": True}
    bob = {"customer_id": "bob", "engagement_level": "Champions", "is_premium": False, "primary_segment": "Prospects"}
    people = ann | {"audiences": ["Buyers", "Secret"], "cluster": "Lapsed"}, bob
    measured = table("features", {"customer_id": "ann"}, {"customer_id": "bob"}).select("customer_id")
    found = totals(measured, *tables(*people), {"customers": ibis._.count()})
    assert sorted(rows(found, *COLUMNS)) == [
        ("audience", "Buyers", False, 1),
        ("audience", "Secret", True, 1),
        ("cluster", "Lapsed", False, 1),
        ("engagement_level", "Champions", False, 2),
        ("persona", "Explorer", False, 1),
        ("premium", "Premium", False, 1),
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
def test_totals_are_the_sums_of_a_loop_over_people(people: list[dict[str, Any]]) -> None:
    known = [person | {"customer_id": str(number)} for number, person in enumerate(people)]
    spent = [{"customer_id": one["customer_id"], "monetary": money(f"{n}.1")} for n, one in enumerate(known)]
    measured = table("features", *spent).select("customer_id", "monetary")
    sums = {"customers": ibis._.count(), "monetary": ibis._.monetary.sum()}
    amounts: dict[tuple[str, str, bool], list[Decimal]] = defaultdict(list)
    for number, person in enumerate(people):
        for segment in segments_of(person):
            amounts[segment].append(Decimal(f"{number}.1"))
    found = totals(measured, *tables(*known), sums)
    assert sorted(rows(found, *COLUMNS, "monetary")) == sorted(
        (*segment, len(each), sum(each)) for segment, each in amounts.items()
    )
