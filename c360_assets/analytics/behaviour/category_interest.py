"""Category interest: what kinds of products each customer cares about, from looking, wishing and buying together."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY, pieces
from c360_assets.terms.time import RECENT_DAYS, clock

# How much one of each tells of interest.
WEIGHTS = {"view_count": 1, "favorite_count": 2, "cart_count": 3, "line_count": 5}
COUNTS = (*WEIGHTS, "order_count", "item_count", "recent_interest_count")


@dg.asset
def category_interest(
    product_views: ir.Table,
    items_added_to_favorite: ir.Table,
    items_added_to_cart: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer and product category they looked at, wished for or bought."""
    catalogue = products.select(sku="sku_id", category_name="product_category")
    viewed = product_views.join(catalogue, product_views.product_sku == catalogue.sku)
    parts = [
        _interest(viewed, "view_count", as_of),
        _interest(items_added_to_favorite, "favorite_count", as_of),
        _interest(items_added_to_cart, "cart_count", as_of),
        _bought(order_lines, catalogue),
    ]
    together = ibis.union(*[_same_columns(part) for part in parts])
    summed = together.group_by("customer_id", "category").agg(
        **{name: together[name].sum().cast("int64") for name in COUNTS},
        spent_amount=together.spent_amount.sum().cast(MONEY),
        last_at=together.last_at.max(),
    )
    return _ranked(summed)


def _interest(events: ir.Table, count: str, as_of: ir.Table) -> ir.Table:
    """Events of one kind per customer and category, and how many of them are recent."""
    known = events.filter(events.entity_id.notnull() & events.category_name.notnull())
    ago = clock(as_of).days_since(known.activity_ts)
    return known.group_by(customer_id="entity_id", category="category_name").agg(
        known.count().name(count),
        recent_interest_count=known.count(where=ago < RECENT_DAYS),
        last_at=known.activity_ts.max(),
    )


def _bought(order_lines: ir.Table, catalogue: ir.Table) -> ir.Table:
    """Lines sold per customer and category."""
    lines = order_lines.join(catalogue, order_lines.sku_id == catalogue.sku)
    sold = lines.filter((lines.line_kind == "sale") & lines.customer_id.notnull() & lines.category_name.notnull())
    return sold.group_by("customer_id", category="category_name").agg(
        line_count=sold.count(),
        order_count=sold.order_id.nunique(),
        item_count=pieces(sold.quantity).sum(),
        spent_amount=sold.line_amount.sum().fill_null(0).cast(MONEY),
        last_at=sold.ordered_at.max(),
    )


def _same_columns(part: ir.Table) -> ir.Table:
    """What a part does not count is 0 in it."""
    counts = {name: part[name].cast("int64") if name in part.columns else ibis.literal(0, "int64") for name in COUNTS}
    spent = part.spent_amount if "spent_amount" in part.columns else ibis.literal(0).cast(MONEY)
    return part.select("customer_id", "category", "last_at", **counts, spent_amount=spent)


def _ranked(summed: ir.Table) -> ir.Table:
    """Adds how much of a customer's interest goes to each category, and its place among theirs."""
    weighted = summed.mutate(weight=sum(summed[name] * weight for name, weight in WEIGHTS.items()))
    own = ibis.window(group_by=weighted.customer_id)
    strongest = [ibis.desc(weighted.weight), ibis.desc(weighted.spent_amount), weighted.category]
    place = ibis.row_number().over(ibis.window(group_by=weighted.customer_id, order_by=strongest))
    total = weighted.weight.sum().over(own)
    return weighted.mutate(
        interest_share=weighted.weight.cast("float64") / total.cast("float64"),
        preference_rank=(place + 1).cast("int32"),
    ).drop("weight")
