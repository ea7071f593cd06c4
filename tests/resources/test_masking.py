"""Masks as the engine computes them: of every type, and in whatever order with filters and joins."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import policy
from governance.contract import Column
from governance.contracts import LOGICAL_TYPES
from governance.policy import Forbidden, Outcome, View
from resources.engine import Engine
from resources.masking import masked, ranged, restricted
from tests.tables import CONTRACTS, table

KEY = b"a key of thirty-two bytes, or so"
OURS = policy.load()
ONE = {
    "VARCHAR": "Zoë\\x41", "INTEGER": 41, "BIGINT": 2**40, "DOUBLE": 1.5, "DECIMAL(18,4)": Decimal("1.5"),
    "BOOLEAN": True, "DATE": date(2026, 1, 1), "TIMESTAMP": datetime(2026, 1, 1, 12),
}  # fmt: skip
AS_TEXT = {
    "VARCHAR": "Zoë\\x41", "INTEGER": "41", "BIGINT": str(2**40), "DOUBLE": "1.5", "DECIMAL(18,4)": "1.5000",
    "BOOLEAN": "true", "DATE": "2026-01-01", "TIMESTAMP": "2026-01-01 12:00:00",
}  # fmt: skip
PERSONAL = tuple(Column(type_, type_, "Of a person.", classification="personal") for type_ in LOGICAL_TYPES)
CONTRACT = replace(CONTRACTS["sources/customer"], columns=PERSONAL, sensitive_rows=None)
SCHEMA = pa.schema(
    {
        "VARCHAR": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(),
        "DECIMAL(18,4)": pa.decimal128(18, 4), "BOOLEAN": pa.bool_(), "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with closing(Engine(threads=1)) as engine:
        yield engine


def keyed(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def all_shown_as(outcome: Outcome) -> View:
    return View(CONTRACT, dict.fromkeys(CONTRACT.column_names, outcome), None, ())


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.CLEAR, ONE),
        (Outcome.HASH, {type_: keyed(text) for type_, text in AS_TEXT.items()}),
        (Outcome.REDACTED, dict.fromkeys(ONE, "***")),
    ],
)
def test_a_value_of_any_type_is_shown_as_told_and_a_missing_one_stays_missing(
    engine: Engine, outcome: Outcome, expected: dict[str, Any]
) -> None:
    rows = ibis.memtable(pa.Table.from_pylist([ONE, {}], schema=SCHEMA).select(CONTRACT.column_names))
    seen = masked(rows, all_shown_as(outcome), {}, engine.keyed_hash(KEY))
    filled, empty = engine.query(engine.sql_of(seen.mutate(place=ibis.row_number()).order_by("place").drop("place")))
    assert dict(zip(seen.columns, filled, strict=True)) == {name: expected[name] for name in seen.columns}
    assert set(empty) == {None}


def test_an_absent_column_is_not_there(engine: Engine) -> None:
    view = View(CONTRACT, {"VARCHAR": Outcome.ABSENT, "INTEGER": Outcome.CLEAR}, None, ())
    rows = ibis.memtable(pa.table({"VARCHAR": ["x"], "INTEGER": [1]}))
    assert masked(rows, view, {}, engine.keyed_hash(KEY)).columns == ("INTEGER",)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=20))
def test_the_engine_hashes_any_text_as_the_standard_library_does(texts: list[str]) -> None:
    with closing(Engine(threads=1)) as engine:
        rows = ibis.memtable(pa.table({"place": range(len(texts)), "text": texts}))
        seen = rows.order_by("place").select(hashed=engine.keyed_hash(KEY)(rows.text))
        assert [hashed for (hashed,) in engine.query(engine.sql_of(seen))] == list(map(keyed, texts))


def test_neither_key_nor_pads_stand_in_a_statement(engine: Engine) -> None:
    seen = masked(
        ibis.memtable(pa.table({"VARCHAR": ["x"]})),
        View(CONTRACT, {"VARCHAR": Outcome.HASH}, None, ()),
        {},
        engine.keyed_hash(KEY),
    )
    statement = engine.sql_of(seen)
    assert "c360_keyed_hash" in statement.lower()
    assert KEY.decode() not in statement
    (macro,) = engine.query("SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'c360_keyed_hash'")
    assert "getvariable" in macro[0]
    assert KEY.decode() not in macro[0]


def test_ranges_are_words_with_bounds_that_meet(engine: Engine) -> None:
    ages = ibis.memtable(pa.table({"age": pa.array([None, 0, 17, 18, 24, 25, 65, 120], pa.int32())}))
    told = ages.select("age", told=ranged(ages.age, (18, 25, 65), is_whole=True))
    assert dict(engine.query(engine.sql_of(told))) == {
        None: None, 0: "under 18", 17: "under 18", 18: "18 to 24", 24: "18 to 24", 25: "25 to 64",
        65: "65 and over", 120: "65 and over",
    }  # fmt: skip
    incomes = ibis.memtable(pa.table({"income": [19999.99, 20000.0, 39999.99, 40000.0]}))
    told = incomes.select("income", told=ranged(incomes.income, (20000, 40000), is_whole=False))
    assert dict(engine.query(engine.sql_of(told))) == {
        19999.99: "under 20,000", 20000.0: "20,000 to under 40,000", 39999.99: "20,000 to under 40,000",
        40000.0: "40,000 and over",
    }  # fmt: skip


@given(st.lists(st.integers(-5, 130), min_size=1, max_size=30), st.sets(st.integers(0, 100), min_size=1, max_size=6))
def test_two_numbers_share_a_range_where_no_bound_lies_between_them(ages: list[int], bounds: set[int]) -> None:
    rising = sorted(bounds)
    with closing(Engine(threads=1)) as engine:
        rows = ibis.memtable(pa.table({"age": ages}))
        told = dict(engine.query(engine.sql_of(rows.select("age", told=ranged(rows.age, rising, is_whole=True)))))
    for one in ages:
        for other in ages:
            is_between = any(min(one, other) < bound <= max(one, other) for bound in rising)
            assert (told[one] != told[other]) is is_between


def customer(key: str, **said: Any) -> dict[str, Any]:
    return {"customer_id": key, **said}


PEOPLE = table(
    "customers",
    customer("C1", country="Germany", accepts_email=True, email_address="ann@example.com"),
    customer("C2", country="Peru", accepts_email=False, accepts_sms=None),
    customer("C3", country=None, accepts_sms=True),
)
ORDERS = table(
    "orders", {"order_id": "1", "customer_id": "C1"}, {"order_id": "2", "customer_id": "C2"}, {"order_id": "3"}
)
TABLES = {"customers": PEOPLE, "orders": ORDERS}


def shown(engine: Engine, key: str, only: policy.Only, column: str) -> set[Any]:
    contract = CONTRACTS[key]
    view = View(contract, dict.fromkeys(contract.column_names, Outcome.CLEAR), None, tuple(only.items()))
    rows = restricted(TABLES[key], view, CONTRACTS, TABLES.__getitem__)
    return {value for (value,) in engine.query(engine.sql_of(rows.select(column)))}


def test_only_rows_of_whom_it_holds_are_shown_wherever_they_are(engine: Engine) -> None:
    german = {"customers": ({"country": "Germany"},)}
    assert shown(engine, "customers", german, "customer_id") == {"C1"}
    assert shown(engine, "orders", german, "order_id") == {"1"}
    either = {"customers": ({"country": ("Germany", "Peru")},)}
    assert shown(engine, "orders", either, "order_id") == {"1", "2"}
    both = {"customers": ({"country": "Peru", "accepts_email": True},)}
    assert shown(engine, "customers", both, "customer_id") == set()


def test_who_has_not_agreed_is_not_shown_for_marketing(engine: Engine) -> None:
    consent = OURS.purposes["marketing"].only
    assert shown(engine, "customers", consent, "customer_id") == {"C1", "C3"}
    assert shown(engine, "orders", consent, "order_id") == {"1"}


def test_a_table_about_people_that_leads_to_nobody_is_refused(engine: Engine) -> None:
    contract = CONTRACTS["incidents"]
    view = View(contract, {}, None, (("customers", ({"country": "Peru"},)),))
    with pytest.raises(Forbidden, match="no relationship in the contracts leads from incidents to customers"):
        restricted(table("incidents"), view, CONTRACTS, TABLES.__getitem__)
    counted = CONTRACTS["satisfaction"]
    rows = table("satisfaction")
    assert restricted(rows, replace(view, contract=counted), CONTRACTS, TABLES.__getitem__) is rows


def test_rows_that_may_be_sensitive_are_hidden_unless_they_are_known_not_to_be(engine: Engine) -> None:
    rows = table(
        "audiences",
        *({"audience": name, "is_sensitive": told} for name, told in (("a", True), ("b", False), ("c", None))),
    )
    view = replace(OURS.view(CONTRACTS["audiences"], "marketing"), only=())
    assert engine.query(engine.sql_of(restricted(rows, view, CONTRACTS, TABLES.__getitem__).select("audience"))) == [
        ("b",)
    ]


def test_masks_commute_with_filters_and_keyed_hashes_join(engine: Engine) -> None:
    """What is masked and then filtered or joined is what is filtered or joined and then masked."""
    hashed = engine.keyed_hash(KEY)

    def as_consumer(key: str, rows: ir.Table) -> ir.Table:
        return masked(rows, OURS.view(CONTRACTS[key], "data_consumer"), OURS.ranges, hashed)

    people, orders = as_consumer("customers", PEOPLE), as_consumer("orders", ORDERS)
    joined = orders.join(people, "customer_id").select("order_id", "email_address", "country")
    together = ORDERS.join(PEOPLE, "customer_id").select("order_id", "email_address", "country")
    expected = together.mutate(email_address=hashed(together.email_address), country=hashed(together.country))
    found = [sorted(engine.query(engine.sql_of(rows)), key=str) for rows in (joined, expected)]
    assert found[0] == found[1] != []
    kept = [people.filter(people.accepts_email), as_consumer("customers", PEOPLE.filter(PEOPLE.accepts_email))]
    found = [engine.query(engine.sql_of(rows)) for rows in kept]
    assert found[0] == found[1] != []


def test_guesses_without_the_key_find_no_birthday_and_no_phone_number(engine: Engine) -> None:
    born, number = date(1990, 5, 17), "+49 30 0012345"
    rows = table("customers", {"customer_id": "C1", "date_of_birth": born, "phone_number": number})
    seen = masked(rows, OURS.view(CONTRACTS["customers"], "data_consumer"), OURS.ranges, engine.keyed_hash(KEY))
    ((birthday, phone),) = engine.query(engine.sql_of(seen.select("date_of_birth", "phone_number")))
    days = (
        date.fromordinal(day).isoformat() for day in range(date(1920, 1, 1).toordinal(), date(2026, 1, 1).toordinal())
    )
    numbers = (f"+49 30 {digits:07}" for digits in range(20_000))
    guessed = {hashlib.sha256(guess.encode()).hexdigest() for guess in (*days, *numbers)}
    assert len(guessed) > 50_000
    assert not {birthday, phone} & guessed
    assert (birthday, phone) == (keyed(born.isoformat()), keyed(number))
