"""Segment stability: how far this month's segments are those of the month before.

The adjusted Rand index compares two groupings of the same customers by pairs: which were together and still are, beyond
what chance would give (Hubert and Arabie, Comparing Partitions, Journal of Classification 2, 1985). 1 says that the
groups are the same, 0 that they are no more alike than by chance.
"""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.analytics.segments.segment_migrations import NEW
from c360_assets.terms.rates import rate

# Wide enough for the pairs among a billion customers; the product of two of them still fits 38 digits.
PAIRS = "decimal(19, 0)"


@dg.asset
def segment_stability(segment_migrations: ir.Table) -> ir.Table:
    """One row per segmentation and month after the first."""
    month = ("segmentation", "month_on")
    moves = segment_migrations
    stayed = moves.from_segment == moves.to_segment
    is_new = moves.from_segment == NEW
    known = moves.group_by(month).agg(
        is_whole=moves.is_whole.any(),
        customer_count=_count(moves, ~is_new),
        stayed_count=_count(moves, stayed),
        new_customer_count=_count(moves, is_new),
        same_pairs=_pairs(moves.customer_count).sum(where=~is_new),
    )
    former, latter = (_pairs_within(moves, month, segment) for segment in ("from_segment", "to_segment"))
    joined = known.left_join(former, month).select(*known.columns, former=former.pairs)
    joined = joined.left_join(latter, month).select(*joined.columns, latter=latter.pairs)
    return joined.select(
        *month,
        "is_whole",
        "customer_count",
        "new_customer_count",
        "stayed_count",
        stayed_rate=rate(joined.stayed_count, joined.customer_count),
        adjusted_rand_index=_adjusted_rand_index(joined),
    )


def _count(moves: ir.Table, which: ir.BooleanColumn) -> ir.IntegerScalar:
    return moves.customer_count.sum(where=which).fill_null(0).cast("int64")


def _pairs_within(moves: ir.Table, month: tuple[str, ...], segment: str) -> ir.Table:
    """Pairs of customers known in both months who are in the same segment."""
    known = moves.filter(moves.from_segment != NEW)
    sizes = known.group_by(*month, segment).agg(customers=known.customer_count.sum().cast("int64"))
    return sizes.group_by(month).agg(pairs=_pairs(sizes.customers).sum())


def _pairs(customers: ir.IntegerColumn) -> ir.DecimalColumn:
    """Ordered ones, each counted twice, so that nothing is halved."""
    exact = customers.cast(PAIRS)
    return (exact * (exact - 1)).cast(PAIRS)


def _adjusted_rand_index(pairs: ir.Table) -> ir.FloatingColumn:
    """One division of exact integers; groupings that leave nothing to chance are the same, which is 1."""
    same, former, latter = (column.cast(PAIRS) for column in (pairs.same_pairs, pairs.former, pairs.latter))
    all_pairs = _pairs(pairs.customer_count)
    beyond_chance = 2 * (same * all_pairs - former * latter)
    possible = former * all_pairs + latter * all_pairs - 2 * (former * latter)
    is_trivial = (possible == 0) & (pairs.customer_count > 0)
    return is_trivial.ifelse(1.0, rate(beyond_chance, possible))
