"""Touches: every channel by which a customer and the shop met, from web sessions to support."""

import dagster as dg
import ibis
import ibis.expr.types as ir
from ibis import _

from c360_assets.conformed.as_of import RECENT_DAYS, SOURCE, clock, until
from c360_assets.conformed.products import MONEY

UNKNOWN = "unknown"
SURVEY, REVIEW = "survey", "review"


@dg.asset(ins=dict.fromkeys(("marketing_touchpoint", "support_ticket", "survey_answer", "review"), SOURCE))
def touches(
    sessions: ir.Table,
    orders: ir.Table,
    marketing_touchpoint: ir.Table,
    support_ticket: ir.Table,
    survey_answer: ir.Table,
    review: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer, kind of channel and channel by which they met."""
    visits = sessions.mutate(customer_id=sessions.entity_id)
    answers = survey_answer.mutate(channel=ibis.literal(SURVEY))
    reviews = review.mutate(channel=ibis.literal(REVIEW))
    bought = orders.filter(orders.is_completed)
    met = [
        _met("web", visits, "started_at", "traffic_channel", as_of, order_count=_.order_count.sum()),
        _met("sales", bought, "ordered_at", "sales_channel", as_of, order_count=_.count()),
        _met(
            "marketing",
            marketing_touchpoint,
            "touched_at",
            "traffic_channel",
            as_of,
            cost=_.cost.cast(MONEY).sum(),
        ),
        _met("support", support_ticket, "opened_at", "contact_channel", as_of),
        _met("feedback", answers, "answered_at", "channel", as_of),
        _met("feedback", reviews, "reviewed_at", "channel", as_of),
    ]
    return ibis.union(*met)


def _met(kind: str, rows: ir.Table, at: str, channel: str, as_of: ir.Table, **sums: ibis.Deferred) -> ir.Table:
    """The rows of one source by customer and channel; what it cannot count is 0."""
    known = until(rows, at, as_of)
    known = known.filter(known.customer_id.notnull())
    ago = clock(as_of).days_since(known[at])
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
