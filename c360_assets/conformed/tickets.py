"""Tickets: what customers asked support for, and how long an answer took."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.time import clock, until


@dg.asset(ins={"support_ticket": SOURCE})
def tickets(support_ticket: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per support ticket opened by as_of, resolved only if that was by as_of too.

    The status a desk keeps is that of today, so it is not asked. A ticket resolved before it was opened is resolved,
    nobody knows how fast.
    """
    opened = until(support_ticket, "opened_at", as_of)
    is_later = (opened.resolved_at > clock(as_of).now).fill_null(False)
    known = opened.mutate(resolved_at=is_later.ifelse(ibis.null("timestamp(6)"), opened.resolved_at))
    took = known.resolved_at.delta(known.opened_at, unit="second")
    return known.select(
        "ticket_id",
        "customer_id",
        "opened_at",
        "resolved_at",
        "contact_channel",
        resolution_seconds=(took >= 0).ifelse(took, ibis.null("int64")),
    )
