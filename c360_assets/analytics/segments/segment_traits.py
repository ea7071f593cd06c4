"""Segment traits: by which measures the customers of a segment differ from all customers, and how much."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms import trait_words
from c360_assets.terms.joins import widened
from c360_assets.terms.memberships import totals
from c360_assets.terms.rates import rate
from c360_assets.terms.trait_words import WORDS

FEATURES = tuple(words.feature for words in WORDS)
# Of these a mean over few customers would tell too much of one.
PERSONAL = ("age", "annual_income", "number_of_children")
# What fewer customers do, such as the returns of two buyers, is no trait of a segment.
FEWEST_TOLD = 10
# Standard deviations: a smaller difference is not worth words. Standard errors: a smaller one may be chance.
TELLING, CERTAIN = 0.2, 3.0
# A measure speaks for a segment that knows it of at least this part as many of its customers as is usual.
USUALLY_KNOWN = 0.5
# A variance below this part of the mean square is what rounding leaves where all customers are alike.
ROUNDING = 1e-9
# Differences alike to so many digits are the same, and what rounding leaves of one is no rank.
TIED_DIGITS = 6
# Sums of decimals do not depend on the order of rows. Squares of these, of a million customers, still add up.
EXACT, WIDE = "decimal(16, 4)", "decimal(28, 4)"

Sums = dict[str, Callable[[ibis.Deferred], ibis.Deferred]]
SUMS: Sums = {"known_count": lambda value: value.count(), "total": lambda value: value.sum()}
SQUARES: Sums = {"squares": lambda value: (value.cast(WIDE) * value).sum().cast("float64")}


@dg.asset
def segment_traits(
    features: ir.Table, customer_segments: ir.Table, audiences: ir.Table, clusters: ir.Table
) -> ir.Table:
    """One row per segmentation, segment that some customer is in, and numeric feature."""
    measured = features.select("customer_id", **{name: _exact(features[name]) for name in FEATURES})
    counted = {"customer_count": ibis._.customer_id.count()}
    summed = totals(measured, customer_segments, audiences, clusters, counted | _aggregates(SUMS))
    everyone = measured.agg(**counted, **_aggregates(SUMS | SQUARES))
    return _compared(_by_feature(summed, SUMS), _population(_by_feature(everyone, SUMS | SQUARES)))


def _exact(feature: ir.Column) -> ir.DecimalColumn:
    """To four decimals; unknown where it is beyond all measure."""
    number = feature.cast("int32") if feature.type().is_boolean() else feature
    return number.try_cast(EXACT)


def _aggregates(sums: Sums) -> dict[str, ibis.Deferred]:
    return {f"{name}.{kind}": summed(ibis._[name]) for name in FEATURES for kind, summed in sums.items()}


def _by_feature(summed: ir.Table, sums: Sums) -> ir.Table:
    """The aggregates of every feature under one another, in columns named as the sums."""
    structs = {name: ibis.struct({kind: summed[f"{name}.{kind}"] for kind in sums}) for name in FEATURES}
    wide = summed.mutate(**structs).drop(*_aggregates(sums))
    return wide.pivot_longer(list(FEATURES), names_to="feature", values_to="sums").unpack("sums")


def _population(everyone: ir.Table) -> ir.Table:
    """Mean and standard deviation of each feature over all customers."""
    mean = rate(everyone.total, everyone.known_count)
    mean_square = rate(everyone.squares, everyone.known_count)
    variance = mean_square - mean * mean
    deviation = (variance <= ROUNDING * mean_square).ifelse(0.0, variance).sqrt()
    is_told = _is_told(everyone)
    return everyone.select(
        "feature",
        known_share=rate(everyone.known_count, everyone.customer_count),
        population_mean=is_told.ifelse(mean, None),
        population_deviation=is_told.ifelse(deviation, None),
    )


def _compared(segments: ir.Table, population: ir.Table) -> ir.Table:
    """How far each segment is from the population, its rank among the features of the segment, and words for it."""
    means = segments.mutate(mean=_is_told(segments).ifelse(rate(segments.total, segments.known_count), None))
    known = widened(means, "feature", population)
    joined = known.inner_join(trait_words.as_table(), "feature")
    compared = joined.mutate(
        standardised_difference=(joined.mean - joined.population_mean) / joined.population_deviation.nullif(0)
    )
    difference = compared.standardised_difference
    furthest = [difference.abs().round(TIED_DIGITS).desc(nulls_first=False), compared.feature]
    place = 1 + ibis.row_number().over(group_by=["segmentation", "segment"], order_by=furthest)
    is_usual = rate(compared.known_count, compared.customer_count) >= USUALLY_KNOWN * compared.known_share
    is_certain = difference * difference * compared.known_count >= CERTAIN * CERTAIN
    is_telling = (difference.abs() >= TELLING) & is_certain & is_usual & (compared.known_count >= FEWEST_TOLD)
    phrase = (difference > 0).ifelse(compared.high, compared.low)
    trait = trait_words.in_words(phrase, compared.unit, compared.mean, compared.population_mean)
    return compared.select(
        "segmentation",
        "segment",
        "is_sensitive",
        "feature",
        "topic",
        "customer_count",
        "known_count",
        "mean",
        "population_mean",
        "population_deviation",
        "standardised_difference",
        rank=difference.notnull().ifelse(place, None).cast("int32"),
        trait=is_telling.ifelse(trait, None),
    )


def _is_told(summed: ir.Table) -> ir.BooleanColumn:
    return summed.feature.notin(PERSONAL) | (summed.known_count >= FEWEST_TOLD)
