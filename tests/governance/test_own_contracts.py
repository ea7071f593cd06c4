"""What a deployment may add to our contracts, and what it may not take back."""

import re
from pathlib import Path

import pytest

from governance import own_contracts
from governance.contract import Contract
from governance.contracts import ContractError
from tests.tables import CONTRACTS

ORDERS = """\
version: 9.0.0
schema:
  - name: orders
    properties:
      - {name: till, logicalType: string, physicalType: VARCHAR, classification: personal, description: Which till.}
      - {name: total_amount, required: true, logicalTypeOptions: {minimum: 0, maximum: 5000}}
    quality:
      - name: till_named
        description: Tills are numbered.
        type: custom
        engine: c360
        implementation: {holds: {condition: till <> ''}}
        dimension: accuracy
        severity: warning
        schedule: daily
slaProperties:
  - {property: frequency, value: 1, unit: d}
"""
VISITS = """\
apiVersion: v3.1.0
kind: DataContract
id: shop.store_visit
name: Visits to the store
version: 1.0.0
status: active
domain: store
description: {purpose: Who came in.}
schema:
  - name: store_visit
    logicalType: object
    physicalType: table
    dataGranularityDescription: One row per visit.
    properties:
      - name: visit_id
        logicalType: string
        physicalType: VARCHAR
        primaryKey: true
        required: true
        description: The visit.
      - name: customer_id
        logicalType: string
        physicalType: VARCHAR
        classification: pseudonymous
        description: Who came in.
        relationships:
          - {type: foreignKey, to: customer.odcs.yaml#/schema/customer/properties/customer_id}
team: {name: store}
slaProperties:
  - {property: frequency, value: 1, unit: h}
  - {property: retention, value: 1, unit: y}
"""
PROPERTIES = "properties:\n      "


def more(column: str) -> str:
    return f"{PROPERTIES}- {{name: {column}}}\n      "


# What is written instead of what in an extension of orders, and the key that the error names.
FAULTS = {
    "another type": ("{name: total_amount, required: true, logicalTypeOptions: {minimum: 0, maximum: 5000}}",
        "{name: total_amount, logicalType: integer, physicalType: INTEGER}", "schema.properties.total_amount"),
    "a key that is none": ("{name: total_amount,", "{name: total_amount, requird: true,", "schema[0].properties"),
    "wider bounds": ("minimum: 0", "minimum: -99999999999", "total_amount.logicalTypeOptions.minimum"),
    "a type of its own": (PROPERTIES, more("order_status, physicalType: DATE"), "order_status"),
    "a class less": (PROPERTIES, more("shipping_city, classification: internal"), "shipping_city.classification"),
    "nothing needed": (PROPERTIES, more("order_id, required: false"), "order_id.required"),
    "a key more": ("{name: till,", "{name: till, primaryKey: true, required: true,", "primaryKey"),
    "another rhythm": ("value: 1, unit: d", "value: 5, unit: d", "slaProperties.frequency"),
    "a rule of a column that is none": ("holds: {condition: till <> ''}", "present: {columns: [tll]}", "till_named"),
    "a rule that every table has": ("name: till_named", "name: types_fit", "types_fit"),
    "a second table": ("slaProperties:", "  - {name: others}\nslaProperties:", "schema"),
    "another way of loading": (
        "slaProperties:", "customProperties: [{property: loading, value: snapshot}]\nslaProperties:", "loading"
    ),
}  # fmt: skip


def written(folder: Path, text: str, name: str = "sources/orders") -> Path:
    file = folder / f"{name}.odcs.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def orders(folder: Path, text: str = ORDERS) -> Contract:
    return own_contracts.extended(CONTRACTS["sources/orders"], written(folder / "ours", text))


def test_an_extension_adds_columns_and_rules_and_keeps_the_rest(tmp_path: Path) -> None:
    ours, theirs = CONTRACTS["sources/orders"], orders(tmp_path)
    assert theirs.column_names == [*ours.column_names, "till"]
    assert theirs.own_columns == ("till",)
    assert theirs.column("till").is_masked
    amount = theirs.column("total_amount")
    assert (amount.required, amount.minimum, amount.maximum) == (True, "0", "5000")
    assert amount.description == ours.column("total_amount").description
    assert {rule.name for rule in theirs.rules} - {rule.name for rule in ours.rules} == {"till_named"}
    assert (theirs.frequency, theirs.retention, theirs.version) == ("1 d", ours.retention, "9.0.0")
    assert [file.parent.parent.name for file in theirs.files] == ["contracts", "ours"]


def test_how_far_a_dataset_may_shrink_is_for_a_deployment_to_say(tmp_path: Path) -> None:
    shrinking = "customProperties: [{property: toleratedShrinkPercent, value: 80}]\nslaProperties:"
    theirs = orders(tmp_path, ORDERS.replace("slaProperties:", shrinking))
    assert (theirs.tolerated_shrink_percent, CONTRACTS["sources/orders"].tolerated_shrink_percent) == (80, 50)
    assert theirs.loading == CONTRACTS["sources/orders"].loading


@pytest.mark.parametrize("fault", FAULTS)
def test_what_ours_promises_can_only_be_made_stricter(fault: str, tmp_path: Path) -> None:
    old, new, key = FAULTS[fault]
    assert old in ORDERS
    with pytest.raises(ContractError) as raised:
        orders(tmp_path, ORDERS.replace(old, new, 1))
    assert re.match(rf"Contract ours/sources/orders\.odcs\.yaml, key \S*{re.escape(key)}", str(raised.value))


@pytest.mark.parametrize(
    ("severity", "percent", "is_fine"), [("error", 0, True), ("warning", 0, False), ("error", 5, False)]
)
def test_a_rule_of_ours_can_be_made_stricter_and_not_looser(
    severity: str, percent: int, is_fine: bool, tmp_path: Path
) -> None:
    contract = CONTRACTS["sources/product"]
    ours = next(rule for rule in contract.declared_rules if rule.severity == "error" and not rule.tolerated_percent)
    text = f"""\
schema:
  - name: product
    quality:
      - {{name: {ours.name}, severity: {severity}, mustBeLessOrEqualTo: {percent}, unit: percent}}
"""
    file = written(tmp_path, text, "sources/product")
    if is_fine:
        assert own_contracts.extended(contract, file).rules == contract.rules
        return
    with pytest.raises(ContractError, match=rf"schema\.quality\.{ours.name}"):
        own_contracts.extended(contract, file)


def test_a_derived_table_can_have_rules_and_no_columns_more(tmp_path: Path) -> None:
    text = "schema: [{name: rfm, properties: [{name: luck, logicalType: integer, physicalType: INTEGER,"
    file = written(tmp_path, f"{text} description: Luck.}}]}}]", "analytics/rfm")
    with pytest.raises(ContractError, match="only datasets in sources/ can have columns of your own"):
        own_contracts.extended(CONTRACTS["rfm"], file)


def test_datasets_of_its_own_stand_beside_ours(tmp_path: Path) -> None:
    written(tmp_path, VISITS, "sources/store_visit")
    written(tmp_path, ORDERS)
    found = own_contracts.load(tmp_path)
    assert found.keys() == {*CONTRACTS, "sources/store_visit"}
    assert found["sources/store_visit"].column("customer_id").references == ("sources/customer", "customer_id")
    assert found["sources/orders"].own_columns == ("till",)
    assert [contract.layer for contract in found.values()][: list(found).index("sources/store_visit") + 1] == [
        "sources"
    ] * len([contract for contract in found.values() if contract.layer == "sources"])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("conformed/store_visit", "a dataset of your own lies in sources/"),
        ("store_visit", "must be own/<layer>/<table>.odcs.yaml"),
        ("sources/old/store_visit", "must be own/<layer>/<table>.odcs.yaml"),
    ],
)
def test_a_file_in_the_wrong_place_is_named_and_not_passed_over(name: str, told: str, tmp_path: Path) -> None:
    written(tmp_path / "own", VISITS, name)
    with pytest.raises(ContractError, match=re.escape(told)):
        own_contracts.load(tmp_path / "own")
    # Where it is said to belong it is a dataset; the folder is named as `contracts`.
    written(tmp_path / "other", VISITS, "sources/store_visit")
    assert "sources/store_visit" in own_contracts.load(tmp_path / "other")
    with pytest.raises(ContractError, match="there is no such folder; correct `contracts` in c360"):
        own_contracts.load(tmp_path / "others")


def test_a_dataset_of_their_own_does_not_move_the_moment_of_every_analysis(tmp_path: Path) -> None:
    came_at = more("came_at, logicalType: timestamp, physicalType: TIMESTAMP, description: When they came in.")
    moves = "customProperties: [{property: eventTime, value: came_at}, {property: movesAsOf, value: true}]"
    written(tmp_path, VISITS.replace(PROPERTIES, came_at) + moves, "sources/store_visit")
    with pytest.raises(ContractError, match="movesAsOf: is for datasets of ours"):
        own_contracts.load(tmp_path)


def test_a_rule_named_as_one_of_ours_is_given_another_name(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"delivered_has_date: is a rule of ours; give yours another name"):
        orders(tmp_path, ORDERS.replace("name: till_named", "name: delivered_has_date"))
    assert "till_told" in [rule.name for rule in orders(tmp_path, ORDERS.replace("till_named", "till_told")).rules]
