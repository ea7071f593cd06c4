"""Made-up buyers whose rates, departures and order values come from known distributions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from c360_assets.terms.lifetimes import Floats, Histories, Integers, Lifetimes, grouped
from c360_assets.terms.spending import OrderValues
from tests.tables import money

START = datetime(2024, 1, 1, 10)
MOST = 400


@dataclass(frozen=True)
class Buyers:
    """What buyers did in the days each was seen: rows are buyers, columns purchases after the first."""

    age: Floats
    times: Floats

    @property
    def repeats(self) -> Integers:
        """Purchases after the first."""
        return np.isfinite(self.times).sum(axis=1)

    @property
    def last(self) -> Floats:
        """When the last purchase was, from the first on."""
        return np.where(np.isfinite(self.times), self.times, 0).max(axis=1, initial=0)

    @property
    def histories(self) -> Histories:
        """Their purchases as the models take them."""
        return grouped(self.repeats, self.last, self.age)[0]


def buyers(truth: Lifetimes, count: int, span: float, seed: int = 0) -> Buyers:
    """Buyers who came within the first half of the span and were seen until its end."""
    rng = np.random.default_rng(seed)
    age = span - rng.uniform(0, span / 2, count)
    rate, leave = rng.gamma(truth.r, 1 / truth.alpha, count), rng.beta(truth.a, truth.b, count)
    stays = rng.geometric(np.maximum(leave, 1e-9)) - int(truth.leaves_at_once)
    times = np.cumsum(rng.standard_exponential((count, MOST)) / rate[:, None], axis=1)
    is_bought = (times <= age[:, None]) & (np.arange(MOST) < stays[:, None])
    return Buyers(age, np.where(is_bought, times, np.inf))


def order_values(truth: OrderValues, repeats: Integers, seed: int = 0) -> Floats:
    """The mean value of so many orders of each buyer; 0 of none."""
    rng = np.random.default_rng(seed)
    scale = rng.gamma(truth.q, 1 / truth.v, len(repeats))
    total = rng.gamma(np.maximum(truth.p * repeats, 1e-9)) / scale
    return np.where(repeats > 0, total / np.maximum(repeats, 1), 0)


def orders_of(count: int = 400, seed: int = 0, span: int = 400) -> list[dict[str, Any]]:
    """Orders of buyers as the table `orders` has them, the first half of the span's newcomers; with values."""
    people = buyers(Lifetimes(0.8, 30.0, 0.8, 2.4), count, span, seed)
    rng = np.random.default_rng(seed + 1)
    scale = rng.gamma(4.0, 1 / 15.0, count)
    rows = []
    for who, (age, times) in enumerate(zip(people.age, people.times, strict=True)):
        for number, time in enumerate([0.0, *times[np.isfinite(times)]]):
            at = START + timedelta(days=float(span - age + time))
            amount = money(str(round(float(rng.gamma(6.0) / scale[who]), 2)))
            rows.append(order(f"c{who}", at, amount, f"{who}-{number}"))
    return rows


def order(customer_id: str | None, at: datetime | None, amount: Any, order_id: str, **more: Any) -> dict[str, Any]:
    """A completed order."""
    return {
        "customer_id": customer_id,
        "ordered_at": at,
        "order_amount": amount,
        "order_id": order_id,
        "is_completed": True,
    } | more
