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
    """Per customer the segments by the published rules of version 3."""
    as_of = frame(deployment, "as_of").as_of.max()
    people = frame(deployment, "customers").set_index("customer_id")
    measured = people[["is_premium", "registered_at", "previous_purchases", "purchase_frequency"]]
    orders, sessions = frame(deployment, "orders"), frame(deployment, "sessions")
    parts = (
        _bought(orders, as_of),
        _placed(orders),
        _priced(frame(deployment, "order_lines"), frame(deployment, "products")),
        _browsed(sessions, as_of),
    )
    for part in parts:
        measured = measured.join(part)
    today = pd.Timestamp(as_of).normalize()
    of_customers = sessions[sessions.entity_id.notna()]
    spans = {
        "orders": (today - orders.ordered_at.min().normalize()).days + 1,
        "visits": (today - of_customers.started_at.min().normalize()).days + 1 if len(of_customers) else 0,
    }
    return {str(who): _classified(row, as_of, spans) for who, row in measured.iterrows()}


def _bought(orders: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    named = orders[orders.customer_id.notna()]
    completed = named[named.is_completed.astype(bool)].copy()
    completed["ago"] = (pd.Timestamp(as_of).normalize() - completed.ordered_at.dt.normalize()).dt.days
    completed["discounted"] = completed.has_discount.map({True: 1.0, False: 0.0})
    per_customer = completed.groupby("customer_id")
    bought = pd.DataFrame(
        {
            "frequency": per_customer.size(),
            "monetary": named.groupby("customer_id").order_amount.sum()
            - named.groupby("customer_id").refunded_amount.sum(),
            "history_days": per_customer.ago.max(),
            "recency_days": per_customer.ago.min(),
            "discount_rate": per_customer.discounted.mean(),
            "recent_orders": completed[completed.ago < WINDOW].groupby("customer_id").size(),
            "former_orders": completed[completed.ago.between(WINDOW, 2 * WINDOW - 1)].groupby("customer_id").size(),
        }
    )
    bought = bought[bought.frequency.notna()].copy()
    for score, worst_first in (
        ("recency_score", -bought.recency_days),
        ("frequency_score", bought.frequency),
        ("monetary_score", bought.monetary),
    ):
        # Twice those who are worse, and those who are equal: the ends of their places, added.
        ends = worst_first.rank(method="min") - 1 + worst_first.rank(method="max")
        bought[score] = 1 + 5 * ends // (2 * worst_first.notna().sum()) if worst_first.nunique() >= 5 else None
    worth = bought[bought.monetary > 0].monetary.sort_values(ascending=False)
    above = worth.index.map(lambda who: worth[worth > worth[who]].sum() / worth.sum())
    bought["above"] = pd.Series(above, index=worth.index, dtype=float)
    return bought


def _placed(orders: pd.DataFrame) -> pd.DataFrame:
    """All orders of a customer, whatever became of them."""
    named = orders[orders.customer_id.notna() & (orders.order_status != "adjustment")]
    return pd.DataFrame(
        {
            "placed": named.groupby("customer_id").size(),
            "open": named.order_status.isin(["pending", "unknown"]).groupby(named.customer_id).sum(),
            "returned": named.groupby("customer_id").returned_amount.sum(),
        }
    )


def _priced(lines: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    sold = lines[lines.line_kind == "sale"].merge(products[["sku_id", "product_category"]], "left", "sku_id")
    priced = sold[sold.net_amount.notna()].copy()
    # Both come in ten-thousandths.
    priced["paid"] = priced.net_amount / priced.quantity
    usual = priced.groupby("product_category").paid.median()
    priced["ratio"] = priced.paid / priced.product_category.map(usual)
    named = priced[priced.customer_id.notna()]
    sums = named.groupby("customer_id")[["net_amount", "quantity"]].sum()
    compared = named[named.ratio.notna()].sort_values("ratio")
    per_customer = compared.groupby("customer_id").quantity
    is_upper = per_customer.cumsum() * 2 >= per_customer.transform("sum")
    return pd.DataFrame(
        {
            "average_unit_price": sums.net_amount / sums.quantity,
            "price_index": compared[is_upper].groupby("customer_id").ratio.min(),
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
            "first_visit_days": per_customer.ago.max(),
            "recent_visits": named[named.ago < WINDOW].groupby("entity_id").size(),
            "former_visits": named[named.ago.between(WINDOW, 2 * WINDOW - 1)].groupby("entity_id").size(),
        }
    )


def _classified(row: pd.Series, as_of: datetime, spans: dict[str, int]) -> dict[str, Any]:
    known = {name: None if pd.isna(value) else value for name, value in row.items()}
    orders, monetary = known["frequency"] or 0, (known["monetary"] or 0) / 10_000
    recency, frequency, money = (known[f"{name}_score"] for name in ("recency", "frequency", "monetary"))
    history, recent, former = known["history_days"], *_activity(known, spans)
    is_settled = _tenure(known, as_of) >= 2 * WINDOW
    change = (recent - former) / (recent + former) if recent + former and is_settled else None
    return {
        "customer_segment": _value_segment(history, monetary, spans["orders"]),
        "engagement_level": _level(recency, frequency, money) if orders else None,
        "primary_segment": _audience(known, orders, money, frequency),
        "value_tier": _tier(known["above"]) if orders and money else None,
        "lifecycle_stage": _stage(known, orders, history, change),
        "price_range": _range(known["average_unit_price"]),
        "activity_trend": _trend(known, change) if is_settled and max(spans.values()) >= 2 * WINDOW else None,
        "persona": _persona(known, orders, frequency, as_of),
    }


def _activity(known: dict[str, Any], spans: dict[str, int]) -> tuple[float, float]:
    told = [what for what, days in spans.items() if days >= 2 * WINDOW]
    return tuple(sum(known[f"{when}_{what}"] or 0 for what in told) for when in ("recent", "former"))  # type: ignore[return-value]


def _tier(above: float | None) -> str:
    return "Low" if above is None or above >= 0.95 else "Medium" if above >= 0.8 else "High"


def _value_segment(history: float | None, monetary: float, span: int) -> str | None:
    if history is None or span < 720:
        return None
    if history < 365:
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
    if not known["placed"]:
        return "Prospect"
    if (known["returned"] or 0) > 0 and (known["monetary"] or 0) <= 0:
        return "Returned everything"
    if orders == 0:
        return None if known["open"] else "Cancelled only"
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
    """Days since the registration, the first order or the first visit; without any of them, no newcomer."""
    registered = known["registered_at"]
    days = [known["history_days"], known["first_visit_days"]]
    days += [(pd.Timestamp(as_of).normalize() - registered.normalize()).days] if registered is not None else []
    return max((number for number in days if number is not None), default=float("inf"))
