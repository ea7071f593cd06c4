"""Order placed: which products customers ordered, and the web session that led there where there is one."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.activity import ORDER_PLACED, placed_once, with_product, with_recurrence
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.inputs import HOURLY_SOURCE
from c360_assets.terms.joins import widened
from c360_assets.terms.time import clock, until

TRAFFIC = ("session_id", "traffic_channel", "traffic_source")


# After the profiles, which people wait for.
@dg.asset(ins={"web_analytics": HOURLY_SOURCE}, op_tags={"dagster/priority": "-1"})
def order_placed(
    web_analytics: ir.Table, orders: ir.Table, order_lines: ir.Table, products: ir.Table, as_of: ir.Table
) -> ir.Table:
    """One row per product of an order placed, in whatever channel, whatever became of it; adjustments are no orders."""
    happened = until(web_analytics, "activity_ts", as_of)
    clicks = happened.filter(happened.event_action == ORDER_PLACED)
    activities = ibis.union(_lines_of(orders, order_lines, clicks), _unmatched(placed_once(clicks), orders))
    of_customer = ["entity_id", "order_key"]
    counted = with_recurrence(
        activities.group_by(of_customer).agg(activity_ts=activities.activity_ts.min()),
        "order_key",
    ).select(*of_customer, "activity_occurrence", "activity_repeated_at")
    named = with_product(widened(activities, of_customer, counted), products)
    price = named.unit_price.fill_null(named.product_price)
    asked = (price * named.quantity).cast(MONEY)
    shown = clock(as_of).local(named.activity_ts)
    return named.select(
        "activity_uuid",
        "session_id",
        "entity_id",
        "activity_ts",
        "order_id",
        "transaction_id",
        "product_sku",
        "product_name",
        "category_name",
        "subcategory_name",
        "brand_name",
        "parent_company",
        "quantity",
        "traffic_channel",
        "traffic_source",
        "activity_occurrence",
        "activity_repeated_at",
        activity_year=shown.year(),
        activity_month=shown.month(),
        product_price=price,
        order_value=named.net_amount.fill_null(asked),
        is_completed=named.is_completed,
        event_action=ibis.literal(ORDER_PLACED),
    )


def _lines_of(orders: ir.Table, order_lines: ir.Table, clicks: ir.Table) -> ir.Table:
    """The lines ordered, with the web session of the first click in one that placed each order."""
    first_click = ibis.window(
        group_by="order_id", order_by=[clicks.session_id.isnull(), clicks.activity_ts, clicks.activity_uuid]
    )
    linked = clicks.filter(clicks.order_id.notnull()).mutate(place=ibis.row_number().over(first_click))
    session = linked.filter(linked.place == 0).select("order_id", *TRAFFIC)
    placed = orders.filter((orders.order_status != "adjustment").fill_null(True))
    heads = widened(placed, "order_id", session)
    # What is handed back on the receipt of an order was not ordered.
    is_ordered = (order_lines.quantity > 0) & (order_lines.net_amount >= 0).fill_null(True)
    lines = order_lines.filter(is_ordered).select(
        "order_line_id", "order_id", "sku_id", "quantity", "unit_price", "net_amount"
    )
    joined = lines.join(heads, "order_id")
    return joined.select(
        *TRAFFIC,
        "order_id",
        "quantity",
        "unit_price",
        "net_amount",
        "is_completed",
        activity_uuid=joined.order_line_id,
        entity_id=joined.customer_id,
        activity_ts=joined.ordered_at,
        transaction_id=joined.transaction_id.fill_null(joined.order_id),
        product_sku=joined.sku_id,
        order_key=joined.order_id,
    )


def _unmatched(clicks: ir.Table, orders: ir.Table) -> ir.Table:
    """Web events that say an order was placed although the shop holds no such order.

    An order is one occurrence, however many products it has: it is known by its number, else by session and moment.
    """
    lonely = clicks.anti_join(orders, "order_id")
    return lonely.select(
        *TRAFFIC,
        "order_id",
        quantity=lonely.quantity.cast(MONEY),
        unit_price=lonely.price.cast(MONEY),
        net_amount=ibis.null(MONEY),
        is_completed=False,
        activity_uuid=lonely.activity_uuid,
        entity_id=lonely.entity_id,
        activity_ts=lonely.activity_ts,
        transaction_id=lonely.order_id,
        product_sku=lonely.product_sku,
        order_key=ibis.coalesce(
            lonely.order_id, lonely.session_id + " " + lonely.activity_ts.cast("string"), lonely.activity_uuid
        ),
    )
