"""RFM distribution: how many customers have which score, code and level, and what they spend."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY

# Each measure with the column whose spread is told: the scored one, and for the combined measures the spend.
SCORED = {
    "recency_score": "recency_days",
    "frequency_score": "frequency",
    "monetary_score": "monetary",
    "rfm_code": "monetary",
}
LEVEL = "engagement_level"


@dg.asset
def rfm_distribution(rfm: ir.Table, customer_segments: ir.Table) -> ir.Table:
    """One row per measure (a score, the code, the level) and value that some customer has."""
    scored = [_counted(rfm, measure, spread) for measure, spread in SCORED.items()]
    return ibis.union(*scored, _counted(customer_segments, LEVEL, "monetary"))


def _counted(customers: ir.Table, measure: str, spread: str) -> ir.Table:
    """The values of one measure; customers who have none are in no row and in no share."""
    valued = customers.select(
        value=customers[measure].cast("string"),
        spent=customers.monetary,
        amount=customers[spread].cast(MONEY),
    ).filter(ibis._.value.notnull())
    counted = valued.group_by("value").agg(
        customer_count=valued.count(),
        monetary=valued.spent.sum().fill_null(0).cast(MONEY),
        least=valued.amount.min().cast("float64"),
        median=median(valued.amount),
        greatest=valued.amount.max().cast("float64"),
    )
    all_customers = counted.customer_count.sum().over().cast("float64")
    all_spent = counted.monetary.sum().over().cast("float64").nullif(0)
    return counted.mutate(
        measure=ibis.literal(measure),
        customer_share=counted.customer_count.cast("float64") / all_customers,
        monetary_share=counted.monetary.cast("float64") / all_spent,
    )


def median(amount: ir.DecimalColumn) -> ir.FloatingScalar:
    """The exact median: that of whole ten-thousandths, divided once."""
    return (amount * 10_000).cast("int64").median() / 10_000.0
