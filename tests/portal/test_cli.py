"""The command line: what it prints, writes and answers."""

import io
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from c360_assets import definitions
from governance import segments
from portal import cli
from portal.runs import running
from portal.runs.running import SelectionError
from resources import deployment as deployments
from resources.feeds import Feeds
from tests.tables import CONTRACTS
from tests.tables import table as literal_table
from tests.told import plain

# Whose first order was lately, in the segment rules.
PROJECT = Path(__file__).parents[2]
NEW = 'when: {history_days: "< 90"}'
CONFIG = """
name: Three orders
currency: EUR
access: {anyone: data_steward}
connectors:
  shop: {type: files, path: orders.csv}
  crm: {type: files, path: customers.csv}
feeds:
  orders:
    from: shop
    select: >-
      select id as order_id, customer as customer_id, day as ordered_at, 'completed' as order_status,
      total as total_amount from raw
  customer:
    from: crm
    select: select id as customer_id, email as email_address, 40 as age from raw
"""


# What it takes to build tables, to check them or to draw, and nobody waits for who only looks.
HEAVY = ("dagster", "great_expectations", "ibis", "matplotlib", "pandas", "pyarrow", "sklearn")
LOOKER = f"""
import sys
from click.testing import CliRunner
from portal.cli import main

for command in ("show rfm", "segments", "tables", "quality", "quality customer", "incidents"):
    result = CliRunner().invoke(main, [*command.split(), "--config", sys.argv[1]])
    print(command, result.exit_code, [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.fixture(scope="module", autouse=True)
def _nothing_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("DAGSTER_HOME", raising=False)
        environment.delenv("C360_CONFIG", raising=False)
        yield


def shop_in(folder: Path) -> Path:
    """A deployment file with three orders, one of them with a total that is no number."""
    (folder / "orders.csv").write_text(
        "id,customer,day,total\n1,ann,2026-01-01,10\n2,ann,2026-01-05,5.5\n3,bob,2026-01-03,x\n"
    )
    (folder / "customers.csv").write_text("id,email\nann,ann@example.com\n")
    file = folder / "c360.yaml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return shop_in(tmp_path)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A shop and what its first run told."""
    shop = shop_in(tmp_path_factory.mktemp("built"))
    return shop, c360("run", "--config", shop)


@pytest.fixture(scope="module")
def built(first_run: tuple[Path, Result]) -> Path:
    """A shop that was run once. Tests look at it and change nothing."""
    shop, result = first_run
    assert result.exit_code == 0, result.output
    return shop


def c360(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_run_tells_rows_seconds_and_what_was_set_aside(first_run: tuple[Path, Result]) -> None:
    shop, result = first_run
    assert result.stderr.splitlines()[0] == f"Three orders ({shop})"
    output = plain(result.output)
    made = [contract for contract in CONTRACTS.values() if contract.layer != "operations"]
    assert f"{len(made)} tables" in output
    assert re.search(r"sources/orders │ 2 │ [\d.]+ │ 1 │ [\d.]+ │", output)
    assert "sources/orders: 3 rows read, 3 selected, 2 kept, 1 set aside." in output
    assert "Rows set aside, with the reason, and how to correct them: c360 quarantine" in output
    assert "Customers as of 2026-01-05 00:00, by engagement level" in output


def test_what_was_set_aside_is_shown_with_its_reason(built: Path) -> None:
    result = c360("show", "quarantine", "--config", built, "--format", "json")
    (row,) = json.loads(result.output)
    assert (row["dataset"], row["source"], row["reason"]) == ("orders", "shop: orders.csv", "total_amount is no number")
    assert json.loads(row["record"])["total_amount"] == "a"  # the shape of "x"


def test_quality_shows_scores_and_the_rules_behind_one(shop: Path, built: Path) -> None:
    # The shop that is built is one of which this was done.
    told = plain(c360("quality", "--config", shop).output)
    assert "Nothing was checked yet. Build and check all with: c360 run" in told
    told = plain(c360("quality", "customer", "--config", shop).output)
    assert "sources/customer was not checked yet. Build and check it with: c360 run" in told
    overview = plain(c360("quality", "--config", built).output)
    assert re.search(r"sources/customer │ [\d.]+ │ 80 │ . │ 0.0 % │ \d+/18 │", overview)
    assert re.search(r"sources/brand │ – │ 97 │", overview)
    one = plain(c360("quality", "customer", "--config", built).output)
    assert "0 of 1 rows are free of any fault (0.0 %). Readers see this snapshot: yes." in one
    assert "phone_present (completeness)" in one
    assert "No row may fail." in one
    assert re.search(r"null_values \(completeness\) │ \w+ │ [\d.]+ % │ \d+ cells │", one)
    assert "ann@example.com" not in one
    told = json.loads(c360("quality", "customer", "--config", built, "--format", "json").output)
    assert {rule["rule"]: rule["status"] for rule in told["rules"]}["phone_present"] == "warn"
    assert told["score"] == 100 * told["numerator"] / told["denominator"]
    assert len(told["trend"]) == 1
    assert "There is no table 'nothing'" in c360("quality", "nothing", "--config", built).output


def test_who_only_looks_waits_for_no_library_that_builds(built: Path) -> None:
    command = [sys.executable, "-c", LOOKER, str(built)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 6
    assert all(line.endswith(" 0 []") for line in done.stdout.splitlines()), done.stdout


def test_of_a_feed_that_cannot_work_is_told_before_dagster_is_imported(shop: Path) -> None:
    shop.write_text(shop.read_text().replace("customer as customer_id", "custmer as customer_id"))
    script = (
        "import sys; from click.testing import CliRunner; from portal.cli import main;"
        "told = CliRunner().invoke(main, ['run', '--config', sys.argv[1]]);"
        "print(told.exit_code, [name for name in ('dagster', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(shop)], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout == "1 []\n", done.stderr


def test_as_of_holds_the_analysis_at_a_moment(shop: Path) -> None:
    assert c360("run", "--config", shop, "--as-of", "2026-01-01", "--select", "+rfm").exit_code == 0
    (ann,) = json.loads(c360("show", "rfm", "--config", shop, "--format", "json").output)
    assert (ann["customer_id"], ann["frequency"], ann["monetary"], ann["recency_days"]) == ("ann", 1, 10.0, 0)


def test_what_is_wrong_with_any_feed_is_told_before_anything_is_built(shop: Path) -> None:
    text = shop.read_text().replace("customer as customer_id", "custmer as customer_id")
    shop.write_text(text.replace("customers.csv", "clients.csv"))
    before = sorted(shop.parent.iterdir())
    result = c360("run", "--config", shop)
    told = plain(result.output)
    assert result.exit_code == 1
    assert "Error: The feeds of c360.yaml do not work, so nothing was built." in told
    assert 'Feed orders (shop: orders.csv): the select does not run: the source has no column "custmer"' in told
    assert "Feed customer: Connector crm, path clients.csv: no such file" in told
    assert sorted(shop.parent.iterdir()) == before
    assert "no such file" not in c360("run", "--config", shop, "--select", "sources/orders").output


def test_select_builds_one_table_or_all_it_needs(shop: Path) -> None:
    told = plain(c360("show", "orders", "--config", shop).output)
    advised = re.search(r"has not been built yet\. Build it with: c360 (run --select \+orders)", told)
    assert advised is not None
    assert c360(*advised[1].split(), "--config", shop).exit_code == 0
    assert "not built" in c360("tables", "--config", shop).output
    assert c360("show", "orders", "--config", shop).exit_code == 0
    assert c360("run", "--config", shop, "--select", "sources/customer", "--select", "customers").exit_code == 0


def test_parquet_holds_the_documented_table(built: Path, tmp_path: Path) -> None:
    target = tmp_path / "mart" / "customer_segments.parquet"
    result = c360("show", "customer_segments", "--config", built, "--format", "parquet", "--out", target)
    assert result.exit_code == 0, result.output
    table = pq.read_table(target)
    wanted = {"customer_id", "customer_segment", "engagement_level", "primary_segment", "rule_version", "rfm_code"}
    assert wanted <= set(table.column_names)
    assert table.column("customer_id").to_pylist() == ["ann"]
    piped = c360("show", "customer_segments", "--config", built, "--format", "parquet")
    assert pq.read_table(io.BytesIO(piped.stdout_bytes)).equals(table)
    # Both as is said where it would go to a terminal.
    ours, terminal = os.openpty()
    shown = [sys.executable, "-m", "portal.cli", "show", "customer_segments", "--config", built, "--format", "parquet"]
    asked = subprocess.run(shown, cwd=PROJECT, stdout=terminal, stderr=subprocess.PIPE, text=True)
    os.close(terminal)
    os.close(ours)
    assert asked.returncode == 1
    assert "Name a file with --out, or pipe the output." in plain(asked.stderr)


def test_personal_values_are_shown_as_the_role_may_see_them(built: Path) -> None:
    def ann(*options: str) -> dict[str, str]:
        told = plain(c360("show", "customers", "--config", built, "--limit", "1", *options).output)
        return {name: found[1] for name in hidden if (found := re.search(rf"│ {name} │ ([^│ ][^│]*?)? ?│", told))}

    hidden = ("email_address", "age", "number_of_children")
    assert ann() == {"email_address": "ann@example.com", "age": "40", "number_of_children": None}
    assert ann("--as", "data_engineer") == {"email_address": "***", "age": "***", "number_of_children": None}
    assert ann("--as", "marketing")["age"] == "35 to 44"
    assert re.match("[0-9a-f]{32}", ann("--as", "marketing")["email_address"])


def test_who_bears_no_role_sees_keyed_hashes_and_no_source(built: Path) -> None:
    shop = built.with_name("of_several_people.yaml")
    shop.write_text(built.read_text().replace("access: {anyone: data_steward}", "shares_home: true"))
    told = plain(c360("show", "customers", "--config", shop).output)
    assert "@example.com" not in told
    assert re.search("│ customer_id │ [0-9a-f]{32}", told)
    refused = c360("show", "sources/customer", "--config", shop)
    assert refused.exit_code == 1
    assert "Role data_consumer may not read sources/customer" in plain(refused.stderr)
    more = c360("show", "customers", "--config", shop, "--as", "data_steward")
    assert "Role data_steward sees more of customers than data_consumer, in which you are." in plain(more.stderr)


def test_sensitive_audiences_are_hidden_from_all_but_those_who_see_them(shop: Path) -> None:
    deployment = deployments.load(shop)
    ann = {"customer_id": "ann", "precedence": 1, "is_primary": False, "rule_version": "1"}
    rows = [{**ann, "audience": "Expecting Parents", "is_sensitive": True}]
    rows.append({**ann, "audience": "Repeat Buyers", "is_sensitive": False, "is_primary": True})
    deployment.lake.publish(deployment.lake.write(deployment.contracts["audiences"], literal_table("audiences", *rows)))
    deployment.close()
    shown = c360("show", "audiences", "--config", shop, "--format", "json", "--as", "data_engineer").output
    assert [row["audience"] for row in json.loads(shown)] == ["Repeat Buyers"]
    clear = c360("show", "audiences", "--config", shop, "--format", "json").output
    assert {row["audience"] for row in json.loads(clear)} == {"Expecting Parents", "Repeat Buyers"}


def test_a_token_gives_a_role_and_none_that_was_altered_does(built: Path) -> None:
    granted = c360("grant", "li@example.com", "marketing", "--config", built)
    assert "li@example.com is marketing until" in plain(granted.stderr)
    token = granted.stdout.strip()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("C360_TOKEN", token)
        assert "You are li@example.com, marketing (by C360_TOKEN)." in plain(c360("policy", "--config", built).output)
        assert "│ 35 to 44" in plain(c360("show", "customers", "--config", built).output)
        assert "Role marketing may not sign tokens" in plain(
            c360("grant", "me", "data_steward", "--config", built).stderr
        )
        header, claims, signature = token.split(".")
        environment.setenv("C360_TOKEN", f"{header}.{claims[:-2]}AA.{signature}")
        refused = c360("show", "customers", "--config", built)
    assert refused.exit_code == 1
    assert "The token in C360_TOKEN is none of this deployment." in plain(refused.stderr)
    assert token not in refused.stderr


def test_a_changed_rule_changes_the_segments_at_the_next_run_and_history_says_when(shop: Path) -> None:
    own = shop.parent / "rules.yaml"
    own.write_text(segments.FILE.read_text(encoding="utf-8"), encoding="utf-8")
    shop.write_text(shop.read_text(encoding="utf-8") + "segments: rules.yaml\n", encoding="utf-8")
    found = []
    for selected in ("+customer_segments", "customer_segments"):
        assert c360("run", "--config", shop, "--select", selected).exit_code == 0
        (row,) = json.loads(c360("show", "customer_segments", "--config", shop, "--format", "json").output)
        found.append((row["lifecycle_stage"], row["rule_version"]))
        own.write_text(own.read_text(encoding="utf-8").replace(NEW, NEW.replace("90", "1")))
    (before, old), (after, new) = found
    assert (before, after) == ("New", "Established")
    assert old != new
    deployment = deployments.load(shop)
    history = deployment.lake.history(deployment.contracts["customer_segments"])
    deployment.close()
    assert [commit.properties["c360.rule_version"] for commit in history][:2] == [new, old]


def test_the_deployment_of_the_current_folder_is_used_and_named_where_something_is_written(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.parent)
    monkeypatch.delenv("C360_CONFIG")
    named = f"Three orders ({built})\n"
    assert c360("show", "orders", "--format", "csv", "--limit", "1").stderr == ""
    shown = c360("show", "orders", "--format", "csv", "--out", tmp_path / "orders.csv")
    assert (shown.exit_code, shown.stderr) == (0, named)


def test_limit_and_csv(built: Path) -> None:
    output = c360("show", "orders", "--config", built, "--format", "csv", "--limit", "1").output
    header, row = output.splitlines()
    assert header.startswith('"order_id","customer_id"')
    assert row.startswith('"1","ann"')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "orderz"], "There is no table 'orderz'"),
        (["show", "rfm"], "has not been built yet"),
        (["run", "--select", "orderz"], "There is no table 'orderz' to build"),
        (["run", "--select", "rfm", "--as-of", "2026-01-01"], "Select them too"),
        (["run", "--as-of", "yesterday"], "is no moment"),
    ],
)
def test_a_mistake_is_one_readable_paragraph_and_exit_code_1(shop: Path, arguments: list[str], message: str) -> None:
    result = c360(*arguments, "--config", shop)
    assert result.exit_code == 1
    assert message in plain(result.output)
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("mistake", "told", "advised", "found"),
    [
        ("show orderz", "c360 tables lists", "tables", "orders"),
        ("contract orderz", "c360 tables lists", "tables", "orders"),
        ("quality orderz", "c360 tables lists", "tables", "orders"),
        ("incidents orderz", "c360 tables lists", "tables", "sources/orders"),
        ("try review", "there are: orders, customer.", "try orders", "2 kept"),
        ("quality quarantine", "See its rows: c360 show quarantine", "show quarantine", "No row is set aside"),
        ("quarantine --dataset ordres", "there are: brand, customer,", "quarantine --dataset orders", "No row"),
        (
            "incidents rfm --acknowledge key_unique --by Ann",
            "DATASET --acknowledge RULE --by NAME --reason TEXT",
            "incidents rfm --acknowledge key_unique --by Ann --reason known",
            "has no open incident",
        ),
        (
            "incidents rfm --mute key_unique --until soon --reason known",
            "Write for example 2026-06-30",
            "incidents rfm --mute key_unique --until 2026-06-30 --reason known",
            "has no open incident",
        ),
        (
            "incidents rfm --acknowledge key_unique --by Ann --reason known",
            "See those there are with: c360 incidents (with --all",
            "incidents --all",
            "No incidents",
        ),
    ],
)
def test_what_a_mistake_is_answered_with_can_be_typed(
    shop: Path, mistake: str, told: str, advised: str, found: str
) -> None:
    assert told in plain(c360(*mistake.split(), "--config", shop).output)
    assert found in plain(c360(*advised.split(), "--config", shop).output)


def test_the_tables_that_a_moment_needs_are_named_whatever_is_selected_with_them(shop: Path) -> None:
    with closing(deployments.load(shop)) as deployment:
        with pytest.raises(SelectionError, match=r"for example --select \+rfm$"):
            running.run(deployment, ["sources/orders", "rfm"], running.moment("2026-01-01"))
        with pytest.raises(SelectionError, match=r"nothing selected does\. Leave it out"):
            running.run(deployment, ["sources/orders"], running.moment("2026-01-01"))
        graph = definitions.build(deployment).resolve_asset_graph()
        buildable = {key.to_user_string() for key in graph.materializable_asset_keys}
        missing = r"no table 'orderz' to build \(nearest: orders\)\. Those there are: c360 tables$"
        with pytest.raises(SelectionError, match=missing):
            running.run(deployment, ["orderz"])
        # Each can be built by what is said of a table that is not: c360 run --select +TABLE.
        assert buildable == {key for key, contract in CONTRACTS.items() if contract.layer != "operations"}


def test_advised_commands_name_the_deployment_file_that_the_command_was_given(shop: Path) -> None:
    told = " ".join(c360("show", "customers", "--config", shop).output.split())
    advised = re.search(r"Build it with: c360 (run --config \S+) --select", told)
    assert advised, told
    assert c360(*advised[1].split(), "--select", "sources/product").exit_code == 0
    environment = {"C360_CONFIG": str(shop)}
    told = plain(CliRunner(env=environment).invoke(cli.main, ["show", "customers"]).output)
    assert "Build it with: c360 run --select +customers" in told


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["show", "rf"], {"rfm", "rfm_distribution"}),
        (["try", "ord"], {"orders", "order_line_item"}),
        (["run", "--select", "+sources/b"], {"+sources/brand"}),
        (["rol"], {"rollback"}),
    ],
)
def test_a_shell_completes_commands_and_the_names_of_tables(words: list[str], found: set[str]) -> None:
    completion = ShellComplete(cli.main, {}, "c360", "_C360_COMPLETE")
    assert {item.value for item in completion.get_completions(words[:-1], words[-1])} == found


def test_debug_shows_the_stack_trace(shop: Path) -> None:
    result = c360("--debug", "show", "orderz", "--config", shop)
    assert result.exit_code != 0
    assert result.exc_info is not None
    assert "rows_of" in [frame.name for frame in traceback.extract_tb(result.exc_info[2])]
    # As a fault nobody expects advises.
    blocked = shop.parent / ".c360/lake/sources/customer"
    blocked.parent.mkdir(parents=True)
    blocked.symlink_to(blocked)
    told = plain(c360("--debug", "run", "--select", "sources/customer", "--config", shop).output)
    assert "Unexpected fault (OSError). To see where, run again with: c360 --debug run" in told
    assert "create_table" in told


def test_an_unknown_deployment_is_named(tmp_path: Path) -> None:
    result = c360("run", "--config", tmp_path / "nowhere.yaml")
    assert result.exit_code == 1
    assert "There is no deployment file" in plain(result.output)


def test_lint_says_what_it_looked_at(shop: Path) -> None:
    result = c360("lint", "--config", shop)
    assert result.exit_code == 0
    assert "2 feeds" in result.output
    assert "No feed fills sources/brand: its" in result.output
    assert [file.name for file in shop.parent.iterdir() if file.is_dir()] == []
    shop.write_text(shop.read_text().replace("email as", "mail as"))
    result = c360("lint", "--config", shop)
    assert result.exit_code == 1
    assert 'the source has no column "mail" (nearest: email)' in plain(result.output)


def test_sample_writes_a_company(tmp_path: Path) -> None:
    result = c360("sample", "--customers", "50", "--seed", "1", "--out", tmp_path / "company")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "company/customer").is_dir()
    assert "truth_customer" in result.output


@pytest.mark.parametrize("command", sorted(cli.main.commands))
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = c360(command, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.output


def test_tables_between_as_of_and_those_selected_come_with_them_and_those_left_behind_are_named(shop: Path) -> None:
    assert c360("run", "--config", shop, "--select", "+rfm", "--select", "+customers").exit_code == 0
    result = c360("run", "--config", shop, "--select", "as_of", "--select", "rfm", "--as-of", "2026-01-02")
    assert result.exit_code == 0, result.output
    assert set(re.findall(r"│ ✓ │ (\w+) ", result.output)) == {"as_of", "products", "orders", "order_lines", "rfm"}
    told = plain(result.output)
    assert "Still of the moment before, as they were not selected: customers. Bring all to one moment: c360 run" in told
    (ann,) = json.loads(c360("show", "rfm", "--config", shop, "--format", "json").output)
    assert (ann["recency_days"], ann["frequency"]) == (1, 1)


def test_fewer_rows_are_taken_where_the_command_says_so(tmp_path: Path) -> None:
    shop, orders = shop_in(tmp_path), CONTRACTS["sources/orders"]
    rows = [f"{number},ann,2026-01-01,10\n" for number in range(30)]
    (tmp_path / "orders.csv").write_text("id,customer,day,total\n" + "".join(rows))
    with closing(deployments.load(shop)) as deployment:
        feeds = Feeds(deployment)
        deployment.lake.publish(feeds.commit(orders, feeds.load(orders)))
    (tmp_path / "orders.csv").write_text("id,customer,day,total\n" + "".join(rows[:5]))
    told = "5 rows came, while 30 are held. What is held stays."
    assert told in plain(c360("try", "orders", "--config", shop).output)
    run = ("run", "--config", shop, "--select", "sources/orders", "--accept-fewer")
    assert "c360.yaml has no feed 'order'; there are: orders, customer." in plain(c360(*run, "order").output)
    assert c360(*run, "orders").exit_code == 0
    with closing(deployments.load(shop)) as deployment:
        assert deployment.read("sources/orders").count().to_pyarrow().as_py() == 5
