"""Feedback: the latest word of each customer, and what was known at the time."""

from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.experience.feedback import feedback
from c360_assets.conformed.answers import answers as answers_of
from c360_assets.conformed.ratings import ratings as ratings_of
from c360_assets.conformed.tickets import tickets as tickets_of
from tests.tables import arrow, at, computed, day, rows, table

NOW = at("2026-06-30T12:00:00")
Row = dict[str, Any]


def answer(answer_id: str, who: str | None, on: str | None, survey: str | None, score: int | None) -> Row:
    answered_at = day(on) if on else None
    return {
        "answer_id": answer_id, "customer_id": who, "answered_at": answered_at, "survey_type": survey, "score": score,
    }  # fmt: skip


def review(review_id: str, who: str | None, rating: float | None, on: str = "2026-06-01") -> Row:
    return {"review_id": review_id, "customer_id": who, "rating": rating, "reviewed_at": day(on)}


def ticket(ticket_id: str, who: str | None, opened: str, resolved: str | None, **more: Any) -> Row:
    resolved_at = datetime.fromisoformat(resolved) if resolved else None
    opened_at = datetime.fromisoformat(opened)
    return {"ticket_id": ticket_id, "customer_id": who, "opened_at": opened_at, "resolved_at": resolved_at, **more}


def heard(
    answers: list[Row] | None = None,
    reviews: list[Row] | None = None,
    tickets: list[Row] | None = None,
    now: ir.Table = NOW,
) -> ir.Table:
    """The feedback in these answers, reviews and tickets."""
    said = computed(answers_of)(table("sources/survey_answer", *answers or []), now)
    rated = computed(ratings_of)(table("sources/review", *reviews or []), now)
    asked = computed(tickets_of)(table("sources/support_ticket", *tickets or []), now)
    return computed(feedback)(said, rated, asked)


def test_the_latest_answer_to_each_survey_counts() -> None:
    given = [
        answer("1", "ann", "2026-05-01", "NPS", 3),
        answer("2", "ann", "2026-06-01", "nps ", 9),
        answer("3", "ann", "2026-04-01", "CSAT", 5),
        answer("4", "ann", "2026-04-02", "CES", 7),
        answer("5", "bob", "2026-06-02", "NPS", 0),
        answer("6", None, "2026-06-02", "NPS", 1),
    ]
    columns = ("customer_id", "nps_score", "csat_score", "ces_score", "nps_answered_at", "survey_answer_count")
    assert rows(heard(given), *columns) == [
        ("ann", 9, 5, 7, day("2026-06-01"), 4),
        ("bob", 0, None, None, day("2026-06-02"), 1),
    ]


def test_of_two_answers_at_one_moment_the_last_id_counts_and_undated_ones_come_first() -> None:
    given = [
        answer("b", "ann", "2026-06-01", "NPS", 8),
        answer("a", "ann", "2026-06-01", "NPS", 2),
        answer("z", "ann", None, "NPS", 5),
        answer("y", "bob", None, "NPS", 6),
    ]
    assert rows(heard(given), "customer_id", "nps_score") == [("ann", 8), ("bob", 6)]


def test_an_answer_off_its_scale_is_counted_and_gives_no_score() -> None:
    given = [
        answer("1", "ann", "2026-05-01", "NPS", 10),
        answer("2", "ann", "2026-06-01", "NPS", 11),
        answer("3", "ann", "2026-06-01", "CSAT", 0),
        answer("4", "ann", "2026-06-01", "CES", None),
        answer("5", "ann", "2026-06-01", None, 5),
    ]
    columns = ("nps_score", "csat_score", "ces_score", "nps_answered_at", "survey_answer_count")
    assert rows(heard(given), *columns) == [(10, None, None, day("2026-05-01"), 5)]


def test_ratings_are_averaged_over_the_reviews_that_have_one() -> None:
    reviews = [review("1", "ann", 4.5), review("2", "ann", 2.0), review("3", "ann", None), review("4", "bob", None)]
    columns = ("customer_id", "review_count", "average_rating", "last_review_at")
    assert rows(heard(reviews=reviews), *columns) == [
        ("ann", 3, 3.25, day("2026-06-01")),
        ("bob", 1, None, day("2026-06-01")),
    ]


def test_a_ticket_is_open_until_its_resolution_whatever_its_status_says_today() -> None:
    tickets = [
        ticket("1", "ann", "2026-06-01T10:00:00", "2026-06-01T12:30:00"),
        ticket("2", "ann", "2026-06-02T10:00:00", "2026-06-02T11:30:00"),
        ticket("3", "ann", "2026-06-30T10:00:00", "2026-07-01T10:00:00", ticket_status="solved"),
        ticket("4", "ann", "2026-06-30T11:00:00", None, ticket_status="open"),
        ticket("5", "bob", "2026-06-02T10:00:00", "2026-06-01T10:00:00"),
        ticket("6", "eve", "2026-07-01T10:00:00", None),
    ]
    columns = ("customer_id", "support_ticket_count", "open_ticket_count", "resolution_hours", "last_ticket_at")
    assert rows(heard(tickets=tickets), *columns) == [
        ("ann", 4, 2, 2.0, datetime(2026, 6, 30, 11)),
        ("bob", 1, 0, None, datetime(2026, 6, 2, 10)),
    ]


def test_who_spoke_in_one_way_only_has_zeros_for_the_others() -> None:
    given = heard([answer("1", "ann", "2026-05-01", "CES", 4)], [review("1", "bob", 5.0)])
    columns = ("customer_id", "survey_answer_count", "review_count", "support_ticket_count", "open_ticket_count")
    assert rows(given, *columns) == [("ann", 1, 0, 0, 0), ("bob", 0, 1, 0, 0)]


def test_what_comes_after_the_moment_changes_nothing() -> None:
    before = [answer("1", "ann", "2026-05-01", "NPS", 3)]
    later = [answer("2", "ann", "2026-08-01", "NPS", 9), answer("3", "eve", "2026-08-01", "NPS", 9)]
    reviews = [review("1", "eve", 1.0, "2026-07-01")]
    assert arrow(heard(before + later, reviews)) == arrow(heard(before))


def test_without_a_moment_all_that_is_held_counts_and_without_rows_nobody_is_listed() -> None:
    undated = table("as_of", {"as_of": None})
    tickets = [ticket("1", "ann", "2026-06-01T10:00:00", "2026-06-01T12:30:00")]
    assert rows(heard(tickets=tickets, now=undated), "customer_id", "open_ticket_count") == [("ann", 0)]
    assert rows(heard(now=undated), "customer_id") == []


ANSWERS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["NPS", "CSAT", "CES"]), st.integers(0, 5), st.integers(-1, 11)),
    max_size=25,
)
SCALES = {"NPS": (0, 10), "CSAT": (1, 5), "CES": (1, 7)}


@settings(max_examples=25, deadline=None)
@given(ANSWERS, st.randoms(use_true_random=False))
def test_latest_answers_equal_a_plain_loop_whatever_the_order_of_rows(
    given: list[tuple[int, str, int, int]], random: Any
) -> None:
    literal = [
        answer(f"{n:02}", f"c{who}", "2026-06-01", survey, score)
        | {"answered_at": day("2026-06-01") + timedelta(days=days)}
        for n, (who, survey, days, score) in enumerate(given)
    ]
    said: dict[str, dict[str, int | None]] = {}
    for row in sorted(literal, key=lambda row: (row["answered_at"], row["answer_id"])):
        scores = said.setdefault(row["customer_id"], dict.fromkeys(SCALES))
        low, high = SCALES[row["survey_type"]]
        if low <= row["score"] <= high:
            scores[row["survey_type"]] = row["score"]
    random.shuffle(literal)
    found = rows(heard(literal), "customer_id", "nps_score", "csat_score", "ces_score")
    assert found == [(who, *said[who].values()) for who in sorted(said)]
