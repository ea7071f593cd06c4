"""Recommendation model: what is chosen told best, learned from what came before and judged by what came after."""

import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pytest

from c360_assets.models.recommendation_model import HOLD_OUT_DAYS, allowed_of, recommendation_model, tried
from c360_assets.terms.purchase_history import bought, history
from c360_assets.terms.recommending import DISCOVER, likeness
from c360_assets.terms.time import Clock, clock
from governance.recommendations import Exclusions
from tests.c360_assets.shoppers import types
from tests.tables import CONTRACTS, at, rows, table

PROJECT = Path(__file__).parents[3]
ONLINE_RETAIL = (
    Path(os.environ.get("C360_DATA") or PROJECT.parent / "shared" / "data") / "online_retail/online_retail.csv.gz"
)
AS_OF = "2026-06-30"
COLUMNS = CONTRACTS["recommendation_model"].column_names
NOTHING = Exclusions(version="1")
Row = dict[str, Any]


def line(customer: str, product: str, days_ago: int, order: str = "") -> Row:
    ordered_at = datetime.fromisoformat(AS_OF) - timedelta(days=days_ago)
    order = order or f"{customer} {days_ago}"
    return {
        "order_line_id": f"{order} {product}", "order_id": order, "customer_id": customer, "product_id": product,
        "ordered_at": ordered_at, "line_kind": "sale",
    }  # fmt: skip


def regulars(count: int = 60) -> list[Row]:
    """Customers who buy one of ten products again and again, and a pair of two others on the way."""
    rng = random.Random(5)
    found = []
    for number in range(count):
        who, own, pair = f"C{number:03d}", f"own {number % 10}", number % 4
        found += [line(who, own, days) for days in (400, 300, 200, 150, 50)]
        found += [line(who, f"left {pair}", 250), line(who, f"right {pair}", 240 if rng.random() < 0.5 else 40)]
        found += [line(who, "bag", 350)] if number % 2 else []
    return found


def model(lines: list[Row], products: list[Row] | None = None, out: Exclusions = NOTHING) -> ir.Table:
    op: Any = recommendation_model.op
    found: ir.Table = op.compute_fn.decorated_fn(
        table("order_lines", *lines), table("products", *(products or [])), at(AS_OF), lambda: out, table
    )
    return found


def chosen(found: ir.Table) -> dict[str, str]:
    return dict(rows(found.filter(found.is_chosen), "list", "candidate"))


def test_what_tells_best_is_chosen() -> None:
    found = model(regulars())
    assert chosen(found) == {"buy again": "personal frequency", "discover": "item cosine", "joined": "buy again first"}
    by_name = {(name, way): rest for name, way, *rest in rows(found, *COLUMNS)}
    assert by_name["buy again", "popularity"][-4:] == [False, "the baseline; personal frequency is better", 19, 90]
    assert by_name["buy again", "personal frequency"][0] == 1.0


def test_where_nothing_is_better_popularity_is_chosen_and_the_table_says_so() -> None:
    lines = [line(f"C{number:03d}", "bag", days) for number in range(40) for days in (200, 50)]
    found = model([*lines, *[line(f"C{number:03d}", "cup", 40) for number in range(40)], line("C999", "cup", 200)])
    assert chosen(found) == dict.fromkeys(("buy again", "discover", "joined"), "popularity")
    assert ("popularity", "chosen: the baseline") in rows(found.filter(found.list == "discover"), "candidate", "reason")


def test_too_few_customers_to_judge_by_are_told() -> None:
    lines = [line(f"C{number}", "bag", days) for number in range(29) for days in (200, 50)]
    found = model(lines)
    lacking = "fewer than 30 customers who bought a product again: 29"
    again = rows(found.filter(found.list == "buy again"), "candidate", "ndcg", "customer_count", "is_chosen", "reason")
    assert again[2:] == [
        ("personal frequency", None, 29, False, f"not judged: {lacking}"),
        ("popularity", None, 29, True, f"chosen: nothing could be judged, {lacking}"),
    ]
    assert len(rows(found, "list")) == 11


@pytest.mark.parametrize("lines", [[], [line("C1", "bag", 10)], [line("C1", "bag", 200), line("C1", "bag", 10)]])
def test_the_smallest_shops_have_every_row_and_all_columns(lines: list[Row]) -> None:
    found = model(lines)
    assert len(rows(found, "list", "candidate")) == 11
    assert chosen(found) == dict.fromkeys(("buy again", "discover", "joined"), "popularity")
    assert types(found) == types(table("recommendation_model"))


def test_undated_orders_are_no_past_and_no_future() -> None:
    undated = [row | {"ordered_at": None} for row in regulars(30)]
    assert rows(model(undated), "customer_count") == [(0,)] * 11


def test_the_order_of_rows_changes_nothing() -> None:
    lines = regulars()
    before = rows(model(lines), *COLUMNS)
    random.Random(3).shuffle(lines)
    assert rows(model(lines), *COLUMNS) == before


def _learned(lines: list[Row], days_ago: int = HOLD_OUT_DAYS) -> list[bytes]:
    """All that is learned from the past, to the byte."""
    past = history(table("order_lines", *lines), table("products"), clock(at(AS_OF)), days_ago)
    found = [np.asarray(value).tobytes() for value in vars(past.purchases).values() if isinstance(value, np.ndarray)]
    for one in DISCOVER[1:]:
        alike = likeness(past.purchases, one)
        found.append((alike if isinstance(alike, np.ndarray) else alike.toarray()).tobytes())
    return [*found, *(name.encode() for name in (*past.customer_ids, *past.product_ids))]


def test_what_is_learned_knows_nothing_of_what_came_after() -> None:
    lines = regulars()
    past = [row for row in lines if (datetime.fromisoformat(AS_OF) - row["ordered_at"]).days > HOLD_OUT_DAYS]
    after = [row for row in lines if row not in past]
    products = [row["product_id"] for row in after]
    random.Random(1).shuffle(products)
    shuffled = [row | {"product_id": product} for row, product in zip(after, products, strict=True)]
    assert _learned(past) == _learned(lines) == _learned([*past, *shuffled])


def test_a_leak_would_be_seen() -> None:
    """Whoever learned from one day too many would learn something else from what came after."""
    lines, leaked = regulars(), line("C000", "right 0", HOLD_OUT_DAYS)
    assert _learned([*lines, leaked]) == _learned(lines)
    assert _learned([*lines, leaked], HOLD_OUT_DAYS - 1) != _learned(lines, HOLD_OUT_DAYS - 1)


def test_a_later_launch_is_no_candidate_of_the_past() -> None:
    moment = datetime.fromisoformat(AS_OF)
    facts = [("left 0", 900), ("old", 100), ("new", 90), ("undated", None)]
    products = [
        {
            "sku_id": one,
            "product_id": one,
            "product_category": "Tea",
            "launched_at": days and moment - timedelta(days=days),
        }
        for one, days in facts
    ]
    given = table("order_lines", *regulars()), table("products", *products), clock(at(AS_OF))
    assert {"old"} == {"old", "new", "undated"} & set(history(*given, HOLD_OUT_DAYS).product_ids)
    assert {"old", "new", "undated"} <= set(history(*given).product_ids)


def test_what_is_left_out_is_neither_shown_nor_judged() -> None:
    found = model(regulars(), out=Exclusions(version="1", excluded_products=[f"own {number}" for number in range(10)]))
    again = found.filter(found.list == "buy again")
    assert {(count, of) for count, of in rows(again, "customer_count", "product_count")} == {(0, 9)}


@pytest.fixture(scope="module")
def online_retail() -> ir.Table:
    if not ONLINE_RETAIL.exists():
        pytest.skip("$C360_DATA has no online_retail")
    sold = duckdb.sql(f"""
        select
            InvoiceNo || '-' || row_number() over () as order_line_id, InvoiceNo as order_id,
            regexp_replace(CustomerID, '\\.0$', '') as customer_id, StockCode as product_id,
            InvoiceDate::timestamp as ordered_at, 'sale' as line_kind
        from read_csv('{ONLINE_RETAIL}', all_varchar = true)
        where InvoiceNo not like 'C%' and CustomerID is not null
          and try_cast(Quantity as integer) > 0 and try_cast(UnitPrice as double) > 0
    """).to_arrow_table()
    schema = table("order_lines").schema().to_pyarrow()
    whole = {
        one.name: sold[one.name] if one.name in sold.column_names else pa.nulls(len(sold), one.type) for one in schema
    }
    return ibis.memtable(pa.table(whole))


def test_online_retail_is_told_as_well_as_known_and_better(online_retail: ir.Table) -> None:
    """Cut at 2011-09-10: 1,919 customers in both halves, 3,438 products, binary relevance."""
    now = Clock(datetime(2011, 12, 9, 12, 50), "UTC")
    past = history(online_retail, table("products"), now, HOLD_OUT_DAYS)
    afterwards = bought(online_retail, now, HOLD_OUT_DAYS, is_after=True).to_pyarrow()
    found = {(trial.list, trial.candidate): trial for trial in tried(past, afterwards, allowed_of(past, NOTHING))}
    told = {name: (trial.ndcg, trial.customer_count) for name, trial in found.items()}
    assert past.purchases.product_count == 3_438
    assert told["joined", "popularity"] == (pytest.approx(0.1110, abs=5e-5), 1_919)
    assert told["joined", "personal frequency"] == (pytest.approx(0.3829, abs=5e-5), 1_919)
    assert told["discover", "popularity"] == (pytest.approx(0.0504, abs=5e-5), 1_853)
    assert told["discover", "item cosine"] >= (0.099, 1_853)
    assert told["discover", "EASE"] >= (0.120, 1_853)
    assert told["joined", "buy again first"] >= (0.3946, 1_919)
    assert {name: way for (name, way), trial in found.items() if trial.is_chosen} == {
        "buy again": "frequency and demand", "discover": "EASE", "joined": "buy again first",
    }  # fmt: skip
