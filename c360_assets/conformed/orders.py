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
    known = _stated(ordered, as_of)
    lines = _summed(order_lines)
    joined = known.left_join(lines, known.order_id == lines.line_order_id)
    completed = is_completed(joined.status) & ~_is_handed_back(joined)
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
        **_amounts(joined, completed),
        store=stripped(joined.store).nullif(""),
        shipping_city=joined.shipping_city,
        shipping_state=joined.shipping_state,
        shipping_country=joined.shipping_country,
        shipping_type=joined.shipping_type,
        **_reductions(joined, known, order_lines),
        promo_code=joined.code,
        sales_channel=joined.sales_channel,
        season=joined.season,
    )


def _stated(ordered: ir.Table, as_of: ir.Table) -> ir.Table:
    """What had been ordered by as_of, with what the source states of it in the types and words used here."""
    placed, now = until(ordered, "ordered_at", as_of), clock(as_of)
    # Before the join: what is compared with words there is many times as dear after it.
    return placed.mutate(
        status=status_then(placed, now),
        delivered_at=(placed.order_delivery_date <= now.now).ifelse(placed.order_delivery_date, None),
        discount=placed.discounted_amount.abs().cast(MONEY),
        code=stripped(placed.promo_code).nullif(""),
        shipping=placed.shipping_amount.cast(MONEY),
        tax=placed.tax_amount.cast(MONEY),
        total=placed.total_amount.cast(MONEY),
    )


def _is_handed_back(joined: ir.Table) -> ir.BooleanValue:
    """A receipt on which goods are only handed back is no order."""
    only_returns = (joined.line_count == 0) & (joined.return_count > 0)
    return ibis.ifelse(_has_lines(joined), only_returns, joined.total < 0).fill_null(False)


def _has_lines(joined: ir.Table) -> ir.BooleanValue:
    return joined.line_order_id.notnull()


def _amounts(joined: ir.Table, completed: ir.BooleanValue) -> dict[str, ir.Value]:
    """What each order was worth: by its lines where all have a price, else by what the source states."""
    is_return = joined.status.isin(RETURNS) | (is_completed(joined.status) & ~completed)
    stated_goods = joined.total - joined.shipping.fill_null(0) - joined.tax.fill_null(0)
    goods = joined.is_priced.ifelse(joined.net_amount, stated_goods)
    stated = (is_return & ~_has_lines(joined)).ifelse(stated_goods, NOTHING)
    refunded = joined.refunded_lines_amount.fill_null(ibis.greatest(-stated, NOTHING))
    return {
        "lines_amount": joined.is_priced.ifelse(joined.lines_amount, ibis.null(MONEY)),
        "discount_amount": _discount(joined),
        "shipping_amount": joined.shipping,
        "tax_amount": joined.tax.fill_null(joined.lines_tax),
        "total_amount": joined.total,
        "order_amount": completed.ifelse(goods, NOTHING).cast(MONEY),
        "returned_amount": joined.returned_lines_amount.fill_null(stated.abs()).fill_null(NOTHING).cast(MONEY),
        "refunded_amount": refunded.fill_null(NOTHING).cast(MONEY),
    }


def _discount(joined: ir.Table) -> ir.Value:
    return joined.lines_discount.nullif(0).fill_null(joined.discount)


def _reductions(joined: ir.Table, known: ir.Table, order_lines: ir.Table) -> dict[str, ir.Value]:
    """Whether an order had a discount and a promotional code."""
    discounts = (known.discount, order_lines.discount_amount)
    gives_discounts = ibis.or_(*((amount != 0).any().as_scalar() for amount in discounts))
    gives_codes = known.code.notnull().any().as_scalar()
    is_discounted = (_discount(joined) > 0).fill_null(False)
    return {
        "has_discount": _told(joined.has_discount, is_discounted, gives_discounts),
        "has_promo_code": _told(joined.has_promo_code, joined.code.notnull(), gives_codes),
    }


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
