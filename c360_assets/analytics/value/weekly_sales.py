"""Weekly sales: what was sold in each week, in all, by category, brand and country, and of each product."""

from datetime import date, timedelta

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.texts import UNKNOWN
from c360_assets.terms.time import Clock, clock
from c360_assets.terms.weeks import MOST_WEEKS, last_week

TOTAL = "total"
LEVELS = (TOTAL, "category", "brand", "country", "product")
NEVER = date(1900, 1, 1)
NOTHING = ibis.literal(0).cast(MONEY)


@dg.asset
def weekly_sales(
    orders: ir.Table, order_lines: ir.Table, products: ir.Table, customers: ir.Table, as_of: ir.Table
) -> ir.Table:
    """One row per level, series and whole week, from the week of the series' first sale to the last that is over."""
    shop = clock(as_of)
    last = last_week(shop) or NEVER
    sold = _within(_sold(_dated(orders, customers, shop), order_lines, products), last)
    weekly = ibis.union(*(_weekly(sold, level) for level in LEVELS))
    grid = _grid(weekly, last)
    joined = grid.left_join(weekly.drop("series_name"), ["level", "series_id", "week_on"])
    return joined.select(
        "level",
        "series_id",
        "series_name",
        "week_on",
        revenue=joined.revenue.fill_null(0).cast(MONEY),
        quantity=joined.quantity.fill_null(0).cast(MONEY),
        order_count=joined.order_count.fill_null(0).cast("int64"),
    )


def _dated(orders: ir.Table, customers: ir.Table, shop: Clock) -> ir.Table:
    """What is sold or handed back at a known time: its week, the country, and its net value."""
    moved = orders.filter(orders.ordered_at.notnull(), orders.is_completed | (orders.refunded_amount != 0))
    homes = customers.select(home_id="customer_id", home="country")
    known = moved.left_join(homes, moved.customer_id == homes.home_id)
    local = shop.local(known.ordered_at)
    first = local.min(where=known.is_completed).over(ibis.window())
    return known.select(
        "order_id",
        "is_completed",
        week_on=local.truncate("W").date(),
        # The week of the first order counts where that came on its Monday.
        first_on=(first + ibis.interval(days=6)).truncate("W").date(),
        country=known.shipping_country.fill_null(known.home).fill_null(UNKNOWN),
        net=(known.order_amount.fill_null(0) - known.refunded_amount).cast(MONEY),
    )


def _sold(dated: ir.Table, order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """One row per line, and one per order for what its lines do not tell: its value, and that it was."""
    lines = _lines(order_lines)
    told = lines.group_by("order_id").agg(told=lines.revenue.sum(), sale_count=lines.is_sale.sum())
    orders = dated.left_join(told, "order_id")
    rest = orders.mutate(
        revenue=(orders.net - orders.told.fill_null(0)).cast(MONEY),
        is_sale=orders.is_completed & (orders.sale_count.fill_null(0) == 0),
    )
    untold = rest.filter((rest.revenue != 0) | rest.is_sale).select(
        "order_id", "week_on", "first_on", "country", "revenue", "is_sale",
        quantity=NOTHING, category=ibis.literal(UNKNOWN), brand=ibis.literal(UNKNOWN),
        brand_name=ibis.literal(UNKNOWN), product=ibis.literal(UNKNOWN), product_name=ibis.literal(UNKNOWN),
    )  # fmt: skip
    named = _named(lines.inner_join(dated, "order_id"), products)
    return named.select(untold.columns).union(untold)


def _lines(order_lines: ir.Table) -> ir.Table:
    """Lines that are sold, or take back what was."""
    is_sale = order_lines.line_kind == "sale"
    takes_back = (order_lines.line_kind == "return") & (order_lines.net_amount < 0).fill_null(False)
    moved = order_lines.filter(is_sale | takes_back)
    is_sold = moved.line_kind == "sale"
    return moved.select(
        "order_id",
        "sku_id",
        "product_id",
        is_sale=is_sold,
        revenue=moved.net_amount.fill_null(0),
        quantity=is_sold.ifelse(moved.quantity.fill_null(0), NOTHING).cast(MONEY),
    )


def _named(lines: ir.Table, products: ir.Table) -> ir.Table:
    """The lines with category, brand and name of what was sold."""
    skus = products.select(
        catalogue_sku="sku_id", category="product_category", brand=products.brand_id, brand_name="brand_name"
    )
    names = products.group_by(catalogue_id="product_id").agg(product_name=products.product_name.min())
    joined = lines.left_join(skus, lines.sku_id == skus.catalogue_sku)
    joined = joined.left_join(names, joined.product_id == names.catalogue_id)
    brand, product = joined.brand.fill_null(UNKNOWN), joined.product_id.fill_null(UNKNOWN)
    return joined.mutate(
        category=joined.category.fill_null(UNKNOWN),
        brand=brand,
        brand_name=joined.brand_name.fill_null(brand),
        product=product,
        product_name=joined.product_name.fill_null(product),
    )


def _within(sold: ir.Table, last: date) -> ir.Table:
    """What was sold in whole weeks, the first and the last that are told included."""
    earliest = ibis.literal(last - timedelta(weeks=MOST_WEEKS - 1))
    is_within = (sold.week_on >= sold.first_on) & (sold.week_on >= earliest) & (sold.week_on <= ibis.literal(last))
    return sold.filter(is_within)


def _weekly(sold: ir.Table, level: str) -> ir.Table:
    """One row per series of a level and week in which something was sold or came back."""
    key = ibis.literal(TOTAL) if level == TOTAL else sold[level]
    name = sold[f"{level}_name"] if f"{level}_name" in sold.columns else key
    of_level = sold.mutate(level=ibis.literal(level), series_id=key, of_name=name)
    return of_level.group_by("level", "series_id", "week_on").agg(
        series_name=of_level.of_name.min(),
        revenue=of_level.revenue.sum().cast(MONEY),
        quantity=of_level.quantity.sum().cast(MONEY),
        order_count=of_level.order_id.nunique(where=of_level.is_sale),
    )


def _grid(weekly: ir.Table, last: date) -> ir.Table:
    """Every series in every week from its first to the last."""
    series = weekly.group_by("level", "series_id").agg(
        series_name=weekly.series_name.min(), begins_on=weekly.week_on.min()
    )
    weeks = series.mutate(ago=ibis.range(MOST_WEEKS).unnest())
    dated = weeks.mutate(week_on=(ibis.literal(last) - (weeks.ago * 7).as_interval("D")).cast("date"))
    return dated.filter(dated.week_on >= dated.begins_on).drop("ago", "begins_on")
