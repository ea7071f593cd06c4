"""Values: what a cell means, and what it becomes in the type of its column."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.deployment import EVERYTHING, Deployment, Feed, Settings
from resources.engine import Engine, literal
from resources.feeds import FeedError, Feeds
from resources.values import Identity, Notation, Value
from tests.tables import CONTRACTS

ORDER_ID = CONTRACTS["sources/orders"].column("order_id")
CUSTOMER_ID = CONTRACTS["sources/orders"].column("customer_id")
AMOUNT = CONTRACTS["sources/orders"].column("total_amount")
ORDERED_AT = CONTRACTS["sources/orders"].column("ordered_at")
SPENT_ON = CONTRACTS["sources/marketing_spend"].column("spent_on")
QUANTITY = CONTRACTS["sources/loyalty_ledger"].column("points")


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine("1GB", threads=1)
    engine.query("SELECT 1")
    return engine


def read(
    engine: Engine,
    cell: Any,
    column: Any,
    given: str = "VARCHAR",
    notation: Notation | None = None,
    **identity: bool,
) -> tuple[Any, str | None]:
    """What a cell becomes, and what is wrong with it."""
    return through(engine, Value(column, given, notation or Notation(), Identity(**identity)), cell)


def through(engine: Engine, value: Value, cell: Any) -> tuple[Any, str | None]:
    """What a cell becomes as that value, and what is wrong with it."""
    column = value.column
    shown = "NULL" if cell is None else literal(str(cell))
    sql = f'SELECT {shown}::{value.given} AS "{column.name}"'
    for stage in (value.meant, value.typed):
        sql = f"SELECT *, {stage} FROM ({sql})"
    ((found, told),) = engine.query(f'SELECT "_typed_{column.name}", {value.fault or "NULL"} FROM ({sql})')
    return found, told


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("C1", "C1"),
        (" C1 ", "C1"),
        ("C1\u00a0", "C1"),
        ("\ufeffC1\u200b", "C1"),
        ("\u3000C1\t", "C1"),
        ("17850.0", "17850"),
        ("17850.000", "17850"),
        ("17850.5", "17850.5"),
        ("0012", "0012"),
        ("c1", "c1"),
        ("Ann@Shop.Example", "ann@shop.example"),
        ("@Ann", "@Ann"),
        ("550E8400-E29B-41D4-A716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
        ("550E8400-E29B", "550E8400-E29B"),
        ("NULL", None),
        ("null", None),
        (" None ", None),
        ("\\N", None),
        ("NaN", None),
        ("N/A", None),
        ("<NA>", None),
        ("", None),
        ("   ", None),
        ("Nulla", "Nulla"),
        ("Nancy", "Nancy"),
    ],
)
def test_an_identifier_is_what_it_stands_for(cell: str, meant: str | None, engine: Engine) -> None:
    assert read(engine, cell, CUSTOMER_ID) == (meant, None)


@pytest.mark.parametrize(
    ("cell", "given", "meant"),
    [
        (17850, "BIGINT", "17850"),
        (17850.0, "DOUBLE", "17850"),
        (17850.5, "DOUBLE", "17850.5"),
        ("nan", "DOUBLE", None),
        ("17850.00", "DECIMAL(10,2)", "17850"),
        ("550E8400-E29B-41D4-A716-446655440000", "UUID", "550e8400-e29b-41d4-a716-446655440000"),
        (None, "DOUBLE", None),
    ],
)
def test_an_identifier_may_come_as_a_number(cell: Any, given: str, meant: str | None, engine: Engine) -> None:
    assert read(engine, cell, CUSTOMER_ID, given) == (meant, None)


def test_what_tells_identifiers_apart_can_be_said(engine: Engine) -> None:
    assert read(engine, " C1", CUSTOMER_ID, trim=False)[0] == " C1"
    assert read(engine, "1.0", CUSTOMER_ID, whole_numbers=False)[0] == "1.0"
    assert read(engine, "1.0", CUSTOMER_ID, "DOUBLE", whole_numbers=False)[0] == "1.0"
    assert read(engine, "Ab", CUSTOMER_ID, ignore_case=True)[0] == "ab"
    named = Notation(null_values=())
    assert read(engine, "NULL", CUSTOMER_ID, notation=named)[0] == "NULL"
    guests = Notation(null_values=("guest", "-"))
    assert [read(engine, cell, CUSTOMER_ID, notation=guests)[0] for cell in ("guest", "-", "NULL")] == [
        None,
        None,
        "NULL",
    ]


@pytest.mark.parametrize("cell", ["Total", "TOTAL:", "Grand total", "Subtotal", "Summe", "sum", "Totals"])
def test_a_line_of_totals_is_told_by_its_key(cell: str, engine: Engine) -> None:
    assert read(engine, cell, ORDER_ID)[1] == "order_id is a line of totals"
    assert read(engine, f"{cell} 7", ORDER_ID)[1] is None


identifiers = st.text(st.sampled_from("aB1.0 \u00a0\ufeff@-"), max_size=12)


@given(cell=identifiers)
def test_what_an_identifier_means_means_itself(cell: str, engine: Engine) -> None:
    meant, _ = read(engine, cell, CUSTOMER_ID)
    assert meant is None or read(engine, meant, CUSTOMER_ID)[0] == meant
    assert read(engine, f" {cell}\u200b ", CUSTOMER_ID)[0] == meant


@pytest.mark.parametrize(
    ("cell", "number", "decimal", "thousands"),
    [
        ("1.25", 1.25, None, None),
        ("1,25", None, None, None),
        ("1,25", 1.25, ",", None),
        ("1.250", 1250.0, ",", None),
        ("1.250,5", 1250.5, ",", None),
        ("-1.250.000,05", -1250000.05, ",", None),
        ("1.25", None, ",", None),
        ("12.5000", None, ",", None),
        ("1,250", 1250.0, ".", None),
        ("1,250.5", 1250.5, ".", None),
        ("1.250", 1.25, ".", None),
        ("1'250.5", 1250.5, ".", "'"),
        ("1 250,5", 1250.5, ",", " "),
        ("1e3", 1000.0, ".", None),
        ("NULL", None, ",", None),
        (" 7 ", 7.0, ",", None),
    ],
)
def test_a_number_is_read_as_its_source_writes_it(
    cell: str, number: float | None, decimal: str | None, thousands: str | None, engine: Engine
) -> None:
    found, wrong = read(engine, cell, AMOUNT, notation=Notation(decimal, thousands))
    assert (found, wrong is None) == (number, number is not None or cell == "NULL")


@pytest.mark.parametrize(("cell", "number"), [("2", 2), ("2.0", 2), ("1.250", 1250), ("2,0", 2), ("2,5", None)])
def test_so_is_a_whole_number(cell: str, number: int | None, engine: Engine) -> None:
    notation = Notation("," if "," in cell or cell == "1.250" else ".")
    found, wrong = read(engine, cell, QUANTITY, notation=notation)
    assert (None if wrong else found) == number


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-06-01", datetime(2024, 6, 1)),
        (" 2024-06-01 10:00:00 ", datetime(2024, 6, 1, 10)),
        ("2024-06-01 10:00:00 -0400", datetime(2024, 6, 1, 14)),
        ("2024-06-01 10:00:00 -04:00", datetime(2024, 6, 1, 14)),
        ("2024-06-01 10:00:00-0400", datetime(2024, 6, 1, 14)),
        ("2024-06-01T10:00:00+05:30", datetime(2024, 6, 1, 4, 30)),
        ("2024-06-01T10:00:00Z", datetime(2024, 6, 1, 10)),
        ("2024-06-01 10:00:00 UTC", datetime(2024, 6, 1, 10)),
        ("2024-06-01 02:30:00 PM", datetime(2024, 6, 1, 14, 30)),
        ("2024-06-01 12:05 a.m.", datetime(2024, 6, 1, 0, 5)),
        ("0000-00-00 00:00:00", None),
        ("0000-00-00", None),
        ("NULL", None),
    ],
)
def test_a_moment_is_in_utc(cell: str, moment: datetime | None, engine: Engine) -> None:
    assert read(engine, cell, ORDERED_AT) == (moment, None)


@pytest.mark.parametrize(
    ("cell", "formats"), [("01/06/2024", ("%d/%m/%Y",)), ("June 1, 2024", ("%d/%m/%Y", "%B %-d, %Y"))]
)
def test_a_moment_is_read_in_the_formats_of_its_source(cell: str, formats: tuple[str, ...], engine: Engine) -> None:
    notation = Notation(date_format=formats)
    assert read(engine, cell, ORDERED_AT, notation=notation) == (datetime(2024, 6, 1), None)
    assert read(engine, cell, SPENT_ON, notation=notation) == (date(2024, 6, 1), None)
    assert read(engine, "2024-06-01", ORDERED_AT, notation=notation) == (None, "ordered_at is no TIMESTAMP")


def test_a_date_of_another_notation_is_no_date(engine: Engine) -> None:
    assert read(engine, "01/06/2024", ORDERED_AT) == (None, "ordered_at is no TIMESTAMP")


# In a feed.


@dataclass(frozen=True)
class Loaded:
    """What a feed made of a file: the rows by their keys, the reasons of those set aside, and what was told."""

    rows: list[dict[str, Any]]
    reasons: list[str]
    notes: Sequence[str]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Loaded]:
    def load(
        content: str,
        dataset: str = "orders",
        select: str = EVERYTHING,
        feed: Any = None,
        shop: Any = None,
        **files: Any,
    ) -> Loaded:
        (tmp_path / "x.csv").write_text(content)
        connector = {"type": "files", "path": "x.csv", **files}
        named = {"name": "Shop", "currency": "EUR", **(shop or {})}
        settings = Settings.model_validate({**named, "connectors": {"shop": connector}})
        feeds = {dataset: Feed.model_validate({"from": "shop", "select": select, **(feed or {})})}
        with closing(Deployment(tmp_path / "c360.yaml", settings, feeds, CONTRACTS)) as deployment:
            contract = CONTRACTS[f"sources/{dataset}"]
            loaded = Feeds(deployment).load(contract)
            rows = loaded.rows.order_by(contract.primary_key).to_pyarrow().to_pylist()
            return Loaded(rows, loaded.quarantine.to_pyarrow().column("reason").to_pylist(), loaded.notes)

    return load


Load = Callable[..., Loaded]


@pytest.mark.parametrize(("decimal", "expected"), [(",", [1250.0, 980.0]), (".", [1.25, 980.0])])
def test_numbers_that_read_either_way_are_told_and_the_remedy_helps(
    decimal: str, expected: list[float], load: Load
) -> None:
    content = "order_id;total_amount\n1;1.250\n2;980\n"
    told = r"such as 1\.250, which is 1250 or 1\.25, .*Set `decimal: ','` or `decimal: '\.'`"
    with pytest.raises(FeedError, match=told):
        load(content, delimiter=";")
    assert load(content, delimiter=";", decimal=decimal).column("total_amount") == expected
    cast = "select order_id, total_amount::double as total_amount from raw"
    assert load(content, delimiter=";", select=cast).column("total_amount") == [1.25, 980.0]


@pytest.mark.parametrize("evidence", ["2.5", "0.125", "10.1250"])
def test_one_number_that_reads_one_way_tells_how_the_others_are_read(evidence: str, load: Load) -> None:
    loaded = load(f"order_id,total_amount,shipping_amount\n1,1.250,\n2,,{evidence}\n")
    assert loaded.column("total_amount") == [1.25, None]


def test_numbers_of_persons_are_not_shown(load: Load) -> None:
    with pytest.raises(FeedError, match=r"annual_income' has numbers such as 1\.250, which") as raised:
        load("customer_id,annual_income\n1,73.912\n", "customer")
    assert "73" not in str(raised.value)


def test_following_the_message_a_row_that_does_not_cast_is_set_aside_with_its_reason(load: Load) -> None:
    content = "id,day,total\nR1,31/05/2024,5.00\nR2,06/14/2024,3 EUR\n"
    with pytest.raises(FeedError, match=r"Select the column as it is: .*`date_format` on the connector"):
        load(content, select="select id as order_id, cast(total as double) as total_amount from raw")
    as_they_are = "select id as order_id, day as ordered_at, total as total_amount from raw"
    loaded = load(content, select=as_they_are, date_format="%d/%m/%Y")
    assert loaded.column("ordered_at") == [datetime(2024, 5, 31)]
    assert loaded.reasons == ["ordered_at is no TIMESTAMP; total_amount is no number"]


def test_a_bad_birthday_costs_no_customer_and_a_column_of_them_is_a_wrong_mapping(load: Load) -> None:
    header = "customer_id,date_of_birth\n"
    loaded = load(f"{header}1,31.12.1970\n2,1970-12-31\n3,\n", "customer")
    assert loaded.column("date_of_birth") == [None, datetime(1970, 12, 31), None]
    assert loaded.notes == ["date_of_birth is no TIMESTAMP in 1 row, where it was left empty"]
    unreadable = "".join(f"{number},31.12.1970\n" for number in range(30))
    told = (
        r"date_of_birth is no TIMESTAMP in all 30 rows that have a value there, .* set `date_format`, such as '%d\.%m"
    )
    with pytest.raises(FeedError, match=told):
        load(f"{header}{unreadable}99,\n", "customer")
    loaded = load(f"{header}{unreadable}99,\n", "customer", date_format="%d.%m.%Y")
    assert loaded.column("date_of_birth").count(datetime(1970, 12, 31)) == 30


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("canceled", "cancelled"),
        (" Delivered ", "delivered"),
        ("payment_pending", "pending"),
        ("Pending-Payment", "pending"),
        ("refund", "refunded"),
        ("versandt", "shipped"),
        ("new", "pending"),
        ("teleported ", "teleported"),
        ("", None),
    ],
)
def test_a_status_is_read_in_the_words_of_the_contract_and_what_is_not_known_keeps_its_word(
    word: str, meant: str | None, load: Load
) -> None:
    feed = {"status": {"versandt": "shipped", "New": "pending"}}
    assert load(f"order_id,order_status\n1,{word}\n", feed=feed).column("order_status") == [meant]


def test_amounts_of_another_currency_are_set_aside(load: Load) -> None:
    loaded = load("order_id,currency,total_amount\n1,eur,5\n2,USD,5\n3,,5\n")
    assert loaded.column("order_id") == ["1", "3"]
    assert loaded.reasons == ["currency is not EUR, the reporting currency"]


def test_identifiers_of_a_feed_can_be_told_apart_by_less_or_more(load: Load) -> None:
    content = "order_id,customer_id\n1,Ab\n2, ab\n"
    assert load(content).column("customer_id") == ["Ab", "ab"]
    assert load(content, feed={"identifiers": {"ignore_case": True}}).column("customer_id") == ["ab", "ab"]
    assert load(content, feed={"identifiers": {"trim": False}}).column("customer_id") == ["Ab", " ab"]


def test_a_customer_may_be_called_null_where_the_connector_says_so(load: Load) -> None:
    assert load("order_id,customer_id\n1,NULL\n", null_values=[]).column("customer_id") == ["NULL"]


def test_what_pandas_made_of_identifiers_is_mended_in_parquet(tmp_path: Path, load: Load) -> None:
    pq.write_table(pa.table({"order_id": [1.0, 2.0], "customer_id": [17850.0, float("nan")]}), tmp_path / "o.parquet")
    loaded = load("", path="o.parquet")
    assert (loaded.column("order_id"), loaded.column("customer_id")) == (["1", "2"], ["17850", None])


@pytest.mark.parametrize(
    ("cell", "given", "moment"),
    [
        ("2024-06-01 22:30:00", "VARCHAR", datetime(2024, 6, 2, 3, 30)),
        ("2024-06-01 10:30 PM", "VARCHAR", datetime(2024, 6, 2, 3, 30)),
        ("2024-06-01", "VARCHAR", datetime(2024, 6, 1, 5)),
        ("2024-01-01", "DATE", datetime(2024, 1, 1, 6)),
        ("300000-01-01", "DATE", None),
        ("2024-01-01 00:00:00", "TIMESTAMP", datetime(2024, 1, 1, 6)),
        ("2024-01-01 00:00:00", "TIMESTAMP_NS", datetime(2024, 1, 1, 6)),
        ("2024-06-01 22:30:00+02", "VARCHAR", datetime(2024, 6, 1, 20, 30)),
        ("2024-06-01 22:30:00+02", "TIMESTAMP WITH TIME ZONE", datetime(2024, 6, 1, 20, 30)),
        ("soon", "VARCHAR", None),
    ],
)
def test_a_moment_without_offset_is_of_the_clock_of_its_source(
    engine: Engine, cell: str, given: str, moment: datetime | None
) -> None:
    value = Value(ORDERED_AT, given, Notation(), Identity(), "America/Chicago")
    assert through(engine, value, cell)[0] == moment


def test_a_birthday_is_the_same_day_everywhere(engine: Engine) -> None:
    born = CONTRACTS["sources/customer"].column("date_of_birth")
    value = Value(born, "VARCHAR", Notation(), Identity(), "America/Chicago")
    assert through(engine, value, "1970-12-31")[0] == datetime(1970, 12, 31)


def test_the_clock_of_a_feed_is_its_own_or_that_of_the_shop(load: Load) -> None:
    content = "order_id,ordered_at\n1,2024-01-31 21:30:00\n"
    assert load(content).column("ordered_at") == [datetime(2024, 1, 31, 21, 30)]
    assert load(content, feed={"timezone": "America/Chicago"}).column("ordered_at") == [datetime(2024, 2, 1, 3, 30)]
    assert load(content, shop={"timezone": "Europe/Berlin"}).column("ordered_at") == [datetime(2024, 1, 31, 20, 30)]
