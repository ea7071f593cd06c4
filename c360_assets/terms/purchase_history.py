"""Purchase history: who had bought what by a day, in the form that recommendations are made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms.arrays import floats
from c360_assets.terms.purchases import product_facts, sold_products
from c360_assets.terms.recommending import Integers, Purchases
from c360_assets.terms.time import Clock

RECENT_DAYS = 30
# A product nobody has bought is judged by so many others of its brand and category, those that most have bought.
LIKED = 5


@dataclass(frozen=True)
class History:
    """Purchases with what customers and products are called: their ids, sorted, by number; facts by product number."""

    purchases: Purchases
    customer_ids: Sequence[str]
    product_ids: Sequence[str]
    facts: Sequence[Mapping[str, Any]]


def bought(order_lines: ir.Table, clock: Clock, days_ago: int = -1, is_after: bool = False) -> ir.Table:
    """One row per customer and product bought more than so many days ago: in how many orders, the days since the last
    of them and from the first to the last. With `is_after` it is what was bought since.

    With the days left out it is all that was ever bought, undated orders among it: nothing says when they were.
    """
    sold = sold_products(order_lines).filter(lambda rows: rows.customer_id.notnull())
    aged = sold.mutate(age_days=clock.days_since(sold.ordered_at))
    is_then = aged.age_days <= days_ago if is_after else aged.age_days > days_ago
    held = aged if days_ago < 0 else aged.filter(is_then)
    return held.group_by(["customer_id", "product_id"]).agg(
        order_count=held.count(),
        silence_days=held.age_days.min(),
        span_days=held.age_days.max() - held.age_days.min(),
    )


def history(
    order_lines: ir.Table,
    products: ir.Table,
    clock: Clock,
    days_ago: int = -1,
    customer_ids: Iterable[str] = (),
) -> History:
    """What was known so many days ago, of all buyers and of these customers."""
    rows = bought(order_lines, clock, days_ago).order_by("customer_id", "product_id").to_pyarrow()
    facts = {fact["product_id"]: fact for fact in _facts(products, clock, days_ago)}
    sold = set(rows["product_id"].to_pylist())
    alike = _alike({one: facts[one] for one in sold if one in facts}, rows)
    fresh = {one: _like(fact, alike) for one, fact in facts.items() if fact["is_there"] and one not in sold}
    ids = sorted(sold | {one for one, like in fresh.items() if like})
    number = {one: place for place, one in enumerate(ids)}
    liked = {number[one]: np.array([number[other] for other in like]) for one, like in sorted(fresh.items()) if like}
    buyers = sorted({*customer_ids, *rows["customer_id"].to_pylist()})
    nothing = {"product_name": None, "product_category": None, "brand_name": None}
    return History(
        replace(_purchases(rows, buyers, ids, days_ago), liked=liked),
        buyers,
        ids,
        [facts.get(one, nothing) for one in ids],
    )


def _facts(products: ir.Table, clock: Clock, days_ago: int) -> list[dict[str, Any]]:
    """What products are, and whether they were there for sure so many days ago."""
    facts = product_facts(products)
    is_there = (clock.days_since(facts.launched_at) > days_ago).fill_null(days_ago < 0)
    told: list[dict[str, Any]] = facts.mutate(is_there=is_there).order_by("product_id").to_pyarrow().to_pylist()
    return told


Alike = Mapping[tuple[str | None, ...], list[str]]


def _alike(facts: Mapping[str, Mapping[str, Any]], rows: pa.Table) -> Alike:
    """Products bought, by category and brand, and by category; those that most customers have bought come first."""
    counted = {entry["values"]: entry["counts"] for entry in rows["product_id"].value_counts().to_pylist()}
    found: dict[tuple[str | None, ...], list[str]] = {}
    for one in sorted(facts, key=lambda one: (-counted[one], one)):
        category, brand = facts[one]["product_category"], facts[one]["brand_name"]
        for key in ((category, brand), (category,)):
            found.setdefault(key, []).append(one)
    return found


def _like(fact: Mapping[str, Any], alike: Alike) -> list[str]:
    """The products by which one that nobody bought is judged; none for one of no category."""
    category, brand = fact["product_category"], fact["brand_name"]
    if category is None:
        return []
    of_brand = alike.get((category, brand), []) if brand is not None else []
    return (of_brand or alike.get((category,), []))[:LIKED]


def _purchases(rows: pa.Table, customer_ids: Sequence[str], product_ids: Sequence[str], days_ago: int) -> Purchases:
    customers, products = _numbers(rows["customer_id"], customer_ids), _numbers(rows["product_id"], product_ids)
    silence = floats(rows["silence_days"]) - days_ago
    recent = np.bincount(products[silence <= RECENT_DAYS], minlength=len(product_ids)).astype(np.float64)
    return Purchases(
        len(customer_ids),
        len(product_ids),
        customers,
        products,
        floats(rows["order_count"]),
        silence,
        floats(rows["span_days"]),
        recent,
    )


def _numbers(names: pa.ChunkedArray, known: Sequence[str]) -> Integers:
    """The place of each name among those known, which are sorted."""
    places = pc.index_in(names, pa.array(known, pa.string()))
    numbers: Integers = places.to_numpy().astype(np.int64)
    return numbers
