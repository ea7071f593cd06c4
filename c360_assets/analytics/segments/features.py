"""Features: what rules, clusters and summaries measure of a customer, each thing once."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY, pieces
from c360_assets.terms.joins import widened
from c360_assets.terms.rates import rate
from c360_assets.terms.statuses import RETURNS, UNKNOWN
from c360_assets.terms.time import RECENT_DAYS, Clock, clock

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
    "gross_monetary",
    "first_ordered_at",
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
# What is 0 for whoever never ordered, if orders are known at all.
ORDERED = (
    "frequency",
    "monetary",
    "gross_monetary",
    "historical_value",
    "returned_amount",
    "order_count",
    "open_order_count",
)
DATED = ("recent_order_count", "former_order_count")
SAID = ("review_count", "average_rating", "support_ticket_count", "nps_score", "csat_score", "ces_score")
DROPPED = (
    "registered_at",
    "purchase_frequency",
    "first_ordered_at",
    "first_seen_at",
    "last_seen_at",
)


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
    """One row per customer known to any system; what the sources cannot tell of anybody is empty, and no zero."""
    now, lines = clock(as_of), _with_category(order_lines, products)
    parts = [
        rfm.select(RFM),
        _ordered(orders, now),
        _latest(orders),
        _priced(lines),
        _price_index(lines),
        browsing.select("customer_id", "first_seen_at", "last_seen_at", *BROWSED),
        feedback.select("customer_id", *SAID),
        loyalty_members.select("customer_id", "points_balance"),
    ]
    wide = widened(customers.select(PEOPLE), "customer_id", *parts)
    first_order, first_visit = orders.ordered_at.min(), browsing.first_seen_at.min()
    spans = {"orders_span_days": _span(first_order, now), "visits_span_days": _span(first_visit, now)}
    is_told = {
        **dict.fromkeys(ORDERED, _any(orders.order_id.count())),
        **dict.fromkeys(DATED, first_order.as_scalar().notnull()),
        "item_count": _any(order_lines.order_line_id.count()),
        "category_count": _any(lines.category.count()),
        "product_count": _any(lines.product_id.count()),
        **dict.fromkeys(BROWSED, _any(browsing.customer_id.count())),
        "review_count": _any(feedback.review_count.sum()),
        "support_ticket_count": _any(feedback.support_ticket_count.sum()),
    }
    counted = {name: is_known.ifelse(wide[name].fill_null(0), None) for name, is_known in is_told.items()}
    described = _described(wide.mutate(**counted, **spans), now)
    valued = widened(described, "historical_value", _shares_above(described))
    return valued.drop(*DROPPED, "visits_span_days")


def _described(known: ir.Table, now: Clock) -> ir.Table:
    """Customers with what follows from their counts, which are empty where they are not known for long enough."""
    lasting = known.mutate(
        former_order_count=_if_long(known.former_order_count, known.orders_span_days),
        former_session_count=_if_long(known.former_session_count, known.visits_span_days),
    )
    return lasting.mutate(_derived(lasting, now))


def _ordered(orders: ir.Table, now: Clock) -> ir.Table:
    """What each customer ordered, handed back and had reduced."""
    summed = _summed(orders, now)
    return summed.select(
        "customer_id",
        "order_count",
        "open_order_count",
        "historical_value",
        "returned_amount",
        "recent_order_count",
        "former_order_count",
        # An order of unknown value or date is none of nothing.
        average_order_amount=rate(summed.worth, summed.valued),
        order_interval_days=rate(summed.ordered_days, summed.dated - 1),
        return_rate=rate(summed.returns.fill_null(0), summed.sales + summed.returns.fill_null(0)),
        discount_rate=rate(summed.discounted, summed.discount_known),
    )


def _summed(orders: ir.Table, now: Clock) -> ir.Table:
    """One row per customer with orders: sums and counts."""
    ago = now.days_since(orders.ordered_at)
    # An adjustment is no order, and what was handed back on a receipt of its own is a return.
    is_return = orders.order_status.isin(RETURNS) | (~orders.is_completed & (orders.returned_amount > 0))
    dated = orders.mutate(is_sale=orders.is_completed, is_return=is_return, ago=ago)
    sale = dated.is_sale
    theirs = dated.filter(dated.customer_id.notnull())
    return theirs.group_by("customer_id").agg(
        order_count=(dated.order_status != "adjustment").sum(),
        open_order_count=dated.order_status.isin(("pending", UNKNOWN)).sum(),
        historical_value=(dated.order_amount.fill_null(0) - dated.refunded_amount).sum().cast(MONEY),
        returned_amount=dated.returned_amount.sum().cast(MONEY),
        sales=sale.sum(),
        returns=dated.is_return.sum(),
        discounted=(sale & dated.has_discount).sum(),
        discount_known=(sale & dated.has_discount.notnull()).sum(),
        recent_order_count=(sale & (dated.ago < RECENT_DAYS)).sum(),
        former_order_count=(sale & dated.ago.between(RECENT_DAYS, 2 * RECENT_DAYS - 1)).sum(),
        worth=dated.order_amount.sum(where=sale),
        valued=dated.order_amount.count(where=sale),
        ordered_days=dated.ago.max(where=sale) - dated.ago.min(where=sale),
        dated=dated.ago.count(where=sale),
    )


def _latest(orders: ir.Table) -> ir.Table:
    """The last completed order of each customer; of two at the same moment, the one whose ID comes last."""
    dated = orders.filter(orders.is_completed, orders.ordered_at.notnull(), orders.customer_id.notnull())
    newest_first = ibis.window(group_by="customer_id", order_by=[dated.ordered_at.desc(), dated.order_id.desc()])
    placed = dated.mutate(place=ibis.row_number().over(newest_first))
    return placed.filter(placed.place == 0).select("customer_id", last_order_amount="order_amount")


def _with_category(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """The lines sold, with their category and whether their price is known."""
    catalogue = products.select(sku="sku_id", category="product_category")
    sold = order_lines.filter(order_lines.line_kind == "sale")
    return sold.left_join(catalogue, sold.sku_id == catalogue.sku).mutate(is_priced=sold.net_amount.notnull())


def _priced(lines: ir.Table) -> ir.Table:
    """How much was bought, and at which prices."""
    theirs = lines.filter(lines.customer_id.notnull())
    totals = theirs.group_by("customer_id").agg(
        item_count=pieces(theirs.quantity).sum().cast("int64"),
        category_count=theirs.category.nunique(),
        product_count=theirs.product_id.nunique(),
        priced=theirs.quantity.sum(where=theirs.is_priced),
        paid=theirs.net_amount.sum(),
    )
    return totals.select(
        "customer_id",
        "item_count",
        "category_count",
        "product_count",
        average_unit_price=rate(totals.paid, totals.priced),
    )


def _price_index(lines: ir.Table) -> ir.Table:
    """What customers pay for a piece over the median of its category: of all pieces they bought the median one."""
    priced = lines.filter(lines.is_priced, lines.category.notnull())
    paid = priced.select("customer_id", "category", "quantity", paid=rate(priced.net_amount, priced.quantity))
    usual = paid.group_by("category").agg(usual=paid.paid.median())
    compared = paid.filter(paid.customer_id.notnull()).join(usual, "category")
    compared = compared.mutate(ratio=rate(compared.paid, compared.usual)).filter(ibis._.ratio.notnull())
    up_to = ibis.cumulative_window(group_by=compared.customer_id, order_by=compared.ratio)
    weighed = compared.mutate(
        so_far=compared.quantity.sum().over(up_to),
        total=compared.quantity.sum().over(group_by=compared.customer_id),
    )
    # Among equal ratios it does not matter which comes first.
    upper = weighed.filter(weighed.so_far * 2 >= weighed.total)
    return upper.group_by("customer_id").agg(price_index=upper.ratio.min())


def _shares_above(described: ir.Table) -> ir.Table:
    """One row per value above 0 that a buyer has: how much of the value of all those who are worth more have."""
    buyers = described.filter(described.frequency > 0, described.historical_value > 0)
    counted = buyers.group_by("historical_value").agg(together=buyers.historical_value.sum())
    down_to = ibis.cumulative_window(order_by=counted.historical_value.desc())
    above = counted.together.sum().over(down_to) - counted.together
    return counted.select("historical_value", value_share_above=rate(above, counted.together.sum().over()))


def _derived(known: ir.Table, now: Clock) -> dict[str, ir.Value]:
    """What follows from the joined parts."""
    # Sums pass over null as addition does not: where one kind of activity is not known that long, the other tells.
    recent_orders = _if_long(known.recent_order_count, known.orders_span_days)
    recent_visits = _if_long(known.recent_session_count, known.visits_span_days)
    recent = recent_orders.fill_null(0) + recent_visits.fill_null(0)
    former = known.former_order_count.fill_null(0) + known.former_session_count.fill_null(0)
    stated = known.purchase_frequency.lower()
    since = ibis.least(known.registered_at, known.first_ordered_at, known.first_seen_at)
    tenure_days = now.days_since(since).cast("int32")
    return {
        "tenure_days": tenure_days,
        "history_days": now.days_since(known.first_ordered_at).cast("int32"),
        "visit_recency_days": now.days_since(known.last_seen_at).cast("int32"),
        "activity_change": (tenure_days >= 2 * RECENT_DAYS).ifelse(rate(recent - former, recent + former), None),
        "activity_span_days": ibis.greatest(known.orders_span_days, known.visits_span_days),
        "stated_orders_per_year": ibis.cases(*[(stated == word, float(count)) for word, count in STATED.items()]),
    }


def _any(count: ir.IntegerScalar) -> ir.BooleanScalar:
    """Whether the sources support a measure at all."""
    return (count.fill_null(0) > 0).as_scalar()


def _span(first: ir.TimestampScalar, now: Clock) -> ir.IntegerValue:
    """How many calendar days the data spans, the first and the last among them."""
    return (now.days_since(first.as_scalar()) + 1).cast("int32")


def _if_long(count: ir.IntegerColumn, span: ir.IntegerColumn) -> ir.IntegerColumn:
    """A count, where both windows lie within what is held."""
    return (span >= 2 * RECENT_DAYS).ifelse(count, None)
