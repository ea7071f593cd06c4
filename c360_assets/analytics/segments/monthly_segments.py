"""Monthly segments: who was in which segment at the end of each of the last twelve months, and is now.

What RFM and the segment rules say of the orders that had been placed by then. The orders are grown month by month,
not counted anew for each: one row per customer and month with an order is all that is ranked.
"""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.analytics.segments.rfm import with_scores
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.segment_rules import first
from c360_assets.terms.time import Clock, clock
from governance.segments import Rule, Rules, columns_of

# Month ends before as_of. A month is numbered by how many it lies back, that of as_of being 0.
MONTHS = 12


@dg.asset
def monthly_segments(orders: ir.Table, as_of: ir.Table, rules: dg.ResourceParam[Callable[[], Rules]]) -> ir.Table:
    """One row per customer and month end (and as_of), for customers with a completed order by then."""
    now = rules()
    at = clock(as_of)
    measured = _measured(_grown(_monthly(orders, at)), as_of, at)
    scored = with_scores(measured, per=["back"])
    return scored.select(
        "customer_id",
        "month_on",
        "is_whole",
        "recency_days",
        "monetary",
        "recency_score",
        "frequency_score",
        "monetary_score",
        frequency=scored.frequency.cast("int64"),
        engagement_level=_segment(scored, now.segmentations["engagement_level"]),
        customer_segment=_segment(scored, now.segmentations["customer_segment"]),
    )


def _monthly(orders: ir.Table, at: Clock) -> ir.Table:
    """One row per customer and month with an order; what is older, or undated, counts from the first month."""
    placed = orders.filter(orders.customer_id.notnull(), orders.is_completed | (orders.refunded_amount > 0))
    ordered_at = at.local(placed.ordered_at)
    back = ibis.least(_number(at.today) - _number(ordered_at), MONTHS).fill_null(MONTHS).cast("int32")
    return placed.group_by("customer_id", back=back).agg(
        order_count=placed.is_completed.sum(),
        amount=(placed.order_amount.fill_null(0) - placed.refunded_amount).sum().cast(MONEY),
        first_on=ordered_at.min(where=placed.is_completed).date(),
        last_on=ordered_at.max(where=placed.is_completed).date(),
    )


def _grown(monthly: ir.Table) -> ir.Table:
    """One row per customer and month from the first with a completed order on: everything bought by its end."""
    so_far = ibis.cumulative_window(group_by=monthly.customer_id, order_by=monthly.back.desc())
    following = ibis.window(group_by=monthly.customer_id, order_by=monthly.back.desc())
    # DuckDB sums whole numbers in 128 bits, which are slow to rank.
    spans = monthly.select(
        "customer_id",
        "back",
        frequency=monthly.order_count.sum().over(so_far).cast("int32"),
        monetary=monthly.amount.sum().over(so_far).fill_null(0).cast(MONEY),
        first_on=monthly.first_on.min().over(so_far),
        last_on=monthly.last_on.max().over(so_far),
        next_back=monthly.back.lead().over(following).fill_null(-1),
    )
    buying = spans.filter(spans.frequency > 0)
    return buying.mutate(back=ibis.range(buying.next_back + 1, buying.back + 1).unnest()).drop("next_back")


def _measured(grown: ir.Table, as_of: ir.Table, at: Clock) -> ir.Table:
    """The measures that rules may ask for, as of the last day of each month."""
    months = _month_ends(as_of, at)
    dated = grown.inner_join(months, "back")
    measured = dated.select(
        "customer_id",
        "back",
        "month_on",
        "is_whole",
        "first_on",
        "today",
        "frequency",
        "monetary",
        recency_days=dated.month_on.delta(dated.last_on, unit="day").cast("int32"),
        history_days=dated.month_on.delta(dated.first_on, unit="day").cast("int32"),
    )
    # Of the data as a whole, whatever the month.
    span = measured.today.delta(measured.first_on.min().over(ibis.window()), unit="day") + 1
    return measured.mutate(orders_span_days=span.cast("int32")).drop("first_on", "today")


def _month_ends(as_of: ir.Table, at: Clock) -> ir.Table:
    known = as_of.filter(as_of.as_of.notnull())
    months = known.mutate(back=ibis.range(0, MONTHS + 1).unnest())
    today = at.local(months.as_of)
    following = today.truncate("month") - (months.back - 1).as_interval("M")
    last_day = (following - ibis.interval(days=1)).date()
    month_on = (months.back == 0).ifelse(today.date(), last_day)
    return months.select("back", month_on=month_on, is_whole=month_on == last_day, today=today.date())


def _number(at: ir.TimestampValue) -> ir.IntegerValue:
    """Months since the year 0."""
    return at.year().cast("int64") * 12 + at.month()


def _segment(customers: ir.Table, rules: list[Rule]) -> ir.StringValue:
    """The segment; null where a rule asks for something that is not known of the past."""
    return first(customers, rules) if columns_of(rules) <= set(customers.columns) else ibis.null("string")
