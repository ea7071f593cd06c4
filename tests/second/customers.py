"""What customers bought, how they are measured, and the segments that the published rules give them."""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tests.second.published import Published

BINS = 5
WINDOW = 90
WEEKS = 56
PER_YEAR = {"weekly": 52, "fortnightly": 26, "bi-weekly": 26, "monthly": 12, "quarterly": 4, "every 3 months": 4}
PER_YEAR |= {"annually": 1}


def rfm(tables: Published) -> pd.DataFrame:
    orders = tables["orders"]
    table = bought(orders[orders.customer_id.notna()], tables.day(orders.ordered_at), tables.today)
    spans = _span(tables, orders.ordered_at) >= WEEKS
    return scored(table, spans).reset_index()


def bought(orders: pd.DataFrame, days: pd.Series, today: pd.Timestamp) -> pd.DataFrame:
    """Per customer with a completed order."""
    completed = orders[orders.is_completed.astype(bool)].assign(ago=(today - days).dt.days)
    sold, every = completed.groupby("customer_id"), orders.groupby("customer_id")
    return pd.DataFrame(
        {
            "recency_days": sold.ago.min(),
            "frequency": sold.size(),
            "monetary": sold.order_amount.sum() - every.refunded_amount.sum().reindex(sold.size().index),
            "gross_monetary": sold.order_amount.sum(),
            "returned_amount": every.returned_amount.sum().reindex(sold.size().index),
            "first_ordered_at": sold.ordered_at.min(),
            "last_ordered_at": sold.ordered_at.max(),
        }
    )


def scored(table: pd.DataFrame, spans: bool) -> pd.DataFrame:
    scores = pd.DataFrame(
        {
            "recency_score": _fifths(-table.recency_days) if spans else None,
            "frequency_score": _fifths(table.frequency),
            "monetary_score": _fifths(table.monetary),
        },
        index=table.index,
    )
    code = ["".join(str(int(score)) for score in row) if all(pd.notna(row)) else None for row in scores.to_numpy()]
    return table.join(scores).assign(rfm_code=code)


def _fifths(values: pd.Series) -> pd.Series | None:
    known = values.dropna()
    if known.nunique() < BINS:
        return None
    worse = known.rank(method="min") - 1
    equal = known.groupby(known).transform("size")
    return (1 + BINS * (2 * worse + equal) // (2 * len(known))).reindex(values.index)


def _span(tables: Published, moments: pd.Series) -> float:
    """Calendar days from the first moment to as_of, both counted; NaN where none is dated."""
    return float(tables.days_ago(moments).max() + 1)


def features(tables: Published) -> pd.DataFrame:
    people = tables["customers"].set_index("customer_id")
    taken = ["is_registered", "is_premium", "gender", "age", "country", "annual_income", "number_of_children"]
    table = people[[*taken, "degree_of_loyalty", "previous_purchases"]].copy()
    table["stated_orders_per_year"] = people.purchase_frequency.str.lower().map(PER_YEAR)
    for part in (_of_orders, _of_lines, _of_visits, _of_words):
        table = table.join(part(tables, people.index))
    began = pd.DataFrame(
        {
            "registered": tables.days_ago(people.registered_at),
            "bought": table.history_days,
            "visited": tables.days_ago(_visits(tables).started_at.min()).reindex(people.index),
        }
    )
    table["tenure_days"] = began.max(axis=1)
    table["activity_change"] = _change(table)
    return table.rename_axis("customer_id").reset_index()


def _of_orders(tables: Published, people: pd.Index) -> pd.DataFrame:
    orders = tables["orders"].assign(ago=tables.days_ago(tables["orders"].ordered_at))
    ours = orders[orders.customer_id.notna()]
    completed = ours[ours.is_completed.astype(bool)]
    buyers = rfm(tables).set_index("customer_id")
    per_customer = completed.groupby("customer_id")
    span = _span(tables, orders.ordered_at)

    def counted(rows: pd.DataFrame, known: bool = len(orders) > 0) -> pd.Series | None:
        return rows.groupby("customer_id").size().reindex(people, fill_value=0) if known else None

    def summed(name: str, rows: pd.DataFrame) -> pd.Series | None:
        return rows.groupby("customer_id")[name].sum().reindex(people, fill_value=0) if len(orders) else None

    is_back = ours.order_status.isin(["returned", "refunded"])
    back = ours[is_back | (~ours.is_completed.astype(bool) & (ours.returned_amount > 0))]
    gross, taken_back = summed("order_amount", completed), summed("refunded_amount", ours)
    ordered_days = per_customer.ago.max() - per_customer.ago.min()
    dated = per_customer.ago.count()
    known = completed[completed.has_discount.notna()]
    return pd.DataFrame(
        {
            "history_days": per_customer.ago.max(),
            "recency_days": buyers.recency_days,
            "frequency": counted(completed),
            "order_count": counted(ours[ours.order_status != "adjustment"]),
            "open_order_count": counted(ours[ours.order_status.isin(["pending", "unknown"])]),
            "monetary": buyers.monetary.reindex(people, fill_value=0) if len(orders) else None,
            "gross_monetary": gross,
            "historical_value": gross - taken_back if len(orders) else None,
            "value_share_above": _above(buyers.monetary),
            "average_order_amount": per_customer.order_amount.mean() / 10_000,
            "last_order_amount": _latest(completed),
            "order_interval_days": (ordered_days / (dated - 1)).where(dated > 1),
            "return_rate": (counted(back) / (counted(back) + counted(completed))) if len(orders) else None,
            "returned_amount": summed("returned_amount", ours),
            "discount_rate": known.has_discount.astype(bool).groupby(known.customer_id).mean(),
            "recent_order_count": counted(completed[completed.ago < WINDOW], span > 0),
            "former_order_count": counted(completed[completed.ago.between(WINDOW, 2 * WINDOW - 1)], span >= 2 * WINDOW),
            "orders_span_days": span,
            "activity_span_days": np.nanmax([span, _span(tables, _visits(tables).started_at.min())]),
            **buyers[["recency_score", "frequency_score", "monetary_score", "rfm_code"]],
        },
        index=people,
    )


def _latest(completed: pd.DataFrame) -> pd.Series:
    dated = completed[completed.ordered_at.notna()]
    return dated.sort_values(["ordered_at", "order_id"]).groupby("customer_id").order_amount.last(skipna=False)


def _above(worth: pd.Series) -> pd.Series:
    best_first = worth.sort_values(ascending=False)
    before = best_first.cumsum() - best_first
    first_of_equals = before.groupby(best_first).transform("min")
    return (first_of_equals / worth[worth > 0].sum()).where(best_first > 0)


def pieces(lines: pd.DataFrame) -> pd.Series:
    """Goods sold by weight or length are one."""
    units = lines.quantity / 10_000
    return units.where(units % 1 == 0, 1)


def _of_lines(tables: Published, people: pd.Index) -> pd.DataFrame:
    lines = sold_lines(tables)
    priced = lines[lines.net_amount.notna()]
    sums = priced.groupby("customer_id").agg(paid=("net_amount", "sum"), quantity=("quantity", "sum"))
    has_lines, has_categories = len(tables["order_lines"]) > 0, lines.category.notna().any()
    has_products, of_all = lines.product_id.notna().any(), lines.groupby("customer_id")
    return pd.DataFrame(
        {
            "average_unit_price": sums.paid / sums.quantity,
            "price_index": _price_index(priced),
            "item_count": of_all.pieces.sum().reindex(people, fill_value=0) if has_lines else None,
            "product_count": of_all.product_id.nunique().reindex(people, fill_value=0) if has_products else None,
            "category_count": of_all.category.nunique().reindex(people, fill_value=0) if has_categories else None,
        },
        index=people,
    )


def sold_lines(tables: Published) -> pd.DataFrame:
    lines = tables["order_lines"]
    category = tables["products"].set_index("sku_id").product_category
    lines = lines.assign(category=lines.sku_id.map(category), pieces=pieces(lines))
    return lines[lines.line_kind == "sale"]


def _price_index(priced: pd.DataFrame) -> pd.Series:
    lines = priced[priced.category.notna()]
    price = lines.net_amount / lines.quantity
    lines = lines.assign(index=price / price.groupby(lines.category).transform("median"))
    return pd.Series({who: _weighted_median(of["index"], of.quantity) for who, of in lines.groupby("customer_id")})


def _weighted_median(values: pd.Series, weights: pd.Series) -> float:
    order = values.sort_values().index
    reached = weights[order].cumsum() * 2 >= weights.sum()
    return float(values[reached.idxmax()])


def _visits(tables: Published) -> Any:
    sessions = tables["sessions"]
    ours = sessions[sessions.entity_id.notna()].rename(columns={"entity_id": "customer_id"})
    return ours.assign(ago=tables.days_ago(ours.started_at)).groupby("customer_id")


def _of_visits(tables: Published, people: pd.Index) -> pd.DataFrame:
    visits, held = _visits(tables), len(tables["sessions"]) > 0
    span = _span(tables, _visits(tables).started_at.min())

    def known(counts: pd.Series, is_known: bool = held) -> pd.Series | None:
        return counts.reindex(people, fill_value=0) if is_known else None

    return pd.DataFrame(
        {
            "session_count": known(visits.size()),
            "product_view_count": known(visits.product_view_count.sum()),
            "favorite_count": known(visits.favorite_count.sum()),
            "cart_count": known(visits.cart_count.sum()),
            "abandoned_cart_count": known(visits.is_cart_abandoned.sum()),
            "engagement_minutes": known(visits.engagement_minutes.sum()),
            "visit_recency_days": tables.days_ago(visits.ended_at.max()),
            "recent_session_count": known(visits.ago.agg(lambda ago: (ago < WINDOW).sum())),
            "former_session_count": known(
                visits.ago.agg(lambda ago: ago.between(WINDOW, 2 * WINDOW - 1).sum()), span >= 2 * WINDOW
            ),
        },
        index=people,
    )


def _of_words(tables: Published, people: pd.Index) -> pd.DataFrame:
    said = tables["feedback"].set_index("customer_id")
    reviews, tickets = tables["sources/review"], tables["sources/support_ticket"]
    return pd.DataFrame(
        {
            "review_count": said.review_count.reindex(people, fill_value=0) if len(reviews) else None,
            "average_rating": said.average_rating,
            "support_ticket_count": said.support_ticket_count.reindex(people, fill_value=0) if len(tickets) else None,
            "nps_score": said.nps_score,
            "csat_score": said.csat_score,
            "ces_score": said.ces_score,
            "points_balance": tables["loyalty_members"].set_index("customer_id").points_balance,
        },
        index=people,
    )


def _change(table: pd.DataFrame) -> pd.Series:
    """Of kinds of activity that are held for both windows."""
    recent, former = pd.Series(0.0, index=table.index), pd.Series(0.0, index=table.index)
    for kind in ("order", "session"):
        if table[f"former_{kind}_count"].notna().any():
            recent += table[f"recent_{kind}_count"].astype(float)
            former += table[f"former_{kind}_count"].astype(float)
    both = recent + former
    return ((recent - former) / both).where((both > 0) & (table.tenure_days >= 2 * WINDOW))


# Rules

COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}
ONE_OF_EACH = (
    "customer_segment",
    "engagement_level",
    "value_tier",
    "lifecycle_stage",
    "price_range",
    "activity_trend",
    "persona",
)


def segment(rules: Any, row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The segment, or the reason why there is none."""
    described = {"rules": rules} if isinstance(rules, list) else rules
    if holds(described.get("needs", {}), row):
        for rule in described["rules"]:
            if holds(rule.get("when", {}), row):
                return rule["name"], None
    reasons = described.get("otherwise")
    reasons = [{"name": reasons}] if isinstance(reasons, str) else reasons
    return None, next(reason["name"] for reason in reasons if holds(reason.get("when", {}), row))


def every(rules: list[dict[str, Any]], row: Mapping[str, Any]) -> list[str]:
    """All that hold; the last, open one for whoever is in no other."""
    held = [rule["name"] for rule in rules if rule.get("when") and holds(rule["when"], row)]
    return held or [rules[-1]["name"]]


def holds(when: Any, row: Mapping[str, Any]) -> bool:
    sets = when if isinstance(when, list) else [when]
    return any(all(_holds(row.get(name), wanted) for name, wanted in conditions.items()) for conditions in sets)


def _holds(value: Any, wanted: str | list[str]) -> bool:
    if isinstance(wanted, list):
        return all(_holds(value, one) for one in wanted)
    if wanted in ("known", "unknown"):
        return bool(pd.notna(value)) == (wanted == "known")
    sign, word = wanted.split(" ", 1)
    return bool(pd.notna(value)) and bool(COMPARE[sign](value, _meant(word)))


def _meant(word: str) -> Any:
    if word in ("true", "false"):
        return word == "true"
    return float(word) if word.lstrip("-")[0].isdigit() else word


def measured(tables: Published) -> dict[str, dict[str, Any]]:
    """What rules may ask for, by customer."""
    rows = tables["features"].copy()
    for name in ("monetary", "gross_monetary", "historical_value", "returned_amount"):
        rows[name] = rows[name] / 10_000
    asked = {row["customer_id"]: row for row in rows.to_dict("records")}
    for row in tables["category_interest"].itertuples():
        asked[row.customer_id][f"interest.{row.category}"] = row.recent_interest_count
    return asked
