"""What `c360 run` is told and tells: moments, and faults in words that quote nobody."""

import re
from datetime import date, datetime
from pathlib import Path

import pytest
from dagster._utils.error import SerializableErrorInfo

from portal.runs import building, running
from portal.runs.running import SelectionError
from resources import deployment as deployments


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-30", datetime(2026, 6, 30, 23, 59, 59, 999999)),
        ("2026-06-30T12:00:00", datetime(2026, 6, 30, 12)),
        ("2026-06-30T12:00:00+02:00", datetime(2026, 6, 30, 10)),
    ],
)
def test_a_date_alone_is_the_end_of_its_day_and_an_offset_is_heeded(text: str, moment: datetime) -> None:
    assert running.moment(text) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-30", datetime(2026, 7, 1, 4, 59, 59, 999999)),
        ("2026-06-30T12:00:00", datetime(2026, 6, 30, 17)),
        ("2026-06-30T12:00:00Z", datetime(2026, 6, 30, 12)),
    ],
)
def test_moments_asked_for_are_of_the_shops_clock(text: str, moment: datetime) -> None:
    assert running.moment(text, "America/Chicago") == moment


def test_what_is_no_moment_is_named() -> None:
    with pytest.raises(SelectionError, match="'soon' is no moment") as raised:
        running.moment("soon")
    advised = re.findall(r"2026-06-30\S*(?<!\.)", str(raised.value))
    assert [running.moment(text).date() for text in advised] == [date(2026, 6, 30)] * 2


def error(name: str, message: str, cause: SerializableErrorInfo | None = None) -> SerializableErrorInfo:
    return SerializableErrorInfo(message=message, stack=[], cls_name=name, cause=cause)


def test_own_errors_are_told_as_they_are_those_of_the_machine_in_our_words_and_others_by_their_kind_alone(
    tmp_path: Path,
) -> None:
    file = tmp_path / "c360.yaml"
    file.write_text("name: Test\ncurrency: EUR\nconnectors: {}\nfeeds: {}\n")
    deployment = deployments.load(file)
    own = error("SelectionError", "portal.runs.running.SelectionError: Table x: is not there\n")
    wrapped = error("DagsterExecutionStepExecutionError", "Error in x", own)
    assert building._fault(wrapped, deployment) == "Table x: is not there"
    full = error("OSError", "OSError: [Errno 28] No space left on device\n")
    assert building._fault(full, deployment).startswith(f"The disk that holds {deployment.home} takes nothing more")
    told = building._fault(error("ValueError", "ValueError: ann@example.com is no number\n"), deployment)
    assert told == "Unexpected fault (ValueError). To see where, run again with: c360 --debug run"
