"""Lifetime model: how purchases are expected, fitted on what customers bought, and judged on what was held out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from c360_assets.terms import holdouts, lifetimes, spending
from c360_assets.terms.expectations import Customers, customers, expected_purchases, spend_interval
from c360_assets.terms.histories import histories, purchase_days
from c360_assets.terms.lifetimes import Floats, Integers
from c360_assets.terms.promotion import as_decided
from c360_assets.terms.threads import one_thread
from c360_assets.terms.time import Clock, clock

# How much of the span of orders is held out, and how much at most: no table expects purchases of a longer time.
HOLDOUT_SHARE, HOLDOUT_DAYS = 0.5, 365
MIN_CUSTOMERS = 100
# Gamma-Gamma takes what an order is worth as independent of how often somebody buys.
DEPENDENT = 0.2
# The mean value the model implies may be so many times the one seen, or as small a part of it.
FAR = 2.0
DECIMALS = 9
MODELS = {"BG/NBD": False, "MBG/NBD": True}
SAME_RATE, MEAN_RATE = "same rate as before", "rate of everybody"
BASELINES = {
    SAME_RATE: "baseline: every customer goes on buying at his rate so far",
    MEAN_RATE: "baseline: every customer buys at the mean rate of all",
}
MEASURES = ("mae", "rmse", "correlation", "total_bias")
TYPES = pa.schema(
    {
        "model": pa.string(),
        **dict.fromkeys(lifetimes.PARAMETERS, pa.float64()),
        "log_likelihood": pa.float64(),
        **dict.fromkeys(spending.PARAMETERS, pa.float64()),
        "value_correlation": pa.float64(),
        "value_customer_count": pa.int64(),
        "value_reason": pa.string(),
        "customer_count": pa.int64(),
        "repeat_customer_count": pa.int64(),
        "cutoff_on": pa.date32(),
        "holdout_days": pa.int32(),
        "calibration_customer_count": pa.int64(),
        "calibration_repeat_customer_count": pa.int64(),
        **{f"calibration_{name}": pa.float64() for name in lifetimes.PARAMETERS},
        **{f"{name}{end}": pa.float64() for name in MEASURES for end in ("", "_low", "_high")},
        "spend_bias": pa.float64(),
        "coverage_rate": pa.float64(),
        "is_chosen": pa.bool_(),
        "reason": pa.string(),
    }
)
Row = dict[str, Any]


@dg.asset
def lifetime_model(orders: ir.Table, as_of: ir.Table, former: dg.ResourceParam[Callable[[str], ir.Table]]) -> ir.Table:
    """One row per way to expect purchases: two models, and two baselines that they are judged beside."""
    shop = clock(as_of)
    with one_thread():
        found = _tried(orders, shop)
    decided = as_decided(found, former("lifetime_model").to_pyarrow().to_pylist(), "model", "r")
    return ibis.memtable(pa.Table.from_pylist(decided, schema=TYPES))


@dataclass(frozen=True)
class Split:
    """Customers as they were at the cutoff, and what they bought and spent in the days after it, which are held out."""

    cutoff_on: date
    holdout_days: int
    before: Customers
    bought: Floats
    spent: Floats


def _tried(orders: ir.Table, shop: Clock) -> list[Row]:
    today, first_on = shop.date, purchase_days(orders, shop).purchased_on.min().to_pyarrow().as_py()
    if today is None or first_on is None:
        return _untried("no completed order of a known customer has a date", {})
    split = split_at_cutoff(orders, shop, today, first_on)
    everybody = customers(histories(orders, shop, today).order_by("customer_id").to_pyarrow())
    counted = _counted(split, everybody)
    if split.before.repeater_count < MIN_CUSTOMERS:
        few = f"fewer than {MIN_CUSTOMERS} customers who bought on two days by {split.cutoff_on}"
        return _untried(f"{few}: {split.before.repeater_count}", counted)
    told = counted | _values_told(everybody)
    modelled = [told | _modelled(name, at_once, split, everybody) for name, at_once in MODELS.items()]
    compared = [counted | {"model": name} | _judged(rate, split) for name, rate in _rates(split).items()]
    return _with_reasons(modelled, compared)


def split_at_cutoff(orders: ir.Table, shop: Clock, today: date, first_on: date) -> Split:
    """Customers by what they had bought by the cutoff, which the first and the last day of the span alone decide."""
    held_out = min(ceil((today - first_on).days * HOLDOUT_SHARE), HOLDOUT_DAYS)
    cutoff_on = today - timedelta(days=held_out)
    before, now = histories(orders, shop, cutoff_on), histories(orders, shop, today)
    both = before.inner_join(now, "customer_id", rname="{name}_now")
    rows = both.mutate(
        bought=both.repeat_purchase_count_now - both.repeat_purchase_count,
        spent=both.value_total_now - both.value_total,
    )
    held = rows.order_by("customer_id").to_pyarrow()
    bought, spent = (held[name].cast(pa.float64()).to_numpy() for name in ("bought", "spent"))
    return Split(cutoff_on, held_out, customers(held), bought, spent)


def _counted(split: Split, everybody: Customers) -> Row:
    return {
        "customer_count": len(everybody.repeats),
        "repeat_customer_count": everybody.repeater_count,
        "cutoff_on": split.cutoff_on,
        "holdout_days": split.holdout_days,
        "calibration_customer_count": len(split.before.repeats),
        "calibration_repeat_customer_count": split.before.repeater_count,
    }


def _untried(reason: str, counted: Row) -> list[Row]:
    nobody = {"customer_count": 0, "repeat_customer_count": 0}
    nobody |= {"calibration_customer_count": 0, "calibration_repeat_customer_count": 0}
    names = (*MODELS, *BASELINES)
    return [nobody | counted | {"model": name, "is_chosen": False, "reason": reason} for name in names]


def _modelled(name: str, leaves_at_once: bool, split: Split, everybody: Customers) -> Row:
    """A model fitted to everything, and how it did when it knew only what came before the cutoff."""
    final = lifetimes.fitted(everybody.histories[0], leaves_at_once)
    early_fit = lifetimes.fitted(split.before.histories[0], leaves_at_once)
    early = early_fit.lifetimes
    expected = expected_purchases(early, split.before, [split.holdout_days])[:, 0]
    return {
        "model": name,
        **{part: round(getattr(final.lifetimes, part), DECIMALS) for part in lifetimes.PARAMETERS},
        "log_likelihood": round(final.log_likelihood, 4),
        **{f"calibration_{part}": round(getattr(early, part), DECIMALS) for part in lifetimes.PARAMETERS},
        **_judged(expected, split),
        **_spend_judged(early, expected, split),
        "doubts": _limits("", final) + _limits(" before the cutoff", early_fit),
    }


def _limits(when: str, fit: lifetimes.Fit) -> list[str]:
    told = f"{', '.join(fit.at_limit)} at the limit of the search{when}: the data do not tell more of them"
    return [told] if fit.at_limit else []


def _rates(split: Split) -> Mapping[str, Floats]:
    """What the baselines expect: the purchases so far over the days so far, times those that are held out."""
    repeats, days = split.before.repeats, split.before.age
    own = repeats / np.maximum(days, 1)
    mean = np.full(len(days), repeats.sum() / max(days.sum(), 1))
    return {SAME_RATE: own * split.holdout_days, MEAN_RATE: mean * split.holdout_days}


def _judged(expected: Floats, split: Split) -> Row:
    found = holdouts.measures(expected, split.bought)
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {f"{name}{end}": getattr(found[name], part) for name in MEASURES for end, part in ends.items()}


def _spend_judged(early: lifetimes.Lifetimes, expected: Floats, split: Split) -> Row:
    """How much too much spending was expected, and how often it lay within the interval."""
    fit, reason = _valued(split.before)
    if fit is None or reason:
        return {}
    spending_expected = expected * spending.expected_value(fit, split.before.value_count, split.before.value_mean)
    interval = spend_interval(early, fit, split.before, split.holdout_days)
    is_within = (interval[:, 0] <= split.spent) & (split.spent <= interval[:, 1])
    spent = float(split.spent.sum())
    bias = round(float(spending_expected.sum()) / spent - 1, 6) if spent > 0 else None
    return {"spend_bias": bias, "coverage_rate": round(float(is_within.mean()), 6)}


def _values_told(everybody: Customers) -> Row:
    fit, reason = _valued(everybody)
    is_valued = _has_value(everybody)
    told: Row = {"value_customer_count": int(is_valued.sum()), "value_reason": reason}
    if fit is None:
        return told
    count, mean = everybody.value_count[is_valued], everybody.value_mean[is_valued]
    parameters = {name: round(getattr(fit, name), DECIMALS) for name in spending.PARAMETERS}
    return told | parameters | {"value_correlation": _correlation(count, mean)}


def _valued(people: Customers) -> tuple[spending.OrderValues | None, str | None]:
    """Parameters of what orders are worth, and why they cannot be used, if so."""
    is_valued = _has_value(people)
    if is_valued.sum() < MIN_CUSTOMERS:
        few = f"fewer than {MIN_CUSTOMERS} customers with a repeat purchase of known value above 0"
        return None, f"{few}: {is_valued.sum()}"
    count, mean = people.value_count[is_valued], people.value_mean[is_valued]
    fit = spending.fitted_values(count, mean).values
    implied = float(spending.expected_value(fit, np.zeros(1, dtype=np.int64), np.zeros(1))[0])
    seen = float(mean.mean())
    if not seen / FAR <= implied <= seen * FAR:
        expects = "no mean at all" if np.isnan(implied) else f"a mean of {implied:.2f}"
        return fit, f"Gamma-Gamma does not fit: it expects {expects} where {seen:.2f} is seen"
    return fit, None


def _has_value(people: Customers) -> npt.NDArray[np.bool_]:
    return (people.value_count > 0) & (people.value_mean > 0)


def _correlation(one: Integers, other: Floats) -> float | None:
    """Pearson's; None where one does not vary."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return round(float(np.corrcoef(one, other)[0, 1]), 6)


def _with_reasons(modelled: Sequence[Row], compared: Sequence[Row]) -> list[Row]:
    """The rows with the choice made: of the models the one with the smallest RMSE on the hold-out."""
    best = min(modelled, key=lambda row: row["rmse"])
    baseline = min(compared, key=lambda row: row["rmse"])
    rows = [row | {"is_chosen": row is best, "reason": _told(row, best, baseline)} for row in modelled]
    return rows + [row | {"is_chosen": False, "reason": BASELINES[row["model"]]} for row in compared]


def _told(row: Row, best: Row, baseline: Row) -> str:
    if row is not best:
        return _and(f"no smaller error (RMSE) on the hold-out than {best['model']}", _doubts(row))
    if best["rmse"] < baseline["rmse"]:
        return _and("chosen: smallest error (RMSE) on the hold-out", _doubts(row))
    beaten = f"{baseline['model']!r} errs no more on the hold-out (RMSE {baseline['rmse']:.4g} to {best['rmse']:.4g})"
    return _and(f"chosen as the better model, though the baseline {beaten}", _doubts(row))


def _doubts(row: Row) -> list[str]:
    doubts: list[str] = list(row["doubts"])
    correlation = row.get("value_correlation")
    if correlation is not None and abs(correlation) >= DEPENDENT:
        told = f"order values go with the number of purchases (correlation {correlation:.2f})"
        doubts.append(f"{told}, which Gamma-Gamma takes as unrelated")
    return doubts


def _and(said: str, doubts: Sequence[str]) -> str:
    return "; ".join([said, *doubts])
