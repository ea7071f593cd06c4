"""Judging: how good probabilities were, once it is known what happened, each figure with a bootstrap interval.

`said` are probabilities, `happened` what came of them, a row for each customer. Rows are in the order of customers'
IDs, so that the resamples are the same whatever the order in which they arrived.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

RESAMPLES, SEED = 200, 0
LEVEL = 0.95
TOP = 0.1
# Of so many customers resamples take 4 MB.
KEPT = 10_000


@dataclass(frozen=True)
class Ranked:
    """Outcomes from the likeliest to the least likely, each with its weight; `ends` is where a run of equals ends."""

    said: Floats
    happened: Flags
    ends: npt.NDArray[np.intp]
    order: npt.NDArray[np.intp]

    @classmethod
    def of(cls, said: Floats, happened: Flags) -> "Ranked":
        """Sorted once, for all resamples."""
        order = np.argsort(-said, kind="stable")
        ranked = said[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        return cls(ranked, happened[order], ends, order)


Measure = Callable[[Ranked, Floats], float]


def auc(ranked: Ranked, weights: Floats) -> float:
    """Share of pairs, of one to whom it happened and one to whom not, that are in the right order; ties count half."""
    hits, misses = _up_to(ranked, weights)
    before = np.concatenate([[0.0], misses[:-1]])
    below = misses[-1] - (before + misses) / 2
    return float((np.diff(hits, prepend=0.0) * below).sum() / (hits[-1] * misses[-1]))


def average_precision(ranked: Ranked, weights: Floats) -> float:
    """Area under precision by recall, a step for each value said."""
    hits, misses = _up_to(ranked, weights)
    return float((np.diff(hits, prepend=0.0) * hits / np.maximum(hits + misses, 1)).sum() / hits[-1])


def brier(ranked: Ranked, weights: Floats) -> float:
    """Mean squared difference of what was said and what happened; 0 is perfect."""
    return float((weights * (ranked.said - ranked.happened) ** 2).sum() / weights.sum())


def log_loss(ranked: Ranked, weights: Floats) -> float:
    """Mean surprise (natural logarithm)."""
    surprise = -np.log(np.where(ranked.happened, ranked.said, 1 - ranked.said))
    return float((weights * surprise).sum() / weights.sum())


def lift(ranked: Ranked, weights: Floats) -> float:
    """How many times the usual share it happened to, among the tenth said to be likeliest."""
    so_far = np.cumsum(weights)
    # Of the customer at the border only the part within.
    part = np.clip(TOP * so_far[-1] - (so_far - weights), 0, weights)
    share = (part * ranked.happened).sum() / part.sum()
    return float(share / ((weights * ranked.happened).sum() / so_far[-1]))


def at_threshold(threshold: float) -> dict[str, Measure]:
    """Accuracy, precision, recall and F1 of saying it of everybody from `threshold` on."""

    def counted(ranked: Ranked, weights: Floats) -> tuple[float, float, float, float]:
        is_told = ranked.said >= threshold
        right, wrong = weights * ranked.happened, weights * ~ranked.happened
        return right[is_told].sum(), wrong[is_told].sum(), right[~is_told].sum(), wrong[~is_told].sum()

    def accuracy(ranked: Ranked, weights: Floats) -> float:
        hits, _, _, passed = counted(ranked, weights)
        return float((hits + passed) / weights.sum())

    def precision(ranked: Ranked, weights: Floats) -> float:
        hits, false, _, _ = counted(ranked, weights)
        return float(hits / max(hits + false, 1))

    def recall(ranked: Ranked, weights: Floats) -> float:
        hits, _, missed, _ = counted(ranked, weights)
        return float(hits / max(hits + missed, 1))

    def f1(ranked: Ranked, weights: Floats) -> float:
        hits, false, missed, _ = counted(ranked, weights)
        return float(2 * hits / max(2 * hits + false + missed, 1))

    return {"accuracy": accuracy, "precision": precision, "recall": recall, "F1": f1}


def judged(said: Floats, happened: Flags, measures: Mapping[str, Measure]) -> dict[str, tuple[float, float, float]]:
    """Each measure with its bounds, by its name."""
    ranked = Ranked.of(said, happened)
    once = np.ones(len(said))
    drawn = {name: np.empty(RESAMPLES) for name in measures}
    for number, weights in enumerate(resamples(len(happened))):
        for name, measure in measures.items():
            drawn[name][number] = measure(ranked, weights[ranked.order])
    return {name: (measure(ranked, once), *bounds(drawn[name])) for name, measure in measures.items()}


def measured(said: Floats, happened: Flags, measure: Measure = auc) -> float:
    """One figure alone."""
    return measure(Ranked.of(said, happened), np.ones(len(said)))


def gain(said: Floats, other: Floats, happened: Flags, measure: Measure = auc) -> tuple[float, float, float]:
    """By how much `said` does better than `other` on the same customers, with bounds of that difference."""
    one, two, once = Ranked.of(said, happened), Ranked.of(other, happened), np.ones(len(said))
    drawn = np.array(
        [measure(one, weights[one.order]) - measure(two, weights[two.order]) for weights in resamples(len(happened))]
    )
    return measure(one, once) - measure(two, once), *bounds(drawn)


def resamples(count: int) -> Iterator[Floats]:
    """How often each of `count` customers is drawn, resample by resample."""
    for drawn in _kept(count) if count <= KEPT else _drawn(count):
        yield drawn.astype(np.float64)


@lru_cache(maxsize=8)
def _kept(count: int) -> list[npt.NDArray[np.uint16]]:
    """The resamples of so few customers, since to draw them takes as long as to measure by them."""
    return [*_drawn(count)]


def _drawn(count: int) -> Iterator[npt.NDArray[np.uint16]]:
    rng = np.random.default_rng(SEED)
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(0, count, count), minlength=count).astype(np.uint16)


def bounds(drawn: Floats) -> tuple[float, float]:
    """The middle 95 % of what resamples gave."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _up_to(ranked: Ranked, weights: Floats) -> tuple[Floats, Floats]:
    """To how many it happened, and did not, down to each value said."""
    hits, misses = np.cumsum(weights * ranked.happened), np.cumsum(weights * ~ranked.happened)
    return hits[ranked.ends], misses[ranked.ends]
