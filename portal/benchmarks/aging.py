"""The benchmark of age: what a write, its publication and a read take after so many writes, against the tenth.

Three kinds of write, each in a lake of its own: a table replaced as a whole, rows merged by key, and hours of events
one after another. Reads are timed as by a process that has not read the table before.
"""

import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
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
Write = Callable[[Lake, Contract, int], Commit]


def writes(count: int, tell: Callable[[str], None] = lambda text: None) -> Table:
    """Write tables so many times, at least 20, and show what the last writes took against the first ones."""
    shown = Table(title=f"{count:,} writes, medians of {TIMED} in milliseconds", title_justify="left")
    for column in ("written", "times", "write", "publish", "read", "together", "files"):
        shown.add_column(column, justify="left" if column == "written" else "right")
    known = contracts.load()
    for name, (key, write) in KINDS.items():
        tell(f"{name} ...")
        with tempfile.TemporaryDirectory(prefix="c360-bench-") as folder:
            aged = _aged(Path(folder), known[key], write, count)
            ((_, first, _), *_) = aged
            for times, found, files in aged:
                ratio = f" ({sum(found) / sum(first):.2f}x)" if times != FIRST else ""
                cells = [f"{1000 * seconds:.0f}" for seconds in found]
                shown.add_row(name, f"{times:,}", *cells, f"{1000 * sum(found):.0f}{ratio}", f"{files:,}")
        shown.add_section()
    return shown


def _aged(folder: Path, contract: Contract, write: Write, count: int) -> list[tuple[int, tuple[float, ...], int]]:
    """At each mark the number of writes, medians of writing, publishing and reading, and how many files lie there."""
    engine = Engine()
    lake = Lake(f"sqlite:///{folder / 'catalog.db'}", folder / "lake", engine)
    marks = {FIRST, *(10**power for power in range(2, 10) if 10**power < count), count}
    last: deque[tuple[float, float, float]] = deque(maxlen=TIMED)
    found = []
    for number in range(1, count + 1):
        moments = [time.perf_counter()]
        commit = write(lake, contract, number)
        moments.append(time.perf_counter())
        lake.publish(commit)
        moments.append(time.perf_counter())
        lake.close()
        engine.query(f"SELECT count(*) FROM ({lake.select(contract)})")
        moments.append(time.perf_counter())
        began, written, published, read = moments
        last.append((written - began, published - written, read - published))
        if number in marks:
            medians = tuple(statistics.median(each) for each in zip(*last, strict=True))
            found.append((number, medians, sum(path.is_file() for path in lake.warehouse.rglob("*"))))
    lake.close()
    engine.close()
    return found


def _replaced(lake: Lake, contract: Contract, number: int) -> Commit:
    moment = f"TIMESTAMP '{BEGIN + number * HOUR}'"
    return lake.write(contract, _rows(lake, contract, {"as_of": moment, "timezone": "'UTC'"}, 1))


def _merged(lake: Lake, contract: Contract, number: int) -> Commit:
    row = {"brand_id": f"'b{number % BRANDS}'", "brand_name": f"'n{number}'"}
    return lake.merge(contract, _rows(lake, contract, row, 1))


def _hourly(lake: Lake, contract: Contract, number: int) -> Commit:
    start = BEGIN + number * HOUR
    moment = f"TIMESTAMP '{start}' + to_minutes(i)"
    event = {"activity_uuid": f"'{number}-' || i", "activity_ts": moment, "event_action": "'page_view'"}
    rows = _rows(lake, contract, event, EVENTS_OF_AN_HOUR)
    return lake.merge(contract, rows, window=Window(start, start + HOUR))


KINDS: dict[str, tuple[str, Write]] = {
    "a table as a whole": ("as_of", _replaced),
    "rows by key": ("sources/brand", _merged),
    "hours of events": ("sources/web_analytics", _hourly),
}


def _rows(lake: Lake, contract: Contract, values: dict[str, str], count: int) -> ir.Table:
    cells = ", ".join(f"({values.get(c.name, 'NULL')})::{c.type} AS {quoted(c.name)}" for c in contract.columns)
    return lake.engine.view("benchmark", f"SELECT {cells} FROM range({count}) t(i)", ibis_schema(contract))
