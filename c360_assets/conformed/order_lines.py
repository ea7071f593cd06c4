"""Order lines: what was sold or came back, priced."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import SOURCE, until
from c360_assets.conformed.products import MONEY

STATUSES = ("placed", "shipped", "delivered", "completed", "cancelled", "returned", "adjustment")
# An order counts unless its status says otherwise: a misspelt status is a fault of quality, not a lost sale.
NOT_SALES = ("cancelled", "returned", "adjustment")


@dg.asset(ins={"order_line_item": SOURCE, "orders": SOURCE})
def order_lines(order_line_item: ir.Table, orders: ir.Table, products: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per line of an order placed by as_of. A line whose order has not arrived waits in the source."""
    placed = until(orders, "ordered_at", as_of).select(
        "order_id", "customer_id", "ordered_at", order_status=status(orders.order_status)
    )
    first_sku = products.group_by("product_id").agg(first_sku_id=products.sku_id.min())
    lines = order_line_item.join(placed, "order_id").left_join(first_sku, "product_id")
    lines = lines.mutate(sold_sku_id=lines.sku_id.fill_null(lines.first_sku_id)).drop("sku_id")
    prices = products.select(
        sold_sku_id="sku_id", sold_product_id="product_id", list_price="list_price", sale_price="sale_price"
    )
    priced = lines.left_join(prices, "sold_sku_id")
    unit_price = ibis.coalesce(priced.unit_price.cast(MONEY), priced.sale_price, priced.list_price)
    # Exact, so that sums do not depend on the order of the rows.
    quantity = priced.qty.cast(MONEY)
    line_amount = (unit_price * quantity).cast(MONEY)
    # An unknown price is not a price of nothing: the goods were sold all the same.
    completed = is_completed(priced.order_status)
    is_sale = completed & (priced.qty > 0) & (unit_price > 0).fill_null(True)
    # Goods handed back are a negative line, whatever else is on the receipt.
    is_return = (priced.order_status == "returned") | (completed & ((priced.qty < 0) | (unit_price < 0)))
    return priced.select(
        order_line_id=priced.order_li_id,
        order_id=priced.order_id,
        customer_id=priced.customer_id,
        ordered_at=priced.ordered_at,
        order_status=priced.order_status,
        sku_id=priced.sold_sku_id,
        product_id=priced.product_id.fill_null(priced.sold_product_id),
        quantity=quantity,
        unit_price=unit_price,
        line_amount=line_amount,
        line_kind=ibis.cases((is_sale, "sale"), (is_return, "return"), else_="other"),
    )


def pieces(quantity: ir.NumericColumn) -> ir.IntegerColumn:
    """How many pieces a quantity is: goods sold by weight or length are one."""
    return (quantity == quantity.floor()).ifelse(quantity, 1).cast("int64")


def status(text: ir.StringColumn) -> ir.StringColumn:
    """The status in our vocabulary; null where the source's spelling is unknown."""
    spelt = text.strip().lower()
    return spelt.isin(STATUSES).ifelse(spelt, ibis.null("string"))


def is_completed(order_status: ir.StringColumn) -> ir.BooleanColumn:
    """Whether an order of this status is a sale that stands."""
    return order_status.notin(NOT_SALES).fill_null(True)
