"""Orders: what was ordered, by whom, when, and what it was worth."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import until
from c360_assets.conformed.order_lines import is_completed, pieces, status
from c360_assets.conformed.products import MONEY

NOTHING = ibis.literal(0).cast(MONEY)


@dg.asset(ins={"ordered": dg.AssetIn(["sources", "orders"])})
def orders(ordered: ir.Table, order_lines: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per order, return or adjustment by as_of; anonymous ones have no customer."""
    placed = until(ordered, "ordered_at", as_of)
    # Before the join: what is compared with words there is many times as dear after it.
    known = placed.mutate(
        status=status(placed.order_status),
        discount=placed.discounted_amount.cast(MONEY),
        shipping=placed.shipping_amount.cast(MONEY),
        total=placed.total_amount.cast(MONEY),
    )
    is_sale = order_lines.line_kind == "sale"
    is_return = order_lines.line_kind == "return"
    is_unpriced = is_sale & order_lines.line_amount.isnull()
    lines = order_lines.group_by(line_order_id=order_lines.order_id).agg(
        line_count=is_sale.sum(),
        item_count=pieces(order_lines.quantity).sum(where=is_sale).cast("int64"),
        priced_amount=order_lines.line_amount.sum(where=is_sale).fill_null(0).cast(MONEY),
        is_priced=~is_unpriced.any(),
        returned_lines_amount=order_lines.line_amount.abs().sum(where=is_return).cast(MONEY),
        return_count=is_return.sum(),
    )
    joined = known.left_join(lines, known.order_id == lines.line_order_id)
    joined = joined.mutate(lines_amount=joined.is_priced.ifelse(joined.priced_amount, ibis.null(MONEY)))
    # A receipt on which goods are only handed back is no order.
    is_handed_back = ((joined.line_count == 0) & (joined.return_count > 0)).fill_null(False)
    completed = is_completed(joined.status) & ~is_handed_back
    goods_amount = (joined.lines_amount - joined.discount.fill_null(0)).fill_null(
        joined.total - joined.shipping.fill_null(0)
    )
    stated = (joined.status == "returned").fill_null(False).ifelse(joined.total.abs(), NOTHING)
    returned_amount = joined.returned_lines_amount.fill_null(stated).fill_null(NOTHING)
    return joined.select(
        order_id=joined.order_id,
        customer_id=joined.customer_id,
        ordered_at=joined.ordered_at,
        order_status=joined.status,
        is_completed=completed,
        is_anonymous=joined.customer_id.isnull(),
        delivered_at=joined.order_delivery_date,
        payment_method=joined.payment_method,
        transaction_id=joined.transaction_id,
        line_count=joined.line_count.fill_null(0),
        item_count=joined.item_count.fill_null(0),
        lines_amount=joined.lines_amount,
        discount_amount=joined.discount,
        shipping_amount=joined.shipping,
        total_amount=joined.total,
        order_amount=completed.ifelse(goods_amount, NOTHING).cast(MONEY),
        returned_amount=returned_amount.cast(MONEY),
        shipping_city=joined.shipping_city,
        shipping_state=joined.shipping_state,
        shipping_country=joined.shipping_country,
        shipping_type=joined.shipping_type,
        has_discount=joined.has_discount,
        has_promo_code=joined.has_promo_code,
        sales_channel=joined.sales_channel,
        season=joined.season,
    )
