"""Segments computed once more, in plain pandas and if-else, from the conformed tables: the oracle for the rules."""

from datetime import datetime
from typing import Any

import pandas as pd

from resources.deployment import Deployment

WINDOW = 90


def frame(deployment: Deployment, key: str) -> pd.DataFrame:
    """A published table; amounts as exact whole ten-thousandths."""
    rows = deployment.read(key)
    amounts = [name for name, kind in rows.schema().items() if kind.is_decimal()]
    exact = rows.mutate(**{name: (rows[name] * 10_000).cast("int64") for name in amounts})
    return exact.to_pyarrow().to_pandas()


def segments(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Per customer the segments by the published rules of version 2."""
    as_of = frame(deployment, "as_of").as_of.max()
    people = frame(deployment, "customers").set_index("customer_id")
    measured = people[["is_premium", "registered_at", "previous_purchases", "purchase_frequency"]]
    parts = (
        _bought(frame(deployment, "orders"), as_of),
        _priced(frame(deployment, "order_lines"), frame(deployment, "products")),
        _browsed(frame(deployment, "sessions"), as_of),
    )
    for part in parts:
        measured = measured.join(part)
    return {str(who): _classified(row, as_of) for who, row in measured.iterrows()}


def _bought(orders: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    named = orders[orders.customer_id.notna()]
    completed = named[named.is_completed.astype(bool)].copy()
    completed["ago"] = (pd.Timestamp(as_of).normalize() - completed.ordered_at.dt.normalize()).dt.days
    completed["discounted"] = completed.has_discount.map({True: 1.0, False: 0.0})
    per_customer = completed.groupby("customer_id")
    bought = pd.DataFrame(
        {
            "frequency": per_customer.size(),
            "monetary": per_customer.order_amount.sum(),
            "history_days": per_customer.ago.max(),
            "recency_days": per_customer.ago.min(),
            "discount_rate": per_customer.discounted.mean(),
            "recent_orders": completed[completed.ago < WINDOW].groupby("customer_id").size(),
            "former_orders": completed[completed.ago.between(WINDOW, 2 * WINDOW - 1)].groupby("customer_id").size(),
        }
    )
    for score, worst_first in (
        ("recency_score", -bought.recency_days),
        ("frequency_score", bought.frequency),
        ("monetary_score", bought.monetary),
    ):
        worse = worst_first.rank(method="min") - 1
        bought[score] = 1 + worse * 5 // worst_first.notna().sum()
    return bought


def _priced(lines: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    named = lines[lines.customer_id.notna()].merge(products[["sku_id", "product_category"]], "left", "sku_id")
    sold = named[(named.line_kind == "sale")].copy()
    sold["category"] = sold.product_category.fillna("")
    priced = sold[sold.line_amount.notna()].copy()
    # Like amounts it comes in ten-thousandths.
    priced["quantity"] = priced.quantity / 10_000
    usual = priced.groupby("category").line_amount.sum() / priced.groupby("category").quantity.sum()
    priced["usually"] = priced.category.map(usual.round(0)) * priced.quantity
    sums = priced.groupby("customer_id")[["line_amount", "quantity", "usually"]].sum()
    return pd.DataFrame(
        {
            "average_unit_price": sums.line_amount / sums.quantity / 10_000,
            "price_index": sums.line_amount / sums.usually,
            "category_count": sold.groupby("customer_id").product_category.nunique(),
        }
    )


def _browsed(sessions: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    named = sessions[sessions.entity_id.notna()].copy()
    named["ago"] = (pd.Timestamp(as_of).normalize() - named.started_at.dt.normalize()).dt.days
    named["last"] = (pd.Timestamp(as_of).normalize() - named.ended_at.dt.normalize()).dt.days
    per_customer = named.groupby("entity_id")
    return pd.DataFrame(
        {
            "visits": per_customer.size(),
            "views": per_customer.product_view_count.sum(),
            "carts": per_customer.cart_count.sum(),
            "abandoned": per_customer.is_cart_abandoned.sum(),
            "visit_recency_days": per_customer["last"].min(),
            "recent_visits": named[named.ago < WINDOW].groupby("entity_id").size(),
            "former_visits": named[named.ago.between(WINDOW, 2 * WINDOW - 1)].groupby("entity_id").size(),
        }
    )


def _classified(row: pd.Series, as_of: datetime) -> dict[str, Any]:
    known = {name: None if pd.isna(value) else value for name, value in row.items()}
    orders, monetary = known["frequency"] or 0, (known["monetary"] or 0) / 10_000
    recency, frequency, money = (known[f"{name}_score"] for name in ("recency", "frequency", "monetary"))
    history, recent, former = known["history_days"], *_activity(known)
    change = (recent - former) / (recent + former) if recent + former else None
    return {
        "customer_segment": _value_segment(history, monetary),
        "engagement_level": _level(recency, frequency, money),
        "primary_segment": _audience(known, orders, money, frequency),
        "value_tier": "Low" if money is None or money < 3 else "Medium" if money == 3 else "High",
        "lifecycle_stage": _stage(known, orders, history, change),
        "price_range": _range(known["average_unit_price"]),
        "activity_trend": _trend(known, change),
        "persona": _persona(known, orders, frequency, as_of),
    }


def _activity(known: dict[str, Any]) -> tuple[float, float]:
    return tuple(sum(known[f"{when}_{what}"] or 0 for what in ("orders", "visits")) for when in ("recent", "former"))  # type: ignore[return-value]


def _value_segment(history: float | None, monetary: float) -> str:
    if history is None or history < 365:
        return "New"
    return "VIP" if monetary > 5000 else "Regular"


def _level(recency: float | None, frequency: float | None, money: float | None) -> str:
    if recency is None:
        return "Needs Attention"
    assert frequency is not None
    assert money is not None
    if recency >= 4 and frequency >= 4 and money >= 4:
        return "Champions"
    if recency <= 2:
        return "At Risk (High Value)" if money >= 4 else "Churn Risk"
    return "Loyal Customers" if frequency >= 3 else "Needs Attention"


def _audience(known: dict[str, Any], orders: int, money: float | None, frequency: float | None) -> str:
    if money == 5:
        return "High Spending Customers"
    if orders >= 3 and frequency == 5:
        return "Frequent Buyers"
    if ((known["carts"] or 0) >= 5 and orders <= 1) or (known["abandoned"] or 0) >= 3:
        return "Frequent Cart Abandoner"
    if (known["recency_days"] or 0) > 180 and orders >= 2:
        return "Win-Back Candidates"
    if (known["discount_rate"] or 0) >= 0.5 and orders >= 2:
        return "Discount Shoppers"
    if (known["views"] or 0) >= 10 and orders == 0:
        return "Window Shoppers"
    return "Prospects" if orders == 0 else "One-Time Buyers" if orders == 1 else "Repeat Buyers"


def _stage(known: dict[str, Any], orders: int, history: float | None, change: float | None) -> str | None:
    if orders == 0:
        return "Prospect"
    if history is None:
        return None
    if history < 90:
        return "New"
    for days, stage in ((365, "Lapsed"), (180, "Slipping")):
        if known["recency_days"] > days:
            return stage
    is_growing = (known["recent_orders"] or 0) >= 2 and change is not None and change >= 0.2
    return "Growing" if is_growing else "Established"


def _range(price: float | None) -> str | None:
    if price is None:
        return None
    bounds = ((80, "Premium (80 and more)"), (50, "Upper Middle (50 to 80)"), (20, "Middle (20 to 50)"))
    return next((name for bound, name in bounds if price >= bound), "Budget (below 20)")


def _trend(known: dict[str, Any], change: float | None) -> str | None:
    if change is None:
        is_dated = known["recency_days"] is not None or known["visit_recency_days"] is not None
        return "Inactive" if is_dated else None
    return "Rising" if change >= 0.2 else "Falling" if change <= -0.2 else "Steady"


def _persona(known: dict[str, Any], orders: int, frequency: float | None, as_of: datetime) -> str:
    is_regular = (orders >= 3 and (frequency or 0) >= 4) or (known["previous_purchases"] or 0) >= 25
    index = known["price_index"]
    if known["is_premium"] and is_regular:
        return "Premium Loyalist"
    if (known["discount_rate"] or 0) >= 0.5 or (index is not None and index <= 0.7):
        return "Bargain Hunter"
    if index is not None and index >= 1.3:
        return "Quality Seeker"
    if is_regular:
        return "Loyal Regular"
    if (known["category_count"] or 0) >= 3:
        return "Explorer"
    if orders >= 1:
        return "Newcomer" if _tenure(known, as_of) < 90 else "Occasional Shopper"
    return "Window Shopper" if (known["views"] or 0) >= 10 else "Prospect"


def _tenure(known: dict[str, Any], as_of: datetime) -> float:
    """Days since the registration or the first order; without either, no newcomer."""
    registered = known["registered_at"]
    days = [known["history_days"]]
    days += [(pd.Timestamp(as_of).normalize() - registered.normalize()).days] if registered is not None else []
    return max((number for number in days if number is not None), default=float("inf"))
