"""Basket rules: which products are bought together, and whether chance could have brought them together."""

from collections.abc import Mapping, Sequence

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms.basket_mining import Rule, Thresholds, measures, rules
from c360_assets.terms.purchases import product_facts, sold_products

BASKET = "order_id"
BETWEEN = ", "
# Four baskets are an anecdote, whatever else a test says, and rarer than one order in 20,000 nobody builds a campaign
# on a rule. One buyer in twenty must follow it, and of all rules told one in twenty may be chance. Sets of more than
# four products, and more than two thousand of one size, are more than people read; long receipts have millions.
THRESHOLDS = Thresholds(
    support="0.00005", confidence="0.05", baskets=5, false_discoveries=0.05, most_items=4, most_sets=2_000
)
TYPES = pa.schema(
    {
        "antecedent_ids": pa.string(),
        "consequent_id": pa.string(),
        "antecedent": pa.string(),
        "consequent": pa.string(),
        "antecedent_item_count": pa.int32(),
        "antecedent_count": pa.int64(),
        "consequent_count": pa.int64(),
        "rule_count": pa.int64(),
        "basket_count": pa.int64(),
        "minimum_count": pa.int64(),
        "support": pa.float64(),
        "confidence": pa.float64(),
        "lift": pa.float64(),
        "leverage": pa.float64(),
        "conviction": pa.float64(),
        "p_value": pa.float64(),
        "q_value": pa.float64(),
    }
)


@dg.asset
def basket_rules(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """One row per rule: a set of products, and one that is bought in the same orders."""
    return ibis.memtable(mined(order_lines, products, THRESHOLDS), schema=ibis.Schema.from_pyarrow(TYPES))


def mined(order_lines: ir.Table, products: ir.Table, thresholds: Thresholds) -> pa.Table:
    """The rules that reach the thresholds, by their products."""
    sold = sold_products(order_lines)
    basket_count = sold[BASKET].nunique().to_pyarrow().as_py()
    held = _minable(sold, thresholds.least(basket_count)).to_pyarrow()
    coded = held["product_id"].combine_chunks().dictionary_encode()
    names = _names(products, coded.dictionary.to_pylist())
    baskets = held[BASKET].combine_chunks().dictionary_encode().indices
    found, possible = rules(
        baskets.to_numpy(zero_copy_only=False), coded.indices.to_numpy(zero_copy_only=False), basket_count, thresholds
    )
    told = {
        **_told(found, coded.dictionary.to_pylist(), names, basket_count),
        **measures(found, possible, basket_count),
    }
    every = pa.table({name: pa.array(told[name], kind) for name, kind in zip(TYPES.names, TYPES.types, strict=True)})
    return (
        every
        if thresholds.false_discoveries is None
        else every.filter(pc.field("q_value") <= thresholds.false_discoveries)
    )


def _minable(sold: ir.Table, least: int) -> ir.Table:
    """The rows of products that are in enough baskets, by product; no others can be in a rule."""
    bought = sold.group_by("product_id").agg(baskets=sold.count())
    enough = bought.filter(bought.baskets >= least).select("product_id")
    return sold.semi_join(enough, "product_id").select(BASKET, "product_id").order_by("product_id", BASKET)


def _names(products: ir.Table, ids: Sequence[str]) -> list[str]:
    """What each product is called; its ID where nobody says."""
    facts = product_facts(products).select("product_id", "product_name").to_pyarrow().to_pylist()
    known = {fact["product_id"]: fact["product_name"] for fact in facts}
    return [known.get(one) or one for one in ids]


def _told(
    found: Sequence[Rule], ids: Sequence[str], names: Sequence[str], basket_count: int
) -> Mapping[str, Sequence[object]]:
    """What rules are of."""
    return {
        "antecedent_ids": [BETWEEN.join(ids[one] for one in rule.left) for rule in found],
        "consequent_id": [ids[rule.right] for rule in found],
        "antecedent": [f"{{{BETWEEN.join(names[one] for one in rule.left)}}}" for rule in found],
        "consequent": [f"{{{names[rule.right]}}}" for rule in found],
        "antecedent_item_count": [len(rule.left) for rule in found],
        "antecedent_count": [rule.left_count for rule in found],
        "consequent_count": [rule.right_count for rule in found],
        "rule_count": [rule.both_count for rule in found],
        "basket_count": [basket_count] * len(found),
        "minimum_count": [rule.least for rule in found],
    }
