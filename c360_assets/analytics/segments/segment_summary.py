"""Segment summary: what marketing needs to know of every segment in one row, from who they are to what to do."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms import trait_words
from c360_assets.terms.advice import SEGMENT, advice
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.joins import widened
from c360_assets.terms.memberships import AUDIENCE, PREMIUM, PREMIUM_SEGMENT, totals
from c360_assets.terms.rates import rate
from governance.playbook import Playbook
from governance.segments import Rules

TRAITS = 5
RATE = "decimal(18, 6)"
AS_TELLING = 0.5
# Told as the mean of the segment over that of all customers, less 1.
COMPARED = (
    "recency_days",
    "frequency",
    "monetary",
    "average_order_amount",
    "item_count",
    "category_count",
    "return_rate",
    "discount_rate",
    "session_count",
    "is_premium",
)
CHANNELS = ("accepts_email", "accepts_sms", "accepts_phone")
# What models expect of customers, told as the mean; exact numbers add up alike in whatever order.
EXPECTED = {
    "churn_probability": RATE,
    "purchase_probability": RATE,
    "p_alive": RATE,
    "expected_purchases": RATE,
    "clv": MONEY,
}
SUMS = {
    "customer_count": ibis._.customer_id.count(),
    "historical_value": ibis._.historical_value.sum(),
    "reachable_count": ibis._.is_reachable.sum(),
    "asked_count": ibis._.is_asked.sum(),
    **{name: ibis._[name].sum() for name in EXPECTED},
    **{f"{name}_count": ibis._[name].count() for name in EXPECTED},
}
NOBODY = "nobody fits the rule"
NO_SUBSCRIPTIONS = "no subscription is known"
LISTED = pa.schema(
    {
        "segmentation": pa.string(),
        "segment": pa.string(),
        "precedence": pa.int32(),
        "is_sensitive": pa.bool_(),
        "otherwise": pa.string(),
    }
)


@dg.asset
def segment_summary(
    features: ir.Table,
    customers: ir.Table,
    customer_segments: ir.Table,
    audiences: ir.Table,
    clusters: ir.Table,
    segment_traits: ir.Table,
    segment_stability: ir.Table,
    churn_scores: ir.Table,
    lifetime_value: ir.Table,
    next_actions: ir.Table,
    rules: dg.ResourceParam[Callable[[], Rules]],
    playbook: dg.ResourceParam[Callable[[], Playbook]],
) -> ir.Table:
    """One row per segmentation and segment, those of the rules that nobody is in among them."""
    now, book = rules(), playbook()
    measured = _measured(features, customers, churn_scores, lifetime_value, next_actions)
    counted = totals(measured, customer_segments, audiences, clusters, SUMS)
    segments = _counted(_listed(now, counted, clusters), counted)
    traits = _telling(segment_traits)
    summary = _judged(segments, measured.agg(**SUMS))
    described = widened(summary, SEGMENT, _in_words(traits), _deltas(segment_traits), advice(segments, traits, book))
    steady = widened(described, "segmentation", _stability(segment_stability))
    return steady.rename(segment_name="segment").mutate(
        rule_version=ibis.literal(now.full_version), playbook_version=ibis.literal(book.full_version)
    )


def _measured(
    features: ir.Table, customers: ir.Table, churn_scores: ir.Table, lifetime_value: ir.Table, next_actions: ir.Table
) -> ir.Table:
    """What is added up of each customer; who has not agreed to a channel is not reachable by it."""
    consents = [customers[channel] for channel in CHANNELS]
    asked = customers.select(
        "customer_id",
        is_reachable=ibis.or_(*consents).fill_null(False),
        is_asked=ibis.or_(*[consent.notnull() for consent in consents]),
    )
    soon = next_actions.select("customer_id", purchase_probability="probability_purchase")
    left = churn_scores.select("customer_id", "churn_probability")
    worth = lifetime_value.select("customer_id", *[name for name in EXPECTED if name in lifetime_value.columns])
    known = widened(features.select("customer_id", "historical_value"), "customer_id", asked, left, soon, worth)
    return known.mutate(**{name: known[name].cast(kind) for name, kind in EXPECTED.items()})


def _listed(rules: Rules, counted: ir.Table, clusters: ir.Table) -> ir.Table:
    """Every segment of the rules in their order, and those that customers are in without a rule, such as clusters."""
    ruled = {**rules.segmentations, AUDIENCE: rules.audiences}
    otherwise = {name: part.otherwise[-1].name for name, part in rules.partial.items()} | {PREMIUM: NO_SUBSCRIPTIONS}
    rows = [(name, rule.name, place, rule.sensitive) for name in ruled for place, rule in enumerate(ruled[name], 1)]
    rows.append((PREMIUM, PREMIUM_SEGMENT, 1, False))
    records = [dict(zip(LISTED.names, (*row, otherwise.get(row[0])), strict=True)) for row in rows]
    listed = ibis.memtable(pa.Table.from_pylist(records, schema=LISTED))
    numbers = clusters.group_by(segment="cluster_name").agg(precedence=clusters.cluster_id.min())
    found = counted.anti_join(listed, SEGMENT).left_join(numbers, "segment")
    return listed.union(found.select(*SEGMENT, "precedence", "is_sensitive", otherwise=ibis.null("string")))


def _counted(listed: ir.Table, counted: ir.Table) -> ir.Table:
    joined = widened(listed, SEGMENT, counted.drop("is_sensitive"))
    return joined.mutate({name: joined[name].fill_null(0) for name in SUMS})


def _judged(segments: ir.Table, everyone: ir.Table) -> ir.Table:
    """Size, worth and reach of each segment against everyone, and why it is empty where it is."""
    everybody = {name: everyone[name].as_scalar() for name in SUMS}
    of_segmentation = ibis.window(group_by="segmentation")
    is_valued, is_asked = everybody["historical_value"] > 0, everybody["asked_count"] > 0
    # Customers in none of the segments count as one more.
    others = everybody["historical_value"] - segments.historical_value.sum().over(of_segmentation)
    greatest = ibis.greatest(segments.historical_value.max().over(of_segmentation), others)
    relevance = rate(ibis.greatest(segments.historical_value, 0), greatest)
    is_unused = segments.customer_count.sum().over(of_segmentation) == 0
    reason = is_unused.ifelse(segments.otherwise.fill_null(NOBODY), NOBODY)
    return segments.select(
        *SEGMENT,
        "precedence",
        "is_sensitive",
        segment_id=_slug(segments),
        customer_count=segments.customer_count.cast("int64"),
        customer_share=rate(segments.customer_count, everybody["customer_count"]),
        historical_value=segments.historical_value.cast(MONEY),
        value_share=is_valued.ifelse(rate(segments.historical_value, everybody["historical_value"]), None),
        business_relevance=is_valued.ifelse(relevance, None),
        actionability=is_asked.ifelse(rate(segments.reachable_count, segments.customer_count), None),
        reason=(segments.customer_count == 0).ifelse(reason, None),
        **{f"mean_{name}": rate(segments[name], segments[f"{name}_count"]) for name in EXPECTED},
    )


def _slug(segments: ir.Table) -> ir.StringValue:
    """`engagement_level/churn-risk`; where two names come to the same, their places tell them apart."""
    name = segments.segment.lower().re_replace(r"[^\p{L}\p{N}]+", "-").re_replace("^-|-$", "")
    slug = segments.segmentation + "/" + name
    is_taken = slug.count().over(group_by=slug) > 1
    return is_taken.ifelse(slug + "-" + segments.precedence.cast("string"), slug)


def _telling(traits: ir.Table) -> ir.Table:
    """One trait of each segment and topic, numbered by `place`, the most telling first.

    It is the first named of those that are at least half as telling as the topic's best: orders speak for pieces.
    """
    # That members have a subscription is what makes them members.
    worded = traits.filter(traits.trait.notnull(), (traits.segmentation != PREMIUM) | (traits.feature != "is_premium"))
    difference = worded.standardised_difference.abs()
    of_topic = ibis.window(group_by=(*SEGMENT, "topic"))
    clear = worded.filter(difference >= AS_TELLING * difference.max().over(of_topic))
    listed = clear.inner_join(trait_words.as_table().select("feature", listed="place"), "feature")
    first = listed.filter(ibis.row_number().over(group_by=(*SEGMENT, "topic"), order_by=listed.listed) == 0)
    return first.mutate(place=1 + ibis.row_number().over(group_by=SEGMENT, order_by="rank"))


def _in_words(traits: ir.Table) -> ir.Table:
    words = {f"trait_{place}": traits.trait.max(where=traits.place == place) for place in range(1, TRAITS + 1)}
    return traits.group_by(SEGMENT).agg(**words)


def _deltas(traits: ir.Table) -> ir.Table:
    """How far the means of a segment are from those of all customers: 0.5 is half as much again, -1 nothing."""
    delta = traits["mean"] / traits.population_mean.nullif(0) - 1
    deltas = {f"{name}_delta": delta.max(where=traits.feature == name) for name in COMPARED}
    premium = traits["mean"].max(where=traits.feature == "is_premium")
    return traits.group_by(SEGMENT).agg(premium_share=premium, **deltas).rename(premium_share_delta="is_premium_delta")


def _stability(stability: ir.Table) -> ir.Table:
    """The newest agreement of two whole months of each segmentation."""
    known = stability.filter(stability.adjusted_rand_index.notnull(), stability.is_whole)
    return known.group_by("segmentation").agg(stability=known.adjusted_rand_index.argmax(known.month_on))
