"""The points account: its entries by kind, and orders on which points were burned beside those without."""

from decimal import Decimal

import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import until
from c360_assets.conformed.joins import widened
from c360_assets.conformed.products import MONEY

# Assumption: what one point is worth to whoever burns it, in the reporting currency.
POINT_VALUE = ibis.literal(Decimal("0.01"), type=MONEY)
KINDS = {"earned": "earn", "burned": "burn", "expired": "expire"}


def entries(loyalty_ledger: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per entry by as_of in the account of a customer, with the points earned, burned or expired by it.

    An entry of the other sign than most of its kind takes back one before it. Some systems write what is taken as
    negative numbers, others not: which of the two it is, the kind as a whole tells.
    """
    made = until(loyalty_ledger.filter(loyalty_ledger.customer_id.notnull()), "entry_ts", as_of)
    made = made.mutate(kind=made.entry_type.strip().lower(), signed=made.points.cast("int64").fill_null(0))
    usual = made.group_by(usual_kind=made.kind).agg(sign=made.signed.sign().cast("int64").sum())
    made = made.left_join(usual, made.kind == usual.usual_kind)
    kind, points = made.kind, (made.sign < 0).fill_null(False).ifelse(-made.signed, made.signed)
    return made.select(
        "customer_id",
        "order_id",
        entry_at="entry_ts",
        is_earn=((kind == "earn") & (points >= 0)).fill_null(False),
        is_burn=((kind == "burn") & (points >= 0)).fill_null(False),
        **{name: (kind == word).ifelse(points, 0) for name, word in KINDS.items()},
    )


def cost(points: ir.NumericValue) -> ir.DecimalValue:
    """What points are worth (reporting currency)."""
    return (points * POINT_VALUE).cast(MONEY)


def rewarded(orders: ir.Table, made: ir.Table) -> ir.Table:
    """One row per completed order of known value on which points were burned.

    Beside it stands what the same customer spends on average per later completed order without burning, held by as_of,
    to the precision of amounts; null where there is none. Earlier orders are no measure: a large account comes from
    large orders, so against these, orders with large rewards would seem small whatever the rewards do.
    """
    spent = made.filter((made.burned > 0) & made.order_id.notnull())
    burned = spent.group_by("order_id").agg(points_burned=spent.burned.sum())
    is_known = orders.is_completed & orders.order_amount.notnull() & orders.customer_id.notnull()
    bought = orders.filter(is_known).select("order_id", "customer_id", "ordered_at", "order_amount")
    theirs = widened(bought, "order_id", burned)
    later = ibis.window(
        group_by=theirs.customer_id,
        order_by=[theirs.ordered_at.desc(), theirs.order_id.desc()],
        preceding=(None, 1),
    )
    is_without = theirs.points_burned.isnull() & theirs.ordered_at.notnull()
    compared = theirs.mutate(
        later_amount=theirs.order_amount.sum(where=is_without).over(later),
        later_count=is_without.cast("int64").sum().over(later),
    ).filter(theirs.points_burned.notnull())
    usual_amount = (compared.later_amount / compared.later_count.nullif(0)).cast(MONEY)
    found = compared.mutate(
        usual_amount=compared.ordered_at.notnull().ifelse(usual_amount, ibis.null(MONEY)),
        cost=cost(compared.points_burned),
    )
    return found.mutate(uplift=(found.order_amount - found.usual_amount).cast(MONEY))
