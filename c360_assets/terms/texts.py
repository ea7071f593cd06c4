"""Texts: what stands for a value that is not known, and several reasons in one."""

import ibis
import ibis.expr.types as ir

# The group of those of whom it is not known.
UNKNOWN = "unknown"


def joined_texts(texts: list[ir.StringValue]) -> ir.StringValue:
    """The texts that are there, with `; ` between them; null where there is none."""
    # CONCAT_WS, which passes over null; a list of texts, filtered and joined, takes many times as long.
    return ibis.literal("; ").join(texts).nullif("")
