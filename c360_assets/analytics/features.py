"""Features: what rules, clusters and summaries measure of a customer, each thing once."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import RECENT_DAYS, constant, moment
from c360_assets.conformed.joins import widened
from c360_assets.conformed.order_lines import pieces
from c360_assets.conformed.products import MONEY
from c360_assets.conformed.rates import rate

# Orders per year by the words customer systems use.
STATED = {
    "weekly": 52,
    "fortnightly": 26,
    "bi-weekly": 26,
    "monthly": 12,
    "every 3 months": 4,
    "quarterly": 4,
    "annually": 1,
}
PEOPLE = (
    "customer_id",
    "is_registered",
    "is_premium",
    "gender",
    "age",
    "country",
    "annual_income",
    "number_of_children",
    "degree_of_loyalty",
    "registered_at",
    "previous_purchases",
    "purchase_frequency",
)
RFM = (
    "customer_id",
    "frequency",
    "monetary",
    "first_ordered_at",
    "last_ordered_at",
    "recency_days",
    "recency_score",
    "frequency_score",
    "monetary_score",
    "rfm_code",
)
BROWSED = (
    "session_count",
    "product_view_count",
    "favorite_count",
    "cart_count",
    "abandoned_cart_count",
    "engagement_minutes",
    "recent_session_count",
    "former_session_count",
)
SAID = ("review_count", "average_rating", "support_ticket_count", "nps_score", "csat_score", "ces_score")
COUNTED = ("frequency", "monetary", "item_count", "category_count", "review_count", "support_ticket_count")
DROPPED = ("registered_at", "purchase_frequency", "first_ordered_at", "last_ordered_at", "last_seen_at", "refunds")


@dg.asset
def features(
    customers: ir.Table,
    rfm: ir.Table,
    orders: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    browsing: ir.Table,
    feedback: ir.Table,
    loyalty_members: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer known to any system."""
    parts = [
        rfm.select(RFM),
        _ordered(orders, as_of),
        _priced(order_lines, products),
        browsing.select("customer_id", "last_seen_at", *BROWSED),
        feedback.select("customer_id", *SAID),
        loyalty_members.select("customer_id", "points_balance"),
    ]
    wide = widened(customers.select(PEOPLE), "customer_id", *parts)
    has_browsing, is_dated = _has(browsing.customer_id), _has(orders.ordered_at)
    known = wide.mutate(
        **{name: wide[name].fill_null(0) for name in COUNTED},
        **{name: has_browsing.ifelse(wide[name].fill_null(0), None) for name in BROWSED},
        **{
            name: is_dated.ifelse(wide[name].fill_null(0), None)
            for name in ("recent_order_count", "former_order_count")
        },
    )
    return known.mutate(_derived(known, moment(as_of))).drop(DROPPED)


def _ordered(orders: ir.Table, as_of: ir.Table) -> ir.Table:
    ago = constant(as_of).delta(orders.ordered_at, unit="day")
    dated = orders.mutate(is_sale=orders.is_completed, is_return=orders.order_status == "returned", ago=ago)
    sale = dated.is_sale
    summed = (
        dated.filter(dated.customer_id.notnull())
        .group_by("customer_id")
        .agg(
            sales=sale.sum(),
            returns=dated.is_return.sum(),
            discounted=(sale & dated.has_discount).sum(),
            told=(sale & dated.has_discount.notnull()).sum(),
            recent_order_count=(sale & (dated.ago < RECENT_DAYS)).sum(),
            former_order_count=(sale & dated.ago.between(RECENT_DAYS, 2 * RECENT_DAYS - 1)).sum(),
        )
    )
    return summed.select(
        "customer_id",
        "recent_order_count",
        "former_order_count",
        return_rate=rate(summed.returns.fill_null(0), summed.sales + summed.returns.fill_null(0)),
        discount_rate=rate(summed.discounted, summed.told),
    )


def _priced(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """What was bought at which prices, against what all customers pay for a piece of the same category."""
    catalogue = products.select(sku="sku_id", category="product_category")
    lines = order_lines.left_join(catalogue, order_lines.sku_id == catalogue.sku)
    lines = lines.filter(lines.customer_id.notnull())
    is_sale = lines.line_kind == "sale"
    is_priced = is_sale & lines.line_amount.notnull()
    sums = lines.group_by("customer_id", "category").agg(
        items=pieces(lines.quantity).sum(where=is_sale).fill_null(0),
        priced_items=lines.quantity.sum(where=is_priced).fill_null(0),
        spent=lines.line_amount.sum(where=is_priced).fill_null(0),
        refunds=lines.line_amount.sum(where=(lines.line_kind == "return") & (lines.line_amount < 0)).fill_null(0),
        bought=is_sale.any(),
    )
    # The order of rows must not matter, so the mean price is rounded like any other amount.
    usual = sums.group_by("category").agg(
        usual_price=(sums.spent.sum() / sums.priced_items.sum().nullif(0)).cast(MONEY)
    )
    compared = sums.left_join(usual, sums.category.identical_to(usual.category))
    totals = compared.group_by("customer_id").agg(
        item_count=compared["items"].sum().cast("int64"),
        category_count=(compared.bought & compared.category.notnull()).sum(),
        priced=compared.priced_items.sum(),
        spent=compared.spent.sum(),
        usually=(compared.usual_price * compared.priced_items).sum(),
        refunds=compared.refunds.sum(),
    )
    return totals.select(
        "customer_id",
        "item_count",
        "category_count",
        "refunds",
        average_unit_price=rate(totals.spent, totals.priced),
        price_index=rate(totals.spent, totals.usually),
    )


def _derived(known: ir.Table, at: ir.TimestampScalar) -> dict[str, ir.Value]:
    """What follows from the joined parts; `refunds` are negative."""
    ordered_days = known.last_ordered_at.delta(known.first_ordered_at, unit="day")
    recent = known.recent_order_count.fill_null(0) + known.recent_session_count.fill_null(0)
    former = known.former_order_count.fill_null(0) + known.former_session_count.fill_null(0)
    stated = known.purchase_frequency.lower()
    return {
        "tenure_days": at.delta(ibis.least(known.registered_at, known.first_ordered_at), unit="day").cast("int32"),
        "history_days": at.delta(known.first_ordered_at, unit="day").cast("int32"),
        "visit_recency_days": at.delta(known.last_seen_at, unit="day").cast("int32"),
        "historical_value": (known.monetary + known.refunds.fill_null(0)).cast(MONEY),
        "average_order_amount": rate(known.monetary, known.frequency),
        "order_interval_days": rate(ordered_days, known.frequency - 1),
        "activity_change": rate(recent - former, recent + former),
        "stated_orders_per_year": ibis.cases(*[(stated == word, float(count)) for word, count in STATED.items()]),
    }


def _has(column: ir.Column) -> ir.BooleanScalar:
    """Whether the sources support a measure at all."""
    return (column.count() > 0).as_scalar()
