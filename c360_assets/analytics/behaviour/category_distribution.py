"""Category distribution: which kinds of products the shop lives on, and which are only looked at."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY, pieces
from c360_assets.terms.joins import widened
from c360_assets.terms.texts import UNKNOWN

COUNTS = ("customer_count", "order_count", "item_count")


@dg.asset
def category_distribution(
    order_lines: ir.Table, product_views: ir.Table, items_added_to_cart: ir.Table, products: ir.Table
) -> ir.Table:
    """One row per product category of the catalogue, and one for what was sold or seen outside it."""
    catalogue = products.select(sku="sku_id", category=products.product_category.fill_null(UNKNOWN))
    sold = _sold(order_lines, catalogue)
    viewed = _seen(product_views, catalogue, "view_count")
    carted = _seen(items_added_to_cart, catalogue, "cart_count")
    parts = (sold, viewed, carted)
    categories = ibis.union(*(part.select("category") for part in (catalogue, *parts)), distinct=True)
    joined = widened(categories, "category", *parts)
    has_events = (viewed.count() > 0).as_scalar() | (carted.count() > 0).as_scalar()
    filled = joined.mutate(
        **{name: joined[name].fill_null(0) for name in COUNTS},
        revenue=joined.revenue.fill_null(0).cast(MONEY),
        view_count=has_events.ifelse(joined.view_count.fill_null(0), None),
        cart_count=has_events.ifelse(joined.cart_count.fill_null(0), None),
    )
    total = filled.revenue.sum().over(ibis.window()).cast("float64")
    has_orders = filled.order_count.max().over(ibis.window()) > 0
    rate = filled.order_count / filled.view_count.nullif(0)
    return filled.mutate(
        revenue_share=filled.revenue.cast("float64") / total.nullif(0),
        view_to_order_rate=has_orders.ifelse(rate, None),
    )


def _sold(order_lines: ir.Table, catalogue: ir.Table) -> ir.Table:
    """What was sold of each category, to customers known or not."""
    sales = order_lines.filter(order_lines.line_kind == "sale")
    lines = sales.left_join(catalogue, sales.sku_id == catalogue.sku)
    return lines.group_by(category=lines.category.fill_null(UNKNOWN)).agg(
        customer_count=lines.customer_id.nunique(),
        order_count=lines.order_id.nunique(),
        item_count=pieces(lines.quantity).sum().cast("int64"),
        revenue=lines.line_amount.sum().cast(MONEY),
    )


def _seen(events: ir.Table, catalogue: ir.Table, count: str) -> ir.Table:
    """Web events of each category. Counted by product first: there are far fewer of them than of events."""
    by_product = events.group_by("product_sku").agg(size=events.count())
    named = by_product.left_join(catalogue, by_product.product_sku == catalogue.sku)
    return named.group_by(category=named.category.fill_null(UNKNOWN)).agg(named["size"].sum().cast("int64").name(count))
