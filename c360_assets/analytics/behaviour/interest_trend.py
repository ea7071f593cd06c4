"""Interest trend: what customers looked at, wished for and ordered on each of the last days."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.joins import widened
from c360_assets.terms.texts import joined_texts
from c360_assets.terms.time import Clock, clock

DAYS = 30
AVERAGED_DAYS = 7
WEB_COUNTS = ("product_view_count", "favorite_count", "cart_count", "session_count", "customer_count")


@dg.asset
def interest_trend(
    product_views: ir.Table,
    items_added_to_favorite: ir.Table,
    items_added_to_cart: ir.Table,
    sessions: ir.Table,
    orders: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per day of the last 30 up to as_of."""
    now = clock(as_of)
    views = _daily(product_views, now, "activity_ts", "product_view_count")
    favorites = _daily(items_added_to_favorite, now, "activity_ts", "favorite_count")
    carts = _daily(items_added_to_cart, now, "activity_ts", "cart_count")
    visits = _daily(sessions, now, "started_at", "session_count")
    sales = _daily(orders.filter(orders.is_completed), now, "ordered_at", "order_count")
    engaged = _engaged((product_views, items_added_to_favorite, items_added_to_cart), now)
    trend = widened(_days(as_of, now), "active_on", views, favorites, carts, visits, engaged, sales)
    started = _started(web=(views, favorites, carts, visits), orders=(sales,))
    return _measured(trend.cross_join(started))


def _days(as_of: ir.Table, now: Clock) -> ir.Table:
    """The days spoken of and those before that the average needs; `ago` is 0 for the day of as_of."""
    known = as_of.filter(as_of.as_of.notnull())
    days = known.select(today=now.local(known.as_of).date(), ago=ibis.range(DAYS + AVERAGED_DAYS - 1).unnest())
    return days.select("ago", active_on=(days.today - days.ago.as_interval("D")).cast("date"))


def _daily(rows: ir.Table, now: Clock, at: str, name: str) -> ir.Table:
    dated = rows.filter(rows[at].notnull())
    return dated.group_by(active_on=now.local(dated[at]).date()).agg(dated.count().name(name))


def _engaged(interests: tuple[ir.Table, ...], now: Clock) -> ir.Table:
    """Customers who looked at a product or wished for one, on each of the last days."""
    # In UTC, in which files are sought; a day more holds what the shop's clock shows of the first.
    first_day = now.now.truncate("day") - ibis.interval(days=DAYS)
    recent = [rows.filter(rows.activity_ts >= first_day) for rows in interests]
    seen = ibis.union(*(rows.select("entity_id", active_on=now.local(rows.activity_ts).date()) for rows in recent))
    return seen.group_by("active_on").agg(customer_count=seen.entity_id.nunique())


def _started(**parts: tuple[ir.Table, ...]) -> ir.Table:
    """One row: the first day on which there is anything of each kind; before it nothing can be told."""
    first = [
        ibis.union(*(days.select("active_on") for days in daily)).agg(ibis._.active_on.min().name(f"{name}_from"))
        for name, daily in parts.items()
    ]
    return first[0].cross_join(*first[1:])


def _measured(days: ir.Table) -> ir.Table:
    is_browsed = (days.active_on >= days.web_from).fill_null(False)
    is_sold = (days.active_on >= days.orders_from).fill_null(False)
    counts = {name: is_browsed.ifelse(days[name].fill_null(0), None) for name in WEB_COUNTS}
    week = ibis.window(order_by=days.active_on, preceding=AVERAGED_DAYS - 1, following=0)
    average = days.product_view_count.sum().over(week).fill_null(0).cast("int64") / AVERAGED_DAYS
    is_week_held = days.active_on.delta(days.web_from, unit="day") >= AVERAGED_DAYS - 1
    no_events = is_browsed.ifelse(ibis.null("string"), "no web events")
    no_orders = is_sold.ifelse(ibis.null("string"), "no dated orders")
    measured = days.mutate(
        **counts,
        order_count=is_sold.ifelse(days.order_count.fill_null(0), None),
        seven_day_average=is_week_held.ifelse(average, None),
        reason=joined_texts([no_events, no_orders]),
    )
    return measured.filter(measured.ago < DAYS).drop("ago", "web_from", "orders_from")
