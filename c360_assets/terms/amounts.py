"""Amounts: money and pieces."""

import ibis.expr.types as ir

MONEY = "decimal(18, 4)"


def pieces(quantity: ir.NumericColumn) -> ir.IntegerColumn:
    """How many pieces a quantity is: goods sold by weight or length are one."""
    return (quantity == quantity.floor()).ifelse(quantity, 1).cast("int64")
