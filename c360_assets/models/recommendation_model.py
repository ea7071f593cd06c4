"""Recommendation model: which way of recommending told best, in the past, what customers bought next."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms.promotion import as_decided
from c360_assets.terms.purchase_history import History, bought, history
from c360_assets.terms.recommendation_trials import Trial, trials
from c360_assets.terms.recommending import Booleans
from c360_assets.terms.time import clock
from governance.recommendations import Exclusions

# Long enough for most customers to come back, short enough to leave a past to learn from.
HOLD_OUT_DAYS = 90
TYPES = pa.schema(
    {
        "list": pa.string(),
        "candidate": pa.string(),
        "ndcg": pa.float64(),
        "recall": pa.float64(),
        "mean_precision": pa.float64(),
        "ndcg_gain": pa.float64(),
        "ndcg_gain_low": pa.float64(),
        "ndcg_gain_high": pa.float64(),
        "customer_count": pa.int64(),
        "is_chosen": pa.bool_(),
        "reason": pa.string(),
        "product_count": pa.int64(),
        "hold_out_days": pa.int32(),
    }
)


@dg.asset
def recommendation_model(
    order_lines: ir.Table,
    products: ir.Table,
    as_of: ir.Table,
    exclusions: dg.ResourceParam[Callable[[], Exclusions]],
    former: dg.ResourceParam[Callable[[str], ir.Table]],
) -> ir.Table:
    """One row per list and way of making it: how well it foretold what customers bought in the last 90 days."""
    now, out = clock(as_of), exclusions()
    past = history(order_lines, products, now, HOLD_OUT_DAYS)
    allowed = allowed_of(past, out)
    afterwards = bought(order_lines, now, HOLD_OUT_DAYS, is_after=True).select("customer_id", "product_id").to_pyarrow()
    found = tried(past, afterwards, allowed)
    common = {"product_count": int(allowed.sum()), "hold_out_days": HOLD_OUT_DAYS}
    rows = [{**vars(trial), **common} for trial in found]
    before = former("recommendation_model").to_pyarrow().to_pylist()
    decided = as_decided(rows, before, "candidate", "ndcg", part="list")
    return ibis.memtable(pa.Table.from_pylist(decided, schema=TYPES))


def tried(past: History, afterwards: pa.Table, allowed: Booleans) -> list[Trial]:
    """Every way tried on the past, judged by `afterwards`: customer_id and product_id of what was bought then."""
    return trials(past.purchases, _wanted(past, afterwards), allowed)


def _wanted(past: History, afterwards: pa.Table) -> Any:
    """What known customers bought of known products, as a sparse matrix."""
    from scipy.sparse import csr_array

    places = [
        pc.index_in(afterwards[column], pa.array(ids, pa.string())).combine_chunks()
        for column, ids in (("customer_id", past.customer_ids), ("product_id", past.product_ids))
    ]
    is_known = pc.and_(*(pc.is_valid(place) for place in places))
    rows, columns = (np.asarray(place.filter(is_known).to_numpy(zero_copy_only=False), np.int64) for place in places)
    shape = (len(past.customer_ids), len(past.product_ids))
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def allowed_of(past: History, out: Exclusions, month: int | None = None) -> Booleans:
    """Whether each product may be shown; of seasons only if a month (1 to 12) is named."""
    return np.array(
        [_may_be_shown(one, fact, out, month) for one, fact in zip(past.product_ids, past.facts, strict=True)],
        dtype=np.bool_,
    )


def _may_be_shown(product_id: str, fact: Mapping[str, Any], out: Exclusions, month: int | None) -> bool:
    category = fact["product_category"]
    is_out_now = month is not None and out.is_out_of_season(product_id, category, month)
    return not (out.is_out(product_id, category) or is_out_now)
