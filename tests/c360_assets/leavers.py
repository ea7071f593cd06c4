"""Made-up customers of whom it is known how likely each is to leave: examples to learn from, and features to score."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np

from c360_assets.models.churn_model import churn_model
from c360_assets.terms.churn import JUDGED_AGO, TRAINED_AGO
from tests.tables import function_of, money, table

Row = dict[str, Any]
NOW = datetime(2026, 6, 30)


def features_of(number: int, recency: int, frequency: int) -> Row:
    """A customer who ordered so often and so long ago."""
    interval = 40.0 if frequency > 1 else None
    return {
        "customer_id": f"c{number:05}",
        "recency_days": recency,
        "history_days": recency + 40 * (frequency - 1),
        "frequency": frequency,
        "monetary": money(f"{20 * frequency}"),
        "average_order_amount": 20.0,
        "last_order_amount": money("20"),
        "order_interval_days": interval,
        "recent_order_count": min(frequency, max(0, (90 - recency) // 40 + 1)),
        "return_rate": 0.0,
    }


def example(number: int, recency: int, frequency: int, ago: int, next_order_days: int | None, **more: Any) -> Row:
    """The customer as he was so many days ago, and when he came back."""
    horizon = 80 if frequency > 1 else 90
    derived = {
        "horizon_days": horizon,
        "orders_per_year": frequency * 365 / (recency + 40 * (frequency - 1) + 30),
        "overdue": (recency + 1) / (41 if frequency > 1 else recency + 1),
    }
    return {
        **features_of(number, recency, frequency),
        **derived,
        "cutoff_at": NOW - timedelta(days=ago),
        "is_judged": ago == JUDGED_AGO,
        "observed_days": ago,
        "next_order_days": next_order_days,
        "has_churned": next_order_days is None or next_order_days > horizon,
        **more,
    }


def leaving(recency: int, frequency: int) -> float:
    """How likely such a customer is to leave: the sooner overdue, the more often he used to order."""
    return float(1 / (1 + np.exp(1.5 + 1.2 * np.log(frequency) - 0.06 * recency)))


def population(count: int, seed: int = 0, is_noise: bool = False) -> list[Row]:
    """So many customers at every cutoff; where all is noise, nothing known of them tells who leaves."""
    rng = np.random.default_rng(seed)
    rows = []
    for ago in (JUDGED_AGO, *TRAINED_AGO):
        for number in range(count):
            recency, frequency = int(rng.integers(0, 90)), int(rng.integers(1, 8))
            has_left = rng.random() < (0.5 if is_noise else leaving(recency, frequency))
            rows.append(example(number, recency, frequency, ago, None if has_left else int(rng.integers(1, 60))))
    return rows


def examples(rows: list[Row]) -> ir.Table:
    """Rows of churn_examples."""
    return table("churn_examples", *rows)


def trained(people: Sequence[Row], before: Sequence[Row] = ()) -> ir.Table:
    """The table churn_model of such examples, where it had those rows `before`."""
    made: ir.Table = function_of(churn_model)(examples(people), lambda key: table(key, *before))
    return made
