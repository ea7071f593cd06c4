"""The checks of a table in the Dagster UI, in a real browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WAIT = 60_000

pytestmark = [pytest.mark.live, pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on this machine")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The UI of a small company that was built and checked, served on a free port."""
    home = tmp_path_factory.mktemp("shown")
    settings = yaml.safe_load((PROJECT / "c360.yaml").read_text())
    settings["connectors"]["sample"]["customers"] = 200
    # A dataset without rows is a failure, and no more than a warning is wrong with the others.
    settings["feeds"]["loyalty_ledger"] |= {"select": "select * from raw where false", "may_be_empty": True}
    config = home / "c360.yaml"
    config.write_text(yaml.safe_dump(settings))
    c360 = [sys.executable, "-c", "from portal.cli import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    environment.pop("DAGSTER_HOME", None)
    subprocess.run(
        [*c360, "run", "--config", str(config)], cwd=PROJECT, env=environment, check=True, capture_output=True
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "ui.log").open("w") as log:
        server = subprocess.Popen(
            [*c360, "ui", "--config", str(config), "--port", str(port)],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/server_info", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(180):
        assert server.poll() is None, "the UI ended before it began to serve"
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"nothing answers on {url}")


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(WAIT)
        yield page
        browser.close()


def _open(page: Any, address: str, check: str, dataset: str = "customer") -> None:
    page.goto(f"{address}/assets/sources/{dataset}?view=checks&checkDetail={check}", wait_until="domcontentloaded")
    page.get_by_text("Latest execution").wait_for()


def test_the_checks_tab_lists_the_rules_and_how_each_fares(page: Any, address: str) -> None:
    from governance import contracts

    _open(page, address, "age_in_range")
    page.get_by_text("quality_score").first.wait_for()
    text = page.inner_text("body")
    rules = [rule.name for rule in contracts.load()["sources/customer"].rules]
    assert [name for name in (*rules, "quality_score") if name not in text] == []
    assert "Ages lie between 13 and 115 years." in text
    assert "Failed" in text
    assert "Succeeded" in text
    # A warning is an amber triangle and a failure a red cross; the word is the same.
    assert page.locator('[aria-label="warning_outline"]').count() > 5
    assert page.locator('[aria-label="check_circle"]').count() > 3


def test_a_dataset_that_may_be_empty_and_is_is_shown_as_no_failure(page: Any, address: str) -> None:
    _open(page, address, "rows_present", "loyalty_ledger")
    assert page.locator('[aria-label="cancel"]').count() == 0


def test_the_score_is_plotted(page: Any, address: str) -> None:
    _open(page, address, "quality_score")
    page.get_by_text("Plots").first.wait_for()
    assert "rows free of any fault (%)" in page.inner_text("body")
    page.locator("canvas").first.wait_for()
    assert page.locator("canvas").count() >= 2


def test_a_run_of_the_command_is_listed_and_says_who_launched_it(page: Any, address: str) -> None:
    page.goto(f"{address}/locations/customer_360/jobs/refresh/runs", wait_until="domcontentloaded")
    page.get_by_text(re.compile(r"\(c360 run\)$")).first.wait_for()
    page.goto(f"{address}/overview/activity/timeline", wait_until="domcontentloaded")
    page.get_by_role("link", name="refresh").wait_for()
    page.goto(f"{address}/locations/customer_360/jobs/refresh", wait_until="domcontentloaded")
    page.get_by_text("rebuild every table of Sample company").first.wait_for()


def test_tables_of_what_runs_found_say_when_and_how_much(page: Any, address: str) -> None:
    for table in ("quarantine", "quality_scores"):
        page.goto(f"{address}/assets/{table}", wait_until="domcontentloaded")
        page.get_by_text("Row count").wait_for()
        assert "Never materialized" not in page.inner_text("body")


def test_resources_are_described(page: Any, address: str) -> None:
    page.goto(f"{address}/locations/customer_360/resources/rules", wait_until="domcontentloaded")
    page.get_by_text("The rules of segments").first.wait_for()
    assert "lambda" not in page.inner_text("body")


def test_one_check_can_be_executed_again(page: Any, address: str) -> None:
    _open(page, address, "email_present")
    page.get_by_role("button").filter(has_text=re.compile(r"^Execute$")).click()
    page.get_by_text("Execution history").click()
    page.wait_for_function("() => (document.body.innerText.match(/of \\d+ fail/g) || []).length >= 2", timeout=2 * WAIT)
