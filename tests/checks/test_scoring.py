"""The score: by hand, and what holds whatever the counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import scoring
from checks.scoring import ERROR, FAIL, NOT_ASSESSED, PASS, WARN, Result, counted, erred, score
from governance.quality import DIMENSIONS, Present, Rule


def rule(name: str = "rule", dimension: str = "accuracy", weight: float = 1.0, **others: object) -> Rule:
    severity = str(others.pop("severity", "warning"))
    return Rule(name, "A rule.", dimension, severity, "daily", Present(columns=("a",)), weight, **others)  # type: ignore[arg-type]


def test_a_score_is_the_mean_of_its_dimensions_each_the_weighted_mean_of_its_rules() -> None:
    results = [
        counted(rule("a", "completeness", weight=3), 90, 10),
        counted(rule("b", "completeness"), 50, 50),
        counted(rule("c", "uniqueness"), 70, 20, set_aside=10),
    ]
    found = score(results)
    assert found.denominator == 2
    assert found.numerator == pytest.approx((3 * 0.9 + 0.5) / 4 + 0.7, abs=1e-12)
    assert found.value == pytest.approx(100 * (0.8 + 0.7) / 2, abs=1e-9)
    assert scoring.dimensions(results) == pytest.approx({"completeness": 80.0, "uniqueness": 70.0})


def test_a_rule_that_could_not_run_counts_nought_and_one_that_does_not_apply_counts_for_neither_side() -> None:
    good = counted(rule("good"), 10, 0)
    assert score([good, erred(rule("bad"), "no such column")]).value == 50
    assert score([good, counted(rule("idle", "timeliness"), 0, 0)]).value == 100
    assert score([counted(rule("idle"), 0, 0)]).value is None


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (counted(rule(), 5, 0), PASS),
        (counted(rule(), 5, 1), WARN),
        (counted(rule(severity="error"), 5, 1), FAIL),
        (counted(rule(severity="error"), 5, 0, set_aside=1), WARN),
        (counted(rule(severity="error"), 5, 1, set_aside=1), FAIL),
        (counted(rule(tolerated_percent=20.0), 8, 2), PASS),
        (counted(rule(tolerated_percent=19.9), 8, 2), WARN),
        (counted(rule(), 0, 0), NOT_ASSESSED),
        (erred(rule(), "bad SQL"), ERROR),
    ],
)
def test_the_status_of_a_result(result: Result, status: str) -> None:
    assert result.status == status


def test_only_blocking_rules_block_and_only_where_rows_that_are_read_fail() -> None:
    blocking = rule(severity="error", blocking=True)
    assert counted(blocking, 5, 1).blocks
    assert erred(blocking, "bad SQL").blocks
    assert not counted(blocking, 5, 0, set_aside=3).blocks
    assert not counted(rule(severity="error"), 5, 1).blocks


RESULTS = st.lists(
    st.builds(
        lambda dimension, weight, passing, failing, could_run: (
            counted(rule("r", dimension, weight), passing, failing)
            if could_run
            else erred(rule("r", dimension, weight), "broken")
        ),
        st.sampled_from(DIMENSIONS),
        st.floats(0.1, 10),
        st.integers(0, 1000),
        st.integers(0, 1000),
        st.booleans(),
    ),
    min_size=1,
)


@given(RESULTS)
def test_a_score_lies_between_0_and_100(results: list[Result]) -> None:
    value = score(results).value
    assert value is None or -1e-9 <= value <= 100 + 1e-9


@given(RESULTS, st.randoms())
def test_a_score_does_not_depend_on_the_order_of_the_rules(results: list[Result], chance: object) -> None:
    shuffled = list(results)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert score(shuffled).value == score(results).value


@given(RESULTS, st.data())
def test_a_score_never_rises_when_a_good_row_turns_bad(results: list[Result], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(results) - 1))
    before = results[place]
    if before.passing == 0:
        return
    # It fails this rule, or it is no longer one that this rule judges.
    still_judged = data.draw(st.booleans())
    after = counted(before.rule, before.passing - 1, before.failing + still_judged)
    if after.share is None:
        return
    worse = [*results[:place], after, *results[place + 1 :]]
    assert (score(worse).value or 0) <= (score(results).value or 0) + 1e-9
