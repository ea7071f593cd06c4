"""Classifiers that say how likely something is, each kept as plain JSON: nothing of it runs when it is read.

Points are customers, a row for each and a column for each feature, NaN where it is not known. The same points in the
same order give the same model on every machine and with any number of threads.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from c360_assets.terms import lifetimes
from c360_assets.terms.lifetimes import Histories, Lifetimes
from c360_assets.terms.threads import one_thread

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Fitted = dict[str, Any]

SEED = 0
DIGITS = 12
# Nothing is certain: what a model may say at most and at least.
CERTAIN = 1e-6
HORIZON = 90.0
# Small trees, many of them, each on a part of the customers and of the features: customers differ, and there are few.
BOOSTING = {
    "objective": "binary",
    "num_leaves": 6,
    "learning_rate": 0.03,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "seed": SEED,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
TREES = 200
QUICK, QUICK_TREES = {"learning_rate": 0.075}, 80
LEAVES, LEAF = 12, 50
HIDDEN, WEIGHT_DECAY, ROUNDS = 12, 30.0, 100


@dataclass(frozen=True)
class Candidate:
    """A way to tell: `fit` makes a model of points and outcomes; `only` names the features it sees, where not all."""

    name: str
    fit: Callable[[Floats, Flags], Fitted]
    only: tuple[str, ...] = ()


def trained(candidate: Candidate, columns: Mapping[str, Floats], outcomes: Flags) -> Fitted:
    """The model a candidate makes of columns by feature, which are named in it."""
    features = [*columns]
    with one_thread():
        fitted = candidate.fit(_points(columns, features), outcomes)
    return {"features": features, **fitted}


def cross_trained(candidate: Candidate, columns: Mapping[str, Floats], outcomes: Flags, folds: Integers) -> Floats:
    """What models say of rows they have not seen: each of the folds (0, 1, ...) judged by a model of the others."""
    said = np.empty(len(outcomes))
    for fold in np.unique(folds):
        is_left_out = folds == fold
        model = trained(candidate, _of(columns, ~is_left_out), outcomes[~is_left_out])
        said[is_left_out] = probabilities(model, _of(columns, is_left_out))
    return said


def probabilities(model: Fitted, columns: Mapping[str, Floats]) -> Floats:
    """How likely it is for each row, strictly between 0 and 1; of an ensemble the mean of its members."""
    if "members" in model:
        said = np.mean([probabilities(member, columns) for member in model["members"]], axis=0)
    else:
        with one_thread():
            said = _SAID[model["kind"]](model, _points(columns, model["features"]))
    return calibrated(said, model.get("calibration", (1.0, 0.0)))


def calibration(said: Floats, outcomes: Flags) -> tuple[float, float]:
    """Slope and offset by which log odds become those of what happened (J. Platt, 1999); `said` of unseen rows."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(_logit(said)[:, None], outcomes)
    slope, offset = _rounded(fitted.coef_[0, 0]), _rounded(fitted.intercept_[0])
    # A model that says the opposite of what happens knows nothing: its slope is not to be turned round, and what is
    # left is how often it happens.
    return (slope, offset) if slope > 0 else (0.0, _rounded(_logit(outcomes.mean(keepdims=True))[0]))


def calibrated(said: Floats, correction: tuple[float, float]) -> Floats:
    """Probabilities by slope and offset of their log odds, strictly between 0 and 1."""
    slope, offset = correction
    return np.clip(_sigmoid(slope * _logit(said) + offset), CERTAIN, 1 - CERTAIN)


def contributions(model: Fitted, columns: Mapping[str, Floats]) -> Floats:
    """By how much each of the model's features moves the log odds of each row away from the usual.

    Of a logistic regression weight times value, of trees the exact Shapley values (S. Lundberg, "Consistent
    individualized feature attribution for tree ensembles", 2018). Both are exact for the model before calibration.
    """
    points = _points(columns, model["features"])
    if model["kind"] == "logistic":
        moved: Floats = _scaled(model, points) * np.array(model["weights"])
        return moved
    shares: Floats = _booster(model).predict(points, pred_contrib=True, num_threads=1)[:, :-1]
    return shares


def logistic(points: Floats, outcomes: Flags) -> Fitted:
    """Logistic regression on standardised features with a ridge penalty."""
    from sklearn.linear_model import LogisticRegression

    scale = _scale(points)
    fitted = LogisticRegression(C=0.1, max_iter=1_000).fit(_scaled(scale, points), outcomes)
    weights = {"weights": _list(fitted.coef_[0]), "bias": _rounded(fitted.intercept_[0])}
    return {"kind": "logistic", **scale, **weights}


def rate(points: Floats, outcomes: Flags) -> Fitted:
    """How often it happens, said of everybody."""
    return {"kind": "rate", "share": _rounded(outcomes.mean())}


def tree(points: Floats, outcomes: Flags) -> Fitted:
    """One decision tree of at most twelve leaves."""
    from sklearn.tree import DecisionTreeClassifier

    scale = _scale(points)
    grown = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=LEAF, random_state=SEED)
    found = grown.fit(_scaled(scale, points), outcomes).tree_
    nodes = {
        "left": found.children_left.tolist(),
        "right": found.children_right.tolist(),
        "feature": found.feature.tolist(),
        "threshold": _list(found.threshold),
        "share": _list(found.value[:, 0, -1]),
    }
    return {"kind": "tree", **scale, **nodes}


def boosting(points: Floats, outcomes: Flags) -> Fitted:
    """Gradient boosting of small trees by LightGBM, as its own text."""
    return _boosted(points, outcomes, BOOSTING, TREES)


def quick_boosting(points: Floats, outcomes: Flags) -> Fitted:
    """The same with fewer trees that each count for more: less fine, and done in less than half the time."""
    return _boosted(points, outcomes, BOOSTING | QUICK, QUICK_TREES)


def _boosted(points: Floats, outcomes: Flags, options: Mapping[str, Any], trees: int) -> Fitted:
    import lightgbm

    data = lightgbm.Dataset(points, outcomes.astype(np.float64), params={"verbosity": -1})
    return {"kind": "boosting", "text": lightgbm.train(dict(options), data, trees).model_to_string()}


def network(points: Floats, outcomes: Flags) -> Fitted:
    """A neural network with one hidden layer, stopped before it learns single customers by heart."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    scale = _scale(points)
    net = MLPClassifier((HIDDEN,), alpha=WEIGHT_DECAY, solver="lbfgs", max_iter=ROUNDS, tol=1e-5, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = net.fit(_scaled(scale, points), outcomes)
    layers = [
        [[_list(row) for row in weights], _list(biases)]
        for weights, biases in zip(fitted.coefs_, fitted.intercepts_, strict=True)
    ]
    return {"kind": "network", **scale, "layers": layers}


def purchases(points: Floats, outcomes: Flags) -> Fitted:
    """Logistic regression on the purchases that MBG/NBD expects within 90 days.

    The columns of `points` are the logarithms (log1p) of days since the last and since the first order, and of orders.
    """
    known, _ = _histories(points)
    found = lifetimes.fitted(known, leaves_at_once=True).lifetimes if known.repeats.any() else None
    model = {"kind": "purchases", "lifetimes": vars(found) if found else None}
    return model | {"by": logistic(_expected(model, points), outcomes)}


def to_text(model: Fitted) -> str:
    """The model as one line of JSON, equal for equal models."""
    return json.dumps(model, sort_keys=True, separators=(",", ":"), allow_nan=False)


def text_hash(text: str) -> str:
    """By what a model is known."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def from_text(text: str) -> Fitted:
    """The model that `to_text` wrote."""
    model: Fitted = json.loads(text)
    return model


def _rate(model: Fitted, points: Floats) -> Floats:
    return np.full(len(points), model["share"])


def _logistic(model: Fitted, points: Floats) -> Floats:
    said: Floats = _sigmoid(_scaled(model, points) @ np.array(model["weights"]) + model["bias"])
    return said


def _tree(model: Fitted, points: Floats) -> Floats:
    scaled, at = _scaled(model, points).astype(np.float32), np.zeros(len(points), dtype=np.int64)
    left, right, feature = (np.array(model[name]) for name in ("left", "right", "feature"))
    while (is_inner := left[at] >= 0).any():
        goes_left = scaled[np.arange(len(at)), np.maximum(feature[at], 0)] <= np.array(model["threshold"])[at]
        at = np.where(is_inner, np.where(goes_left, left[at], right[at]), at)
    said: Floats = np.array(model["share"])[at]
    return said


def _boosting(model: Fitted, points: Floats) -> Floats:
    said: Floats = _booster(model).predict(points, num_threads=1)
    return said


def _network(model: Fitted, points: Floats) -> Floats:
    (inner, inner_bias), (outer, outer_bias) = model["layers"]
    hidden = np.maximum(_scaled(model, points) @ np.array(inner) + np.array(inner_bias), 0)
    said: Floats = _sigmoid((hidden @ np.array(outer) + np.array(outer_bias))[:, 0])
    return said


def _purchases(model: Fitted, points: Floats) -> Floats:
    return _logistic(model["by"], _expected(model, points))


def _histories(points: Floats) -> tuple[Histories, Integers]:
    recency, age, orders = np.expm1(points).round().T
    return lifetimes.grouped(orders.astype(np.int64) - 1, age - recency, age)


def _expected(model: Fitted, points: Floats) -> Floats:
    """The logarithm of purchases expected, in one column; where nobody ever bought again all are alike."""
    if model["lifetimes"] is None:
        return np.zeros((len(points), 1))
    population, (known, which) = Lifetimes(**model["lifetimes"]), _histories(points)
    while_alive = lifetimes.expected_while_alive(population, known.repeats, known.age, [HORIZON])
    expected = while_alive * lifetimes.p_alive(population, known)[:, None]
    return np.log(np.maximum(expected[which], CERTAIN))


_SAID = {
    "rate": _rate,
    "purchases": _purchases,
    "logistic": _logistic,
    "tree": _tree,
    "boosting": _boosting,
    "network": _network,
}


def _booster(model: Fitted) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=model["text"])


def _points(columns: Mapping[str, Floats], features: Sequence[str]) -> Floats:
    return np.column_stack([columns[name] for name in features])


def _of(columns: Mapping[str, Floats], rows: Flags) -> dict[str, Floats]:
    return {name: values[rows] for name, values in columns.items()}


def _scale(points: Floats) -> Fitted:
    """Mean and standard deviation of what is known of each feature."""
    # Of equal values the mean may be off by the last bit, and the deviation be no zero.
    spread = np.nanstd(points, axis=0).round(DIGITS)
    return {"means": _list(np.nanmean(points, axis=0)), "scales": _list(np.where(spread > 0, spread, 1.0))}


def _scaled(model: Fitted, points: Floats) -> Floats:
    """Standard deviations from the mean; what is not known is taken as usual."""
    scaled: Floats = (points - np.array(model["means"])) / np.array(model["scales"])
    return np.where(np.isnan(scaled), 0.0, scaled)


def _sigmoid(log_odds: Floats) -> Floats:
    from scipy.special import expit

    odds: Floats = expit(log_odds)
    return odds


def _logit(said: Floats) -> Floats:
    kept = np.clip(said, CERTAIN, 1 - CERTAIN)
    log_odds: Floats = np.log(kept / (1 - kept))
    return log_odds


def _list(values: npt.NDArray[Any]) -> list[float]:
    rounded: list[float] = np.round(values, DIGITS).tolist()
    return rounded


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
