"""k-means without chance: known groups come back, and neither seed nor order nor threads change anything."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from c360_assets.terms import clustering
from c360_assets.terms.clustering import CLUSTER_COUNTS, Floats, Prepared, Trial
from tests.c360_assets.shoppers import FEW_REFITS, crowd, known_groups, points_of

PROJECT = Path(__file__).parents[3]
# Of scikit-learn, which gives each thread 256 rows at a time.
SEVERAL_CHUNKS = 700
REFITS = clustering.REFITS
FINGERPRINT = """
from c360_assets.terms import clustering
from tests.c360_assets.shoppers import FEW_REFITS
from tests.c360_assets.terms.test_clustering import fingerprint
clustering.REFITS = FEW_REFITS
print(fingerprint())
"""


@pytest.fixture(scope="module", autouse=True)
def _few_refits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "REFITS", FEW_REFITS)
        yield


def fingerprint() -> str:
    """Everything that clustering finds out about a crowd, to the last bit."""
    customers = points_of(crowd(SEVERAL_CHUNKS))
    trials = clustering.trials(customers)
    nearest, distances = clustering.assigned(customers.points, clustering.centres(customers, chosen_k(trials)))
    return hashlib.sha256(repr(trials).encode() + nearest.tobytes() + distances.tobytes()).hexdigest()


def chosen_k(trials: list[Trial]) -> int:
    (k,) = [trial.k for trial in trials if trial.is_chosen]
    return k


def found(customers: Prepared) -> list[int]:
    centres = clustering.centres(customers, chosen_k(clustering.trials(customers)))
    return [int(label) for label in clustering.assigned(customers.points, centres)[0]]


@pytest.mark.parametrize(
    "kinds",
    [("regulars", "newcomers", "lapsed", "visitors"), ("regulars", "newcomers", "lapsed"), ("newcomers", "lapsed")],
    ids=len,
)
def test_groups_that_are_apart_are_found_again(kinds: tuple[str, ...]) -> None:
    rows, truth = known_groups(100, kinds)
    by_id = sorted(zip([row["customer_id"] for row in rows], truth, strict=True))
    labels = found(points_of(rows))
    assert len(set(labels)) == len(kinds)
    assert adjusted_rand_score([kind for _, kind in by_id], labels) > 0.95


def test_another_seed_leaves_choice_and_labels_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "REFITS", REFITS)
    customers = points_of(crowd(SEVERAL_CHUNKS))
    of_seeds = [clustering.trials(customers, seed) for seed in range(3)]
    assert len({tuple(trial.stability for trial in trials) for trials in of_seeds}) == 3
    assert len({tuple((trial.silhouette, trial.inertia) for trial in trials) for trials in of_seeds}) == 1
    labels = {
        clustering.assigned(customers.points, clustering.centres(customers, chosen_k(trials)))[0].tobytes()
        for trials in of_seeds
    }
    assert len(labels) == 1


def test_numpys_random_state_plays_no_part() -> None:
    customers = points_of(crowd(500))
    np.random.seed(1)
    one = clustering.trials(customers)
    np.random.seed(2)
    assert clustering.trials(customers) == one


def test_one_thread_and_two_find_the_same_to_the_last_bit() -> None:
    with threadpool_limits(2):
        here = fingerprint()
    for threads in ("1", "2"):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": str(PROJECT)}
        done = subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env=environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here


def test_no_random_start_does_notably_better() -> None:
    customers = points_of(crowd(1500))
    for trial in clustering.trials(customers):
        with threadpool_limits(1):
            best = KMeans(trial.k, n_init=10, random_state=1).fit(customers.points).inertia_
        assert trial.inertia is not None
        assert trial.inertia <= best * 1.02


def test_of_two_splits_that_are_as_good_the_first_is_taken() -> None:
    # Each group is the mirror image of the other, so only the last digits of a sum could prefer one of them.
    for seed in range(20):
        rng = np.random.default_rng(seed)
        group = rng.normal(loc=(6, 0, 0), size=(60, 3)).round(3)
        points = rng.permutation(np.vstack([group, group * [-1, 1, 1]]))
        customers = Prepared(("x", "y", "z"), points, np.zeros(120, int), np.arange(120, dtype=np.uint64), None)
        assert [centre > 0 for centre in clustering.centres(customers, 3)[:, 0]] == [False, False, True]


def test_every_customer_is_with_the_nearest_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    points, centres = rng.normal(size=(103, 3)), rng.normal(size=(4, 3))
    monkeypatch.setattr(clustering, "BATCH", 10)
    nearest, distances = clustering.assigned(points, centres)
    for point, label, distance in zip(points, nearest, distances, strict=True):
        by_hand = [sum((a - b) ** 2 for a, b in zip(point, centre, strict=True)) ** 0.5 for centre in centres]
        assert by_hand[label] == min(by_hand)
        assert distance == pytest.approx(min(by_hand), abs=1e-6)


def test_each_centre_is_the_mean_of_its_customers() -> None:
    customers = points_of(crowd(800))
    centres = clustering.centres(customers, 5)
    nearest, _ = clustering.assigned(customers.points, centres)
    means = [customers.points[nearest == label].mean(axis=0) for label in range(5)]
    assert np.allclose(centres, means, atol=1e-5)


def prepared_of(**values: Sequence[float | None]) -> Prepared:
    columns = {name: np.array([np.nan if v is None else v for v in column]) for name, column in values.items()}
    ids = [f"c{number:03d}" for number in range(len(next(iter(columns.values()))))]
    return clustering.prepared(ids, columns)


def test_what_says_nothing_is_left_out_and_what_is_unknown_is_the_median() -> None:
    spread: list[float | None] = [float(n * n % 101) for n in range(120)]
    other: list[float | None] = [None, *(float(n * 7 % 13) for n in range(1, 120))]
    customers = prepared_of(
        spread=spread,
        nobody_has=[None] * 120,
        all_alike=[3.0] * 120,
        nearly_all_alike=[0.0] * 117 + [1.0, 2.0, 3.0],
        repeated=[value * -2 + 5 for value in spread if value is not None],
        other=other,
    )
    assert customers.features == ("spread", "other")
    assert customers.filled.tolist() == [1] + [0] * 119
    median = float(np.median([value for value in other if value is not None]))
    twin = other.index(median)
    assert customers.points[0, 1] == customers.points[twin, 1]
    assert np.allclose(customers.points.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(customers.points.std(axis=0), 1, atol=1e-5)


def test_a_kept_feature_stays_however_alike_it_is() -> None:
    column = np.arange(120.0)
    ids = [str(number) for number in range(120)]
    customers = clustering.prepared(ids, {"one": column, "two": column, "three": column}, kept={"two"})
    assert customers.features == ("one", "two")


def test_one_giant_counts_no_more_than_three_standard_deviations() -> None:
    customers = prepared_of(spent=[float(n % 10) for n in range(199)] + [1e12])
    assert customers.features == () or customers.points.max() == clustering.CUT
    ordinary = prepared_of(spent=[float(n % 10) for n in range(199)] + [100.0])
    assert ordinary.points.max() == clustering.CUT


def test_too_few_customers_or_customers_all_alike_are_not_clustered() -> None:
    few = prepared_of(spent=[float(n) for n in range(99)])
    alike = prepared_of(spent=[1.0] * 200)
    assert few.reason == "fewer than 100 customers with a completed order or a visit"
    assert alike.reason == "customers do not differ"
    for trial in (*clustering.trials(few), *clustering.trials(alike)):
        assert (trial.silhouette, trial.stability, trial.is_chosen) == (None, None, False)


def test_more_clusters_than_different_customers_are_not_tried() -> None:
    customers = prepared_of(spent=[float(n % 3) for n in range(150)], alike=[0.0] * 150)
    trials = {trial.k: trial for trial in clustering.trials(customers)}
    assert chosen_k([*trials.values()]) == 3
    assert trials[3].silhouette == 1.0
    assert trials[4].reason == "fewer than 4 different customers"


def test_a_sample_is_decided_by_ids_and_large_shops_have_one() -> None:
    ids = [f"customer {number}" for number in range(25_000)]
    values = np.arange(25_000.0)
    sampled = set(np.array(ids)[clustering.prepared(ids, {"spent": values}).sample])
    assert len(sampled) == clustering.SAMPLE
    fewer = ids[:22_000]
    still = set(np.array(fewer)[clustering.prepared(fewer, {"spent": values[::-1][:22_000]}).sample])
    assert sampled & set(fewer) <= still


SPARSE = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=100, max_size=130)


@settings(max_examples=10, deadline=None)
@given(SPARSE)
def test_whatever_the_customers_one_number_is_chosen_or_all_have_a_reason(pairs: list[tuple[int, int]]) -> None:
    customers = prepared_of(a=[float(a) for a, _ in pairs], b=[float(b) for _, b in pairs])
    trials = clustering.trials(customers)
    assert [trial.k for trial in trials] == list(CLUSTER_COUNTS)
    assert all(trial.reason for trial in trials)
    assert sum(trial.is_chosen for trial in trials) == any(trial.stability is not None for trial in trials)
    if customers.reason is None:
        nearest, _ = clustering.assigned(customers.points, clustering.centres(customers, chosen_k(trials)))
        assert len(set(nearest.tolist())) <= chosen_k(trials)


def trial(k: int, silhouette: float, stability: float = 0.9, smallest_share: float = 0.1) -> Trial:
    return Trial(k, silhouette, stability, 1.0, smallest_share, False, "")


def choice(*trials: Trial) -> tuple[int, str]:
    (best,) = [one for one in clustering.chosen(trials) if one.is_chosen]
    return best.k, best.reason


def test_the_best_silhouette_of_the_stable_numbers_is_chosen() -> None:
    told = clustering.chosen(
        [
            trial(2, 0.45),
            trial(3, 0.40),
            trial(4, 0.38),
            trial(5, 0.60, stability=0.79),
            trial(6, 0.60, smallest_share=0.009),
        ]
    )
    assert [(one.k, one.is_chosen, one.reason) for one in told] == [
        (2, False, "two halves that are not clearly apart (silhouette below 0.5)"),
        (3, True, "chosen: stable, with the best silhouette or one as good"),
        (4, False, "lower silhouette"),
        (5, False, "stability below 0.8"),
        (6, False, "smallest cluster below 1%"),
    ]


def test_of_silhouettes_as_good_the_greatest_number_up_to_six_is_chosen() -> None:
    told = clustering.chosen([trial(3, 0.300), trial(6, 0.292), trial(7, 0.291), trial(8, 0.2)])
    assert [one.reason for one in told] == [
        "as good, but fewer clusters",
        "chosen: stable, with the best silhouette or one as good",
        "as good, but more clusters than people can tell apart",
        "lower silhouette",
    ]
    assert choice(trial(7, 0.299), trial(8, 0.300))[0] == 7
    assert choice(trial(4, 0.295), trial(8, 0.300))[0] == 4


def test_two_clusters_are_chosen_where_they_are_clearly_apart() -> None:
    assert choice(trial(2, 0.6), trial(3, 0.4))[0] == 2


def test_a_weak_choice_says_so() -> None:
    assert choice(trial(3, 0.2))[1].endswith("their borders are blurred (silhouette below 0.25)")


def test_where_no_number_is_fit_the_most_stable_one_with_large_clusters_is_taken() -> None:
    k, reason = choice(trial(3, 0.5, 0.6), trial(4, 0.4, 0.7), trial(5, 0.4, 0.75, smallest_share=0.001))
    assert (k, reason) == (4, "chosen: most stable, though stability below 0.8")
    assert choice(trial(3, 0.5, 0.6, 0.001), trial(4, 0.4, 0.7, 0.001))[0] == 4


def plain_lloyd(points: Floats, centres: Floats) -> Floats:
    while True:
        labels = [min(range(len(centres)), key=lambda k: ((point - centres[k]) ** 2).sum()) for point in points]
        moved = np.stack([points[np.array(labels) == k].mean(axis=0) for k in range(len(centres))])
        if np.array_equal(moved, centres):
            return centres
        centres = moved


def test_a_plain_loop_from_the_centres_goes_nowhere() -> None:
    customers = points_of(known_groups(30)[0])
    centres = clustering.centres(customers, 4)
    assert np.allclose(plain_lloyd(customers.points, centres), centres, atol=1e-5)
