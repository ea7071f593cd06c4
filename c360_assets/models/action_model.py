"""Action model: what foresees best what customers do in the next 30 days, judged on a time it had not seen."""

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms import category_shifts, classifiers, judging
from c360_assets.terms.actions import CATEGORY_SHIFT, PURCHASE, TARGETS, Target, known
from c360_assets.terms.category_shifts import main_categories
from c360_assets.terms.churn import JUDGED_AGO, sampled, telling
from c360_assets.terms.classifiers import Candidate, Fitted
from c360_assets.terms.promotion import Row, as_decided
from c360_assets.terms.time import clock
from c360_assets.terms.trials import (
    ENSEMBLE,
    JUDGED,
    Bounded,
    Known,
    Trial,
    bounded,
    chosen,
    features_used,
    figures,
    rounded,
    together,
    tried,
)

BASELINES = (
    Candidate("overall rate", classifiers.rate, ("recency_days",)),
    Candidate("recency alone", classifiers.logistic, ("recency_days",)),
    Candidate("frequency alone", classifiers.logistic, ("frequency",)),
)
# Costs as much as all others together, and speaks of purchases.
EXPECTED = Candidate("expected purchases", classifiers.purchases, ("recency_days", "history_days", "frequency"))
MODELS = (
    Candidate("logistic regression", classifiers.logistic),
    Candidate("gradient boosting", classifiers.quick_boosting),
)
MEASURES = {"auc": judging.auc, "brier": judging.brier}
NUMBERS = (
    "happened_share",
    "said_share",
    "kfold_auc",
    "kfold_brier",
    "auc",
    "auc_low",
    "auc_high",
    "auc_gain",
    "auc_gain_low",
    "auc_gain_high",
    "brier",
    "brier_low",
    "brier_high",
    "brier_gain",
    "brier_gain_low",
    "brier_gain_high",
    "log_loss",
    "log_loss_low",
    "log_loss_high",
    "log_loss_gain",
    "log_loss_gain_low",
    "log_loss_gain_high",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
)
TYPES = pa.schema(
    {
        "target": pa.string(),
        **JUDGED,
        **dict.fromkeys(NUMBERS, pa.float64()),
        "features_used": pa.string(),
        "fitted_model": pa.string(),
        "model_hash": pa.string(),
    }
)


@dg.asset
def action_model(
    churn_examples: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    as_of: ir.Table,
    former: dg.ResourceParam[Callable[[str], ir.Table]],
) -> ir.Table:
    """One row per target and candidate: what may happen, and a way to tell how likely it is."""
    rows = sampled(churn_examples).order_by("customer_id", "cutoff_at").to_pyarrow()
    unseen, seen = rows.filter(rows["is_judged"]), rows.filter(pc.invert(rows["is_judged"]))
    found = [row for target in TARGETS for row in _trained(target, seen, unseen, rows)]
    orders = sampled(main_categories(order_lines, products)).order_by("customer_id", "ordered_at", "order_id")
    found += _shifts(orders.to_pyarrow(), clock(as_of).moment)
    before = former("action_model").to_pyarrow().to_pylist()
    decided = as_decided(found, before, "candidate", "fitted_model", part="target")
    return ibis.memtable(pa.Table.from_pylist(decided, schema=TYPES))


def baselines(target: Target) -> tuple[Candidate, ...]:
    """What a model of the target has to beat: single numbers that need none."""
    return (*BASELINES, EXPECTED) if target is PURCHASE else BASELINES


def trials(target: Target, seen: Known, unseen: Known, whole: Known) -> dict[str, Trial]:
    """Every candidate by its name; `whole` are all examples, seen and unseen."""
    features = telling(seen.columns)
    candidates = (*baselines(target), *MODELS)
    found = {candidate.name: tried(candidate, seen, unseen, whole, features) for candidate in candidates}
    return found | {ENSEMBLE: together([found[candidate.name] for candidate in MODELS])}


def _trained(target: Target, seen: pa.Table, unseen: pa.Table, whole: pa.Table) -> list[Row]:
    simple = [candidate.name for candidate in baselines(target)]
    if reason := _lacking(target, seen, unseen):
        names = [*simple, *(candidate.name for candidate in MODELS), ENSEMBLE]
        return [_untold(target.name, name, name in simple, reason) for name in names]
    learnt, judged, every = (known(target, rows) for rows in (seen, unseen, whole))
    found = trials(target, learnt, judged, every)
    reasons, gains = chosen(found, simple, learnt.happened, judged.happened)
    best = max(simple, key=lambda name: judging.measured(found[name].said, judged.happened))
    common = {
        "target": target.name,
        "trained_until": pc.max(seen["cutoff_at"]).as_py(),
        "judged_at": pc.max(unseen["cutoff_at"]).as_py(),
        "training_count": len(learnt),
        "judged_count": len(judged),
        "happened_share": rounded(judged.happened.mean()),
    }
    return [
        {
            **common,
            **_decided(name, name in simple, reasons[name], trial.fitted),
            **figures(trial, learnt.happened, judged.happened, MEASURES),
            **bounded("auc_gain", gains.get(name)),
            **bounded("brier_gain", _less_brier(trial, found[best], judged) if name in gains else None),
            "said_share": rounded(trial.said.mean()),
            "features_used": features_used(trial.fitted),
        }
        for name, trial in found.items()
    ]


def _decided(candidate: str, is_baseline: bool, reason: str, fitted: Fitted) -> Row:
    """Whether a candidate scores and why, the model itself, and by what that is known."""
    text = classifiers.to_text(fitted)
    return {
        "candidate": candidate,
        "is_baseline": is_baseline,
        "is_chosen": reason.startswith("chosen"),
        "reason": reason,
        "fitted_model": text,
        "model_hash": classifiers.text_hash(text),
    }


def _less_brier(trial: Trial, other: Trial, judged: Known) -> Bounded:
    """By how much the Brier score is below that of another, so that more is better."""
    value, low, high = judging.gain(trial.said, other.said, judged.happened, judging.brier)
    return -value, -high, -low


def _lacking(target: Target, seen: pa.Table, unseen: pa.Table) -> str | None:
    for rows, when in ((unseen, "90 days before as_of"), (seen, "180 and 240 days before as_of")):
        if lacking := target.lacking(target.outcome(rows)):
            return f"of {when}, {lacking}"
    return None if telling(known(target, seen).columns) else "customers are too much alike to be told apart"


def _untold(target: str, candidate: str, is_baseline: bool, reason: str) -> Row:
    return {
        "target": target,
        "candidate": candidate,
        "is_baseline": is_baseline,
        "is_chosen": False,
        "reason": f"not enough data: {reason}",
    }


def _shifts(orders: pa.Table, now: datetime | None) -> list[Row]:
    """Ways to tell the category of the next order, judged by those of the last 90 days."""
    if reason := _lacking_shifts(orders, now):
        names = (*category_shifts.BASELINES, *category_shifts.MODELS)
        return [_untold(CATEGORY_SHIFT, name, name in category_shifts.BASELINES, reason) for name in names]
    cutoff = _judged_at(now)
    found = category_shifts.trials(orders, cutoff)
    reasons, gains = category_shifts.chosen(found)
    seen = orders.filter(pc.less_equal(orders["ordered_at"], pa.scalar(cutoff, orders["ordered_at"].type)))
    common = {
        "target": CATEGORY_SHIFT,
        "trained_until": pc.max(seen["ordered_at"]).as_py(),
        "judged_at": cutoff,
        "training_count": len(seen),
    }
    return [
        {
            **common,
            **_decided(name, name in category_shifts.BASELINES, reasons[name], trial.fitted),
            "judged_count": len(trial.hits),
            **bounded("log_loss", category_shifts.mean_of(trial.surprise)),
            **bounded("log_loss_gain", gains.get(name)),
            **bounded("accuracy", category_shifts.mean_of(trial.hits)),
        }
        for name, trial in found.items()
    ]


def _lacking_shifts(orders: pa.Table, now: datetime | None) -> str | None:
    return category_shifts.lacking(orders, _judged_at(now)) if now else "nothing is dated"


def _judged_at(now: datetime | None) -> datetime:
    return (now or datetime.min) - timedelta(days=JUDGED_AGO)
