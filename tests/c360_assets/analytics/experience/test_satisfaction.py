"""Satisfaction: scores and their intervals, by segment and over time."""

import math
import statistics
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from c360_assets.analytics.experience.satisfaction import FEW, METRICS, SEGMENTATIONS, satisfaction
from c360_assets.conformed.answers import answers as answers_of
from c360_assets.conformed.ratings import ratings
from c360_assets.conformed.tickets import tickets
from tests.tables import arrow, at, computed, day, rows, table

NOW = at("2026-06-30T12:00:00")
NORMAL = 1.959963984540054
Row = dict[str, Any]


def answers(survey: str, *scores: int, who: str | None = "ann", on: str = "2026-06-01") -> list[Row]:
    return [
        {
            "answer_id": f"{survey} {who} {on} {n}", "customer_id": who, "answered_at": day(on),
            "survey_type": survey, "score": score,
        }
        for n, score in enumerate(scores)
    ]  # fmt: skip


def segments(*people: Row) -> ir.Table:
    usual = {"engagement_level": "Champions", "customer_segment": "VIP", "persona": "Explorer", "value_tier": "High"}
    return table("customer_segments", *[usual | person for person in people])


ANN = segments({"customer_id": "ann", "is_premium": True})


def scored(said: list[Row], people: ir.Table = ANN, now: ir.Table = NOW, **more: list[Row]) -> ir.Table:
    """The satisfaction in these answers, and in reviews and tickets."""
    answered = computed(answers_of)(table("sources/survey_answer", *said), now)
    rated = computed(ratings)(table("sources/review", *more.get("review", [])), now)
    asked = computed(tickets)(table("sources/support_ticket", *more.get("support_ticket", [])), now)
    return computed(satisfaction)(answered, rated, asked, people, now)


def overall(found: ir.Table, metric: str, *columns: str) -> tuple[Any, ...]:
    (row,) = rows(found.filter(found.metric == metric, found.dimension == "all"), *columns)
    return row


def test_nps_is_the_share_of_promoters_less_that_of_detractors() -> None:
    found = scored(answers("NPS", 10, 9, 9, 8, 7, 6, 0, 10))
    columns = ("answer_count", "score", "promoter_count", "passive_count", "detractor_count", "unit", "reason")
    assert overall(found, "nps", *columns) == (8, 25.0, 4, 2, 2, "points", FEW)
    half = 100 * NORMAL * math.sqrt((0.75 - 0.25**2) / 8)
    assert overall(found, "nps", "low", "high") == pytest.approx((25 - half, 25 + half))


def test_csat_is_the_percentage_of_fours_and_fives_with_an_interval_by_wilson() -> None:
    found = scored(answers("CSAT", 5, 4, 3, 1))
    assert overall(found, "csat", "score", "satisfied_count", "promoter_count") == (50.0, 2, None)
    known = stats.binomtest(2, 4).proportion_ci(0.95, "wilson")
    assert overall(found, "csat", "low", "high") == pytest.approx((100 * known.low, 100 * known.high))


def test_ces_and_ratings_are_means_with_an_interval_by_student_that_ends_with_the_scale() -> None:
    reviews = [
        {"review_id": str(n), "customer_id": "ann", "rating": rating} for n, rating in enumerate((5.0, 4.5, 3.0))
    ]
    found = scored(answers("CES", 7, 6, 7, 5, 6), review=reviews)
    half = stats.t.ppf(0.975, 4) * statistics.stdev([7, 6, 7, 5, 6]) / math.sqrt(5)
    assert overall(found, "ces", "score", "low") == pytest.approx((6.2, 6.2 - half), abs=1e-5)
    assert overall(found, "ces", "high", "unit") == (7.0, "1 to 7")
    half = stats.t.ppf(0.975, 2) * statistics.stdev([5, 4.5, 3]) / math.sqrt(3)
    assert overall(found, "rating", "score", "low") == pytest.approx((12.5 / 3, 12.5 / 3 - half), abs=1e-5)


def test_a_resolution_counts_in_hours_in_the_month_it_came_about() -> None:
    opened = datetime(2026, 5, 31, 20)
    tickets = [
        {
            "ticket_id": str(hours), "customer_id": "ann", "opened_at": opened,
            "resolved_at": opened + timedelta(hours=hours),
        }
        for hours in (2, 7, 9, 24 * 40)
    ]  # fmt: skip
    found = scored([], support_ticket=tickets)
    half = stats.t.ppf(0.975, 2) * statistics.stdev([2, 7, 9]) / math.sqrt(3)
    assert overall(found, "resolution", "answer_count", "score", "low", "high", "unit") == pytest.approx(
        (3, 6.0, 0.0, 6 + half, "hours"), abs=1e-5
    )
    monthly = found.filter(found.metric == "resolution", found.dimension == "month")
    assert rows(monthly, "value", "answer_count", "score") == [("2026-05", 1, 2.0), ("2026-06", 2, 8.0)]


def test_answers_are_told_apart_by_month_and_by_the_segments_of_their_customers() -> None:
    people = segments(
        {"customer_id": "ann", "is_premium": True},
        {"customer_id": "bob", "engagement_level": "Churn Risk", "is_premium": False},
        {"customer_id": "eve"},
    )
    said = [
        *answers("NPS", 9, who="ann", on="2026-05-31"),
        *answers("NPS", 3, who="bob", on="2026-06-01"),
        *answers("NPS", 8, who="eve", on="2026-06-02"),
        *answers("NPS", 9, who="stranger", on="2026-06-02"),
        *answers("NPS", 10, who=None, on="2026-06-02"),
    ]
    found = scored(said, people)
    nps = found.filter(found.metric == "nps")
    counts = {(dimension, value): count for dimension, value, count in rows(nps, "dimension", "value", "answer_count")}
    assert counts == {
        ("all", "all"): 5,
        ("month", "2026-05"): 1,
        ("month", "2026-06"): 4,
        ("engagement_level", "Champions"): 2,
        ("engagement_level", "Churn Risk"): 1,
        ("engagement_level", "unknown"): 2,
        ("customer_segment", "VIP"): 3,
        ("customer_segment", "unknown"): 2,
        ("persona", "Explorer"): 3,
        ("persona", "unknown"): 2,
        ("value_tier", "High"): 3,
        ("value_tier", "unknown"): 2,
        ("is_premium", "true"): 1,
        ("is_premium", "false"): 1,
        ("is_premium", "unknown"): 3,
    }


def test_where_nothing_was_said_each_metric_has_a_row_that_says_so() -> None:
    for now in (NOW, table("as_of", {"as_of": None})):
        found = scored([], now=now)
        assert rows(found, "metric", "dimension", "value", "answer_count", "score", "low", "high", "reason") == [
            (metric, "all", "all", 0, None, None, None, METRICS[metric][-1]) for metric in sorted(METRICS)
        ]


def test_one_answer_or_answers_all_alike_have_a_score_and_no_interval_but_for_csat() -> None:
    said = [*answers("NPS", 10, 9, 10), *answers("CES", 5), *answers("CSAT", 5)]
    reviews = [{"review_id": str(n), "customer_id": "ann", "rating": 4.0} for n in range(3)]
    found = scored(said, review=reviews)
    assert overall(found, "nps", "score", "low", "high") == (100.0, None, None)
    assert overall(found, "ces", "score", "low", "high") == (5.0, None, None)
    assert overall(found, "rating", "score", "low", "high") == (4.0, None, None)
    assert "alike" in overall(found, "nps", "reason")[0]
    assert "one alone" in overall(found, "ces", "reason")[0]
    assert overall(found, "csat", "score", "reason") == (100.0, FEW)
    assert overall(scored(answers("CSAT", *[5] * 10)), "csat", "score", "reason") == (100.0, None)
    assert overall(found, "csat", "low", "high") == pytest.approx((20.654, 100.0), abs=1e-3)


def test_what_comes_after_the_moment_changes_nothing_and_what_has_no_date_counts() -> None:
    undated = [row | {"answered_at": None, "answer_id": "undated"} for row in answers("CSAT", 2)]
    said = [*answers("CSAT", 5, 4, 3), *undated]
    later = answers("CSAT", 1, 1, on="2026-07-01")
    found = scored(said)
    assert sorted(map(str, arrow(scored(said + later)).to_pylist())) == sorted(map(str, arrow(found).to_pylist()))
    assert overall(found, "csat", "answer_count") == (4,)
    monthly = found.filter(found.metric == "csat", found.dimension == "month")
    assert rows(monthly, "value", "answer_count") == [("2026-06", 3), ("unknown", 1)]


SAID = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["NPS", "CSAT", "CES"]), st.integers(1, 5), st.integers(0, 90)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(SAID, st.randoms(use_true_random=False))
def test_scores_equal_a_plain_loop_whatever_the_order_of_rows(
    said: list[tuple[int, str, int, int]], random: Any
) -> None:
    literal: list[Row] = [
        {
            "answer_id": str(n), "customer_id": f"c{who}", "answered_at": day("2026-06-30") - timedelta(days=ago),
            "survey_type": survey, "score": score,
        }
        for n, (who, survey, score, ago) in enumerate(said)
    ]  # fmt: skip
    groups: dict[tuple[str, str, str], list[int]] = {}
    for row in literal:
        places = {"all": "all", "month": row["answered_at"].strftime("%Y-%m"), "persona": f"{row['customer_id']}'s"}
        for dimension, value in places.items():
            groups.setdefault((row["survey_type"].lower(), dimension, value), []).append(row["score"])

    def score(metric: str, scores: list[int]) -> float:
        if metric == "nps":
            return -100.0 * sum(value <= 6 for value in scores) / len(scores)
        return (
            100.0 * sum(value >= 4 for value in scores) / len(scores) if metric == "csat" else sum(scores) / len(scores)
        )

    people = segments(*[{"customer_id": f"c{who}", "persona": f"c{who}'s"} for who in range(4)])
    random.shuffle(literal)
    found = arrow(scored(literal, people)).to_pylist()
    told = {(row["metric"], row["dimension"], row["value"]): (row["answer_count"], row["score"]) for row in found}
    assert told.items() >= {key: (len(scores), score(key[0], scores)) for key, scores in groups.items()}.items()
    assert all(row["low"] is None or row["low"] <= row["score"] <= row["high"] for row in found)
    for dimension in ("all", "month", *SEGMENTATIONS):
        assert sum(row["answer_count"] for row in found if row["dimension"] == dimension) == len(said)
