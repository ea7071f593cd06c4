"""Made-up customers of whom it is known what they will probably do next, to learn from and to score."""

from datetime import timedelta
from functools import cache
from typing import Any

import ibis.expr.types as ir
import numpy as np

from c360_assets.models.action_model import action_model
from c360_assets.terms.churn import JUDGED_AGO, TRAINED_AGO
from tests.c360_assets.leavers import NOW, Row, example, features_of
from tests.tables import at, function_of, money, table


def ordering(recency: int) -> float:
    """How likely a customer is to order within 30 days: the sooner, the shorter ago the last order."""
    return float(1 / (1 + np.exp(0.06 * recency - 1.5)))


def visiting(visit_recency: int) -> float:
    """How likely a customer who does not order is to visit."""
    return float(1 / (1 + np.exp(0.08 * visit_recency - 1.5)))


def person(number: int, recency: int, visit_recency: int, frequency: int, **more: Any) -> Row:
    """A customer who ordered and visited so long ago."""
    seen = {"visit_recency_days": visit_recency, "session_count": 3, "category_count": 2}
    return features_of(number, recency, frequency) | seen | more


def population(count: int, seed: int = 0) -> list[Row]:
    """So many customers at every cutoff, and what they did."""
    rng = np.random.default_rng(seed)
    rows = []
    for ago in (JUDGED_AGO, *TRAINED_AGO):
        for number in range(count):
            recency, visited, frequency = (int(rng.integers(0, most)) for most in (90, 60, 7))
            rows.append(_example(rng, person(number, recency, visited, frequency + 1), ago))
    return rows


def _example(rng: np.random.Generator, who: Row, ago: int) -> Row:
    recency, visited = who["recency_days"], who["visit_recency_days"]
    orders, visits = rng.random() < ordering(recency), rng.random() < visiting(visited)
    is_dearer, is_new, is_asked, responds = (rng.random() < share for share in (0.4, 0.5, 0.7, ordering(recency)))
    done = {
        "next_order_amount": money("30" if is_dearer else "20") if orders else None,
        "bought_new_category": bool(is_new) if orders else None,
        "next_visit_days": int(rng.integers(0, 31)) if orders or visits else 80,
        "is_contacted": bool(is_asked),
        "has_responded": bool(responds) if is_asked else None,
    }
    next_days = int(rng.integers(1, 31)) if orders else None
    number = int(who["customer_id"][1:])
    kept = {name: who[name] for name in ("visit_recency_days", "session_count", "category_count")}
    return example(number, recency, who["frequency"], ago, next_days, **done, **kept)


def examples(rows: list[Row]) -> ir.Table:
    """Rows of churn_examples."""
    return table("churn_examples", *rows)


@cache
def people() -> list[Row]:
    """Enough of them for every target."""
    return population(400)


@cache
def trained() -> ir.Table:
    """The rows of action_model that follow, made once for all tests."""
    result = function_of(action_model)(examples(people()), lines(210), goods(), at("2026-06-30"), table)
    return table("action_model", *result.to_pyarrow().to_pylist())


CATEGORIES = ("Bikes", "Coffee", "Tea")


def goods() -> ir.Table:
    """A product of each category."""
    return table("products", *[{"sku_id": name, "product_id": name, "product_category": name} for name in CATEGORIES])


def lines(count: int, seed: int = 0) -> ir.Table:
    """Four orders of each customer, the last in the last 90 days, mostly of the category that is his."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        for place, ago in enumerate((300, 200, 100, 10)):
            category = CATEGORIES[number % 3] if rng.random() < 0.7 else CATEGORIES[rng.integers(0, 3)]
            rows.append(line(f"c{number:05}", f"{number} {place}", ago, category))
    return table("order_lines", *rows)


def line(who: str, order: str, ago: int, category: str, amount: str = "10") -> Row:
    """A line of an order so many days ago."""
    order_at = {"order_id": order, "customer_id": who, "ordered_at": NOW - timedelta(days=ago)}
    return order_at | {
        "order_line_id": f"{order} {category}",
        "sku_id": category,
        "line_kind": "sale",
        "net_amount": money(amount),
    }
