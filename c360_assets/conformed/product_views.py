"""Product views: which products customers and visitors look at."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.activity import events
from c360_assets.terms.inputs import HOURLY_SOURCE
from c360_assets.terms.time import clock


@dg.asset(ins={"web_analytics": HOURLY_SOURCE})
def product_views(web_analytics: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per view of a product."""
    views = events(web_analytics, "product_view", as_of)
    shown = clock(as_of).local(views.activity_ts)
    return views.select(
        "activity_uuid",
        "session_id",
        "entity_id",
        "visit_start_ts",
        "activity_ts",
        "product_sku",
        "device",
        "traffic_channel",
        "traffic_source",
        "event_action",
        "activity_occurrence",
        "activity_repeated_at",
        activity_year=shown.year(),
        activity_month=shown.month(),
    )
