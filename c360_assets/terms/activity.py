"""What the four activity streams share: one row per event, its number among the customer's own, and what came next."""

import ibis
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.joins import widened
from c360_assets.terms.time import until

ORDER_PLACED = "order_placed"


def events(web_analytics: ir.Table, action: str, as_of: ir.Table) -> ir.Table:
    """The web events of one action by as_of, each with its recurrence."""
    happened = until(web_analytics, "activity_ts", as_of)
    return with_recurrence(happened.filter(happened.event_action == action), "activity_uuid")


def placed_once(clicks: ir.Table) -> ir.Table:
    """The web events of orders placed without those that say it again, later: the page of thanks reopened."""
    return clicks.anti_join(said_again(clicks), "activity_uuid")


def said_again(clicks: ir.Table) -> ir.Table:
    """Of the web events of orders placed those that say it again, later."""
    placed = clicks.filter(clicks.event_action == ORDER_PLACED, clicks.order_id.notnull())
    first = placed.group_by("order_id").agg(first_at=placed.activity_ts.min())
    joined = placed.select("activity_uuid", "order_id", "activity_ts").join(first, "order_id")
    return joined.filter(joined.activity_ts > joined.first_at)


def with_recurrence(activities: ir.Table, identifier: str) -> ir.Table:
    """Adds `activity_occurrence` (1 for the first) and `activity_repeated_at` per `entity_id`, null for visitors."""
    in_order = ibis.window(group_by=activities.entity_id, order_by=[activities.activity_ts, activities[identifier]])
    known = activities.entity_id.notnull() & activities.activity_ts.notnull()
    return activities.mutate(
        activity_occurrence=known.ifelse(1 + ibis.row_number().over(in_order), None),
        activity_repeated_at=known.ifelse(activities.activity_ts.lead().over(in_order), None),
    )


def with_product(activities: ir.Table, products: ir.Table) -> ir.Table:
    """Adds what the catalogue says of `product_sku`; the price is the one asked today: sale price, else list price."""
    catalogue = products.select(
        product_sku="sku_id",
        product_name="product_name",
        category_name="product_category",
        subcategory_name="product_subcategory",
        brand_name="brand_name",
        parent_company="parent_company",
        product_price=products.sale_price.fill_null(products.list_price),
    )
    return widened(activities, "product_sku", catalogue)


def wished(web_analytics: ir.Table, products: ir.Table, action: str, as_of: ir.Table) -> ir.Table:
    """Favourites or carts: events with their product and what they would be worth."""
    named = with_product(events(web_analytics, action, as_of), products)
    price = named.price.cast(MONEY).fill_null(named.product_price)
    return named.select(
        "activity_uuid",
        "session_id",
        "entity_id",
        "activity_ts",
        "product_sku",
        "product_name",
        "category_name",
        "subcategory_name",
        "brand_name",
        "parent_company",
        "quantity",
        "traffic_channel",
        "traffic_source",
        "event_action",
        "activity_occurrence",
        "activity_repeated_at",
        product_price=price,
        order_value=(price * named.quantity).cast(MONEY),
    )
