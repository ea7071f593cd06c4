"""Browsing: what customers do in the shop before, beside and instead of ordering."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.joins import widened
from c360_assets.terms.time import RECENT_DAYS, clock


@dg.asset
def browsing(sessions: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer with a web session."""
    visits = sessions.filter(sessions.entity_id.notnull()).rename(customer_id="entity_id")
    ago = clock(as_of).days_since(visits.started_at)
    summed = visits.group_by("customer_id").agg(
        session_count=visits.count(),
        product_view_count=visits.product_view_count.sum().cast("int64"),
        favorite_count=visits.favorite_count.sum().cast("int64"),
        cart_count=visits.cart_count.sum().cast("int64"),
        abandoned_cart_count=visits.count(where=visits.is_cart_abandoned),
        web_order_count=visits.order_count.sum().cast("int64"),
        engagement_seconds=visits.ended_at.delta(visits.started_at, unit="second").sum(),
        bounce_count=visits.count(where=visits.is_bounce),
        first_seen_at=visits.started_at.min(),
        last_seen_at=visits.ended_at.max(),
        recent_session_count=visits.count(where=ago < RECENT_DAYS),
        former_session_count=visits.count(where=ago.between(RECENT_DAYS, 2 * RECENT_DAYS - 1)),
    )
    measured = summed.mutate(
        engagement_minutes=summed.engagement_seconds.cast("float64") / 60,
        bounce_rate=summed.bounce_count / summed.session_count,
    ).drop("engagement_seconds", "bounce_count")
    preferred = (_preferred(visits, column) for column in ("device", "traffic_channel"))
    return widened(measured, "customer_id", *preferred)


def _preferred(visits: ir.Table, column: str) -> ir.Table:
    """The value most of a customer's sessions have; the alphabet settles ties."""
    known = visits.filter(visits[column].notnull())
    counted = known.group_by("customer_id", column).agg(visits=known.count())
    best = counted[column].first(order_by=[ibis.desc(counted.visits), counted[column]])
    return counted.group_by("customer_id").agg(best.name(f"preferred_{column}"))
