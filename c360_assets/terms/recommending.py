"""Recommending: what customers may buy again, what they may discover, and which way of telling is right most often.

Rows of every matrix are customers, columns are products, both sorted by their ids; nothing depends on the order of
rows, on a seed or on the number of threads. Scores are rounded, and products of one score come by their popularity,
then by their ids.

EASE is that of H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019; the cosine of products that
of B. Sarwar and others, "Item-based collaborative filtering recommendation algorithms", WWW 2001.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from c360_assets.terms.threads import one_thread

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

# From this share of scores above 0 on, to look at all of them is quicker than to sort those there are.
DENSE = 0.05
LENGTH = 10
POPULARITY = "popularity"
FREQUENCY = "personal frequency"
RHYTHM = "frequency and rhythm"
DEMAND = "frequency and demand"
COSINE = "item cosine"
EASE = "EASE"
# From the simplest to the most intricate; the first is what all others have to beat.
BUY_AGAIN = (POPULARITY, FREQUENCY, RHYTHM, DEMAND)
DISCOVER = (POPULARITY, COSINE, EASE)
# Steck's own for baskets of about this kind; on Online Retail anything from 200 to 500 does as well.
L2 = 500.0
# The matrix of EASE is dense: of 8,000 products it has 500 MB, of which four are held for a moment, and inverting it
# takes a minute.
MOST_FOR_EASE = 8_000
# The products most like one; more change nothing and would not fit into memory.
NEIGHBOURS = 200
# Orders of one product that make a rhythm, and intervals of it without an order after which it counts for less.
RHYTHM_ORDERS, LATE = 3, 2.0
# As many customers are added to those of a product as if none had come back, so that one buyer's habit is no rate.
CAUTION = 5
DECIMALS = 6
SCALE = 10**DECIMALS
# Cells of a batch: 64 MB per matrix, and four are held at once.
CELLS = 8_000_000


@dataclass(frozen=True)
class Purchases:
    """Who bought what by some moment: of each customer and product bought, row by row, sorted by both numbers.

    `orders` counts the orders of the product, `silence` the days since the last of them, `span` those from the first to
    the last; both NaN where they have no date. `recent` counts by product the customers of the last 30 days. `liked`
    names, for products nobody has bought, those bought that are of the same brand and category, else of the category.
    """

    customer_count: int
    product_count: int
    customers: Integers
    products: Integers
    orders: Floats
    silence: Floats
    span: Floats
    recent: Floats
    liked: Mapping[int, Integers] = field(default_factory=dict)

    @cached_property
    def frequencies(self) -> Any:
        """Orders, as a sparse matrix of customers and products."""
        return self.matrix(self.orders)

    @cached_property
    def bought(self) -> Any:
        """1 where the customer bought the product."""
        return self.matrix(np.ones(len(self.orders)))

    @cached_property
    def popularity(self) -> Floats:
        """Customers by product."""
        return np.bincount(self.products, minlength=self.product_count).astype(np.float64)

    @cached_property
    def place(self) -> Integers:
        """The place of each product by popularity, from 0; the id settles ties."""
        place = np.empty(self.product_count, dtype=np.int64)
        place[np.argsort(-self.popularity, kind="stable")] = np.arange(self.product_count)
        return place

    def matrix(self, values: Floats) -> Any:
        """Values of each row as a sparse matrix."""
        from scipy.sparse import csr_array

        starts = np.searchsorted(self.customers, np.arange(self.customer_count + 1))
        shape = (self.customer_count, self.product_count)
        return csr_array((values, self.products.astype(np.int32), starts.astype(np.int32)), shape=shape)


@dataclass(frozen=True)
class Ranking:
    """The products of each customer, the best first; -1 where there are no more. `scores` go with them."""

    products: Integers
    scores: Floats


def buy_again(purchases: Purchases, candidate: str) -> Any:
    """The score of each product that a customer has bought, as a sparse matrix; higher than 0."""
    if candidate == POPULARITY:
        return purchases.matrix(purchases.popularity[purchases.products] / max(purchases.popularity.max(initial=0), 1))
    if candidate == RHYTHM:
        return purchases.matrix(purchases.orders * _rhythm(purchases))
    if candidate == DEMAND:
        return purchases.matrix(purchases.orders + _demand(purchases)[purchases.products])
    return purchases.frequencies


def _rhythm(purchases: Purchases) -> Floats:
    """1 where an order of the product may still come by the customer's own rhythm, less the longer it is overdue."""
    has_rhythm = (purchases.orders >= RHYTHM_ORDERS) & (purchases.span > 0)
    interval = np.where(has_rhythm, purchases.span / np.maximum(purchases.orders - 1, 1), np.inf)
    overdue = np.where(has_rhythm, purchases.silence / interval, 0.0)
    weights: Floats = np.divide(LATE, np.maximum(overdue, LATE))
    return weights


def _demand(purchases: Purchases) -> Floats:
    """By product: the share of its customers who came back for it, and how many bought it lately, 1 at the most."""
    again = np.bincount(purchases.products[purchases.orders > 1], minlength=purchases.product_count)
    repeated = again / (purchases.popularity + CAUTION)
    demand: Floats = repeated + purchases.recent / (purchases.recent.max(initial=0) + 1)
    return demand


def likeness(purchases: Purchases, candidate: str) -> Any:
    """How much having bought the product of a row speaks for that of a column: a matrix, None for popularity.

    Products that nobody bought are as likely as those they are like, on average. Of more products than EASE can be had
    of, the cosine takes its place.
    """
    if candidate == POPULARITY:
        return None
    # What did best on a catalogue of the past may be too much for that of today.
    is_dense = candidate == EASE and purchases.product_count <= MOST_FOR_EASE
    with one_thread():
        learned = _ease(purchases.bought) if is_dense else _cosine(purchases.bought)
    return _with_unbought(learned, purchases.liked)


def _ease(bought: Any) -> Floats:
    """B of Steck's closed form: -P_ij / P_jj with P the inverse of X'X + L2, and 0 on the diagonal."""
    from scipy.linalg import lapack

    if not bought.shape[1]:
        return np.empty((0, 0))
    gram = (bought.T @ bought).toarray(order="F")
    gram[np.diag_indices_from(gram)] += L2
    factor, _ = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    # Only its lower half is the inverse.
    weights: Floats = np.tril(inverse, -1)
    diagonal = np.diag(inverse).copy()
    weights += weights.T
    weights /= -diagonal
    return weights.round(DECIMALS + 2)


def _cosine(bought: Any) -> Any:
    """The cosine of each product with the 200 most like it, as a sparse matrix without the diagonal."""
    from scipy.sparse import csr_array, vstack

    lengths = np.sqrt(np.maximum(np.asarray(bought.sum(axis=0)).ravel(), 1))
    unit = csr_array(bought.multiply(1 / lengths)).tocsc()
    by_product = unit.T.tocsr()
    step = max(1, CELLS // max(unit.shape[1], 1))
    parts = [
        _nearest(csr_array(by_product[start : start + step] @ unit), start) for start in range(0, unit.shape[1], step)
    ]
    # Found by row; what speaks for a product are those most like it, so they are its column.
    return csr_array(vstack(parts).T) if parts else csr_array(unit.T @ unit)


def _nearest(rows: Any, start: int) -> Any:
    """Rows with their greatest values alone, the first products among equals, and 0 on the diagonal."""
    shut = np.zeros(rows.shape, dtype=np.bool_)
    own = np.arange(rows.shape[0])
    shut[own, start + own] = True
    return _greatest(rows, shut)


def _greatest(rows: Any, shut: Booleans) -> Any:
    """The greatest values of each row, as a sparse matrix."""
    from scipy.sparse import csr_array

    best = _best(rows, np.arange(rows.shape[1]), NEIGHBOURS, shut)
    of_row, place = np.nonzero(best.products >= 0)
    return csr_array((best.scores[of_row, place], (of_row, best.products[of_row, place])), shape=rows.shape)


def _with_unbought(learned: Any, liked: Mapping[int, Integers]) -> Any:
    """The matrix with a column for each product nobody bought: the mean of those of the products it is like."""
    from scipy.sparse import csr_array, issparse

    if not liked:
        return learned
    counts = [len(like) for like in liked.values()]
    rows = np.repeat([*liked], counts)
    columns = np.concatenate([*liked.values()])
    shares = csr_array((np.repeat(1 / np.array(counts), counts), (rows, columns)), shape=learned.shape)
    if not issparse(learned):
        return learned + learned @ shares.T
    # Of as many products as any other has; means of many would fill the matrix.
    by_product, places = csr_array(learned.T), np.array(sorted(liked))
    step = max(1, CELLS // learned.shape[1])
    parts = [places[start : start + step] for start in range(0, len(places), step)]
    nothing = np.zeros((step, learned.shape[1]), dtype=np.bool_)
    nearest = [_greatest(csr_array(shares[part] @ by_product), nothing[: len(part)]) for part in parts]
    return csr_array(learned + _placed(nearest, places, learned.shape).T)


def _placed(parts: Sequence[Any], places: Integers, shape: tuple[int, int]) -> Any:
    """Rows of several sparse matrices, put at these places of a larger one."""
    from scipy.sparse import coo_array, csr_array, vstack

    rows = coo_array(vstack(parts))
    return csr_array((rows.data, (places[rows.row], rows.col)), shape=shape)


def batches(customers: Integers, product_count: int) -> Iterator[Integers]:
    """Customers by so many as fit into memory."""
    step = max(1, CELLS // max(product_count, 1))
    for start in range(0, len(customers), step):
        yield customers[start : start + step]


def again_ranked(purchases: Purchases, scores: Any, part: Integers, allowed: Booleans, length: int = LENGTH) -> Ranking:
    """The best of the products each customer has bought."""
    shut = np.broadcast_to(~allowed, (len(part), len(allowed)))
    return _best(scores[part], purchases.place, length, shut)


def discoveries(
    purchases: Purchases, likeness: Any, part: Integers, allowed: Booleans, length: int = LENGTH
) -> Ranking:
    """The best of the products each customer has not bought; popular ones after those that something speaks for.

    Products that nobody bought are among them only where those they are like speak for them.
    """
    own = purchases.bought[part]
    popular = _popular(purchases, own, allowed, 2 * length if likeness is not None else length)
    if likeness is None:
        return Ranking(popular, np.zeros(popular.shape))
    shut = np.repeat(~allowed[None, :], len(part), axis=0)
    shut[_rows_of(own), own.indices] = True
    best = _best(own @ likeness, purchases.place, length, shut)
    is_listed = (popular[:, :, None] == best.products[:, None, :]).any(axis=2)
    products = joined(best, Ranking(np.where(is_listed, -1, popular), np.zeros(popular.shape)), length)
    # What is popular and no more has a score of 0.
    return Ranking(products, np.where(products == best.products, best.scores, 0.0))


def _rows_of(matrix: Any) -> Integers:
    """The row of each value of a sparse matrix."""
    rows: Integers = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return rows


def _popular(purchases: Purchases, own: Any, allowed: Booleans, length: int) -> Integers:
    """The products most customers have bought, without those that the customer of the row has; -1 where no more."""
    order = np.argsort(purchases.place)
    order = order[allowed[order] & (purchases.popularity[order] > 0)]
    head = order[: length + int(np.diff(own.indptr).max(initial=0))]
    column = np.full(purchases.product_count, -1)
    column[head] = np.arange(len(head))
    is_own = np.zeros((own.shape[0], len(head)), dtype=np.bool_)
    in_head = column[own.indices] >= 0
    is_own[_rows_of(own)[in_head], column[own.indices[in_head]]] = True
    first = np.argsort(is_own, axis=1, kind="stable")[:, :length]
    found = np.full((own.shape[0], length), -1, dtype=np.int64)
    found[:, : first.shape[1]] = np.where(np.take_along_axis(is_own, first, axis=1), -1, head[first])
    return found


def _best(scores: Any, place: Integers, length: int, shut: Booleans) -> Ranking:
    """The products of the greatest scores above 0 of each row, but for those `shut`; among equals by their place.

    Scores are a matrix, sparse or not.
    """
    if not isinstance(scores, np.ndarray) and scores.nnz > DENSE * np.prod(scores.shape):
        scores = scores.toarray()
    if isinstance(scores, np.ndarray):
        return _best_of_all(np.where(shut, 0, np.rint(scores * SCALE)).astype(np.int64), place, length)
    rows, whole = _rows_of(scores), np.rint(scores.data * SCALE).astype(np.int64)
    held = np.flatnonzero((whole > 0) & ~shut[rows, scores.indices])
    order = held[np.lexsort((place[scores.indices[held]], -whole[held], rows[held]))]
    at = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
    order, at = order[at < length], at[at < length]
    products, values = np.full((scores.shape[0], length), -1, dtype=np.int64), np.zeros((scores.shape[0], length))
    products[rows[order], at] = scores.indices[order]
    values[rows[order], at] = whole[order] / SCALE
    return Ranking(products, values)


def _best_of_all(whole: Integers, place: Integers, length: int) -> Ranking:
    """The same of whole numbers for every product."""
    count = whole.shape[1]
    taken = min(length, count)
    # The place in one number with the score, so that no tie is left to the order of a sort.
    keys = np.where(whole > 0, whole * count + (count - 1 - place), 0)
    best = np.argpartition(keys, count - taken, axis=1)[:, count - taken :] if taken else np.empty((len(keys), 0), int)
    best = np.take_along_axis(best, np.argsort(np.take_along_axis(keys, best, axis=1), axis=1)[:, ::-1], axis=1)
    held = np.take_along_axis(keys, best, axis=1)
    products, values = np.full((len(keys), length), -1, dtype=np.int64), np.zeros((len(keys), length))
    products[:, :taken] = np.where(held > 0, best, -1)
    values[:, :taken] = held // max(count, 1) / SCALE
    return Ranking(products, values)


def causes(purchases: Purchases, likeness: Any, part: Integers, ranking: Ranking) -> Integers:
    """Of each product recommended the one bought that speaks most for it; -1 where none does."""
    found = np.full(ranking.products.shape, -1, dtype=np.int64)
    own = purchases.bought[part]
    if likeness is None or not own.nnz:
        return found
    of_row = _rows_of(own)
    for rank in range(ranking.products.shape[1]):
        wanted = ranking.products[of_row, rank]
        speaks = np.where(wanted >= 0, _values_at(likeness, own.indices, np.maximum(wanted, 0)), 0.0)
        speaks = speaks.round(DECIMALS)
        order = np.lexsort((purchases.place[own.indices], -speaks, of_row))
        customers, firsts = np.unique(of_row[order], return_index=True)
        strongest = order[firsts]
        found[customers, rank] = np.where(speaks[strongest] > 0, own.indices[strongest], -1)
    return found


def _values_at(matrix: Any, rows: Integers, columns: Integers) -> Floats:
    """The value at each row and column."""
    # Of no places at all a sparse matrix gives a matrix.
    values: Floats = np.asarray(matrix[rows, columns]).ravel() if len(rows) else np.empty(0)
    return values


def joined(first: Ranking, second: Ranking, length: int = LENGTH) -> Integers:
    """The products of two rankings in one, those of the first before those of the second."""
    both = np.concatenate([first.products, second.products], axis=1)
    order = np.argsort(both < 0, axis=1, kind="stable")
    return np.take_along_axis(both, order, axis=1)[:, :length]


@dataclass(frozen=True)
class Judged:
    """How well rankings foretold what customers bought, customer by customer."""

    ndcg: Floats
    recall: Floats
    precision: Floats


def judged(products: Integers, wanted: Any) -> Judged:
    """NDCG, recall and average precision of rankings, -1 being no product.

    `wanted` is a sparse matrix, 1 where a customer bought a product; every row has one at least. Relevance is binary,
    and the best possible list is as long as the ranking at the most (K. Järvelin and J. Kekäläinen, "Cumulated
    gain-based evaluation of IR techniques", TOIS 2002).
    """
    count, length = products.shape
    rows = np.repeat(np.arange(count), length)
    sampled = _values_at(wanted, rows, np.maximum(products, 0).ravel()).reshape(count, length)
    hits = (sampled > 0) & (products >= 0)
    asked = np.diff(wanted.indptr)
    discounts = 1 / np.log2(np.arange(2, length + 2))
    reachable = np.minimum(asked, length)
    precision = hits.cumsum(axis=1) / np.arange(1, length + 1)
    return Judged(
        ndcg=(hits * discounts).sum(axis=1) / discounts.cumsum()[reachable - 1],
        recall=hits.sum(axis=1) / asked,
        precision=(hits * precision).sum(axis=1) / reachable,
    )
