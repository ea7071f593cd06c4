"""Orders: what was ordered, by whom, when, and what it was worth."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY, pieces
from c360_assets.terms.statuses import RETURNS, is_completed, status_then
from c360_assets.terms.texts import stripped
from c360_assets.terms.time import clock, until

NOTHING = ibis.literal(0).cast(MONEY)


@dg.asset(ins={"ordered": dg.AssetIn(["sources", "orders"])})
def orders(ordered: ir.Table, order_lines: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per order, return or adjustment by as_of; anonymous ones have no customer."""
    placed, now = until(ordered, "ordered_at", as_of), clock(as_of)
    # Before the join: what is compared with words there is many times as dear after it.
    known = placed.mutate(
        status=status_then(placed, now),
        delivered_at=(placed.order_delivery_date <= now.now).ifelse(placed.order_delivery_date, None),
        discount=placed.discounted_amount.abs().cast(MONEY),
        code=stripped(placed.promo_code).nullif(""),
        shipping=placed.shipping_amount.cast(MONEY),
        tax=placed.tax_amount.cast(MONEY),
        total=placed.total_amount.cast(MONEY),
    )
    lines = _summed(order_lines)
    joined = known.left_join(lines, known.order_id == lines.line_order_id)
    has_lines = joined.line_order_id.notnull()
    # A receipt on which goods are only handed back is no order.
    is_handed_back = ibis.ifelse(has_lines, (joined.line_count == 0) & (joined.return_count > 0), joined.total < 0)
    completed = is_completed(joined.status) & ~is_handed_back.fill_null(False)
    is_return = joined.status.isin(RETURNS) | (is_completed(joined.status) & ~completed)
    stated_goods = joined.total - joined.shipping.fill_null(0) - joined.tax.fill_null(0)
    goods_amount = joined.is_priced.ifelse(joined.net_amount, stated_goods)
    stated = (is_return & ~has_lines).ifelse(stated_goods, NOTHING)
    discount = joined.lines_discount.nullif(0).fill_null(joined.discount)
    discounts = (known.discount, order_lines.discount_amount)
    gives_discounts = ibis.or_(*((amount != 0).any().as_scalar() for amount in discounts))
    gives_codes = known.code.notnull().any().as_scalar()
    return joined.select(
        order_id=joined.order_id,
        customer_id=joined.customer_id,
        ordered_at=joined.ordered_at,
        order_status=joined.status,
        is_completed=completed,
        is_anonymous=joined.customer_id.isnull(),
        delivered_at=joined.delivered_at,
        payment_method=joined.payment_method,
        transaction_id=joined.transaction_id,
        line_count=joined.line_count.fill_null(0),
        item_count=joined.item_count.fill_null(0),
        lines_amount=joined.is_priced.ifelse(joined.lines_amount, ibis.null(MONEY)),
        discount_amount=discount,
        shipping_amount=joined.shipping,
        tax_amount=joined.tax.fill_null(joined.lines_tax),
        total_amount=joined.total,
        order_amount=completed.ifelse(goods_amount, NOTHING).cast(MONEY),
        returned_amount=joined.returned_lines_amount.fill_null(stated.abs()).fill_null(NOTHING).cast(MONEY),
        refunded_amount=joined.refunded_lines_amount.fill_null(ibis.greatest(-stated, NOTHING))
        .fill_null(NOTHING)
        .cast(MONEY),
        store=stripped(joined.store).nullif(""),
        shipping_city=joined.shipping_city,
        shipping_state=joined.shipping_state,
        shipping_country=joined.shipping_country,
        shipping_type=joined.shipping_type,
        has_discount=_told(joined.has_discount, (discount > 0).fill_null(False), gives_discounts),
        has_promo_code=_told(joined.has_promo_code, joined.code.notnull(), gives_codes),
        promo_code=joined.code,
        sales_channel=joined.sales_channel,
        season=joined.season,
    )


def _told(flag: ir.BooleanColumn, is_seen: ir.BooleanColumn, is_kept: ir.BooleanScalar) -> ir.BooleanColumn:
    """What the source says, else what is seen of it, in a shop that keeps it at all."""
    return flag.fill_null(is_kept.ifelse(is_seen, None))


def _summed(order_lines: ir.Table) -> ir.Table:
    """One row per order with lines: its sales, and what came back."""
    is_sale, is_return = order_lines.line_kind == "sale", order_lines.line_kind == "return"
    net = order_lines.net_amount
    return order_lines.group_by(line_order_id=order_lines.order_id).agg(
        line_count=is_sale.sum(),
        item_count=pieces(order_lines.quantity).sum(where=is_sale).cast("int64"),
        is_priced=~(is_sale & order_lines.line_amount.isnull()).any(),
        lines_amount=order_lines.line_amount.sum(where=is_sale).fill_null(0).cast(MONEY),
        lines_discount=order_lines.discount_amount.sum(where=is_sale).fill_null(0).cast(MONEY),
        lines_tax=order_lines.tax_amount.sum(where=is_sale).cast(MONEY),
        net_amount=net.sum(where=is_sale).fill_null(0).cast(MONEY),
        return_count=is_return.sum(),
        returned_lines_amount=net.abs().sum(where=is_return).cast(MONEY),
        # Goods returned in whole orders were never counted; negative lines take back what was.
        refunded_lines_amount=(-net).sum(where=is_return & (net < 0)).fill_null(0).cast(MONEY),
    )
