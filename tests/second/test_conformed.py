"""Conformed and served tables are what the texts of their contracts say: a second hand computes them from these."""

import dataclasses
from collections.abc import Iterator
from functools import partial

import pandas as pd
import pytest

from resources.deployment import Deployment
from tests.deriving import Derived, derived
from tests.second import odd_shop, serving
from tests.second.compared import differences, frame, second
from tests.tables import CONTRACTS

CONFORMED = sorted(key for key, contract in CONTRACTS.items() if contract.layer == "conformed")
CHICAGO = "America/Chicago"

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def company(golden: Deployment) -> Tables:
    """The conformed tables of the golden company, by the second hand."""
    return second(golden, golden.settings.clock)


@pytest.fixture(scope="module")
def odd(golden: Deployment) -> Iterator[tuple[Derived, Tables]]:
    """Those of a shop in Chicago where everything is odd, by the product and by the second hand."""
    settings = golden.settings.model_copy(update={"timezone": CHICAGO})
    deployment = dataclasses.replace(golden, settings=settings)
    made = derived(deployment, odd_shop.sources(seed=3), odd_shop.AS_OF.isoformat(), only=CONFORMED)
    yield made, second(made, CHICAGO, odd_shop.AS_OF)
    deployment.close()


@pytest.mark.parametrize("key", CONFORMED)
def test_a_table_of_the_company_is_what_its_contract_says(golden: Deployment, company: Tables, key: str) -> None:
    assert len(company[key])
    assert differences(company[key], frame(golden, key), CONTRACTS[key]) == {}


@pytest.mark.parametrize("key", CONFORMED)
def test_a_table_of_an_odd_shop_is_what_its_contract_says(odd: tuple[Derived, Tables], key: str) -> None:
    product, ours = odd
    assert len(ours[key])
    assert differences(ours[key], frame(product, key), CONTRACTS[key]) == {}


@pytest.mark.parametrize("key", ["customer_360", "orders_enriched"])
def test_a_served_table_adds_up_from_the_others(golden: Deployment, company: Tables, key: str) -> None:
    ours = getattr(serving, key)(company, partial(frame, golden))
    assert differences(ours, frame(golden, key), CONTRACTS[key]) == {}


def test_a_table_that_differs_is_told_by_column_and_key(company: Tables) -> None:
    orders, contract = company["orders"], CONTRACTS["orders"]
    spoiled = orders.copy()
    spoiled.loc[5, "order_amount"] += 1
    spoiled.loc[6:7, "order_status"] = None
    found = differences(orders, spoiled, contract)
    assert set(found) == {"order_amount", "order_status"}
    assert found["order_amount"].startswith(f"1 times, at {orders.order_id[5]}: ")
    assert set(differences(orders, orders[1:], contract)) == {"rows"}
