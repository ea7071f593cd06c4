"""Statuses of orders in our vocabulary: which are sales, and what was known of an order at a moment."""

import ibis.expr.types as ir

from c360_assets.terms.texts import stripped
from c360_assets.terms.time import Clock

SALES = ("placed", "paid", "shipped", "delivered", "completed")
RETURNS = ("returned", "refunded")
UNKNOWN = "unknown"
STATUSES = (*SALES, *RETURNS, "cancelled", "failed", "pending", "adjustment")


def status_then(orders: ir.Table, then: Clock) -> ir.StringColumn:
    """The status of source orders by a moment: what is delivered later was placed then, and not yet returned."""
    now = status(orders.order_status)
    is_to_come = (orders.order_delivery_date > then.now).fill_null(False)
    return (is_to_come & now.isin(("shipped", "delivered", "completed", *RETURNS))).ifelse("placed", now)


def status(text: ir.StringColumn) -> ir.StringColumn:
    """The status in our vocabulary; `unknown` where the source's word is none of it, or there is none."""
    spelt = stripped(text).lower()
    return spelt.isin(STATUSES).fill_null(False).ifelse(spelt, UNKNOWN)


def is_completed(order_status: ir.StringColumn) -> ir.BooleanColumn:
    """Whether an order of this status is a sale that stands; one of unknown status is not, until somebody says so."""
    return order_status.isin(SALES)
