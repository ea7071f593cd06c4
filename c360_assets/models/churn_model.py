"""Churn model: what foresees best who does not come back, judged on a time it had not seen."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import dagster as dg
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms import classifiers, judging
from c360_assets.terms.arrays import Floats
from c360_assets.terms.churn import Examples, returns, sampled, telling
from c360_assets.terms.classifiers import Candidate
from c360_assets.terms.promotion import Row, as_decided, scoring
from c360_assets.terms.trials import (
    ENSEMBLE,
    JUDGED,
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
    Candidate("recency alone", classifiers.logistic, ("recency_days",)),
    Candidate("frequency alone", classifiers.logistic, ("frequency",)),
    Candidate("expected purchases", classifiers.purchases, ("recency_days", "history_days", "frequency")),
)
MODELS = (
    Candidate("logistic regression", classifiers.logistic),
    Candidate("decision tree", classifiers.tree),
    Candidate("gradient boosting", classifiers.boosting),
    Candidate("neural network", classifiers.network),
)
MEMBERS = ("logistic regression", "gradient boosting", "neural network")
SIMPLE = tuple(candidate.name for candidate in BASELINES)
NAMES = (*(candidate.name for candidate in (*BASELINES, *MODELS)), ENSEMBLE)
# What scored customers until now, where it does better than what was trained anew.
FORMER = "former version"
KEPT = ("features_used", "judged_model", "fitted_model", "model_hash")
MEASURES = {"auc": judging.auc, "brier": judging.brier}
TYPES = pa.schema(
    {
        **JUDGED,
        "churn_share": pa.float64(),
        "kfold_auc": pa.float64(),
        "kfold_brier": pa.float64(),
        "auc": pa.float64(),
        "auc_low": pa.float64(),
        "auc_high": pa.float64(),
        "auc_gain": pa.float64(),
        "auc_gain_low": pa.float64(),
        "auc_gain_high": pa.float64(),
        "brier": pa.float64(),
        "brier_low": pa.float64(),
        "brier_high": pa.float64(),
        "features_used": pa.string(),
        "judged_model": pa.string(),
        "fitted_model": pa.string(),
        "model_hash": pa.string(),
    }
)


@dg.asset
def churn_model(churn_examples: ir.Table, former: dg.ResourceParam[Callable[[str], ir.Table]]) -> ir.Table:
    """One row per candidate: baselines of a single number, models, the ensemble of three of them, and what scored
    before where nothing new does better.
    """
    rows = sampled(churn_examples).order_by("customer_id", "cutoff_at").to_pyarrow()
    unseen, seen = (
        Examples.of(part) for part in (rows.filter(rows["is_judged"]), rows.filter(pc.invert(rows["is_judged"])))
    )
    before = former("churn_model").to_pyarrow().to_pylist()
    found = _with_champion(_trained(seen, unseen, Examples.of(rows)), before, unseen)
    decided = as_decided(found, before, "candidate", "fitted_model")
    return ibis.memtable(pa.Table.from_pylist(decided, schema=TYPES))


def _trained(seen: Examples, unseen: Examples, whole: Examples) -> list[Row]:
    if reason := _lacking(seen, unseen):
        nothing = {"is_chosen": False, "reason": f"not enough data: {reason}"}
        return [{"candidate": name, "is_baseline": name in SIMPLE, **nothing} for name in NAMES]
    found = trials(seen, unseen, whole)
    reasons, gains = chosen(found, SIMPLE, seen.has_churned, unseen.has_churned)
    common = {
        "trained_until": max(seen.cutoffs),
        "judged_at": max(unseen.cutoffs),
        "training_count": len(seen),
        "judged_count": len(unseen),
        "churn_share": rounded(unseen.has_churned.mean()),
    }
    return [
        {
            "candidate": name,
            "is_baseline": name in SIMPLE,
            "is_chosen": reasons[name].startswith("chosen"),
            "reason": reasons[name],
            **common,
            **figures(trial, seen.has_churned, unseen.has_churned, MEASURES),
            **bounded("auc_gain", gains.get(name)),
            **_kept(trial),
        }
        for name, trial in found.items()
    ]


def trials(seen: Examples, unseen: Examples, whole: Examples) -> dict[str, Trial]:
    """Every candidate by its name; `whole` are all examples, seen and unseen."""
    features = telling(seen.columns)
    found = {
        candidate.name: tried(candidate, seen.known, unseen.known, whole.known, features)
        for candidate in (*BASELINES, *MODELS)
    }
    found[ENSEMBLE] = together([found[name] for name in MEMBERS])
    return {name: _with_returns(trial, seen) for name, trial in found.items()}


def _with_returns(trial: Trial, seen: Examples) -> Trial:
    return replace(trial, fitted=trial.fitted | {"returns": returns(trial.said_in_turn, seen)})


def _lacking(seen: Examples, unseen: Examples) -> str | None:
    for examples, when in ((unseen, "90 days before as_of"), (seen, "180 and 240 days before as_of")):
        if lacking := examples.lacking():
            return f"of {when}, {lacking}"
    return None if telling(seen.columns) else "customers are too much alike to be told apart"


def _kept(trial: Trial) -> dict[str, str]:
    """The models as text, and by what the one that scores is known."""
    fitted = classifiers.to_text(trial.fitted)
    return {
        "features_used": features_used(trial.fitted),
        "judged_model": classifiers.to_text(trial.judged),
        "fitted_model": fitted,
        "model_hash": classifiers.text_hash(fitted),
    }


def _with_champion(found: Sequence[Row], before: Sequence[Row], unseen: Examples) -> list[Row]:
    """What was trained now, and what scored `before` in its place if that does better on the unseen, by its AUC.

    Compared is what either had learnt without the unseen.
    """
    challenger, champion = scoring(found), scoring(before)
    if not challenger or not champion or not _is_comparable(champion, challenger, unseen):
        return list(found)
    new, old = (_said(row, unseen) for row in (challenger, champion))
    gain, low, high = judging.gain(new, old, unseen.has_churned)
    if gain >= 0:
        return list(found)
    told = f"AUC {gain:+.3f} ({low:+.3f} to {high:+.3f})"
    beaten = {"is_chosen": False, "reason": f"not used: {told} against the former version on the unseen"}
    reason = f"kept: the new {challenger['candidate']} has {told} against it on the unseen"
    others = [row | beaten if row is challenger else row for row in found]
    return [*others, _kept_champion(champion, challenger, unseen) | {"reason": reason}]


def _said(row: Row, unseen: Examples) -> Floats:
    return classifiers.probabilities(classifiers.from_text(row["judged_model"]), unseen.columns)


def _kept_champion(champion: Row, challenger: Row, unseen: Examples) -> Row:
    """The row of a former version that scores on: what it learnt from then, judged as the new ones are."""
    judged = judging.judged(_said(champion, unseen), unseen.has_churned, MEASURES)
    return {
        "candidate": FORMER,
        "is_chosen": True,
        **{name: champion[name] for name in ("is_baseline", "trained_until", "training_count", *KEPT)},
        **{name: challenger[name] for name in ("judged_at", "judged_count", "churn_share")},
        **{key: value for name, figure in judged.items() for key, value in bounded(name, figure).items()},
    }


def _is_comparable(champion: Row, challenger: Row, unseen: Examples) -> bool:
    """Whether a former version is another one, can be asked, and had not seen what it would be judged by."""
    is_another = champion["judged_model"] != challenger["judged_model"]
    is_readable = set(champion["features_used"].split(", ")) <= set(unseen.columns)
    return is_another and is_readable and champion["judged_at"] <= challenger["judged_at"]
