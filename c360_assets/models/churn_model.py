"""Churn model: what foresees best who does not come back, judged on a time it had not seen."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms import classifiers, judging
from c360_assets.terms.arrays import Floats
from c360_assets.terms.churn import Examples, returns, sampled, telling
from c360_assets.terms.classifiers import Candidate, Fitted
from c360_assets.terms.promotion import as_decided

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
ENSEMBLE, MEMBERS = "ensemble", ("logistic regression", "gradient boosting", "neural network")
NAMES = (*(candidate.name for candidate in (*BASELINES, *MODELS)), ENSEMBLE)
# What scored customers until now, where it does better than what was trained anew.
FORMER = "former version"
MEASURES = {"auc": judging.auc, "brier": judging.brier}
DECIMALS = 6
KEPT = ("features_used", "judged_model", "fitted_model", "model_hash")
Row = dict[str, Any]
TYPES = pa.schema(
    {
        "candidate": pa.string(),
        "is_baseline": pa.bool_(),
        "is_chosen": pa.bool_(),
        "reason": pa.string(),
        "trained_until": pa.timestamp("us"),
        "judged_at": pa.timestamp("us"),
        "training_count": pa.int64(),
        "judged_count": pa.int64(),
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


@dataclass(frozen=True)
class Trial:
    """One candidate: what it said of customers in training while they were left out, and of those it is judged by.

    `judged` is the model that said the latter; `fitted` is the same candidate trained on all examples, and scores.
    """

    said_in_turn: Floats
    said: Floats
    judged: Fitted
    fitted: Fitted


@dg.asset
def churn_model(churn_examples: ir.Table, former: dg.ResourceParam[Callable[[str], ir.Table]]) -> ir.Table:
    """One row per candidate: baselines of a single number, models, the ensemble of three of them, and what scored
    before where nothing new does better.
    """
    rows = sampled(churn_examples).order_by("customer_id", "cutoff_at").to_pyarrow()
    unseen, seen = rows.filter(rows["is_judged"]), rows.filter(pc.invert(rows["is_judged"]))
    judged_by = Examples.of(unseen)
    found = _trained(Examples.of(seen), judged_by, Examples.of(rows))
    before = former("churn_model").to_pyarrow().to_pylist()
    found = as_decided(_with_champion(found, before, judged_by), before, "candidate", "fitted_model")
    return ibis.memtable(pa.Table.from_pylist(found, schema=TYPES))


def _trained(seen: Examples, unseen: Examples, whole: Examples) -> list[Row]:
    if reason := _lacking(seen, unseen):
        nothing = {"is_chosen": False, "reason": f"not enough data: {reason}"}
        return [{"candidate": name, "is_baseline": _is_baseline(name), **nothing} for name in NAMES]
    tried = trials(seen, unseen, whole)
    reasons, gains = chosen(tried, seen, unseen)
    common = {
        "trained_until": max(seen.cutoffs),
        "judged_at": max(unseen.cutoffs),
        "training_count": len(seen),
        "judged_count": len(unseen),
        "churn_share": _rounded(unseen.has_churned.mean()),
    }
    return [
        {
            "candidate": name,
            "is_baseline": _is_baseline(name),
            "is_chosen": reasons[name].startswith("chosen"),
            "reason": reasons[name],
            **common,
            **_figures(trial, seen, unseen),
            **_bounded("auc_gain", gains.get(name)),
            **_kept(trial),
        }
        for name, trial in tried.items()
    ]


def trials(seen: Examples, unseen: Examples, whole: Examples) -> dict[str, Trial]:
    """Every candidate by its name; `whole` are all examples, seen and unseen."""
    features = telling(seen.columns)
    tried = {
        candidate.name: _tried(candidate, seen, unseen, whole, candidate.only or features)
        for candidate in (*BASELINES, *MODELS)
    }
    return tried | {ENSEMBLE: _together([tried[name] for name in MEMBERS], seen, unseen)}


def chosen(
    tried: Mapping[str, Trial], seen: Examples, unseen: Examples
) -> tuple[dict[str, str], dict[str, tuple[float, float, float]]]:
    """Why each candidate is chosen or not, and by how much its AUC is above that of the best baseline, with bounds.

    The best by what was said in training is put to the test, so that the choice does not flatter what it is judged by.
    It is chosen if it does better than every baseline on the unseen; else the best baseline is.
    """
    baselines = {name: judging.measured(tried[name].said, unseen.has_churned) for name in tried if _is_baseline(name)}
    simplest, best = max(baselines, key=baselines.__getitem__), best_in_training(tried, seen)
    gains = {
        name: judging.gain(trial.said, tried[simplest].said, unseen.has_churned)
        for name, trial in tried.items()
        if name != simplest
    }
    gain, low, high = gains[best]
    told = f"AUC {gain:+.3f} ({low:+.3f} to {high:+.3f}) against {simplest} on the unseen"
    if low > 0:
        reasons = {simplest: "baseline", best: f"chosen: best in cross-validation; {told}"}
    else:
        reasons = {
            best: f"best in cross-validation, but not for certain better than one number: {told}",
            simplest: f"chosen: no model is better for certain; {best} has {told}",
        }
    lower = f"not for certain better than {best} in cross-validation"
    return {name: "baseline" if _is_baseline(name) else lower for name in tried} | reasons, gains


def best_in_training(tried: Mapping[str, Trial], seen: Examples) -> str:
    """The ensemble, since a mean of several is off by less than one of them; another if it is better for certain."""
    in_turn = {name: judging.measured(trial.said_in_turn, seen.has_churned) for name, trial in tried.items()}
    best = max((name for name in tried if not _is_baseline(name)), key=in_turn.__getitem__)
    _, low, _ = judging.gain(tried[best].said_in_turn, tried[ENSEMBLE].said_in_turn, seen.has_churned)
    return best if low > 0 else ENSEMBLE


def _with_champion(found: Sequence[Row], before: Sequence[Row], unseen: Examples) -> list[Row]:
    """What was trained now, and what scored `before` in its place if that does better on the unseen, by its AUC.

    Compared is what either had learnt without the unseen.
    """
    challenger = next((row for row in found if row["is_chosen"]), None)
    champion = next((row for row in before if row["is_chosen"]), None)
    if not challenger or not champion or not _is_comparable(champion, challenger, unseen):
        return list(found)
    new, old = (
        classifiers.probabilities(classifiers.from_text(row["judged_model"]), unseen.columns)
        for row in (challenger, champion)
    )
    gain, low, high = judging.gain(new, old, unseen.has_churned)
    if gain >= 0:
        return list(found)
    told = f"AUC {gain:+.3f} ({low:+.3f} to {high:+.3f})"
    beaten = {"is_chosen": False, "reason": f"not used: {told} against the former version on the unseen"}
    kept = {
        **{name: champion[name] for name in ("is_baseline", "trained_until", "training_count", *KEPT)},
        **{name: challenger[name] for name in ("judged_at", "judged_count", "churn_share")},
        "candidate": FORMER,
        "is_chosen": True,
        "reason": f"kept: the new {challenger['candidate']} has {told} against it on the unseen",
    }
    judged = judging.judged(old, unseen.has_churned, MEASURES)
    figures = {key: value for name, bounded in judged.items() for key, value in _bounded(name, bounded).items()}
    return [*(row | beaten if row is challenger else row for row in found), kept | figures]


def _is_comparable(champion: Row, challenger: Row, unseen: Examples) -> bool:
    """Whether a former version is another one, can be asked, and had not seen what it would be judged by."""
    is_another = champion["judged_model"] != challenger["judged_model"]
    is_readable = set(champion["features_used"].split(", ")) <= set(unseen.columns)
    return is_another and is_readable and champion["judged_at"] <= challenger["judged_at"]


def _tried(candidate: Candidate, seen: Examples, unseen: Examples, whole: Examples, features: Sequence[str]) -> Trial:
    columns, all_columns = ({name: part.columns[name] for name in features} for part in (seen, whole))
    raw = classifiers.cross_trained(candidate, columns, seen.has_churned, seen.folds)
    corrected = {"calibration": classifiers.calibration(raw, seen.has_churned)}
    judged = classifiers.trained(candidate, columns, seen.has_churned) | corrected
    fitted = classifiers.trained(candidate, all_columns, whole.has_churned) | corrected
    said_in_turn = classifiers.calibrated(raw, corrected["calibration"])
    fitted |= {"returns": returns(said_in_turn, seen)}
    return Trial(said_in_turn, classifiers.probabilities(judged, unseen.columns), judged, fitted)


def _together(members: Sequence[Trial], seen: Examples, unseen: Examples) -> Trial:
    said_in_turn: Floats = np.mean([member.said_in_turn for member in members], axis=0)
    judged: Fitted = {"members": [member.judged for member in members]}
    fitted = {"members": [member.fitted for member in members], "returns": returns(said_in_turn, seen)}
    return Trial(said_in_turn, classifiers.probabilities(judged, unseen.columns), judged, fitted)


def _lacking(seen: Examples, unseen: Examples) -> str | None:
    for examples, when in ((unseen, "90 days before as_of"), (seen, "180 and 240 days before as_of")):
        if lacking := examples.lacking():
            return f"of {when}, {lacking}"
    return None if telling(seen.columns) else "customers are too much alike to be told apart"


def _figures(trial: Trial, seen: Examples, unseen: Examples) -> dict[str, Any]:
    in_turn = {
        f"kfold_{name}": _rounded(judging.measured(trial.said_in_turn, seen.has_churned, measure))
        for name, measure in MEASURES.items()
    }
    judged = judging.judged(trial.said, unseen.has_churned, MEASURES)
    return in_turn | {key: value for name, found in judged.items() for key, value in _bounded(name, found).items()}


def _bounded(name: str, found: tuple[float, float, float] | None) -> dict[str, float | None]:
    value, low, high = (_rounded(one) for one in found) if found else (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _kept(trial: Trial) -> dict[str, str]:
    """The models as text, and by what the one that scores is known."""
    members = trial.fitted.get("members", [trial.fitted])
    features = dict.fromkeys(feature for member in members for feature in member["features"])
    fitted = classifiers.to_text(trial.fitted)
    return {
        "features_used": ", ".join(features),
        "judged_model": classifiers.to_text(trial.judged),
        "fitted_model": fitted,
        "model_hash": hashlib.sha256(fitted.encode()).hexdigest()[:12],
    }


def _is_baseline(name: str) -> bool:
    return name in {candidate.name for candidate in BASELINES}


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS)
