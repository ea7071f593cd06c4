"""The order of arrival: in whatever portions and order rows come, and however often, the tables are the same."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.analytics.segments.rfm import rfm
from c360_assets.conformed.items_added_to_cart import items_added_to_cart
from c360_assets.conformed.order_lines import order_lines
from c360_assets.conformed.order_placed import order_placed
from c360_assets.conformed.orders import orders
from c360_assets.conformed.product_views import product_views
from governance.contract import Contract
from resources.engine import Engine
from resources.lake import Lake
from resources.merging import Window
from tests.tables import CONTRACTS, arrow, at, computed, table

START = datetime(2026, 2, 28, 20)
HOURS = 10
ORDERS, LINES, EVENTS = (CONTRACTS[f"sources/{name}"] for name in ("orders", "order_line_item", "web_analytics"))
DERIVED = (product_views, items_added_to_cart, order_lines, orders, order_placed, rfm)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine("500MB", threads=2)
    yield engine
    engine.close()


def event(number: int, minute: int) -> Row:
    return {
        "activity_uuid": f"E{number:02}",
        "activity_ts": START + timedelta(minutes=minute),
        "event_action": ("product_view", "add_to_cart", "order_placed")[number % 3],
        "entity_id": f"C{number % 4}",
        "product_sku": "K1",
        "quantity": 1.0,
    }


def order(number: int, version: int) -> Row:
    return {
        "order_id": f"O{number}",
        "customer_id": f"C{number % 4}",
        "ordered_at": START + timedelta(hours=number),
        "order_status": ("placed", "delivered", "returned")[version],
    }


def line(number: int, version: int) -> Row:
    return {"order_li_id": f"L{number}", "order_id": f"O{number}", "qty": 1.0 + version, "unit_price": 9.99}


def rows(contract: Contract, given: Sequence[Row]) -> ir.Table:
    schema = table(contract.key).schema().to_pyarrow()
    return ibis.memtable(pa.Table.from_pylist(list(given), schema=schema))


def derived(lake: Lake) -> dict[str, bytes]:
    """The derived tables as bytes, their rows in order."""
    known = {f"sources/{contract.name}": lake.read(contract) for contract in (ORDERS, LINES, EVENTS)}
    known["as_of"] = at("2026-03-01 12:00:00")
    known["products"] = table("products", {"sku_id": "K1", "product_id": "P1", "product_name": "Kettle"})
    found = {}
    for asset in DERIVED:
        inputs = {name: known[key.to_user_string()] for name, key in asset.keys_by_input_name.items()}
        made = computed(asset)(**inputs)
        known[asset.key.to_user_string()] = made
        found[asset.key.to_user_string()] = _bytes(made)
    return found


def _bytes(made: ir.Table) -> bytes:
    # Arrow's own format differs in what says that no value is null; the values written out do not.
    return repr(arrow(made).sort_by([(name, "ascending") for name in made.columns]).to_pylist()).encode()


MINUTES = st.lists(st.integers(0, HOURS * 60 - 1), max_size=12)
HOUR = st.integers(0, HOURS - 1)
LOADS = st.lists(st.tuples(HOUR, st.integers(1, 4)), max_size=6)
VERSIONS = st.lists(st.integers(0, 2), min_size=1, max_size=6)


@settings(max_examples=10, deadline=None)
@given(minutes=MINUTES, arrived=st.lists(HOUR, min_size=12, max_size=12), loads=LOADS, final=VERSIONS, data=st.data())
def test_tables_are_the_same_in_whatever_portions_and_order_rows_arrived(
    minutes: list[int],
    arrived: list[int],
    loads: list[tuple[int, int]],
    final: list[int],
    data: st.DataObject,
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("lakes")
    once, bit_by_bit = (_lake(folder / name, engine) for name in ("once", "bit_by_bit"))
    events = [event(number, minute) for number, minute in enumerate(minutes)]
    ordered = [(order(number, version), line(number, version)) for number, version in enumerate(final)]
    for contract, given_rows in zip((EVENTS, ORDERS, LINES), (events, *zip(*ordered, strict=True)), strict=True):
        once.publish(once.write(contract, rows(contract, given_rows)))
    expected = derived(once)

    # Hours in any order and again, of what had arrived by then; late ones come with the last look at each hour.
    for step, (first, length) in enumerate(loads):
        known = [found for number, found in enumerate(events) if arrived[number] <= step]
        _load_hours(bit_by_bit, known, first, min(first + length, HOURS))
    for first in data.draw(st.permutations(range(0, HOURS, 2))):
        _load_hours(bit_by_bit, events, first, first + 2)
    # Orders as they were, as they are, and again.
    for version in (0, 1):
        batch = data.draw(st.lists(st.sampled_from(range(len(final))), unique=True, max_size=4))
        _upsert(bit_by_bit, {number: min(version, final[number]) for number in batch})
    for first in (data.draw(st.integers(0, len(final))), 0):
        _upsert(bit_by_bit, {number: final[number] for number in range(first, len(final))})
    assert derived(bit_by_bit) == expected
    once.close()
    bit_by_bit.close()


def _lake(folder: Path, engine: Engine) -> Lake:
    folder.mkdir()
    return Lake(f"sqlite:///{folder}/catalog.db", folder / "lake", engine)


def _load_hours(lake: Lake, events: Sequence[Row], first: int, end: int) -> None:
    window = Window(START + timedelta(hours=first), START + timedelta(hours=end))
    inside = [found for found in events if window.start <= found["activity_ts"] < window.end]
    lake.publish(lake.merge(EVENTS, rows(EVENTS, inside), window=window))


def _upsert(lake: Lake, versions: dict[int, int]) -> None:
    for contract, made in ((ORDERS, order), (LINES, line)):
        batch = [made(number, version) for number, version in versions.items()]
        lake.publish(lake.merge(contract, rows(contract, batch)))
