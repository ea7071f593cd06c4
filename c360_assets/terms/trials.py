"""Trials: ways to tell how likely something is, tried on customers left out in turn and judged at a later time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from c360_assets.terms import classifiers, judging
from c360_assets.terms.arrays import Floats
from c360_assets.terms.classifiers import Candidate, Fitted, Flags, Integers

ENSEMBLE = "ensemble"
DECIMALS = 6
# What is told of every candidate, however it is judged.
JUDGED = {
    "candidate": pa.string(),
    "is_baseline": pa.bool_(),
    "is_chosen": pa.bool_(),
    "reason": pa.string(),
    "trained_until": pa.timestamp("us"),
    "judged_at": pa.timestamp("us"),
    "training_count": pa.int64(),
    "judged_count": pa.int64(),
}
# A figure, and the bounds between which it is with 95 %.
Bounded = tuple[float, float, float]


@dataclass(frozen=True)
class Known:
    """Customers at a cutoff, ordered by ID and cutoff: what was known of them by feature, and whether it happened.

    `folds` says in which part (0, 1, ...) each is when models are tried in turn.
    """

    columns: Mapping[str, Floats]
    happened: Flags
    folds: Integers

    def __len__(self) -> int:
        return len(self.happened)


@dataclass(frozen=True)
class Trial:
    """One candidate: what it said of customers in training while they were left out, and of those it is judged by.

    `judged` is the model that said the latter; `fitted` is the same candidate trained on all examples, and scores.
    """

    said_in_turn: Floats
    said: Floats
    judged: Fitted
    fitted: Fitted


def tried(candidate: Candidate, seen: Known, unseen: Known, whole: Known, features: Sequence[str]) -> Trial:
    """One candidate; it sees `features`, or those that it names itself. `whole` are all examples, seen and unseen."""
    names = candidate.only or features
    columns, all_columns = ({name: part.columns[name] for name in names} for part in (seen, whole))
    raw = classifiers.cross_trained(candidate, columns, seen.happened, seen.folds)
    corrected = {"calibration": classifiers.calibration(raw, seen.happened)}
    judged = classifiers.trained(candidate, columns, seen.happened) | corrected
    fitted = classifiers.trained(candidate, all_columns, whole.happened) | corrected
    said_in_turn = classifiers.calibrated(raw, corrected["calibration"])
    return Trial(said_in_turn, classifiers.probabilities(judged, unseen.columns), judged, fitted)


def together(members: Sequence[Trial]) -> Trial:
    """The ensemble, which says the mean of what its members say."""
    return Trial(
        np.mean([member.said_in_turn for member in members], axis=0),
        np.mean([member.said for member in members], axis=0),
        {"members": [member.judged for member in members]},
        {"members": [member.fitted for member in members]},
    )


def chosen(
    found: Mapping[str, Trial], baselines: Collection[str], seen: Flags, unseen: Flags
) -> tuple[dict[str, str], dict[str, Bounded]]:
    """Why each candidate is chosen or not, and by how much its AUC is above that of the best baseline, with bounds.

    The best by what was said in training is put to the test, so that the choice does not flatter what it is judged by.
    It is chosen if it does better than every baseline on the unseen; else the best baseline is. `seen` and `unseen` are
    what happened to the customers in training and to those that are judged by.
    """
    aucs = {name: judging.measured(found[name].said, unseen) for name in found if name in baselines}
    simplest, best = max(aucs, key=aucs.__getitem__), best_in_training(found, baselines, seen)
    gains = {
        name: judging.gain(trial.said, found[simplest].said, unseen)
        for name, trial in found.items()
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
    return {name: "baseline" if name in baselines else lower for name in found} | reasons, gains


def best_in_training(found: Mapping[str, Trial], baselines: Collection[str], seen: Flags) -> str:
    """The ensemble, since a mean of several is off by less than one of them; another if it is better for certain."""
    in_turn = {name: judging.measured(trial.said_in_turn, seen) for name, trial in found.items()}
    best = max((name for name in found if name not in baselines), key=in_turn.__getitem__)
    _, low, _ = judging.gain(found[best].said_in_turn, found[ENSEMBLE].said_in_turn, seen)
    return best if low > 0 else ENSEMBLE


def figures(trial: Trial, seen: Flags, unseen: Flags, measures: Mapping[str, judging.Measure]) -> dict[str, Any]:
    """Each measure in cross-validation, and on the unseen with its bounds, by the name of the column."""
    in_turn = {
        f"kfold_{name}": rounded(judging.measured(trial.said_in_turn, seen, measure))
        for name, measure in measures.items()
    }
    judged = judging.judged(trial.said, unseen, measures)
    return in_turn | {key: value for name, found in judged.items() for key, value in bounded(name, found).items()}


def bounded(name: str, found: Bounded | None) -> dict[str, float | None]:
    """A figure and its bounds by the names of their columns."""
    value, low, high = (rounded(one) for one in found) if found else (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def features_used(model: Fitted) -> str:
    """The features that a model sees, or a member of it."""
    members = model.get("members", [model])
    return ", ".join(dict.fromkeys(feature for member in members for feature in member["features"]))


def rounded(value: float) -> float:
    """As figures are kept."""
    return round(float(value), DECIMALS)
