"""Order lines: what was sold or came back, priced."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.joins import widened
from c360_assets.terms.statuses import RETURNS, is_completed, status_then
from c360_assets.terms.texts import stripped
from c360_assets.terms.time import clock, until

# Prices before they are multiplied: three for a dollar are 0.33333333 each. Wider ones take a hundred times as long to
# round; what is dearer than this by its amount and quantity has no price.
PRICE = "decimal(18, 8)"


@dg.asset(ins={"order_line_item": SOURCE, "orders": SOURCE})
def order_lines(order_line_item: ir.Table, orders: ir.Table, products: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per line of an order placed by as_of. A line whose order has not arrived waits in the source."""
    lines = _with_skus(order_line_item.join(_placed(orders, as_of), "order_id"), products)
    prices = products.select(
        sold_sku_id="sku_id", sold_product_id="product_id", list_price="list_price", sale_price="sale_price"
    )
    priced = _priced(lines.left_join(prices, "sold_sku_id"))
    priced = widened(priced, "order_li_id", _shares_of_discounts(priced))
    discount = _discount(priced)
    return priced.select(
        order_line_id=priced.order_li_id,
        order_id=priced.order_id,
        customer_id=priced.customer_id,
        ordered_at=priced.ordered_at,
        order_status=priced.order_status,
        sku_id=priced.sold_sku_id,
        product_id=priced.product_id.fill_null(priced.sold_product_id),
        quantity=priced.quantity,
        unit_price=priced.price.cast(MONEY),
        line_amount=priced.priced_amount,
        discount_amount=discount,
        net_amount=(priced.priced_amount - discount).cast(MONEY),
        tax_amount=priced.tax_amount.cast(MONEY),
        unit_cost=priced.unit_cost.cast(MONEY),
        promotion=stripped(priced.promotion).nullif(""),
        line_kind=_kind(priced),
    )


def _placed(orders: ir.Table, as_of: ir.Table) -> ir.Table:
    """What lines take from their orders, of those placed by as_of."""
    known = until(orders, "ordered_at", as_of)
    return known.select(
        "order_id",
        "customer_id",
        "ordered_at",
        order_status=status_then(known, clock(as_of)),
        order_discount=known.discounted_amount.abs().cast(MONEY),
    )


def _with_skus(lines: ir.Table, products: ir.Table) -> ir.Table:
    """The lines with `sold_sku_id`: where a line names a product alone, the first of its SKUs."""
    first_sku = products.group_by("product_id").agg(first_sku_id=products.sku_id.min())
    known = lines.left_join(first_sku, "product_id")
    return known.mutate(sold_sku_id=known.sku_id.fill_null(known.first_sku_id)).drop("sku_id")


def _discount(priced: ir.Table) -> ir.NumericValue:
    """The discount of the line itself and its share of that of the order."""
    own = priced.discount_amount.abs().cast(MONEY).fill_null(0)
    # Nobody says whether the discount of what came back is written with a sign: it makes the amount smaller.
    return (own * priced.priced_amount.sign() + priced.discount_share.fill_null(0)).cast(MONEY)


def _kind(priced: ir.Table) -> ir.StringValue:
    completed = is_completed(priced.order_status)
    is_negative = ((priced.qty < 0) | (priced.price < 0) | (priced.priced_amount < 0)).fill_null(False)
    # An unknown price is not a price of nothing: the goods were sold all the same.
    is_sale = completed & (priced.qty > 0) & (priced.price > 0).fill_null(True) & ~is_negative
    # Goods handed back are a negative line, whatever else is on the receipt.
    is_return = priced.order_status.isin(RETURNS) | (completed & is_negative)
    return ibis.cases((is_sale, "sale"), (is_return, "return"), else_="other")


def _priced(lines: ir.Table) -> ir.Table:
    """The lines with `quantity`, `price` of a unit and `priced_amount`; exact, so that the order of rows is nothing."""
    quantity = lines.qty.cast(MONEY)
    # A quantity below 0 says that goods came back; tills differ in which signs price and amount have then.
    is_back = lines.qty < 0
    stated_price = is_back.ifelse(lines.unit_price.abs(), lines.unit_price)
    stated_amount = is_back.ifelse(-lines.line_amount.abs(), lines.line_amount)
    price = ibis.coalesce(
        stated_price.cast(PRICE),
        (stated_amount / lines.qty.nullif(0)).try_cast(PRICE),
        lines.sale_price.cast(PRICE),
        lines.list_price.cast(PRICE),
    )
    amount = stated_amount.cast(MONEY).fill_null((price * quantity).cast(MONEY))
    return lines.mutate(quantity=quantity, price=price, priced_amount=amount)


def _shares_of_discounts(lines: ir.Table) -> ir.Table:
    """The lines of orders with a discount on the whole, each with its share of it by amount: they sum up to it."""
    part = lines.filter(lines.order_discount > 0, lines.priced_amount > 0)
    of_order = ibis.window(group_by=part.order_id)
    so_far = ibis.cumulative_window(group_by=part.order_id, order_by=part.order_li_id)
    amount, total = part.priced_amount.sum().over(so_far), part.priced_amount.sum().over(of_order)
    counted = part.select("order_li_id", "order_id", upto=_share(part.order_discount, amount, total))
    before = counted.upto.lag().over(ibis.window(group_by=counted.order_id, order_by=counted.order_li_id))
    return counted.select("order_li_id", discount_share=(counted.upto - before.fill_null(0)).cast(MONEY))


def _share(whole: ir.NumericValue, part: ir.NumericValue, total: ir.NumericValue) -> ir.NumericValue:
    return (whole.cast("float64") * part.cast("float64") / total.cast("float64")).cast(MONEY)
