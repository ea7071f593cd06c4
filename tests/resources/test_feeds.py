"""Feeds: what becomes of a source's rows, those that keep their contract and those that do not."""

import csv
import gzip
import io
import json
import re
import traceback
import zipfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import C360Error
from resources.connectors import ConnectorError
from resources.deployment import Deployment, Feed, Settings
from resources.feeds import ROWS_THAT_TELL, FeedError, Feeds, Load
from resources.lake import check_columns
from tests.tables import CONTRACTS

Row = dict[str, Any]
LINES = "order_li_id,order_id,qty,unit_price\n"
ORDERS = "order_id,customer_id,ordered_at,total_amount,has_discount\n"
EVERYTHING = "select * from raw"

# Values of people that must be found nowhere outside the dataset's own rows.
STREET = "Sackville Street 17"
EMAIL = "ann@example.org"
BIRTHDAY = "31.12.1970"
PERSONAL = (STREET, EMAIL, BIRTHDAY, "Lovelace")


@dataclass(frozen=True)
class Outcome:
    """What a load brought, as Python values in a fixed order."""

    load: Load
    rows: list[Row]
    quarantine: list[Row]

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows were set aside for each reason."""
        return {row["reason"]: row["copies"] for row in self.quarantine}

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


class Shop:
    """A deployment whose connector reads one file, written anew for every load."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deployment(
        self,
        *datasets: str,
        select: str = EVERYTHING,
        path: str = "export.csv",
        currency: str = "EUR",
        may_be_empty: bool = False,
        **files: Any,
    ) -> Deployment:
        connector = {"type": "files", "path": path, **files}
        settings = Settings.model_validate({"name": "Shop", "currency": currency, "connectors": {"shop": connector}})
        feeds = {dataset: Feed(**{"from": "shop"}, select=select, may_be_empty=may_be_empty) for dataset in datasets}
        return Deployment(self.folder / "c360.yaml", settings, feeds, CONTRACTS)

    def load(
        self, dataset: str, content: str | bytes, path: str = "export.csv", is_checked: bool = False, **mapping: Any
    ) -> Outcome:
        written = content if isinstance(content, bytes) else content.encode()
        (self.folder / path).write_bytes(written)
        with closing(self.deployment(dataset, path=path, **mapping)) as deployment:
            contract = deployment.contracts[f"sources/{dataset}"]
            loaded = Feeds(deployment).load(contract)
            if is_checked:
                Feeds(deployment).check_enough_are_kept(contract, loaded)
            return outcome(loaded)

    def lines(self, content: str | bytes, **mapping: Any) -> Outcome:
        return self.load("order_line_item", content, **mapping)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def stored(shop: Shop, **contents: str | None) -> list[Row]:
    """The quarantine table after these datasets came in; None is a dataset whose feed was taken out of c360.yaml."""
    for dataset, content in contents.items():
        (shop.folder / "export.csv").write_text(content or "")
        with closing(shop.deployment(*([dataset] if content else []))) as deployment:
            set_aside(deployment, dataset)
    with closing(shop.deployment()) as deployment:
        return values(deployment.lake.read(deployment.contracts["quarantine"]))


def set_aside(deployment: Deployment, dataset: str) -> None:
    feeds = Feeds(deployment)
    contract = deployment.contracts[f"sources/{dataset}"]
    feeds.quarantine(contract, feeds.load(contract), {"c360.run_id": "run"})


def outcome(load: Load) -> Outcome:
    return Outcome(load, values(load.rows), values(load.quarantine))


def values(table: ir.Table) -> list[Row]:
    return sorted(table.to_pyarrow().to_pylist(), key=str)


def said(error: BaseException) -> str:
    """Everything a log shows of an error, the errors it came from included."""
    return "".join(traceback.format_exception(error))


def strict_json(text: str) -> Row:
    """JSON as every reader understands it: Python's own would take NaN and Infinity too."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def csv_of(records: list[tuple[str, ...]], header: str = LINES) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([header.strip().split(","), *records])
    return buffer.getvalue()


# How rows get in.


def test_columns_are_taken_by_name_and_typed_and_the_absent_ones_are_null(shop: Shop) -> None:
    loaded = shop.lines("unit_price,order_id,order_li_id,qty\n3.50,A,1,2\n")
    given = {"order_li_id": "1", "order_id": "A", "qty": 2, "unit_price": 3.5}
    absent = dict.fromkeys(CONTRACTS["sources/order_line_item"].column_names)
    assert loaded.rows == [absent | given]
    assert (loaded.quarantine, loaded.load.row_count, loaded.load.quarantined_count) == ([], 1, 0)
    check_columns(CONTRACTS["sources/order_line_item"], loaded.load.rows)


@pytest.mark.parametrize(
    "select",
    [
        "select line as order_li_id, 'A' as order_id from raw;",
        "select line as order_li_id, 'A' as order_id from raw ;\n\n",
        "select line as order_li_id, 'A' as order_id from raw where line <> 'Préféré à Nîmes'",
        "select line as order_li_id, 'A' as order_id from raw where line <> 'ÄÖÜ';",
        "with kept as (select * from raw) select line as order_li_id, 'A' as order_id from kept",
        "select line as order_li_id, 'A' as order_id from raw -- every line; all of one order",
        "select line as order_li_id, 'A' as order_id from raw; -- every line",
        "-- every line\nselect\n  line as order_li_id,\n  'A' as order_id /* all of one */\nfrom raw\n",
    ],
)
def test_a_select_may_be_written_in_any_style(select: str, shop: Shop) -> None:
    loaded = shop.lines("1\n2\n", path="export.txt", select=select)
    assert [(row["order_li_id"], row["order_id"]) for row in loaded.rows] == [("1", "A"), ("2", "A")]


def test_a_header_alone_is_a_dataset_without_rows(shop: Shop) -> None:
    loaded = shop.lines(LINES)
    assert (loaded.rows, loaded.quarantine, loaded.load.row_count) == ([], [], 0)
    check_columns(CONTRACTS["sources/order_line_item"], loaded.load.rows)


@pytest.mark.parametrize("dataset", ["orders", "customer"])
def test_an_absent_feed_is_an_empty_table_of_the_contracts_columns(dataset: str, shop: Shop) -> None:
    with closing(shop.deployment()) as deployment:
        loaded = outcome(Feeds(deployment).load(deployment.contracts[f"sources/{dataset}"]))
        check_columns(CONTRACTS[f"sources/{dataset}"], loaded.load.rows)
        check_columns(CONTRACTS["quarantine"], loaded.load.quarantine)
    assert (loaded.rows, loaded.quarantine) == ([], [])
    assert (loaded.load.row_count, loaded.load.quarantined_count, loaded.load.origin) == (0, 0, "no feed")


def test_what_was_set_aside_keeps_the_quarantines_contract(shop: Shop) -> None:
    check_columns(CONTRACTS["quarantine"], shop.lines(f"{LINES}1,A,x,1\n").load.quarantine)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_row_is_the_same_in_every_shape_it_comes_in(kind: str, shop: Shop) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"order_li_id": ["1"], "order_id": ["A"], "qty": [2], "unit_price": [3.5]}), buffer)
    written = {
        "csv": f"{LINES}1,A,2,3.5\n".encode(),
        "csv.gz": gzip.compress(f"{LINES}1,A,2,3.5\n".encode()),
        "jsonl": b'{"order_li_id": "1", "order_id": "A", "qty": 2, "unit_price": 3.5}\n',
        "parquet": buffer.getvalue(),
    }
    loaded = shop.lines(written[kind], path=f"export.{kind}")
    assert loaded.rows == shop.lines(written["csv"]).rows != []


def test_ids_that_are_now_numbers_and_now_texts_stay_one_kind_of_id(shop: Shop) -> None:
    lines = '{"order_li_id": "1", "order_id": "A"}\n{"order_li_id": 2, "order_id": "A"}\n'
    assert shop.lines(lines, path="export.jsonl").column("order_li_id") == ["1", "2"]


# What is said of a mapping that does not fit.


def test_an_unknown_column_in_the_select_is_named_with_its_candidates(shop: Shop) -> None:
    with pytest.raises(FeedError, match=r'order_line_item \(shop: export\.csv\).*"li_id".*"order_li_id"'):
        shop.lines(f"{LINES}1,A,2,3\n", select="select li_id as order_li_id, order_id from raw")


@pytest.mark.parametrize("select", ["select *, 1 as colour from raw", "select *, qty as colour from raw"])
def test_a_column_the_contract_lacks_is_named_with_those_it_has(select: str, shop: Shop) -> None:
    with pytest.raises(FeedError, match=r"column 'colour' is not in the contract.*columns are order_li_id, order_id"):
        shop.lines(f"{LINES}1,A,2,3\n", select=select)


def test_a_required_column_that_is_not_selected_is_named(shop: Shop) -> None:
    with pytest.raises(FeedError, match="column 'order_id' is required and not selected"):
        shop.lines(f"{LINES}1,A,2,3\n", select="select order_li_id from raw")


def test_every_fault_of_a_mapping_is_named_at_once(shop: Shop) -> None:
    with pytest.raises(FeedError) as raised:
        shop.lines("id,size,qty\n1,2,3\n", select="select id, size, qty from raw")
    for name in ("id", "size", "order_li_id", "order_id"):
        assert f"column '{name}' is" in str(raised.value)


def test_every_column_the_source_lacks_is_named_with_the_nearest_it_has(shop: Shop) -> None:
    with pytest.raises(FeedError) as raised:
        shop.lines(
            "line,order,n\n1,A,2\n", select="select lne as order_li_id, raw.ordr as order_id, sum(qtty), n from raw"
        )
    told = str(raised.value)
    assert 'the source has no column "lne" (nearest: line), "ordr" (nearest: order), "qtty".' in told


def test_a_column_lacking_elsewhere_than_in_the_source_is_named_as_duckdb_does(shop: Shop) -> None:
    select = "select one.order_id from (select order_li_id from raw) one"
    with pytest.raises(FeedError, match=r'Binder Error: .*"one" does not have a column named "order_id"'):
        shop.lines(f"{LINES}1,A,2,3\n", select=select)


# What is told of feeds before their rows are read.


def faults(shop: Shop, select: str = EVERYTHING, dataset: str = "order_line_item", **files: Any) -> list[str]:
    with closing(shop.deployment(dataset, select=select, **files)) as deployment:
        return Feeds(deployment).faults([deployment.contracts[f"sources/{dataset}"]])


def parquet(**columns: list[Any]) -> bytes:
    pq.write_table(pa.table(columns), file := io.BytesIO())
    return file.getvalue()


FORMATS = {
    "export.csv": f"{LINES}1,A,2,3\n".encode(),
    "export.csv.gz": gzip.compress(f"{LINES}1,A,2,3\n".encode()),
    "export.jsonl": b'{"order_li_id": "1", "order_id": "A"}\n{"qty": 2, "unit_price": 3}\n',
    "export.parquet": parquet(order_li_id=[1], order_id=["A"]),
}


@pytest.mark.parametrize("path", FORMATS)
def test_a_mapping_is_judged_by_the_columns_of_a_file_of_any_kind(path: str, shop: Shop) -> None:
    (shop.folder / path).write_bytes(FORMATS[path])
    assert faults(shop, path=path) == []
    (told,) = faults(shop, "select order_li_id, ordr_id as order_id from raw", path=path)
    assert '"ordr_id" (nearest: order_id' in told


def test_lines_are_judged_by_their_one_column(shop: Shop) -> None:
    (shop.folder / "export.txt").write_text("1 A\n")
    select = "select line[:1] as order_li_id, split_part(line, ' ', 2) as order_id from raw"
    assert faults(shop, select, path="export.txt") == []
    (told,) = faults(shop, select.replace("(line", "(lines"), path="export.txt")
    assert '"lines" (nearest: line)' in told


def test_the_sample_company_is_judged_without_being_made(shop: Shop) -> None:
    settings = {"name": "Shop", "currency": "EUR", "connectors": {"sample": {"type": "sample"}}}
    feeds = {name: Feed(**{"from": "sample"}) for name in ("customer", "orders")}
    feeds["orders"] = Feed(**{"from": "sample"}, select="select odrer_id as order_id from raw")
    deployment = Deployment(shop.folder / "c360.yaml", Settings.model_validate(settings), feeds, CONTRACTS)
    with closing(deployment):
        (told,) = Feeds(deployment).faults(CONTRACTS[f"sources/{name}"] for name in feeds)
    assert "Feed orders (sample: " in told
    assert '"odrer_id" (nearest: order_id' in told
    assert not [*shop.folder.iterdir()]


def test_what_is_wrong_with_a_source_is_said_once_and_that_of_each_feed_with_it(shop: Shop) -> None:
    datasets = ("orders", "order_line_item")
    with closing(shop.deployment(*datasets)) as deployment:
        wanted = [deployment.contracts[f"sources/{dataset}"] for dataset in datasets]
        (told,) = Feeds(deployment).faults(wanted)
        assert told.startswith("Feeds orders, order_line_item: Connector shop, path export.csv: no such file")
        (shop.folder / "export.csv").write_text(f"{LINES}1,A,2,3\n")
        (told,) = Feeds(deployment).faults(wanted)
        assert told.startswith("Feed orders (shop: export.csv): column 'order_li_id' is not in the contract")


def test_feeds_that_read_one_archive_are_judged_together(shop: Shop) -> None:
    with zipfile.ZipFile(shop.folder / "export.zip", "w") as archive:
        for part in range(3):
            archive.writestr(f"part-{part}.csv", f"{LINES}{part},A,2,3\n")
    datasets = ("order_line_item", "orders", "transactions", "product")
    with closing(shop.deployment(*datasets, path="export.zip")) as deployment:
        told = Feeds(deployment).faults(deployment.contracts[f"sources/{dataset}"] for dataset in datasets)
        assert [each.split(" (")[0] for each in told] == ["Feed orders", "Feed transactions", "Feed product"]
        assert outcome(Feeds(deployment).load(deployment.contracts["sources/order_line_item"])).load.kept_count == 3


@pytest.mark.parametrize("count", [ROWS_THAT_TELL, 3 * ROWS_THAT_TELL])
def test_a_column_that_casts_in_no_row_is_a_wrong_mapping(count: int, shop: Shop) -> None:
    lines = "".join(f"{number},A,many,1\n" for number in range(count))
    with pytest.raises(FeedError, match=f"qty is no number in all {count} rows, so the mapping is wrong"):
        shop.lines(LINES + lines)


def test_a_sum_of_texts_is_refused_without_all_the_sums_there_are(shop: Shop) -> None:
    with pytest.raises(FeedError, match="sum") as raised:
        shop.load("orders", PLAIN, select=SUMMED.format("total_amount"))
    assert "Candidate" not in str(raised.value)


RETURNED_LATER = "receipt,day\nA,2-12-2025\nA,17-12-2025\nA,31-1-2026\n"


@pytest.mark.parametrize("select", ["{}", "from ({}) union all select 'B', '1-1-2026'"])
def test_the_first_of_texts_that_do_not_sort_as_days_do_is_refused(select: str, shop: Shop) -> None:
    """The first of 2-12, 17-12 and 31-1 by text is 17-12."""
    first = "select receipt as order_id, min(day) as ordered_at from raw group by all"
    with pytest.raises(FeedError, match="'ordered_at' is the min of texts") as raised:
        shop.load("orders", RETURNED_LATER, select=select.format(first), date_format="%d-%m-%Y")
    remedy = 'coalesce(min_by("day", try_strptime("day", [\'%d-%m-%Y\'])), min("day"))'
    assert f"Select {remedy} as ordered_at." in said(raised.value)
    select = f"select receipt as order_id, {remedy} as ordered_at from raw group by all"
    loaded = shop.load("orders", f"{RETURNED_LATER}B,31-31-2026\n", select=select, date_format="%d-%m-%Y")
    assert loaded.column("ordered_at") == [datetime(2025, 12, 2)]
    assert loaded.reasons == {"ordered_at is no TIMESTAMP": 1}


def test_the_first_of_texts_that_sort_as_days_do_is_taken(shop: Shop) -> None:
    select = "select receipt as order_id, min(day) as ordered_at from raw group by all"
    rows = "receipt,day\nA,2025/12/17\nA,2025/12/02\n"
    loaded = shop.load("orders", rows, select=select, date_format="%Y/%m/%d")
    assert loaded.column("ordered_at") == [datetime(2025, 12, 2)]


def test_of_few_rows_nobody_can_tell_whether_the_mapping_is_wrong(shop: Shop) -> None:
    lines = "".join(f"{number},A,many,1\n" for number in range(ROWS_THAT_TELL - 1))
    assert shop.lines(LINES + lines).load.quarantined_count == ROWS_THAT_TELL - 1


def test_one_good_value_shows_that_the_mapping_is_right(shop: Shop) -> None:
    lines = "".join(f"{number},A,many,1\n" for number in range(ROWS_THAT_TELL))
    loaded = shop.lines(f"{LINES}{lines}good,A,1,1\n")
    assert (loaded.column("order_li_id"), loaded.load.quarantined_count) == (["good"], ROWS_THAT_TELL)


def test_rows_bad_in_different_columns_are_no_wrong_mapping(shop: Shop) -> None:
    lines = "".join(f"{number},A,many,1\n{number}b,A,1,dear\n" for number in range(ROWS_THAT_TELL))
    assert shop.lines(LINES + lines).reasons.keys() == {"qty is no number", "unit_price is no number"}


# What becomes of a value.


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("-1", -1), ("2.0", 2), ("0", 0), (" 7 ", 7), ("100000", 100_000), ("", None), ("NaN", None)],
)
def test_a_whole_number_is_read(text: str, value: int | None, shop: Shop) -> None:
    loaded = shop.load("loyalty_ledger", f"entry_id,points\n1,{text}\n")
    assert (loaded.reasons, loaded.column("points")) == ({}, [value])


@pytest.mark.parametrize("text", ["x", "2.5", "2147483648", "inf", "1 2", "two", "2024-01-31"])
def test_what_is_no_whole_number_is_set_aside_and_the_other_rows_stay(text: str, shop: Shop) -> None:
    loaded = shop.load("loyalty_ledger", f"entry_id,points\n1,{text}\n2,1\n3,1\n")
    assert (loaded.column("entry_id"), loaded.reasons) == (["2", "3"], {"points is no whole number": 1})
    assert (loaded.load.row_count, loaded.load.quarantined_count) == (3, 1)


@pytest.mark.parametrize(
    ("text", "value"), [("2.5", 2.5), ("-0.01", -0.01), ("1e3", 1000.0), ("", None), ("NaN", None), ("nan", None)]
)
def test_a_number_is_read(text: str, value: float | None, shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}1,A,1,{text}\n")
    assert (loaded.reasons, loaded.column("unit_price")) == ({}, [value])


@pytest.mark.parametrize("text", ["dear", '"2,50"', "€ 2.50", "inf", "-Infinity", "1e400", "2.5.1"])
def test_what_is_no_number_is_set_aside_and_the_other_rows_stay(text: str, shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}1,A,1,{text}\n2,A,1,1\n")
    assert (loaded.column("order_li_id"), loaded.reasons) == (["2"], {"unit_price is no number": 1})


def test_numbers_of_a_parquet_file_are_judged_like_text(shop: Shop) -> None:
    table = {"entry_id": ["a", "b", "c", "d"], "points": [1.0, 2.5, float("nan"), float("inf")]}
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer)
    loaded = shop.load("loyalty_ledger", buffer.getvalue(), path="export.parquet")
    assert [(row["entry_id"], row["points"]) for row in loaded.rows] == [("a", 1), ("c", None)]
    assert (set(loaded.reasons), loaded.load.quarantined_count) == ({"points is no whole number"}, 2)
    buffer = io.BytesIO()
    prices = [1.5, float("nan"), float("inf"), None]
    pq.write_table(pa.table({"order_li_id": ["a", "b", "c", "d"], "order_id": ["A"] * 4, "unit_price": prices}), buffer)
    loaded = shop.lines(buffer.getvalue(), path="export.parquet")
    assert [(row["order_li_id"], row["unit_price"]) for row in loaded.rows] == [("a", 1.5), ("b", None), ("d", None)]
    assert loaded.reasons == {"unit_price is no number": 1}


def test_a_record_is_json_for_every_reader_even_where_a_number_is_none(shop: Shop) -> None:
    buffer = io.BytesIO()
    table = {"order_li_id": ["1"], "order_id": [None], "qty": [1.0], "unit_price": [float("inf")]}
    pq.write_table(pa.table(table), buffer)
    loaded = shop.lines(buffer.getvalue(), path="export.parquet")
    assert strict_json(loaded.quarantine[0]["record"]).keys() == table.keys()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2024-02-29 10:00:00.5", datetime(2024, 2, 29, 10, 0, 0, 500_000)),
        ("2024-01-01T00:00:00Z", datetime(2024, 1, 1)),
        ("2024-01-01T00:00:00+02:00", datetime(2023, 12, 31, 22)),
        ("2024-01-01 00:00:00+02:00 ", datetime(2023, 12, 31, 22)),
        ("1900-01-01", datetime(1900, 1, 1)),
        ("2099-12-31 23:59:59", datetime(2099, 12, 31, 23, 59, 59)),
        ("", None),
    ],
)
def test_a_moment_is_read_as_utc(text: str, moment: datetime | None, shop: Shop) -> None:
    loaded = shop.load("orders", f"{ORDERS}1,C,{text},1,true\n")
    assert (loaded.reasons, loaded.column("ordered_at")) == ({}, [moment])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9999-12-31", "ordered_at is after 2099-12-31 23:59:59"),
        ("infinity", "ordered_at is after 2099-12-31 23:59:59"),
        ("1066-10-14", "ordered_at is before 1900-01-01 00:00:00"),
        ("2023-02-29", "ordered_at is no TIMESTAMP"),
        ("14.10.2024", "ordered_at is no TIMESTAMP"),
        ("yesterday", "ordered_at is no TIMESTAMP"),
        ("45000", "ordered_at is no TIMESTAMP"),
    ],
)
def test_a_moment_that_is_none_or_cannot_be_meant_is_set_aside(text: str, reason: str, shop: Shop) -> None:
    loaded = shop.load("orders", f"{ORDERS}1,C,{text},1,true\n2,C,2024-01-01,1,true\n")
    assert (loaded.column("order_id"), loaded.reasons) == (["2"], {reason: 1})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False), ("1", True), ("no", False), ("", None)])
def test_yes_and_no_are_read_in_their_usual_spellings(text: str, value: bool | None, shop: Shop) -> None:
    loaded = shop.load("orders", f"{ORDERS}1,C,2024-01-01,1,{text}\n")
    assert (loaded.reasons, loaded.column("has_discount")) == ({}, [value])


def test_what_is_neither_yes_nor_no_is_left_empty_and_told(shop: Shop) -> None:
    loaded = shop.load("orders", f"{ORDERS}1,C,2024-01-01,1,perhaps\n2,C,2024-01-01,1,true\n")
    assert (loaded.column("has_discount"), loaded.reasons) == ([None, True], {})
    assert loaded.load.notes == ["has_discount is no BOOLEAN in 1 row, where it was left empty"]


def test_a_text_of_any_content_and_length_is_kept_whole(shop: Shop) -> None:
    texts = ["An\0n", "x" * 1_000_000, "two\nlines", " padded ", "NULL", "1.0", "ANN@SHOP.EXAMPLE"]
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("customer_id", "hobbies"), *enumerate(texts)])
    assert shop.load("customer", buffer.getvalue()).column("hobbies") == texts


@pytest.mark.parametrize("key", ["", '""', "   ", '"\t"', '" \n"'])
def test_a_row_with_a_blank_key_is_set_aside(key: str, shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}{key},A,1,1\n2,A,1,1\n")
    assert (loaded.column("order_li_id"), loaded.reasons) == (["2"], {"order_li_id is missing": 1})


def test_a_row_with_several_faults_is_set_aside_once_with_all_of_them(shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}1,,many,dear\n2,A,1,1\n")
    assert loaded.reasons == {"order_id is missing; qty is no number; unit_price is no number": 1}


def test_a_bad_row_is_found_wherever_it_stands_in_a_long_file(shop: Shop) -> None:
    lines = [f"{number},A,1\n" for number in range(130_000)]
    lines[125_000] = "125000,A,many\n"
    loaded = shop.lines("order_li_id,order_id,qty\n" + "".join(lines))
    assert (len(loaded.rows), loaded.load.quarantined_count) == (129_999, 1)


# Rows that share a key.


def test_of_rows_that_share_a_key_the_newest_stays(shop: Shop) -> None:
    days = ["2024-01-01", "2024-01-03", "", "2024-01-02"]
    loaded = shop.load("orders", ORDERS + "".join(f"1,C,{day},1,true\n" for day in days) + "2,C,,1,true\n")
    assert [(row["order_id"], row["ordered_at"]) for row in loaded.rows] == [
        ("1", datetime(2024, 1, 3)),
        ("2", None),
    ]
    assert [row["reason"] for row in loaded.quarantine] == [
        "order_id: key repeats, another row of that key is kept"
    ] * 3
    assert loaded.load.quarantined_count == 3


def test_identical_rows_are_set_aside_as_one_with_their_number(shop: Shop) -> None:
    loaded = shop.lines(LINES + "1,A,2,3.5\n" * 4 + "2,A,x,1\n" * 3)
    assert (len(loaded.rows), loaded.load.quarantined_count) == (1, 6)
    assert sorted(row["copies"] for row in loaded.quarantine) == [3, 3]


def test_a_row_that_does_not_fit_does_not_oust_one_of_its_key_that_does(shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}1,A,many,1\n1,A,2,1\n")
    assert (loaded.column("qty"), loaded.reasons) == ([2], {"qty is no number": 1})


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_which_rows_stay_does_not_depend_on_their_order(data: st.DataObject) -> None:
    moments = st.sampled_from(["", "2024-01-01", "2024-01-02", "soon"])
    record = st.tuples(st.sampled_from("123"), st.sampled_from("CD"), moments, st.sampled_from("01"), st.just(""))
    records = data.draw(st.lists(record, min_size=2, max_size=9))
    with TemporaryDirectory() as folder:
        first = Shop(Path(folder)).load("orders", csv_of(records, ORDERS))
        second = Shop(Path(folder)).load("orders", csv_of(data.draw(st.permutations(records)), ORDERS))
    assert (first.rows, first.quarantine) == (second.rows, second.quarantine)


@settings(max_examples=30, deadline=None)
@given(
    records=st.lists(
        st.lists(
            st.sampled_from("1234567") | st.text(st.characters(codec="utf-8"), max_size=4), min_size=2, max_size=6
        ),
        max_size=12,
    )
)
def test_every_row_is_either_kept_or_set_aside(records: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        loaded = Shop(Path(folder)).lines(csv_of([tuple(record) for record in records]))
    set_aside = sum(row["copies"] for row in loaded.quarantine)
    # A record that cannot be split counts by its lines.
    lines = sum(len(re.findall(r"\r\n|\r|\n", "".join(record))) + 1 for record in records)
    assert len(records) <= len(loaded.rows) + set_aside <= lines
    assert set_aside == loaded.load.quarantined_count
    assert loaded.load.read_count == loaded.load.row_count + len(
        [row for row in loaded.quarantine if "line" in row["reason"]]
    )


# What is kept of a row that was set aside.


def test_a_row_set_aside_says_where_it_came_from_what_is_wrong_and_what_it_was(shop: Shop) -> None:
    loaded = shop.lines(f'{LINES}1,"A ""x""",many,\n2,A,1,1\n')
    (kept,) = loaded.quarantine
    assert strict_json(kept.pop("record")) == {
        "order_li_id": "1",
        "order_id": 'A "x"',
        "qty": "aaaa",
        "unit_price": None,
    }
    assert kept == {
        "dataset": "order_line_item",
        "source": "shop: export.csv",
        "reason": "qty is no number",
        "copies": 1,
    }


def test_classified_values_are_masked_and_a_missing_one_stays_missing(shop: Shop) -> None:
    loaded = shop.load("customer", f"customer_id,first_name,age,is_premium,city\n,Ann,{EMAIL},true,\n")
    assert strict_json(loaded.quarantine[0]["record"]) == {
        "customer_id": None,
        "first_name": "***",
        "age": "***",
        "is_premium": "true",
        "city": None,
    }


def test_every_column_of_a_masked_class_is_masked(shop: Shop) -> None:
    contract = CONTRACTS["sources/customer"]
    select = ", ".join(f"'Lovelace' as {name}" for name in contract.column_names if name != "customer_id")
    loaded = shop.load("customer", "x\n1\n", select=f"select null::varchar as customer_id, {select} from raw")
    record = strict_json(loaded.quarantine[0]["record"])
    assert record.pop("customer_id") is None
    others = [column for column in contract.columns if column.name != "customer_id"]
    shown = {column.name: "Lovelace" if column.type == "VARCHAR" else "aaaaaaaa" for column in others}
    assert record == {column.name: "***" if column.is_masked else shown[column.name] for column in others}


def test_a_line_that_cannot_be_split_is_set_aside_by_number_without_its_content(shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}1,A,1\n2,A,1,1\n3,A,1,1,{STREET}\n")
    assert loaded.column("order_li_id") == ["2"]
    assert loaded.reasons == {
        "line 2 of export.csv: missing columns": 1,
        "line 4 of export.csv: too many columns": 1,
    }
    assert {row["record"] for row in loaded.quarantine} == {"***"}
    assert loaded.load.quarantined_count == 2


def test_a_thousand_lines_that_cannot_be_split_are_a_thousand_rows_set_aside(shop: Shop) -> None:
    loaded = shop.lines(f"{LINES}1,A,1,1\n" + "2,A,1\n" * 1000)
    assert (len(loaded.rows), len(loaded.quarantine), loaded.load.quarantined_count) == (1, 1000, 1000)


def test_no_personal_value_is_kept_of_a_row_that_was_set_aside(shop: Shop) -> None:
    header = "customer_id,last_name,email_address,date_of_birth,age,mailing_street\n"
    person = f"Lovelace,{EMAIL}"
    loaded = shop.load(
        "customer",
        header
        + f"1,{person},{BIRTHDAY},33,{STREET}\n"
        + f"2,{person},1066-10-14,33,{STREET}\n"
        + f"3,{person},1970-12-31,{EMAIL},{STREET}\n"
        + f",{person},1970-12-31,33,{STREET}\n"
        + f"4,{person},1970-12-31,33,{STREET}\n" * 3
        + f"5,{person},1970-12-31,33,{STREET},{STREET}\n"
        + f"6,{person}\n",
    )
    assert (loaded.column("customer_id"), loaded.load.quarantined_count) == (["1", "2", "3", "4"], 5)
    told = f"{loaded.quarantine} {loaded.load.notes}"
    assert not [value for value in (*PERSONAL, "1066-10", "1970") if value in told]
    assert loaded.load.notes == [
        "age is no whole number in 1 row, where it was left empty",
        "date_of_birth is before 1900-01-01 00:00:00 in 1 row, where it was left empty",
        "date_of_birth is no TIMESTAMP in 1 row, where it was left empty",
    ]


def test_of_a_cell_that_is_of_another_column_its_shape_alone_is_kept(shop: Shop) -> None:
    """A cell too many shifts all behind it: what stands where a date or an amount should be may be of a person."""
    phone, name = "+44 20 7946 0958", "Zoë Lovelace-Åberg"
    header = "order_id,customer_id,ordered_at,order_status,total_amount\n"
    loaded = shop.load(
        "orders", f"{header}1,C1,{phone},placed,9.50\n2,C2,2026-01-05,placed,{name}\n3,C3,{BIRTHDAY},placed,1\n"
    )
    first = strict_json(next(row["record"] for row in loaded.quarantine if "ordered_at" in row["reason"]))
    assert first == {
        "order_id": "1",
        "customer_id": "C1",
        "ordered_at": "+99 99 9999 9999",
        "order_status": "placed",
        "total_amount": "9.50",
    }
    told = f"{loaded.quarantine} {loaded.load.notes}"
    assert not [value for value in (phone, *name.split()) if value in told]


@pytest.mark.parametrize(
    ("content", "select"),
    [
        (f"customer_id,age\n1,{EMAIL}\n", "select customer_id, cast(age as integer) as age from raw"),
        (f"customer_id,city\n1,{STREET}\n", "select customer_id, error(city) as city from raw"),
        ("customer_id,date_of_birth\n" + f"1,{BIRTHDAY}\n" * ROWS_THAT_TELL, EVERYTHING),
        (f"1,Lovelace,{EMAIL}\n2,Byron,b@example.org\n", EVERYTHING),
        (f"1,Lovelace,{EMAIL}\n2,Byron,b@example.org\n", "select customer_id, last_name from raw"),
        (f"1,Lovelace,{EMAIL}\n2,Byron,b@example.org\n", "select * from raw limit 1"),
        (f"1,Lovelace,{EMAIL}\n2,Byron,b@example.org\n", "select customer_id, 1 as age from raw"),
        (f'customer_id,"city\n1,{STREET}\n', EVERYTHING),
        (f'customer_id,city\n1,"{STREET}\n2,Rome\n', EVERYTHING),
        (f"customer_id,city\n1,Zoë {STREET}\n".encode("latin-1"), EVERYTHING),
    ],
    ids=[
        "a cast that fails",
        "a function that fails",
        "a wrong mapping",
        "no header",
        "no header, columns named",
        "no header, a number of the first row in the select",
        "no header, columns and a number of the first row in the select",
        "a quote without end in the header",
        "a quote without end",
        "a wrong encoding",
    ],
)
def test_no_error_shows_a_personal_value(content: str | bytes, select: str, shop: Shop) -> None:
    with pytest.raises(C360Error) as raised:
        shop.load("customer", content, select=select)
    assert not [value for value in PERSONAL if value in said(raised.value)]


def test_a_source_that_cannot_be_read_is_no_empty_dataset(shop: Shop) -> None:
    with pytest.raises(ConnectorError, match="is empty"):
        shop.lines("")


# The quarantine table.


def test_what_was_set_aside_is_kept_in_the_lake_with_its_run(shop: Shop) -> None:
    (shop.folder / "export.csv").write_text(f"{LINES}1,A,many,1\n")
    with closing(shop.deployment("order_line_item")) as deployment:
        set_aside(deployment, "order_line_item")
        (kept,) = values(deployment.lake.read(deployment.contracts["quarantine"]))
        state = deployment.lake.state("quarantine")
    assert (kept["dataset"], kept["reason"], kept["copies"]) == ("order_line_item", "qty is no number", 1)
    assert state is not None
    assert state.properties["c360.run_id"] == "run"


def test_nothing_is_written_where_nothing_was_set_aside(shop: Shop) -> None:
    (shop.folder / "export.csv").write_text(f"{LINES}1,A,1,1\n")
    with closing(shop.deployment("order_line_item")) as deployment:
        set_aside(deployment, "order_line_item")
        assert deployment.lake.state("quarantine") is None


BAD_ORDER = f"{ORDERS}1,C,soon,1,true\n"
BAD_LINE = f"{LINES}1,A,many,1\n"


def test_loading_again_replaces_what_was_set_aside_before(shop: Shop) -> None:
    stored(shop, orders=f"{ORDERS}1,C,soon,1,true\n2,C,late,1,true\n")
    assert [row["record"] for row in stored(shop, orders=f"{ORDERS}3,C,never,1,true\n")] == [
        '{"order_id":"3","customer_id":"C","ordered_at":"aaaaa","total_amount":"1","has_discount":"true"}'
    ]


def test_loading_again_leaves_what_other_datasets_set_aside(shop: Shop) -> None:
    stored(shop, order_line_item=BAD_LINE, orders=BAD_ORDER)
    kept = stored(shop, orders=BAD_ORDER + "2,C,late,1,true\n")
    assert [row["dataset"] for row in kept] == ["order_line_item", "orders", "orders"]


def test_a_load_without_fault_clears_what_was_set_aside_before(shop: Shop) -> None:
    stored(shop, order_line_item=BAD_LINE, orders=BAD_ORDER)
    assert [row["dataset"] for row in stored(shop, orders=f"{ORDERS}1,C,2024-01-01,1,true\n")] == ["order_line_item"]


def test_a_feed_taken_out_clears_what_was_set_aside_before(shop: Shop) -> None:
    stored(shop, order_line_item=BAD_LINE, orders=BAD_ORDER)
    assert [row["dataset"] for row in stored(shop, orders=None)] == ["order_line_item"]


def test_a_feed_taken_out_leaves_an_empty_dataset(shop: Shop) -> None:
    (shop.folder / "export.csv").write_text(f"{LINES}1,A,1,1\n")
    contract = CONTRACTS["sources/order_line_item"]
    for feeds, count in ((["order_line_item"], 1), ([], 0)):
        with closing(shop.deployment(*feeds)) as deployment:
            lake = deployment.lake
            lake.publish(lake.write(contract, Feeds(deployment).load(contract).rows))
            assert len(values(lake.read(contract))) == count


def test_a_contract_bound_of_a_number_is_kept(shop: Shop) -> None:
    (shop.folder / "export.csv").write_text(f"{LINES}1,A,-1,1\n2,A,0,1\n")
    contract = CONTRACTS["sources/order_line_item"]
    bound = tuple(replace(c, minimum="0") if c.name == "qty" else c for c in contract.columns)
    with closing(shop.deployment("order_line_item")) as deployment:
        loaded = outcome(Feeds(deployment).load(replace(contract, columns=bound)))
    assert (loaded.column("order_li_id"), loaded.load.quarantined_count) == (["2"], 1)


def test_a_row_that_breaks_a_quarantine_rule_is_set_aside_under_its_name(shop: Shop) -> None:
    reviews = "review_id,rating,review_text\nR1,5,Fine\nR2,6,Secret opinion\nR3,,None given\n"
    outcome = shop.load("review", reviews)
    assert outcome.column("review_id") == ["R1", "R3"]
    assert outcome.reasons == {"breaks rule rating_in_range": 1}
    assert json.loads(outcome.quarantine[0]["record"])["rating"] == 6


# What an error advises, done: the right values, and what cannot be right is set aside with its reason.

SOLD = "order_id,customer_id,ordered_at,total_amount\n"
NAMES = "order_id, customer_id, ordered_at, total_amount"
NAMED = f"select {NAMES} from raw"
JUNE = [datetime(2024, 6, 1), datetime(2024, 6, 2)]


def sold(*rows: str, many: bool = False) -> str:
    """Orders of these moments and amounts, as often as tell that a mapping is wrong where there are `many`."""
    times = ROWS_THAT_TELL if many else 1
    return SOLD + "".join(f"{number:02},C,{row}\n" for number, row in enumerate(rows * times))


@dataclass(frozen=True)
class Remedy:
    """What orders come as, how they are mapped, and what is said; then the mapping advised, and what it brings."""

    content: str
    told: str
    mapping: dict[str, Any] = field(default_factory=dict)
    advised: dict[str, Any] = field(default_factory=dict)
    moments: list[datetime] = field(default_factory=lambda: JUNE)
    amounts: list[float] = field(default_factory=lambda: [10, 20])
    reasons: dict[str, int] = field(default_factory=dict)


PLAIN = sold("2024-06-01,10", "2024-06-02,20")
COMPUTED = "total_amount::double * 1.19"
SUMMED = "select order_id, min(ordered_at) as ordered_at, sum({}) as total_amount from raw group by all"
REMEDIES = {
    "another delimiter, all taken": Remedy(
        PLAIN.replace(",", ";"),
        r'none of the 1 columns .* Its first line is one column: set `delimiter: ";"`',
        advised={"delimiter": ";"},
    ),
    "another delimiter, columns named": Remedy(
        PLAIN.replace(",", "\t"),
        r'names no column of the source\. Its first line is one column: set `delimiter: "\\t"`',
        {"select": NAMED},
        {"select": NAMED, "delimiter": "\t"},
    ),
    "titles": Remedy(
        f"Orders of June\n\n{PLAIN}",
        r"If it begins with titles, set `skip` to the number of their lines",
        {"select": NAMED},
        {"select": NAMED, "skip": 2},
    ),
    "no header": Remedy(
        PLAIN.removeprefix(SOLD),
        r"if its first line is a row already, set `header: false`",
        {"select": NAMED},
        {"select": NAMED, "header": False, "columns": NAMES.split(", ")},
    ),
    "no header, after the header is said not to be one": Remedy(
        PLAIN.removeprefix(SOLD),
        r'The source\'s columns are "column0", "column1", "column2", "column3"\. Correct it in c360\.yaml',
        {"select": NAMED, "header": False},
        {
            "select": NAMED.replace("raw", f"raw as named({NAMES})"),
            "header": False,
        },
    ),
    "a table in plain lines": Remedy(
        PLAIN,
        r"Its lines are taken as they are; if they are those of a table, set `format: csv`",
        {"path": "export.txt"},
        {"path": "export.txt", "format": "csv"},
    ),
    "other names": Remedy(
        PLAIN.replace("order_id", "bon"),
        r"column 'bon' is not in the contract; column 'order_id' is required and not selected",
        advised={"select": "select bon as order_id, * exclude (bon) from raw"},
    ),
    "names that no contract has": Remedy(
        PLAIN.replace("order_id,customer_id,ordered_at,total_amount", "bon,kunde,tag,summe"),
        r"none of the 4 columns is in the contract\. .* Otherwise rename them in the select",
        advised={"select": f"select * from raw as named({NAMES})"},
    ),
    "a name that is nearly right": Remedy(
        PLAIN,
        r'no column "totl_amount" \(nearest: total_amount\)',
        {"select": NAMED.replace("total_amount", "totl_amount as total_amount")},
        {"select": NAMED},
    ),
    "dates of another notation throughout": Remedy(
        sold("01.06.2024,10", "02.06.2024,20", many=True),
        r"is no TIMESTAMP in all 40 rows, .* set `date_format`, such as '%d\.%m\.%Y' on the connector",
        advised={"date_format": "%d.%m.%Y"},
        moments=JUNE * ROWS_THAT_TELL,
        amounts=[10, 20] * ROWS_THAT_TELL,
    ),
    "few dates of another notation": Remedy(
        sold("01.06.2024,10", "02.06.2024,20"),
        r"of 2 rows none is kept\. Set aside: ordered_at is no TIMESTAMP \(2\)\. .* set `date_format`",
        advised={"date_format": "%d.%m.%Y"},
    ),
    "a decimal comma throughout": Remedy(
        sold('2024-06-01,"10,5"', '2024-06-02,"1.020,5"', many=True),
        r"total_amount is no number in all 40 rows, .* set `decimal` \(such as ','\) or `thousands`",
        advised={"decimal": ","},
        moments=JUNE * ROWS_THAT_TELL,
        amounts=[10.5, 1020.5] * ROWS_THAT_TELL,
    ),
    "thousands throughout": Remedy(
        sold('2024-06-01,"1,010.5"', '2024-06-02,"1,020.5"', many=True),
        r"total_amount is no number in all 40 rows, .* or `thousands`",
        advised={"thousands": ","},
        moments=JUNE * ROWS_THAT_TELL,
        amounts=[1010.5, 1020.5] * ROWS_THAT_TELL,
    ),
    "a dot that groups": Remedy(
        sold("2024-06-01,1.250", "2024-06-02,2.100"),
        r"1\.250, which is 1250 or 1\.25, .* Set `decimal: ','` or `decimal: '\.'` on the connector",
        advised={"decimal": ","},
        amounts=[1250, 2100],
    ),
    "a dot that does not": Remedy(
        sold("2024-06-01,1.250", "2024-06-02,2.100"),
        r"Set `decimal: ','` or `decimal: '\.'` on the connector",
        advised={"decimal": "."},
        amounts=[1.25, 2.1],
    ),
    "a cast that fails": Remedy(
        sold("2024-06-01,10", "2024-06-02,20", "2024-06-03,a lot"),
        r"Select the column as it is: .* set aside with its reason",
        {"select": NAMED.replace("total_amount", "total_amount::double as total_amount")},
        {"select": NAMED},
        reasons={"total_amount is no number": 1},
    ),
    "a date that fails": Remedy(
        sold("01.06.2024,10", "02.06.2024,20", "never,30"),
        r"For numbers and dates in another notation set `decimal` or `date_format` on the connector",
        {"select": NAMED.replace("ordered_at", "strptime(ordered_at, '%d.%m.%Y') as ordered_at")},
        {"select": NAMED, "date_format": "%d.%m.%Y"},
        reasons={"ordered_at is no TIMESTAMP": 1},
    ),
    "a computation that fails": Remedy(
        sold("2024-06-01,10", "2024-06-02,20", "2024-06-03,a lot"),
        r"leave what cannot be computed as it is: coalesce\(\(try_cast\(price as double\) .*::varchar, price\)\.",
        {"select": NAMED.replace("total_amount", f"{COMPUTED} as total_amount")},
        {
            "select": NAMED.replace(
                "total_amount",
                "coalesce((try_cast(total_amount as double) * 1.19)::varchar, total_amount) as total_amount",
            )
        },
        amounts=[10 * 1.19, 20 * 1.19],
        reasons={"total_amount is no number": 1},
    ),
    "no SQL": Remedy(
        PLAIN,
        r"the select does not run: Parser Error: .* Correct it in c360\.yaml",
        {"select": NAMED.replace("select", "selct")},
        {"select": NAMED},
    ),
    "a function that there is not": Remedy(
        PLAIN,
        r"the select does not run: Catalog Error: .*dat_trunc.* Correct it in c360\.yaml",
        {"select": NAMED.replace("ordered_at", "dat_trunc('day', ordered_at::timestamp) as ordered_at")},
        {"select": NAMED.replace("ordered_at", "date_trunc('day', ordered_at::timestamp) as ordered_at")},
    ),
    "a sum of texts": Remedy(
        PLAIN,
        r"the select does not run: .* cast them, as in sum\(price::decimal\(18, 4\)\)\. The source's columns",
        {"select": SUMMED.format("total_amount")},
        {"select": SUMMED.format("total_amount::decimal(18, 4)")},
    ),
    "signs of currency throughout": Remedy(
        sold("2024-06-01,$10 ", "2024-06-02,$20", many=True),
        r"total_amount is no number in all 40 rows, .* taken away by replace\(price, '\$', ''\) in the select",
        advised={"select": NAMED.replace("total_amount", "replace(total_amount, '$', '') as total_amount")},
        moments=JUNE * ROWS_THAT_TELL,
        amounts=[10, 20] * ROWS_THAT_TELL,
    ),
    "numbers that begin anew each day": Remedy(
        f"{SOLD}1,C1,2024-06-01,10\n1,C2,2024-06-02,20\n",
        r"key repeats for different things, no row of that key is kept \(2\)\. .* or the day where numbers begin anew",
        {"select": NAMED},
        {"select": NAMED.replace("order_id", "ordered_at || '-' || order_id as order_id")},
    ),
    "another currency": Remedy(
        PLAIN,
        r"currency is not EUR, the reporting currency \(2\)\. .* set it as `currency` of the deployment",
        {"select": "select *, 'USD' as currency from raw"},
        {"select": "select *, 'USD' as currency from raw", "currency": "USD"},
    ),
    "a select that leaves all out": Remedy(
        PLAIN,
        r"The select leaves all of them out\. .* If no others are to be expected, set `may_be_empty: true`",
        {"select": "select * from raw where order_id = 'x'"},
        {"select": "select * from raw where order_id = 'x'", "may_be_empty": True},
        moments=[],
        amounts=[],
    ),
}


@pytest.mark.parametrize("fault", REMEDIES)
def test_what_an_error_advises_brings_the_right_values(fault: str, shop: Shop) -> None:
    remedy = REMEDIES[fault]
    with pytest.raises(FeedError, match=remedy.told):
        shop.load("orders", remedy.content, is_checked=True, **remedy.mapping)
    loaded = shop.load("orders", remedy.content, is_checked=True, **remedy.advised)
    assert (loaded.column("ordered_at"), loaded.column("total_amount")) == (remedy.moments, remedy.amounts)
    assert loaded.reasons == remedy.reasons


@pytest.mark.parametrize("select", [EVERYTHING, "select 1 as order_id, summe from raw"])
def test_where_names_are_surely_names_they_are_told(select: str, shop: Shop) -> None:
    with pytest.raises(FeedError, match=r"'summe' is not in the contract|columns are \"bon\", \"summe\""):
        shop.load("orders", parquet(bon=["1"], summe=[10]), path="export.parquet", select=select)
