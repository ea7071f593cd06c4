"""CDNOW: the published parameters of the lifetime models, and how well they expect what was held out."""

import csv
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pytest

from c360_assets.models.lifetime_model import Split, lifetime_model, split_at_cutoff
from c360_assets.models.lifetime_value import lifetime_value
from c360_assets.terms import lifetimes, spending
from c360_assets.terms.expectations import Customers, expected_purchases, spend_interval
from c360_assets.terms.holdouts import measures
from c360_assets.terms.lifetimes import Floats
from c360_assets.terms.time import Clock
from tests.c360_assets.buyers import order
from tests.tables import at, money, rows, table

DATA = Path(os.environ.get("C360_DATA") or Path(__file__).parents[3] / "shared" / "data") / "cdnow"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="C360_DATA names no folder that holds cdnow/")
FIRST, LAST, CUTOFF = date(1997, 1, 1), date(1998, 6, 30), date(1997, 9, 30)
# Weeks that are held out.
HELD_OUT = 39.0


@pytest.fixture(scope="module")
def published() -> Customers:
    """The summaries of the 1/10 sample as published, in weeks; values are the mean of the repeat purchases."""
    with (DATA / "cdnow_customers_summary_with_transactions.csv").open(newline="") as file:
        columns = [[float(row[name]) for name in ("x", "t_x", "T", "zbar")] for row in csv.DictReader(file)]
    repeats, last, age, mean = np.array(columns).T
    count = repeats.astype(np.int64)
    return Customers(count, last, age, count, mean)


@pytest.fixture(scope="module")
def sample() -> list[dict[str, Any]]:
    """The orders of the sample, as the mapping of the whole file makes them."""
    return [
        order(person, datetime.strptime(on, "%Y%m%d"), money(dollars), str(number))
        for number, line in enumerate((DATA / "CDNOW_sample.txt").read_text().splitlines())
        for _, person, on, _, dollars in [line.split()]
    ]


@pytest.fixture(scope="module")
def modelled(sample: list[dict[str, Any]]) -> ir.Table:
    return lifetime_model(table("orders", *sample), at("1998-06-30"), table)


@pytest.fixture(scope="module")
def split(sample: list[dict[str, Any]]) -> Split:
    return split_at_cutoff(table("orders", *sample), Clock(datetime(1998, 6, 30), "UTC"), LAST, FIRST)


@pytest.fixture(scope="module")
def held_out(sample: list[dict[str, Any]]) -> Floats:
    """Purchases of each customer of the sample in the weeks held out, by customer; a plain loop."""
    days: dict[str, set[datetime]] = defaultdict(set)
    for row in sample:
        days[row["customer_id"]].add(row["ordered_at"])
    return np.array([sum(on.date() > CUTOFF for on in days[person]) for person in sorted(days)], dtype=np.float64)


# Fader, Hardie and Lee (2005), table 2; Hoppe and Wagner (2007) and the package BTYDplus for MBG/NBD.
PUBLISHED = {False: (0.243, 4.414, 0.793, 2.426), True: (0.525, 6.183, 0.891, 1.614)}


@pytest.mark.parametrize("leaves_at_once", PUBLISHED, ids=["BG/NBD", "MBG/NBD"])
def test_the_published_parameters_come_out(published: Customers, leaves_at_once: bool) -> None:
    found = lifetimes.fitted(published.histories[0], leaves_at_once)
    parameters = [round(getattr(found.lifetimes, name), 3) for name in lifetimes.PARAMETERS]
    assert tuple(parameters) == PUBLISHED[leaves_at_once]
    if not leaves_at_once:
        assert round(found.log_likelihood, 1) == -9582.4


def test_the_published_values_of_orders_come_out(published: Customers) -> None:
    """Fader and Hardie (2013) give v as 15.44, which is 15.448 cut off."""
    is_valued = published.value_mean > 0
    found = spending.fitted_values(published.value_count[is_valued], published.value_mean[is_valued]).values
    assert (round(found.p, 2), round(found.q, 2), int(found.v * 100) / 100) == (6.25, 3.74, 15.44)
    assert np.corrcoef(published.value_count[is_valued], published.value_mean[is_valued])[0, 1] == pytest.approx(
        0.11, abs=0.005
    )


def test_what_was_held_out_is_expected_as_well_as_published(published: Customers, held_out: Floats) -> None:
    found = {}
    for name, at_once in (("BG/NBD", False), ("MBG/NBD", True)):
        model = lifetimes.fitted(published.histories[0], at_once).lifetimes
        found[name] = measures(expected_purchases(model, published, [HELD_OUT])[:, 0], held_out)
    assert round(value(found["MBG/NBD"], "correlation"), 3) >= 0.626
    assert round(value(found["MBG/NBD"], "mae"), 3) <= 0.765
    assert round(value(found["BG/NBD"], "correlation"), 3) >= 0.626


def value(found: dict[str, Any], name: str) -> float:
    return float(found[name].value)


def test_the_histories_of_the_sample_are_the_published_ones(
    split: Split, published: Customers, held_out: Floats
) -> None:
    assert (split.cutoff_on, split.holdout_days) == (CUTOFF, 273)
    assert split.bought.tolist() == held_out.tolist()
    assert split.before.repeats.tolist() == published.repeats.tolist()
    for ours, theirs, digits in pairs(split.before, published):
        assert np.abs(ours - theirs).max() < digits


def pairs(ours: Customers, theirs: Customers) -> Sequence[tuple[Floats, Floats, float]]:
    """Times in weeks with two digits, values with two."""
    return [
        (ours.last / 7, theirs.last, 0.0051),
        (ours.age / 7, theirs.age, 0.0051),
        (ours.value_mean, theirs.value_mean, 0.0051),
    ]


def test_the_table_has_the_published_parameters_in_days(modelled: ir.Table) -> None:
    names = [f"calibration_{name}" for name in lifetimes.PARAMETERS]
    found = rows(modelled, "model", *names, "rmse", "coverage_rate")
    for at_once, (_, r, alpha, a, b, *_) in zip(PUBLISHED, found[:2], strict=True):
        assert (r, alpha / 7, a, b) == pytest.approx(PUBLISHED[at_once], rel=2e-3)
    errors = [row[5] for row in found]
    assert max(errors[:2]) < min(errors[2:])
    assert all(0.8 <= row[6] <= 0.9 for row in found[:2])


def test_the_interval_holds_what_it_says_but_for_what_the_model_did_not_expect(
    published: Customers, split: Split
) -> None:
    """A tenth may lie above: it is a seventh of those who had bought again, of whom the model expects too little."""
    model = lifetimes.fitted(published.histories[0]).lifetimes
    is_valued = published.value_mean > 0
    values = spending.fitted_values(published.value_count[is_valued], published.value_mean[is_valued]).values
    low, high = spend_interval(model, values, published, HELD_OUT).T
    once, again = published.repeats == 0, published.repeats > 0
    found = [(split.spent > high)[who].mean() for who in (once, again)]
    assert found == pytest.approx([0.086, 0.145], abs=0.002)
    assert (split.spent < low).mean() == pytest.approx(0, abs=0.001)


def test_everybody_of_the_sample_is_valued(sample: list[dict[str, Any]], modelled: ir.Table) -> None:
    valued = lifetime_value(table("orders", *sample), modelled, at("1998-06-30"))
    found = rows(valued, "customer_id", "clv", "reason")
    assert len(found) == 2_357
    assert {row[2] for row in found} == {None}
    assert min(row[1] for row in found) >= 0
