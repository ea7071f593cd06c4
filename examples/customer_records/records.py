"""Generate customer records: one row per customer, as a retailer without order data has them, under unreliable ids.

All customers are synthetic. More than a quarter of the rows carry an id that an earlier row has already, and are
other people all the same: neither a newer state of that row nor its continuation.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from examples.company.chance import stream, weighted
from examples.company.columns import ids, picked
from examples.company.records import Flags, Ints

RECORDS, SEED = 100_000, 7
REPEATS = 0.2749  # of the rows, those whose id an earlier row has
FILE = Path(__file__).parent / ".c360" / "customer_records.csv"  # where c360.yaml looks for it
FIRST_SIGNUP, LAST_SIGNUP = np.datetime64("2021-01-01", "s"), np.datetime64("2025-12-24", "s")
END = np.datetime64("2026-01-01", "s")  # purchases go on for a week after the last signup

GENDERS = {"Female": 50, "Male": 47, "Other": 3}
COUNTRIES = {
    "United States": 42, "United Kingdom": 14, "Germany": 12, "France": 9, "Canada": 9, "Australia": 6, "Spain": 5,
    "Japan": 3,
}  # fmt: skip
MEAN_AGE, AGE_SPREAD, YOUNGEST, OLDEST = 41, 14, 18, 90
PREMIUM = 0.18
NEVER_BUYS, BUYS_AT_SIGNUP = 0.03, 0.7
MINUTE, DAY, YEAR = 60, 86_400, 365 * 86_400
MEAN_FIRST_GAP = 10 * MINUTE, 25 * DAY  # from signup to purchase, for those who came to buy and for the others
MEAN_LIFETIME = 2 * YEAR
YEARLY_ORDERS, EVENNESS, PREMIUM_ORDERS = 2.6, 0.9, 1.5
BASKET_CENTS, BASKET_SPREAD, ORDER_SPREAD, PREMIUM_BASKET = 4_800, 0.6, 0.4, 1.25

FIELDS = {
    "customer_id": ("text", None, "Customer ID. Unreliable: several people may carry the same."),
    "age": ("whole number", "years", "Age when the file was written."),
    "gender": ("text", None, f"Gender: {', '.join(GENDERS)}."),
    "country": ("text", None, "Country of residence."),
    "signup_date": ("date and time", "UTC", "When the customer signed up; no two rows share the second."),
    "total_spend": ("amount", "USD", "Sum of all orders; 0 for whoever never bought."),
    "average_order_value": ("amount", "USD", "Total spend by order count, rounded to the cent; empty without orders."),
    "order_count": ("whole number", "orders", "Number of orders; 0 for whoever never bought."),
    "first_purchase_date": ("date and time", "UTC", "When the first order was placed; empty without orders."),
    "last_purchase_date": ("date and time", "UTC", "When the last order was placed; that of the first if it is alone."),
    "subscription": ("text", None, "Whether the customer pays for the premium subscription: Yes or No."),
}
EMPTY_WITHOUT_ORDERS = ("average_order_value", "first_purchase_date", "last_purchase_date")


def generate(out: Path, records: int = RECORDS, seed: int = SEED) -> Path:
    """Write the records as CSV to `out` and what each field means beside it; returns the path of the latter.

    The same (records, seed) gives the same bytes. Raises ValueError for fewer than one record or a negative seed.
    """
    if records < 1:
        raise ValueError(f"records is {records}: ask for at least 1")
    if seed < 0:
        raise ValueError(f"seed is {seed}: give 0 or a positive whole number")
    out.parent.mkdir(parents=True, exist_ok=True)
    csv.write_csv(_table(records, seed), out, csv.WriteOptions(quoting_style="none"))
    described = out.with_name(f"{out.stem}_metadata.json")
    described.write_text(json.dumps(_metadata(out.name, records, seed), indent=2) + "\n", encoding="utf-8")
    return described


def repeats_among(records: int) -> int:
    """How many of so many rows carry an id that an earlier row has."""
    return round(records * REPEATS)


def _table(records: int, seed: int) -> pa.Table:
    """One row per customer, in no order."""
    people = stream(seed, "people")
    signup = _signups(people, records)
    is_premium = people.random(records) < PREMIUM
    age = people.normal(MEAN_AGE, AGE_SPREAD, records).clip(YOUNGEST, OLDEST).astype(np.int64)
    columns = {
        "customer_id": _ids(stream(seed, "ids"), records),
        "age": age,
        "gender": _drawn(people, GENDERS, records),
        "country": _drawn(people, COUNTRIES, records),
        "signup_date": _moments(signup),
        **_purchases(stream(seed, "purchases"), signup, is_premium),
        "subscription": picked(("No", "Yes"), is_premium.astype(np.int64)).dictionary_decode(),
    }
    return pa.table({name: columns[name] for name in FIELDS})


def _ids(rng: np.random.Generator, records: int) -> pa.Array:
    """Ids of which REPEATS are those of an earlier row, each drawn from all the ids before it."""
    repeats = repeats_among(records)
    is_new = np.ones(records, dtype=bool)
    is_new[1 + rng.choice(records - 1, repeats, replace=False)] = False
    known = np.cumsum(is_new)
    place = np.where(is_new, known - 1, (rng.random(records) * known).astype(np.int64))
    numbers = 1 + rng.permutation(records - repeats)
    return ids("C", numbers[place], max(6, len(str(records))))


def _signups(rng: np.random.Generator, records: int) -> Ints:
    """Seconds since 1970, no two alike."""
    seconds = (LAST_SIGNUP - FIRST_SIGNUP).astype(np.int64)
    return FIRST_SIGNUP.astype(np.int64) + rng.choice(seconds, records, replace=False)


def _drawn(rng: np.random.Generator, weights: dict[str, int], records: int) -> pa.Array:
    return picked(tuple(weights), weighted(rng, list(weights.values()), records)).dictionary_decode()


def _purchases(rng: np.random.Generator, signup: Ints, is_premium: Flags) -> dict[str, pa.Array]:
    """How often, for how much and when each customer bought; orders come evenly until the customer leaves."""
    records, end = len(signup), END.astype(np.int64)
    soon, late = MEAN_FIRST_GAP
    gap = rng.standard_exponential(records) * np.where(rng.random(records) < BUYS_AT_SIGNUP, soon, late)
    first = signup + gap.astype(np.int64)
    has_bought = (rng.random(records) >= NEVER_BUYS) & (first < end)
    active = np.minimum(rng.standard_exponential(records) * MEAN_LIFETIME, np.maximum(end - 1 - first, 0))
    yearly = rng.gamma(EVENNESS, YEARLY_ORDERS / EVENNESS, records) * np.where(is_premium, PREMIUM_ORDERS, 1)
    repeat = rng.poisson(yearly * active / YEAR)
    last_share = np.where(repeat > 0, rng.random(records) ** (1 / np.maximum(repeat, 1)), 0)
    last = first + (active * last_share).astype(np.int64)
    count = np.where(has_bought, 1 + repeat, 0)
    total = np.where(has_bought, _cents(rng, count, is_premium), 0)
    average = (2 * total + count) // (2 * np.maximum(count, 1))
    return {
        "total_spend": _amounts(total),
        "average_order_value": _known(_amounts(average), has_bought),
        "order_count": pa.array(count),
        "first_purchase_date": _known(_moments(first), has_bought),
        "last_purchase_date": _known(_moments(last), has_bought),
    }


def _cents(rng: np.random.Generator, count: Ints, is_premium: Flags) -> Ints:
    """What that many orders come to: everybody has a usual basket, and the more orders the nearer to it."""
    usual = BASKET_CENTS * rng.lognormal(0, BASKET_SPREAD, len(count)) * np.where(is_premium, PREMIUM_BASKET, 1)
    around = rng.lognormal(0, ORDER_SPREAD / np.sqrt(np.maximum(count, 1)))
    return np.maximum(np.rint(count * usual * around).astype(np.int64), count)


def _moments(seconds: Ints) -> pa.Array:
    return pa.array(seconds, pa.int64()).view(pa.timestamp("s"))


def _amounts(cents: Ints) -> pa.Array:
    """Whole cents as decimals with two places, without a Python object per row."""
    words = np.stack([cents, cents >> 63], axis=1)
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(words)])


def _known(values: pa.Array, has_bought: Flags) -> pa.Array:
    return pa.compute.if_else(pa.array(has_bought), values, pa.scalar(None, values.type))


def _metadata(name: str, records: int, seed: int) -> dict[str, object]:
    repeats = repeats_among(records)
    return {
        "file": name,
        "description": "One row per customer of a made-up retailer. All customers are synthetic.",
        "records": records,
        "seed": seed,
        "distinct_customer_ids": records - repeats,
        "repeated_customer_ids": repeats,
        "repeated_ids_mean": "Other people: neither newer states of an earlier row nor its continuation.",
        "fields": [
            {
                "name": field,
                "type": kind,
                "unit": unit,
                "is_empty_without_orders": field in EMPTY_WITHOUT_ORDERS,
                "description": description,
            }
            for field, (kind, unit, description) in FIELDS.items()
        ],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.customer_records.records", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS, help="how many rows (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed gives the same (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=FILE, help="CSV file (default: where this example looks for it)")
    arguments = parser.parse_args()
    try:
        described = generate(arguments.out, arguments.records, arguments.seed)
    except ValueError as fault:
        parser.error(str(fault))
    print(f"{arguments.records:,} records in {arguments.out}, what they mean in {described}")


if __name__ == "__main__":
    main()
