"""Told: texts that show values of columns, as people read them."""

import re

import ibis
import ibis.expr.types as ir

from c360_assets.terms.texts import UNKNOWN
from governance.actions import PLACE

# How columns are called that hold 0 to 1, and those that hold an amount in the reporting currency.
SHARES = re.compile(r"^(probability|propensity)_|_(probability|rate|share)$|^p_alive$|^value_share_above$")
AMOUNTS = re.compile(r"_(amount|value|potential)$|monetary$|^clv$|^annual_income$|^average_unit_price$")


def told(rows: ir.Table, text: str, currency: str) -> ir.StringValue:
    """The text with a column's value in place of its name in braces: shares as percentages, amounts with currency."""
    parts = PLACE.split(text)
    # Every second one is what stood in braces.
    shown = [_shown(rows, part, currency) if place % 2 else ibis.literal(part) for place, part in enumerate(parts)]
    whole = shown[0]
    for one in shown[1:]:
        whole = whole + one
    return whole


def _shown(rows: ir.Table, name: str, currency: str) -> ir.StringValue:
    value = rows[name]
    if value.type().is_string():
        text = value
    elif value.type().is_boolean():
        text = ibis.cases((value, "yes"), (~value, "no"))
    elif SHARES.search(name):
        text = (value * 100).round().cast("int64").cast("string") + " %"
    elif AMOUNTS.search(name):
        text = value.cast("decimal(18, 2)").cast("string") + f" {currency}"
    elif value.type().is_integer():
        text = value.cast("string")
    else:
        text = value.cast("decimal(18, 1)").cast("string")
    return text.fill_null(UNKNOWN)
