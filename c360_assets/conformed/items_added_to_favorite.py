"""Items added to favourite: which products customers want to remember."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.activity import wished
from c360_assets.terms.inputs import HOURLY_SOURCE


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def items_added_to_favorite(web_analytics: ir.Table, products: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per product added to the favourites."""
    return wished(web_analytics, products, "add_to_favorite", as_of)
