"""Derived tables on a second engine: Sail, which speaks Spark's language, makes what DuckDB makes, row by row.

Each table is made of what DuckDB made before it, so that no difference hides behind another.
"""

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pytest

from governance.contract import Contract
from resources.deployment import Deployment
from resources.lake import ibis_schema
from tests.deriving import beside_tables, derived_assets, inputs_of, made_of
from tests.golden_company import PROJECT
from tests.on_sail import DIFFERENT, ORDERED, moved
from tests.tables import CONTRACTS

ASSETS = {asset.key.to_user_string(): asset for asset in derived_assets()}
# What Spark lacks or does otherwise, and what takes its place.
REFUSED = {
    "strip": "for Spark it takes v and f from words, too: c360_assets.terms.texts.stripped",
    "hash": "each engine has its own: an order by the key itself",
}
AGGREGATES = ("collect", "first", "last", "group_concat")


@pytest.fixture(scope="module")
def on_sail(golden: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ir.Table]:
    """The rows of a table of the golden company as a table of Sail."""
    folder = tmp_path_factory.mktemp("sail")
    known: dict[str, ir.Table] = {}

    def table(key: str) -> ir.Table:
        if key not in known:
            known[key] = moved(golden.read(key), folder / f"{key.replace('/', '.')}.parquet")
        return known[key]

    return table


@pytest.mark.sail
@pytest.mark.parametrize("key", ASSETS)
def test_a_table_is_the_same_on_sail(
    key: str, golden: Deployment, on_sail: Callable[[str], ir.Table], request: pytest.FixtureRequest
) -> None:
    if key in DIFFERENT:
        request.applymarker(pytest.mark.xfail(reason=DIFFERENT[key], strict=True))
    contract = CONTRACTS[key]
    given = beside_tables(golden, None, lambda key: on_sail(key).limit(0))
    inputs = {argument: on_sail(table) for argument, table in inputs_of(ASSETS[key]).items()}
    types = ibis_schema(contract)
    made = made_of(ASSETS[key], {**given, **inputs})
    ours = made.select([made[name].cast(types[name]).name(name) for name in contract.column_names]).to_pyarrow()
    assert differences(contract, ours, golden.read(key).to_pyarrow()) == {}


def differences(contract: Contract, ours: pa.Table, theirs: pa.Table) -> dict[str, Any]:
    """Where two tables differ, by column, with how often; of floats the last digits are those of the order of sums."""
    one, other = (_by_key(contract, rows.cast(theirs.schema)) for rows in (ours, theirs))
    if one.keys() != other.keys():
        return {"rows": (len(one.keys() - other.keys()), len(other.keys() - one.keys()))}
    columns = [name for name in contract.column_names if name != "run_id"]
    counted = {name: sum(not _same(one[key][name], other[key][name]) for key in one) for name in columns}
    return {name: count for name, count in counted.items() if count}


def _by_key(contract: Contract, rows: pa.Table) -> Mapping[tuple[Any, ...], dict[str, Any]]:
    held = rows.to_pylist()
    found = {tuple(row[name] for name in contract.primary_key or contract.column_names): row for row in held}
    assert len(found) == len(held), "rows are there twice"
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def test_what_breaks_on_spark_is_refused() -> None:
    """But for the tables that are known to differ."""
    found = {
        f"{file.relative_to(PROJECT)}:{call.lineno}: {why}"
        for file in sorted((PROJECT / "c360_assets").rglob("*.py"))
        if file.stem not in DIFFERENT
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and (why := _refusal(call, call.func))
    }
    assert sorted(found) == []


def _refusal(call: ast.Call, function: ast.Attribute) -> str | None:
    if function.attr in AGGREGATES and any(keyword.arg == "order_by" for keyword in call.keywords):
        return f"{ORDERED}: rank first"
    return REFUSED.get(function.attr) if not call.args and not call.keywords else None


@pytest.mark.parametrize("code", ["text.strip()", "key.hash()", "text.collect(order_by=text)"])
def test_a_construct_that_breaks_is_told(code: str) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Attribute)
    assert _refusal(call, call.func)
