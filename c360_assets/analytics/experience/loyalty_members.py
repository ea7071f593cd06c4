"""Loyalty members: the points account of each customer, and whether it is used."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.rates import rate
from c360_assets.terms.time import RECENT_DAYS, clock

# A member who earned or burned points recently is active; else, less than so many days ago, dormant.
DORMANT_DAYS = 365


@dg.asset
def loyalty_members(points: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer with an entry in the loyalty ledger by as_of."""
    now = clock(as_of)
    made = points.mutate(is_recent=now.days_since(points.entry_at) < RECENT_DAYS)
    is_use = made.is_earn | made.is_burn
    summed = made.group_by("customer_id").agg(
        points_earned=made.earned.sum(),
        points_burned=made.burned.sum(),
        points_expired=made.expired.sum(),
        earn_count=made.is_earn.sum(),
        burn_count=made.is_burn.sum(),
        joined_at=made.entry_at.min(),
        last_entry_at=made.entry_at.max(),
        last_activity_at=made.entry_at.max(where=is_use),
        recent_earn_count=(made.is_earn & made.is_recent).fill_null(False).sum(),
        recent_burn_count=(made.is_burn & made.is_recent).fill_null(False).sum(),
    )
    idle_days = now.days_since(summed.last_activity_at)
    is_dated = now.now.notnull() & summed.last_entry_at.notnull()
    return summed.mutate(
        points_balance=summed.points_earned - summed.points_burned - summed.points_expired,
        burn_rate=rate(summed.points_burned, summed.points_earned),
        recent_earn_count=is_dated.ifelse(summed.recent_earn_count, None),
        recent_burn_count=is_dated.ifelse(summed.recent_burn_count, None),
        is_engaged=idle_days < RECENT_DAYS,
        member_state=ibis.cases(
            (idle_days < RECENT_DAYS, "active"),
            (idle_days < DORMANT_DAYS, "dormant"),
            (idle_days.notnull(), "lapsed"),
        ),
    )
