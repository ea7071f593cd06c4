"""Customer history: what each customer's profile was when, from snapshots of which each holds the present alone."""

from collections.abc import Callable
from datetime import datetime

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.time import until

ADDED, CHANGED, RE_ADDED = "added", "changed", "re-added"
MOMENT = "timestamp(6)"


@dg.asset(ins={"customer": SOURCE})
def customer_history(
    context: dg.AssetExecutionContext,
    customer: ir.Table,
    as_of: ir.Table,
    former: dg.ResourceParam[Callable[[str], ir.Table]],
) -> ir.Table:
    """One row per customer and version of the profile in the customer system; earlier versions come from `former`."""
    registered = until(customer, "registration_date", as_of)
    moment = as_of.as_of.max().to_pyarrow().as_py()
    return history(registered, former("customer_history"), moment, context.run.run_id)


def history(customer: ir.Table, former: ir.Table, moment: datetime | None, run_id: str) -> ir.Table:
    """The `former` versions, brought up to the snapshot `customer` of `moment`.

    Of several snapshots of one moment only the last counts; a version it shares with the one before keeps its run.
    Without a moment, or with one before the newest in the history, all stays as it was.
    """
    newest = former.valid_to.fill_null(former.valid_from).max().to_pyarrow().as_py()
    if moment is None or (newest is not None and moment < newest):
        return former
    return advanced(customer, former, moment, run_id)


def advanced(customer: ir.Table, former: ir.Table, moment: datetime, run_id: str) -> ir.Table:
    """The history with the snapshot of `moment`, than which none of its moments is later."""
    at = ibis.literal(moment, type=MOMENT)
    before = former.filter(former.valid_from < at).mutate(valid_to=former.valid_to.nullif(at))
    compared = _compared(customer, before)
    unchanged = compared.filter(compared.is_unchanged)
    ending = before.customer_id.isin(unchanged.customer_id).ifelse(ibis.null(MOMENT), at)
    ended = before.mutate(valid_to=before.valid_to.fill_null(ending))
    kept = ended.mutate(is_current=ended.valid_to.isnull())
    new = compared.filter(~compared.is_unchanged).mutate(valid_from=at, valid_to=ibis.null(MOMENT), is_current=True)
    begun = _with_run(new, former.filter(former.valid_from == at), customer.columns, run_id)
    return ibis.union(kept, begun.select(kept.columns))


def rolled_back(former: ir.Table, moment: datetime) -> ir.Table:
    """The history as runs up to a moment had left it: what later ones saw is forgotten."""
    at = ibis.literal(moment, type=MOMENT)
    held = former.filter(former.valid_from <= at)
    ended = held.mutate(valid_to=(held.valid_to > at).ifelse(ibis.null(MOMENT), held.valid_to))
    return ended.mutate(is_current=ended.valid_to.isnull())


def _compared(customer: ir.Table, before: ir.Table) -> ir.Table:
    """The snapshot, each customer compared with the last version before it, and told what a next one would be."""
    per_customer = ibis.window(group_by=before.customer_id)
    last = before.filter(before.version == before.version.max().over(per_customer)).rename("last_{name}")
    pairs = customer.left_join(last, customer.customer_id == last.last_customer_id)
    differs = {name: ~pairs[name].identical_to(pairs[f"last_{name}"]) for name in customer.columns}
    names = [differ.ifelse(ibis.literal(name), ibis.null("string")) for name, differ in differs.items()]
    is_first, is_open = pairs.last_version.isnull(), pairs.last_valid_to.isnull()
    return pairs.select(
        *customer.columns,
        is_unchanged=~is_first & is_open & ~ibis.or_(*differs.values()),
        version=(pairs.last_version.fill_null(0) + 1).cast("int32"),
        change=ibis.cases((is_first, ADDED), (is_open, CHANGED), else_=RE_ADDED),
        changed_columns=is_first.ifelse(ibis.null("string"), ibis.literal(", ").join(names).nullif("")),
    )


def _with_run(begun: ir.Table, seen: ir.Table, profile: tuple[str, ...], run_id: str) -> ir.Table:
    """The versions that begin, each with its run: that of the versions `seen` at the same moment, where it is one."""
    known = seen.rename("known_{name}")
    pairs = begun.left_join(known, begun.customer_id == known.known_customer_id)
    is_known = ibis.and_(*(pairs[name].identical_to(pairs[f"known_{name}"]) for name in profile))
    known_run = is_known.ifelse(pairs.known_run_id, ibis.null("string"))
    return pairs.select(*begun.columns, run_id=known_run.fill_null(run_id))
