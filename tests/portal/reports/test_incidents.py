"""Incidents on the command line: what is listed, taken up, muted and delivered."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from checks.incidents import Outcome, record
from portal import cli
from resources import deployment as deployments
from tests.tables import day

CONFIG = """
name: Shop
currency: EUR
"""
BROKEN_WEBHOOK = (
    "notifications: [{type: webhook, name: chat, url: 'https://127.0.0.1:1/x?token=s3cret'}, {type: log}]\n"
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "c360.yaml"
    file.write_text(CONFIG)
    return file


def ran(shop: Path, dataset: str, run_id: str, **statuses: str) -> None:
    outcomes = [Outcome(rule, status, "error", 1200) for rule, status in statuses.items()]
    with closing(deployments.load(shop)) as deployment, deployment.operations.begin() as connection:
        record(deployment.operations, connection, dataset, run_id, day("2026-01-01"), outcomes)


def c360(command: str, shop: Path, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, [command, *arguments, "--config", str(shop)])


def listed(shop: Path, *arguments: str) -> list[tuple[str, str, str]]:
    rows = json.loads(c360("incidents", shop, *arguments, "--format", "json").output)
    return [(row["dataset"], row["rule"], row["status"]) for row in rows]


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[│┃]", " ", text))


def test_a_shop_where_all_is_well_says_so(shop: Path) -> None:
    assert c360("incidents", shop).output == "No open incidents.\n"
    assert c360("incidents", shop, "--all").output == "No incidents.\n"
    assert listed(shop) == []


def test_open_incidents_are_listed_and_the_resolved_ones_on_request(shop: Path) -> None:
    ran(shop, "sources/orders", "r1", key_unique="fail", rows_present="fail")
    ran(shop, "sources/orders", "r2", key_unique="fail", rows_present="pass")
    ran(shop, "rfm", "r2", key_unique="warn")
    output = plain(c360("incidents", shop).output)
    assert "sources/orders key_unique open error 2026-01-01 00:00 2 1,200" in output
    assert "rows_present" not in output
    assert listed(shop) == [("rfm", "key_unique", "open"), ("sources/orders", "key_unique", "open")]
    assert listed(shop, "sources/orders", "--all") == [
        ("sources/orders", "key_unique", "open"),
        ("sources/orders", "rows_present", "resolved"),
    ]


def test_who_took_an_incident_up_is_kept_but_not_shown(shop: Path) -> None:
    ran(shop, "rfm", "r1", key_unique="fail")
    change = ("--acknowledge", "key_unique", "--by", "Ann Lee", "--reason", "[known]")
    result = c360("incidents", shop, "rfm", *change)
    assert result.exit_code == 0, result.output
    assert "acknowledged: [known]" in plain(result.output)
    (row,) = json.loads(c360("incidents", shop, "--format", "json").output)
    assert (row["acknowledged_by"], row["acknowledged_reason"]) == ("***", "[known]")
    with closing(deployments.load(shop)) as deployment:
        assert deployment.operations.rows("incidents")["acknowledged_by"].to_pylist() == ["Ann Lee"]


def test_a_muted_incident_tells_nobody_until_the_end_of_the_day(shop: Path) -> None:
    ran(shop, "rfm", "r1", key_unique="fail")
    result = c360("incidents", shop, "rfm", "--mute", "key_unique", "--until", "2026-01-01", "--reason", "known")
    assert "muted until 2026-01-01 23:59: known" in plain(result.output)
    ran(shop, "rfm", "r2", key_unique="pass")
    assert plain(c360("notify", shop).output).endswith("1 delivered, 0 failed. ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["orderz"], "There is no table 'orderz'"),
        (["--acknowledge", "key_unique", "--by", "Ann", "--reason", "known"], "Write either DATASET --acknowledge"),
        (["rfm", "--acknowledge", "key_unique", "--by", "Ann"], "Write either"),
        (["rfm", "--acknowledge", "key_unique", "--by", " ", "--reason", "known"], "Write either"),
        (["rfm", "--mute", "key_unique", "--by", "Ann", "--reason", "known"], "Write either"),
        (["rfm", "--reason", "known"], "Write either"),
        (
            ["rfm", "--mute", "key_unique", "--until", "tomorrow", "--reason", "known"],
            "--until 'tomorrow' is no moment",
        ),
        (["rfm", "--mute", "key_unique", "--until", "2026-02-01", "--reason", "known"], "has no open incident"),
    ],
)
def test_a_mistake_is_one_readable_paragraph_and_exit_code_1(shop: Path, arguments: list[str], message: str) -> None:
    result = c360("incidents", shop, *arguments)
    assert result.exit_code == 1
    assert message in plain(result.output)
    assert "Traceback" not in result.output


def test_notify_delivers_what_waits_once(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    ran(shop, "rfm", "r1", key_unique="fail", rows_present="fail")
    assert plain(c360("notify", shop).output).endswith("2 delivered, 0 failed. ")
    assert "rfm: rule key_unique fails on 1,200 rows (error), as of 2026-01-01 00:00 UTC" in caplog.text
    assert plain(c360("notify", shop).output).endswith("0 delivered, 0 failed. ")


def test_notify_says_what_failed_without_its_secrets(shop: Path) -> None:
    shop.write_text(CONFIG + BROKEN_WEBHOOK)
    ran(shop, "rfm", "r1", key_unique="fail", rows_present="fail")
    result = c360("notify", shop)
    assert result.exit_code == 1
    assert "2 delivered, 1 failed. chat: 2 waiting (ConnectionError)" in plain(result.output)
    assert "s3cret" not in result.output
    shop.write_text(CONFIG)
    result = c360("notify", shop)
    assert result.exit_code == 0
    assert "chat: 2 waiting (no such sink in c360.yaml any more)" in plain(result.output)
