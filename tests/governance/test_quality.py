"""Quality rules in contracts: the documented checks are there, and what is wrong in an entry is named."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from open_data_contract_standard.model import DataQuality

from governance import contracts, quality
from governance.contract import SNAPSHOT, Contract
from governance.quality import RuleError

CONTRACTS = contracts.load()
SOURCES = [contract for contract in CONTRACTS.values() if contract.layer == "sources"]
# The documented checks: dataset, number, wording, subject, frequency, target (the retailer's own table of checks).
DOCUMENTED = """
Q01,customer,Value Range Check,Age,weekly,80
Q02,customer,Completeness Check,Contact Information,weekly,80
Q03,customer,Accuracy Check,Gender,weekly,80
Q04,product,Missing Values Check,Description,weekly,95
Q05,product,Consistency Check,Category,weekly,95
Q06,product,Uniqueness Check,Product ID,weekly,95
Q07,orders,Consistency Check,Order Status,daily,87
Q08,orders,Timeliness Check,Delivery Date,daily,87
Q09,orders,Accuracy Check,Payment Method,daily,87
Q10,web_analytics,Outliers Check,Page Views,daily,92
Q11,web_analytics,Completeness Check,User Sessions,daily,92
Q12,web_analytics,Trend Analysis,Bounce Rate,daily,92
Q13,brand,Uniqueness Check,Brand ID,monthly,97
Q14,brand,Accuracy Check,Brand Description,monthly,97
Q15,brand,Consistency Check,Brand Category,monthly,97
Q16,transactions,Completeness Check,Transaction Details,daily,91
Q17,transactions,Accuracy Check,Transaction Amount,daily,91
Q18,transactions,Timeliness Check,Transaction Processing Time,daily,91
"""


@pytest.mark.parametrize("documented", list(csv.reader(DOCUMENTED.strip().splitlines())), ids=lambda row: row[0])
def test_every_documented_check_is_a_rule_in_its_words(documented: list[str]) -> None:
    number, dataset, check, subject, frequency, target = documented
    contract = CONTRACTS[f"sources/{dataset}"]
    rules = [rule for rule in contract.rules if rule.check == number]
    assert rules
    assert all(rule.description.startswith(f"{check}: {subject}.") for rule in rules)
    assert {rule.schedule for rule in rules} == {frequency}
    assert contract.quality_target == float(target)


def test_no_rule_claims_a_check_that_is_not_documented() -> None:
    numbers = {row.split(",")[0] for row in DOCUMENTED.strip().splitlines()}
    claimed = {rule.check for contract in CONTRACTS.values() for rule in contract.rules if rule.check}
    assert claimed == numbers


@pytest.mark.parametrize("contract", SOURCES, ids=lambda contract: contract.name)
def test_every_source_has_the_metrics(contract: Contract) -> None:
    metrics = {
        "null_values": "completeness",
        "completeness": "completeness",
        "timeliness": "timeliness",
    }
    assert metrics.items() <= {rule.name: rule.dimension for rule in contract.rules}.items()


@pytest.mark.parametrize("contract", SOURCES, ids=lambda contract: contract.name)
def test_every_reference_and_every_list_of_values_is_one_rule_of_its_column(contract: Contract) -> None:
    needs = [rule.need for rule in contract.rules]
    for kind, columns in (
        (quality.RefersTo, [column.name for column in contract.columns if column.references]),
        (quality.OneOf, [column.name for column in contract.columns if column.values]),
    ):
        judged = [need.column for need in needs if isinstance(need, kind)]
        assert [judged.count(column) for column in columns] == [1] * len(columns)


def test_keys_block_and_warnings_never_do() -> None:
    for contract in CONTRACTS.values():
        blocking = {rule.name for rule in contract.rules if rule.blocking}
        assert ("key_unique" in blocking) == bool(contract.primary_key and contract.loading == SNAPSHOT)
        assert all(rule.severity == "error" for rule in contract.rules if rule.blocking)


ENTRY: dict[str, Any] = {
    "name": "age_in_range",
    "description": "Ages lie between 13 and 115.",
    "type": "custom",
    "engine": "c360",
    "implementation": {"between": {"column": "age", "minimum": 13}},
    "dimension": "conformity",
    "severity": "warning",
    "schedule": "daily",
}


def test_a_rule_is_what_the_entry_says() -> None:
    properties = [{"property": "weight", "value": 2}, {"property": "check", "value": "Q01"}]
    rule = quality.declared(DataQuality(**ENTRY, customProperties=properties))
    assert (rule.name, rule.weight, rule.check, rule.blocking) == ("age_in_range", 2.0, "Q01", False)
    assert rule.need == quality.Between(column="age", minimum=13)


@pytest.mark.parametrize(
    ("dataset", "name", "threshold"),
    [
        ("customer", "age_in_range", "No row may fail."),
        ("customer", "null_values", "No cell may fail."),
        ("web_analytics", "hours_loaded", "No hour may fail."),
        ("customer", "timeliness", "The table is judged as a whole."),
    ],
)
def test_every_rule_says_how_many_may_fail_and_of_what(dataset: str, name: str, threshold: str) -> None:
    (rule,) = [rule for rule in CONTRACTS[f"sources/{dataset}"].rules if rule.name == name]
    is_counted = bool(rule.need.unit)
    assert rule.threshold == threshold
    assert replace(rule, tolerated_percent=2.5).threshold.startswith("At most 2.5 % of the ") == is_counted
    assert (
        replace(rule, blocking=True).threshold.endswith("may fail, or the table is held back from readers.")
        == is_counted
    )


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"dimension": "beauty"}, "dimension", "must be one of accuracy"),
        ({"severity": "deadly"}, "severity", "must be one of error, warning"),
        ({"schedule": "hourly"}, "schedule", "must be one of daily"),
        ({"description": None}, "description", "is missing"),
        ({"engine": "soda"}, "type", "engine 'c360'"),
        ({"implementation": {"betwen": {}}}, "implementation", "'betwen' must be one of present"),
        ({"implementation": {"between": {"colum": "age"}}}, "implementation.between.column", "Field required"),
        ({"implementation": {"between": {"column": "age"}}}, "implementation.between", "a minimum or a maximum"),
        ({"implementation": {"usual": {"per": "age", "start": 0}}}, "implementation.usual.start", "greater than 0"),
        ({"mustBeLessOrEqualTo": 5}, "unit", "must be 'percent'"),
        (
            {"customProperties": [{"property": "wieght", "value": 2}]},
            "customProperties.wieght",
            "is not a property we know",
        ),
        ({"customProperties": [{"property": "weight", "value": 0}]}, "customProperties.weight", "above 0"),
        ({"customProperties": [{"property": "blocking", "value": True}]}, "severity", "must be 'error'"),
        (
            {
                "implementation": {"unique": {"columns": ["age"]}},
                "customProperties": [{"property": "quarantine", "value": True}],
            },
            "customProperties.quarantine",
            "each row decides",
        ),
    ],
)
def test_what_is_wrong_in_an_entry_is_named(change: dict[str, Any], key: str, problem: str) -> None:
    with pytest.raises(RuleError, match=re.escape(problem)) as fault:
        quality.declared(DataQuality(**ENTRY | change))
    assert fault.value.key == key


@pytest.mark.parametrize(
    ("text", "change", "told"),
    [
        ("column: age,", "column: agee,", "'agee' is no column of the table"),
        ("name: email_present", "name: phone_present", "is taken by another rule"),
        ("name: age_present", "name: quality_score", "is taken by another rule"),
        ("        schedule: weekly", "        schedule: daily", "must be the same for all rules of a table"),
    ],
)
def test_a_broken_rule_names_file_and_rule(tmp_path: Path, text: str, change: str, told: str) -> None:
    file = contracts.FOLDER / "sources/customer.odcs.yaml"
    broken = tmp_path / "sources" / file.name
    broken.parent.mkdir()
    broken.write_text(file.read_text().replace(text, change, 1))
    with pytest.raises(contracts.ContractError, match=rf"sources/customer.odcs.yaml, key schema.quality.\w+.*{told}"):
        contracts.read(broken)


def test_a_lookup_means_one_thing_throughout_a_table(tmp_path: Path) -> None:
    file = contracts.FOLDER / "sources/transactions.odcs.yaml"
    broken = tmp_path / "sources" / file.name
    broken.parent.mkdir()
    broken.write_text(file.read_text().replace("by: order_id", "by: transaction_id", 1))
    with pytest.raises(contracts.ContractError, match=r"lookup\.placed: means another table or column"):
        contracts.read(broken)


@pytest.mark.parametrize(
    ("text", "change"),
    [("table: sources/transactions,", "table: sources/nothing,"), ("take: [payment_method]", "take: [nothing]")],
)
def test_a_rule_that_looks_up_what_is_not_there_is_refused(tmp_path: Path, text: str, change: str) -> None:
    for contract in SOURCES:
        file = contracts.FOLDER / f"sources/{contract.name}.odcs.yaml"
        copy = tmp_path / "sources" / file.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(file.read_text().replace(text, change) if contract.name == "orders" else file.read_text())
    with pytest.raises(contracts.ContractError, match=r"orders.*payment_as_transacted.*there is no table"):
        contracts.load(tmp_path)


def test_the_fingerprint_changes_with_what_decides_a_score_and_nothing_else() -> None:
    rules = CONTRACTS["sources/customer"].rules
    first, *others = rules
    assert quality.fingerprint(rules) == quality.fingerprint(tuple(reversed(rules)))
    assert quality.fingerprint((replace(first, description="Other words."), *others)) == quality.fingerprint(rules)
    assert quality.fingerprint((replace(first, weight=3.0), *others)) != quality.fingerprint(rules)
    assert quality.fingerprint(tuple(others)) != quality.fingerprint(rules)
