"""When each customer buys, and when he leaves for good."""

from dataclasses import dataclass

import numpy as np

from examples.company import season
from examples.company.chance import gaps_us
from examples.company.habits import Habits
from examples.company.records import Flags, Floats, Ints

PROMPT_SHARE = 0.65  # of newcomers, who buy within days of registering; the others wait as for any purchase
PROMPT_DELAY_SECONDS = 20 * 3_600
# Every session fits between an hour before its purchase and the purchase.
LEAD = season.HOUR
LAST_ORDER = season.END - season.HOUR
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Lives:
    """One row per customer."""

    left_at: Ints  # NEVER while still active
    expected_orders: Floats  # given his rate and how long he stayed: the compensator of his order count


@dataclass(frozen=True)
class OrderTimes:
    """One row per order, by customer and then time."""

    customer: Ints  # 0-based position of the customer
    at: Ints
    number: Ints  # 1 for the first order of the company


def simulate(rng: np.random.Generator, registered_at: Ints, habits: Habits) -> tuple[Lives, OrderTimes]:
    """Run every customer from registration to his departure or the end of the span.

    All customers take their k-th step together, so the loop runs as often as the keenest customer buys.
    """
    end = season.season_days(np.array([LAST_ORDER]))[0]
    since, first, prompt = _beginnings(rng, registered_at, habits.rate)
    left, active, due = np.full(len(since), np.inf), np.arange(len(since)), first
    customers, times = [], []
    while len(active):
        within = due <= end
        active, due = active[within], due[within]
        customers.append(active)
        times.append(due)
        leaves = rng.random(len(active)) < habits.leave[active]
        left[active[leaves]] = due[leaves]
        active, due = active[~leaves], due[~leaves]
        due = due + rng.standard_exponential(len(active)) / habits.rate[active]
    stayed = np.maximum(np.minimum(left, end) - since, 0)
    lives = Lives(_calendar_or_never(left), habits.rate * stayed + (prompt & (since <= end)))
    return lives, _ordered(np.concatenate(customers), season.calendar(np.concatenate(times)))


def _beginnings(rng: np.random.Generator, registered_at: Ints, rate: Floats) -> tuple[Floats, Floats, Flags]:
    """From when each customer buys at his rate, when his first purchase is due, and who bought promptly."""
    prompt = rng.random(len(rate)) < PROMPT_SHARE
    delay = np.where(prompt, gaps_us(rng, PROMPT_DELAY_SECONDS, len(rate)), 0)
    since = season.season_days(registered_at + LEAD + season.SECOND + delay)
    return since, np.where(prompt, since, since + rng.standard_exponential(len(rate)) / rate), prompt


def _calendar_or_never(days: Floats) -> Ints:
    gone = np.isfinite(days)
    return np.where(gone, season.calendar(np.where(gone, days, 0)), NEVER)


def _ordered(customer: Ints, at: Ints) -> OrderTimes:
    by_customer = np.argsort(customer, kind="stable")
    customer, at = customer[by_customer], at[by_customer]
    number = np.empty(len(at), dtype=np.int64)
    number[np.argsort(at, kind="stable")] = np.arange(1, len(at) + 1)
    return OrderTimes(customer, at, number)
