"""k-means without chance: the same customers fall into the same clusters, whatever the order of rows or the threads.

Rows of every array are customers, sorted by their id. Centres are found on a sample that the ids alone decide, each
number of clusters grown from the one before by splitting the cluster whose split helps most, so that no random start is
needed. The growth is that of A. Likas, N. Vlassis and J. Verbeek, "The global k-means clustering algorithm", Pattern
Recognition 36, 2003; the splits are those of T. Su and J. G. Dy, "In search of deterministic methods for initializing
k-means clustering", Intelligent Data Analysis 11, 2007.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from c360_assets.terms.threads import one_thread

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

CLUSTER_COUNTS = range(2, 11)
MIN_CUSTOMERS = 100
# A feature of which so many customers share one value tells nobody apart.
USUAL_SHARE = 0.95
# Of two features that correlate so, the one named first stays: else a thing measured twice would count twice.
CORRELATED = 0.85
# Standard deviations; beyond, a value counts as this, so that no single customer draws a centre to himself.
CUT = 3.0
SAMPLE = 20_000
SILHOUETTE_SAMPLE = 5_000
# Each refit sees another half of the sample.
REFITS = 20
STABLE = 0.8
SMALLEST_SHARE = 0.01
# Halving a continuum gives the best silhouette and tells nobody anything: two clusters must stand clearly apart.
TWO_APART = 0.5
# Silhouettes so near to the best are as good; more clusters say more then, up to what people can tell apart.
EQUAL = 0.01
MANAGEABLE = 6
# Below, clusters shade into one another (Kaufman and Rousseeuw, "Finding groups in data", 1990).
STRUCTURE = 0.25
DECIMALS = 6
MOST_ROUNDS = 1_000
BATCH = 100_000


@dataclass(frozen=True)
class Prepared:
    """Customers as points: a row for each, a column for each feature used, in standard deviations from the mean.

    `filled` counts the features of each customer that are not known and were taken as the median; `hashes` decide who
    is in a sample. `reason` says why there can be no clusters, where there can be none.
    """

    features: tuple[str, ...]
    points: Floats
    filled: Integers
    hashes: Hashes
    reason: str | None

    @property
    def sample(self) -> npt.NDArray[np.intp]:
        """The rows centres are fitted to, in ascending order."""
        return _smallest(self.hashes, SAMPLE)


@dataclass(frozen=True)
class Trial:
    """One number of clusters: how well it does on the sample; all None where `reason` says why it was not tried."""

    k: int
    silhouette: float | None
    stability: float | None
    inertia: float | None
    smallest_share: float | None
    is_chosen: bool
    reason: str


@dataclass(frozen=True)
class _Fit:
    centres: Floats
    labels: Integers
    inertia: float

    @property
    def k(self) -> int:
        return len(self.centres)


def prepared(
    ids: Sequence[str], values: Mapping[str, Floats], skewed: Collection[str] = (), kept: Collection[str] = ()
) -> Prepared:
    """Points of customers from their features by name, unknown values being NaN; `skewed` ones are taken as log1p.

    Mean and standard deviation are those of all customers. Dropped are features nobody has, those of which nearly all
    customers share one value, and those, unless `kept`, that another, named before, all but repeats.
    """
    filled = np.zeros(len(ids), dtype=np.int64)
    columns: dict[str, Floats] = {}
    for name, raw in values.items():
        is_known = ~np.isnan(raw)
        if not is_known.any():
            continue
        whole = np.where(is_known, raw, np.median(raw[is_known]))
        column = _standardised(np.log1p(np.maximum(whole, 0)) if name in skewed else whole)
        if _share_of_the_most_common(column) >= USUAL_SHARE:
            continue
        if name not in kept and any(_correlation(column, other) >= CORRELATED for other in columns.values()):
            continue
        columns[name] = column
        filled += ~is_known
    points = np.column_stack([*columns.values()]) if columns else np.empty((len(ids), 0))
    return Prepared(tuple(columns), points, filled, _hashes(ids), _reason(len(ids), len(columns)))


def trials(customers: Prepared, seed: int = 0) -> list[Trial]:
    """Every number of clusters tried on the sample, one of them chosen. `seed` decides which halves the refits see."""
    from sklearn.metrics import pairwise_distances

    if customers.reason is not None:
        return [_untried(k, customers.reason) for k in CLUSTER_COUNTS]
    sample = customers.sample
    points, hashes = customers.points[sample], customers.hashes[sample]
    with _one_thread():
        fits = {fit.k: fit for fit in _grown(points, max(CLUSTER_COUNTS))}
        refits = [{fit.k: fit for fit in _grown(points[half], max(fits))} for half in _halves(hashes, seed)]
        judged = _smallest(hashes, SILHOUETTE_SAMPLE)
        # Once for all numbers of clusters: at most 200 MB.
        distances = pairwise_distances(points[judged])
        measured = [
            _measured(k, points, fits.get(k), [refit.get(k) for refit in refits], judged, distances)
            for k in CLUSTER_COUNTS
        ]
    return chosen(measured)


def chosen(measured: Sequence[Trial]) -> list[Trial]:
    """The trials with the choice made and each reason given.

    Fit to be chosen are numbers of clusters found again in halves of the sample (stability at least 0.8) whose
    smallest cluster holds 1 % of the customers; two clusters only with a silhouette of 0.5. The best silhouette of
    these wins. Those within 0.01 of it are as good: of them the greatest number up to 6, else the smallest, is taken.
    Where none is fit, it is the most stable number with clusters large enough, or else the most stable of all.
    `measured` comes by k.
    """
    tried = [trial for trial in measured if trial.stability is not None]
    fit = [trial for trial in tried if _fault(trial) is None]
    if not tried:
        return list(measured)
    best = _best(fit) if fit else _most_stable(tried)
    return [replace(trial, is_chosen=trial is best, reason=_told(trial, best, fit)) for trial in measured]


def _best(fit: Sequence[Trial]) -> Trial:
    equal = [trial for trial in fit if _is_equal(trial, fit)]
    manageable = [trial for trial in equal if trial.k <= MANAGEABLE]
    return manageable[-1] if manageable else equal[0]


def _most_stable(tried: Sequence[Trial]) -> Trial:
    large = [trial for trial in tried if _value(trial.smallest_share) >= SMALLEST_SHARE]
    return max(large or tried, key=lambda trial: (_value(trial.stability), -trial.k))


def _is_equal(trial: Trial, fit: Sequence[Trial]) -> bool:
    return _value(trial.silhouette) >= max(_value(other.silhouette) for other in fit) - EQUAL


def _told(trial: Trial, best: Trial, fit: Sequence[Trial]) -> str:
    """Why a number of clusters was chosen, or not."""
    if trial.stability is None:
        return trial.reason
    if trial is best and not fit:
        return f"chosen: most stable, though {_fault(trial)}"
    if trial is best:
        is_blurred = _value(trial.silhouette) < STRUCTURE
        borders = f"; their borders are blurred (silhouette below {STRUCTURE})" if is_blurred else ""
        return f"chosen: stable, with the best silhouette or one as good{borders}"
    if fault := _fault(trial):
        return fault
    if not _is_equal(trial, fit):
        return "lower silhouette"
    return f"as good, but {'fewer clusters' if trial.k < best.k else 'more clusters than people can tell apart'}"


def centres(customers: Prepared, k: int) -> Floats:
    """The centres of `k` clusters of the sample, a row for each; fewer where there are not so many different points."""
    with _one_thread():
        fits = list(_grown(customers.points[customers.sample], k))
    return fits[-1].centres


def assigned(points: Floats, centres: Floats) -> tuple[Integers, Floats]:
    """The nearest centre of each point, counted from 0, the first in a tie, and how far away it is."""
    nearest = np.empty(len(points), dtype=np.int64)
    distances = np.empty(len(points))
    for start in range(0, len(points), BATCH):
        batch = points[start : start + BATCH]
        squared = np.column_stack([((batch - centre) ** 2).sum(axis=1) for centre in centres])
        nearest[start : start + BATCH] = squared.argmin(axis=1)
        distances[start : start + BATCH] = np.sqrt(squared.min(axis=1))
    return nearest, distances.round(DECIMALS)


def _reason(customer_count: int, feature_count: int) -> str | None:
    if customer_count < MIN_CUSTOMERS:
        return f"fewer than {MIN_CUSTOMERS} customers with a completed order or a visit"
    if not feature_count:
        return "customers do not differ"
    return None


def _standardised(column: Floats) -> Floats:
    deviations: Floats = (column - column.mean()) / (column.std() or 1.0)
    return deviations.clip(-CUT, CUT).round(DECIMALS)


def _share_of_the_most_common(column: Floats) -> float:
    _, counts = np.unique(column, return_counts=True)
    return float(counts.max() / len(column))


def _correlation(one: Floats, other: Floats) -> float:
    # Not by BLAS, whose sums depend on its threads.
    a, b = one - one.mean(), other - other.mean()
    return abs(round(float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())), DECIMALS))


def _hashes(ids: Sequence[str]) -> Hashes:
    digests = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _smallest(hashes: Hashes, count: int) -> npt.NDArray[np.intp]:
    """The places of the `count` smallest hashes, in ascending order."""
    return np.sort(np.argsort(hashes, kind="stable")[:count])


def _halves(hashes: Hashes, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """The rows of each refit: as good as drawn by lot, yet decided by the ids alone."""
    for refit in range(REFITS):
        yield _smallest(_mixed(hashes, seed * REFITS + refit + 1), len(hashes) // 2)


def _mixed(hashes: Hashes, salt: int) -> Hashes:
    """Other hashes from these: one step of SplitMix64."""
    mixed = hashes + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _grown(points: Floats, most: int) -> Iterator[_Fit]:
    """Fits with 1, 2, ... `most` clusters, each the best grown from a split of the one before, if there is one."""
    fit = _Fit(points.mean(axis=0, keepdims=True), np.zeros(len(points), dtype=np.int64), 0.0)
    yield fit
    while fit.k < most and (starts := list(_splits(points, fit))):
        fit = min((_lloyd(points, start) for start in starts), key=lambda grown: grown.inertia)
        yield fit


def _lloyd(points: Floats, seeds: Floats) -> _Fit:
    from sklearn.cluster import KMeans

    # Given its start and no tolerance it is run to the very end: nothing is left to a random state.
    model = KMeans(len(seeds), init=seeds, n_init=1, tol=0, max_iter=MOST_ROUNDS).fit(points)
    return _Fit(
        model.cluster_centers_.round(DECIMALS), model.labels_.astype(np.int64), round(float(model.inertia_), DECIMALS)
    )


def _splits(points: Floats, fit: _Fit) -> Iterator[Floats]:
    """The centres with that of one cluster replaced by two, for each cluster that can be split."""
    for label in range(fit.k):
        pair = _halves_of(points[fit.labels == label])
        if pair is not None:
            yield np.vstack([fit.centres[:label], pair, fit.centres[label + 1 :]])


def _halves_of(members: Floats) -> Floats | None:
    """The centres of a cluster cut in two across its widest direction; None where all its members are alike."""
    if len(members) < 2:
        return None
    deviations = members - members.mean(axis=0)
    axis = np.linalg.eigh(deviations.T @ deviations)[1][:, -1]
    # The sign of an eigenvector is arbitrary.
    axis = axis * np.sign(axis[np.abs(axis).round(DECIMALS).argmax()])
    is_right = (deviations @ axis).round(DECIMALS) > 0
    if is_right.all() or not is_right.any():
        return None
    return np.stack([members[~is_right].mean(axis=0), members[is_right].mean(axis=0)])


def _measured(
    k: int,
    points: Floats,
    fit: _Fit | None,
    refits: Sequence[_Fit | None],
    judged: npt.NDArray[np.intp],
    distances: Floats,
) -> Trial:
    if fit is None:
        return _untried(k, f"fewer than {k} different customers")
    shares = np.bincount(fit.labels, minlength=k) / len(points)
    return Trial(
        k=k,
        silhouette=_silhouette(distances, fit.labels[judged]),
        stability=round(float(np.mean([_agreement(points, fit, refit) for refit in refits])), DECIMALS),
        inertia=fit.inertia,
        smallest_share=round(float(shares.min()), DECIMALS),
        is_chosen=False,
        reason="",
    )


def _silhouette(distances: Floats, labels: Integers) -> float | None:
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return round(float(silhouette_score(distances, labels, metric="precomputed")), DECIMALS)


def _agreement(points: Floats, fit: _Fit, refit: _Fit | None) -> float:
    """Adjusted Rand index of a fit to the sample and one to half of it; 0 where the half has no such clusters."""
    from sklearn.metrics import adjusted_rand_score

    return 0.0 if refit is None else float(adjusted_rand_score(fit.labels, assigned(points, refit.centres)[0]))


def _untried(k: int, reason: str) -> Trial:
    return Trial(k, None, None, None, None, False, reason)


def _fault(trial: Trial) -> str | None:
    """Why a number of clusters is not fit to be chosen."""
    if _value(trial.stability) < STABLE:
        return f"stability below {STABLE}"
    if _value(trial.smallest_share) < SMALLEST_SHARE:
        return f"smallest cluster below {SMALLEST_SHARE:.0%}"
    if trial.silhouette is None:
        return "too few customers to tell clusters apart"
    if trial.k == 2 and trial.silhouette < TWO_APART:
        return f"two halves that are not clearly apart (silhouette below {TWO_APART})"
    return None


def _value(measure: float | None) -> float:
    return -1.0 if measure is None else measure


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever the machine."""
    # The limit holds for libraries that are loaded, so they have to be.
    import sklearn.cluster
    import sklearn.metrics

    # Our points are finite and our arguments right; checking that in each of 945 fits takes a third of the time.
    trusting = sklearn.config_context(assume_finite=True, skip_parameter_validation=True)
    with one_thread(), trusting:
        yield
