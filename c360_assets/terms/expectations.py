"""What is expected of customers, from their histories and the parameters of the population they are of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from c360_assets.terms.lifetimes import (
    Floats,
    Histories,
    Integers,
    Lifetimes,
    expected_while_alive,
    grouped,
    p_alive,
)
from c360_assets.terms.spending import OrderValues, spend_quantiles

# Nine in ten will spend more than the low end, and nine in ten less than the high one.
LEVELS = (0.1, 0.9)


@dataclass(frozen=True)
class Customers:
    """Histories of customers in days, a row for each: as in the table of `histories`; `mean` is of the known values."""

    repeats: Integers
    last: Floats
    age: Floats
    value_count: Integers
    value_mean: Floats

    @property
    def histories(self) -> tuple[Histories, Integers]:
        """The different histories, and which one each customer has."""
        return grouped(self.repeats, self.last, self.age)

    @property
    def repeater_count(self) -> int:
        """How many of them bought again."""
        return int((self.repeats > 0).sum())


def customers(rows: pa.Table) -> Customers:
    """Customers from the rows of `histories`."""
    count = rows["value_count"].to_numpy()
    total = np.maximum(rows["value_total"].cast(pa.float64()).to_numpy(), 0)
    return Customers(
        repeats=rows["repeat_purchase_count"].to_numpy(),
        last=rows["last_days"].cast(pa.float64()).to_numpy(),
        age=rows["history_days"].cast(pa.float64()).to_numpy(),
        value_count=count,
        value_mean=total / np.maximum(count, 1),
    )


def alive(lifetimes: Lifetimes, people: Customers) -> Floats:
    """Probability that each has not left."""
    known, which = people.histories
    return p_alive(lifetimes, known)[which]


def expected_purchases(
    lifetimes: Lifetimes, people: Customers, horizons: Sequence[float], weights: Floats | None = None
) -> Floats:
    """Purchases expected of each within each horizon (days): a row per customer, a column per horizon.

    With weights, a row per horizon, it is their weighted sums: a column per column of weights.
    """
    known, which = grouped(people.repeats, np.zeros(len(people.age)), people.age)
    while_alive = expected_while_alive(lifetimes, known.repeats, known.age, horizons)
    if weights is not None:
        while_alive = np.einsum("ch,hk->ck", while_alive, weights)
    expected: Floats = while_alive[which] * alive(lifetimes, people)[:, None]
    return expected


def spend_interval(lifetimes: Lifetimes, values: OrderValues, people: Customers, horizon: float) -> Floats:
    """What each will spend within the horizon (days) at least and at most, with 80 % probability: two columns."""
    known, which = people.histories
    different, of_both = grouped(people.value_count, which.astype(np.float64), np.zeros(len(which)))
    place = different.last.astype(np.int64)
    chance = p_alive(lifetimes, known)[place]
    told = (known.repeats[place], known.age[place], chance, different.repeats)
    scale = values.v + people.value_count * people.value_mean
    interval: Floats = spend_quantiles(lifetimes, values, told, horizon, LEVELS)[of_both] * scale[:, None]
    return interval
