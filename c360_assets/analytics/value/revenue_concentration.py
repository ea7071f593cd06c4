"""Revenue concentration: how much of the revenue comes from how few customers, and the Gini coefficient of it."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY

TOP_PERCENTS = (1, 5, 10, 20, 30, 50, 100)
NO_REVENUE = "no revenue from known customers"


@dg.asset
def revenue_concentration(rfm: ir.Table) -> ir.Table:
    """One row per share of the buyers who spent most, always all shares; equal spenders in the order of their IDs."""
    ranked = rfm.select(
        "monetary",
        place=ibis.row_number().over(order_by=[rfm.monetary.desc(), rfm.customer_id]),
        buyer_count=rfm.count().over(),
    )
    within = [(ranked.place * 100 < ranked.buyer_count * percent, percent) for percent in TOP_PERCENTS]
    # Who spends more than i and less than j others counts j - i times.
    outranking = (ranked.buyer_count - 1 - 2 * ranked.place) * ranked.monetary
    bands = ranked.group_by(band=ibis.cases(*within).cast("int64")).agg(
        customers=ranked.count(), spent=ranked.monetary.sum(), outranking=outranking.sum()
    )
    shares = ibis.array(list(TOP_PERCENTS)).unnest().name("percent").as_table()
    joined = shares.left_join(bands, shares.percent == bands.band)
    so_far = ibis.cumulative_window(order_by=joined.percent)
    summed = joined.select(
        "percent",
        customer_count=joined.customers.sum().over(so_far).fill_null(0).cast("int64"),
        revenue=joined.spent.sum().over(so_far).fill_null(0).cast(MONEY),
        buyers=joined.customers.sum().over(),
        total=joined.spent.sum().over().cast(MONEY),
        outranking=joined.outranking.sum().over(),
    )
    total = summed.total.cast("float64").nullif(0)
    return summed.select(
        "customer_count",
        "revenue",
        top_share=summed.percent.cast("float64") / 100.0,
        revenue_share=summed.revenue.cast("float64") / total,
        gini=summed.outranking.cast("float64") / (summed.buyers.cast("float64") * total),
        reason=total.isnull().ifelse(NO_REVENUE, ibis.null("string")),
    )
