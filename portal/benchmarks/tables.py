"""Benchmark: our tables against the same work in hand-written DuckDB SQL (`portal/benchmarks/floor/<table>.sql`).

Both sides read the same published Parquet files and write one Parquet file with the same settings, each in a process
of its own with the same threads and memory limit, in turn. What is compared is the time from the inputs to the written
table (imports and start-up left out; our side includes the Iceberg commit) and the peak memory of the process.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.box import SIMPLE
from rich.table import Table

from governance.errors import C360Error
from governance.reference import us_states
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.engine import literal
from resources.lake import ROW_GROUP_ROWS

PROJECT = Path(__file__).parents[2]
FLOOR = Path(__file__).parent / "floor"


@dataclass(frozen=True)
class Timing:
    """One table: medians over the rounds in seconds and MB, and the range of the ratio between paired rounds."""

    table: str
    rows: int
    ours_seconds: float
    floor_seconds: float
    ratio: float
    least_ratio: float
    greatest_ratio: float
    ours_megabytes: float
    floor_megabytes: float


@dataclass(frozen=True)
class Comparison:
    """All tables of one company, in a lake `aged` by so many writes of each."""

    customers: int
    rounds: int
    aged: int
    timings: list[Timing]

    @property
    def ratio(self) -> float:
        """Time of all our tables over that of all hand-written ones."""
        return sum(t.ours_seconds for t in self.timings) / sum(t.floor_seconds for t in self.timings)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "ratio": self.ratio}

    def as_table(self) -> Table:
        """For people."""
        title = (
            f"{self.customers:,} customers, each table written {self.aged + 1} times,"
            f" median of {self.rounds} rounds in turn"
        )
        peaks = [max(getattr(t, side) for t in self.timings) for side in ("ours_megabytes", "floor_megabytes")]
        totals = [sum(getattr(t, side) for t in self.timings) for side in ("ours_seconds", "floor_seconds")]
        footers = {
            "rows": "", "ours s": f"{totals[0]:.2f}", "SQL s": f"{totals[1]:.2f}", "ratio": f"{self.ratio:.2f}",
            "range": "", "MB of both": _megabytes(*peaks),
        }  # fmt: skip
        # Narrow, to fit 80 columns.
        shown = Table(title=title, title_justify="left", show_footer=True, box=SIMPLE, padding=0, pad_edge=False)
        shown.add_column("table", footer="all", no_wrap=True)
        for heading, footer in footers.items():
            shown.add_column(heading, footer=footer, justify="right", no_wrap=True)
        for t in self.timings:
            spread = f"{t.least_ratio:.2f}-{t.greatest_ratio:.2f}" if self.rounds > 1 else ""
            shown.add_row(
                t.table, f"{t.rows:,}", f"{t.ours_seconds:.2f}", f"{t.floor_seconds:.2f}", f"{t.ratio:.2f}",
                spread, _megabytes(t.ours_megabytes, t.floor_megabytes),
            )  # fmt: skip
        return shown


def _megabytes(ours: float, floor: float) -> str:
    return f"{ours:,.0f}/{floor:,.0f}"


def compare(
    customers: int,
    rounds: int,
    only: Sequence[str] = (),
    tell: Callable[[str], None] = lambda text: None,
    aged: int = 0,
) -> Comparison:
    """Generate a company, build it once, then time every relational table, or `only` these, against its SQL.

    The lake is `aged` by so many writes of each table first. C360Error where a table has no SQL to be compared with.
    """
    strange = set(only) - set(tables())
    if strange:
        raise C360Error(f"{min(strange)} has no hand-written twin. There is one for {', '.join(tables())}.")
    with tempfile.TemporaryDirectory(prefix="c360-bench-") as folder:
        config = _company(Path(folder), customers, tell)
        tell(f"Writing each table {aged} times more ...")
        deployment = deployments.load(config)
        age(deployment, aged)
        deployment.close()
        timings = []
        for table in only or tables():
            tell(f"{table} ...")
            timings.append(_timing(config, table, rounds))
        return Comparison(customers, rounds, aged, timings)


def age(deployment: Deployment, times: int) -> None:
    """Write every table that has rows so many times more, as it is: a lake at work has snapshots behind it.

    Tables in parts, which are the quarantine and the corrections, are no input of any other and stay.
    """
    lake = deployment.lake
    for contract in deployment.contracts.values():
        is_written = lake.state(contract.key) is not None and contract.partition_column is None
        for _ in range(times if is_written else 0):
            lake.publish(lake.write(contract, lake.read(contract)))


def tables() -> list[str]:
    """The tables that have a hand-written twin."""
    return sorted(file.stem for file in FLOOR.glob("*.sql"))


def floor_sql(deployment: Deployment, table: str) -> str:
    """The hand-written SELECT of a table, over views of its published inputs; `us_states` is there too."""
    for contract in deployment.contracts.values():
        deployment.lake.read(contract)
    engine = deployment.engine
    states = ", ".join(f"({literal(code)}, {literal(state)})" for code, state in us_states.names_by_code().items())
    engine.query(f"CREATE OR REPLACE TEMP TABLE us_states AS FROM (VALUES {states}) AS us_states(state_code, state)")
    (as_of,) = engine.query("SELECT as_of FROM as_of")[0]
    known = {"{as_of}": f"TIMESTAMP '{as_of}'", "{rule_version}": literal(deployment.rules().full_version)}
    sql = (FLOOR / f"{table}.sql").read_text()
    for placeholder, value in known.items():
        sql = sql.replace(placeholder, value)
    return sql


def _company(folder: Path, customers: int, tell: Callable[[str], None]) -> Path:
    """A built deployment of the sample company."""
    from portal.runs.running import run

    settings = yaml.safe_load((PROJECT / "c360.yaml").read_text())
    settings["connectors"]["sample"]["customers"] = customers
    config = folder / "c360.yaml"
    config.write_text(yaml.safe_dump(settings))
    tell(f"Generating and building a company of {customers:,} customers ...")
    deployment = deployments.load(config)
    report = run(deployment)
    deployment.close()
    faults = [f"{table.key}: {table.fault}" for table in report.tables.values() if table.fault]
    assert not faults, faults
    return config


def in_turn(
    sides: Sequence[str], rounds: int, run: Callable[[str, int], dict[str, float]]
) -> dict[str, list[dict[str, float]]]:
    """What each run of each side measured; `run` takes the side and the number of the round."""
    measured: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for number in range(rounds):
        # Who goes first changes each round, so that neither side always finds the files in the cache.
        for side in sides if number % 2 == 0 else sides[::-1]:
            measured[side].append(run(side, number))
    return measured


def measured_apart(module: str, *arguments: str) -> dict[str, float]:
    """What a module of ours, run in a process of its own, measured: the JSON of its last line."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _timing(config: Path, table: str, rounds: int) -> Timing:
    measured = in_turn(
        ("ours", "floor"), rounds, lambda side, _: measured_apart("portal.benchmarks.tables", side, str(config), table)
    )
    ours, floor = measured["ours"], measured["floor"]
    ratios = [mine["seconds"] / theirs["seconds"] for mine, theirs in zip(ours, floor, strict=True)]
    return Timing(
        table=table,
        rows=int(ours[0]["rows"]),
        ours_seconds=statistics.median(run["seconds"] for run in ours),
        floor_seconds=statistics.median(run["seconds"] for run in floor),
        ratio=statistics.median(ratios),
        least_ratio=min(ratios),
        greatest_ratio=max(ratios),
        ours_megabytes=statistics.median(run["megabytes"] for run in ours),
        floor_megabytes=statistics.median(run["megabytes"] for run in floor),
    )


def _ours(deployment: Deployment, table: str) -> tuple[float, int]:
    from c360_assets.definitions import build

    asset = build(deployment).resolve_assets_def(table)
    op: Any = asset.op
    deployment.lake.state(table)
    _warm_up(deployment)
    started = time.perf_counter()
    inputs = {
        name: deployment.lake.read(deployment.contracts[key.to_user_string()])
        for name, key in asset.keys_by_input_name.items()
    }
    resources = {
        name: getattr(deployment, name) for name in asset.required_resource_keys & deployment.rule_files.keys()
    }
    commit = deployment.lake.write(deployment.contracts[table], op.compute_fn.decorated_fn(**inputs, **resources))
    return time.perf_counter() - started, commit.rows


def _floor(deployment: Deployment, table: str) -> tuple[float, int]:
    sql = floor_sql(deployment, table)
    _warm_up(deployment)
    with tempfile.TemporaryDirectory(dir=deployment.engine.scratch) as folder:
        target = literal(str(Path(folder) / "part-0.parquet"))
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        started = time.perf_counter()
        ((rows,),) = deployment.engine.query(f"COPY ({sql}) TO {target} ({options})")
        return time.perf_counter() - started, rows


def _warm_up(deployment: Deployment) -> None:
    """Load what either side imports at first use."""
    import pyiceberg.io.pyarrow  # noqa: F401

    deployment.engine.sql_of(deployment.engine.view("warm up", "SELECT 1 AS one"))


def peak_megabytes() -> float:
    """Peak resident memory of this process. getrusage would count what the parent held before it started us."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / 1e6


def _main() -> None:
    side, config, table = sys.argv[1:]
    deployment = deployments.load(Path(config))
    seconds, rows = (_ours if side == "ours" else _floor)(deployment, table)
    peak = peak_megabytes()
    deployment.close()
    print(json.dumps({"seconds": seconds, "rows": rows, "megabytes": peak}))


if __name__ == "__main__":
    _main()
