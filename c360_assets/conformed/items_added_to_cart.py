"""Items added to cart: which products customers mean to buy."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.activity import wished
from c360_assets.terms.inputs import HOURLY_SOURCE


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def items_added_to_cart(web_analytics: ir.Table, products: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per product put into the cart."""
    return wished(web_analytics, products, "add_to_cart", as_of)
