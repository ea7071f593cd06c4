"""Satisfaction: what customers say of us and how fast support is, by segment and over time, with 95 % intervals."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms import intervals
from c360_assets.terms.joins import widened
from c360_assets.terms.texts import UNKNOWN
from c360_assets.terms.time import Clock, clock

PROMOTER, DETRACTOR, SATISFIED = 9, 6, 4
# Segmentations that scores are told by.
SEGMENTATIONS = ("engagement_level", "customer_segment", "persona", "value_tier", "is_premium")
# By metric: what the score is told in, the ends of its scale, how much of an amount makes one, and why there is none.
METRICS = {
    "nps": ("points", -100, 100, 1, "no NPS answers"),
    "csat": ("percent", 0, 100, 1, "no CSAT answers"),
    "ces": ("1 to 7", 1, 7, 1, "no CES answers"),
    "rating": ("stars", 1, 5, 1, "no ratings"),
    "resolution": ("hours", 0, None, 3600, "no resolved tickets"),
}
ONE = "one alone says nothing of how others vary"
ALIKE = "all are alike, which says nothing of how others vary"
# Fewer answers are told with their interval, and as what they are.
FEWEST, FEW = 10, "fewer than ten answers are too few to compare"
COUNTED = ("answer_count", "promoter_count", "detractor_count", "satisfied_count")


@dg.asset
def satisfaction(
    answers: ir.Table, ratings: ir.Table, tickets: ir.Table, customer_segments: ir.Table, as_of: ir.Table
) -> ir.Table:
    """One row per metric, dimension and value that anybody answered for; over all, each metric in any case.

    NPS is the percentage of answers 9 and 10 less that of 0 to 6 (Reichheld, "The one number you need to grow", 2003),
    with the normal interval of a difference of exclusive shares. CSAT is the percentage of answers 4 and 5, with
    Wilson's interval ("Probable inference", 1927). CES runs from 1 to 7, and 7 is easy (Dixon, Toman and DeLisi, "The
    effortless experience", 2013); it, ratings and the hours to a resolution are means with Student's interval. All
    intervals take answers as independent of each other, and end where the scale ends.
    """
    said = ibis.union(_answered(answers), _rated(ratings), _resolved(tickets))
    counted = _by_dimension(_counted(said, customer_segments, clock(as_of)))
    found = widened(_metrics(), "metric", counted)
    return _scored(found.mutate(**{name: found[name].fill_null(0) for name in COUNTED}))


def _answered(answers: ir.Table) -> ir.Table:
    scored = answers.filter(answers.score.notnull())
    return scored.select("metric", "customer_id", at="answered_at", amount=scored.score.cast(intervals.WIDE))


def _rated(ratings: ir.Table) -> ir.Table:
    rated = ratings.filter(ratings.rating.notnull())
    return rated.select(
        metric=ibis.literal("rating"),
        customer_id="customer_id",
        at="reviewed_at",
        amount=rated.rating.cast(intervals.WIDE),
    )


def _resolved(tickets: ir.Table) -> ir.Table:
    """Tickets by the month of their resolution: by that of their opening, the newest months would seem fast."""
    known = tickets.filter(tickets.resolution_seconds.notnull())
    seconds = known.resolution_seconds.cast(intervals.WIDE)
    return known.select(metric=ibis.literal("resolution"), customer_id="customer_id", at="resolved_at", amount=seconds)


def _counted(said: ir.Table, customer_segments: ir.Table, now: Clock) -> ir.Table:
    """One row per metric, month and combination of segments, so that all else is done on few rows."""
    segments = customer_segments.select("customer_id", *SEGMENTATIONS)
    placed = said.left_join(segments, "customer_id")
    named = {name: placed[name].cast("string").fill_null(UNKNOWN) for name in SEGMENTATIONS}
    month = now.local(placed["at"]).strftime("%Y-%m").fill_null(UNKNOWN)
    return placed.group_by(placed.metric, month=month, **named).agg(
        answer_count=placed.count(),
        promoter_count=(placed.amount >= PROMOTER).sum(),
        detractor_count=(placed.amount <= DETRACTOR).sum(),
        satisfied_count=(placed.amount >= SATISFIED).sum(),
        total=placed.amount.sum(),
        squares=(placed.amount * placed.amount).sum(),
        least_amount=placed.amount.min(),
        greatest_amount=placed.amount.max(),
    )


def _by_dimension(cells: ir.Table) -> ir.Table:
    """Every cell counts once over all, once in its month and once in each of its segments."""
    dimensions = {"all": ibis.literal("all"), **{name: cells[name] for name in ("month", *SEGMENTATIONS)}}
    places = ibis.array([ibis.struct({"dimension": name, "value": value}) for name, value in dimensions.items()])
    placed = cells.mutate(place=places.unnest()).drop("month", *SEGMENTATIONS).unpack("place")
    return placed.group_by("metric", "dimension", "value").agg(
        **{name: placed[name].sum() for name in (*COUNTED, "total", "squares")},
        least_amount=placed.least_amount.min(),
        greatest_amount=placed.greatest_amount.max(),
    )


def _metrics() -> ir.Table:
    columns = ("unit", "lowest", "highest", "size", "nothing")
    columns_of = dict(zip(columns, (list(column) for column in zip(*METRICS.values(), strict=True)), strict=True))
    bounds = {name: pa.array(columns_of[name], pa.float64()) for name in ("lowest", "highest", "size")}
    return ibis.memtable(pa.table({"metric": list(METRICS), **columns_of, **bounds}))


def _scored(found: ir.Table) -> ir.Table:
    is_nps, is_csat = found.metric == "nps", found.metric == "csat"
    count, promoters, detractors = found.answer_count, found.promoter_count, found.detractor_count
    score = _score(found)
    low, high = _interval(found, score)
    reason = _without_interval(found)
    has_interval = reason.isnull()
    too_few = (count < FEWEST).ifelse(FEW, None)
    return found.select(
        "metric",
        dimension=found.dimension.fill_null("all"),
        value=found.value.fill_null("all"),
        answer_count=count,
        score=score,
        low=has_interval.ifelse(ibis.greatest(low, found.lowest), None),
        high=has_interval.ifelse(ibis.least(high, found.highest), None),
        unit="unit",
        promoter_count=is_nps.ifelse(promoters, None),
        passive_count=is_nps.ifelse(count - promoters - detractors, None),
        detractor_count=is_nps.ifelse(detractors, None),
        satisfied_count=is_csat.ifelse(found.satisfied_count, None),
        reason=reason.fill_null(too_few),
    )


def _size(found: ir.Table) -> ir.Value:
    return found.answer_count.cast("float64").nullif(0)


def _score(found: ir.Table) -> ir.Value:
    n = _size(found)
    net = (100 * (found.promoter_count - found.detractor_count)).cast("float64") / n
    return ibis.cases(
        (found.metric == "nps", net),
        (found.metric == "csat", (100 * found.satisfied_count).cast("float64") / n),
        else_=found.total.cast("float64") / (n * found.size),
    )


def _interval(found: ir.Table, score: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The ends of the interval of each score, wherever the scale ends."""
    n, is_csat = _size(found), found.metric == "csat"
    low_share, high_share = intervals.wilson(n, found.satisfied_count)
    half = (found.metric == "nps").ifelse(
        100 * intervals.half_of_net_share(n, found.promoter_count, found.detractor_count),
        intervals.half_of_mean(n, found.total, found.squares) / found.size,
    )
    # Rounding must not put the end of an interval on the wrong side of its score.
    low = is_csat.ifelse(ibis.least(100 * low_share, score), score - half)
    high = is_csat.ifelse(ibis.greatest(100 * high_share, score), score + half)
    return low, high


def _without_interval(found: ir.Table) -> ir.Value:
    """Why a score has no interval; empty where it has one."""
    is_nps, is_csat = found.metric == "nps", found.metric == "csat"
    count, promoters, detractors = found.answer_count, found.promoter_count, found.detractor_count
    is_alike = ibis.cases(
        (is_csat, False),
        (is_nps, (promoters == count) | (detractors == count) | (promoters + detractors == 0)),
        else_=found.least_amount == found.greatest_amount,
    )
    is_any = count > 0
    return ibis.cases(
        (~is_any, found.nothing), ((count == 1) & ~is_csat, ONE), (is_alike, ALIKE), else_=ibis.null("string")
    )
