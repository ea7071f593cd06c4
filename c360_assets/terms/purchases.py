"""Purchases: which products were bought in which order, and what the products are."""

import ibis.expr.types as ir

FACTS = ("product_name", "product_category", "brand_name")


def sold_products(order_lines: ir.Table) -> ir.Table:
    """One row per completed order and product sold in it: order_id, product_id, customer_id, ordered_at."""
    sold = order_lines.filter(order_lines.line_kind == "sale", order_lines.product_id.notnull())
    # An order has one customer and one moment, whichever line they are taken from.
    return sold.group_by(["order_id", "product_id"]).agg(
        customer_id=sold.customer_id.max(), ordered_at=sold.ordered_at.max()
    )


def product_facts(products: ir.Table) -> ir.Table:
    """One row per product: what its SKUs are called, the first by the alphabet, and when the first was launched."""
    return products.group_by("product_id").agg(
        **{name: products[name].min() for name in FACTS}, launched_at=products.launched_at.min()
    )
