"""Quality checks in Dagster: gates, publishing, subsets, schedules, and what they tell of whom."""

import csv
import dataclasses
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from c360_assets import definitions
from checks import quality
from governance import contracts
from governance.quality import Holds, Rule
from portal import printing
from portal.reports.quality import show
from portal.runs import running
from resources import deployment as deployments
from resources.deployment import Deployment

PROJECT = Path(__file__).parents[2]
CONTRACTS = contracts.load()
BRAND = dg.AssetKey(["sources", "brand"])
BRANDS = "sources/brand"
TABLES_RUN = ("sources/brand", "sources/product", "sources/orders", "as_of", "products")
RULE = Rule(
    name="no_stranger",
    description="Nobody is called Stranger.",
    dimension="accuracy",
    severity="error",
    schedule="monthly",
    need=Holds(condition="brand_name <> 'Stranger'"),
    blocking=True,
)


def fed(home: Path, *datasets: str) -> Deployment:
    """A deployment whose datasets come from CSV files of their names."""
    settings = {
        "name": "Test",
        "currency": "EUR",
        "connectors": {name: {"type": "files", "path": f"{name}.csv"} for name in datasets},
        "feeds": {name: {"from": name} for name in datasets},
    }
    (home / "c360.yaml").write_text(yaml.safe_dump(settings))
    return deployments.load(home / "c360.yaml")


def deployment_of(home: Path, *names: str, rule: Rule = RULE) -> Deployment:
    """A shop of brands and products and nothing else, whose brands must keep a rule of their own."""
    home.mkdir(exist_ok=True)
    write(home, *names)
    with (home / "product.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["sku_id", "brand_id"], ["S1", "B0"]])
    deployment = fed(home, "brand", "product")
    brand = deployment.contracts[BRANDS]
    changed = dataclasses.replace(brand, declared_rules=(*brand.declared_rules, rule))
    return dataclasses.replace(deployment, contracts={**deployment.contracts, BRANDS: changed})


def write(home: Path, *names: str) -> None:
    """The brands of the shop."""
    with (home / "brand.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["brand_id", "brand_name"], *([f"B{n}", name] for n, name in enumerate(names))])


def run(deployment: Deployment, checks: list[str] | None = None) -> dg.ExecuteInProcessResult:
    """Build everything, or run some checks of the brands alone."""
    job = definitions.build(deployment).resolve_implicit_global_asset_job_def()
    if checks is None:
        job = job.get_subset(asset_selection={dg.AssetKey.from_user_string(key) for key in TABLES_RUN})
    else:
        job = job.get_subset(asset_check_selection={dg.AssetCheckKey(BRAND, name) for name in checks})
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    """What the checks of a run said, by table and check."""
    found = result.get_asset_check_evaluations()
    return {(evaluation.asset_key.to_user_string(), evaluation.check_name): evaluation for evaluation in found}


def scores(deployment: Deployment) -> list[dict[str, object]]:
    """All scores of the brands, oldest first."""
    rows = deployment.operations.rows("quality_scores").to_pylist()
    return sorted((row for row in rows if row["dataset"] == BRANDS), key=lambda row: row["sequence"])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    deployment = deployment_of(tmp_path, "Acme")
    yield deployment
    deployment.close()


def test_sources_are_checked_as_of_the_moment_that_is_decided_of_them(tmp_path: Path) -> None:
    """A mistyped year moves neither, so that it does not make all other rows look decades late."""
    days = ["2026-05-01", "2026-05-02", "2026-05-03", "2062-05-03"]
    lines = [f"O{number},C1,{day} 12:00:00,placed,10" for number, day in enumerate(days)]
    (tmp_path / "orders.csv").write_text(
        "\n".join(["order_id,customer_id,ordered_at,order_status,total_amount", *lines])
    )
    deployment = fed(tmp_path, "orders")
    assert run(deployment).success
    moments = {row["dataset"]: row["as_of"] for row in deployment.operations.rows("quality_scores").to_pylist()}
    assert moments["sources/orders"] == moments["as_of"] == datetime(2026, 5, 3, 12)
    deployment.close()


def test_a_failed_gate_keeps_readers_on_the_rows_that_passed(shop: Deployment) -> None:
    assert run(shop).success
    before = shop.lake.state(BRANDS), shop.lake.state("products")
    write(shop.folder, "Acme", "Stranger")
    blocked = run(shop)
    assert not blocked.success
    assert not evaluations(blocked)[BRANDS, "no_stranger"].passed
    assert (shop.lake.state(BRANDS), shop.lake.state("products")) == before
    held_back, commit = shop.lake.newest(shop.contracts[BRANDS])
    assert sorted(held_back.to_pyarrow()["brand_name"].to_pylist()) == ["Acme", "Stranger"]
    assert shop.lake.read(shop.contracts[BRANDS]).to_pyarrow()["brand_name"].to_pylist() == ["Acme"]
    assert [row["published"] for row in scores(shop)] == [True, False]
    built = {event.asset_key for event in blocked.get_asset_materialization_events()}
    assert BRAND in built
    assert dg.AssetKey("products") not in built
    write(shop.folder, "Acme", "Other")
    assert run(shop).success
    assert shop.lake.state(BRANDS) != before[0]
    assert commit is not None


def test_a_run_tells_what_was_held_back_and_why(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    write(shop.folder, "Stranger")
    report = running.run(shop, ["sources/brand"])
    brand = report.tables[BRANDS]
    assert not report.success
    assert (brand.state, brand.rows) == ("held back", 1)
    assert "no_stranger" in brand.failing_rules
    assert brand.fault.startswith("blocking rules failed, among")
    assert "Readers keep the rows they had. See: c360 quality sources/brand" in brand.fault
    console = printing.Screen(file=io.StringIO(), width=200)
    show(shop, "sources/brand", "table", console)
    assert re.search(r"no_stranger \(accuracy\) +│ fail ", console.file.getvalue())  # type: ignore[attr-defined]
    assert brand.score is not None
    write(shop.folder, "Acme")
    passed = running.run(shop, ["sources/brand"])
    assert passed.success
    assert (passed.tables[BRANDS].score or 0) > brand.score


def test_a_warning_never_stops_anybody(shop: Deployment) -> None:
    done = run(shop)
    assert done.success
    warned = evaluations(done)[BRANDS, "completeness"]
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert shop.lake.state("products") is not None


def test_a_gate_that_cannot_run_holds_back(tmp_path: Path) -> None:
    broken = dataclasses.replace(RULE, need=Holds(condition="no_such_column = 1"))
    shop = deployment_of(tmp_path, "Acme", rule=broken)
    done = run(shop)
    found = evaluations(done)
    assert not done.success
    assert shop.lake.state(BRANDS) is None
    assert "Rule no_stranger could not run and counts 0" in str(found[BRANDS, "no_stranger"].description)
    assert found[BRANDS, "key_unique"].passed
    shop.close()


def test_one_check_can_be_run_again_by_itself(shop: Deployment) -> None:
    run(shop)
    again = run(shop, ["no_stranger"])
    assert list(evaluations(again)) == [(BRANDS, "no_stranger")]
    assert evaluations(again)[BRANDS, "no_stranger"].passed
    assert len(scores(shop)) == 1
    alone = run(shop, ["quality_score"])
    assert list(evaluations(alone)) == [(BRANDS, "quality_score")]
    assert len(scores(shop)) == 2
    first, second = scores(shop)
    assert first["score"] == second["score"]


def test_a_check_alone_publishes_what_now_passes(shop: Deployment) -> None:
    write(shop.folder, "Stranger")
    assert not run(shop).success
    assert shop.lake.state(BRANDS) is None
    brand = shop.contracts[BRANDS]
    forgiving = dataclasses.replace(brand, declared_rules=brand.declared_rules[:-1])
    relaxed = dataclasses.replace(shop, contracts={**shop.contracts, BRANDS: forgiving})
    run(relaxed, [rule.name for rule in forgiving.rules])
    assert relaxed.lake.state(BRANDS) is not None


def test_results_and_plots_are_numbers_a_steward_can_follow(shop: Deployment) -> None:
    found = evaluations(run(shop))
    metadata = found[BRANDS, "quality_score"].metadata
    plotted = {name for name, value in metadata.items() if isinstance(value, dg.FloatMetadataValue)}
    assert {"score", "rows free of any fault (%)", "completeness (0-100)"} <= plotted
    assert isinstance(found[BRANDS, "completeness"].metadata["share passing (%)"], dg.FloatMetadataValue)


def test_a_change_of_the_rules_is_marked(shop: Deployment) -> None:
    run(shop)
    brand = shop.contracts[BRANDS]
    fewer = dataclasses.replace(brand, declared_rules=brand.declared_rules[:-1])
    run(dataclasses.replace(shop, contracts={**shop.contracts, BRANDS: fewer}))
    run(dataclasses.replace(shop, contracts={**shop.contracts, BRANDS: fewer}))
    assert [row["rules_changed"] for row in scores(shop)] == [False, True, False]
    assert scores(shop)[0]["rules_hash"] != scores(shop)[1]["rules_hash"] == scores(shop)[2]["rules_hash"]


def test_a_failing_rule_opens_an_incident_and_a_passing_one_closes_it(tmp_path: Path) -> None:
    shop = deployment_of(tmp_path, "Acme")
    # Incidents are dated by the newest event, so the shop needs one.
    (tmp_path / "orders.csv").write_text("order_id,ordered_at\nO1,2026-06-30 12:00:00\n")
    contract = shop.contracts
    shop.close()
    shop = dataclasses.replace(fed(tmp_path, "brand", "product", "orders"), contracts=contract)

    def incident() -> dict[str, object] | None:
        rows = shop.operations.rows("incidents").to_pylist()
        return next((row for row in rows if (row["dataset"], row["rule"]) == (BRANDS, "no_stranger")), None)

    run(shop)
    assert incident() is None
    write(tmp_path, "Stranger")
    run(shop)
    run(shop)
    opened = incident()
    assert opened is not None
    assert (opened["status"], opened["failed_runs"], opened["failing"]) == ("open", 2, 1)
    write(tmp_path, "Acme")
    run(shop)
    closed = incident()
    assert closed is not None
    assert closed["status"] == "resolved"
    told = [row for row in shop.operations.rows("notifications").to_pylist() if row["rule"] == "no_stranger"]
    assert sorted(row["event"] for row in told) == ["opened", "resolved"]
    shop.close()


def test_scores_are_published_as_often_as_documented() -> None:
    found = {schedule.name: schedule for schedule in quality.schedules(CONTRACTS, "UTC")}
    assert {name: schedule.cron_schedule for name, schedule in found.items()} == {
        "quality_daily": "0 5 * * *",
        "quality_weekly": "0 5 * * 1",
        "quality_monthly": "0 5 1 * *",
    }
    deployed = definitions.build(deployments.load(PROJECT / "c360.yaml"))
    due = {
        name: {
            key.asset_key.path[-1] for key in deployed.resolve_job_def(name).asset_layer.asset_graph.asset_check_keys
        }
        for name in found
    }
    assert due["quality_weekly"] >= {"customer", "product"}
    assert due["quality_daily"] >= {"orders", "web_analytics", "transactions", "order_line_item"}
    assert due["quality_monthly"] == {"brand"}


def test_a_published_score_bears_its_schedule(shop: Deployment) -> None:
    run(shop)
    job = definitions.build(shop).resolve_job_def("quality_monthly")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    assert [row["cadence"] for row in scores(shop)] == [None, "monthly"]


def test_no_personal_value_is_in_events_or_logs_of_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [
        ["customer_id", "first_name", "email_address", "phone_number", "mailing_street", "age", "gender"],
        ["C1", "Petronella", "petronella@nowhere.example", "+15550001111", "Secret Lane 77", "200", "Unmentionable"],
        ["C1", "Zebedee", "zebedee-at-nowhere", "+15550002222", "Hidden Road 12", "forty-two", "Unspeakable"],
    ]
    with (tmp_path / "customer.csv").open("w", newline="") as file:
        csv.writer(file).writerows(people)
    deployment = fed(tmp_path, "customer")
    caplog.set_level(logging.DEBUG)
    job = definitions.build(deployment).resolve_job_def("refresh")
    job = job.get_subset(
        asset_selection={dg.AssetKey(["sources", "customer"]), dg.AssetKey("customers"), dg.AssetKey("as_of")}
    )
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False)
        told = [dg.serialize_value(entry) for entry in instance.all_logs(done.run_id)]
    kept = [
        json.dumps(deployment.operations.rows(name).to_pylist(), default=str)
        for name in ("quality_results", "incidents", "notifications")
    ]
    results = deployment.operations.rows("quality_results").to_pylist()
    found = {row["rule"]: row["failing"] for row in results if row["dataset"] == "sources/customer"}
    output = capsys.readouterr()
    deployment.close()
    everything = "\n".join([*told, *kept, caplog.text, output.out, output.err])
    assert "gender_listed" in everything
    # One age is no number, so that it was left empty at loading; of two rows of one key one was set aside.
    assert (found["types_fit"], found["gender_listed"]) == (1, 1)
    secrets = {value for row in people[1:] for value in row[1:] if len(value) > 3}
    assert {secret for secret in secrets if secret in everything} == set()


def test_great_expectations_cannot_end_the_process() -> None:
    code = "import __main__ as m; from checks.expectations import load; load(); print(hasattr(m, '__file__'), 'alive')"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("False alive"), done.stderr


def test_what_was_set_aside_at_loading_counts_as_failing_but_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / "brand.csv").write_text("brand_id,brand_name,founded_year\nB1,Acme,1990\nB1,Acme,1990\n,Other,1991\n")
    deployment = fed(tmp_path, "brand")
    done = run(deployment)
    results = deployment.operations.rows("quality_results").to_pylist()
    found = {row["rule"]: row for row in results if row["dataset"] == BRANDS}
    (scored,) = scores(deployment)
    deployment.close()
    assert done.success
    assert [
        (found[name]["passing"], found[name]["failing"], found[name]["status"])
        for name in ("key_unique", "required_filled")
    ] == [(1, 1, "warn"), (1, 1, "warn")]
    assert (scored["row_count"], scored["published"]) == (3, True)
