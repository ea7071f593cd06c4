"""Contacts: where the shop's marketing met its customers, and what that cost."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.amounts import MONEY
from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.time import until


@dg.asset(ins={"marketing_touchpoint": SOURCE})
def contacts(marketing_touchpoint: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per contact of marketing by as_of; those with nobody known have no customer."""
    made = until(marketing_touchpoint, "touched_at", as_of)
    return made.select(
        "touchpoint_id", "customer_id", "touched_at", "traffic_channel", "campaign", cost=made.cost.cast(MONEY)
    )
