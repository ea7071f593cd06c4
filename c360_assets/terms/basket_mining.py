"""Rules of market baskets: whoever buys these products in one order often buys that one, too.

Sets of products are grown one product at a time, level by level, from sets that are frequent themselves (R. Agrawal
and R. Srikant, "Fast algorithms for mining association rules", VLDB 1994); how often each product is in the baskets of
a set is counted in one pass over them, as in T. Uno, M. Kiyomi and H. Arimura, "LCM ver. 2", FIMI 2004. All counts and
comparisons are of whole numbers, so that nothing at a threshold depends on rounding.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Set = tuple[int, ...]
DECIMALS = 6
# p-values are small numbers: they keep digits, not decimals.
DIGITS = 6


@dataclass(frozen=True)
class Thresholds:
    """What a set of products or a rule needs to be kept; `most_items` counts the product at the right, too.

    `false_discoveries` is the share of the rules kept that may be chance. Where a level has more than `most_sets` sets,
    the rarest go, all that are as rare as one another, and longer sets need as many baskets as those that stay.
    """

    support: str
    confidence: str
    baskets: int = 1
    false_discoveries: float | None = None
    most_items: int | None = None
    most_sets: int | None = None

    def least(self, basket_count: int) -> int:
        """The baskets a set must be in, of so many."""
        return max(ceil(Fraction(self.support) * basket_count), self.baskets, 1)


@dataclass(frozen=True)
class Rule:
    """Products at the left and one at the right, by number, with the baskets that have the left, the right and both.

    `least` is what any set of this size had to reach.
    """

    left: Set
    right: int
    left_count: int
    right_count: int
    both_count: int
    least: int


def rules(
    baskets: Integers, products: Integers, basket_count: int, thresholds: Thresholds
) -> tuple[list[Rule], dict[int, int]]:
    """The rules in baskets, and how many could have been found by the number of their products.

    Row by row `products[n]` is in basket `baskets[n]`, once; both are numbers from 0. Of the `basket_count` baskets
    those without a row are empty. Rules come by their products. What could have been found is every frequent set with
    every other frequent product at its right.
    """
    levels = _levels(baskets, products, thresholds.least(basket_count), thresholds)
    counts = {found: count for level, _ in levels for found, count in level.items()}
    confidence = Fraction(thresholds.confidence)
    kept = [
        rule
        for level, least in levels[1:]
        for found in level
        for rule in _of(found, counts, least)
        if rule.both_count * confidence.denominator >= rule.left_count * confidence.numerator
    ]
    singles = len(levels[0][0]) if levels else 0
    possible = {size + 1: len(level) * (singles - size) for size, (level, _) in enumerate(levels, 1)}
    return sorted(kept, key=lambda rule: (rule.left, rule.right)), possible


def _of(found: Set, counts: Mapping[Set, int], least: int) -> Iterator[Rule]:
    """Each product of the set once at the right."""
    for place, right in enumerate(found):
        left = found[:place] + found[place + 1 :]
        yield Rule(left, right, counts[left], counts[(right,)], counts[found], least)


def _levels(
    baskets: Integers, products: Integers, least: int, thresholds: Thresholds
) -> list[tuple[dict[Set, int], int]]:
    """Frequent sets of 1, 2, 3 ... products with the baskets they are in, and what a set of the level had to reach."""
    from scipy.sparse import csr_array

    if not len(products):
        return []
    held = csr_array((np.ones(len(products), dtype=np.int8), (baskets, products)))
    numbers = np.bincount(products)
    singles: dict[Set, int] = {(int(product),): int(numbers[product]) for product in np.flatnonzero(numbers >= least)}
    by_product = held.tocsc()
    inside: dict[Set, Integers] = {
        one: by_product.indices[slice(*by_product.indptr[one[0] : one[0] + 2])] for one in singles
    }
    levels = [(singles, least)]
    while inside and (thresholds.most_items is None or len(levels) < thresholds.most_items):
        least = _raised(held, inside, least, thresholds.most_sets)
        inside = {found: rows for one, rows in inside.items() for found, rows in _extended(held, one, rows, least)}
        if inside:
            levels.append(({found: len(rows) for found, rows in inside.items()}, least))
    return levels


def _extended(held: Any, one: Set, rows: Integers, least: int) -> Iterator[tuple[Set, Integers]]:
    """The set with each later product that is in enough of its baskets, and those baskets."""
    part = held[rows]
    later = one[-1] + 1
    candidates = later + np.flatnonzero(np.bincount(part.indices)[later:] >= least)
    if not len(candidates):
        return
    of_row = np.repeat(rows, np.diff(part.indptr))
    for product in candidates:
        yield (*one, int(product)), of_row[part.indices == product]


def _raised(held: Any, inside: Mapping[Set, Integers], least: int, most: int | None) -> int:
    """What leaves at most so many longer sets; counted before any is kept, for they may be millions."""
    if most is None:
        return least
    by_count = np.zeros(held.shape[0] + 1, dtype=np.int64)
    for one, rows in inside.items():
        counts = np.bincount(held[rows].indices)[one[-1] + 1 :]
        numbers = np.bincount(counts)
        by_count[: len(numbers)] += numbers
    at_least = by_count[::-1].cumsum()[::-1]
    return max(least, int(np.argmax(at_least <= most)) if at_least[-1] <= most else len(by_count))


def measures(found: Sequence[Rule], possible: Mapping[int, int], basket_count: int) -> dict[str, list[float | None]]:
    """What rules say, by measure; conviction is None where no basket speaks against the rule.

    `p_value` is that of Fisher's exact test against products that have nothing to do with each other, one-sided;
    `q_value` controls the false discovery rate (Y. Benjamini and Y. Hochberg, 1995) over all rules that could have been
    found, as G. I. Webb asks for ("Discovering significant patterns", Machine Learning 68, 2007).
    """
    from scipy.stats import hypergeom

    left, right, both = (
        np.array([getattr(rule, name) for rule in found], dtype=np.int64)
        for name in ("left_count", "right_count", "both_count")
    )
    n = max(basket_count, 1)
    confidence, share = both / np.maximum(left, 1), right / n
    against = 1 - confidence
    p_values = np.clip(hypergeom.sf(both - 1, n, right, left), 0, 1) if found else np.empty(0)
    return {
        "support": _rounded(both / n),
        "confidence": _rounded(confidence),
        "lift": _rounded(both * n / np.maximum(left * right, 1)),
        "leverage": _rounded(both / n - left / n * share),
        "conviction": [
            round(float((1 - part) / rest), DECIMALS) if rest > 0 else None
            for part, rest in zip(share, against, strict=True)
        ],
        "p_value": [float(f"{value:.{DIGITS - 1}e}") for value in p_values],
        "q_value": [float(f"{value:.{DIGITS - 1}e}") for value in _q_values(p_values, sum(possible.values()))],
    }


def _q_values(p_values: Floats, tested: int) -> Floats:
    """The least rate of false discoveries at which each is one; those tested and not here are taken as no discovery."""
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * tested / np.arange(1, len(order) + 1)
    q_values = np.empty(len(order))
    q_values[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q_values


def _rounded(values: Floats) -> list[float | None]:
    return [float(value) for value in values.round(DECIMALS)]
