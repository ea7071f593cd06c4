"""The benchmark of age: what a write, its publication and a read take after so many writes.

They are compared with the tenth time, when the table was smaller, and with a new lake that holds the same rows.

Three kinds of write, each in a lake of its own: a table replaced as a whole, rows merged by key, and hours of events
one after another. Reads are timed as by a process that has not read the table before.
"""

import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import ibis.expr.types as ir
from rich.table import Table

from governance import contracts
from governance.contract import Contract
from resources.engine import Engine, quoted
from resources.lake import Commit, Lake, ibis_schema
from resources.merging import Window

# The median of so many, up to each mark.
TIMED = 10
FIRST = 10
BRANDS, EVENTS_OF_AN_HOUR = 50, 20
BEGIN = datetime(2025, 1, 1)
HOUR = timedelta(hours=1)
Seconds = tuple[float, ...]
Write = Callable[[Lake, Contract, int], Commit]


@dataclass(frozen=True)
class Kind:
    """A kind of write: of which table, how the nth goes, and how all up to the nth are written at once."""

    key: str
    write: Write
    at_once: Write


def writes(count: int, tell: Callable[[str], None] = lambda text: None) -> Table:
    """Write tables so many times, at least 20, and show what the last writes took against the first ones, and against
    those into a new lake that holds the same rows.
    """
    shown = Table(title=f"{count:,} writes, medians of {TIMED} in milliseconds", title_justify="left")
    shown.add_column("written")
    for column in ("times", "write", "publish", "read", "together", "to the tenth", "to a new lake", "files"):
        shown.add_column(column, justify="right")
    known = contracts.load()
    marks = {FIRST, *(10**power for power in range(2, 10)), count}
    for name, kind in KINDS.items():
        tell(f"{name} ...")
        contract = known[kind.key]
        with _lake() as lake:
            aged = _timed(lake, contract, kind, range(1, count + 1), marks)
        (_, first, _), *_ = aged
        for times, found, files in aged:
            with _lake() as lake:
                lake.publish(kind.at_once(lake, contract, times))
                ((_, new, _),) = _timed(lake, contract, kind, range(times + 1, times + TIMED + 1), {times + TIMED})
            cells = [f"{1000 * seconds:.0f}" for seconds in (*found, sum(found))]
            ratios = [f"{sum(found) / sum(other):.2f}" for other in (first, new)]
            shown.add_row(name, f"{times:,}", *cells, *ratios, f"{files:,}")
        shown.add_section()
    return shown


@contextmanager
def _lake() -> Iterator[Lake]:
    with (
        tempfile.TemporaryDirectory(prefix="c360-bench-") as folder,
        closing(Engine()) as engine,
        closing(Lake(f"sqlite:///{folder}/catalog.db", Path(folder) / "lake", engine)) as lake,
    ):
        yield lake


def _timed(
    lake: Lake, contract: Contract, kind: Kind, numbers: range, marks: Container[int]
) -> list[tuple[int, Seconds, int]]:
    """At each mark its number, medians of writing, publishing and reading, and how many files lie there."""
    last: deque[Seconds] = deque(maxlen=TIMED)
    found = []
    for number in numbers:
        moments = [time.perf_counter()]
        commit = kind.write(lake, contract, number)
        moments.append(time.perf_counter())
        lake.publish(commit)
        moments.append(time.perf_counter())
        lake.close()
        lake.engine.query(f"SELECT count(*) FROM ({lake.select(contract)})")
        moments.append(time.perf_counter())
        last.append(tuple(after - before for before, after in pairwise(moments)))
        if number in marks:
            medians = tuple(statistics.median(each) for each in zip(*last, strict=True))
            found.append((number, medians, sum(path.is_file() for path in lake.warehouse.rglob("*"))))
    return found


def _replaced(lake: Lake, contract: Contract, number: int) -> Commit:
    moment = f"TIMESTAMP '{BEGIN + number * HOUR}'"
    return lake.write(contract, _rows(lake, contract, {"as_of": moment, "timezone": "'UTC'"}, 1))


def _merged(lake: Lake, contract: Contract, number: int) -> Commit:
    row = {"brand_id": f"'b{number % BRANDS}'", "brand_name": f"'n{number}'"}
    return lake.merge(contract, _rows(lake, contract, row, 1))


def _all_merged(lake: Lake, contract: Contract, number: int) -> Commit:
    row = {"brand_id": "'b' || i", "brand_name": "'n' || i"}
    return lake.merge(contract, _rows(lake, contract, row, min(number, BRANDS)))


def _hourly(lake: Lake, contract: Contract, number: int) -> Commit:
    return _hours(lake, contract, number, number)


def _all_hours(lake: Lake, contract: Contract, number: int) -> Commit:
    return _hours(lake, contract, 1, number)


def _hours(lake: Lake, contract: Contract, first: int, last: int) -> Commit:
    moment = (
        f"TIMESTAMP '{BEGIN + first * HOUR}' + to_minutes(60 * (i // {EVENTS_OF_AN_HOUR}) + i % {EVENTS_OF_AN_HOUR})"
    )
    event = {"activity_uuid": f"'{first}-' || i", "activity_ts": moment, "event_action": "'page_view'"}
    rows = _rows(lake, contract, event, (last - first + 1) * EVENTS_OF_AN_HOUR)
    return lake.merge(contract, rows, window=Window(BEGIN + first * HOUR, BEGIN + (last + 1) * HOUR))


KINDS = {
    "a table as a whole": Kind("as_of", _replaced, _replaced),
    "rows by key": Kind("sources/brand", _merged, _all_merged),
    "hours of events": Kind("sources/web_analytics", _hourly, _all_hours),
}


def _rows(lake: Lake, contract: Contract, values: dict[str, str], count: int) -> ir.Table:
    cells = ", ".join(f"({values.get(c.name, 'NULL')})::{c.type} AS {quoted(c.name)}" for c in contract.columns)
    return lake.engine.view("benchmark", f"SELECT {cells} FROM range({count}) t(i)", ibis_schema(contract))
