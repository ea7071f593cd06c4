"""Rates: a part of a whole."""

import ibis.expr.types as ir


def rate(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """How much of the whole the part is, null where there is no whole."""
    return part.cast("float64") / whole.cast("float64").nullif(0)
