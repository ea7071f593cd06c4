"""How long recommendations of a large shop take: python -m tests.c360_assets.models.recommending_at_scale 20000 100000.

Products, customers and, by a third figure, lines (2,000,000) are made up: popularity falls off as in shops, customers
keep to a few of many tastes, and come back to what they had.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.models.basket_rules import basket_rules
from c360_assets.models.recommendation_model import recommendation_model
from c360_assets.models.recommendations import recommendations
from governance import recommendations as exclusions
from tests.tables import at, table

AS_OF, DAYS, TASTES, LINES_PER_ORDER = "2026-06-30", 540, 200, 4


def shop(product_count: int, customer_count: int, line_count: int) -> tuple[ir.Table, ir.Table, ir.Table]:
    """Order lines, products and customers."""
    rng = np.random.default_rng(3)
    orders = np.arange(line_count) // LINES_PER_ORDER
    customer = rng.integers(0, customer_count, orders[-1] + 1)[orders]
    taste = (customer * 7 + rng.integers(0, 3, line_count)) % TASTES
    rank = np.minimum(rng.pareto(1.1, line_count) * 3, product_count // TASTES - 1).astype(np.int64)
    product = rank * TASTES + taste
    ordered = np.datetime64(AS_OF, "us") - (rng.integers(0, DAYS, orders[-1] + 1)[orders]).astype("timedelta64[D]")
    lines = {
        "order_line_id": _ids("L", np.arange(line_count)),
        "order_id": _ids("O", orders),
        "customer_id": _ids("C", customer),
        "ordered_at": pa.array(ordered),
        "product_id": _ids("P", product),
        "line_kind": pa.repeat("sale", line_count),
    }
    every = np.arange(product_count)
    products = {"sku_id": _ids("P", every), "product_id": _ids("P", every), "product_name": _ids("Product ", every)}
    customers = {"customer_id": _ids("C", np.arange(customer_count))}
    return _filled("order_lines", lines), _filled("products", products), _filled("customers", customers)


def _ids(letter: str, numbers: Any) -> pa.Array:
    return pa.array([f"{letter}{number:07d}" for number in numbers])


def _filled(key: str, columns: dict[str, pa.Array]) -> ir.Table:
    schema = table(key).schema().to_pyarrow()
    count = len(next(iter(columns.values())))
    whole = {one.name: columns.get(one.name, pa.nulls(count, one.type)) for one in schema}
    return ibis.memtable(pa.table({one.name: whole[one.name].cast(one.type) for one in schema}))


def _timed(asset: dg.AssetsDefinition, *given: Any) -> pa.Table:
    op: Any = asset.op
    function: Callable[..., ir.Table] = op.compute_fn.decorated_fn
    start = time.process_time()
    found = function(*given).to_pyarrow()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{op.name}: {len(found):,} rows, {time.process_time() - start:.0f} CPU s, peak so far {peak:.1f} GB",
        flush=True,
    )
    return found


def main(product_count: int, customer_count: int, line_count: int = 2_000_000) -> None:
    """Print what each table takes."""
    lines, products, customers = shop(product_count, customer_count, line_count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"made up: peak so far {peak:.1f} GB", flush=True)
    _timed(basket_rules, lines, products)
    model = _timed(recommendation_model, lines, products, at(AS_OF), exclusions.load, table)
    _timed(recommendations, lines, products, customers, ibis.memtable(model), at(AS_OF), exclusions.load)
    for row in model.to_pylist():
        print(row["list"], row["candidate"], row["ndcg"], row["customer_count"], row["reason"], sep="; ")


if __name__ == "__main__":
    main(*[int(figure) for figure in sys.argv[1:]])
