"""Answers: scores on the scale of their survey."""

from c360_assets.conformed.answers import answers
from tests.tables import at, computed, day, rows, table


def test_a_score_off_the_scale_of_its_survey_is_none() -> None:
    given = (("NPS", 0), (" nps ", 11), ("CSAT", 0), ("csat", 5), ("Ces", 7), ("stars", 5), (None, 5), ("NPS", None))
    said = [{"answer_id": str(n), "survey_type": survey, "score": score} for n, (survey, score) in enumerate(given)]
    found = computed(answers)(table("sources/survey_answer", *said), at("2026-06-30"))
    assert rows(found, "answer_id", "metric", "score") == [
        ("0", "nps", 0),
        ("1", "nps", None),
        ("2", "csat", None),
        ("3", "csat", 5),
        ("4", "ces", 7),
        ("5", "stars", None),
        ("6", None, None),
        ("7", "nps", None),
    ]


def test_an_answer_after_as_of_is_not_there_and_one_without_a_date_is() -> None:
    dates = ("2026-06-30", "2026-07-01", None)
    said = [{"answer_id": str(n), "answered_at": on and day(on)} for n, on in enumerate(dates)]
    found = computed(answers)(table("sources/survey_answer", *said), at("2026-06-30"))
    assert rows(found, "answer_id") == [("0",), ("2",)]
