"""Category shifts: tastes and moves that were planted are found, and chance is called chance."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pytest

from c360_assets.terms import category_shifts
from c360_assets.terms.category_shifts import (
    BLEND,
    MODELS,
    MOVES,
    OTHERS,
    OWN,
    SAME,
    SHARES,
    Asked,
    Paths,
    chosen,
    fitted,
    lacking,
    main_categories,
    names_of,
    next_categories,
    said,
    trials,
)
from tests.c360_assets.doers import goods, line
from tests.c360_assets.leavers import NOW
from tests.tables import computed, rows, table

CUTOFF = NOW - timedelta(days=90)
NAMES = ("Bikes", "Coffee", "Tea", "Wine")
Choice = Callable[[np.random.Generator, int, list[str]], str]


def bought(count: int, choice: Choice, orders: int = 6, seed: int = 0) -> pa.Table:
    """Orders of each customer, the last of them after the cutoff, each of the category that `choice` gives."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        so_far: list[str] = []
        for place in range(orders):
            so_far.append(choice(rng, number, so_far))
            at = NOW - timedelta(days=10 + 100 * (orders - 1 - place))
            found.append({"customer_id": f"c{number:04}", "ordered_at": at, "order_id": place, "category": so_far[-1]})
    return pa.Table.from_pylist(found).cast(SCHEMA) if found else SCHEMA.empty_table()


SCHEMA = pa.schema(
    {"customer_id": pa.string(), "ordered_at": pa.timestamp("us"), "order_id": pa.int64(), "category": pa.string()}
)


def faithful(rng: np.random.Generator, number: int, so_far: list[str]) -> str:
    """Each customer has a category of his own."""
    return NAMES[number % 4] if rng.random() < 0.6 else str(rng.choice(NAMES))


def onward(rng: np.random.Generator, number: int, so_far: list[str]) -> str:
    """After each category comes the next."""
    if not so_far or rng.random() < 0.1:
        return str(rng.choice(NAMES))
    return NAMES[(NAMES.index(so_far[-1]) + 1) % 4]


def by_chance(rng: np.random.Generator, number: int, so_far: list[str]) -> str:
    return str(rng.choice(NAMES, p=(0.4, 0.3, 0.2, 0.1)))


@pytest.mark.parametrize(
    ("choice", "best"), [(faithful, {OWN, BLEND}), (onward, {MOVES, BLEND}), (by_chance, {SHARES})]
)
def test_what_was_planted_is_chosen(choice: Choice, best: set[str]) -> None:
    found = trials(bought(300, choice), CUTOFF)
    reasons, gains = chosen(found)
    (name,) = [name for name, reason in reasons.items() if reason.startswith("chosen")]
    assert name in best
    if name in MODELS:
        assert gains[name][1] > 0
        assert found[name].hits.mean() > max(found[simple].hits.mean() for simple in (SHARES, SAME)) - 0.01


def test_what_is_said_of_a_move_is_near_the_truth() -> None:
    found = trials(bought(300, onward), CUTOFF)[MOVES]
    told = said(found.fitted, Asked(np.array([[1.0, 0, 0, 0, 0]]), np.array([0])))
    assert told[0, 1] == pytest.approx(0.925, abs=0.03)
    assert found.hits.mean() == pytest.approx(0.925, abs=0.05)


@pytest.mark.parametrize("kind", [SHARES, SAME, MOVES, OWN, BLEND])
def test_probabilities_are_those_of_a_plain_loop(kind: str) -> None:
    held = bought(30, faithful)
    names = names_of(held)
    model = fitted(kind, Paths.of(held, names), 5.0, 3.0)
    own, last = np.array([[2.0, 1.0, 0, 0, 0], [0, 0, 0, 4.0, 0]]), np.array([1, 3])
    told = said(model, Asked(own, last))
    assert told.sum(axis=1) == pytest.approx(np.ones(2))
    every = held["category"].to_pylist()
    shares = [(every.count(name) + 1) / (len(every) + 5) for name in names]
    paths: dict[str, list[str]] = {}
    for row in held.to_pylist():
        paths.setdefault(row["customer_id"], []).append(row["category"])
    moves = [pair for path in paths.values() for pair in pairwise(path)]
    stayed = (sum(a == b for a, b in moves) + 1) / (len(moves) + 2)
    for row, origin in enumerate(last):
        gone = [b for a, b in moves if a == names[origin]]
        for place, name in enumerate(names):
            moved = (gone.count(name) + 5 * shares[place]) / (len(gone) + 5)
            same = stayed if place == origin else (1 - stayed) * shares[place] / (1 - shares[origin])
            base = {SHARES: shares[place], SAME: same, MOVES: moved, OWN: shares[place], BLEND: moved}[kind]
            if kind in (OWN, BLEND):
                base = (own[row, place] + 3 * base) / (own[row].sum() + 3)
            assert told[row, place] == pytest.approx(base, abs=1e-7)


def test_orders_after_the_cutoff_train_nothing_that_is_judged() -> None:
    held = bought(210, onward)
    turned = pa.Table.from_pylist(
        [row | {"category": "Bikes"} if row["ordered_at"] > CUTOFF else row for row in held.to_pylist()], schema=SCHEMA
    )
    first, second = trials(held, CUTOFF), trials(turned, CUTOFF)
    to = np.array([row["category"] for row in held.to_pylist() if row["ordered_at"] > CUTOFF])
    for kind in (SHARES, SAME, MOVES, OWN, BLEND):
        assert first[kind].in_turn == second[kind].in_turn
        is_same = to == "Bikes"
        assert np.array_equal(first[kind].surprise[is_same], second[kind].surprise[is_same])
        assert first[kind].fitted != second[kind].fitted


def test_portions_are_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held = bought(25, faithful)
    model = fitted(BLEND, Paths.of(held, names_of(held)), 5.0, 3.0)
    at_once = next_categories(model, held)
    monkeypatch.setattr(category_shifts, "BATCH", 4)
    assert next_categories(model, held) == at_once
    assert len(at_once["customer_id"]) == 25


def test_a_category_that_the_model_has_not_seen_is_one_of_the_others() -> None:
    held = bought(25, faithful)
    model = fitted(SAME, Paths.of(held, names_of(held)))
    new = bought(1, lambda *_: "Cheese")
    found = next_categories(model, new)
    assert found["category_from"] == [OTHERS]
    assert found["category_to"][0] in NAMES


def test_beyond_the_most_common_categories_others_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(category_shifts, "MOST", 2)
    assert names_of(bought(300, by_chance)) == ["Bikes", "Coffee", OTHERS]


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (bought(0, faithful), "0 product categories are known, needed are 2"),
        (bought(300, lambda *_: "Tea"), "1 product categories are known, needed are 2"),
        (bought(1, faithful), "of 90 days before as_of, 1 customers with two orders, needed are 200"),
        (bought(300, faithful, orders=1), "of 90 days before as_of, 0 customers with two orders, needed are 200"),
        (bought(200, faithful), None),
    ],
)
def test_too_little_is_told_with_its_number(held: pa.Table, told: str | None) -> None:
    assert lacking(held, CUTOFF) == told


def test_who_has_not_ordered_since_is_not_judged() -> None:
    held = bought(250, faithful)
    few = pa.Table.from_pylist(
        [row for row in held.to_pylist() if row["ordered_at"] <= CUTOFF or row["customer_id"] < "c0100"], schema=SCHEMA
    )
    assert lacking(few, CUTOFF) == "100 of them who ordered in the 90 days before as_of, needed are 200"


def mainly(*lines: dict[str, Any]) -> list[tuple[Any, ...]]:
    made: ir.Table = computed(main_categories)(table("order_lines", *lines), goods())
    return rows(made, "order_id", "customer_id", "category")


def test_an_order_is_of_the_category_most_was_spent_on() -> None:
    dear = [line("ann", "1", 9, "Tea", "5"), line("ann", "1", 9, "Coffee", "7"), line("ann", "1", 9, "Bikes", "6")]
    tie = [line("bob", "2", 9, "Tea", "5"), line("bob", "2", 9, "Coffee", "5")]
    back = line("bob", "3", 9, "Tea") | {"line_kind": "return"}
    strange = line("bob", "4", 9, "Tea") | {"sku_id": "unheard of"}
    nobody, undated = ({name: None} for name in ("customer_id", "ordered_at"))
    left_out = [back, strange, line("x", "5", 9, "Tea") | nobody, line("x", "6", 9, "Tea") | undated]
    assert mainly(*dear, *tie, *left_out) == [("1", "ann", "Coffee"), ("2", "bob", "Coffee")]
