"""Cluster trials: every number has its row, and the same customers give the same rows."""

import random
from collections.abc import Iterator

import pytest

from c360_assets.models.cluster_trials import cluster_trials
from c360_assets.terms import clustering
from tests.c360_assets.shoppers import FEW_REFITS, crowd, features_of, known_groups, shopper, types
from tests.tables import CONTRACTS, rows, table


@pytest.fixture(scope="module", autouse=True)
def _few_refits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "REFITS", FEW_REFITS)
        yield


def test_as_many_clusters_are_chosen_as_there_are_groups() -> None:
    shoppers, _ = known_groups(60)
    idle = [shopper(f"idle {number}", session_count=0) for number in range(50)]
    found = rows(cluster_trials(features_of(shoppers + idle)), "k", "is_chosen", "customer_count", "sample_count")
    assert found == [(k, k == 4, 240, 240) for k in range(2, 11)]


def test_the_features_used_are_told() -> None:
    found = rows(cluster_trials(features_of(crowd(300))), "k", "features_used")
    expected = "recency_days, frequency, monetary, average_order_amount, return_rate, session_count, tenure_days"
    assert {features for _, features in found} == {expected}


def test_the_order_of_rows_changes_nothing() -> None:
    shoppers = crowd(400)
    before = rows(cluster_trials(features_of(shoppers)), *CONTRACTS["cluster_trials"].column_names)
    random.Random(4).shuffle(shoppers)
    assert rows(cluster_trials(features_of(shoppers)), *CONTRACTS["cluster_trials"].column_names) == before


def test_a_shop_without_web_events_is_clustered_by_its_orders() -> None:
    shoppers = [row | {"session_count": None, "engagement_minutes": None} for row in crowd(400)]
    found = rows(cluster_trials(features_of(shoppers)), "is_chosen", "customer_count", "features_used")
    buyers = sum(row["frequency"] > 0 for row in shoppers)
    assert {(count, "session_count" in used) for _, count, used in found} == {(buyers, False)}
    assert [is_chosen for is_chosen, _, _ in found].count(True) == 1


def test_without_customers_every_number_has_a_row_that_says_so() -> None:
    columns = ("k", "silhouette", "stability", "inertia", "smallest_share", "is_chosen", "reason", "features_used")
    reason = "fewer than 100 customers with a completed order or a visit"
    assert rows(cluster_trials(table("features")), *columns) == [
        (k, None, None, None, None, False, reason, None) for k in range(2, 11)
    ]


def test_columns_are_those_of_the_contract() -> None:
    assert types(cluster_trials(table("features"))) == types(table("cluster_trials"))
