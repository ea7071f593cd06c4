"""What is printed: values as they are, whatever they look like, on terminals of any encoding."""

import io
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal import cli, printing
from portal.runs.running import RunReport, TableRun
from portal.runs.summary import print_summary
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.feeds import Feeds
from tests.tables import CONTRACTS, table

PROJECT = Path(__file__).parents[2]
CONFIG = """
name: "[/b] Lamps"
currency: EUR
access: {anyone: data_steward}
connectors:
  goods: {type: files, path: "[i] goods.csv"}
  till: {type: files, path: till.csv}
feeds:
  product: {from: goods}
  orders: {from: till, select: "select id as order_id, day as ordered_at, state as order_status from raw"}
"""
FANS = {
    "segment_id": "persona/fans", "segmentation": "persona", "segment_name": "[/i] Fans", "is_sensitive": False,
    "customer_count": 1, "customer_share": 1.0, "historical_value": 1, "trait_1": "[b]loud[/i]",
    "action_1": "Thank them", "priority_1": "High", "action_2": "Ask them", "priority_2": "Low", "risk_1": "None",
    "rule_version": "1", "playbook_version": "1",
}  # fmt: skip
NAMES = ("[/sale] Lamp", "[/i]", ":lamp: Lüster", "[red]")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    goods = "".join(f"{sku},{name}\n" for sku, name in enumerate(NAMES, 1))
    (folder / "[i] goods.csv").write_text(f"sku_id,product_name\n{goods}1,[sale] Lamp\n", encoding="utf-8")
    (folder / "till.csv").write_text("id,day,state\n1,2026-01-01,[/gone]\n2,[/day],shipped\n")
    file = folder / "c360.yaml"
    file.write_text(CONFIG)
    with closing(deployments.load(file)) as deployment:
        _load(deployment, "product", "orders")
    return file


def _load(deployment: Deployment, *datasets: str) -> None:
    feeds, lake = Feeds(deployment), deployment.lake
    for dataset in datasets:
        contract = CONTRACTS[f"sources/{dataset}"]
        load = feeds.load(contract)
        feeds.quarantine(contract, load, {})
        lake.publish(feeds.commit(contract, load))
    lake.publish(lake.write(CONTRACTS["segment_summary"], table("segment_summary", FANS)))
    lake.publish(lake.write(CONTRACTS["as_of"], table("as_of", {"timezone": "UTC"})))


def c360(*arguments: str | Path, charset: str = "utf-8") -> Result:
    runner = CliRunner(charset=charset, env={"COLUMNS": "200"})
    return runner.invoke(cli.main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("show sources/product", NAMES),
        ("show sources/product --format csv", NAMES),
        ("try product", (*NAMES, "goods: [i] goods.csv: 5 rows read")),
        ("try orders", ("1 '[/gone]'",)),
        ("profile sources/product --out", (":lamp: Lüster (25%)",)),
        ("quarantine --sample 9", ("ordered_at: [/aaa]", "product_name: [sale] Lamp")),
        ("segments --of persona", ("[/i] Fans", "[b]loud[/i]", ", [/b] Lamps")),
        ("tables", ("[/b] Lamps",)),
        ("quarantine --dataset [/x]", ("There is no dataset '[/x]'",)),
    ],
)
def test_what_looks_like_markup_is_printed_as_it_is(shop: Path, command: str, shown: tuple[str, ...]) -> None:
    page = [shop.with_name("page.html")] if command.endswith("--out") else []
    result = c360(*command.split(), *page, "--config", shop)
    assert result.exit_code == (1 if "[/x]" in command else 0), result.output
    assert [text for text in shown if text not in result.output] == []


def test_files_and_columns_of_odd_names_are_proposed_for(tmp_path: Path) -> None:
    (tmp_path / "[i] people.csv").write_text("id,email,[/b]\n1,a@example.org,x\n2,b@example.org,y\n")
    (tmp_path / "[b].csv").touch()
    result = c360("init", tmp_path, "--output", tmp_path / "c360.yaml")
    assert result.exit_code == 0, result.output
    assert "[i] people.csv" in result.output
    assert "[b].csv was not read: [b].csv is empty" in result.output


def test_a_terminal_of_few_signs_gets_plain_ones(shop: Path) -> None:
    for command, shown in (("show sources/product", ":lamp: Luster"), ("segments --of persona", "####")):
        result = c360(*command.split(), "--config", shop, charset="ascii")
        assert result.exit_code == 0, result.output
        assert shown in result.output
    process = [sys.executable, "-m", "portal.cli", "show", "sources/product", "--config", str(shop)]
    known = {**os.environ, "PYTHONIOENCODING": "ascii"}
    told = subprocess.run(process, cwd=PROJECT, env=known, capture_output=True, text=True, check=True).stdout
    assert ":lamp: Luster" in told
    assert told.isascii()


def test_marks_of_what_was_built_have_plain_signs(shop: Path) -> None:
    printing.print_anywhere()
    report = RunReport("run", tables={state: TableRun(state, state) for state in ("done", "failed", "skipped")})
    file = io.TextIOWrapper(io.BytesIO(), "ascii", errors=printing.PLAIN)
    with closing(deployments.load(shop)) as deployment:
        assert not print_summary(printing.Screen(file=file, width=120), deployment, report)
    file.seek(0)
    told = file.read()
    assert [re.search(rf"\| (.) \| {state} ", told)[1] for state in report.tables] == ["+", "x", "-"]  # type: ignore[index]


@pytest.mark.parametrize(("sign", "plain"), [("é", "e"), ("ﬁ", "f"), ("€", "?"), ("字", "?"), ("\udcff", "?")])
def test_a_letter_loses_its_accent_and_what_has_no_plain_sign_is_told_as_missing(sign: str, plain: str) -> None:
    printing.print_anywhere()
    assert sign.encode("ascii", printing.PLAIN) == plain.encode()
