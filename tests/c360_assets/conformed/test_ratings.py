"""Ratings: stars, exact."""

from c360_assets.conformed.ratings import ratings
from tests.tables import at, computed, day, money, rows, table


def test_a_rating_off_the_scale_is_none_and_the_review_stays() -> None:
    given = [{"review_id": str(n), "rating": rating} for n, rating in enumerate((1.0, 5.0, 4.3, 0.9, 5.1, None))]
    found = computed(ratings)(table("sources/review", *given), at("2026-06-30"))
    expected = [money("1"), money("5"), money("4.3"), None, None, None]
    assert rows(found, "review_id", "rating") == [(str(n), rating) for n, rating in enumerate(expected)]


def test_a_review_after_as_of_is_not_there() -> None:
    given = [{"review_id": on, "reviewed_at": day(on)} for on in ("2026-06-30", "2026-07-01")]
    found = computed(ratings)(table("sources/review", *given), at("2026-06-30"))
    assert rows(found, "review_id") == [("2026-06-30",)]
