"""Segment traits: how far a segment is from all customers, in numbers and words."""

from pathlib import Path
from random import Random
from typing import Any

import duckdb
import ibis.expr.types as ir
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments import segment_traits as module
from c360_assets.analytics.segments.segment_traits import FEATURES, PERSONAL, segment_traits
from c360_assets.terms.trait_words import WORDS
from tests.tables import CONTRACTS, arrow, computed, money, rows, table

NUMBERS = {"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(18,4)"}
SCORES = {"recency_score", "frequency_score", "monetary_score", "value_share_above"}
# What says the same as another measure, or is of the data as a whole.
UNTOLD = {
    "gross_monetary", "order_count", "open_order_count", "returned_amount", "orders_span_days", "activity_span_days",
    "last_order_amount",
}  # fmt: skip
FLOOR = Path(__file__).parents[4] / "portal/benchmarks/floor/segment_traits.sql"
TOLD = ("rank", "feature", "mean", "population_mean", "population_deviation", "standardised_difference", "trait")
Person = dict[str, Any]


def inputs(*people: Person) -> dict[str, ir.Table]:
    """Tables of people who name an engagement_level, and perhaps an audience and a cluster, beside their features."""
    beside = ("engagement_level", "audience", "cluster")
    features = [{k: v for k, v in person.items() if k not in beside} for person in people]
    placed = [{k: person.get(k) for k in ("customer_id", "engagement_level", "is_premium")} for person in people]
    listed = [{"audience": one["audience"], "customer_id": one["customer_id"]} for one in people if one.get("audience")]
    clustered = [{"customer_id": one["customer_id"], "cluster_name": one.get("cluster")} for one in people]
    return {
        "features": table("features", *features),
        "customer_segments": table("customer_segments", *placed),
        "audiences": table("audiences", *[one | {"is_sensitive": one["audience"] == "Secret"} for one in listed]),
        "clusters": table("clusters", *clustered),
    }


def traits(*people: Person) -> ir.Table:
    return computed(segment_traits)(**inputs(*people))


def people(count: int = 20, **known: Any) -> list[Person]:
    """The first half are Champions with a frequency of 9, the others at Churn Risk with 1."""
    return [
        {
            "customer_id": str(number),
            "engagement_level": "Champions" if number < count // 2 else "Churn Risk",
            "frequency": 9 if number < count // 2 else 1,
            **{name: value(number) for name, value in known.items()},
        }
        for number in range(count)
    ]


def champions(found: ir.Table) -> ir.Table:
    return found.filter(found.segment == "Champions")


def test_all_numeric_features_but_scores_and_repetitions_are_measured() -> None:
    contract = CONTRACTS["features"]
    assert set(FEATURES) == {column.name for column in contract.columns if column.type in NUMBERS} - SCORES - UNTOLD
    personal = {column.name for column in contract.columns if column.is_masked}
    assert personal & set(FEATURES) == set(PERSONAL)


def test_words_are_short_and_each_feature_has_its_own() -> None:
    phrases = [phrase for words in WORDS for phrase in (words.high, words.low)]
    assert len(set(phrases)) == len(phrases)
    assert max(map(len, phrases)) <= 40


def test_a_segment_is_compared_with_all_customers_in_standard_deviations_and_in_words() -> None:
    found = champions(traits(*people(monetary=lambda n: money("6512.2") if n < 10 else money("100"))))
    known = found.filter(found["rank"].notnull())
    assert rows(known, *TOLD) == [
        (1, "frequency", 9.0, 5.0, 4.0, 1.0, "more orders: 9.00 against 5.00"),
        (2, "monetary", 6512.2, 3306.1, 3206.1, 1.0, "spends more: 6,512 against 3,306"),
    ]


@pytest.mark.parametrize(
    ("feature", "values", "trait"),
    [
        ("return_rate", (0.25, 0.05), "sends back more: 25% against 15%"),
        ("return_rate", (0.03, 0.01), "sends back more: 3.0% against 2.0%"),
        ("recency_days", (12, 172), "last order more recent: 12 days against 92"),
        ("historical_value", (money("-50"), money("1000000")), "is worth less: -50 against 499,975"),
        ("session_count", (0, 7), "fewer visits: 0 against 3.50"),
        ("is_premium", (True, False), "more often premium: 100% against 50%"),
        ("activity_change", (-0.5, 0.7), "worse activity trend: -50% against 10%"),
        ("engagement_minutes", (30.0, 10.0), "stays longer on the site: 30 minutes against 20"),
    ],
)
def test_numbers_are_told_readably(feature: str, values: tuple[Any, Any], trait: str) -> None:
    found = champions(traits(*people(**{feature: lambda n: values[n >= 10]})))
    assert rows(found.filter(found.feature == feature), "trait") == [(trait,)]


def test_small_differences_are_ranked_but_not_worth_words() -> None:
    found = champions(traits(*people(session_count=lambda n: 5 if n % 10 else 6 + n // 10)))
    told = found.filter(found.feature == "session_count")
    assert rows(told, "rank", "trait") == [(2, None)]


def test_what_may_be_chance_is_not_told() -> None:
    # One of the others buys as often: 0.90 standard deviations of 10 Champions, 0.91 of 11.
    for count, is_told in ((22, True), (20, False)):
        found = champions(traits(*people(count, frequency=lambda n, half=count // 2: 9 if n <= half else 1)))
        ((trait,),) = rows(found.filter(found.feature == "frequency"), "trait")
        assert (trait is not None) == is_told


def test_what_a_handful_does_is_no_trait_of_a_segment() -> None:
    for count, is_told in ((20, True), (18, False)):
        found = champions(traits(*people(count)))
        ((difference, trait),) = rows(found.filter(found.feature == "frequency"), "standardised_difference", "trait")
        assert difference == 1.0
        assert (trait is not None) == is_told


def test_a_measure_known_of_unusually_few_does_not_speak_for_the_segment() -> None:
    # Half of all have answered: of the Champions 12 in 40, or 8 in 40.
    for answered, is_told in ((12, True), (8, False)):
        scores = {"nps_score": lambda n, least=answered: 9 if n < least else 1 if n >= 40 + least else None}
        found = champions(traits(*people(80, **scores)))
        ((known, trait),) = rows(found.filter(found.feature == "nps_score"), "known_count", "trait")
        assert (known, trait is not None) == (answered, is_told)


def test_what_nobody_or_everybody_has_alike_tells_nobody_apart() -> None:
    found = champions(traits(*people(tenure_days=lambda n: 7)))
    known = found.filter(found.feature.isin(["tenure_days", "session_count"])).order_by("feature")
    columns = ("feature", "known_count", "mean", "population_deviation", "standardised_difference", "rank", "trait")
    assert rows(known, *columns) == [
        ("session_count", 0, None, None, None, None, None),
        ("tenure_days", 10, 7.0, 0.0, None, None, None),
    ]


def test_a_mean_of_equal_fractions_is_no_difference_that_rounding_made() -> None:
    found = traits(*people(count=300, average_rating=lambda n: 1 / 3 + 1))
    told = found.filter(found.feature == "average_rating", found.segmentation == "engagement_level")
    assert set(rows(told, "population_deviation", "standardised_difference")) == {(0.0, None)}


def test_personal_measures_are_not_told_of_fewer_than_ten() -> None:
    columns = ("known_count", "mean", "standardised_difference", "rank", "trait")
    for count, told in ((10, True), (9, False)):
        age = {"age": lambda n, count=count: None if count <= n < 10 else 30 if n < 10 else 60}
        found = champions(traits(*people(count=20, **age)))
        (row,) = rows(found.filter(found.feature == "age"), *columns)
        assert row[0] == count
        assert [value is not None for value in row[1:]] == [told] * 4


def test_sensitive_audiences_are_marked_and_the_premium_overlay_is_a_segment() -> None:
    crowd = people(is_premium=lambda n: n < 3)
    crowd[0] |= {"audience": "Secret", "cluster": "Lapsed"}
    found = traits(*crowd)
    columns = ("segmentation", "segment", "is_sensitive", "known_count")
    assert sorted(rows(found.filter(found.feature == "frequency"), *columns)) == [
        ("audience", "Secret", True, 1),
        ("cluster", "Lapsed", False, 1),
        ("engagement_level", "Champions", False, 10),
        ("engagement_level", "Churn Risk", False, 10),
        ("premium", "Premium", False, 3),
    ]


def test_no_customers_have_no_traits() -> None:
    assert traits().count().to_pyarrow().as_py() == 0


def test_numbers_beyond_all_measure_count_as_unknown() -> None:
    found = champions(traits(*people(annual_income=lambda n: 1e300 if n == 0 else float(n))))
    assert rows(found.filter(found.feature == "annual_income"), "known_count") == [(9,)]


CROWD = st.lists(
    st.fixed_dictionaries(
        {
            "engagement_level": st.sampled_from(["Champions", "Churn Risk", "Loyal Customers"]),
            "audience": st.sampled_from([None, "Buyers", "Secret"]),
            "is_premium": st.sampled_from([None, True, False]),
            "frequency": st.integers(0, 50),
            "monetary": st.integers(0, 10**9).map(lambda cents: money(f"{cents}e-4")),
            "average_order_amount": st.floats(0, 1e6),
            "return_rate": st.one_of(st.none(), st.floats(0, 1)),
            "age": st.one_of(st.none(), st.integers(18, 90)),
        }
    ),
    min_size=1,
    max_size=40,
).map(lambda crowd: [person | {"customer_id": f"c{number:02}"} for number, person in enumerate(crowd)])


@settings(max_examples=10, deadline=None)
@given(CROWD)
def test_traits_equal_pandas(crowd: list[Person]) -> None:
    found = arrow(traits(*crowd)).to_pandas().set_index(["segmentation", "segment", "feature"])
    frame = pd.DataFrame(crowd)
    for feature in ("frequency", "monetary", "average_order_amount", "return_rate", "is_premium", "age"):
        values = pd.to_numeric(frame[feature].astype(object).map(lambda value: value and float(value)))
        values = values.where(frame[feature].notna())
        for level, group in values.groupby(frame["engagement_level"]):
            row = found.loc[("engagement_level", level, feature)]
            assert row.known_count == group.count()
            if feature in module.PERSONAL and group.count() < 10:
                assert pd.isna(row["mean"])
                continue
            assert row["mean"] == pytest.approx(group.mean(), abs=1e-4, nan_ok=True)
            assert row.population_mean == pytest.approx(values.mean(), abs=1e-4, nan_ok=True)
            assert row.population_deviation == pytest.approx(values.std(ddof=0), rel=1e-3, abs=1e-3, nan_ok=True)
    ranked = found.dropna(subset=["rank"]).reset_index()
    for _, rows_of_segment in ranked.groupby(["segmentation", "segment"]):
        ordered = rows_of_segment.sort_values("rank")
        assert list(ordered["rank"]) == list(range(1, len(ordered) + 1))
        assert ordered.standardised_difference.abs().round(6).is_monotonic_decreasing


@settings(max_examples=25, deadline=None)
@given(CROWD, st.randoms(use_true_random=False))
def test_traits_equal_the_hand_written_sql_whatever_the_order_of_rows(crowd: list[Person], random: Random) -> None:
    engine = duckdb.connect()
    for name, rows_of in inputs(*crowd).items():
        engine.register(name, arrow(rows_of))
    names = ", ".join(CONTRACTS["segment_traits"].column_names)
    expected = engine.execute(f"SELECT {names} FROM ({FLOOR.read_text()}) ORDER BY ALL").fetchall()
    random.shuffle(crowd)
    engine.register("ours", arrow(traits(*crowd)))
    assert engine.execute(f"SELECT {names} FROM ours ORDER BY ALL").fetchall() == expected
