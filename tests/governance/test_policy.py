"""The policy: what each role sees, what cannot be, and the algebra that no role escapes."""

import hashlib
import hmac
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from governance import keys, policy
from governance.policy import Forbidden, Link, Outcome, Policy, PolicyError, View, faults, way
from governance.privacy import CLASSIFIED
from tests.tables import CONTRACTS

OURS = policy.load()
CUSTOMERS = CONTRACTS["customers"]
RAW = yaml.safe_load(policy.FILE.read_text())


def changed(**sections: Any) -> Policy:
    return Policy.model_validate({**RAW, **sections})


def with_role(**said: Any) -> Policy:
    """Ours, and in it the marketing role as is said."""
    return changed(roles={**RAW["roles"], "marketing": {**RAW["roles"]["marketing"], **said}})


def outcomes(role: str, table: str = "customers", teams: tuple[str, ...] = ()) -> dict[str, str]:
    return {name: str(outcome) for name, outcome in OURS.view(CONTRACTS[table], role, teams).outcomes.items()}


def test_every_classified_column_has_an_outcome_for_every_role_that_reads_its_table() -> None:
    assert not [*faults(OURS, CONTRACTS)]
    seen = 0
    for contract, role in product(CONTRACTS.values(), OURS.roles):
        if contract.layer in OURS.roles[role].reads:
            view = OURS.view(contract, role)
            assert [*view.outcomes] == contract.column_names
            seen += len(view.classified())
    assert seen > 500


def test_what_the_founding_documents_ask_of_each_role_holds() -> None:
    marketing, consumer = outcomes("marketing"), outcomes("data_consumer")
    assert (marketing["age"], marketing["annual_income"]) == ("range", "range")
    identifiers = [column.name for column in CUSTOMERS.columns if column.classification == "direct_identifier"]
    assert {marketing[name] for name in identifiers} == {"hash"}
    classified = [column.name for column, _ in OURS.view(CUSTOMERS, "data_consumer").classified()]
    assert {consumer[name] for name in classified} == {"hash"}
    assert set(outcomes("data_steward").values()) == {"clear"}


def test_a_producer_sees_its_own_tables_in_clear_and_others_as_a_consumer() -> None:
    assert set(outcomes("data_producer", "sources/customer", ("customer-data",)).values()) == {"clear"}
    assert outcomes("data_producer", "orders", ("customer-data",)) == outcomes("data_consumer", "orders")
    with pytest.raises(Forbidden, match="may not read sources/orders"):
        outcomes("data_producer", "sources/orders", ("customer-data",))


def test_an_unknown_role_is_a_data_consumer() -> None:
    assert outcomes("chief happiness officer") == outcomes("data_consumer")


def test_a_purpose_nobody_wrote_down_is_refused() -> None:
    with pytest.raises(Forbidden, match="There is no purpose 'fun'"):
        OURS.view(CUSTOMERS, "marketing", purpose="fun")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"shows": {"personal": "clear"}}, "says nothing of pseudonymous, sensitive, direct_identifier"),
        ({"shows": {**RAW["roles"]["marketing"]["shows"], "secret": "hash"}}, "secret is none of the classes"),
        ({"shows": {**dict.fromkeys(CLASSIFIED, "hash"), "personal": "range"}}, "a whole class cannot be shown"),
        ({"files_are_for": "fun"}, "there is no purpose 'fun'"),
        ({"reads": ["everything"]}, "roles.marketing.reads"),
        ({"sees": 1}, "roles.marketing.sees"),
    ],
)
def test_a_policy_that_leaves_something_open_is_refused_by_its_key(said: Any, told: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    roles = {**RAW["roles"], "marketing": {**RAW["roles"]["marketing"], **said}}
    file.write_text(yaml.safe_dump({**RAW, "roles": roles}))
    with pytest.raises(PolicyError, match=told):
        policy.load(file)


def test_ranges_rise() -> None:
    with pytest.raises(ValueError, match="must be numbers that rise"):
        changed(ranges={"age": [18, 18]})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (with_role(columns={"agee": "range"}), r"columns.agee: no contract has .* \(nearest: age"),
        (with_role(columns={"city": "range"}), "columns.city: is to be shown as a range, and `ranges` lists none"),
        (changed(ranges={**RAW["ranges"], "city": [1]}), "ranges.city: is no number"),
        (changed(ranges={**RAW["ranges"], "order_amount": [1]}), "ranges.order_amount: no contract has a classified"),
        (with_role(only={"customer": [{"country": "Peru"}]}), "only.customer: there is no table of that name"),
        (with_role(only={"customers": [{"land": "Peru"}]}), "only.customers.land: customers has no such column"),
        (with_role(only={"audiences": [{"audience": "x"}]}), "only.audiences: has no key of one column"),
    ],
)
def test_what_names_nothing_in_the_contracts_is_a_fault(wrong: Policy, told: str) -> None:
    (fault,) = faults(wrong, CONTRACTS)
    assert re.search(told, fault), fault


def test_every_table_that_says_something_of_a_customer_leads_to_customers() -> None:
    lost = [
        contract.key
        for contract in CONTRACTS.values()
        if any(column.is_classified for column in contract.columns)
        and way(CONTRACTS, contract.key, "customers") is None
    ]
    # Rows corrected by hand say in one text whose they are, an incident names a colleague, and hashes lead nowhere.
    assert lost == ["corrections", "incidents", "subject_requests", "tombstones"]


def test_the_way_to_customers_goes_by_the_relationships() -> None:
    assert way(CONTRACTS, "customers", "customers") == ()
    assert way(CONTRACTS, "sessions", "customers") == (Link("entity_id", "customers", "customer_id"),)
    assert way(CONTRACTS, "sources/transactions", "customers") == (
        Link("order_id", "sources/orders", "order_id"),
        Link("customer_id", "customers", "customer_id"),
    )
    assert way(CONTRACTS, "satisfaction", "customers") is None


shown = st.sampled_from(Outcome)


def a_view(outcomes: dict[str, Outcome]) -> View:
    return View(CUSTOMERS, outcomes, None, ())


views = st.fixed_dictionaries(dict.fromkeys(("age", "city", "email_address"), shown)).map(a_view)


@given(views, views, views)
def test_telling_no_more_is_an_order(one: View, two: View, three: View) -> None:
    assert one.tells_no_more_than(one)
    if one.tells_no_more_than(two) and two.tells_no_more_than(one):
        assert one.outcomes == two.outcomes
    if one.tells_no_more_than(two) and two.tells_no_more_than(three):
        assert one.tells_no_more_than(three)


@pytest.mark.parametrize("table", [key for key, contract in CONTRACTS.items() if contract.layer != "operations"])
def test_nobody_sees_more_than_the_steward_nor_less_than_nothing(table: str) -> None:
    everything = OURS.view(CONTRACTS[table], "data_steward")
    for role in OURS.roles:
        if CONTRACTS[table].layer in OURS.roles[role].reads:
            assert OURS.view(CONTRACTS[table], role).tells_no_more_than(everything)


def test_fewer_rows_tell_no_more_and_more_rows_do() -> None:
    all_, some = (OURS.view(CUSTOMERS, "marketing", purpose=purpose) for purpose in ("analysis", "marketing"))
    assert some.tells_no_more_than(all_)
    assert not all_.tells_no_more_than(some)
    hidden = replace(all_, hides="is_registered")
    assert hidden.tells_no_more_than(all_)
    assert not all_.tells_no_more_than(hidden)


@given(st.binary(min_size=1, max_size=200), st.text(st.characters(codec="utf-8")))
def test_a_keyed_hash_is_what_the_standard_library_makes_of_it(key: bytes, text: str) -> None:
    expected = hmac.new(key, text.encode(), hashlib.sha256)
    assert keys.keyed_hash(key, text) == expected.hexdigest()
    inner, outer = keys.pads(key)
    assert hashlib.sha256(outer + hashlib.sha256(inner + text.encode()).digest()).hexdigest() == expected.hexdigest()


def test_every_use_has_a_key_of_its_own() -> None:
    made = {keys.derived(secret, use) for secret in (b"one", b"two") for use in ("pseudonyms", "tokens", "audit")}
    assert len(made) == 6
    assert {len(key) for key in made} == {32}
