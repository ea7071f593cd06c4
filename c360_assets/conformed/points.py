"""Points: what was earned, burned and expired in the accounts of the loyalty programme."""

import dagster as dg
import ibis.expr.types as ir

from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.texts import stripped
from c360_assets.terms.time import until

KINDS = {"earned": "earn", "burned": "burn", "expired": "expire"}


@dg.asset(ins={"loyalty_ledger": SOURCE})
def points(loyalty_ledger: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per entry by as_of in the account of a customer, with the points earned, burned or expired by it.

    An entry of the other sign than most of its kind takes back one before it. Some systems write what is taken as
    negative numbers, others not: which of the two it is, the kind as a whole tells.
    """
    made = until(loyalty_ledger.filter(loyalty_ledger.customer_id.notnull()), "entry_ts", as_of)
    made = made.mutate(kind=stripped(made.entry_type).lower(), signed=made.points.cast("int64").fill_null(0))
    usual = made.group_by(usual_kind=made.kind).agg(sign=made.signed.sign().cast("int64").sum())
    made = made.left_join(usual, made.kind == usual.usual_kind)
    kind, entered = made.kind, (made.sign < 0).fill_null(False).ifelse(-made.signed, made.signed)
    return made.select(
        "entry_id",
        "customer_id",
        "order_id",
        entry_at="entry_ts",
        is_earn=((kind == "earn") & (entered >= 0)).fill_null(False),
        is_burn=((kind == "burn") & (entered >= 0)).fill_null(False),
        **{name: (kind == word).ifelse(entered, 0) for name, word in KINDS.items()},
    )
