"""Google Analytics: the rows that become of exported events, and what is said of files that are no such export."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.connectors import ConnectorError, Raw, Request
from resources.deployment import Deployment, Feed, Settings
from resources.engine import Engine
from resources.feeds import Feeds, Load
from resources.google_analytics import GoogleAnalytics
from resources.lake import check_columns
from resources.text_files import LINES_THAT_TELL
from tests.tables import CONTRACTS

Event = dict[str, Any]
CONTRACT = CONTRACTS["sources/web_analytics"]
KINDS = ["json", "jsonl.gz", "parquet", "wrapped.parquet"]

START = 1_704_067_200  # 2024-01-01 00:00:00 UTC
AT = START * 1_000_000 + 90_500_000


def text(key: str, value: str) -> Event:
    return {"key": key, "value": {"string_value": value}}


def whole(key: str, value: int) -> Event:
    return {"key": key, "value": {"int_value": value}}


def event(name: str = "page_view", **fields: Any) -> Event:
    """An event of Ann's, who is not logged in; fields given replace those it has."""
    return {
        "event_date": "20240101",
        "event_timestamp": AT,
        "event_name": name,
        "event_params": [whole("ga_session_id", START), text("page_location", "https://shop.example/")],
        "event_bundle_sequence_id": 7,
        "user_pseudo_id": "111.222",
        "device": {"category": "mobile", "language": "de"},
        "geo": {"country": "Italy"},
        "traffic_source": {"name": "(organic)", "medium": "organic", "source": "google"},
    } | fields


def view(**fields: Any) -> Event:
    return event("view_item", items=[{"item_id": "A1", "price": 3.5}], **fields)


PURCHASE = event(
    "purchase",
    event_timestamp=AT + 60_000_000,
    event_bundle_sequence_id=9,
    user_id="C1",
    ecommerce={"transaction_id": "O1", "total_item_quantity": 3},
    items=[{"item_id": "A1", "quantity": 2, "price": 3.5}, {"item_id": "B2", "quantity": 1, "price": 10.0}],
)


def written_by_bigquery(value: Any) -> Any:
    """As BigQuery writes JSON: whole numbers are text, and what is null is left out."""
    if isinstance(value, dict):
        return {key: written_by_bigquery(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [written_by_bigquery(entry) for entry in value]
    return str(value) if isinstance(value, int) else value


def lines(events: list[Event]) -> bytes:
    return "".join(json.dumps(written_by_bigquery(one)) + "\n" for one in events).encode()


def plain(type_: pa.DataType) -> pa.DataType:
    return pa.list_(type_)


def wrapped(type_: pa.DataType) -> pa.DataType:
    return pa.struct({"list": pa.list_(pa.struct({"element": type_}))})


def texts(*names: str) -> pa.DataType:
    return pa.struct([(name, pa.string()) for name in names])


def schema(repeated: Callable[[pa.DataType], pa.DataType] = plain) -> pa.Schema:
    value = pa.struct(
        {
            "string_value": pa.string(),
            "int_value": pa.int64(),
            "float_value": pa.float64(),
            "double_value": pa.float64(),
        }
    )
    item = pa.struct({"item_id": pa.string(), "item_name": pa.string(), "price": pa.float64(), "quantity": pa.int64()})
    campaign = pa.struct({"campaign_name": pa.string(), "source": pa.string(), "medium": pa.string()})
    return pa.schema(
        {
            "event_date": pa.string(),
            "event_timestamp": pa.int64(),
            "event_name": pa.string(),
            "event_params": repeated(pa.struct({"key": pa.string(), "value": value})),
            "event_bundle_sequence_id": pa.int64(),
            "user_id": pa.string(),
            "user_pseudo_id": pa.string(),
            "device": texts("category", "language"),
            "geo": texts("country"),
            "traffic_source": texts("name", "medium", "source"),
            "ecommerce": pa.struct({"total_item_quantity": pa.int64(), "transaction_id": pa.string()}),
            "collected_traffic_source": texts("manual_source", "manual_medium", "gclid"),
            "session_traffic_source_last_click": pa.struct(
                {"manual_campaign": campaign, "cross_channel_campaign": campaign}
            ),
            "items": repeated(item),
        }
    )


def put_parquet(file: Path, events: list[Event], columns: pa.Schema | None = None) -> None:
    pq.write_table(pa.Table.from_pylist(events, columns or schema()), file)


def put_wrapped(file: Path, events: list[Event]) -> None:
    lists = [
        one
        | {name: {"list": [{"element": entry} for entry in one.get(name, [])]} for name in ("event_params", "items")}
        for one in events
    ]
    put_parquet(file, lists, schema(wrapped))


def put(folder: Path, events: list[Event], kind: str = "json", name: str = "events") -> None:
    file = folder / f"{name}.{kind}"
    if kind == "parquet":
        put_parquet(file, events)
    elif kind == "wrapped.parquet":
        put_wrapped(file, events)
    else:
        file.write_bytes(gzip.compress(lines(events)) if kind.endswith(".gz") else lines(events))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine("1GB", threads=2)
    yield engine
    engine.close()


def read(engine: Engine, folder: Path, path: str = "events*") -> Raw:
    return GoogleAnalytics(type="google_analytics", path=path).read(
        Request("analytics", "web_analytics", folder), engine
    )


def rows(engine: Engine, folder: Path, columns: str = "*", path: str = "events*") -> list[tuple[Any, ...]]:
    """The rows in order of their values."""
    return sorted(engine.query(f"SELECT {columns} FROM ({read(engine, folder, path).sql})"), key=str)


def row(engine: Engine, folder: Path, one: Event, columns: str = "*", kind: str = "json") -> tuple[Any, ...]:
    """The only row of the only event."""
    put(folder, [one], kind)
    (found,) = rows(engine, folder, columns, f"events.{kind}")
    return found


def looked_at(engine: Engine, folder: Path, path: str = "events*") -> Raw:
    connector = GoogleAnalytics(type="google_analytics", path=path)
    return connector.look(Request("analytics", "web_analytics", folder), engine)


# Rows.


@pytest.mark.parametrize("kind", KINDS)
def test_the_columns_are_known_without_the_events(kind: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, [event()], kind)
    looked, raw = looked_at(engine, tmp_path), read(engine, tmp_path)
    assert engine.query(f"DESCRIBE {looked.sql}") == engine.query(f"DESCRIBE {raw.sql}")
    assert (engine.query(looked.sql), looked.origin) == ([], raw.origin)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_a_row_of_the_contract(kind: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, [event()], kind)
    raw = read(engine, tmp_path)
    (found,) = engine.query(raw.sql)
    names = [name for name, *_ in engine.query(f"DESCRIBE {raw.sql}")]
    assert names == list(CONTRACT.column_names)
    assert dict(zip(names, found, strict=True)) == {
        "activity_uuid": "21bcf9f7-7027-e017-d21c-9e7f70cb9144",
        "session_id": f"111.222.{START}",
        "visitor_id": "111.222",
        "entity_id": None,
        "visit_start_ts": datetime(2024, 1, 1),
        "activity_ts": datetime(2024, 1, 1, 0, 1, 30, 500_000),
        "event_action": "page_view",
        "page_url": "https://shop.example/",
        "product_sku": None,
        "quantity": None,
        "price": None,
        "traffic_channel": "organic",
        "traffic_source": "google",
        "device": "mobile",
        "order_id": None,
    }
    assert (raw.origin, raw.broken) == ("analytics: events*", [])


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_with_items_is_a_row_per_item(kind: str, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, [PURCHASE], kind)
    columns = "product_sku, quantity, event_action, entity_id, order_id, activity_ts"
    minute_later = datetime(2024, 1, 1, 0, 2, 30, 500_000)
    assert rows(engine, tmp_path, columns) == [
        ("A1", "2", "order_placed", "C1", "O1", minute_later),
        ("B2", "1", "order_placed", "C1", "O1", minute_later),
    ]
    assert len(set(rows(engine, tmp_path, "activity_uuid"))) == 2


@pytest.mark.parametrize("items", [None, [], [{"price": 3.5}], [{"item_id": "(not set)"}], [{"item_id": ""}]])
@pytest.mark.parametrize("kind", KINDS)
def test_an_event_without_a_known_item_is_one_row_without_product(
    kind: str, items: list[Event] | None, engine: Engine, tmp_path: Path
) -> None:
    assert row(engine, tmp_path, event(items=items or []), "product_sku, quantity", kind) == (None, None)


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("page_view", "page_view"),
        ("view_item", "product_view"),
        ("add_to_wishlist", "add_to_favorite"),
        ("add_to_cart", "add_to_cart"),
        ("begin_checkout", "checkout"),
        ("purchase", "order_placed"),
        ("user_engagement", "user_engagement"),
    ],
)
def test_an_event_is_called_as_the_contract_calls_it_or_keeps_its_name(
    name: str, action: str, engine: Engine, tmp_path: Path
) -> None:
    assert row(engine, tmp_path, event(name), "event_action") == (action,)


def test_only_a_purchase_places_an_order(engine: Engine, tmp_path: Path) -> None:
    refund = PURCHASE | {"event_name": "refund"}
    assert row(engine, tmp_path, refund | {"items": []}, "order_id") == (None,)


@pytest.mark.parametrize("ecommerce", [{}, {"transaction_id": "(not set)"}])
def test_an_order_may_be_named_by_a_parameter(ecommerce: Event, engine: Engine, tmp_path: Path) -> None:
    purchase = event("purchase", event_params=[text("transaction_id", "O1")], ecommerce=ecommerce)
    assert row(engine, tmp_path, purchase, "order_id") == ("O1",)


def test_a_visitor_without_consent_has_neither_name_nor_session(engine: Engine, tmp_path: Path) -> None:
    pings = [event(name, user_pseudo_id=None, event_params=[]) for name in ("page_view", "scroll")]
    put(tmp_path, pings)
    columns = "event_action, visitor_id, session_id, visit_start_ts"
    assert rows(engine, tmp_path, columns) == [("page_view", None, None, None), ("scroll", None, None, None)]
    assert len({uuid for (uuid,) in rows(engine, tmp_path, "activity_uuid")} - {None}) == 2


@pytest.mark.parametrize(
    ("session", "session_id", "start"),
    [
        (text("ga_session_id", str(START)), f"111.222.{START}", datetime(2024, 1, 1)),
        (text("ga_session_id", "spring"), "111.222.spring", None),
        (whole("ga_session_id", 9_000_000_000_000_000_000), "111.222.9000000000000000000", None),
        (whole("ga_session_number", 3), None, None),
    ],
)
def test_a_session_is_named_whatever_its_number_is(
    session: Event, session_id: str | None, start: datetime | None, engine: Engine, tmp_path: Path
) -> None:
    found = row(engine, tmp_path, event(event_params=[session]), "session_id, visit_start_ts")
    assert found == (session_id, start)


def test_sessions_that_start_together_are_told_apart_by_their_visitors(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, [event(user_pseudo_id=visitor) for visitor in ("1.1", "2.2")])
    assert rows(engine, tmp_path, "session_id") == [(f"1.1.{START}",), (f"2.2.{START}",)]


# Channels.

FIRST = {"medium": "organic", "source": "google"}
CLICK = {"medium": "email", "source": "letter"}
COLLECTED = {"manual_medium": "cpc", "manual_source": "bing"}
NONE_COLLECTED = {"manual_medium": None, "manual_source": None, "gclid": None}


@pytest.mark.parametrize(
    ("fields", "channel", "source"),
    [
        ({}, "organic", "google"),
        ({"traffic_source": None}, None, None),
        ({"traffic_source": {"medium": "(none)", "source": "(direct)"}}, "(none)", "(direct)"),
        ({"collected_traffic_source": COLLECTED}, "cpc", "bing"),
        ({"collected_traffic_source": NONE_COLLECTED}, "organic", "google"),
        ({"collected_traffic_source": {"manual_medium": "(not set)", "manual_source": ""}}, "organic", "google"),
        ({"collected_traffic_source": {"manual_source": "partner.example"}}, None, "partner.example"),
        ({"collected_traffic_source": {"gclid": "x1"}}, "cpc", "google"),
        ({"collected_traffic_source": COLLECTED | {"gclid": "x1"}}, "cpc", "bing"),
        ({"session_traffic_source_last_click": {"cross_channel_campaign": CLICK}}, "email", "letter"),
        ({"session_traffic_source_last_click": {"manual_campaign": CLICK}}, "email", "letter"),
        (
            {
                "session_traffic_source_last_click": {"cross_channel_campaign": CLICK},
                "collected_traffic_source": COLLECTED,
            },
            "cpc",
            "bing",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_a_channel_is_that_of_the_event_else_of_the_session_else_of_the_first_visit(
    kind: str, fields: Event, channel: str | None, source: str | None, engine: Engine, tmp_path: Path
) -> None:
    one = event(**({"traffic_source": FIRST} | fields))
    assert row(engine, tmp_path, one, "traffic_channel, traffic_source", kind) == (channel, source)


# Identifiers.


def test_events_that_share_all_that_identifies_them_are_all_kept(engine: Engine, tmp_path: Path) -> None:
    clicks = [view(), view(), view(device={"category": "tablet"})]
    put(tmp_path, clicks)
    found = rows(engine, tmp_path, "device, activity_uuid")
    assert [device for device, _ in found] == ["mobile", "mobile", "tablet"]
    assert len({uuid for _, uuid in found}) == 3


visitors = st.sampled_from(["1.1", "2.2", None])
basket = st.lists(st.fixed_dictionaries({"item_id": st.sampled_from("AB"), "quantity": st.integers(1, 2)}), max_size=2)
some_events = st.builds(
    event,
    st.sampled_from(["page_view", "add_to_cart"]),
    user_pseudo_id=visitors,
    event_timestamp=st.integers(AT, AT + 1),
    event_bundle_sequence_id=st.integers(1, 2),
    user_id=st.sampled_from(["C1", None]),
    items=basket,
)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_do_not_depend_on_files_their_formats_or_their_order(engine: Engine, data: st.DataObject) -> None:
    events = data.draw(st.lists(some_events, min_size=1, max_size=8))
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    kinds = data.draw(st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)))
    with TemporaryDirectory() as once, TemporaryDirectory() as again:
        put(Path(once), events)
        for name, kind, part in zip(("events_2", "events_1"), kinds, (shuffled[:cut], shuffled[cut:]), strict=True):
            if part:
                put(Path(again), part, kind, name)
        found = rows(engine, Path(once))
        assert rows(engine, Path(again)) == found
    assert len({uuid for uuid, *_ in found}) == len(found) == sum(max(len(one["items"]), 1) for one in events)


# Shapes of exports.


def test_an_older_export_lacks_columns_that_a_newer_one_has(engine: Engine, tmp_path: Path) -> None:
    old = pa.schema(
        [field for field in schema() if field.name not in ("collected_traffic_source", "items", "ecommerce")]
    )
    put_parquet(tmp_path / "events_20220101.parquet", [event()], old)
    put_parquet(tmp_path / "events_20240101.parquet", [view(collected_traffic_source=COLLECTED)])
    put_wrapped(tmp_path / "events_20250101.parquet", [PURCHASE])
    assert rows(engine, tmp_path, "event_action, product_sku, traffic_channel") == [
        ("order_placed", "A1", "organic"),
        ("order_placed", "B2", "organic"),
        ("page_view", None, "organic"),
        ("product_view", "A1", "cpc"),
    ]


def test_the_least_an_export_must_have_is_who_did_what_when(engine: Engine, tmp_path: Path) -> None:
    least = pa.schema(
        [field for field in schema() if field.name in ("event_timestamp", "event_name", "user_pseudo_id")]
    )
    put_parquet(tmp_path / "events.parquet", [event()], least)
    columns = "visitor_id, activity_ts, event_action, session_id, traffic_channel, device"
    moment = datetime(2024, 1, 1, 0, 1, 30, 500_000)
    assert rows(engine, tmp_path, columns) == [("111.222", moment, "page_view", None, None, None)]


def test_a_struct_may_have_none_of_the_fields_we_read(engine: Engine, tmp_path: Path) -> None:
    fields = {field.name: field.type for field in schema()}
    fields |= {
        "event_params": pa.list_(pa.struct({"key": pa.string(), "value": pa.struct({"float_value": pa.float64()})})),
        "ecommerce": pa.struct({"total_item_quantity": pa.int64()}),
        "items": pa.list_(pa.struct({"item_name": pa.string()})),
        "device": pa.null(),
        "collected_traffic_source": pa.null(),
    }
    put_parquet(tmp_path / "events.parquet", [PURCHASE | {"device": None}], pa.schema(fields))
    columns = "event_action, product_sku, order_id, session_id, device, traffic_channel"
    assert rows(engine, tmp_path, columns) == [("order_placed", None, None, None, None, "organic")] * 2


def test_numbers_of_another_type_are_the_numbers_they_are(engine: Engine, tmp_path: Path) -> None:
    # Pandas makes floats of whole numbers where one is missing.
    fields = {field.name: field.type for field in schema()} | {"event_bundle_sequence_id": pa.float64()}
    put_parquet(tmp_path / "floats.parquet", [view()], pa.schema(fields))
    put(tmp_path, [view()])
    assert rows(engine, tmp_path, path="floats.parquet") == rows(engine, tmp_path, path="events.json")


def test_json_of_numbers_reads_like_json_of_texts(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "numbers.json").write_text(json.dumps(PURCHASE))
    put(tmp_path, [PURCHASE])
    assert rows(engine, tmp_path, path="numbers.json") == rows(engine, tmp_path, path="events.json")


def test_blank_lines_are_no_events(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "events.json").write_bytes(b"\n" + lines([event()]) + b"\n\n" + lines([view()]) + b"\n")
    assert rows(engine, tmp_path, "event_action") == [("page_view",), ("product_view",)]


def test_a_file_that_changed_is_read_anew(engine: Engine, tmp_path: Path) -> None:
    assert row(engine, tmp_path, event(), "event_action") == ("page_view",)
    assert row(engine, tmp_path, event("scroll"), "event_action") == ("scroll",)


# What cannot be read.


def refused(engine: Engine, folder: Path, message: str, path: str = "events*") -> str:
    with pytest.raises(ConnectorError, match=message) as raised:
        read(engine, folder, path)
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_a_missing_file_is_refused_with_where_was_looked_and_what_to_do(engine: Engine, tmp_path: Path) -> None:
    refused(engine, tmp_path, rf"Connector analytics, path x\*: no such file.*{tmp_path}.*Correct the path", "x*")
    put(tmp_path, [event()])
    assert len(rows(engine, tmp_path)) == 1


def test_a_file_of_unknown_ending_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("event_name\n")
    told = refused(engine, tmp_path, r"the ending of events\.csv tells no format; use one of \.parquet, \.json")
    with pytest.raises(ConnectorError) as raised:
        looked_at(engine, tmp_path)
    assert str(raised.value) == told
    (tmp_path / "events.csv").write_bytes(lines([event()]))
    (tmp_path / "events.csv").rename(tmp_path / "events.json")
    assert len(rows(engine, tmp_path)) == 1


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"no parquet at all"])
def test_a_broken_parquet_file_is_refused(content: bytes, engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, [event()], "parquet", "events_1")
    (tmp_path / "events_2.parquet").write_bytes(content)
    refused(engine, tmp_path, r"analytics, path events\*: events_2\.parquet is no whole Parquet file; fetch it again")
    put(tmp_path, [event()], "parquet", "events_2")
    assert len(rows(engine, tmp_path)) == 2


def test_a_gzip_that_breaks_off_is_refused(engine: Engine, tmp_path: Path) -> None:
    packed = gzip.compress(lines([event()] * 100))
    (tmp_path / "events.json.gz").write_bytes(packed[: len(packed) // 2])
    refused(engine, tmp_path, r"events\.json\.gz is no whole gzip file; fetch it again")
    (tmp_path / "events.json.gz").write_bytes(packed)
    assert len(rows(engine, tmp_path)) == 100


def test_a_gzip_that_is_not_called_one_is_refused_with_the_remedy(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "events.json").write_bytes(gzip.compress(lines([event()])))
    refused(engine, tmp_path, r"events\.json is no text in UTF-8; the name of a gzipped file ends in \.gz")
    (tmp_path / "events.json").rename(tmp_path / "events.json.gz")
    assert len(rows(engine, tmp_path)) == 1


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0), gzip.compress(b"\n\n", mtime=0)])
def test_a_file_without_an_event_is_refused(content: bytes, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "events.json.gz").write_bytes(content)
    refused(engine, tmp_path, r"events\.json\.gz is empty")


@pytest.mark.parametrize("line", ['{"event_name": "page_view", "user_id": "ann@exa', '["ann@example.org"]', "ann@, 1"])
def test_a_line_that_is_no_json_object_is_refused_without_its_content(
    line: str, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "events.json").write_bytes(lines([event(), view()]) + line.encode())
    message = refused(engine, tmp_path, r"1 of 3 lines of events\.json are no JSON objects\. Export the table again")
    assert "ann@" not in message
    (tmp_path / "events.json").write_bytes(lines([event(), view()]))
    assert len(rows(engine, tmp_path)) == 2


@pytest.mark.parametrize("column", ["event_timestamp", "event_name", "user_pseudo_id"])
@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_a_file_that_is_no_export_of_events_is_refused(kind: str, column: str, engine: Engine, tmp_path: Path) -> None:
    others = [{name: value for name, value in event().items() if name != column}] * LINES_THAT_TELL
    if kind == "json":
        put(tmp_path, others)
    else:
        put_parquet(
            tmp_path / "events.parquet", others, pa.schema([field for field in schema() if field.name != column])
        )
    refused(engine, tmp_path, rf"events\.{kind} has no {column}, so it is no export .* correct the path in c360\.yaml")
    put(tmp_path, [event()] * LINES_THAT_TELL, kind)
    assert len(rows(engine, tmp_path)) == LINES_THAT_TELL


def test_of_few_lines_of_json_nobody_can_tell_what_they_lack(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path, [event(user_pseudo_id=None)] * (LINES_THAT_TELL - 1))
    assert len(rows(engine, tmp_path)) == LINES_THAT_TELL - 1


# Through a feed.


def load(folder: Path, path: str) -> tuple[Load, list[Event], list[Event]]:
    """What a feed that says only where its rows come from loads: rows, and those set aside."""
    connector = {"type": "google_analytics", "path": path}
    settings = Settings.model_validate({"name": "Shop", "currency": "EUR", "connectors": {"analytics": connector}})
    feeds = {"web_analytics": Feed.model_validate({"from": "analytics"})}
    with closing(Deployment(folder / "c360.yaml", settings, feeds, CONTRACTS)) as deployment:
        loaded = Feeds(deployment).load(CONTRACT)
        check_columns(CONTRACT, loaded.rows)
        return loaded, loaded.rows.to_pyarrow().to_pylist(), loaded.quarantine.to_pyarrow().to_pylist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_feed_of_the_export_keeps_its_contract_without_a_select(kind: str, tmp_path: Path) -> None:
    put(tmp_path, [event(), event(), view(), PURCHASE, event("scroll", user_pseudo_id=None, event_params=[])], kind)
    loaded, kept, set_aside = load(tmp_path, "events.*")
    assert (set_aside, loaded.quarantined_count, loaded.row_count) == ([], 0, 6)
    assert loaded.origin == "analytics: events.*"
    bought = sorted((one["product_sku"], one["quantity"], one["order_id"]) for one in kept if one["order_id"])
    assert bought == [("A1", 2, "O1"), ("B2", 1, "O1")]


def test_an_event_without_a_moment_is_set_aside_by_the_feed(tmp_path: Path) -> None:
    put(tmp_path, [event(), event(event_timestamp="soon")])
    loaded, kept, set_aside = load(tmp_path, "events.json")
    assert (len(kept), loaded.quarantined_count) == (1, 1)
    assert [one["reason"] for one in set_aside] == ["activity_ts is missing"]
