"""Trials of recommendations: which way of telling would have told best what customers bought next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from c360_assets.terms.recommending import (
    BUY_AGAIN,
    DISCOVER,
    EASE,
    FREQUENCY,
    LENGTH,
    MOST_FOR_EASE,
    POPULARITY,
    Booleans,
    Integers,
    Judged,
    Purchases,
    Ranking,
    again_ranked,
    batches,
    buy_again,
    discoveries,
    joined,
    judged,
    likeness,
)

AGAIN_LIST, DISCOVER_LIST, JOINED_LIST = "buy again", "discover", "joined"
AGAIN_FIRST, DISCOVER_FIRST = "buy again first", "discover first"
JOINED = (POPULARITY, FREQUENCY, AGAIN_FIRST, DISCOVER_FIRST)
# Fewer customers cannot tell one way from another.
MIN_JUDGED = 30
Z = 1.959964
DECIMALS = 6
ASKED = {
    AGAIN_LIST: "bought a product again",
    DISCOVER_LIST: "bought a product that was new to them",
    JOINED_LIST: "bought before and in the time held out",
}


@dataclass(frozen=True)
class Trial:
    """One way of making a list: how well it foretold; all None where `reason` says why it was not judged."""

    list: str
    candidate: str
    ndcg: float | None
    recall: float | None
    mean_precision: float | None
    ndcg_gain: float | None
    ndcg_gain_low: float | None
    ndcg_gain_high: float | None
    customer_count: int
    is_chosen: bool
    reason: str


def trials(purchases: Purchases, wanted: Any, allowed: Booleans) -> list[Trial]:
    """Every way tried on purchases of the past, by list, one of each chosen.

    `wanted` holds what the same customers bought afterwards, a sparse matrix as that of the purchases; of both only
    products that are `allowed` count.
    """
    from scipy.sparse import csr_array, diags_array

    open_only = csr_array(wanted @ diags_array(allowed.astype(np.float64)))
    open_only.eliminate_zeros()
    buyers = np.unique(purchases.customers)
    who = buyers[np.diff(open_only.indptr)[buyers] > 0]
    rankings = _rankings(purchases, who, allowed)
    found: list[Trial] = []
    for name in (AGAIN_LIST, DISCOVER_LIST):
        found += _chosen(name, _all_judged(name, purchases, open_only, who, rankings[name]), _untried(name, purchases))
    rankings[JOINED_LIST] = _joined_rankings(
        purchases, rankings, {one.list: one.candidate for one in found if one.is_chosen}
    )
    return found + _chosen(JOINED_LIST, _all_judged(JOINED_LIST, purchases, open_only, who, rankings[JOINED_LIST]), {})


def _untried(name: str, purchases: Purchases) -> dict[str, str]:
    """Ways that cannot be tried, and why."""
    if name != DISCOVER_LIST or purchases.product_count <= MOST_FOR_EASE:
        return {}
    return {EASE: f"not tried: {purchases.product_count:,} products, more than {MOST_FOR_EASE:,}"}


Rankings = dict[str, dict[str, Ranking]]


def _rankings(purchases: Purchases, who: Integers, allowed: Booleans) -> Rankings:
    """The rankings of both lists by candidate, a row for each of the customers."""
    again = {
        one: _whole(
            [
                again_ranked(purchases, scores, part, allowed)
                for scores in [buy_again(purchases, one)]
                for part in batches(who, purchases.product_count)
            ]
        )
        for one in BUY_AGAIN
    }
    new = {
        one: _whole(
            [
                discoveries(purchases, alike, part, allowed)
                for alike in [likeness(purchases, one)]
                for part in batches(who, purchases.product_count)
            ]
        )
        for one in DISCOVER
        if one not in _untried(DISCOVER_LIST, purchases)
    }
    return {AGAIN_LIST: again, DISCOVER_LIST: new}


def _whole(parts: Sequence[Ranking]) -> Ranking:
    if not parts:
        return Ranking(np.empty((0, LENGTH), dtype=np.int64), np.empty((0, LENGTH)))
    return Ranking(np.concatenate([one.products for one in parts]), np.concatenate([one.scores for one in parts]))


def _joined_rankings(
    purchases: Purchases, rankings: Mapping[str, Mapping[str, Ranking]], chosen: Mapping[str, str]
) -> dict[str, Ranking]:
    """Both lists in one, as each way of joining would have it."""
    return {one: _ranking(joined_as(purchases, one, *_parts(rankings, chosen, one))) for one in JOINED}


def _parts(
    rankings: Mapping[str, Mapping[str, Ranking]], chosen: Mapping[str, str], way: str
) -> tuple[Ranking, Ranking]:
    again, new = lists_of(way, chosen)
    return rankings[AGAIN_LIST][again], rankings[DISCOVER_LIST][new]


def lists_of(way: str, chosen: Mapping[str, str]) -> tuple[str, str]:
    """How both lists are made for a way of joining them: by popularity, by frequency, or as was chosen for each."""
    if way in (POPULARITY, FREQUENCY):
        return way, POPULARITY
    return chosen[AGAIN_LIST], chosen[DISCOVER_LIST]


def joined_as(purchases: Purchases, way: str, again: Ranking, new: Ranking, length: int = 0) -> Integers:
    """The products of both lists in one, the first `length` of them; left out, as many as one list has."""
    length = length or again.products.shape[1]
    if way == POPULARITY:
        return _by_popularity(purchases, joined(again, new, 2 * again.products.shape[1]))[:, :length]
    return joined(new, again, length) if way == DISCOVER_FIRST else joined(again, new, length)


def _by_popularity(purchases: Purchases, products: Integers) -> Integers:
    place = np.where(products >= 0, np.append(purchases.place, 0)[products], np.iinfo(np.int64).max)
    return np.take_along_axis(products, np.argsort(place, axis=1, kind="stable"), axis=1)


def _ranking(products: Integers) -> Ranking:
    return Ranking(products, np.zeros(products.shape))


def _all_judged(
    name: str, purchases: Purchases, wanted: Any, who: Integers, rankings: Mapping[str, Ranking]
) -> dict[str, Judged]:
    """Each candidate by customer, of those who bought something that the list could have had."""
    asked = wanted[who]
    had = asked.multiply(purchases.bought[who]).tocsr()
    asked = {AGAIN_LIST: had, DISCOVER_LIST: asked - had, JOINED_LIST: asked}[name].tocsr()
    asked.eliminate_zeros()
    counts = np.diff(asked.indptr) > 0
    return {candidate: judged(ranking.products[counts], asked[counts]) for candidate, ranking in rankings.items()}


def _chosen(name: str, found: Mapping[str, Judged], untried: Mapping[str, str]) -> list[Trial]:
    """The trials of a list with the choice made."""
    count = len(found[POPULARITY].ndcg)
    if count < MIN_JUDGED:
        lacking = f"fewer than {MIN_JUDGED} customers who {ASKED[name]}: {count}"
        holder, words = POPULARITY, dict.fromkeys(found, f"not judged: {lacking}")
        words[holder] = f"chosen: nothing could be judged, {lacking}"
    else:
        holder, words = _contest(found)
    tried = [
        replace(_trial(name, one, found), is_chosen=one == holder, reason=words[one], customer_count=count)
        for one in found
    ]
    return tried + [_unjudged(name, one, reason) for one, reason in untried.items()]


def _contest(found: Mapping[str, Judged]) -> tuple[str, dict[str, str]]:
    """The way chosen, and what to say of each: one takes over where it is surely better than the one that holds.

    It has to be surely better than popularity, too. Surely: the 95 % interval of its mean gain in NDCG, customer by
    customer, lies above 0.
    """
    holder, words = POPULARITY, {POPULARITY: "the baseline"}
    for one in [one for one in found if one != POPULARITY]:
        # Gains over gains may be sure one by one, and not all in all.
        rival = min((holder, POPULARITY), key=lambda other: _gain(found[one], found[other])[1])
        gain, low, high = _gain(found[one], found[rival])
        told = f"better than {rival} ({gain:+.4f}, 95 % interval {low:+.4f} to {high:+.4f})"
        words[one] = told if low > 0 else f"not surely {told}"
        if low > 0:
            words[holder] += f"; {one} is better"
            holder = one
    words[holder] = f"chosen: {words[holder]}"
    return holder, words


def _gain(one: Judged, other: Judged) -> tuple[float, float, float]:
    """The mean gain in NDCG of the same customers with its 95 % interval (paired, normal)."""
    gains = one.ndcg - other.ndcg
    mean, half = float(gains.mean()), Z * float(gains.std(ddof=1)) / float(np.sqrt(len(gains)))
    return round(mean, DECIMALS), round(mean - half, DECIMALS), round(mean + half, DECIMALS)


def _trial(name: str, candidate: str, found: Mapping[str, Judged]) -> Trial:
    """The measures of a way, nothing said of it yet."""
    own = found[candidate]
    if len(own.ndcg) < MIN_JUDGED:
        return _unjudged(name, candidate, "")
    ndcg, recall, precision = (round(float(values.mean()), DECIMALS) for values in vars(own).values())
    is_baseline = candidate == POPULARITY
    mean, low, high = (None, None, None) if is_baseline else _gain(own, found[POPULARITY])
    return Trial(name, candidate, ndcg, recall, precision, mean, low, high, len(own.ndcg), False, "")


def _unjudged(name: str, candidate: str, reason: str) -> Trial:
    return Trial(name, candidate, None, None, None, None, None, None, 0, False, reason)
