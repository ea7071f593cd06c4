"""Sessions: visits to the shop, each with what it led to."""

import dagster as dg
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from c360_assets.terms.activity import ORDER_PLACED, placed_once
from c360_assets.terms.inputs import HOURLY_SOURCE
from c360_assets.terms.joins import widened
from c360_assets.terms.time import until


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def sessions(web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per web session by as_of, in or out of a customer account."""
    happened = until(web_analytics, "activity_ts", as_of)
    in_session = happened.filter(happened.session_id.notnull())
    events = in_session.mutate(place=_place(in_session))
    grouped = events.group_by("session_id").agg(
        entity_id=events.entity_id.max(),
        visitor_id=events.visitor_id.max(),
        visit_started_at=events.visit_start_ts.min(),
        first_event_at=events.activity_ts.min(),
        ended_at=events.activity_ts.max(),
        event_count=events.count(),
        product_view_count=_count(events, "product_view"),
        favorite_count=_count(events, "add_to_favorite"),
        cart_count=_count(events, "add_to_cart"),
        checkout_count=_count(events, "checkout"),
        device=_first(events.device, events.place),
        traffic_channel=_first(events.traffic_channel, events.place),
        traffic_source=_first(events.traffic_source, events.place),
        entry_page=_first(events.page_url, events.place),
        exit_page=_last(events.page_url, events.place),
    )
    grouped = widened(grouped, "session_id", _orders(in_session))
    grouped = grouped.mutate(order_count=grouped.order_count.fill_null(0))
    started_at = ibis.least(grouped.visit_started_at, grouped.first_event_at)
    return grouped.mutate(
        started_at=started_at,
        engagement_minutes=grouped.ended_at.delta(started_at, unit="second") / 60,
        is_bounce=grouped.event_count == 1,
        is_cart_abandoned=(grouped.cart_count > 0) & (grouped.order_count == 0),
    ).drop("visit_started_at", "first_event_at")


def _orders(events: ir.Table) -> ir.Table:
    """How many orders each session placed: an order is of the session that said so first."""
    placed = placed_once(events.filter(events.event_action == ORDER_PLACED))
    return placed.group_by("session_id").agg(order_count=placed.order_id.fill_null(placed.activity_uuid).nunique())


def _count(events: ir.Table, action: str) -> ir.IntegerScalar:
    return events.count(where=events.event_action == action)


def _place(events: ir.Table) -> ir.IntegerColumn:
    """Numbers in the order of the events; a hash of the identifier tells those of one moment apart.

    The product is 128 bits wide in DuckDB. Two columns to order by, or one of text, cost three times the memory.
    """
    return _microseconds(events.activity_ts) * ibis.literal(2**63, type="uint64") * 2 + _hash(events.activity_uuid)


@ibis.udf.scalar.builtin(name="epoch_us")  # type: ignore[untyped-decorator]
def _microseconds(moment: dt.timestamp) -> dt.int64:  # type: ignore[empty-body]
    """Microseconds since 1970."""


@ibis.udf.scalar.builtin(name="hash")  # type: ignore[untyped-decorator]
def _hash(text: str) -> dt.uint64:  # type: ignore[empty-body]
    """64 bits that are always the same for the same text."""


@ibis.udf.agg.builtin(name="arg_min")  # type: ignore[untyped-decorator]
def _first(value: str, place: int) -> str:  # type: ignore[empty-body]
    """The value at the lowest place that has one."""


@ibis.udf.agg.builtin(name="arg_max")  # type: ignore[untyped-decorator]
def _last(value: str, place: int) -> str:  # type: ignore[empty-body]
    """The value at the highest place that has one."""
