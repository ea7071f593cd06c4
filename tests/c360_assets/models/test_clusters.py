"""Clusters: known groups come back under names that fit them, and chance plays no part."""

import random
from collections.abc import Iterator

import ibis.expr.types as ir
import pytest

from c360_assets.models.cluster_trials import cluster_trials
from c360_assets.models.clusters import clusters
from c360_assets.terms import clustering
from tests.c360_assets.shoppers import FEW_REFITS, Row, crowd, features_of, known_groups, shopper, types
from tests.tables import CONTRACTS, rows, table

COLUMNS = CONTRACTS["clusters"].column_names


@pytest.fixture(scope="module", autouse=True)
def _few_refits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "REFITS", FEW_REFITS)
        yield


def clustered(shoppers: list[Row]) -> ir.Table:
    features = features_of(shoppers)
    return clusters(features, cluster_trials(features))


def test_each_group_is_a_cluster_named_by_what_sets_it_apart() -> None:
    shoppers, _ = known_groups(60)
    found = rows(clustered(shoppers), "customer_id", "cluster_id", "cluster_name")
    assert {(who.split()[0], number, name) for who, number, name in found} == {
        ("regulars", 1, "Frequent buyers, frequent visitors, high spending"),
        ("lapsed", 2, "Lapsed, rare visitors, long-standing"),
        ("newcomers", 3, "New, recent, rare buyers"),
        ("visitors", 4, "Never bought, new, frequent visitors"),
    }


def test_clusters_are_numbered_by_what_their_members_spend() -> None:
    shoppers = crowd(600)
    spent: dict[int, list[float]] = {}
    amounts = {row["customer_id"]: float(row["monetary"]) for row in shoppers}
    for who, number in rows(clustered(shoppers), "customer_id", "cluster_id"):
        spent.setdefault(number, []).append(amounts[who])
    means = [sum(spent[number]) / len(spent[number]) for number in sorted(spent)]
    assert sorted(spent) == list(range(1, len(spent) + 1))
    assert means == sorted(means, reverse=True)


def test_who_neither_ordered_nor_visited_is_in_no_cluster() -> None:
    shoppers = [*crowd(300), shopper("idle", session_count=0), shopper("unseen", session_count=None)]
    found = rows(clustered(shoppers).filter(lambda t: t.cluster_id.isnull()), *COLUMNS)
    nothing = (None, None, None, None, None, "no completed order and no visit")
    assert found == [("idle", *nothing), ("unseen", *nothing)]


def test_few_customers_are_in_no_cluster_and_told_why() -> None:
    found = rows(clustered([*crowd(99), shopper("idle")]), "reason", "cluster_id", "cluster_name", "distance")
    few = ("fewer than 100 customers with a completed order or a visit", None, None, None)
    assert found == [few] * 99 + [("no completed order and no visit", None, None, None)]


def test_without_a_choice_nobody_is_in_a_cluster() -> None:
    undecided = clusters(features_of(crowd(150)), table("cluster_trials"))
    assert set(rows(undecided, "cluster_id", "reason")) == {(None, "no number of clusters was chosen")}


def test_unknown_features_are_counted_where_they_are_filled() -> None:
    shoppers = crowd(300)
    found = rows(clustered(shoppers), "customer_id", "feature_count", "filled_feature_count")
    unknown = {row["customer_id"]: 0 if row["frequency"] else 3 for row in shoppers}
    assert found == sorted((who, 7, count) for who, count in unknown.items())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    shoppers = crowd(500)
    before = rows(clustered(shoppers), *COLUMNS)
    random.Random(seed).shuffle(shoppers)
    assert rows(clustered(shoppers), *COLUMNS) == before


def test_everyone_has_one_row_with_a_cluster_or_a_reason() -> None:
    shoppers = [*crowd(300), shopper("idle")]
    found = rows(clustered(shoppers), "customer_id", "cluster_id", "cluster_name", "distance", "reason")
    assert [who for who, *_ in found] == sorted(row["customer_id"] for row in shoppers)
    for _, number, name, distance, reason in found:
        assert (number is None) == (name is None) == (distance is None) == (reason is not None)


def test_without_customers_there_are_no_rows_but_all_columns() -> None:
    nothing = clusters(table("features"), table("cluster_trials"))
    assert rows(nothing, "customer_id") == []
    assert types(nothing) == types(table("clusters"))
