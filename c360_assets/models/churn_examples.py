"""Churn examples: customers as they were at past cutoffs, and what they did next, to learn and to judge from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.analytics.behaviour import browsing
from c360_assets.analytics.experience import feedback, loyalty_members
from c360_assets.analytics.segments import features, rfm
from c360_assets.terms.actions import HORIZON_DAYS, RESPONSE_DAYS
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.churn import FEATURES, JUDGED_AGO, LEAST_HISTORY, TRAINED_AGO, foreseen_by
from c360_assets.terms.joins import widened
from c360_assets.terms.statuses import RETURNS
from c360_assets.terms.time import Clock, clock, until

# What happened, by table: the column that says when it was over.
HAPPENED = {
    "orders": "ordered_at",
    "order_lines": "ordered_at",
    "sessions": "ended_at",
    "answers": "answered_at",
    "ratings": "reviewed_at",
    "tickets": "opened_at",
    "points": "entry_at",
}


@dataclass(frozen=True)
class Later:
    """What outcomes are read from: orders, visits and contacts of all times."""

    bought: ir.Table
    sessions: ir.Table
    answered: ir.Table


@dg.asset
def churn_examples(
    customers: ir.Table,
    orders: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    sessions: ir.Table,
    answers: ir.Table,
    ratings: ir.Table,
    tickets: ir.Table,
    points: ir.Table,
    contacts: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per past cutoff and customer who had bought by then."""
    happened = {
        "orders": orders,
        "order_lines": order_lines,
        "sessions": sessions,
        "answers": answers,
        "ratings": ratings,
        "tickets": tickets,
        "points": points,
    }
    came = Later(_bought(orders, order_lines, products), sessions, _answered(contacts, orders))
    cutoffs = [(ago, as_of.mutate(as_of=as_of.as_of - ibis.interval(days=ago))) for ago in (JUDGED_AGO, *TRAINED_AGO)]
    return ibis.union(
        *[
            _known_then(described(customers, products, happened, cutoff), came, cutoff, as_of, ago)
            for ago, cutoff in cutoffs
        ]
    )


def described(customers: ir.Table, products: ir.Table, happened: dict[str, ir.Table], cutoff: ir.Table) -> ir.Table:
    """The table features as it was at a cutoff: the same function of the same tables, cut there.

    A visit under way at the cutoff is left out; attributes of customers and products are those of today, and so are
    statuses of orders, but for those delivered later.
    """
    then = {name: until(rows, HAPPENED[name], cutoff) for name, rows in happened.items()}
    then |= _not_yet_returned(then["orders"], then["order_lines"], cutoff)
    return _rows_of(features.features)(
        customers,
        _rows_of(rfm.rfm)(then["orders"], cutoff),
        then["orders"],
        then["order_lines"],
        products,
        _rows_of(browsing.browsing)(then["sessions"], cutoff),
        _rows_of(feedback.feedback)(then["answers"], then["ratings"], then["tickets"]),
        _rows_of(loyalty_members.loyalty_members)(then["points"], cutoff),
        cutoff,
    )


def _not_yet_returned(orders: ir.Table, order_lines: ir.Table, cutoff: ir.Table) -> dict[str, ir.Table]:
    """Orders and lines as they stood: what was delivered later could not have come back yet."""
    is_to_come = orders.order_status.isin(RETURNS) & (orders.delivered_at > clock(cutoff).now).fill_null(False)
    nothing = ibis.literal(0, type=MONEY)
    stood = {
        "order_status": ibis.literal("placed"),
        "is_completed": ibis.literal(True),
        "order_amount": orders.returned_amount,
        "returned_amount": nothing,
        "refunded_amount": nothing,
    }
    then = orders.mutate(**{name: is_to_come.ifelse(value, orders[name]) for name, value in stood.items()})
    to_come = orders.filter(is_to_come).select("order_id", was_to_come=ibis.literal(True))
    lines = widened(order_lines, "order_id", to_come)
    was_sold = lines.was_to_come & (lines.line_kind == "return") & (lines.quantity > 0)
    sold = lines.mutate(line_kind=was_sold.fill_null(False).ifelse("sale", lines.line_kind))
    return {"orders": then, "order_lines": sold.drop("was_to_come")}


def _known_then(described_then: ir.Table, came: Later, cutoff: ir.Table, as_of: ir.Table, ago: int) -> ir.Table:
    """Buyers by a cutoff, if the shop's history was long enough then, and what they did next."""
    then, now = clock(cutoff), clock(as_of)
    settled = described_then.filter(described_then.orders_span_days >= LEAST_HISTORY)
    known = widened(
        foreseen_by(settled),
        "customer_id",
        _next_orders(came.bought, then),
        _next_visits(came.sessions, then),
        _next_contacts(came.answered, then),
    )
    days = -then.days_since(known.next_ordered_at)
    is_any_contact = (came.answered.count() > 0).as_scalar()
    return known.select(
        "customer_id",
        cutoff_at=then.now,
        is_judged=ibis.literal(ago == JUDGED_AGO),
        observed_days=(-then.days_since(now.now)).cast("int32"),
        next_order_days=days.cast("int32"),
        has_churned=(days > known.horizon_days).fill_null(True),
        next_order_amount=known.next_order_amount,
        bought_new_category=known.bought_new_category,
        next_visit_days=(-then.days_since(known.next_visited_at)).cast("int32"),
        is_contacted=is_any_contact.ifelse(known.has_responded.notnull(), None),
        has_responded=known.has_responded,
        **{name: known[name] for name in FEATURES},
    )


def _bought(orders: ir.Table, order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """The completed orders of known customers, and whether something in each is of a category new to the customer."""
    completed = orders.filter(orders.is_completed, orders.customer_id.notnull(), orders.ordered_at.notnull())
    sold = order_lines.filter(order_lines.line_kind == "sale")
    named = sold.join(products.select("sku_id", "product_category"), "sku_id")
    known = named.filter(named.product_category.notnull(), named.customer_id.notnull())
    first = known.ordered_at.min().over(group_by=[known.customer_id, known.product_category])
    dated = known.select("order_id", is_new=first == known.ordered_at)
    categories = dated.group_by("order_id").agg(bought_new_category=dated.is_new.any())
    wanted = completed.select("customer_id", "ordered_at", "order_id", "order_amount")
    return widened(wanted, "order_id", categories)


def _answered(contacts: ir.Table, orders: ir.Table) -> ir.Table:
    """One row per customer and moment of a contact: whether a completed order followed soon enough for a response."""
    asked = contacts.filter(contacts.customer_id.notnull(), contacts.touched_at.notnull())
    completed = orders.filter(orders.is_completed).select(buyer_id="customer_id", bought_at="ordered_at")
    last = asked.touched_at + ibis.interval(days=RESPONSE_DAYS)
    joined = asked.left_join(
        completed,
        [
            asked.customer_id == completed.buyer_id,
            completed.bought_at >= asked.touched_at,
            completed.bought_at <= last,
        ],
    )
    return joined.group_by("customer_id", "touched_at").agg(is_answered=joined.bought_at.count() > 0)


def _next_orders(bought: ir.Table, then: Clock) -> ir.Table:
    """The first order of each customer after the cutoff; of two at the same moment, the one whose ID comes first."""
    later = bought.filter(bought.ordered_at > then.now)
    oldest_first = ibis.window(group_by="customer_id", order_by=[later.ordered_at, later.order_id])
    first = later.mutate(place=ibis.row_number().over(oldest_first)).filter(ibis._.place == 0)
    return first.select(
        "customer_id", "bought_new_category", next_ordered_at="ordered_at", next_order_amount="order_amount"
    )


def _next_visits(sessions: ir.Table, then: Clock) -> ir.Table:
    later = sessions.filter(sessions.started_at > then.now, sessions.entity_id.notnull())
    return later.group_by(customer_id="entity_id").agg(next_visited_at=later.started_at.min())


def _next_contacts(answered: ir.Table, then: Clock) -> ir.Table:
    last = then.now + ibis.interval(days=HORIZON_DAYS)
    soon = answered.filter(answered.touched_at > then.now, answered.touched_at <= last)
    return soon.group_by("customer_id").agg(has_responded=soon.is_answered.any())


def _rows_of(asset: dg.AssetsDefinition) -> Callable[..., ir.Table]:
    """The function behind a table, to be applied to other rows."""
    function: Callable[..., ir.Table] = cast(Any, asset).op.compute_fn.decorated_fn
    return function
