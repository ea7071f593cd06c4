"""Generate the sample company: every table of a retailer, and beside them the truth they were made from."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from examples.company import (
    browsing,
    catalogue,
    channels,
    dirt,
    files,
    habits,
    lifetimes,
    loyalty,
    marketing,
    people,
    purchases,
    voice,
)
from examples.company.chance import stream
from examples.company.columns import ids, picked, timestamps
from examples.company.records import Ints, rows_of

TABLES = (
    "customer", "brand", "product", "orders", "order_line_item", "transactions", "web_analytics", "review",
    "support_ticket", "survey_answer", "marketing_spend", "marketing_touchpoint", "loyalty_ledger",
    "truth_customer", "truth_duplicate", "truth_product_pair", "truth_dirty", "truth_channel_effect",
)  # fmt: skip
SMALLEST_CHUNK, LARGEST_CHUNK = (
    1_000,
    10_000,
)  # customers made at once: bounds the memory; changes the content
WORKERS = min(4, os.cpu_count() or 1)  # changes the speed alone

Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class Company:
    """What is known of the whole company before any table is made."""

    seed: int
    people: people.People
    habits: habits.Habits
    lives: lifetimes.Lives
    times: lifetimes.OrderTimes
    catalogue: catalogue.Catalogue


def generate(
    out: Path, customers: int, seed: int = 7, progress: Callable[[str, int], None] | None = None
) -> dict[str, int]:
    """Write the sample company as `out/<table>/part-*.parquet` and return the rows of each table.

    The same (customers, seed) gives the same bytes. An earlier company in `out` is replaced once the new one
    is complete. `progress` is called with the table and the rows of each file written.
    Raises ValueError for fewer than one customer, a negative seed, or an `out` that holds something else.
    """
    if customers < 1:
        raise ValueError(f"customers is {customers}: ask for at least 1")
    if seed < 0:
        raise ValueError(f"seed is {seed}: give 0 or a positive whole number")
    rows: Counter[str] = Counter()
    with files.replacing(Path(out)) as folder:
        for table, count in _written(_company(customers, seed), folder):
            rows[table] += count
            if progress:
                progress(table, count)
    return {table: rows[table] for table in TABLES}


def _company(customers: int, seed: int) -> Company:
    who = people.draw(stream(seed, "people"), customers)
    how = habits.draw(stream(seed, "habits"), customers, catalogue.CATEGORY_WEIGHTS)
    lives, times = lifetimes.simulate(stream(seed, "lifetimes"), who.registered_at, how)
    return Company(seed, who, how, lives, times, catalogue.draw(stream(seed, "catalogue")))


def _written(company: Company, folder: Path) -> Iterator[tuple[str, int]]:
    """Table and rows of each file: part 0 is about the company, part n about the n-th chunk of customers."""
    yield from _save(_offer(company), folder, 0).items()
    customers = len(company.people.number)
    chunks = range(1, 1 + -(-customers // _chunk_size(customers)))
    touches: Ints = np.zeros((), dtype=np.int64)
    with ThreadPoolExecutor(WORKERS) as pool:
        for counts, touched in pool.map(lambda chunk: _save_chunk(company, chunk, folder), chunks):
            touches = touches + touched
            yield from counts.items()
    spend = marketing.spend_table(stream(company.seed, "spend"), touches)
    yield from _save({"marketing_spend": spend}, folder, 0).items()


def _chunk_size(customers: int) -> int:
    """Four chunks, so that every worker has something to do, within the bounds."""
    return min(max(-(-customers // 4), SMALLEST_CHUNK), LARGEST_CHUNK)


def _save(tables: Tables, folder: Path, part: int) -> dict[str, int]:
    file = f"part-{part:05d}.parquet"
    return {name: files.write(table, folder / name / file) for name, table in tables.items()}


def _save_chunk(company: Company, chunk: int, folder: Path) -> tuple[dict[str, int], Ints]:
    tables, touches = _chunk(company, chunk)
    return _save(tables, folder, chunk), touches


def _offer(company: Company) -> Tables:
    """The tables that do not grow with the customers."""
    brands = catalogue.brand_table(stream(company.seed, "brands"))
    products = catalogue.product_table(company.catalogue)
    rng = stream(company.seed, "dirt")
    brands, brand_faults = dirt.plant(rng, "brand", brands, keys=True)
    products, product_faults = dirt.plant(rng, "product", products, keys=True)
    return {
        "brand": brands,
        "product": products,
        "truth_product_pair": catalogue.pair_table(company.catalogue),
        "truth_channel_effect": channels.effect_table(),
        "truth_dirty": pa.concat_tables([brand_faults, product_faults]),
    }


def _chunk(company: Company, chunk: int) -> tuple[Tables, Ints]:
    """All tables about one chunk of customers, and their marketing touches by day."""
    customers = len(company.people.number)
    size, width = _chunk_size(customers), people.number_width(customers)
    own = _part(company, (chunk - 1) * size, chunk * size)
    customer_ids = ids("C", own.people.number, width)
    orders, lines = purchases.draw(stream(own.seed, "purchases", chunk), own.times, own.habits, own.catalogue)
    web, web_faults, touches, touched = _web(own, orders, lines, customer_ids, chunk)
    tables = {
        "customer": people.table(own.people, own.habits, width),
        "orders": purchases.order_table(orders, own.people, customer_ids),
        "order_line_item": purchases.line_table(orders, lines, own.catalogue),
        "transactions": purchases.transaction_table(orders),
        "web_analytics": web,
        **_said(own, orders, lines, customer_ids, chunk),
        "marketing_touchpoint": touches,
        "loyalty_ledger": loyalty.table(stream(own.seed, "loyalty", chunk), orders, customer_ids),
        "truth_customer": _truth(own, customer_ids),
        "truth_duplicate": people.duplicates(own.people, width),
    }
    faults = [web_faults]
    for dataset in ("customer", "orders", "transactions"):
        rng = stream(own.seed, f"dirt {dataset}", chunk)
        tables[dataset], found = dirt.plant(rng, dataset, tables[dataset], keys=chunk == 1)
        faults.append(found)
    return {**tables, "truth_dirty": pa.concat_tables(faults)}, touched


def _part(company: Company, first: int, last: int) -> Company:
    """The company as if it had only these customers."""
    rows = slice(first, last)
    low, high = np.searchsorted(company.times.customer, [first, last])
    times = rows_of(company.times, slice(low, high))
    return Company(
        seed=company.seed,
        people=rows_of(company.people, rows),
        habits=rows_of(company.habits, rows),
        lives=rows_of(company.lives, rows),
        times=lifetimes.OrderTimes(times.customer - first, times.at, times.number),
        catalogue=company.catalogue,
    )


def _web(
    own: Company, orders: purchases.Orders, lines: purchases.Lines, customer_ids: pa.StringArray, chunk: int
) -> tuple[pa.Table, pa.Table, pa.Table, Ints]:
    """Web events with their faults, and the marketing touches behind the sessions."""
    rng = stream(own.seed, "browsing", chunk)
    visitors = browsing.Visitors(own.people.registered_at, own.lives, own.habits)
    by_machine = dirt.IMPLAUSIBLE_SESSION_SHARE
    sessions, events = browsing.draw(rng, visitors, orders, lines, own.catalogue, by_machine)
    events = browsing.arrival_order(rng, events)
    table = browsing.table(rng, sessions, events, orders, own.people.number, customer_ids, own.catalogue)
    machine_faults = dirt.implausible_sessions(table, np.flatnonzero(events.implausible))
    dirty, faults = dirt.plant(
        stream(own.seed, "dirt web_analytics", chunk), "web_analytics", table, events.implausible, chunk == 1
    )
    touches, touched = marketing.touchpoints(
        stream(own.seed, "marketing", chunk), sessions, own.people.registered_at, customer_ids, chunk
    )
    return dirty, pa.concat_tables([machine_faults, faults]), touches, touched


def _said(
    own: Company, orders: purchases.Orders, lines: purchases.Lines, customer_ids: pa.StringArray, chunk: int
) -> Tables:
    rng = stream(own.seed, "voice", chunk)
    felt = voice.mood(rng, orders, own.habits)
    return {
        "review": voice.reviews(rng, felt, lines, own.catalogue, customer_ids),
        "support_ticket": voice.tickets(rng, felt, customer_ids),
        "survey_answer": voice.answers(rng, felt, customer_ids),
    }


def _truth(own: Company, customer_ids: pa.StringArray) -> pa.Table:
    """One row per customer: what the analyses try to find out."""
    active = own.lives.left_at == lifetimes.NEVER
    return pa.table(
        {
            "customer_id": customer_ids,
            "person_id": ids("H", own.people.person, 8),
            "purchase_rate_per_day": pa.array(own.habits.rate),
            "left_at": timestamps(np.where(active, 0, own.lives.left_at), active),
            "mean_order_value": pa.array(own.habits.mean_value),
            "taste": picked(catalogue.CATEGORY_NAMES, own.habits.dominant),
        }
    )
