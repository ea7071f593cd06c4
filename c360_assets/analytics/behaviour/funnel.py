"""Funnel: how far visits get from a look at a product to an order, and where they are lost."""

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from c360_assets.terms.texts import UNKNOWN

STEPS = {"view": "product_view_count", "favorite": "favorite_count", "cart": "cart_count", "order": "order_count"}
NO_EVENTS = "no web events"
# What is counted of the sessions at each step.
COUNTED = ("session_count", "reached_count", "with_view_count", "with_previous_count")


@dg.asset
def funnel(sessions: ir.Table, customer_segments: ir.Table) -> ir.Table:
    """One row per dimension, its value and step: 1 view, 2 favorite, 3 cart, 4 order."""
    segments = customer_segments.select("customer_id", "customer_segment", "engagement_level")
    channel, device = (sessions[name].fill_null(UNKNOWN) for name in ("traffic_channel", "device"))
    visits = sessions.mutate(traffic_channel=channel, device=device)
    per_customer = _summed(visits, "entity_id")
    segmented = per_customer.left_join(segments, per_customer.entity_id == segments.customer_id)
    dimensions = [
        _dimension(per_customer, "all"),
        _dimension(_summed(visits, "entity_id", "traffic_channel"), "traffic_channel"),
        _dimension(_summed(visits, "entity_id", "device"), "device"),
        _dimension(segmented, "customer_segment"),
        _dimension(segmented, "engagement_level"),
    ]
    return _measured(_by_step(ibis.union(*dimensions)))


def _summed(sessions: ir.Table, *keys: str) -> ir.Table:
    """Sessions counted per customer, so that what follows reads millions of rows only once."""
    did = [sessions[column] > 0 for column in STEPS.values()]
    counts = {}
    for place, step in enumerate(did):
        counts[f"session_count_{place}"] = sessions.count(where=step)
        counts[f"reached_count_{place}"] = sessions.count(where=ibis.or_(*did[place:]))
        counts[f"with_view_count_{place}"] = sessions.count(where=step & did[0])
        counts[f"with_previous_count_{place}"] = sessions.count(where=step & did[max(place - 1, 0)])
    return sessions.group_by(*keys).agg(visits=sessions.count(), **counts)


def _dimension(summed: ir.Table, dimension: str) -> ir.Table:
    """One row per value; `all` has its row even where there is nothing to count."""
    places = range(len(STEPS))
    counts = {f"{name}_{at}": summed[f"{name}_{at}"].sum().cast("int64") for name in COUNTED for at in places}
    is_customer = summed.entity_id.notnull()
    counts |= {
        f"customer_count_{at}": summed.count(where=is_customer & (summed[f"session_count_{at}"] > 0)) for at in places
    }
    counts |= {"visits": summed.visits.sum().cast("int64")}
    if dimension == "all":
        measured = summed.agg(**counts).mutate(value=ibis.literal("all"))
    else:
        measured = summed.group_by(value=summed[dimension].fill_null(UNKNOWN)).agg(**counts)
    return measured.mutate(dimension=ibis.literal(dimension)).relocate("dimension", "value")


def _by_step(values: ir.Table) -> ir.Table:
    """Four rows for each value, one per step."""
    steps = ibis.memtable(pa.table({"step": pa.array(range(1, len(STEPS) + 1), pa.int32()), "step_name": list(STEPS)}))
    rows = values.cross_join(steps)

    def at(name: str, shift: int = 0) -> ir.Value:
        places = [place for place in range(len(STEPS)) if 0 <= place + shift < len(STEPS)]
        return ibis.cases(*[(rows.step == place + 1, rows[f"{name}_{place + shift}"]) for place in places])

    return rows.select(
        "dimension",
        "value",
        "step",
        "step_name",
        "visits",
        **{name: at(name) for name in (*COUNTED, "customer_count")},
        view_count=rows.session_count_0,
        previous_count=at("session_count", -1),
        next_reached_count=at("reached_count", 1),
    )


def _measured(rows: ir.Table) -> ir.Table:
    has_events = rows.visits.fill_null(0) > 0
    return rows.select(
        "dimension",
        "value",
        "step",
        "step_name",
        "session_count",
        "reached_count",
        customer_count=has_events.ifelse(rows.customer_count, None),
        rate_of_views=rows.with_view_count / rows.view_count.nullif(0),
        rate_of_previous=(rows.step > 1).ifelse(rows.with_previous_count / rows.previous_count.nullif(0), None),
        drop_off_rate=(rows.reached_count - rows.next_reached_count) / rows.reached_count.nullif(0),
        reason=has_events.ifelse(ibis.null("string"), NO_EVENTS),
    )
