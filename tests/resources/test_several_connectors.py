"""A feed of several connectors: what holds for one holds for each, and nothing of any is lost."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.runs.running import RunReport, TableRun
from portal.runs.summary import feed_lines
from resources.deployment import Deployment, Feed, Settings
from resources.feeds import FeedError, Feeds, Load
from resources.files import Files
from resources.merging import Window
from tests.tables import CONTRACTS

UNION = "select bon as order_id, total as total_amount from till union all select id, amount from web"
TILL = "bon,total\nB1,10.5\nB2,20\n"
WEB = "id,amount\nW1,3\n"

Row = dict[str, Any]


@contextmanager
def shop(
    folder: Path, select: str = UNION, dataset: str = "orders", options: Mapping[str, Row] | None = None, **feed: Any
) -> Iterator[Deployment]:
    """A deployment of one feed of two connectors, `till` and `web`, each of a CSV file of its name."""
    files = {
        name: {"type": "files", "path": f"{name}.csv", **(options or {}).get(name, {})} for name in ("till", "web")
    }
    read = Settings.model_validate({"name": "Shop", "currency": "EUR", "connectors": files})
    feeds = {dataset: Feed.model_validate({"from": ["till", "web"], "select": select, **feed})}
    with closing(Deployment(folder / "c360.yaml", read, feeds, CONTRACTS)) as deployment:
        yield deployment


def load(folder: Path, till: str = TILL, web: str = WEB, **given: Any) -> tuple[Load, list[Row], list[Row]]:
    """What is loaded of these files, its rows, and those set aside."""
    (folder / "till.csv").write_text(till)
    (folder / "web.csv").write_text(web)
    with shop(folder, **given) as deployment:
        dataset = next(iter(deployment.feeds))
        loaded = Feeds(deployment).load(CONTRACTS[f"sources/{dataset}"])
        return loaded, rows(loaded.rows), rows(loaded.quarantine)


def rows(table: Any) -> list[Row]:
    return sorted(table.to_pyarrow().to_pylist(), key=str)


def amounts(found: Sequence[Row]) -> list[tuple[str, float]]:
    return [(row["order_id"], row["total_amount"]) for row in found]


def test_rows_of_two_connectors_become_one_dataset_and_are_counted_each(tmp_path: Path) -> None:
    loaded, found, aside = load(tmp_path)
    assert (amounts(found), aside) == ([("B1", 10.5), ("B2", 20.0), ("W1", 3.0)], [])
    assert (loaded.read_counts, loaded.read_count, loaded.row_count) == ({"till": 2, "web": 1}, 3, 3)
    assert loaded.origin == "till: till.csv + web: web.csv"


def test_rows_of_two_connectors_are_joined(tmp_path: Path) -> None:
    select = "select bon as order_id, amount as total_amount from till join web on bon = id"
    loaded, found, _ = load(tmp_path, web="id,amount\nB2,7\nW1,3\n", select=select)
    assert (amounts(found), loaded.read_counts, loaded.row_count) == ([("B2", 7.0)], {"till": 2, "web": 2}, 1)


@given(st.lists(st.integers(0, 99), max_size=6), st.lists(st.integers(0, 99), max_size=6))
@settings(deadline=None, max_examples=5)
def test_the_union_of_two_connectors_is_the_rows_of_each(till: list[int], web: list[int]) -> None:
    of_each = [
        [(f"{mark}{place}", float(total)) for place, total in enumerate(totals)]
        for mark, totals in zip("BW", (till, web), strict=True)
    ]
    texts = ["a,b\n" + "".join(f"{key},{total}\n" for key, total in found) for found in of_each]
    select = "select a as order_id, b as total_amount from till union all from web"
    with TemporaryDirectory() as folder:
        loaded, together, _ = load(Path(folder), *texts, select=select)
    assert amounts(together) == sorted(of_each[0] + of_each[1])
    assert loaded.read_counts == {"till": len(till), "web": len(web)}


def test_a_connector_alone_is_raw_and_what_it_is_called(tmp_path: Path) -> None:
    for view in ("raw", "till"):
        select = f"select bon as order_id, total as total_amount from {view}"
        _, found, _ = load(tmp_path, select=select, **{"from": "till"})
        assert amounts(found) == [("B1", 10.5), ("B2", 20.0)]


def test_each_connector_is_read_by_its_own_options(tmp_path: Path) -> None:
    options = {"till": {"delimiter": ";", "skip": 1}, "web": {"header": False, "columns": ["id", "amount"]}}
    _, found, _ = load(tmp_path, till="Receipts\nbon;total\nB1;1\n", web="W1,3\n", options=options)
    assert amounts(found) == [("B1", 1.0), ("W1", 3.0)]


def test_what_is_set_aside_or_passed_over_names_its_connector(tmp_path: Path) -> None:
    (tmp_path / "web-2.csv").write_text("")
    loaded, _, aside = load(tmp_path, till=TILL + "B3,x\n", web=WEB + "W2\n", options={"web": {"path": "web*.csv"}})
    assert [(row["source"], row["reason"]) for row in aside] == [
        ("till: till.csv + web: web*.csv", "total_amount is no number"),
        ("web: web*.csv", "line 3 of web.csv: missing columns"),
    ]
    assert (loaded.read_counts, loaded.quarantined_count, loaded.notes) == (
        {"till": 3, "web": 2},
        2,
        ["web-2.csv is empty and was passed over"],
    )


def test_an_error_of_the_select_lists_the_columns_of_each_view(tmp_path: Path) -> None:
    told = (
        r"\(till: till\.csv \+ web: web\.csv\): the select does not run: .*The view till's columns are \"bon\", \"total"
    )
    with pytest.raises(FeedError, match=told + r"\"\. The view web's columns are \"id\", \"amount\"\."):
        load(
            tmp_path,
            select="select bon as order_id, price as total_amount from till union all select id, amount from web",
        )
    with pytest.raises(FeedError, match=r"reads 'raw', which is none of its tables\. .* the rows of till, web;"):
        load(tmp_path, select=UNION.replace("till", "raw"))
    _, found, _ = load(tmp_path)
    assert amounts(found) == [("B1", 10.5), ("B2", 20.0), ("W1", 3.0)]


def test_numbers_written_two_ways_are_refused_where_they_are_text(tmp_path: Path) -> None:
    options = {"till": {"decimal": ",", "delimiter": ";"}}
    told = r"column 'total_amount' is text, and connectors till, web do not agree in how numbers \(`decimal`"
    with pytest.raises(FeedError, match=told):
        load(tmp_path, till="bon;total\nB1;1.250,5\n", options=options)
    same = {"till": {"decimal": ",", "delimiter": ";"}, "web": {"decimal": ","}}
    _, found, _ = load(tmp_path, till="bon;total\nB1;1.250,5\n", options=same)
    assert amounts(found) == [("B1", 1250.5), ("W1", 3.0)]
    plain = UNION.replace("total as", "replace(total, ',', '.') as")
    _, found, _ = load(tmp_path, till="bon;total\nB1;250,5\n", select=plain, options={"till": {"delimiter": ";"}})
    assert amounts(found) == [("B1", 250.5), ("W1", 3.0)]


def test_another_notation_matters_to_its_columns_only(tmp_path: Path) -> None:
    options = {"till": {"date_format": "%d.%m.%Y"}}
    _, found, _ = load(tmp_path, options=options)
    assert amounts(found) == [("B1", 10.5), ("B2", 20.0), ("W1", 3.0)]


def test_a_connector_that_has_nothing_any_more_leaves_the_rows_that_are_held(tmp_path: Path) -> None:
    load(tmp_path)
    contract = CONTRACTS["sources/orders"]
    with shop(tmp_path) as deployment:
        feeds = Feeds(deployment)
        deployment.lake.publish(feeds.commit(contract, feeds.load(contract)))
        assert not feeds.has_news(contract)
        (tmp_path / "web.csv").write_text("id,amount\n")
        assert feeds.has_news(contract)
        with pytest.raises(FeedError, match=r"orders \(web: web\.csv\): the source is empty, while 3 rows"):
            feeds.load(contract)
    with shop(tmp_path, may_be_empty=True) as deployment:
        assert Feeds(deployment).load(contract).kept_count == 2


def test_hours_of_one_connector_are_joined_with_all_of_another(tmp_path: Path) -> None:
    events = [{"id": f"E{hour}", "at": datetime(2026, 1, 1, hour), "page": "P1"} for hour in (1, 2)]
    pq.write_table(pa.Table.from_pylist(events), tmp_path / "events-2026-01-01.parquet")
    pq.write_table(pa.Table.from_pylist([{"page": "P1", "sku": "K1"}]), tmp_path / "pages-2020-01-01.parquet")
    options = {"till": {"path": "events-%Y-%m-%d.parquet"}, "web": {"path": "pages-%Y-%m-%d.parquet"}}
    select = """select id as activity_uuid, till.at as activity_ts, 'page_view' as event_action, sku as product_sku
        from till join web using (page)"""
    with shop(tmp_path, select, "web_analytics", options) as deployment:
        window = Window(datetime(2026, 1, 1, 2), datetime(2026, 1, 1, 3))
        loaded = Feeds(deployment).load(CONTRACTS["sources/web_analytics"], window)
        assert [(row["activity_uuid"], row["product_sku"]) for row in rows(loaded.rows)] == [("E2", "K1")]
        assert (loaded.read_counts, loaded.is_part) == ({"till": 2, "web": 1}, True)


def test_the_summary_counts_what_was_read_of_each_connector() -> None:
    told = TableRun("sources/orders", "done", read=3, read_counts={"till": 2, "web": 1}, selected=3, kept=3)
    assert feed_lines(RunReport("run", tables={"sources/orders": told})) == [
        "sources/orders: 3 rows read (till 2, web 1), 3 selected."
    ]


def test_a_table_and_a_file_are_read_together(tmp_path: Path, postgres: str) -> None:
    server = sa.create_engine(postgres)
    with server.begin() as connection:
        connection.execute(sa.text("CREATE TABLE sales AS SELECT 'B1' AS bon, 10.5 AS total"))
    server.dispose()
    (tmp_path / "web.csv").write_text(WEB)
    read = Settings.model_validate(
        {
            "name": "Shop",
            "currency": "EUR",
            "connectors": {
                "till": {"type": "postgres", "url": postgres},
                "web": {"type": "files", "path": "web.csv"},
            },
        }
    )
    feed = Feed.model_validate({"from": ["till", "web"], "select": UNION, "table": {"till": "sales"}})
    with closing(Deployment(tmp_path / "c360.yaml", read, {"orders": feed}, CONTRACTS)) as deployment:
        loaded = Feeds(deployment).load(CONTRACTS["sources/orders"])
        assert amounts(rows(loaded.rows)) == [("B1", 10.5), ("W1", 3.0)]
        assert loaded.origin == "till: sales + web: web.csv"

    (tmp_path / "web.csv").write_text('id,amount\nW1,"3,5"\n')
    comma = read.model_copy(
        update={"connectors": {**read.connectors, "web": Files(type="files", path="web.csv", decimal=",")}}
    )
    texts = feed.model_copy(update={"select": UNION.replace("total as", "total::varchar as")})
    with (
        closing(Deployment(tmp_path / "c360.yaml", comma, {"orders": texts}, CONTRACTS)) as deployment,
        pytest.raises(FeedError, match=r"do not agree .* are written\. Leave it out and bring the text into"),
    ):
        Feeds(deployment).load(CONTRACTS["sources/orders"])
    select = texts.select.replace("id, amount", "id, replace(amount, ',', '.')")
    advised = texts.model_copy(update={"select": select})
    with closing(Deployment(tmp_path / "c360.yaml", read, {"orders": advised}, CONTRACTS)) as deployment:
        loaded = Feeds(deployment).load(CONTRACTS["sources/orders"])
        assert amounts(rows(loaded.rows)) == [("B1", 10.5), ("W1", 3.5)]


def test_moments_of_two_clocks_are_brought_into_one_as_advised(tmp_path: Path, postgres: str) -> None:
    server = sa.create_engine(postgres)
    with server.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE receipts AS SELECT 'B1' AS bon, timestamp '2024-06-01 10:00' AS placed")
        )
    server.dispose()
    (tmp_path / "web.csv").write_text("id,placed\nW1,2024-06-01 12:00\n")
    connectors = {
        "till": {"type": "postgres", "url": postgres}, "web": {"type": "files", "path": "web.csv"}
    }  # fmt: skip
    berlin = {"name": "Shop", "currency": "EUR", "timezone": "Europe/Berlin", "connectors": connectors}
    select = "select bon as order_id, placed as ordered_at from till union all select id, placed::timestamp from web"

    def moments(**more: str) -> list[datetime]:
        feed = Feed.model_validate({"from": ["till", "web"], "table": {"till": "receipts"}, "select": select, **more})
        settings = Settings.model_validate(berlin)
        with closing(Deployment(tmp_path / "c360.yaml", settings, {"orders": feed}, CONTRACTS)) as deployment:
            return [row["ordered_at"] for row in rows(Feeds(deployment).load(CONTRACTS["sources/orders"]).rows)]

    told = r"different clocks \(till UTC, web Europe/Berlin\)\. Set `timezone:` on the feed, and bring all"
    with pytest.raises(FeedError, match=told):
        moments()
    in_berlin = select.replace("placed as", "timezone('Europe/Berlin', timezone('UTC', placed)) as")
    assert moments(timezone="Europe/Berlin", select=in_berlin) == [datetime(2024, 6, 1, 10)] * 2


def test_what_is_wrong_with_any_connector_or_the_select_is_told_before_loading(tmp_path: Path) -> None:
    with shop(tmp_path) as deployment:
        assert [told.split(",")[0] for told in Feeds(deployment).faults([CONTRACTS["sources/orders"]])] == [
            "Feed orders: Connector till", "Feed orders: Connector web"
        ]  # fmt: skip
    for file, text in (("till.csv", TILL), ("web.csv", WEB)):
        (tmp_path / file).write_text(text)
    with shop(tmp_path) as deployment:
        assert Feeds(deployment).faults([CONTRACTS["sources/orders"]]) == []
    with shop(tmp_path, select=UNION.replace("amount from", "amont from")) as deployment:
        (told,) = Feeds(deployment).faults([CONTRACTS["sources/orders"]])
    assert 'the views have no column "amont" (nearest: amount)' in told
