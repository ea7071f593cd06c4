"""Actions: when something is known to have happened, and what is said where that is known of too few."""

from typing import Any

import numpy as np
import pytest

from c360_assets.terms.actions import BROWSE, CAMPAIGN, CROSS_SELL, PURCHASE, UPSELL, Target
from tests.c360_assets.doers import examples
from tests.c360_assets.leavers import example
from tests.tables import money


def outcome(target: Target, **values: Any) -> float | None:
    """What is said of one customer: 1, 0, or None where it is not known."""
    who = {"average_order_amount": 20.0, "category_count": 2, "session_count": 3}
    (said,) = target.outcome(examples([example(1, 5, 2, 90, None) | who | values]).to_pyarrow()).tolist()
    return None if np.isnan(said) else said


@pytest.mark.parametrize(("days", "said"), [(0, 1), (30, 1), (31, 0), (None, 0)])
def test_an_order_counts_up_to_the_thirtieth_day(days: int | None, said: float) -> None:
    assert outcome(PURCHASE, next_order_days=days) == said


@pytest.mark.parametrize(
    ("visit", "order", "sessions", "said"),
    [(30, None, 1, 1), (31, None, 1, 0), (None, None, 0, 0), (3, 31, 1, 1), (3, 30, 1, None), (3, None, None, None)],
)
def test_browsing_is_known_of_those_who_do_not_order_in_a_shop_with_web_events(
    visit: int | None, order: int | None, sessions: int | None, said: float | None
) -> None:
    assert outcome(BROWSE, next_visit_days=visit, next_order_days=order, session_count=sessions) == said


@pytest.mark.parametrize(
    ("usual", "amount", "days", "said"),
    [
        (20.0, "25", 3, 1),
        (20.0, "24.99", 3, 0),
        (20.0, "25", 31, 0),
        (20.0, None, 3, None),
        (20.0, None, None, 0),
        (None, "25", 3, None),
        (0.0, "25", 3, None),
    ],
)
def test_an_upsell_is_an_order_of_a_quarter_above_the_usual_one(
    usual: float | None, amount: str | None, days: int | None, said: float | None
) -> None:
    value = None if amount is None else money(amount)
    assert outcome(UPSELL, average_order_amount=usual, next_order_amount=value, next_order_days=days) == said


@pytest.mark.parametrize(
    ("is_new", "days", "categories", "said"),
    [
        (True, 3, 2, 1),
        (False, 3, 2, 0),
        (None, 3, 2, None),
        (True, 31, 2, 0),
        (None, None, 2, 0),
        (True, 3, None, None),
    ],
)
def test_a_cross_sell_is_an_order_from_a_new_category(
    is_new: bool | None, days: int | None, categories: int | None, said: float | None
) -> None:
    assert outcome(CROSS_SELL, bought_new_category=is_new, next_order_days=days, category_count=categories) == said


@pytest.mark.parametrize(("responded", "said"), [(True, 1), (False, 0), (None, None)])
def test_a_response_is_known_of_those_contacted(responded: bool | None, said: float | None) -> None:
    assert outcome(CAMPAIGN, has_responded=responded) == said


@pytest.mark.parametrize(
    ("target", "happened", "told"),
    [
        (PURCHASE, [], "no order is known"),
        (BROWSE, [np.nan] * 300, "no web events"),
        (CAMPAIGN, [np.nan] * 300, "no contact of marketing is known"),
        (CROSS_SELL, [np.nan] * 300, "no category is known"),
        (UPSELL, [np.nan] * 300, "no order has a known value"),
        (PURCHASE, [1.0] * 199, "199 customers of whom it is known, needed are 200"),
        (PURCHASE, [1.0] * 19 + [0.0] * 300, "19 who ordered, needed are 20"),
        (PURCHASE, [1.0] * 300, "0 who did not order, needed are 20"),
        (BROWSE, [0.0] * 300, "0 who visited without ordering, needed are 20"),
        (PURCHASE, [1.0] * 20 + [0.0] * 180, None),
    ],
)
def test_what_there_is_too_little_of_is_told_with_its_number(
    target: Target, happened: list[float], told: str | None
) -> None:
    assert target.lacking(np.array(happened)) == told
