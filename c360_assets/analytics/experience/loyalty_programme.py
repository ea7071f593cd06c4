"""Loyalty programme: points, members and money month by month, and what the programme seems to bring."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms import intervals
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.joins import widened
from c360_assets.terms.rates import rate
from c360_assets.terms.rewards import cost, rewarded
from c360_assets.terms.time import Clock, clock

POINTS = ("points_earned", "points_burned", "points_expired")
COUNTS = (
    "new_member_count",
    "active_member_count",
    "member_order_count",
    "other_order_count",
    "burn_order_count",
    "compared_order_count",
)
AMOUNTS = ("member_revenue", "other_revenue")
# The return of fewer orders says nothing.
FEWEST, FEW = 10, "fewer than ten orders can be compared"


@dg.asset
def loyalty_programme(points: ir.Table, orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per calendar month from the first entry in the loyalty ledger to as_of, whose month is not over.

    `observed_roi` is what orders with burned points were worth above the usual later order of the same customers, less
    the value of these points, over that value. Nobody was chosen by lot to burn, so it is no effect of the programme:
    who burns may be about to buy more anyway. It counts revenue, not margin. Its 95 % interval is Student's, with the
    costs taken as given.
    """
    now = clock(as_of)
    joined = points.group_by("customer_id").agg(joined_on=_month(points.entry_at.min(), now))
    # Entries without a date belong to no month, so they join none.
    parts = (_moved(points, now), _joined(joined), _sold(orders, joined, now), _compared(rewarded(orders, points), now))
    wide = widened(_months(points, as_of, now), "month_on", *parts)
    filled = wide.mutate(
        **{name: wide[name].fill_null(0) for name in (*POINTS, *COUNTS)},
        **{name: wide[name].fill_null(0).cast(MONEY) for name in AMOUNTS},
    )
    return _rated(_accumulated(filled))


def _month(moment: ir.TimestampValue, now: Clock) -> ir.DateValue:
    return now.local(moment).truncate("month").date()


def _months(points: ir.Table, as_of: ir.Table, now: Clock) -> ir.Table:
    """Every month of the programme, with entries or without."""
    span = points.agg(first=points.entry_at.min(), last=points.entry_at.max()).cross_join(as_of)
    last = now.local(span.as_of.fill_null(span["last"]))
    months = ibis.range(now.local(span["first"]).truncate("month"), last, ibis.interval(months=1))
    return span.select(month_on=months.unnest().date()).filter(ibis._.month_on.notnull())


def _moved(points: ir.Table, now: Clock) -> ir.Table:
    return points.group_by(month_on=_month(points.entry_at, now)).agg(
        points_earned=points.earned.sum(),
        points_burned=points.burned.sum(),
        points_expired=points.expired.sum(),
        active_member_count=points.customer_id.nunique(where=points.is_earn | points.is_burn),
    )


def _joined(joined: ir.Table) -> ir.Table:
    return joined.group_by(month_on=joined.joined_on).agg(new_member_count=joined.count())


def _sold(orders: ir.Table, joined: ir.Table, now: Clock) -> ir.Table:
    """Completed orders of known value; a customer's are a member's from the month of the first entry on."""
    is_sold = orders.is_completed & orders.ordered_at.notnull() & orders.order_amount.notnull()
    sold = orders.filter(is_sold).left_join(joined, "customer_id")
    sold = sold.select("order_amount", "joined_on", month_on=_month(sold.ordered_at, now))
    is_member = (sold.joined_on <= sold.month_on).fill_null(False)
    return sold.group_by("month_on").agg(
        member_order_count=is_member.sum(),
        other_order_count=(~is_member).sum(),
        member_revenue=sold.order_amount.sum(where=is_member),
        other_revenue=sold.order_amount.sum(where=~is_member),
    )


def _compared(bought: ir.Table, now: Clock) -> ir.Table:
    """Orders with burned points, and those of them whose customer has ordered without since."""
    dated = bought.filter(bought.ordered_at.notnull())
    is_compared = dated.usual_amount.notnull()
    gain = (dated.uplift - dated.cost).cast(intervals.WIDE)
    return dated.group_by(month_on=_month(dated.ordered_at, now)).agg(
        burn_order_count=dated.count(),
        compared_order_count=is_compared.sum(),
        observed_uplift=dated.uplift.sum().cast(MONEY),
        compared_cost=dated.cost.sum(where=is_compared).cast(MONEY),
        squares=(gain * gain).sum(),
    )


def _accumulated(months: ir.Table) -> ir.Table:
    so_far = ibis.window(order_by=months.month_on, preceding=(None, 0))
    earned, burned, expired = (months[name].sum().over(so_far) for name in POINTS)
    return months.mutate(
        points_outstanding=earned - burned - expired,
        member_count=months.new_member_count.sum().over(so_far),
        burn_rate=rate(burned, earned),
        breakage_rate=rate(expired, earned),
    )


def _rated(months: ir.Table) -> ir.Table:
    count, gain = months.compared_order_count, months.observed_uplift - months.compared_cost
    is_told = count >= FEWEST
    roi = rate(gain, months.compared_cost)
    half = intervals.half_of_mean(count, gain, months.squares) * rate(count, months.compared_cost)
    rated = months.mutate(
        outstanding_value=cost(months.points_outstanding),
        programme_cost=cost(months.points_burned),
        engagement_rate=rate(months.active_member_count, months.member_count),
        member_average_order_amount=rate(months.member_revenue, months.member_order_count),
        other_average_order_amount=rate(months.other_revenue, months.other_order_count),
        observed_roi=is_told.ifelse(roi, None),
        observed_roi_low=is_told.ifelse(roi - half, None),
        observed_roi_high=is_told.ifelse(roi + half, None),
        roi_reason=is_told.ifelse(ibis.null("string"), FEW),
    )
    return rated.drop("squares")
