"""What `c360 lint` finds in feeds, contracts and definitions before anything is built."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from c360_assets import definitions
from checks.measuring import problems
from governance import actions
from governance.contract import Contract
from governance.errors import C360Error
from governance.quality import NEEDS, Rule
from portal.mapping import linting
from resources.deployment import Deployment, Feed, Settings
from tests.checks.measured import empty_deployment, hold
from tests.tables import CONTRACTS

PROJECT = Path(__file__).parents[3]
ORDERS = CONTRACTS["sources/orders"]
LOOKED_UP = {"who": {"table": "sources/customer", "by": "customer_id", "take": ["age"]}}
# What a rule says of orders, and what is said of it.
RULES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a condition": ("holds", {"condition": "total_amout > 0"}, r'"total_amout" not found .*\(nearest: total_amount'),
    "a part of it": ("holds", {"condition": "true", "where": "odrer_id > ''"}, r'"odrer_id" .*\(nearest: order_id'),
    "a look elsewhere": ("holds", {"condition": "who_aeg > 1", "lookup": LOOKED_UP}, r'"who_aeg".*\(nearest: who_age'),
    "no SQL": ("holds", {"condition": "total_amount >"}, "Parser Error"),
    "types that do not meet": ("holds", {"condition": "ordered_at > 5"}, "Cannot compare"),
    "a pattern": ("matches", {"column": "order_id", "pattern": "("}, "missing"),
    "a file": (
        "holds",
        {"condition": "order_id in (from read_text('/etc/hosts'))"},
        r"reads read_text\(\).*by `lookup`",
    ),
    "another table": (
        "steady",
        {"column": "ordered_at", "value": "(select count(*) from brand)", "by": "day"},
        "'brand'",
    ),
    "a group": ("usual", {"per": "customer_id", "where": "totl > 0", "start": 5}, '"totl" not found'),
    "a trend": ("steady", {"column": "ordered_at", "value": "sum(totl)", "by": "day"}, '"totl" not found'),
    "a sum": (
        "reconciles",
        {"value": "count(*)", "table": "sources/customer", "other": "sum(agee)"},
        r'"agee" .*\(nearest: age',
    ),
}


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with closing(deployed(tmp_path, CONTRACTS)) as deployment:
        yield deployment


def deployed(folder: Path, contracts: Mapping[str, Contract]) -> Deployment:
    """A deployment of one feed whose file has two columns."""
    (folder / "brands.csv").write_text("brand_id,brand\nB1,Acme\n")
    settings = {"name": "Shop", "currency": "EUR", "connectors": {"shop": {"type": "files", "path": "brands.csv"}}}
    select = "select brand_id, brnd as brand_name from raw"
    feeds = {"brand": Feed.model_validate({"from": "shop", "select": select})}
    return Deployment(folder / "c360.yaml", Settings.model_validate(settings), feeds, contracts)


def ruled(kind: str, arguments: dict[str, Any]) -> Contract:
    """The contract of orders with one rule more."""
    need = NEEDS[kind].model_validate(arguments)
    rule = Rule("odd", "It is odd.", "accuracy", "warning", ORDERS.rules[0].schedule, need)
    return dataclasses.replace(ORDERS, declared_rules=(*ORDERS.declared_rules, rule))


@pytest.mark.parametrize("fault", RULES)
def test_a_rule_that_does_not_run_is_named_with_the_reason(fault: str, deployment: Deployment) -> None:
    kind, arguments, told = RULES[fault]
    found = problems(deployment.engine, deployment.contracts, ruled(kind, arguments))
    assert [*found] == ["odd"]
    assert re.search(told, found["odd"])


def test_all_faults_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    contracts = {key: contract for key, contract in CONTRACTS.items() if key != "rfm_distribution"}
    with closing(deployed(tmp_path, {**contracts, "sources/orders": ruled(*RULES["a condition"][:2])})) as deployment:
        found = linting.faults(deployment)
    assert found[0].startswith("Contract sources/orders.odcs.yaml, key schema.quality.odd: Binder Error")
    assert found[1].startswith(
        "Table rfm_distribution, made by c360_assets/analytics/segments/rfm_distribution.py, has no contract."
    )
    assert 'the source has no column "brnd" (nearest: brand, brand_id)' in found[2]
    assert [file.name for file in tmp_path.iterdir()] == ["brands.csv"]


def test_a_table_without_a_contract_and_a_contract_without_a_table_are_named(deployment: Deployment) -> None:
    renamed = dataclasses.replace(CONTRACTS["rfm"], name="rmf")
    contracts = {**{key: contract for key, contract in CONTRACTS.items() if key != "rfm"}, "rmf": renamed}
    with pytest.raises(C360Error) as raised:
        definitions.build(dataclasses.replace(deployment, contracts=contracts))
    missing, idle = str(raised.value).splitlines()
    assert missing.startswith("Table rfm, made by c360_assets/analytics/segments/rfm.py, has no contract.")
    advised = re.search(r"Say what it holds in (\S+)\.$", missing)
    assert advised is not None
    assert (PROJECT / advised[1]).is_file()
    assert definitions.build(deployment)
    assert idle == "Contract analytics/rfm.odcs.yaml is of no table: no module of analytics makes it."


def test_rules_that_nobody_can_judge_for_want_of_a_feed_are_told(deployment: Deployment) -> None:
    told = {line.split(":")[0]: line for line in linting.not_assessed(deployment)}
    assert "No feed fills sources/brand" not in told
    assert f"its {len(ORDERS.rules)} quality rules are not assessed" in told["No feed fills sources/orders"]
    assert re.search(r"nor are .*, sources/transactions\.\w+, which look into it", told["No feed fills sources/orders"])


def test_what_is_not_to_be_recommended_must_be_in_the_catalogue(tmp_path: Path) -> None:
    with empty_deployment(tmp_path) as deployment:
        file = tmp_path / "own.yaml"
        file.write_text('version: "1"\ndiscontinued: [P1, P2]\nexcluded_categories: [Fee]\n', encoding="utf-8")
        own = dataclasses.replace(
            deployment, settings=deployment.settings.model_copy(update={"recommendations": file.name})
        )
        hold(own, "products", {"sku_id": "S1", "product_id": "P1", "product_category": "Fees"})
        assert [fault for fault in linting.faults(own) if "own.yaml" in fault] == [
            "own.yaml: no product has the product_id 'P2'.",
            "own.yaml: no product is of the category 'Fee' (nearest: Fees).",
        ]
        own.close()


def test_rules_of_actions_are_linted_by_the_name_of_the_deployment_s_own_file(tmp_path: Path) -> None:
    with empty_deployment(tmp_path) as deployment:
        text = actions.FILE.read_text(encoding="utf-8").replace("average_rating:", "avrage_rating:")
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        own = dataclasses.replace(deployment, settings=deployment.settings.model_copy(update={"actions": "own.yaml"}))
        assert [fault for fault in linting.faults(own) if "own.yaml" in fault] == [
            "own.yaml: next_action / Frequent buyer who rates highly: there is no feature 'avrage_rating'."
        ]
        own.close()
