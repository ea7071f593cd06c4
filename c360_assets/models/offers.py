"""Offers: dearer products of the kind each customer bought last, and products that are bought together with those."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.actions import CLEARLY_ABOVE
from c360_assets.terms.purchases import product_facts, sold_products
from c360_assets.terms.rates import rate
from c360_assets.terms.time import clock
from governance.recommendations import Exclusions, Season

UPSELL, CROSS_SELL = "upsell", "cross-sell"
LENGTH = 3
# Dearer than twice as much is another kind of thing, whatever its category.
DEAREST = 2.0
# Of the products of a category those most bought, and of these so many dearer ones for each product.
CANDIDATES, CHOICES = 100, 10


@dg.asset
def offers(
    order_lines: ir.Table,
    products: ir.Table,
    basket_rules: ir.Table,
    as_of: ir.Table,
    exclusions: dg.ResourceParam[Callable[[], Exclusions]],
) -> ir.Table:
    """One row per customer, kind of offer and rank, from 1 to 3 at the most."""
    goods, sold = _goods(order_lines, products), sold_products(order_lines)
    shown = goods.filter(~_is_out(goods, exclusions(), clock(as_of).date))
    bought = sold.filter(sold.customer_id.notnull())
    last = _last(bought)
    found = _dearer(last, goods, shown).union(_together(last, goods, shown, basket_rules))
    new = found.anti_join(bought.select("customer_id", "product_id").distinct(), ["customer_id", "product_id"])
    return _ranked(new)


def _goods(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """One row per product sold: what it is called, its mean price paid, and how many orders it is in."""
    sold = order_lines.filter(order_lines.line_kind == "sale", order_lines.product_id.notnull())
    summed = sold.group_by("product_id").agg(
        paid=sold.net_amount.sum(),
        pieces=sold.quantity.sum(where=sold.net_amount.notnull()),
        order_count=sold.order_id.nunique(),
    )
    facts = product_facts(products).select("product_id", "product_name", "product_category")
    named = summed.left_join(facts, "product_id")
    return named.select(
        "product_id",
        "product_category",
        "order_count",
        product_name=named.product_name.fill_null(named.product_id),
        price=rate(named.paid, named.pieces),
    )


def _is_out(goods: ir.Table, out: Exclusions, today: date | None) -> ir.BooleanValue:
    """What is not to be shown, at all or in this month."""
    gone = _is_of(goods, [*out.discontinued, *out.excluded_products], out.excluded_categories)
    month = today.month if today else None
    in_season = [_of_season(goods, one) for one in out.seasons if month in one.months]
    of_any = [_of_season(goods, one) for one in out.seasons]
    return gone | (ibis.or_(*of_any) & ~ibis.or_(*in_season) if of_any else ibis.literal(False))


def _of_season(goods: ir.Table, season: Season) -> ir.BooleanValue:
    return _is_of(goods, season.products, season.categories)


def _is_of(goods: ir.Table, product_ids: list[str], categories: list[str]) -> ir.BooleanValue:
    return goods.product_id.isin(product_ids) | goods.product_category.isin(categories).fill_null(False)


def _last(bought: ir.Table) -> ir.Table:
    """The products of the last order of each customer that has a date."""
    dated = bought.filter(bought.ordered_at.notnull())
    newest_first = ibis.window(group_by="customer_id", order_by=[dated.ordered_at.desc(), dated.order_id.desc()])
    placed = dated.mutate(place=ibis.dense_rank().over(newest_first))
    return placed.filter(placed.place == 0).select("customer_id", because_product_id="product_id")


def _dearer(last: ir.Table, goods: ir.Table, shown: ir.Table) -> ir.Table:
    """Of each product bought last the dearer ones of its category that are in most orders."""
    most_first = ibis.window(group_by="product_category", order_by=[shown.order_count.desc(), shown.product_id])
    placed = shown.mutate(place=ibis.row_number().over(most_first))
    dear = placed.filter(placed.place < CANDIDATES, placed.price.notnull()).select(
        "product_id", "product_name", "order_count", category="product_category", dear_price="price"
    )
    cheap = goods.select("product_category", "price", because_product_id="product_id", because_name="product_name")
    pairs = cheap.join(dear, cheap.product_category == dear.category)
    near = pairs.filter(pairs.dear_price >= CLEARLY_ABOVE * pairs.price, pairs.dear_price <= DEAREST * pairs.price)
    first = ibis.window(group_by="because_product_id", order_by=[near.order_count.desc(), near.product_id])
    chosen = near.mutate(place=ibis.row_number().over(first)).filter(ibis._.place < CHOICES)
    offered = last.join(chosen, "because_product_id")
    more = ((offered.dear_price / offered.price - 1) * 100).round().cast("int64").cast("string")
    return offered.select(
        "customer_id",
        "product_id",
        "product_name",
        "because_product_id",
        kind=ibis.literal(UPSELL),
        weight=offered.order_count.cast("float64"),
        reason=ibis.literal("like ") + offered.because_name + ", which was bought last, for " + more + " % more",
    )


def _together(last: ir.Table, goods: ir.Table, shown: ir.Table, basket_rules: ir.Table) -> ir.Table:
    """What is bought in the same orders as a product bought last."""
    single = basket_rules.filter(basket_rules.antecedent_item_count == 1)
    rules = single.select("confidence", because_product_id="antecedent_ids", product_id="consequent_id")
    names = goods.select(because_product_id="product_id", because_name="product_name")
    named = rules.join(shown.select("product_id", "product_name"), "product_id").join(names, "because_product_id")
    offered = last.join(named, "because_product_id")
    share = (offered.confidence * 100).round().cast("int64").cast("string")
    return offered.select(
        "customer_id",
        "product_id",
        "product_name",
        "because_product_id",
        kind=ibis.literal(CROSS_SELL),
        weight=offered.confidence,
        reason=ibis.literal("in ")
        + share
        + " % of the orders with "
        + offered.because_name
        + ", which was bought last",
    )


def _ranked(found: ir.Table) -> ir.Table:
    """The best of each kind, a product once: that with the greatest weight; IDs settle ties."""
    of_product = ibis.window(
        group_by=["customer_id", "kind", "product_id"], order_by=[found.weight.desc(), found.because_product_id]
    )
    once = found.mutate(place=ibis.row_number().over(of_product)).filter(ibis._.place == 0)
    of_kind = ibis.window(group_by=["customer_id", "kind"], order_by=[once.weight.desc(), once.product_id])
    ranked = once.mutate(rank=(1 + ibis.row_number().over(of_kind)).cast("int32"))
    return ranked.filter(ranked["rank"] <= LENGTH).select(
        "customer_id", "kind", "rank", "product_id", "product_name", "because_product_id", "reason"
    )
