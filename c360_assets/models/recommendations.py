"""Recommendations: what each customer is likely to buy again, and what to discover, with the reason in words."""

from collections.abc import Callable, Iterator, Mapping

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.models.recommendation_model import allowed_of
from c360_assets.terms.purchase_history import History, bought, history
from c360_assets.terms.recommendation_trials import AGAIN_LIST, DISCOVER_LIST, JOINED_LIST, joined_as, lists_of
from c360_assets.terms.recommending import (
    LENGTH,
    POPULARITY,
    Integers,
    Purchases,
    Ranking,
    again_ranked,
    batches,
    buy_again,
    causes,
    discoveries,
    likeness,
)
from c360_assets.terms.time import Clock, clock
from governance.recommendations import Exclusions

NUMBERS = pa.schema(
    {
        "customer": pa.int32(),
        "rank": pa.int32(),
        "product": pa.int32(),
        "is_bought_before": pa.bool_(),
        "score": pa.float64(),
        "cause": pa.int32(),
    }
)
PRODUCTS = pa.schema(
    {
        "product": pa.int32(),
        "product_id": pa.string(),
        "product_name": pa.string(),
        "product_category": pa.string(),
        "buyer_count": pa.int64(),
    }
)


@dg.asset
def recommendations(
    order_lines: ir.Table,
    products: ir.Table,
    customers: ir.Table,
    recommendation_model: ir.Table,
    as_of: ir.Table,
    exclusions: dg.ResourceParam[Callable[[], Exclusions]],
) -> ir.Table:
    """One row per customer and rank, from 1 to 20 at the most: up to 10 products to buy again, up to 10 to discover."""
    now = clock(as_of)
    ids = customers.select("customer_id").to_pyarrow()["customer_id"].to_pylist()
    known = history(order_lines, products, now, customer_ids=ids)
    ranked = pa.Table.from_batches(_batches(known, exclusions(), _month(now), _choices(recommendation_model)), NUMBERS)
    return _told(ibis.memtable(ranked), known, bought(order_lines, now))


def _month(now: Clock) -> int | None:
    """The month by the shop's clock, 1 to 12."""
    month: int | None = now.today.month().as_table().to_pyarrow().column(0)[0].as_py()
    return month


def _choices(recommendation_model: ir.Table) -> Mapping[str, str]:
    """The way chosen for each list; popularity where nothing was tried."""
    chosen = recommendation_model.filter(recommendation_model.is_chosen).select("list", "candidate").to_pyarrow()
    found = dict(zip(*(column.to_pylist() for column in chosen.columns), strict=True))
    return {name: found.get(name, POPULARITY) for name in (AGAIN_LIST, DISCOVER_LIST, JOINED_LIST)}


def _batches(
    known: History, out: Exclusions, month: int | None, choices: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    """The rows of customers by customer and rank, as numbers, so that millions of them fit into memory."""
    purchases, allowed = known.purchases, allowed_of(known, out, month)
    way = choices[JOINED_LIST]
    again_way, new_way = lists_of(way, choices)
    scores, alike = buy_again(purchases, again_way), likeness(purchases, new_way)
    for part in batches(np.arange(purchases.customer_count), purchases.product_count):
        again = again_ranked(purchases, scores, part, allowed)
        new = discoveries(purchases, alike, part, allowed)
        yield _rows(purchases, part, way, again, new, causes(purchases, alike, part, new))


def _rows(
    purchases: Purchases, part: Integers, way: str, again: Ranking, new: Ranking, because: Integers
) -> pa.RecordBatch:
    ordered = joined_as(purchases, way, again, new, 2 * LENGTH)
    rows, ranks = np.nonzero(ordered >= 0)
    chosen = ordered[rows, ranks]
    is_again = (again.products[rows] == chosen[:, None]).any(axis=1)
    source = np.where(is_again[:, None], again.products[rows], new.products[rows])
    column = (source == chosen[:, None]).argmax(axis=1)
    values = {
        "customer": part[rows],
        "rank": ranks + 1,
        "product": chosen,
        "is_bought_before": is_again,
        "score": np.where(is_again, again.scores[rows, column], new.scores[rows, column]),
        "cause": np.where(is_again, -1, because[rows, column]),
    }
    arrays = [pa.array(values[name], kind) for name, kind in zip(NUMBERS.names, NUMBERS.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=NUMBERS)


def _told(ranked: ir.Table, known: History, habits: ir.Table) -> ir.Table:
    """The rows with names in place of numbers, and the reason of each."""
    customers = ibis.memtable(
        pa.table(
            {"customer": pa.array(range(len(known.customer_ids)), pa.int32()), "customer_id": _text(known.customer_ids)}
        )
    )
    goods = ibis.memtable(_products(known))
    others = goods.select(cause="product", cause_name=goods.product_name.fill_null(goods.product_id))
    named = ranked.join(customers, "customer").join(goods, "product").left_join(others, "cause")
    habits = habits.rename(habit_customer="customer_id", habit_product="product_id")
    wide = named.left_join(
        habits, [named.customer_id == habits.habit_customer, named.product_id == habits.habit_product]
    )
    return wide.select(
        "customer_id",
        "rank",
        "product_id",
        "product_name",
        "is_bought_before",
        "score",
        list=wide.is_bought_before.ifelse(AGAIN_LIST, DISCOVER_LIST),
        reason=wide.is_bought_before.ifelse(_habit(wide), _appeal(wide)),
    )


def _text(values: object) -> pa.Array:
    return pa.array(values, pa.string())


def _products(known: History) -> pa.Table:
    rows = [
        {
            "product": number,
            "product_id": product_id,
            "product_name": fact["product_name"],
            "product_category": fact["product_category"],
            "buyer_count": int(count),
        }
        for number, (product_id, fact, count) in enumerate(
            zip(known.product_ids, known.facts, known.purchases.popularity, strict=True)
        )
    ]
    return pa.Table.from_pylist(rows, schema=PRODUCTS)


def _habit(rows: ir.Table) -> ir.StringValue:
    """How a customer has bought the product: bought 7 times, usually every 21 days, last 25 days ago."""
    count, silence = rows.order_count, rows.silence_days
    interval = (rows.span_days / (count - 1).nullif(0)).round().cast("int64")
    often = (count == 1).ifelse("bought once", ibis.literal("bought ") + count.cast("string") + " times")
    rhythm = ibis.cases(
        ((count < 3) | interval.isnull() | (interval == 0), ""),
        (interval == 1, ", usually every day"),
        else_=ibis.literal(", usually every ") + interval.cast("string") + " days",
    )
    last = ibis.cases(
        (silence.isnull(), ""),
        (silence == 0, ", last today"),
        (silence == 1, ", last yesterday"),
        else_=ibis.literal(", last ") + silence.cast("string") + " days ago",
    )
    return often + rhythm + last


def _appeal(rows: ir.Table) -> ir.StringValue:
    """What speaks for a product that the customer has not bought."""
    buyers = rows.buyer_count
    counted = (buyers == 1).ifelse("1 customer", buyers.cast("string") + " customers")
    return ibis.cases(
        (
            (buyers == 0) & rows.cause_name.notnull(),
            ibis.literal("not yet bought by anybody; like other ")
            + rows.product_category
            + ", for those who bought "
            + rows.cause_name,
        ),
        (rows.cause_name.notnull(), ibis.literal("often bought by those who bought ") + rows.cause_name),
        else_=ibis.literal("popular: bought by ") + counted,
    )
