"""Basket rules: readable rules, the published ones of a real shop, and the pairs of the sample company."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from c360_assets.models.basket_rules import THRESHOLDS, TYPES, basket_rules, mined
from c360_assets.terms.basket_mining import Thresholds
from examples.company.generator import generate
from tests.c360_assets.shoppers import types
from tests.tables import CONTRACTS, rows, table

PROJECT = Path(__file__).parents[3]
GROCERIES = Path(os.environ.get("C360_DATA") or PROJECT.parent / "shared" / "data") / "groceries/groceries.csv"
COLUMNS = CONTRACTS["basket_rules"].column_names


def lines(baskets: Iterable[Sequence[str]], kind: str = "sale", order: str = "O") -> list[dict[str, Any]]:
    return [
        {
            "order_line_id": f"{order}{number}-{place}",
            "order_id": f"{order}{number}",
            "product_id": product,
            "line_kind": kind,
        }
        for number, basket in enumerate(baskets)
        for place, product in enumerate(basket)
    ]


def test_a_rule_is_read_as_it_is_told() -> None:
    baskets = [["wine", "beer"]] * 8 + [["beer"]] * 2 + [["bread"]] * 90
    products = [{"sku_id": "1", "product_id": "wine", "product_name": "Red wine"}]
    found = basket_rules(table("order_lines", *lines(baskets)), table("products", *products))
    told = rows(
        found, "antecedent_ids", "antecedent", "consequent", "antecedent_count", "rule_count", "confidence", "lift"
    )
    assert told == [
        ("beer", "{beer}", "{Red wine}", 10, 8, 0.8, 10.0),
        ("wine", "{Red wine}", "{beer}", 8, 8, 1.0, 10.0),
    ]
    assert rows(found, "antecedent_ids", "basket_count", "minimum_count", "support", "leverage", "conviction") == [
        ("beer", 100, 5, 0.08, 0.072, 4.6),
        ("wine", 100, 5, 0.08, 0.072, None),
    ]


def test_a_product_counts_once_in_a_basket_and_what_is_no_sale_not_at_all() -> None:
    baskets = [["wine", "beer"]] * 8 + [["bread"]] * 90
    sold, back = lines([*baskets, *[["wine", "wine"]] * 2]), lines([["wine", "beer"]] * 50, "return", "R")
    found = basket_rules(table("order_lines", *sold, *back), table("products"))
    assert rows(found, "antecedent_ids", "antecedent_count", "basket_count") == [("beer", 8, 100), ("wine", 10, 100)]


def test_what_chance_brings_together_is_no_rule() -> None:
    found = basket_rules(table("order_lines", *lines([["bag", "bread"]] * 50 + [["bag"]] * 50)), table("products"))
    assert rows(found, "antecedent_ids") == []


@pytest.mark.parametrize("baskets", [[], [["wine"]], [["wine", "beer"]] * 4])
def test_too_few_baskets_make_no_rule_but_all_columns(baskets: list[list[str]]) -> None:
    found = basket_rules(table("order_lines", *lines(baskets)), table("products"))
    assert rows(found, "antecedent_ids") == []
    assert types(found) == types(table("basket_rules"))


def test_the_order_of_rows_changes_nothing() -> None:
    held = lines([["a", "b", "c"]] * 9 + [["a"]] * 40 + [["d"]] * 40)
    assert rows(basket_rules(table("order_lines", *reversed(held)), table("products")), *COLUMNS) == rows(
        basket_rules(table("order_lines", *held), table("products")), *COLUMNS
    )


@pytest.fixture(scope="module")
def groceries() -> ir.Table:
    if not GROCERIES.exists():
        pytest.skip("$C360_DATA has no groceries")
    with GROCERIES.open(encoding="utf-8") as file:
        return table("order_lines", *lines([[item.strip() for item in basket] for basket in csv.reader(file)]))


def test_rules_of_groceries_are_as_many_as_are_published(groceries: ir.Table) -> None:
    assert len(mined(groceries, table("products"), Thresholds("0.006", "0.25"))) == 463


def test_rare_rules_of_groceries_are_as_many_as_are_published_and_the_best_is_the_known_one(
    groceries: ir.Table,
) -> None:
    found = mined(groceries, table("products"), Thresholds("0.001", "0.5")).to_pylist()
    sure = [rule for rule in found if 10 * rule["rule_count"] >= 8 * rule["antecedent_count"]]
    assert (len(found), len(sure)) == (5_668, 410)
    best = max(sure, key=lambda rule: rule["lift"])
    assert (best["antecedent"], best["consequent"]) == ("{liquor, red/blush wine}", "{bottled beer}")
    assert round(best["lift"], 2) == 11.24


def test_all_planted_pairs_of_the_sample_company_are_found(tmp_path: Path) -> None:
    generate(tmp_path / "data", 20_000, 7)
    found = mined(*_company(tmp_path / "data"), THRESHOLDS).to_pylist()
    pairs = {frozenset((rule["antecedent_ids"], rule["consequent_id"])) for rule in found}
    planted = _query(tmp_path / "data", PLANTED).to_pylist()
    assert len(planted) == 20
    assert [pair for pair in planted if frozenset(pair.values()) not in pairs] == []


PLANTED = """
    select one.product_id as a, other.product_id as b
    from '{data}/truth_product_pair/*.parquet'
    join '{data}/product/*.parquet' one on one.sku_id = sku_a
    join '{data}/product/*.parquet' other on other.sku_id = sku_b
"""
SOLD = """
    select order_id, sku.product_id, 'sale' as line_kind
    from '{data}/order_line_item/*.parquet'
    join '{data}/orders/*.parquet' using (order_id)
    join '{data}/product/*.parquet' sku using (sku_id)
    where order_status in ('placed', 'shipped', 'delivered', 'completed') and qty > 0
"""


def _query(data: Path, sql: str) -> pa.Table:
    return duckdb.sql(sql.replace("{data}", str(data))).to_arrow_table()


def _company(data: Path) -> tuple[ir.Table, ir.Table]:
    schema = table("order_lines").schema().to_pyarrow()
    sold = _query(data, SOLD)
    whole = {
        one.name: sold[one.name] if one.name in sold.column_names else pa.nulls(len(sold), one.type) for one in schema
    }
    return ibis.memtable(pa.table(whole)), table("products")


def test_columns_are_those_of_the_contract() -> None:
    assert TYPES.names == COLUMNS
