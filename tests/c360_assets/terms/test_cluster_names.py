"""Names of clusters: told by traits, readable and never the same twice."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.terms.cluster_names import TRAITS, names
from governance import contracts

FEATURES = ("recency_days", "frequency", "monetary", "average_order_amount", "session_count", "tenure_days")


def named(*differences: tuple[float, ...], absent: tuple[dict[str, float], ...] = ()) -> list[str]:
    return names(FEATURES, np.array(differences), absent or tuple({} for _ in differences))


def test_the_three_most_telling_traits_name_a_cluster() -> None:
    assert named((-0.5, 1.2, 0.9, 0.2, 0.4, 0.1), (0.9, -0.5, -0.2, 0.1, 0.1, 0.0)) == [
        "Frequent buyers, high spending, recent",
        "Lapsed, rare buyers",
    ]


def test_a_topic_is_spoken_of_once() -> None:
    assert named((0.0, 0.0, 0.8, 1.5, 0.0, -0.6)) == ["High spending, new"]
    assert named((0.0, 0.0, 0.1, 1.5, 0.0, -0.6)) == ["Large orders, new"]


def test_what_nearly_nobody_ever_did_comes_first_and_goes_for_all_of_its_kind() -> None:
    lapsed_visitors = (0.1, -1.5, -1.9, 0.0, 0.5, 0.4)
    assert named(lapsed_visitors, absent=({"frequency": 0.95, "session_count": 0.0},)) == [
        "Never bought, frequent visitors, long-standing"
    ]
    assert named((0.1, 0.5, 0.4, 0.0, -0.9, 0.1), absent=({"frequency": 0.0, "session_count": 1.0},)) == [
        "Never visited, frequent buyers, high spending"
    ]


def test_a_cluster_without_telling_traits_is_average() -> None:
    assert named((0.1, 0.2, 0.0, 0.0, 0.0, 0.0)) == ["Average"]
    assert named((0.0,) * 6) == ["Average"]


def test_clusters_of_the_same_traits_are_told_further_ones() -> None:
    assert named((-0.5, 1.2, 0.9, 0.1, 0.1, 0.1), (-0.6, 0.9, 1.0, 0.1, -0.2, 0.1)) == [
        "Frequent buyers, high spending, recent, large orders",
        "High spending, frequent buyers, recent, rare visitors",
    ]


def test_clusters_that_no_trait_tells_apart_are_numbered() -> None:
    assert named((0.5, 0, 0, 0, 0, 0), (0.6, 0, 0, 0, 0, 0), (0, 0, -0.9, 0, 0, 0)) == [
        "Lapsed (1)",
        "Lapsed (2)",
        "Low spending",
    ]


def test_every_trait_is_a_feature_and_has_words_of_its_own() -> None:
    assert {trait.feature for trait in TRAITS} <= set(contracts.load()["features"].column_names)
    words = [word for trait in TRAITS for word in (trait.high, trait.low)]
    assert len(set(words)) == len(words)


DIFFERENCES = st.lists(
    st.tuples(*[st.sampled_from([-1.0, -0.4, -0.1, 0.0, 0.1, 0.4, 1.0])] * 6), min_size=1, max_size=10
)


@settings(max_examples=100, deadline=None)
@given(DIFFERENCES)
def test_no_two_clusters_share_a_name(differences: list[tuple[float, ...]]) -> None:
    found = named(*differences)
    assert len(set(found)) == len(found)
    assert all(name[0].isupper() for name in found)
