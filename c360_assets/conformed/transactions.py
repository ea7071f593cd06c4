"""Transactions: how orders were paid, and how soon."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.time import until


@dg.asset(ins={"paid": dg.AssetIn(["sources", "transactions"])})
def transactions(paid: ir.Table, orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per payment by as_of, with the customer of its order."""
    known = until(paid, "transaction_ts", as_of)
    ordered = orders.select("order_id", "customer_id", "ordered_at")
    joined = known.left_join(ordered, "order_id")
    return joined.select(
        transaction_id=joined.transaction_id,
        order_id=joined.order_id,
        customer_id=joined.customer_id,
        amount=joined.amount.cast(MONEY),
        payment_method=joined.payment_method,
        transacted_at=joined.transaction_ts,
        processing_seconds=_seconds(joined.transaction_ts) - _seconds(joined.ordered_at),
    )


def _seconds(at: ir.TimestampColumn) -> ir.IntegerColumn:
    # Without the cut, an engine may round half a second up.
    return at.truncate("s").epoch_seconds()
