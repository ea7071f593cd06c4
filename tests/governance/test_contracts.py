"""Contracts: what every table promises, and what is said of a contract file that cannot be used."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from governance import contracts
from governance.contract import Contract
from governance.contracts import LAYERS, ContractError
from governance.privacy import MASKED_CLASSES

CONTRACTS = contracts.load()

# The source systems' own schema, but for three columns that are decided otherwise: the orders' date bears the name
# of a state and is two columns here, the number of children is spelled without a full stop, and annual income is a
# number although the source keeps text.
DOCUMENTED = {
    "product": {
        "sku_id": "VARCHAR",
        "product_id": "VARCHAR",
        "product_name": "VARCHAR",
        "product_category": "VARCHAR",
        "product_subcategory": "VARCHAR",
        "brand_id": "VARCHAR",
        "product_colour": "VARCHAR",
        "product_size": "VARCHAR",
        "list_price": "DOUBLE",
        "sale_price": "DOUBLE",
        "launched_ts": "TIMESTAMP",
    },
    "brand": {
        "brand_id": "VARCHAR",
        "brand_name": "VARCHAR",
        "parent_company": "VARCHAR",
        "description": "VARCHAR",
        "brand_type": "VARCHAR",
        "website": "VARCHAR",
        "founded_year": "VARCHAR",
        "headquarters": "VARCHAR",
    },
    "order_line_item": {
        "order_li_id": "VARCHAR",
        "order_id": "VARCHAR",
        "product_id": "VARCHAR",
        "qty": "DOUBLE",  # documented as INTEGER, which goods sold by weight are not
    },
    "orders": {
        "order_id": "VARCHAR",
        "customer_id": "VARCHAR",
        "ordered_at": "TIMESTAMP",
        "order_status": "VARCHAR",
        "order_delivery_date": "TIMESTAMP",
        "discounted_amount": "DOUBLE",
        "shipping_amount": "DOUBLE",
        "total_amount": "DOUBLE",
        "payment_method": "VARCHAR",
        "billing_address": "VARCHAR",
        "shipping_address": "VARCHAR",
        "transaction_id": "VARCHAR",
    },
    "transactions": {
        "transaction_id": "VARCHAR",
        "order_id": "VARCHAR",
        "amount": "DOUBLE",
        "payment_method": "VARCHAR",
        "transaction_ts": "TIMESTAMP",
    },
    "customer": {
        "customer_id": "VARCHAR",
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "gender": "VARCHAR",
        "phone_number": "VARCHAR",
        "email_address": "VARCHAR",
        "date_of_birth": "TIMESTAMP",
        "age": "INTEGER",
        "education_level": "VARCHAR",
        "marital_status": "VARCHAR",
        "no_of_children": "INTEGER",
        "registration_date": "TIMESTAMP",
        "occupation": "VARCHAR",
        "hobbies": "VARCHAR",
        "annual_income": "DOUBLE",
        "degree_of_loyalty": "INTEGER",
        "mailing_street": "VARCHAR",
        "city": "VARCHAR",
        "state": "VARCHAR",
        "country": "VARCHAR",
        "zipcode": "VARCHAR",
    },
}

IDENTIFIERS_OF_A_PERSON = {
    "first_name",
    "last_name",
    "phone_number",
    "email_address",
    "date_of_birth",
    "mailing_street",
}

THINGS = """\
apiVersion: v3.1.0
kind: DataContract
id: c360.sources.things
name: Things
version: 1.0.0
status: active
domain: tests
description:
  purpose: What a contract may say.
schema:
  - name: things
    logicalType: object
    physicalType: table
    dataGranularityDescription: One row per thing.
    properties:
      - name: thing_id
        logicalType: string
        physicalType: VARCHAR
        primaryKey: true
        required: true
        description: Thing ID.
      - name: maker
        logicalType: string
        physicalType: VARCHAR
        classification: personal
        description: Who made it.
        customProperties:
          - property: renamedFrom
            value: author
      - name: made_on
        logicalType: date
        physicalType: DATE
        description: Day it was made.
        logicalTypeOptions:
          minimum: "1900-01-01"
      - name: part_of
        logicalType: string
        physicalType: VARCHAR
        description: Thing it is a part of.
        relationships:
          - type: foreignKey
            to: ../sources/things.odcs.yaml#/schema/things/properties/thing_id
team:
  name: tests
slaProperties:
  - property: frequency
    value: 1
    unit: d
  - property: retention
    value: 7
    unit: y
customProperties:
  - property: eventTime
    value: made_on
"""

# What is written instead of what, and the key the error must name.
FAULTS = {
    "a key unknown at the first level": ("domain: tests", "domian: tests", "domian"),
    "a key unknown in a table": ("    dataGranularityDescription", "    granularity", "granularity"),
    "a key unknown in a column": ("required: true", "requried: true", "requried"),
    "a key unknown in a service level": ("unit: d", "units: d", "units"),
    "a key unknown in a type's options": ("minimum:", "minimun:", "minimun"),
    "an unknown type": ("physicalType: DATE", "physicalType: DATETIME", "made_on.physicalType"),
    "no type": ("        physicalType: DATE\n", "", "made_on.physicalType"),
    "logical type that disagrees": ("logicalType: date", "logicalType: timestamp", "made_on.logicalType"),
    "an unknown classification": ("classification: personal", "classification: private", "maker.classification"),
    "a value of the wrong kind": ("required: true", "required: perhaps", "required"),
    "a bound that is no value of the type": ('"1900-01-01"', '"long ago"', "made_on.logicalTypeOptions.minimum"),
    "a column without description": ("        description: Who made it.\n", "", "maker.description"),
    "a column without name": ("name: maker", 'name: ""', "name"),
    "no purpose": ("  purpose: What a contract may say.", "  usage: Any.", "description.purpose"),
    "no version": ("version: 1.0.0\n", "", "version"),
    "no owner": ("team:\n  name: tests\n", "", "team.name"),
    "no grain": ("    dataGranularityDescription: One row per thing.\n", "", "dataGranularityDescription"),
    "a grain that says no row": ("One row per thing", "Things", "dataGranularityDescription"),
    "no frequency": ("property: frequency", "property: latency", "slaProperties.frequency"),
    "no retention": ("property: retention", "property: latency", "slaProperties.retention"),
    "a retention without value": ("    value: 7\n", "", "slaProperties.retention"),
    "a column twice": ("name: maker", "name: made_on", "made_on"),
    "a reference to no table": ("#/schema/things/", "#/schema/parts/", "part_of.relationships"),
    "a reference to no column": ("/properties/thing_id", "/properties/id", "part_of.relationships"),
    "a reference to no place": ("#/schema/things/properties/thing_id", "", "part_of.relationships.to"),
    "a reference to another file": ("things.odcs.yaml#", "parts.odcs.yaml#", "part_of.relationships"),
    "an event time that is no column": ("value: made_on", "value: made_at", "eventTime"),
    "what moves `as_of` without an event time": ("property: eventTime", "property: movesAsOf", "movesAsOf"),
    "a share that is none": (
        "value: made_on",
        "value: made_on\n  - {property: toleratedShrinkPercent, value: 150}",
        "customProperties.toleratedShrinkPercent",
    ),
    "a property we do not know": ("property: eventTime", "property: eventtime", "eventtime"),
    "a property of a column we do not know": ("property: renamedFrom", "property: renamed", "maker.renamed"),
    "a table named otherwise than its file": ("- name: things", "- name: parts", "schema.name"),
}

UNREADABLE = {
    "nothing": "",
    "only a comment": "# to be written\n",
    "a list": "- name: things\n",
    "broken YAML": "name: [things\n",
    "bytes that are no text": "name: Möbel\n".encode("latin-1"),
}


def write(folder: Path, content: str | bytes, place: str = "sources/things") -> Path:
    file = folder / f"{place}.odcs.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def columns_of(*classes: str) -> dict[str, set[str]]:
    """Names of the columns of these classes, by table."""
    found = defaultdict(set)
    for key, contract in CONTRACTS.items():
        for column in contract.columns:
            if column.classification in classes:
                found[key].add(column.name)
    return dict(found)


def test_every_contract_file_is_loaded() -> None:
    files = [path.parent.name + "/" + path.name for path in contracts.FOLDER.rglob("*.yaml")]
    loaded = [f"{contract.layer}/{contract.name}.odcs.yaml" for contract in CONTRACTS.values()]
    assert sorted(files) == sorted(loaded)


def test_contracts_come_layer_by_layer_sources_first() -> None:
    ranks = [LAYERS.index(contract.layer) for contract in CONTRACTS.values()]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("dataset", DOCUMENTED)
def test_a_source_promises_every_documented_column_in_its_documented_type(dataset: str) -> None:
    promised = {column.name: column.type for column in CONTRACTS[f"sources/{dataset}"].columns}
    assert DOCUMENTED[dataset].items() <= promised.items()


@pytest.mark.parametrize("contract", [c for c in CONTRACTS.values() if c.layer == "sources"], ids=lambda c: c.name)
def test_every_source_has_a_key_that_is_never_empty(contract: Contract) -> None:
    assert contract.primary_key
    assert all(contract.column(name).required for name in contract.primary_key)


def test_direct_identifiers_stay_with_customers_the_addresses_on_orders_and_corrected_rows() -> None:
    assert columns_of("direct_identifier") == {
        "sources/customer": IDENTIFIERS_OF_A_PERSON,
        "sources/orders": {"billing_address", "shipping_address"},
        "customers": IDENTIFIERS_OF_A_PERSON,
        "customer_history": IDENTIFIERS_OF_A_PERSON,
        # Whole rows of any source, put right by hand.
        "corrections": {"corrected_row"},
    }


def test_free_text_that_may_name_persons_is_sensitive_and_leaves_no_source() -> None:
    assert columns_of("sensitive") == {
        "sources/review": {"review_title", "review_text"},
        "sources/support_ticket": {"subject"},
        "sources/survey_answer": {"comment"},
    }


def test_what_describes_a_customer_is_personal_at_the_source() -> None:
    assert columns_of("personal")["sources/customer"] == {
        "gender",
        "age",
        "age_band",
        "education_level",
        "marital_status",
        "no_of_children",
        "household_size",
        "household_composition",
        "occupation",
        "hobbies",
        "annual_income",
        "income_band",
        "city",
        "state",
        "state_code",
        "country",
        "zipcode",
    }


def test_personal_columns_are_in_no_table_but_these() -> None:
    assert columns_of("personal").keys() == {
        "sources/customer",
        "sources/orders",
        "customers",
        "customer_history",
        "orders",
        "features",
        "customer_360",
        "orders_enriched",
        "incidents",
        "subject_requests",
    }


def test_a_column_of_one_name_has_one_class_everywhere() -> None:
    classes = defaultdict(set)
    for contract in CONTRACTS.values():
        for column in contract.columns:
            classes[column.name].add(column.classification)
    assert [name for name, found in classes.items() if len(found) > 1] == []


def test_every_amount_says_that_it_is_one() -> None:
    counted = {"quantity", "rating"}
    amounts = [
        column
        for contract in CONTRACTS.values()
        for column in contract.columns
        if column.type.startswith("DECIMAL") and column.name not in counted
    ]
    assert len(amounts) > 40
    assert {column.unit for column in amounts} == {"reporting currency"}


def test_every_customer_id_is_a_pseudonym_and_stays_legible() -> None:
    found = [c.column("customer_id") for c in CONTRACTS.values() if "customer_id" in c.column_names]
    assert {column.classification for column in found} == {"pseudonymous"}
    assert not any(column.is_masked for column in found)


def test_exactly_the_masked_classes_are_masked() -> None:
    columns = [column for contract in CONTRACTS.values() for column in contract.columns]
    assert {column.classification for column in columns if column.is_masked} == MASKED_CLASSES
    assert {column.classification for column in columns if not column.is_masked} == {"internal", "pseudonymous"}


def test_a_contract_says_in_python_what_its_file_says(tmp_path: Path) -> None:
    contract = contracts.read(write(tmp_path, THINGS))
    assert (contract.key, contract.title, contract.grain) == ("sources/things", "Things", "One row per thing.")
    assert (contract.owner, contract.frequency, contract.retention) == ("tests", "1 d", "7 y")
    assert (contract.primary_key, contract.event_time, contract.optional) == (["thing_id"], "made_on", False)
    assert contract.column("maker").renamed_from == "author"
    assert contract.column("made_on").minimum == "1900-01-01"
    assert contract.column("part_of").references == ("sources/things", "thing_id")


def test_a_derived_table_is_known_by_its_word_alone(tmp_path: Path) -> None:
    write(tmp_path, THINGS.replace("../sources/", "../conformed/"), "conformed/things")
    assert list(contracts.load(tmp_path)) == ["things"]


def test_key_columns_come_in_the_order_of_their_position(tmp_path: Path) -> None:
    keyed = THINGS.replace("primaryKey: true", "primaryKey: true\n        primaryKeyPosition: 2")
    first = "name: maker\n        primaryKey: true\n        required: true\n        primaryKeyPosition: 1"
    contract = contracts.read(write(tmp_path, keyed.replace("name: maker", first)))
    assert contract.primary_key == ["maker", "thing_id"]


def test_a_bound_may_be_written_without_quotes(tmp_path: Path) -> None:
    contract = contracts.read(write(tmp_path, THINGS.replace('"1900-01-01"', "1900-01-01")))
    assert contract.column("made_on").minimum == "1900-01-01"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_contract_is_one_error_that_names_file_and_key(fault: str, tmp_path: Path) -> None:
    old, new, key = FAULTS[fault]
    assert old in THINGS
    write(tmp_path, THINGS.replace(old, new, 1))
    with pytest.raises(ContractError) as raised:
        contracts.load(tmp_path)
    assert re.match(rf"Contract \S+/sources/things\.odcs\.yaml, key \S*{re.escape(key)}: \S.*\Z", str(raised.value))


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_contract_is_one_error_that_names_it(content: str | bytes, tmp_path: Path) -> None:
    write(tmp_path, content)
    with pytest.raises(ContractError, match=r"\AContract \S+/sources/things\.odcs\.yaml, key \(file\): is [^\n]+\Z"):
        contracts.load(tmp_path)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, THINGS.replace("      - name: maker", "     - name: maker"))
    with pytest.raises(ContractError, match="line 22"):
        contracts.load(tmp_path)


def test_a_contract_with_a_second_table_is_refused(tmp_path: Path) -> None:
    write(tmp_path, THINGS.replace("team:", "  - name: parts\n    logicalType: object\nteam:"))
    with pytest.raises(ContractError, match="key schema: exactly one table"):
        contracts.load(tmp_path)


def test_a_contract_in_a_folder_that_is_no_layer_is_refused(tmp_path: Path) -> None:
    write(tmp_path, THINGS, "raw/things")
    with pytest.raises(ContractError, match=r"raw/things\.odcs\.yaml, key layer: .*sources, conformed"):
        contracts.load(tmp_path)


def test_one_word_for_tables_of_two_layers_is_refused(tmp_path: Path) -> None:
    for layer in ("conformed", "serving"):
        write(tmp_path, THINGS.replace("../sources/", "../conformed/"), f"{layer}/things")
    with pytest.raises(ContractError, match="things"):
        contracts.load(tmp_path)


def test_a_source_and_a_derived_table_may_bear_one_word(tmp_path: Path) -> None:
    for layer in ("sources", "conformed"):
        write(tmp_path, THINGS, f"{layer}/things")
    assert list(contracts.load(tmp_path)) == ["sources/things", "things"]


def test_a_key_that_may_be_empty_is_refused(tmp_path: Path) -> None:
    write(tmp_path, THINGS.replace("        required: true\n", ""))
    with pytest.raises(ContractError, match="thing_id"):
        contracts.load(tmp_path)
