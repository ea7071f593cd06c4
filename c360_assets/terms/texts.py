"""Texts: what stands for a value that is not known, and several reasons in one."""

import ibis
import ibis.expr.types as ir

# The group of those of whom it is not known.
UNKNOWN = "unknown"
# What stands around a text and means nothing: blanks, tabs, breaks of lines and pages.
BLANKS = "[ \\t\\n\\r\\v\\f]+"


def stripped(text: ir.StringValue) -> ir.StringValue:
    """The text without the blanks around it.

    Not by `strip`: for Spark, Ibis makes a v and an f of what `strip` has for the breaks, and takes these from words.
    """
    return text.re_replace(f"^{BLANKS}|{BLANKS}$", "")


def joined_texts(texts: list[ir.StringValue]) -> ir.StringValue:
    """The texts that are there, with `; ` between them; null where there is none."""
    # CONCAT_WS, which passes over null; a list of texts, filtered and joined, takes many times as long.
    return ibis.literal("; ").join(texts).nullif("")
