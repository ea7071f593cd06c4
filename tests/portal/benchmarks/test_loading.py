"""The benchmarks of loading: that they load what they say, and leave nothing behind."""

import pytest
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from portal.benchmarks import loading as loading_benchmark

ORDERS, EVENTS = 12_000, 3_650


def shown(table: Table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_orders_are_loaded_by_all_sides_and_then_those_that_changed(postgres: str) -> None:
    told = shown(loading_benchmark.orders(postgres, ORDERS, rounds=1))
    assert all(side in told for side in loading_benchmark.SIDES)
    assert "10,000 changed of the newest 5 %" in told
    with sa.create_engine(postgres, poolclass=sa.NullPool).connect() as database:
        assert not sa.inspect(database).has_schema(loading_benchmark.SCHEMA)


def test_a_year_of_events_is_loaded_up_to_each_mark_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_benchmark, "MONTHS", (1,))
    monkeypatch.setattr(loading_benchmark, "HOURS_TIMED", 1)
    told = shown(loading_benchmark.events(EVENTS))
    in_january = EVENTS // 365 * 31
    assert f"{in_january:,}" in told
    assert f"{EVENTS:,}" in told
