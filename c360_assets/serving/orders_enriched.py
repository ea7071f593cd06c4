"""Orders enriched: every order line with its order, its customer, its product and its brand, for analysts."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.joins import widened

ORDER = (
    "order_id",
    "is_completed",
    "is_anonymous",
    "delivered_at",
    "payment_method",
    "sales_channel",
    "season",
    "shipping_type",
    "shipping_country",
    "shipping_state",
    "has_discount",
    "has_promo_code",
    "promo_code",
)
CUSTOMER = ("customer_id", "gender", "age", "state", "country", "is_premium")
SEGMENT = ("customer_id", "customer_segment", "engagement_level", "primary_segment", "value_tier", "persona")
PRODUCT = (
    "sku_id",
    "product_name",
    "product_category",
    "product_subcategory",
    "product_colour",
    "product_size",
    "brand_name",
    "parent_company",
    "brand_type",
    "list_price",
)


@dg.asset
def orders_enriched(
    order_lines: ir.Table, orders: ir.Table, customers: ir.Table, customer_segments: ir.Table, products: ir.Table
) -> ir.Table:
    """One row per line of an order placed by as_of."""
    profiles = customers.select(CUSTOMER).join(customer_segments.select(SEGMENT), "customer_id")
    parts = ((orders.select(ORDER), "order_id"), (profiles, "customer_id"), (products.select(PRODUCT), "sku_id"))
    wide = order_lines
    for part, key in parts:
        wide = widened(wide, key, part)
    return wide
