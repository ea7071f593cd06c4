"""Planted faults: which values are wrong, how often, and the list of all of them.

With these rates the quality scores (0 to 100, the mean of the shares of rows that pass each of a dataset's
three checks) come near customer 80, product 95, orders 87, web analytics 92, brand 97 and transactions 91.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from examples.company import season
from examples.company.catalogue import CATEGORY_NAMES
from examples.company.people import GENDERS
from examples.company.purchases import PAYMENT_METHODS
from examples.company.records import Flags, Ints

Spoil = Callable[[np.random.Generator, pa.Table, Ints], pa.Array]
Where = Callable[[pa.Table], Flags]

_MISSPELT_GENDERS = pa.array(["F", "Femal", "Fmale", "M", "Mle", "Maale", "NB", "Nonbinry", "Non-bin"])
_WRONG_AGES = pa.array([-1, 0, 4, 9, 119, 150, 999], pa.int32())
_EARLIEST_LATE_DAYS, _LATEST_LATE_DAYS = 31, 75
_LONGEST_LATE_HOURS = 40


def missing(column: str) -> Spoil:
    """Null."""
    return lambda rng, table, rows: _nulls(table, column, len(rows))


def one_of(*values: str) -> Spoil:
    """One of these."""
    return lambda rng, table, rows: pa.array(values).take(pa.array(rng.integers(0, len(values), len(rows))))


def another_of(column: str, pool: tuple[str, ...]) -> Spoil:
    """A value that is allowed, but not the true one."""

    def spoil(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
        code = _codes(table, rows, column, pool)
        return pa.array(pool).take(pa.array((code + rng.integers(1, len(pool), len(rows))) % len(pool)))

    return spoil


def moved(column: str, low: int, high: int) -> Spoil:
    """A time shifted by between `low` and `high` microseconds, in whole seconds."""

    def spoil(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
        shift = rng.integers(low // season.SECOND, high // season.SECOND, len(rows)) * season.SECOND
        return pa.array((_times(table, column)[rows] + shift).view("datetime64[us]"))

    return spoil


def _before_order(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
    return moved("ordered_at", -5 * season.DAY, -season.DAY)(rng, table, rows)


def _misspelt(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
    code = _codes(table, rows, "gender", GENDERS)
    return _MISSPELT_GENDERS.take(pa.array(3 * code + rng.integers(0, 3, len(rows))))


def _impossible_age(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
    return _WRONG_AGES.take(pa.array(rng.integers(0, len(_WRONG_AGES), len(rows))))


def _other_age(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
    age = table["age"].to_numpy()[rows]
    away = rng.integers(3, 16, len(rows))
    return pa.array(np.where(age < 40, age + away, age - away), pa.int32())


def _negative(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
    return pa.array(-table["amount"].to_numpy()[rows])


def _other_amount(rng: np.random.Generator, table: pa.Table, rows: Ints) -> pa.Array:
    return pa.array(np.round(table["amount"].to_numpy()[rows] * rng.uniform(1.05, 1.6, len(rows)) + 0.05, 2))


def _nulls(table: pa.Table, column: str, size: int) -> pa.Array:
    kind = table.schema.field(column).type
    return pa.nulls(size, kind.value_type if pa.types.is_dictionary(kind) else kind)


def _codes(table: pa.Table, rows: Ints, column: str, pool: tuple[str, ...]) -> Ints:
    values = table[column].take(pa.array(rows)).cast(pa.string())
    codes: Ints = pc.index_in(values, pa.array(pool)).to_numpy()
    return codes


def _times(table: pa.Table, column: str) -> Ints:
    """Microseconds since 1970; anything where null."""
    times: Ints = pc.fill_null(table[column].cast(pa.int64()), 0).to_numpy()
    return times


def _is_delivered(table: pa.Table) -> Flags:
    is_so: Flags = pc.equal(table["order_status"].cast(pa.string()), "delivered").to_numpy()
    return is_so


def _was_delivered(table: pa.Table) -> Flags:
    is_so: Flags = pc.is_valid(table["order_delivery_date"]).to_numpy()
    return is_so


def _can_be_late(table: pa.Table) -> Flags:
    # Even the wrong dates lie within the simulated span.
    late = _times(table, "order_delivery_date") + _LATEST_LATE_DAYS * season.DAY
    return _was_delivered(table) & (late <= season.END)


def _can_be_paid_late(table: pa.Table) -> Flags:
    return _times(table, "transaction_ts") + _LONGEST_LATE_HOURS * season.HOUR <= season.END


@dataclass(frozen=True)
class Fault:
    """A kind of fault. A row carries at most one fault of a lane, so that faults do not hide each other."""

    dataset: str
    column: str
    name: str
    rate: float  # of the rows where it is possible
    check: str  # the quality check that should find it
    lane: str
    spoil: Spoil
    where: Where | None = None


_DAY, _HOUR = season.DAY, season.HOUR
FAULTS = (
    # dataset, column, fault, rate, check, lane, how
    Fault("customer", "age", "missing", 0.050, "Q01", "age", missing("age")),
    Fault("customer", "age", "out_of_range", 0.040, "Q01", "age", _impossible_age),
    Fault("customer", "age", "disagrees_with_birth_date", 0.110, "Q01", "age", _other_age),
    Fault("customer", "email_address", "missing", 0.100, "Q02", "email", missing("email_address")),
    Fault("customer", "email_address", "blank", 0.080, "Q02", "email", one_of("", " ")),
    Fault("customer", "phone_number", "missing", 0.120, "Q02", "phone", missing("phone_number")),
    Fault("customer", "phone_number", "blank", 0.080, "Q02", "phone", one_of("", " ")),
    Fault("customer", "mailing_street", "missing", 0.120, "Q02", "street", missing("mailing_street")),
    Fault("customer", "mailing_street", "blank", 0.100, "Q02", "street", one_of("", " ")),
    Fault("customer", "gender", "missing", 0.080, "Q03", "gender", missing("gender")),
    Fault("customer", "gender", "misspelt", 0.120, "Q03", "gender", _misspelt),
    Fault("product", "product_description", "missing", 0.050, "Q04", "text", missing("product_description")),
    Fault("product", "product_description", "blank", 0.020, "Q04", "text", one_of("", " ")),
    Fault("product", "product_category", "inconsistent", 0.075, "Q05", "category",
          another_of("product_category", CATEGORY_NAMES)),
    Fault("orders", "order_status", "unknown", 0.055, "Q07", "fulfilment",
          one_of("delivrd", "compleet", "unknown", "shiped")),
    Fault("orders", "order_delivery_date", "missing_though_delivered", 0.080, "Q07", "fulfilment",
          missing("order_delivery_date"), _is_delivered),
    Fault("orders", "order_delivery_date", "before_order", 0.050, "Q08", "fulfilment",
          _before_order, _was_delivered),
    Fault("orders", "order_delivery_date", "too_late", 0.085, "Q08", "fulfilment",
          moved("order_delivery_date", _EARLIEST_LATE_DAYS * _DAY, _LATEST_LATE_DAYS * _DAY), _can_be_late),
    Fault("orders", "payment_method", "missing", 0.040, "Q09", "payment", missing("payment_method")),
    Fault("orders", "payment_method", "unknown", 0.040, "Q09", "payment",
          one_of("crdit_card", "unknown", "voucher")),
    Fault("orders", "payment_method", "differs_from_transaction", 0.055, "Q09", "payment",
          another_of("payment_method", PAYMENT_METHODS)),
    Fault("web_analytics", "session_id", "missing", 0.040, "Q11", "tracking", missing("session_id")),
    Fault("web_analytics", "visit_start_ts", "missing", 0.030, "Q11", "tracking", missing("visit_start_ts")),
    Fault("web_analytics", "entity_id", "missing", 0.020, "Q11", "tracking", missing("entity_id"),
          lambda table: pc.is_valid(table["entity_id"]).to_numpy()),
    Fault("brand", "description", "placeholder", 0.050, "Q14", "description",
          one_of("n/a", "tbd", "lorem ipsum")),
    Fault("brand", "brand_type", "unknown", 0.035, "Q15", "type", one_of("misc", "unknown", "natl")),
    Fault("transactions", "order_id", "missing", 0.020, "Q16", "details", missing("order_id")),
    Fault("transactions", "amount", "missing", 0.025, "Q16", "details", missing("amount")),
    Fault("transactions", "payment_method", "missing", 0.020, "Q16", "details", missing("payment_method")),
    Fault("transactions", "transaction_ts", "missing", 0.025, "Q16", "details", missing("transaction_ts")),
    Fault("transactions", "amount", "negative", 0.030, "Q17", "details", _negative),
    Fault("transactions", "amount", "differs_from_order", 0.060, "Q17", "details", _other_amount),
    Fault("transactions", "transaction_ts", "before_order", 0.030, "Q18", "details",
          moved("transaction_ts", -48 * _HOUR, -_HOUR)),
    Fault("transactions", "transaction_ts", "long_after_order", 0.060, "Q18", "details",
          moved("transaction_ts", _HOUR, _LONGEST_LATE_HOURS * _HOUR), _can_be_paid_late),
)  # fmt: skip
# Sessions (without an order) in which a machine turned hundreds of pages: check Q10.
IMPLAUSIBLE_SESSION_SHARE = 0.0004
# Extra rows whose key repeats (check Q06, Q13) or lacks: a handful, since loading sets them aside.
KEY_FAULTS = {
    # dataset: (repeated keys, missing keys)
    "customer": (3, 2),
    "brand": (2, 0),
    "product": (4, 1),
    "orders": (3, 2),
    "transactions": (3, 2),
    "web_analytics": (5, 2),
}
# Values of these datasets are personal: the list of faults does not repeat them.
PERSONAL = frozenset({"customer"})

_TRUTH = pa.schema([(name, pa.string()) for name in ("dataset", "row_id", "column_name", "fault", "was")])


def plant(
    rng: np.random.Generator, dataset: str, clean: pa.Table, spared: Flags | None = None, keys: bool = False
) -> tuple[pa.Table, pa.Table]:
    """Spoil a dataset; returns it with the list of planted faults.

    The first column is the key. Rows in `spared` stay as they are; `keys` appends the rows with key faults.
    """
    free = np.ones(len(clean), dtype=bool) if spared is None else ~spared
    dirty, listed, touched = clean, [], ~free
    for fault, rows in _drawn(rng, dataset, clean, free):
        dirty = _with_values(dirty, fault.column, rows, fault.spoil(rng, clean, rows))
        listed.append(_listed(clean, rows, fault.column, fault.name, dataset))
        touched[rows] = True
    if keys:
        dirty, faults = _with_key_faults(dataset, dirty, np.flatnonzero(~touched))
        listed.append(faults)
    return dirty, pa.concat_tables([_TRUTH.empty_table(), *listed])


def implausible_sessions(events: pa.Table, rows: Ints) -> pa.Table:
    """The list of faults for the events of implausible sessions."""
    return _listed(events, rows, "session_id", "implausible_page_views", "web_analytics")


def _drawn(rng: np.random.Generator, dataset: str, clean: pa.Table, free: Flags) -> list[tuple[Fault, Ints]]:
    """Which rows each fault befalls."""
    faults = [fault for fault in FAULTS if fault.dataset == dataset]
    drawn: list[tuple[Fault, Ints]] = []
    for lane in dict.fromkeys(fault.lane for fault in faults):
        draw, low = rng.random(len(clean)), 0.0
        for fault in (fault for fault in faults if fault.lane == lane):
            hit = free & (draw >= low) & (draw < low + fault.rate)
            low += fault.rate
            drawn.append((fault, np.flatnonzero(hit if fault.where is None else hit & fault.where(clean))))
    return drawn


def _with_values(table: pa.Table, column: str, rows: Ints, values: pa.Array) -> pa.Table:
    """The table with these values in these rows of a column."""
    hit = np.zeros(len(table), dtype=bool)
    hit[rows] = True
    old = table[column].combine_chunks()
    if not pa.types.is_dictionary(old.type):
        new = pc.replace_with_mask(old, pa.array(hit), values)
    elif values.null_count == len(values):
        indices = pc.replace_with_mask(old.indices, pa.array(hit), pa.nulls(len(rows), old.indices.type))
        new = pa.DictionaryArray.from_arrays(indices, old.dictionary)
    else:
        new = pc.replace_with_mask(old.dictionary_decode(), pa.array(hit), values).dictionary_encode()
    return table.set_column(table.schema.get_field_index(column), column, new)


def _listed(clean: pa.Table, rows: Ints, column: str, fault: str, dataset: str) -> pa.Table:
    """One row per fault, with the value that was there before."""
    take = pa.array(rows)
    was = clean[column].take(take).cast(pa.string())
    if dataset in PERSONAL:
        was = pa.nulls(len(rows), pa.string())
    return _list_of(dataset, clean[0].take(take).cast(pa.string()), column, fault, was)


def _list_of(
    dataset: str,
    row_ids: pa.Array | pa.ChunkedArray,
    column: str,
    fault: str,
    was: pa.Array | pa.ChunkedArray,
) -> pa.Table:
    same = [pa.repeat(pa.scalar(text), len(row_ids)) for text in (dataset, column, fault)]
    return pa.table([same[0], row_ids, same[1], same[2], was], schema=_TRUTH)


def _with_key_faults(dataset: str, table: pa.Table, clean_rows: Ints) -> tuple[pa.Table, pa.Table]:
    """Append copies of clean rows, some with the same key and some with none."""
    repeated, lacking = KEY_FAULTS[dataset]
    again = table.take(pa.array(clean_rows[:repeated]))
    keyless = table.take(pa.array(clean_rows[repeated : repeated + lacking]))
    key = table.column_names[0]
    keyless = _with_values(keyless, key, np.arange(len(keyless)), _nulls(keyless, key, len(keyless)))
    at = len(table) + len(again) + np.arange(len(keyless))
    nothing = pa.nulls(len(keyless), pa.string())
    listed = [
        _listed(again, np.arange(len(again)), key, "duplicate_key", dataset),
        _list_of(dataset, pa.array([str(row) for row in at], pa.string()), key, "missing_key", nothing),
    ]
    return pa.concat_tables([table, again, keyless]), pa.concat_tables(listed)
