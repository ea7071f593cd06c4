"""How each customer behaves: the hidden truth that the tables only hint at."""

from dataclasses import dataclass

import numpy as np

from examples.company.chance import weighted
from examples.company.records import Flags, Floats, Ints

# Purchases per day ~ Gamma, chance to leave after a purchase ~ Beta (BG/NBD: Fader, Hardie and Lee 2005).
# One may leave after the first purchase too (MBG/NBD: Batislam, Denizel and Filiztekin 2007).
RATE_SHAPE, RATE_SCALE = 0.9, 1 / 74
LEAVE_A, LEAVE_B = 0.8, 3.2
# Order values (USD) ~ Gamma(VALUE_SHAPE) around a mean that is inverse Gamma over customers
# (Fader, Hardie and Lee 2005, Gamma-Gamma).
VALUE_SHAPE, VALUE_Q, VALUE_GAMMA = 6.25, 3.75, 38.0
LOWEST_VALUE, HIGHEST_VALUE = 12.0, 1_500.0
TASTE_CONCENTRATION = 2.5

_LOYALTY_STEPS = np.array([0.004, 0.009, 0.018, 0.032, 0.06])  # purchases per day


@dataclass(frozen=True)
class Habits:
    """One row per customer, in the order of the people."""

    rate: Floats  # purchases per (season) day
    leave: Floats  # probability to leave for good after a purchase
    mean_value: Floats  # mean order value, USD
    taste: Floats  # rows x categories, cumulative shares
    dominant: Ints  # category with the largest share
    bargains: Floats  # probability to use a discount
    content: Floats  # satisfaction, standard normal over customers, lower for those likely to leave
    device: Ints
    payment: Ints
    loyalty: Ints  # 0 to 5
    premium: Flags


def draw(rng: np.random.Generator, customers: int, category_weights: tuple[float, ...]) -> Habits:
    """Draw the truth of every customer."""
    rate = rng.gamma(RATE_SHAPE, RATE_SCALE, customers)
    leave = rng.beta(LEAVE_A, LEAVE_B, customers)
    taste = _taste(rng, customers, np.asarray(category_weights))
    mean_value = VALUE_SHAPE / rng.gamma(VALUE_Q, 1 / VALUE_GAMMA, customers)
    mean_value = np.clip(mean_value, LOWEST_VALUE, HIGHEST_VALUE)
    expected_leave = LEAVE_A / (LEAVE_A + LEAVE_B)
    return Habits(
        rate=rate,
        leave=leave,
        mean_value=mean_value,
        taste=_cumulative(taste),
        dominant=taste.argmax(axis=1).astype(np.int8),
        bargains=rng.beta(1.2, 2.8, customers),
        content=0.85 * rng.standard_normal(customers) - 2.8 * (leave - expected_leave),
        device=weighted(rng, (0.42, 0.50, 0.08), customers).astype(np.int8),
        payment=rng.integers(0, 1_000, customers),
        loyalty=np.searchsorted(_LOYALTY_STEPS, rate * np.exp(rng.normal(0, 0.5, customers))),
        premium=rng.random(customers) < 0.05 + 0.35 * (mean_value > 100) + 0.15 * (rate > 0.03),
    )


def _taste(rng: np.random.Generator, customers: int, weights: Floats) -> Floats:
    """Category shares per customer ~ Dirichlet: concentrated, so that most customers have a favourite."""
    alpha = (TASTE_CONCENTRATION * weights / weights.sum()).astype(np.float32)
    mass = rng.standard_gamma(alpha, (customers, len(weights)), dtype=np.float32) + np.float32(1e-6)
    shares: Floats = mass / mass.sum(axis=1, keepdims=True)
    return shares


def _cumulative(shares: Floats) -> Floats:
    edges = np.cumsum(shares, axis=1, dtype=np.float32)
    edges[:, -1] = 1
    return edges
