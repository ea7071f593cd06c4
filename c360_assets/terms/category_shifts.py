"""Category shifts: of which product category a customer's next order will mostly be, from those of the orders so far.

An order counts as of the category on which most was spent in it. How likely the next one is of category c, after an
order of category f and `own` shares of a customer's n orders so far, is

    w own(c) + (1 - w) next(c | f),   w = n / (n + patience),

where next(c | f) are the moves seen from f, shrunk toward the shares of all orders as if `prior` more had been seen.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360_assets.terms.arrays import Floats
from c360_assets.terms.churn import LEAST_CUSTOMERS
from c360_assets.terms.judging import bounds, resamples
from c360_assets.terms.trials import DECIMALS, Bounded

Integers = npt.NDArray[np.int64]
Fitted = dict[str, Any]

SHARES, SAME = "overall shares", "same as before"
BASELINES = (SHARES, SAME)
MOVES, OWN, BLEND = "transition matrix", "own shares", "transitions and own shares"
MODELS = (MOVES, OWN, BLEND)
PRIORS, PATIENCES = (5.0, 20.0, 100.0), (1.0, 3.0, 10.0, 30.0)
# Of a shop with more categories the others count as one.
MOST, OTHERS = 500, "other categories"
LEAST_CATEGORIES = 2
DIGITS = 9
BATCH = 10_000
FOUND = ("customer_id", "category_from", "category_to", "category_probability")


def main_categories(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """One row per completed order of a known customer: when it was, and the category on which most was spent.

    Orders without date, and those of which the category of nothing is known, are left out; the alphabet settles ties.
    """
    sold = order_lines.filter(
        order_lines.line_kind == "sale", order_lines.customer_id.notnull(), order_lines.ordered_at.notnull()
    )
    named = sold.join(products.select("sku_id", category="product_category"), "sku_id").filter(
        ibis._.category.notnull()
    )
    spent = named.group_by("customer_id", "ordered_at", "order_id", "category").agg(
        spent=named.net_amount.sum().fill_null(0)
    )
    dearest_first = ibis.window(group_by="order_id", order_by=[spent.spent.desc(), spent.category])
    placed = spent.mutate(place=ibis.row_number().over(dearest_first))
    return placed.filter(placed.place == 0).select("customer_id", "ordered_at", "order_id", "category")


@dataclass(frozen=True)
class Paths:
    """Orders by customer and time: the number of the customer and of the category of each; `names` by number."""

    customer: Integers
    category: Integers
    at: npt.NDArray[np.datetime64]
    names: list[str]
    customer_ids: list[str]

    @classmethod
    def of(cls, rows: pa.Table, names: Sequence[str]) -> "Paths":
        """From rows of `main_categories`, ordered by customer, moment and order; `names` is by `names_of`."""
        number = {name: place for place, name in enumerate(names)}
        people = rows["customer_id"].combine_chunks().dictionary_encode()
        return cls(
            people.indices.to_numpy(zero_copy_only=False).astype(np.int64),
            np.array([number.get(name, len(names) - 1) for name in rows["category"].to_pylist()], dtype=np.int64),
            rows["ordered_at"].to_numpy().astype("datetime64[us]"),
            list(names),
            people.dictionary.to_pylist(),
        )

    def part(self, rows: npt.NDArray[np.bool_]) -> "Paths":
        """Some of the orders."""
        return Paths(self.customer[rows], self.category[rows], self.at[rows], self.names, self.customer_ids)

    @property
    def is_last(self) -> npt.NDArray[np.bool_]:
        """Of each order whether it is its customer's last."""
        return np.append(self.customer[1:] != self.customer[:-1], True)[: len(self.customer)]

    @property
    def moves(self) -> tuple[Integers, Integers]:
        """From which category to which the orders of each customer went, one after another."""
        follows = self.customer[1:] == self.customer[:-1]
        return self.category[:-1][follows], self.category[1:][follows]


@dataclass(frozen=True)
class Asked:
    """Customers after some orders: `own` counts these by category, `last` is of the last, `to` of the next."""

    own: Floats
    last: Integers
    to: Integers | None = None


def fitted(kind: str, known: Paths, prior: float = 0.0, patience: float = 0.0) -> Fitted:
    """The model of these orders as plain JSON."""
    origin, target = known.moves
    size = len(known.names)
    counts = np.bincount(origin * size + target, minlength=size * size).reshape(size, size)
    shares = np.bincount(known.category, minlength=size) + 1.0
    stayed = (np.trace(counts) + 1.0) / (counts.sum() + 2.0)
    return {
        "kind": kind,
        "names": known.names,
        "shares": (shares / shares.sum()).round(DIGITS).tolist(),
        "moves": [[int(f), int(t), int(counts[f, t])] for f, t in np.argwhere(counts)],
        "stayed": round(float(stayed), DIGITS),
        "prior": prior,
        "patience": patience,
    }


def said(model: Fitted, asked: Asked) -> Floats:
    """How likely the next order of each customer is of each category; rows sum to 1."""
    shares = np.array(model["shares"]) / np.sum(model["shares"])
    return _SAID[model["kind"]](model, shares, asked)


def _said_shares(model: Fitted, shares: Floats, asked: Asked) -> Floats:
    return np.tile(shares, (len(asked.last), 1))


def _said_same(model: Fitted, shares: Floats, asked: Asked) -> Floats:
    rows = np.arange(len(asked.last))
    others = np.tile(shares, (len(rows), 1))
    others[rows, asked.last] = 0.0
    left = others.sum(axis=1, keepdims=True)
    told: Floats = others / np.where(left > 0, left, 1.0) * (1 - model["stayed"])
    told[rows, asked.last] = 1 - told.sum(axis=1)
    return told


def _said_moves(model: Fitted, shares: Floats, asked: Asked) -> Floats:
    matrix = np.tile(shares * model["prior"], (len(shares), 1))
    for origin, target, count in model["moves"]:
        matrix[origin, target] += count
    told: Floats = (matrix / matrix.sum(axis=1, keepdims=True))[asked.last]
    return told


def _said_own(model: Fitted, shares: Floats, asked: Asked) -> Floats:
    return _with_own(model, _said_shares(model, shares, asked), asked)


def _said_blend(model: Fitted, shares: Floats, asked: Asked) -> Floats:
    return _with_own(model, _said_moves(model, shares, asked), asked)


def _with_own(model: Fitted, others: Floats, asked: Asked) -> Floats:
    """Own orders and what others do, as if the latter were so many orders as `patience` says."""
    told: Floats = (asked.own + model["patience"] * others) / (asked.own.sum(axis=1, keepdims=True) + model["patience"])
    return told


_SAID = {SHARES: _said_shares, SAME: _said_same, MOVES: _said_moves, OWN: _said_own, BLEND: _said_blend}


def asked_of(known: Paths, following: Paths | None = None) -> Iterator[tuple[Integers, Asked]]:
    """Customers with orders among those known, in portions, by number; with `following` only who has one there."""
    who = np.unique(known.customer)
    to = np.full(len(known.customer_ids), -1, dtype=np.int64)
    if following is not None:
        # The first of several is written last.
        to[following.customer[::-1]] = following.category[::-1]
        who = who[to[who] >= 0]
    last = np.full(len(known.customer_ids), -1, dtype=np.int64)
    last[known.customer] = known.category
    first, size = np.searchsorted(known.customer, np.arange(len(known.customer_ids) + 1)), len(known.names)
    for start in range(0, len(who), BATCH):
        part = who[start : start + BATCH]
        low, high = first[part[0]], first[part[-1] + 1]
        place = np.searchsorted(part, known.customer[low:high])
        is_asked = part[np.minimum(place, len(part) - 1)] == known.customer[low:high]
        cells = place[is_asked] * size + known.category[low:high][is_asked]
        own = np.bincount(cells, minlength=len(part) * size).reshape(len(part), size).astype(np.float64)
        yield part, Asked(own, last[part], to[part] if following is not None else None)


def surprise(model: Fitted, known: Paths, following: Paths) -> tuple[Floats, Floats]:
    """For each customer who ordered again: minus the logarithm of what was said of what came, and whether it was the
    likeliest (1 or 0)."""
    losses, hits = [np.empty(0)], [np.empty(0)]
    for _, asked in asked_of(known, following):
        told = said(model, asked)
        came = told[np.arange(len(told)), asked.to]
        losses.append(-np.log(np.maximum(came, 1e-12)))
        hits.append((told.argmax(axis=1) == asked.to).astype(np.float64))
    return np.concatenate(losses), np.concatenate(hits)


@dataclass(frozen=True)
class Trial:
    """A candidate: its mean surprise at each customer's last order before the cutoff, and what it said of those after.

    `surprise` and `hits` are of the first orders after the cutoff, a row for each customer; `fitted` knows all orders.
    """

    in_turn: float
    surprise: Floats
    hits: Floats
    fitted: Fitted


def lacking(rows: pa.Table, cutoff: datetime) -> str | None:
    """What there is too little of to learn or to judge from in rows of `main_categories`; None if there is enough."""
    categories = len(rows["category"].unique())
    if categories < LEAST_CATEGORIES:
        return f"{categories} product categories are known, needed are {LEAST_CATEGORIES}"
    known, following = _split(rows, names_of(rows), cutoff)
    again = len(np.unique(known.customer[~known.is_last]))
    if again < LEAST_CUSTOMERS:
        return f"of 90 days before as_of, {again} customers with two orders, needed are {LEAST_CUSTOMERS}"
    judged = len(np.intersect1d(known.customer, following.customer))
    if judged < LEAST_CUSTOMERS:
        return f"{judged} of them who ordered in the 90 days before as_of, needed are {LEAST_CUSTOMERS}"
    return None


def trials(rows: pa.Table, cutoff: datetime) -> dict[str, Trial]:
    """Every candidate by its name; prior and patience are those that fit best before the cutoff."""
    known, following = _split(rows, names_of(rows.filter(_until(rows, cutoff))), cutoff)
    before, held_out = known.part(~known.is_last), known.part(known.is_last)
    whole, found = Paths.of(rows, names_of(rows)), {}
    for kind in (*BASELINES, *MODELS):
        losses = {
            options: float(surprise(fitted(kind, before, *options), before, held_out)[0].mean())
            for options in _options(kind)
        }
        best = min(losses, key=losses.__getitem__)
        told = surprise(fitted(kind, known, *best), known, following)
        found[kind] = Trial(losses[best], *told, fitted(kind, whole, *best))
    return found


def chosen(found: Mapping[str, Trial]) -> tuple[dict[str, str], dict[str, Bounded]]:
    """Why each candidate is chosen or not, and by how much its surprise is below that of the best baseline.

    As of all models: the best before the cutoff is put to the test, and chosen if it is better for certain after it.
    """
    simplest = min(BASELINES, key=lambda name: found[name].surprise.mean())
    best = min(MODELS, key=lambda name: found[name].in_turn)
    gains = {
        name: mean_of(found[simplest].surprise - trial.surprise) for name, trial in found.items() if name != simplest
    }
    gain, low, high = gains[best]
    told = f"log loss {-gain:+.3f} ({-high:+.3f} to {-low:+.3f}) against {simplest} on the unseen"
    if low > 0:
        reasons = {best: f"chosen: best before the cutoff; {told}"}
    else:
        reasons = {
            best: f"best before the cutoff, but not for certain better than a baseline: {told}",
            simplest: f"chosen: no model is better for certain; {best} has {told}",
        }
    lower = f"{best} does better before the cutoff"
    return {name: "baseline" if name in BASELINES else lower for name in found} | reasons, gains


def mean_of(values: Floats) -> Bounded:
    """The mean of a figure of each customer with its bounds."""
    drawn = np.array([(weights * values).mean() for weights in resamples(len(values))])
    return float(values.mean()), *bounds(drawn)


def next_categories(model: Fitted, rows: pa.Table) -> dict[str, list[Any]]:
    """Of each customer of `main_categories`: the category of the last order, the likeliest of the next, and how likely
    that is."""
    paths = Paths.of(rows, model["names"])
    found: dict[str, list[Any]] = {name: [] for name in FOUND}
    for who, asked in asked_of(paths):
        # What is none of those named is never told.
        told = said(model, asked)[:, :-1]
        best = told.argmax(axis=1)
        columns = (
            [paths.customer_ids[one] for one in who],
            [paths.names[one] for one in asked.last],
            [paths.names[one] for one in best],
            told[np.arange(len(told)), best].round(DECIMALS).tolist(),
        )
        for name, column in zip(FOUND, columns, strict=True):
            found[name] += column
    return found


def names_of(rows: pa.Table) -> list[str]:
    """The categories most orders are of, by the alphabet, and one for all others."""
    counted = Counter(rows["category"].to_pylist())
    most = sorted(counted, key=lambda name: (-counted[name], name))
    return [*sorted(most[:MOST]), OTHERS]


def _until(rows: pa.Table, cutoff: datetime) -> pa.Array:
    return pc.less_equal(rows["ordered_at"], pa.scalar(cutoff, rows["ordered_at"].type))


def _split(rows: pa.Table, names: Sequence[str], cutoff: datetime) -> tuple[Paths, Paths]:
    """What was ordered by the cutoff, and what after it."""
    paths, is_known = Paths.of(rows, names), _until(rows, cutoff).to_numpy(zero_copy_only=False).astype(bool)
    return paths.part(is_known), paths.part(~is_known)


def _options(kind: str) -> list[tuple[float, float]]:
    priors = PRIORS if kind in (MOVES, BLEND) else (0.0,)
    patiences = PATIENCES if kind in (OWN, BLEND) else (0.0,)
    return [*product(priors, patiences)]
