"""Made-up customers for tests of clusters: groups that are known, and a crowd as shops have it, without borders."""

from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir
import numpy as np

from c360_assets.terms.cluster_names import TRAITS
from c360_assets.terms.clustering import Prepared, prepared
from tests.tables import money, table

Row = dict[str, Any]
# Halves of the customers that clusters are refitted to in tests: nearly all time goes into them, and whether chance
# plays a part shows in a few as in all.
FEW_REFITS = 4
# What a typical member does: recency_days, frequency, monetary, session_count, tenure_days.
KINDS = {
    "regulars": (10, 40, 4_000.0, 60, 1_500),
    "newcomers": (12, 2, 80.0, 12, 40),
    "lapsed": (700, 8, 900.0, 4, 1_600),
    "visitors": (None, 0, 0.0, 30, 300),
}


def known_groups(size: int, kinds: Sequence[str] = tuple(KINDS)) -> tuple[list[Row], list[str]]:
    """`size` customers of each kind, each within a fifth of what is typical of it, and the kind of each."""
    rng = np.random.default_rng(11)
    rows, truth = [], []
    for kind in kinds:
        for number in range(size):
            recency, frequency, monetary, sessions, tenure = KINDS[kind]
            sway = rng.uniform(0.8, 1.2, 5)
            rows.append(
                shopper(
                    f"{kind} {number}",
                    recency_days=None if recency is None else round(recency * sway[0]),
                    frequency=round(frequency * sway[1]),
                    monetary=round(monetary * sway[2], 2),
                    session_count=round(sessions * sway[3]),
                    tenure_days=round(tenure * sway[4]),
                )
            )
            truth.append(kind)
    return rows, truth


def crowd(size: int) -> list[Row]:
    """Customers who differ in how much they do and how long ago, by degrees."""
    rng = np.random.default_rng(23)
    activity = rng.gamma(1.2, 1.0, size)
    orders = rng.poisson(activity * 3)
    sessions = 1 + rng.poisson(activity * 8)
    basket = rng.lognormal(3.5, 0.6, size)
    recency = rng.exponential(300 / (0.3 + activity))
    tenure = recency + rng.uniform(0, 900, size)
    returned = rng.binomial(orders, 0.1)
    return [
        shopper(
            f"c{number:05d}",
            recency_days=int(recency[number]) if orders[number] else None,
            frequency=int(orders[number]),
            monetary=round(float(orders[number] * basket[number]), 2),
            average_order_amount=float(basket[number]) if orders[number] else None,
            session_count=int(sessions[number]),
            engagement_minutes=float(sessions[number] * rng.lognormal(1, 0.5)),
            return_rate=float(returned[number] / orders[number]) if orders[number] else None,
            tenure_days=int(tenure[number]),
        )
        for number in range(size)
    ]


def shopper(customer_id: str, monetary: float = 0.0, **features: Any) -> Row:
    """A row of `features`."""
    counted = {"frequency": 0, "item_count": 0, "category_count": 0, "review_count": 0, "support_ticket_count": 0}
    told = {"customer_id": customer_id, "is_registered": True, "historical_value": money(str(monetary))}
    return {**counted, **told, "monetary": money(str(monetary)), **features}


def features_of(rows: Sequence[Row]) -> ir.Table:
    """The table `features` with these customers."""
    return table("features", *rows)


def types(table: ir.Table) -> dict[str, Any]:
    """The type of each column."""
    return dict(table.schema())


def points_of(rows: Sequence[Row]) -> Prepared:
    """The customers as points, by customer_id."""
    ordered = sorted(rows, key=lambda row: str(row["customer_id"]))
    values = {
        trait.feature: np.array(
            [np.nan if row.get(trait.feature) is None else float(row[trait.feature]) for row in ordered]
        )
        for trait in TRAITS
    }
    skewed = {trait.feature for trait in TRAITS if trait.is_skewed}
    return prepared([row["customer_id"] for row in ordered], values, skewed, ("recency_days", "frequency", "monetary"))
