"""Customer 360: the profile of each customer, from all other tables."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import moment
from c360_assets.conformed.products import MONEY

DEMOGRAPHICS = (
    "customer_id",
    "is_registered",
    "gender",
    "age",
    "education_level",
    "marital_status",
    "number_of_children",
    "occupation",
    "annual_income",
    "city",
    "state_code",
    "state",
    "country",
    "registered_at",
    "is_premium",
    "degree_of_loyalty",
    "accepts_email",
    "accepts_sms",
    "accepts_phone",
    "preferred_channel",
    "previous_purchases",
    "purchase_frequency",
)
SEGMENTS = (
    "customer_id",
    "frequency",
    "monetary",
    "recency_days",
    "recency_score",
    "frequency_score",
    "monetary_score",
    "rfm_code",
    "customer_segment",
    "engagement_level",
    "primary_segment",
    "rule_version",
)
COUNTS = ("item_count", "product_view_count", "favorite_count", "cart_count", "returned_amount")


@dg.asset
def customer_360(
    customers: ir.Table,
    customer_segments: ir.Table,
    orders: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    product_views: ir.Table,
    items_added_to_favorite: ir.Table,
    items_added_to_cart: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer known to any system."""
    parts = [
        customer_segments.select(SEGMENTS),
        _bought(orders),
        _preferences(order_lines, products),
        _most_used(orders, "payment_method", "preferred_payment_method"),
        _seen(product_views, "product_view_count"),
        _seen(items_added_to_favorite, "favorite_count"),
        _seen(items_added_to_cart, "cart_count"),
    ]
    wide = customers.select(DEMOGRAPHICS)
    for part in parts:
        wide = wide.left_join(part, "customer_id").drop("customer_id_right")
    counted = wide.mutate(**{count: wide[count].fill_null(0) for count in COUNTS})
    seen = ("product_view_count", "favorite_count", "cart_count")
    return counted.mutate(
        as_of=moment(as_of),
        average_order_amount=counted.monetary.cast("float64") / counted.frequency.nullif(0),
        last_seen_at=ibis.greatest(counted.last_ordered_at, *[counted[f"{name}_last_at"] for name in seen]),
    ).drop([f"{name}_last_at" for name in seen])


def _bought(orders: ir.Table) -> ir.Table:
    return orders.group_by("customer_id").agg(
        first_ordered_at=orders.ordered_at.min(where=orders.is_completed),
        last_ordered_at=orders.ordered_at.max(where=orders.is_completed),
        returned_amount=orders.returned_amount.sum().cast(MONEY),
        item_count=orders.item_count.sum(where=orders.is_completed),
    )


def _seen(activities: ir.Table, count: str) -> ir.Table:
    return activities.group_by(customer_id="entity_id").agg(
        **{count: ibis._.count(), f"{count}_last_at": ibis._.activity_ts.max()}
    )


def _preferences(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """Category and brand on which each customer spent most."""
    sold = order_lines.filter(order_lines.line_kind == "sale", order_lines.customer_id.notnull())
    named = sold.join(products.select("sku_id", "product_category", "brand_name"), "sku_id")
    by_category = _top(named, "product_category", ibis._.line_amount.sum(), "preferred_category")
    by_brand = _top(named, "brand_name", ibis._.line_amount.sum(), "preferred_brand")
    return by_category.outer_join(by_brand, "customer_id").select(
        "preferred_category",
        "preferred_brand",
        customer_id=ibis.coalesce(ibis._.customer_id, ibis._.customer_id_right),
    )


def _most_used(orders: ir.Table, column: str, name: str) -> ir.Table:
    completed = orders.filter(orders.is_completed, orders.customer_id.notnull())
    return _top(completed, column, ibis._.count(), name)


def _top(rows: ir.Table, column: str, weight: ibis.Deferred, name: str) -> ir.Table:
    """Per customer the value of `column` with the greatest weight; the alphabet settles ties."""
    weighed = rows.filter(rows[column].notnull()).group_by(["customer_id", column]).agg(weight=weight)
    first = ibis.window(group_by="customer_id", order_by=[weighed.weight.desc(), column])
    ranked = weighed.mutate(place=ibis.row_number().over(first))
    return ranked.filter(ranked.place == 0).select("customer_id", **{name: column})
