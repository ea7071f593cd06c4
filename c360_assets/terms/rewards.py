"""Rewards: what points are worth, and orders on which they were burned beside those without."""

from decimal import Decimal

import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.joins import widened

# Assumption: what one point is worth to whoever burns it, in the reporting currency.
POINT_VALUE = ibis.literal(Decimal("0.01"), type=MONEY)


def cost(points: ir.NumericValue) -> ir.DecimalValue:
    """What points are worth (reporting currency)."""
    return (points * POINT_VALUE).cast(MONEY)


def rewarded(orders: ir.Table, points: ir.Table) -> ir.Table:
    """One row per completed order of known value on which points were burned.

    Beside it stands what the same customer spends on average per later completed order without burning, held by as_of,
    to the precision of amounts; null where there is none. Earlier orders are no measure: a large account comes from
    large orders, so against these, orders with large rewards would seem small whatever the rewards do.
    """
    spent = points.filter((points.burned > 0) & points.order_id.notnull())
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
