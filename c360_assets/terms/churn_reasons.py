"""Churn reasons: what speaks for and against a customer's coming back, in words a marketer understands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from c360_assets.terms import classifiers
from c360_assets.terms.churn import Floats
from c360_assets.terms.classifiers import Fitted

REASONS = 3
# Log odds; what moves them by less is no reason.
SLIGHT = 0.02
Words = Callable[[float], str]


def _counted(one: str, many: str) -> Words:
    return lambda value: f"{value:,.0f} {one if round(value) == 1 else many}"


def _amount(words: str) -> Words:
    return lambda value: f"{words} {value:,.2f}"


def _days(words: str, after: str = "") -> Words:
    return lambda value: f"{words} {value:,.0f} {'day' if round(value) == 1 else 'days'}{after}"


def _share(words: str) -> Words:
    return lambda value: f"{value:.0%} {words}"


# Of each feature what is said of a customer; the same whether it speaks for or against coming back.
WORDS: dict[str, Words] = {
    "recency_days": _days("last order", " ago"),
    "history_days": _days("first order", " ago"),
    "frequency": _counted("order so far", "orders so far"),
    "monetary": _amount("spent in all"),
    "average_order_amount": _amount("spent per order"),
    "last_order_amount": _amount("spent in the last order"),
    "order_interval_days": _days("usually orders every"),
    "horizon_days": _days("usually orders within"),
    "item_count": _counted("piece bought", "pieces bought"),
    "category_count": _counted("category bought from", "categories bought from"),
    "product_count": _counted("product tried", "different products tried"),
    "recent_order_count": _counted("order in the last 90 days", "orders in the last 90 days"),
    "former_order_count": _counted("order in the 90 days before", "orders in the 90 days before"),
    "orders_per_year": lambda value: f"{value:,.1f} orders a year",
    "overdue": lambda value: f"silent for {value:,.1f} times the usual interval",
    "session_count": _counted("visit to the web shop", "visits to the web shop"),
    "recent_session_count": _counted("visit in the last 90 days", "visits in the last 90 days"),
    "visit_recency_days": _days("last visit", " ago"),
    "product_view_count": _counted("product looked at", "products looked at"),
    "favorite_count": _counted("favourite", "favourites"),
    "abandoned_cart_count": _counted("cart left behind", "carts left behind"),
    "engagement_minutes": _counted("minute in the web shop", "minutes in the web shop"),
    "review_count": _counted("review written", "reviews written"),
    "support_ticket_count": _counted("support ticket", "support tickets"),
    "return_rate": _share("of orders returned"),
    "discount_rate": _share("of orders at a discount"),
    "average_rating": lambda value: f"rates us {value:.1f} of 5",
    "nps_score": lambda value: f"would recommend us: {value:.0f} of 10",
    "csat_score": lambda value: f"satisfied: {value:.0f} of 5",
}


def reasons(model: Fitted, columns: Mapping[str, Floats], values: Mapping[str, Sequence[Any]]) -> list[str | None]:
    """For each customer the up to three things that most raise the probability of churn, the strongest first.

    `values` are the features as people know them. Of an ensemble the member that explains itself exactly and in which
    features work together is asked, which is the boosting one; of a network nothing is said.
    """
    asked = _explained(model)
    if asked is None:
        return [None] * len(next(iter(columns.values())))
    moved = classifiers.contributions(asked, columns)
    features = asked["features"]
    strongest = np.argsort(-moved, axis=1, kind="stable")[:, :REASONS]
    return [
        "; ".join(
            WORDS[features[place]](float(values[features[place]][row]))
            for place in places
            if moved[row, place] > SLIGHT and values[features[place]][row] is not None
        )
        or None
        for row, places in enumerate(strongest)
    ]


def _explained(model: Fitted) -> Fitted | None:
    members: Sequence[Fitted] = model.get("members", [model])
    return next((one for kind in ("boosting", "logistic") for one in members if one["kind"] == kind), None)
