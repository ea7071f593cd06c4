"""What adds up in the served tables, once more: from the conformed tables of `conformed` and published analytics."""

from collections.abc import Callable

import pandas as pd

from tests.second.conformed import Tables
from tests.tables import CONTRACTS

Published = Callable[[str], pd.DataFrame]


def orders_enriched(tables: Tables, published: Published) -> pd.DataFrame:
    """Every order line with what is known of its order, its customer, their segments and its product."""
    rows = tables["order_lines"]
    rows = _joined("orders_enriched", rows, tables["orders"], "order_id")
    rows = _joined("orders_enriched", rows, tables["customers"], "customer_id")
    rows = _joined("orders_enriched", rows, published("customer_segments"), "customer_id")
    return _joined("orders_enriched", rows, tables["products"], "sku_id")


def customer_360(tables: Tables, published: Published) -> pd.DataFrame:
    """Every customer with what conformed tables add up to, and what analytics say of them."""
    rows = tables["customers"].set_index("customer_id", drop=False).rename_axis(None)
    rows["as_of"] = tables["as_of"].as_of[0]
    rows = rows.join(_counted(_bought(tables["orders"]), rows, tables["orders"]))
    rows = rows.join(_counted(_visited(tables["sessions"]), rows, tables["sessions"]))
    rows["last_seen_at"] = rows[["last_ordered_at", "last_visit_at"]].max(axis=1)
    rows = rows.join(_preferred(tables)).join(_interests(published("category_interest")))
    rows = rows.join(_counted(_touched(published("touches")), rows, published("touches")))
    rows = rows.join(_audiences(published("audiences"))).join(_recommended(published("recommendations")))
    models = ("clusters", "lifetime_value", "churn_scores", "next_actions")
    for key in ("features", "browsing", "loyalty_members", "customer_segments", *models):
        rows = _joined("customer_360", rows, published(key), "customer_id")
    return rows


def _recommended(rows: pd.DataFrame) -> pd.Series:
    first = rows[rows["rank"] == 1].set_index("customer_id")
    return first.product_name.fillna(first.product_id).rename("top_recommendation")


def _joined(served: str, rows: pd.DataFrame, part: pd.DataFrame, key: str) -> pd.DataFrame:
    """The rows with the columns of the served table that they have not yet and `part` has."""
    names = [name for name in CONTRACTS[served].column_names if name in part.columns and name not in rows.columns]
    return rows.merge(part[[key, *names]], "left", on=key)


def _counted(measures: pd.DataFrame, people: pd.DataFrame, kind: pd.DataFrame) -> pd.DataFrame:
    """The measures of everybody: counts and amounts are 0 of who did nothing, and unknown where nothing is held."""
    numbers = [name for name in measures.columns if not name.endswith("_at")]
    everybody = measures.reindex(people.index)
    return everybody.fillna(dict.fromkeys(numbers, 0)) if len(kind) else everybody


def _bought(orders: pd.DataFrame) -> pd.DataFrame:
    orders = orders[orders.customer_id.notna()]
    of_customer, completed = orders.groupby("customer_id"), orders[orders.is_completed].groupby("customer_id")
    rows = pd.DataFrame(
        {
            "order_count": orders[orders.order_status != "adjustment"].customer_id.value_counts(),
            "open_order_count": orders[orders.order_status.isin(["pending", "unknown"])].customer_id.value_counts(),
            "frequency": completed.size(),
            "first_ordered_at": completed.ordered_at.min(),
            "last_ordered_at": completed.ordered_at.max(),
            "item_count": completed.item_count.sum(),
            "gross_monetary": completed.order_amount.sum(),
            "returned_amount": of_customer.returned_amount.sum(),
        }
    )
    rows["historical_value"] = rows.gross_monetary.fillna(0) - of_customer.refunded_amount.sum()
    rows["monetary"] = rows.historical_value.where(rows.frequency > 0, 0)
    return rows


def _visited(sessions: pd.DataFrame) -> pd.DataFrame:
    visits = sessions[sessions.entity_id.notna()].groupby("entity_id")
    return pd.DataFrame(
        {
            "session_count": visits.size(),
            "product_view_count": visits.product_view_count.sum(),
            "favorite_count": visits.favorite_count.sum(),
            "cart_count": visits.cart_count.sum(),
            "abandoned_cart_count": visits.is_cart_abandoned.sum(),
            "last_visit_at": visits.ended_at.max(),
        }
    )


def _touched(touches: pd.DataFrame) -> pd.DataFrame:
    of_customer = touches.groupby("customer_id")
    return pd.DataFrame({"touch_count": of_customer.touch_count.sum(), "channel_count": of_customer.channel.nunique()})


def _audiences(audiences: pd.DataFrame) -> pd.Series:
    shown = audiences[~audiences.is_sensitive].sort_values("precedence")
    return shown.groupby("customer_id").audience.agg("; ".join).rename("audiences")


def _interests(interests: pd.DataFrame) -> pd.Series:
    strongest = interests[interests.preference_rank <= 3].sort_values("preference_rank")
    return strongest.groupby("customer_id").category.agg("; ".join).rename("category_preferences")


def _preferred(tables: Tables) -> pd.DataFrame:
    lines, products, orders = tables["order_lines"], tables["products"].set_index("sku_id"), tables["orders"]
    sold, paid = lines[lines.line_kind == "sale"], orders[orders.is_completed]
    return pd.DataFrame(
        {
            "preferred_category": _most(sold.customer_id, sold.sku_id.map(products.product_category), sold.net_amount),
            "preferred_brand": _most(sold.customer_id, sold.sku_id.map(products.brand_name), sold.net_amount),
            "preferred_payment_method": _most(paid.customer_id, paid.payment_method, paid.is_completed.astype(int)),
        }
    )


def _most(customer: pd.Series, choice: pd.Series, weight: pd.Series) -> pd.Series:
    """Per customer the choice of most weight, of equals the first in the alphabet."""
    sums = weight.groupby([customer.rename("customer"), choice.rename("choice")]).sum().reset_index(name="weight")
    best = sums.sort_values(["weight", "choice"], ascending=[False, True]).drop_duplicates("customer")
    return best.set_index("customer").choice
