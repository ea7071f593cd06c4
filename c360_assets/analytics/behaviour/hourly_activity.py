"""Hourly activity: at which hours of the week customers visit and order."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms.joins import widened
from c360_assets.terms.texts import joined_texts
from c360_assets.terms.time import Clock, clock

WEEK = [(weekday, hour) for weekday in range(1, 8) for hour in range(24)]
NO_TIMES = "carry dates, not times"
# Where first and last lie less apart, an hour without anything may be one that was never there.
DAYS_APART = 6
SPANS = ("is_timed", "first_at", "last_at")
TOO_FEW = "of less than a week are held"


@dg.asset
def hourly_activity(sessions: ir.Table, orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per weekday, 1 Monday to 7 Sunday, and hour of the day, 0 to 23, by the shop's clock."""
    sales = orders.filter(orders.is_completed & orders.ordered_at.notnull())
    counted = {"product_view_count": sessions.product_view_count.sum(), "cart_count": sessions.cart_count.sum()}
    now = clock(as_of)
    visited = _by_hour(sessions, sessions.started_at, now, session_count=sessions.count(), **counted)
    ordered = _by_hour(sales, sales.ordered_at, now, order_count=sales.count())
    no_visits = _known(visited, "session_count", absent="no web events", of="web events")
    no_orders = _known(ordered, "order_count", absent="no dated orders", of="orders")
    hours = _week().cross_join(no_visits, no_orders)
    joined = widened(hours, ("weekday", "hour"), visited.drop(*SPANS), ordered.drop(*SPANS))
    visit_reason, order_reason = joined.session_count_reason, joined.order_count_reason
    with_totals = joined.mutate(
        **{name: _or_none(joined[name], visit_reason) for name in ("session_count", *counted)},
        order_count=_or_none(joined.order_count, order_reason),
        reason=joined_texts([visit_reason, order_reason]),
    )
    return with_totals.select(
        "weekday",
        "hour",
        "session_count",
        "product_view_count",
        "cart_count",
        "order_count",
        "reason",
        session_share=with_totals.session_count / with_totals.session_count_total.nullif(0),
        order_share=with_totals.order_count / with_totals.order_count_total.nullif(0),
    )


def _by_hour(rows: ir.Table, at: ir.TimestampColumn, now: Clock, **counts: ir.IntegerScalar) -> ir.Table:
    """Counts by hour of the week, when it first and last happened, and whether ever at another time than midnight."""
    moment = now.local(at)
    weekday, hour = moment.day_of_week.index() + 1, moment.hour()
    return rows.group_by(weekday=weekday.cast("int32"), hour=hour.cast("int32")).agg(
        is_timed=(moment != moment.truncate("day")).any(),
        first_at=at.min(),
        last_at=at.max(),
        **{name: count.cast("int64") for name, count in counts.items()},
    )


def _known(hours: ir.Table, count: str, absent: str, of: str) -> ir.Table:
    """One row: how many there are in all, and why that says nothing of hours, where it does not."""
    found = hours.agg(
        total=hours[count].sum().fill_null(0).cast("int64"),
        is_timed=hours.is_timed.any(),
        is_short=hours.last_at.max() < hours.first_at.min() + ibis.interval(days=DAYS_APART),
    )
    reason = ibis.cases(
        (found.total == 0, absent), (~found.is_timed, f"{of} {NO_TIMES}"), (found.is_short, f"{of} {TOO_FEW}")
    )
    return found.select(**{f"{count}_total": found.total, f"{count}_reason": reason})


def _week() -> ir.Table:
    weekdays, hours = zip(*WEEK, strict=True)
    return ibis.memtable(pa.table({"weekday": pa.array(weekdays, pa.int32()), "hour": pa.array(hours, pa.int32())}))


def _or_none(count: ir.IntegerColumn, reason: ir.StringColumn) -> ir.IntegerColumn:
    """Nothing in an hour is 0, unless there is a reason not to know."""
    return reason.isnull().ifelse(count.fill_null(0), None)
