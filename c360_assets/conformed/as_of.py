"""The moment as of which every analysis speaks. Time is data here: nothing in this product reads the clock."""

from datetime import datetime

import dagster as dg
import ibis
import ibis.expr.types as ir

SOURCE = dg.AssetIn(key_prefix="sources")
# Tables take all hours of it. Said of the last one alone, because Dagster would list every hour there ever was.
HOURLY_SOURCE = dg.AssetIn(key_prefix="sources", partition_mapping=dg.LastPartitionMapping())
# What a customer does, by dataset: the column that says when.
EVENTS = {
    "orders": "ordered_at",
    "web_analytics": "activity_ts",
    "review": "reviewed_at",
    "support_ticket": "opened_at",
    "survey_answer": "answered_at",
}
# How far back `recent` reaches, in every table; what is called `former` are as many days before it.
RECENT_DAYS = 90


class AsOf(dg.Config):
    """`as_of` in ISO 8601, UTC; left out, the newest event held."""

    as_of: str | None = None


@dg.asset(ins={**dict.fromkeys(EVENTS, SOURCE), "web_analytics": HOURLY_SOURCE})
def as_of(
    config: AsOf,
    orders: ir.Table,
    web_analytics: ir.Table,
    review: ir.Table,
    support_ticket: ir.Table,
    survey_answer: ir.Table,
) -> ir.Table:
    """One row: the moment asked for, else the newest thing a customer is known to have done."""
    if config.as_of is not None:
        return ibis.literal(datetime.fromisoformat(config.as_of), type="timestamp(6)").name("as_of").as_table()
    events = (orders, web_analytics, review, support_ticket, survey_answer)
    moments = [rows[column] for rows, column in zip(events, EVENTS.values(), strict=True)]
    newest = [moment.max().name("as_of").as_table() for moment in moments]
    return ibis.union(*newest).agg(as_of=ibis._.as_of.max())


def moment(as_of: ir.Table) -> ir.Value:
    """`as_of` as a scalar, for use in expressions over other tables. Over tables of events, `constant` is faster."""
    return as_of.as_of.as_scalar()


def constant(as_of: ir.Table) -> ir.TimestampScalar:
    """`as_of`, read here and now; null where there is none.

    A scalar of another table DuckDB joins to every row, and passes over no file by it (18 million views with their
    windows: 35 s instead of 58 s).
    """
    return ibis.literal(as_of.as_of.max().to_pyarrow().as_py(), type="timestamp(6)")


def until(rows: ir.Table, event_time: str, as_of: ir.Table) -> ir.Table:
    """The rows that had happened by `as_of`. Undated rows are kept: nothing says they came later."""
    return rows.filter((rows[event_time] <= constant(as_of)).fill_null(True))
