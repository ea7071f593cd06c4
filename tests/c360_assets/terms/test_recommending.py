"""Recommending: each score by a plain loop or an open formula, and lists that no chance has a part in."""

import math
import random
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse
from threadpoolctl import threadpool_limits

from c360_assets.terms import recommending
from c360_assets.terms.recommending import (
    COSINE,
    DEMAND,
    EASE,
    FREQUENCY,
    L2,
    POPULARITY,
    RHYTHM,
    Purchases,
    again_ranked,
    batches,
    buy_again,
    causes,
    discoveries,
    joined,
    judged,
    likeness,
)

Row = tuple[int, int, int, float, float]


def bought(*rows: Row, customers: int, products: int, liked: dict[int, Any] | None = None) -> Purchases:
    """Rows of customer, product, orders, days since the last, days from first to last."""
    whose, what, orders, silence, span = (np.array(column) for column in zip(*sorted(rows), strict=True))
    recent = np.bincount(what[silence <= 30], minlength=products).astype(float)
    counted = orders.astype(float), silence.astype(float), span.astype(float)
    return Purchases(customers, products, whose, what, *counted, recent, liked or {})


def crowd(seed: int, customers: int = 40, products: int = 12) -> Purchases:
    rng = random.Random(seed)
    rows = [
        (who, what, rng.randint(1, 4), rng.randint(0, 90), rng.randint(0, 200))
        for who in range(customers)
        for what in sorted(rng.sample(range(products), rng.randint(1, 6)))
    ]
    return bought(*rows, customers=customers, products=products)


def dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if issparse(matrix) else np.asarray(matrix)


def everyone(purchases: Purchases) -> np.ndarray:
    return np.arange(purchases.customer_count)


def all_of(purchases: Purchases) -> np.ndarray:
    return np.ones(purchases.product_count, dtype=bool)


def test_ease_is_the_closed_form_of_steck() -> None:
    purchases = crowd(1)
    held = purchases.bought.toarray()
    inverse = np.linalg.inv(held.T @ held + L2 * np.eye(12))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0)
    assert np.allclose(likeness(purchases, EASE), expected, atol=1e-8)


def test_ease_is_what_no_change_of_a_weight_improves() -> None:
    """The gradient of Steck's loss is 0 off the diagonal."""
    purchases = crowd(2)
    held, weights = purchases.bought.toarray(), likeness(purchases, EASE)
    gradient = held.T @ (held @ weights - held) + L2 * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4


def test_threads_change_nothing() -> None:
    purchases = crowd(2, 400, 150)
    with threadpool_limits(1):
        alone = [dense(likeness(purchases, one)).tobytes() for one in (EASE, COSINE)]
    with threadpool_limits(2):
        assert [dense(likeness(purchases, one)).tobytes() for one in (EASE, COSINE)] == alone


def test_cosine_is_that_of_a_plain_loop() -> None:
    purchases = crowd(3)
    held, found = purchases.bought.toarray(), dense(likeness(purchases, COSINE))
    for one in range(12):
        for other in range(12):
            both = float((held[:, one] * held[:, other]).sum())
            length = math.sqrt(held[:, one].sum() * held[:, other].sum())
            assert found[one, other] == pytest.approx(0 if one == other else both / length, abs=1e-6)


def test_of_neighbours_the_nearest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    purchases = crowd(3)
    every = dense(likeness(purchases, COSINE))
    monkeypatch.setattr(recommending, "NEIGHBOURS", 3)
    monkeypatch.setattr(recommending, "CELLS", 24)
    few = dense(likeness(purchases, COSINE))
    assert ((few > 0).sum(axis=0) == 3).all()
    assert np.allclose(few.max(axis=0), every.max(axis=0))
    assert (few[few > 0] == every[few > 0]).all()


def test_rhythm_lowers_what_is_long_overdue_and_nothing_else() -> None:
    rows = [(0, 0, 3, 20, 40), (0, 1, 3, 80, 40), (0, 2, 1, 300, 0), (0, 3, 3, 100, 0)]
    scores = buy_again(bought(*rows, customers=1, products=4), RHYTHM)
    assert scores.toarray().tolist() == [[3, 1.5, 1, 3]]


def test_demand_adds_who_came_back_and_who_came_lately() -> None:
    rows = [(0, 0, 2, 10, 5), (1, 0, 1, 10, 0), (0, 1, 2, 90, 5), (1, 1, 1, 90, 0)]
    scores = buy_again(bought(*rows, customers=2, products=2), DEMAND).toarray()
    assert scores == pytest.approx(np.array([[2 + 1 / 7 + 2 / 3, 2 + 1 / 7], [1 + 1 / 7 + 2 / 3, 1 + 1 / 7]]))


def test_lists_are_the_best_first_and_end_where_there_is_no_more() -> None:
    purchases = bought((0, 1, 1, 5, 0), (0, 2, 3, 5, 9), (1, 0, 1, 5, 0), (1, 1, 1, 5, 0), customers=3, products=4)
    scores = buy_again(purchases, FREQUENCY)
    again = again_ranked(purchases, scores, everyone(purchases), all_of(purchases), 3)
    assert again.products.tolist() == [[2, 1, -1], [1, 0, -1], [-1, -1, -1]]
    assert again.scores.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    new = discoveries(purchases, None, everyone(purchases), all_of(purchases), 3)
    assert new.products.tolist() == [[0, -1, -1], [2, -1, -1], [1, 0, 2]]


def test_what_is_left_out_is_in_no_list() -> None:
    purchases = crowd(4)
    allowed = all_of(purchases)
    allowed[[2, 5]] = False
    scores = buy_again(purchases, DEMAND)
    lists = [again_ranked(purchases, scores, everyone(purchases), allowed)]
    lists += [discoveries(purchases, likeness(purchases, one), everyone(purchases), allowed) for one in (EASE, COSINE)]
    assert not any(np.isin(ranking.products, [2, 5]).any() for ranking in lists)


@pytest.mark.parametrize("candidate", [POPULARITY, COSINE, EASE])
def test_lists_are_those_of_a_plain_loop(candidate: str) -> None:
    purchases = crowd(5)
    alike = likeness(purchases, candidate)
    held = purchases.bought.toarray()
    scores = np.zeros(held.shape) if alike is None else held @ dense(alike)
    found = discoveries(purchases, alike, everyone(purchases), all_of(purchases), 5).products
    for who in range(purchases.customer_count):
        new = [one for one in range(12) if not held[who, one]]
        best = sorted(new, key=lambda one: (-round(scores[who, one], 6), -purchases.popularity[one], one))[:5]
        assert found[who].tolist() == best


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    purchases = crowd(6)
    alike = likeness(purchases, EASE)
    whole = discoveries(purchases, alike, everyone(purchases), all_of(purchases))
    monkeypatch.setattr(recommending, "CELLS", 36)
    parts = list(batches(everyone(purchases), purchases.product_count))
    assert [len(part) for part in parts] == [3] * 13 + [1]
    found = np.concatenate([discoveries(purchases, alike, part, all_of(purchases)).products for part in parts])
    assert (found == whole.products).all()


def test_the_cause_is_what_was_bought_and_speaks_most() -> None:
    purchases = crowd(7)
    alike = likeness(purchases, EASE)
    found = discoveries(purchases, alike, everyone(purchases), all_of(purchases))
    because, held = causes(purchases, alike, everyone(purchases), found), purchases.bought.toarray()
    for who in range(purchases.customer_count):
        for product, cause in zip(found.products[who], because[who], strict=True):
            own = np.flatnonzero(held[who])
            strongest = max(own, key=lambda one: round(alike[one, product], 6))
            is_grounded = product >= 0 and round(alike[strongest, product], 6) > 0
            assert (cause >= 0) == is_grounded
            if is_grounded:
                assert round(alike[cause, product], 6) == round(alike[strongest, product], 6)


def test_a_product_nobody_bought_is_as_likely_as_those_it_is_like() -> None:
    rows = [(0, 0, 1, 5, 0), (0, 1, 1, 5, 0), (1, 0, 1, 5, 0), (1, 2, 1, 5, 0), (2, 0, 1, 5, 0)]
    purchases = bought(*rows, customers=3, products=4, liked={3: np.array([1, 2])})
    for candidate in (EASE, COSINE):
        alike = dense(likeness(purchases, candidate))
        assert alike[:, 3] == pytest.approx((alike[:, 1] + alike[:, 2]) / 2)
        new = discoveries(purchases, alike, np.array([2]), all_of(purchases), 4).products
        assert set(new[0].tolist()) == {1, 2, 3, -1}
    assert 3 not in discoveries(purchases, None, everyone(purchases), all_of(purchases)).products


def test_two_lists_are_one_after_the_other() -> None:
    first, second = (
        recommending.Ranking(np.array(rows), np.zeros((2, 2))) for rows in ([[1, -1], [2, 3]], [[4, 5], [6, -1]])
    )
    assert joined(first, second, 3).tolist() == [[1, 4, 5], [2, 3, 6]]


def test_measures_of_lists_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(8)
    lists = np.array([rng.permutation(20)[:10] for _ in range(30)])
    lists[:5, 7:] = -1
    wanted = rng.random((30, 20)) < 0.3
    wanted[:, 0] = True
    found = judged(lists, csr_array(wanted.astype(float)))
    for row in range(30):
        expected = _measured(lists[row].tolist(), set(np.flatnonzero(wanted[row]).tolist()))
        assert (found.ndcg[row], found.recall[row], found.precision[row]) == pytest.approx(expected)


def _measured(ranked: Sequence[int], wanted: set[int]) -> tuple[float, float, float]:
    gained, hits, precision = 0.0, 0, 0.0
    for place, product in enumerate(ranked, 1):
        if product in wanted:
            hits += 1
            gained += 1 / math.log2(place + 1)
            precision += hits / place
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(wanted), 10) + 1))
    return gained / best, hits / len(wanted), precision / min(len(wanted), 10)


def test_a_catalogue_of_25_000_products_fits_into_memory() -> None:
    rng = np.random.default_rng(9)
    cells = np.unique(rng.integers(0, 2_000, 40_000) * 25_000 + (rng.pareto(1.2, 40_000) * 20).astype(int) % 25_000)
    ones = np.ones(len(cells))
    purchases = Purchases(2_000, 25_000, cells // 25_000, cells % 25_000, ones, ones, ones, np.zeros(25_000))
    some = np.arange(200)
    tracemalloc.start()
    found = discoveries(purchases, likeness(purchases, COSINE), some, all_of(purchases))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.products >= 0).all()
    assert peak < 400e6


def test_a_catalogue_most_of_which_was_never_bought_fits_into_memory() -> None:
    rng = np.random.default_rng(9)
    count, sold = 20_000, 9_000
    cells = np.unique(rng.integers(0, 500, 20_000) * count + rng.integers(0, sold, 20_000))
    liked = {cold: rng.integers(0, sold, 20) for cold in range(sold, count)}
    ones = np.ones(len(cells))
    purchases = Purchases(500, count, cells // count, cells % count, ones, ones, ones, np.zeros(count), liked)
    tracemalloc.start()
    # More products than EASE can be had of: the cosine takes its place.
    alike = likeness(purchases, EASE)
    discoveries(purchases, alike, np.arange(100), all_of(purchases))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e9
    cold = alike.tocsc()[:, sold:]
    assert 0 < np.diff(cold.indptr).max() <= recommending.NEIGHBOURS


@pytest.mark.parametrize(("customers", "products"), [(1, 1), (1, 3), (3, 1)])
def test_the_smallest_shops_have_lists(customers: int, products: int) -> None:
    purchases = bought(*[(who, 0, 1, 5, 0) for who in range(customers)], customers=customers, products=products)
    for candidate in (POPULARITY, COSINE, EASE):
        alike = likeness(purchases, candidate)
        found = discoveries(purchases, alike, everyone(purchases), all_of(purchases))
        assert (found.products == -1).all()
        assert (causes(purchases, alike, everyone(purchases), found) == -1).all()
        assert np.isfinite(0.0 if alike is None else dense(alike)).all()
