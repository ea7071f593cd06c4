"""What customers are offered, by loops over their last orders."""

from collections import defaultdict
from typing import Any

import pandas as pd

from tests.second.published import Published

UNIT = 10_000  # amounts and quantities are whole ten-thousandths


def offers(tables: Published) -> pd.DataFrame:
    lines = tables["order_lines"]
    sold = lines[(lines.line_kind == "sale") & lines.product_id.notna()]
    goods, last, had = _goods(tables, sold), _last(sold), _had(sold)
    rules = tables["basket_rules"]
    after: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for rule in rules[rules.antecedent_item_count == 1].to_dict("records"):
        after[rule["antecedent_ids"]].append((rule["consequent_id"], rule["confidence"]))
    most = _most_ordered(goods)
    dearer = {one: _dearer(goods, one, most.get(goods[one]["category"], [])) for one in goods}
    rows: list[dict[str, Any]] = []
    for customer, products in last.items():
        weights: dict[str, dict[str, tuple[float, str]]] = {"upsell": {}, "cross-sell": {}}
        for product in sorted(products):
            found = [("upsell", dear, float(goods[dear]["orders"])) for dear in dearer[product]]
            found += [("cross-sell", other, confidence) for other, confidence in after[product]]
            for kind, other, weight in found:
                if other not in had[customer] and weight > weights[kind].get(other, (-1.0, ""))[0]:
                    weights[kind][other] = (weight, product)
        for kind, of_kind in weights.items():
            best = sorted(of_kind, key=lambda one: (-of_kind[one][0], one))[:3]
            rows += [
                {
                    "customer_id": customer, "kind": kind, "rank": place, "product_id": one,
                    "product_name": goods[one]["name"], "because_product_id": of_kind[one][1], "reason": "some reason",
                }
                for place, one in enumerate(best, 1)
            ]  # fmt: skip
    return pd.DataFrame(rows)


def _goods(tables: Published, sold: pd.DataFrame) -> dict[str, dict[str, Any]]:
    facts = tables["products"].groupby("product_id")[["product_name", "product_category"]].min().to_dict("index")
    orders = sold.groupby("product_id").order_id.nunique()
    paid = sold[sold.net_amount.notna()].groupby("product_id")[["net_amount", "quantity"]].sum().to_dict("index")
    found = {}
    for product, count in orders.items():
        known, sums = facts.get(product, {}), paid.get(product, {"net_amount": 0, "quantity": 0})
        name, category = known.get("product_name"), known.get("product_category")
        pieces = int(sums["quantity"]) / UNIT
        found[str(product)] = {
            "name": name if isinstance(name, str) else product,
            "category": category if isinstance(category, str) else None,
            "price": int(sums["net_amount"]) / UNIT / pieces if pieces else None,
            "orders": count,
        }
    return found


def _most_ordered(goods: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The hundred products of each category that are in most orders."""
    of_kind: dict[str, list[str]] = defaultdict(list)
    for one in sorted(goods, key=lambda one: (-goods[one]["orders"], one)):
        if goods[one]["category"]:
            of_kind[goods[one]["category"]].append(one)
    return {category: most[:100] for category, most in of_kind.items()}


def _dearer(goods: dict[str, dict[str, Any]], product: str, most: list[str]) -> list[str]:
    own, prices = goods[product]["price"], {one: goods[one]["price"] for one in most}
    return [one for one in most if own and prices[one] is not None and 1.25 * own <= prices[one] <= 2 * own][:10]


def _last(sold: pd.DataFrame) -> dict[str, set[str]]:
    dated = sold[sold.customer_id.notna() & sold.ordered_at.notna()]
    newest = dated.sort_values(["ordered_at", "order_id"]).groupby("customer_id").order_id.last()
    kept = dated[dated.order_id == dated.customer_id.map(newest)]
    return {str(customer): set(group.product_id) for customer, group in kept.groupby("customer_id")}


def _had(sold: pd.DataFrame) -> dict[str, set[str]]:
    had: dict[str, set[str]] = defaultdict(set)
    for customer, product in zip(sold.customer_id, sold.product_id, strict=True):
        had[customer].add(product)
    return had
