"""Touches: every channel by which a customer and the shop met, from web sessions to support."""

import dagster as dg
import ibis
import ibis.expr.types as ir
from ibis import _

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.texts import UNKNOWN
from c360_assets.terms.time import RECENT_DAYS, Clock, clock

SURVEY, REVIEW = "survey", "review"


@dg.asset
def touches(
    sessions: ir.Table,
    orders: ir.Table,
    contacts: ir.Table,
    tickets: ir.Table,
    answers: ir.Table,
    ratings: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer, kind of channel and channel by which they met."""
    visits = sessions.mutate(customer_id=sessions.entity_id)
    surveyed = answers.mutate(channel=ibis.literal(SURVEY))
    reviewed = ratings.mutate(channel=ibis.literal(REVIEW))
    bought = orders.filter(orders.is_completed)
    now = clock(as_of)
    met = [
        _met("web", visits, "started_at", "traffic_channel", now, order_count=_.order_count.sum()),
        _met("sales", bought, "ordered_at", "sales_channel", now, order_count=_.count()),
        _met("marketing", contacts, "touched_at", "traffic_channel", now, cost=_.cost.sum()),
        _met("support", tickets, "opened_at", "contact_channel", now),
        _met("feedback", surveyed, "answered_at", "channel", now),
        _met("feedback", reviewed, "reviewed_at", "channel", now),
    ]
    return ibis.union(*met)


def _met(kind: str, rows: ir.Table, at: str, channel: str, now: Clock, **sums: ibis.Deferred) -> ir.Table:
    """The rows of one table by customer and channel; what it cannot count is 0."""
    known = rows.filter(rows.customer_id.notnull())
    ago = now.days_since(known[at])
    counted = known.group_by(customer_id="customer_id", channel=known[channel].fill_null(UNKNOWN)).agg(
        touch_count=known.count(),
        recent_touch_count=known.count(where=ago < RECENT_DAYS),
        first_at=known[at].min(),
        last_at=known[at].max(),
        **{"cost": ibis.literal(0), "order_count": ibis.literal(0)} | sums,
    )
    return counted.select(
        "customer_id",
        "channel",
        "touch_count",
        "recent_touch_count",
        "first_at",
        "last_at",
        channel_kind=ibis.literal(kind),
        cost=counted.cost.fill_null(0).cast(MONEY),
        order_count=counted.order_count.fill_null(0).cast("int64"),
    )
