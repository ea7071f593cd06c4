"""Lifetime value: whether customers still are customers, what they will buy, and what that is worth today."""

from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from c360_assets.models.lifetime_model import MODELS
from c360_assets.terms import lifetimes, spending
from c360_assets.terms.expectations import Customers, alive, customers, expected_purchases, spend_interval
from c360_assets.terms.histories import histories
from c360_assets.terms.joins import widened
from c360_assets.terms.lifetimes import Floats
from c360_assets.terms.promotion import scoring
from c360_assets.terms.threads import one_thread
from c360_assets.terms.time import Clock, clock

SOON_DAYS, YEAR_DAYS = 90, 365
# The span that value is expected of, in months of equal length; what comes at the end of a month counts less by the
# interest for so long.
MONTHS, YEARLY_INTEREST = 36, 0.1
MONTH_DAYS = YEAR_DAYS / 12
RATE_DECIMALS, MONEY_DECIMALS = 6, 4
_ENDS = np.arange(1, MONTHS + 1) * MONTH_DAYS
_WORTH = (1 + YEARLY_INTEREST) ** -(_ENDS / YEAR_DAYS)
_HORIZONS = [SOON_DAYS, YEAR_DAYS, *_ENDS]
# Purchases soon, within a year, within all months, and these discounted: what comes in a month is the difference of
# two expectations, so each counts with its month's worth less the next one's.
_WEIGHTS = np.zeros((len(_HORIZONS), 4))
_WEIGHTS[0, 0] = _WEIGHTS[1, 1] = _WEIGHTS[-1, 2] = 1
_WEIGHTS[2:, 3] = _WORTH - np.append(_WORTH[1:], 0)
UNDATED = "no completed order has a date"
UNDECIDED = "no model was chosen"
NUMBERS = (
    "p_alive",
    "expected_purchases_soon",
    "expected_purchases",
    "expected_order_value",
    "expected_spend",
    "clv",
    "clv_low",
    "clv_high",
)
TYPES = pa.schema(
    {
        "customer_id": pa.string(),
        "repeat_purchase_count": pa.int64(),
        "history_days": pa.int32(),
        "recency_days": pa.int32(),
        **dict.fromkeys(NUMBERS, pa.float64()),
        "model": pa.string(),
        "model_reason": pa.string(),
    }
)
Row = dict[str, Any]


@dg.asset
def lifetime_value(orders: ir.Table, lifetime_model: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per customer with a completed order."""
    bought = orders.filter(orders.is_completed, orders.customer_id.notnull())
    buyers = bought.group_by("customer_id").agg(frequency=bought.count())
    with one_thread():
        found = ibis.memtable(_expected(orders, lifetime_model, clock(as_of)))
    wide = widened(buyers, "customer_id", found)
    is_undated = wide.history_days.isnull()
    return wide.mutate(reason=is_undated.ifelse(UNDATED, wide.model_reason)).drop("model_reason")


def _expected(orders: ir.Table, lifetime_model: ir.Table, shop: Clock) -> pa.Table:
    """What the chosen model expects of everybody whose purchases have dates."""
    if shop.date is None:
        return TYPES.empty_table()
    rows = histories(orders, shop, shop.date).order_by("customer_id").to_pyarrow()
    people = customers(rows)
    known = {
        "customer_id": rows["customer_id"],
        "repeat_purchase_count": rows["repeat_purchase_count"],
        "history_days": people.age.astype(np.int32),
        "recency_days": (people.age - people.last).astype(np.int32),
    }
    expected = known | _scores(people, lifetime_model)
    columns = [
        expected.get(name, pa.nulls(len(rows), kind)) for name, kind in zip(TYPES.names, TYPES.types, strict=True)
    ]
    return pa.table(columns, schema=TYPES)


def _scores(people: Customers, lifetime_model: ir.Table) -> Row:
    """The columns of what is expected; without a model only the reason."""
    tried = lifetime_model.order_by("model").to_pyarrow().to_pylist()
    chosen = scoring(tried)
    if chosen is None:
        reason = tried[0]["reason"] if tried else UNDECIDED
        return {"model_reason": pa.repeat(reason, len(people.repeats))}
    parameters = {name: chosen[name] for name in lifetimes.PARAMETERS}
    model = lifetimes.Lifetimes(**parameters, leaves_at_once=MODELS[chosen["model"]])
    ahead = expected_purchases(model, people, _HORIZONS, _WEIGHTS)
    scores = {
        "model": pa.repeat(chosen["model"], len(people.repeats)),
        "p_alive": alive(model, people).round(RATE_DECIMALS),
        "expected_purchases_soon": ahead[:, 0].round(RATE_DECIMALS),
        "expected_purchases": ahead[:, 1].round(RATE_DECIMALS),
    }
    if chosen["value_reason"] is not None:
        return scores | {"model_reason": pa.repeat(chosen["value_reason"], len(people.repeats))}
    values = spending.OrderValues(*(chosen[name] for name in spending.PARAMETERS))
    return scores | _worth(people, model, values, ahead)


def _worth(people: Customers, model: lifetimes.Lifetimes, values: spending.OrderValues, ahead: Floats) -> Row:
    """What is expected to be spent, and what that is worth today, with the interval."""
    per_order = spending.expected_value(values, people.value_count, people.value_mean)
    _, year, all_months, discounted = ahead.T
    # What is spent is discounted in the interval as it is on average.
    today = discounted / np.maximum(all_months, np.finfo(float).tiny)
    interval = spend_interval(model, values, people, MONTHS * MONTH_DAYS) * today[:, None]
    worth = {
        "expected_order_value": per_order,
        "expected_spend": year * per_order,
        "clv": discounted * per_order,
        "clv_low": interval[:, 0],
        "clv_high": interval[:, 1],
    }
    return {name: amounts.round(MONEY_DECIMALS) for name, amounts in worth.items()}
