"""Expectations: of customers who are as the model has them sums come true, and intervals hold what they say."""

import numpy as np
import pytest

from c360_assets.terms.expectations import Customers, alive, expected_purchases, spend_interval
from c360_assets.terms.lifetimes import Floats, Lifetimes
from c360_assets.terms.spending import OrderValues, expected_value
from tests.c360_assets.buyers import buyers

VALUES = OrderValues(6.0, 4.0, 15.0)
HELD_OUT, COUNT = 200.0, 12_000


class Known:
    """Buyers as they are known some days before their last, and what they do in these days."""

    def __init__(self, truth: Lifetimes) -> None:
        people, rng = buyers(truth, COUNT, 800, seed=21), np.random.default_rng(22)
        age = people.age - HELD_OUT
        is_known = people.times <= age[:, None]
        repeats, scale = is_known.sum(axis=1), rng.gamma(VALUES.q, 1 / VALUES.v, COUNT)
        last = np.where(is_known, people.times, 0).max(axis=1)
        mean = rng.gamma(np.maximum(VALUES.p * repeats, 1e-9)) / scale / np.maximum(repeats, 1)
        self.customers = Customers(repeats, last.round(), age.round(), repeats, np.where(repeats > 0, mean, 0.0))
        self.bought: Floats = (people.repeats - repeats).astype(np.float64)
        spent = rng.gamma(np.maximum(VALUES.p * self.bought, 1e-9)) / scale
        self.spent = np.where(self.bought > 0, spent, 0.0)


@pytest.fixture(scope="module", params=[False, True], ids=["BG/NBD", "MBG/NBD"])
def truth(request: pytest.FixtureRequest) -> Lifetimes:
    return Lifetimes(0.8, 30.0, 0.9, 3.5, request.param)


@pytest.fixture(scope="module")
def known(truth: Lifetimes) -> Known:
    return Known(truth)


def test_as_much_is_bought_and_spent_as_expected(truth: Lifetimes, known: Known) -> None:
    expected = expected_purchases(truth, known.customers, [HELD_OUT])[:, 0]
    worth = expected * expected_value(VALUES, known.customers.value_count, known.customers.value_mean)
    for low, high in ((0, 0), (1, 2), (3, 8), (9, 400)):
        who = (known.customers.repeats >= low) & (known.customers.repeats <= high)
        error = known.bought[who].std() / np.sqrt(who.sum())
        assert abs(known.bought[who].mean() - expected[who].mean()) < 3 * error
        assert abs(known.spent[who].mean() - worth[who].mean()) < 3 * known.spent[who].std() / np.sqrt(who.sum())


def test_as_many_buy_again_as_are_alive_and_do_so_in_time(truth: Lifetimes, known: Known) -> None:
    chance = alive(truth, known.customers)
    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        who = (chance >= low) & (chance < high)
        if who.any():
            assert (known.bought[who] > 0).mean() <= chance[who].mean() + 0.02


def test_a_tenth_lies_above_the_interval_and_a_tenth_below_where_it_can(truth: Lifetimes, known: Known) -> None:
    low, high = spend_interval(truth, VALUES, known.customers, HELD_OUT).T
    above = known.spent > high
    assert above[high > 0].mean() == pytest.approx(0.1, abs=0.01)
    assert (known.spent < low)[low > 0].mean() == pytest.approx(0.1, abs=0.03)
    assert above.mean() <= 0.105


def test_weights_add_horizons_up(truth: Lifetimes, known: Known) -> None:
    each = expected_purchases(truth, known.customers, [30.0, 90.0])
    weighted = expected_purchases(truth, known.customers, [30.0, 90.0], np.array([[0.0, 1.0], [1.0, -1.0]]))
    assert weighted[:, 0].tolist() == each[:, 1].tolist()
    assert weighted[:, 1] == pytest.approx(each[:, 0] - each[:, 1])
