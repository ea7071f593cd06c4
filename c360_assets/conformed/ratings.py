"""Ratings: how many stars customers give to what they bought."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.time import until

# The scale of the contract. A rating outside says nothing.
LEAST, GREATEST = 1, 5


@dg.asset(ins={"review": SOURCE})
def ratings(review: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per review written by as_of."""
    written = until(review, "reviewed_at", as_of)
    is_on_scale = written.rating.between(LEAST, GREATEST)
    return written.select(
        "review_id",
        "customer_id",
        "sku_id",
        "reviewed_at",
        # Exact, so that a mean does not depend on the order of rows.
        rating=is_on_scale.ifelse(written.rating.cast(MONEY), ibis.null(MONEY)),
    )
