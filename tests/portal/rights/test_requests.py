"""Requests: due within a month, open until they are answered, and nobody's name in them."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from portal import cli
from portal.rights import requests
from portal.rights.requests import ACCESS, ERASURE, TABLE, due
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.told import plain

CONFIG = "name: Shop\ncurrency: EUR\naccess: {anyone: data_steward}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    file = tmp_path / "c360.yaml"
    file.write_text(CONFIG)
    deployment = deployments.load(file)
    yield deployment
    deployment.close()


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (date(2026, 1, 15), date(2026, 2, 15)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 12, 10), date(2027, 1, 10)),
        (date(2026, 11, 30), date(2026, 12, 30)),
    ],
)
def test_a_request_is_due_on_the_same_day_of_the_next_month(received: date, expected: date) -> None:
    assert due(received) == expected


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_nobody_waits_longer_than_a_month(received: date) -> None:
    assert timedelta(28) <= due(received) - received <= timedelta(31)
    assert due(received).month == received.month % 12 + 1


def test_a_request_is_open_until_it_is_answered(shop: Deployment) -> None:
    first = requests.add(shop, ERASURE, "C1", date(2026, 1, 31))
    second = requests.add(shop, ACCESS, "C1", date(2026, 1, 31))
    assert (first["request_id"], second["request_id"]) == ("20260131-0001", "20260131-0002")
    requests.answered(shop, ERASURE, "C1", "ann")
    erased, told = shop.operations.records(TABLE)
    assert (erased["done_by"], told["done_by"], told["due_on"]) == ("ann", None, date(2026, 2, 28))
    assert erased["subject_hash"] == told["subject_hash"]
    requests.answered(shop, ERASURE, "C1", "bo")
    assert shop.operations.records(TABLE) == [erased, told]


def test_what_was_answered_without_being_noted_is_noted(shop: Deployment) -> None:
    requests.answered(shop, ACCESS, "C2", "ann")
    (row,) = shop.operations.records(TABLE)
    assert (row["kind"], row["done_by"], row["received_on"]) == (ACCESS, "ann", row["done_at"].date())


def test_requests_are_noted_and_listed_with_no_name_in_them(shop: Deployment) -> None:
    def c360(*arguments: str) -> str:
        result = CliRunner(env={"COLUMNS": "200"}).invoke(
            cli.main, ["requests", *arguments, "--config", str(shop.file)]
        )
        assert result.exit_code == 0, result.output
        return plain(result.output)

    note = ("add", "--kind", "erasure", "--customer", "C-0000123")
    assert "Request 20200131-0001 is due on 2020-02-29." in c360(*note, "--received", "2020-01-31")
    assert "-0001 is due on" in c360(*note)
    listed = c360("list")
    assert "overdue" in listed
    assert "open" in listed
    assert "C-0000123" not in listed
    assert b"C-0000123" not in b"".join(path.read_bytes() for path in shop.home.rglob("*") if path.is_file())
