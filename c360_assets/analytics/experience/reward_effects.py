"""Reward effects: which size of reward goes with larger orders, and what it costs."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms.intervals import WIDE, half_of_grouped_mean
from c360_assets.terms.joins import widened
from c360_assets.terms.rates import rate
from c360_assets.terms.rewards import rewarded

# Points burned at one order from which a band begins; it ends before the next.
BAND_STARTS = (1, 100, 200, 400, 800)
NO_ENTRIES, NO_ORDERS = "no loyalty entries", "no order in this band"
NO_COMPARISON = "no customer of this band has ordered without burning since"
FEW = "orders to compare are of one customer only"


@dg.asset
def reward_effects(points: ir.Table, orders: ir.Table) -> ir.Table:
    """One row per band of points burned at an order, with orders in it or without.

    Orders with burned points are compared with what the same customers spend on average per later order without. Nobody
    was chosen by lot, so a difference is an observation, not an effect of the reward. The interval is Student's over
    customers, each with all orders in the band.
    """
    bands = ibis.memtable(_bands()).cross_join(points.agg(entry_count=points.count()))
    found = widened(bands, "reward_band", _counted(rewarded(orders, points)))
    has_entries = found.entry_count > 0
    counts = ("order_count", "compared_order_count", "compared_customer_count")
    return _averaged(found.mutate(**{name: has_entries.ifelse(found[name].fill_null(0), None) for name in counts}))


def _bands() -> pa.Table:
    ends = [start - 1 for start in BAND_STARTS[1:]]
    return pa.table(
        {
            "reward_band": pa.array(range(1, len(BAND_STARTS) + 1), pa.int32()),
            "least_points": pa.array(BAND_STARTS, pa.int64()),
            "greatest_points": pa.array([*ends, None], pa.int64()),
        }
    )


def _counted(bought: ir.Table) -> ir.Table:
    """Per band, from sums per customer: what an interval over customers needs."""
    band = sum((bought.points_burned >= start).cast("int32") for start in BAND_STARTS).cast("int32")
    is_compared = bought.usual_amount.notnull()
    each = bought.group_by("customer_id", reward_band=band).agg(
        orders=bought.count(),
        compared=is_compared.sum(),
        amount=bought.order_amount.sum(where=is_compared),
        usual=bought.usual_amount.sum(),
        uplift=bought.uplift.sum().cast(WIDE),
        points=bought.points_burned.sum(where=is_compared),
        cost=bought.cost.sum(where=is_compared),
    )
    return each.group_by("reward_band").agg(
        order_count=each.orders.sum(),
        compared_order_count=each.compared.sum(),
        compared_customer_count=(each.compared > 0).sum(),
        amount=each.amount.sum(),
        usual=each.usual.sum(),
        uplift=each.uplift.sum(),
        points=each.points.sum(),
        cost=each.cost.sum(),
        squares=(each.uplift * each.uplift).sum(),
        products=(each.uplift * each.compared).sum(),
        square_counts=(each.compared * each.compared).sum(),
    )


def _averaged(found: ir.Table) -> ir.Table:
    n = found.compared_order_count.cast("float64").nullif(0)
    difference = found.uplift.cast("float64") / n
    half = half_of_grouped_mean(
        found.compared_customer_count, n, found.uplift, found.squares, found.products, found.square_counts
    )
    return found.select(
        "reward_band",
        "least_points",
        "greatest_points",
        "order_count",
        "compared_order_count",
        "compared_customer_count",
        average_points=found.points.cast("float64") / n,
        average_cost=found.cost.cast("float64") / n,
        average_order_amount=found.amount.cast("float64") / n,
        usual_order_amount=found.usual.cast("float64") / n,
        difference=difference,
        difference_low=difference - half,
        difference_high=difference + half,
        observed_roi=rate(found.uplift - found.cost, found.cost),
        reason=ibis.cases(
            (found.entry_count == 0, NO_ENTRIES),
            (found.order_count == 0, NO_ORDERS),
            (found.compared_order_count == 0, NO_COMPARISON),
            (found.compared_customer_count == 1, FEW),
            else_=ibis.null("string"),
        ),
    )
