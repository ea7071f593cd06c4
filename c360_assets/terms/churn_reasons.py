"""Churn reasons: what speaks for and against a customer's coming back, in words a marketer understands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from c360_assets.terms import classifiers
from c360_assets.terms.arrays import Floats
from c360_assets.terms.classifiers import Fitted

REASONS = 3
# Log odds; what moves them by less is no reason.
SLIGHT = 0.02
Row = Mapping[str, Any]
Words = Callable[[Row], str | None]


def reasons(model: Fitted, columns: Mapping[str, Floats], rows: Sequence[Row], currency: str) -> list[str | None]:
    """For each customer the up to three things that most raise the probability of churn, the strongest first.

    `rows` are the features as people know them. An ensemble is spoken for by its boosting member, which explains itself
    exactly and sees features work together; for a network nobody speaks.
    """
    asked = _explained(model)
    if asked is None or not rows:
        return [None] * len(rows)
    moved = classifiers.contributions(asked, columns)
    strongest = np.argsort(-moved, axis=1, kind="stable")
    words = [_WORDS[name] for name in asked["features"]]
    told = [
        [words[place]({**row, "currency": currency}) for place in places if shares[place] > SLIGHT]
        for row, places, shares in zip(rows, strongest, moved, strict=True)
    ]
    # Two features may say the same.
    return ["; ".join([*dict.fromkeys(filter(None, one))][:REASONS]) or None for one in told]


def drivers(model: Fitted, columns: Mapping[str, Floats]) -> list[tuple[str, float]]:
    """What moves the log odds of these customers most: features with their share of all movement, greatest first.

    Of a model for which nobody speaks there are none.
    """
    asked = _explained(model)
    if asked is None:
        return []
    moved = np.abs(classifiers.contributions(asked, columns)).sum(axis=0)
    shares = moved / (moved.sum() or 1.0)
    order = np.argsort(-shares, kind="stable")
    return [(asked["features"][place], float(shares[place])) for place in order]


def _explained(model: Fitted) -> Fitted | None:
    members: Sequence[Fitted] = model.get("members", [model])
    return next((one for kind in ("boosting", "logistic") for one in members if one["kind"] == kind), None)


def _told(feature: str, words: Callable[[Any], str]) -> Words:
    """What is said of a feature where it is known."""
    return lambda row: None if row[feature] is None else words(row[feature])


def _counted(feature: str, one: str, many: str) -> Words:
    return _told(feature, lambda value: f"{_number(value)} {one if round(value) == 1 else many}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if round(value) else "no"


def _amount(feature: str, words: str) -> Words:
    return lambda row: None if row[feature] is None else f"{words} {row[feature]:,.2f} {row['currency']}"


def _days(feature: str, words: str, after: str = "") -> Words:
    return _told(feature, lambda value: f"{words} {value:,.0f} {'day' if round(value) == 1 else 'days'}{after}")


def _rhythm(row: Row) -> str | None:
    interval, recency = row["order_interval_days"], row["recency_days"]
    if not interval:
        return f"{row['frequency']:,} order so far" if row["frequency"] == 1 else None
    return f"usually orders every {interval:,.0f} days, last {recency:,.0f} days ago"


# Of each feature what is said of a customer; the same whether it speaks for or against coming back.
_WORDS: dict[str, Words] = {
    "recency_days": _days("recency_days", "last order", " ago"),
    "history_days": _days("history_days", "first order", " ago"),
    "frequency": _counted("frequency", "order so far", "orders so far"),
    "monetary": _amount("monetary", "spent in all"),
    "average_order_amount": _amount("average_order_amount", "spends per order"),
    "last_order_amount": _amount("last_order_amount", "spent in the last order"),
    "order_interval_days": _rhythm,
    "horizon_days": _rhythm,
    "overdue": _rhythm,
    "orders_per_year": _told("orders_per_year", lambda value: f"{value:,.1f} orders a year"),
    "item_count": _counted("item_count", "piece bought", "pieces bought"),
    "category_count": _counted("category_count", "category bought from", "categories bought from"),
    "product_count": _counted("product_count", "product bought", "different products bought"),
    "recent_order_count": _counted("recent_order_count", "order in the last 90 days", "orders in the last 90 days"),
    "former_order_count": _counted("former_order_count", "order in the 90 days before", "orders in the 90 days before"),
    "session_count": _counted("session_count", "visit to the web shop", "visits to the web shop"),
    "recent_session_count": _counted("recent_session_count", "visit in the last 90 days", "visits in the last 90 days"),
    "visit_recency_days": _days("visit_recency_days", "last visit", " ago"),
    "product_view_count": _counted("product_view_count", "product looked at", "products looked at"),
    "favorite_count": _counted("favorite_count", "favourite", "favourites"),
    "abandoned_cart_count": _counted("abandoned_cart_count", "cart left behind", "carts left behind"),
    "engagement_minutes": _counted("engagement_minutes", "minute in the web shop", "minutes in the web shop"),
    "review_count": _counted("review_count", "review written", "reviews written"),
    "support_ticket_count": _counted("support_ticket_count", "support ticket", "support tickets"),
    "return_rate": _told(
        "return_rate", lambda value: f"{value:.0%} of orders returned" if value else "no order returned"
    ),
    "discount_rate": _told("discount_rate", lambda value: f"{value:.0%} of orders at a discount"),
    "average_rating": _told("average_rating", lambda value: f"rates products {value:.1f} of 5"),
    "nps_score": _told("nps_score", lambda value: f"would recommend the shop: {value:.0f} of 10"),
    "csat_score": _told("csat_score", lambda value: f"satisfied: {value:.0f} of 5"),
}
