"""The moment as of which every analysis speaks. Time is data here: nothing in this product reads the clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.inputs import HOURLY_SOURCE, SOURCE
from governance import contracts

# What a customer does, by dataset: the column that says when.
EVENTS = {
    contract.name: contract.event_time
    for contract in contracts.ours().values()
    if contract.moves_as_of and contract.event_time
}
# Events so far after all others do not move the moment, if they are no more than this share of all, or one.
STRAY_DAYS, STRAY_SHARE = 400, 0.01


class AsOf(dg.Config):
    """`as_of` in ISO 8601, UTC; left out, the newest event held."""

    as_of: str | None = None


@dg.asset(ins={**dict.fromkeys(EVENTS, SOURCE), "web_analytics": HOURLY_SOURCE})
def as_of(
    config: AsOf,
    timezone: dg.ResourceParam[str],
    orders: ir.Table,
    web_analytics: ir.Table,
    review: ir.Table,
    support_ticket: ir.Table,
    survey_answer: ir.Table,
) -> ir.Table:
    """One row: the moment asked for, else the newest thing a customer is known to have done, strays left out; and the
    time zone by whose clock days, hours and months are counted."""
    if config.as_of is not None:
        asked = ibis.literal(datetime.fromisoformat(config.as_of), type="timestamp(6)").name("as_of").as_table()
        return asked.mutate(timezone=ibis.literal(timezone))
    events = {
        "orders": orders,
        "web_analytics": web_analytics,
        "review": review,
        "support_ticket": support_ticket,
        "survey_answer": survey_answer,
    }
    return newest_event(events).mutate(timezone=ibis.literal(timezone))


def newest_event(events: Mapping[str, ir.Table]) -> ir.Table:
    """One row, `as_of`: the newest of the `events`, rows by dataset, strays left out; empty where none is dated."""
    days = _days([events[dataset][column] for dataset, column in EVENTS.items()])
    return days.agg(as_of=days.newest.max(where=~days.is_stray))


def _days(moments: Sequence[ir.TimestampColumn]) -> ir.Table:
    """One row per day with events: the newest of them, and whether they are strays.

    So are at most 1 % of all events, or one, that lie more than 400 days after all others: a year mistyped, a clock
    that runs ahead. Nothing else could tell, since no clock is read.
    """
    counted = [_by_day(moment.name("at").as_table()) for moment in moments]
    united = ibis.union(*counted)
    days = united.group_by("day").agg(events=united.events.sum(), newest=united.newest.max())
    later, backwards = (ibis.window(order_by=days.day.desc(), preceding=reach) for reach in ((None, 1), None))
    days = days.mutate(
        later=days.events.sum().over(later).fill_null(0),
        next_day=days.day.lag().over(backwards),
        total=days.events.sum().over(ibis.window()),
    )
    is_few = (days.later <= ibis.greatest(days.total * STRAY_SHARE, 1)) & (days.later * 2 < days.total)
    is_last = is_few & (days.next_day.delta(days.day, unit="day") > STRAY_DAYS)
    days = days.mutate(last_day=is_last.ifelse(days.day, None).min().over(ibis.window()))
    return days.select("day", "events", "newest", is_stray=(days.day > days.last_day).fill_null(False))


def _by_day(moments: ir.Table) -> ir.Table:
    dated = moments.filter(moments["at"].notnull())
    return dated.group_by(day=dated["at"].date()).agg(events=dated.count(), newest=dated["at"].max())
