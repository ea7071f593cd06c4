"""Column lineage: examples by hand, and every table of the product against sqlglot's reading of the compiled SQL."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dagster as dg
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from ibis import _
from sqlglot import exp, parse_one
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from c360_assets import analytics, conformed, serving
from c360_assets.conformed.as_of import AsOf
from c360_assets.conformed.customer_history import history
from governance import playbook, recommendations, segments
from resources.engine import Engine, quoted
from resources.lake import Lake
from resources.lineage import Origin, column_lineage
from tests.tables import CONTRACTS

ORDERS = ibis.table(
    {"order_id": "string", "customer_id": "string", "amount": "float64", "is_completed": "boolean"}, name="orders"
)
CUSTOMERS = ibis.table({"customer_id": "string", "city": "string"}, name="customers")

DERIVED = {
    asset.key.to_user_string(): asset
    for layer in (conformed, analytics, serving)
    for asset in dg.load_assets_from_package_module(layer)
    if isinstance(asset, dg.AssetsDefinition)
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    lake = Lake("sqlite://", tmp_path_factory.mktemp("lake"), Engine("500MB", threads=1))
    yield lake
    lake.close()
    lake.engine.close()


def test_a_column_comes_from_every_column_it_is_computed_from() -> None:
    joined = ORDERS.join(CUSTOMERS, "customer_id")
    profile = joined.filter(joined.is_completed).select(
        "order_id", doubled=joined.amount * 2, label=joined.city + joined.order_id, constant=ibis.literal(1)
    )
    assert column_lineage(profile) == {
        "order_id": [("orders", "order_id")],
        "doubled": [("orders", "amount")],
        "label": [("customers", "city"), ("orders", "order_id")],
        "constant": [],
    }


def test_a_rank_comes_from_what_it_is_ranked_by_and_within() -> None:
    within = ibis.window(group_by=ORDERS.customer_id, order_by=ORDERS.amount)
    assert _origins(ORDERS.select(place=ibis.row_number().over(within))) == [
        ("orders", "amount"),
        ("orders", "customer_id"),
    ]


def test_a_union_comes_from_both_sides() -> None:
    both = ibis.union(ORDERS.select(key="order_id"), CUSTOMERS.select(key="customer_id"))
    assert _origins(both) == [("customers", "customer_id"), ("orders", "order_id")]


def test_a_scalar_of_another_table_is_an_origin() -> None:
    share = ORDERS.select(share=ORDERS.amount / ORDERS.amount.sum().as_scalar(), seen=CUSTOMERS.city.max().as_scalar())
    assert column_lineage(share) == {"share": [("orders", "amount")], "seen": [("customers", "city")]}


def test_both_sides_of_a_self_join_are_the_one_table() -> None:
    earlier = ORDERS.view()
    pairs = ORDERS.join(earlier, ORDERS.customer_id == earlier.order_id).select(a=ORDERS.amount, b=earlier.is_completed)
    assert column_lineage(pairs) == {"a": [("orders", "amount")], "b": [("orders", "is_completed")]}


def test_a_row_count_comes_from_the_table_and_no_column_of_it() -> None:
    assert _origins(ORDERS.agg(orders=_.count())) == [("orders", "*")]
    assert _origins(ORDERS.select(share=ORDERS.amount / CUSTOMERS.count())) == [
        ("customers", "*"),
        ("orders", "amount"),
    ]


def test_a_count_of_some_rows_comes_from_what_selects_them() -> None:
    assert _origins(ORDERS.agg(completed=_.count(where=_.is_completed))) == [
        ("orders", "*"),
        ("orders", "is_completed"),
    ]


def test_a_count_of_distinct_rows_comes_from_the_table() -> None:
    assert ("orders", "*") in _origins(ORDERS.agg(different=ORDERS.nunique()))


def test_membership_comes_from_the_table_it_is_looked_up_in() -> None:
    known = ORDERS.select(is_known=ORDERS.customer_id.isin(CUSTOMERS.customer_id))
    assert _origins(known) == [("customers", "customer_id"), ("orders", "customer_id")]


def test_existence_comes_from_the_table_that_is_searched() -> None:
    known = ORDERS.select(is_known=(CUSTOMERS.customer_id == ORDERS.customer_id).any())
    assert "customers" in {name for name, _ in _origins(known)}


def test_an_in_memory_table_is_no_origin() -> None:
    rates = ibis.memtable(pa.table({"order_id": ["1"], "rate": [0.5]}))
    rated = ORDERS.join(rates, "order_id")
    assert column_lineage(rated.select(x=rated.amount * rated.rate, rate="rate")) == {
        "x": [("orders", "amount")],
        "rate": [],
    }


def test_raw_sql_may_come_from_every_column_of_its_table() -> None:
    raw = ops.SQLStringView(
        CUSTOMERS.op(), "SELECT upper(city) AS town FROM customers", ibis.schema({"town": "string"})
    )
    assert column_lineage(raw.to_expr()) == {"town": [("customers", "city"), ("customers", "customer_id")]}


@pytest.mark.parametrize("key", DERIVED)
def test_every_origin_is_a_column_of_an_input(lake: Lake, key: str) -> None:
    inputs, result = _built(lake, key)
    known = {(name, column) for name, given in inputs.items() for column in (*given.columns, "*")}
    found = column_lineage(result)
    assert list(found) == list(result.columns)
    assert {origin for origins in found.values() for origin in origins} <= known


@pytest.mark.parametrize("key", DERIVED)
def test_every_origin_in_the_compiled_sql_is_found(lake: Lake, key: str) -> None:
    inputs, result = _built(lake, key)
    found = column_lineage(result)
    # Of a star sqlglot must know the columns, also those of tables in memory.
    in_memory = {op.name: op.to_expr() for op in result.op().find(ops.InMemoryTable)}
    compiled = _origins_by_sqlglot(lake.engine.sql_of(result), inputs | in_memory)
    missed = {column: origins - set(found[column]) for column, origins in compiled.items()}
    assert compiled.keys() == found.keys()
    assert any(compiled.values())
    assert not any(missed.values()), missed


def _origins(one_column: ir.Table) -> list[Origin]:
    """The origins of the last column."""
    return list(column_lineage(one_column).values())[-1]


def _built(lake: Lake, key: str) -> tuple[dict[str, ir.Table], ir.Table]:
    """The inputs of an asset by table key, empty, and the expression it makes of them."""
    if key == "customer_history":  # which reads its own former rows, too
        customer, former = lake.read(CONTRACTS["sources/customer"]), lake.newest(CONTRACTS[key])[0]
        result = history(customer, former, datetime(2026, 1, 1), "run")
        return {given.get_name(): given for given in (customer, former)}, result
    asset = DERIVED[key]
    keys = {name: input_key.to_user_string() for name, input_key in asset.keys_by_input_name.items()}
    inputs = {name: lake.read(CONTRACTS[input_key]) for name, input_key in keys.items()}
    config: dict[str, Any] = {"config": AsOf()} if key == "as_of" else {}
    loaders = {
        "rules": segments.load, "playbook": playbook.load, "exclusions": recommendations.load, "timezone": "UTC",
    }  # fmt: skip
    config |= {name: load for name, load in loaders.items() if name in asset.required_resource_keys}
    result = asset.op.compute_fn.decorated_fn(**inputs, **config)
    return {keys[name]: given for name, given in inputs.items()}, result


def _origins_by_sqlglot(sql: str, inputs: dict[str, ir.Table]) -> dict[str, set[Origin]]:
    schema = {quoted(name): {quoted(column): "text" for column in given.columns} for name, given in inputs.items()}
    query = qualify(parse_one(sql, dialect="duckdb"), schema=schema, dialect="duckdb", identify=False)
    nodes = lineage(None, query, scope=build_scope(query), dialect="duckdb", trim_selects=False)
    return {
        column: {
            (leaf.expression.name, leaf.name.rpartition(".")[2].strip('"'))
            for leaf in node.walk()
            # In-memory tables are no origin.
            if isinstance(leaf.expression, exp.Table) and not leaf.expression.name.startswith("ibis_pyarrow_memtable")
        }
        for column, node in nodes.items()
    }
