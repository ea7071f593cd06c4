"""A writer in a process of its own, for tests that kill it or run several at once.

`generations`: for every line HOME FIRST on stdin a forked child writes and publishes generation after generation of
`sources/brand` in the lake at HOME, from number FIRST on and until it is killed. It tells its process id after the
first generation and the number of every later one; `gone` follows its death. Imports cost more than writes, hence
the fork.

`partition HOME DATASET`: writes and publishes one partition of `quarantine` ten times, then ends.

`open HOME ...`: several children open each of these lakes at the same moment; ends with 1 where one of them could not.
"""

import itertools
import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pyiceberg.io.pyarrow  # noqa: F401
from pyiceberg.catalog.sql import SqlCatalog

from governance import contracts
from governance.contract import Contract
from resources.engine import Engine
from resources.lake import Lake

ROWS = 1000
WRITES = 10
OPENERS = 4


def main(command: str, *arguments: str) -> None:
    if command == "partition":
        home, dataset = arguments
        write_partition(lake_at(home), dataset)
        return
    warm_up()
    if command == "open":
        open_together(arguments)
        return
    brand = contracts.load()["sources/brand"]
    for line in sys.stdin:
        home, first = line.split()
        child = os.fork()
        if child == 0:
            write_generations(lake_at(home), brand, int(first))
        os.waitpid(child, 0)
        print("gone", flush=True)


def lake_at(home: str) -> Lake:
    return Lake(f"sqlite:///{home}/catalog.db", Path(home, "lake"), Engine("500MB", threads=1))


def warm_up() -> None:
    """Load what a catalog loads when it is first opened. No lake is touched and no connection outlives this."""
    SqlCatalog("none", uri="sqlite://").close()


def write_generations(lake: Lake, brand: Contract, first: int) -> None:
    *others, last = brand.column_names[1:]
    nulls = ", ".join(f"NULL::VARCHAR AS {name}" for name in others)
    for generation in itertools.count(first):
        sql = f"SELECT range::VARCHAR AS brand_id, {nulls}, '{generation}' AS {last} FROM range({ROWS})"
        lake.publish(lake.write(brand, lake.engine.view("generation", sql)))
        print(os.getpid() if generation == first else generation, flush=True)


def write_partition(lake: Lake, dataset: str) -> None:
    quarantine = contracts.load()["quarantine"]
    for number in range(1, WRITES + 1):
        sql = (
            f"SELECT '{dataset}' AS dataset, 's' AS source, 'r' AS reason, '{{}}' AS record, {number}::BIGINT AS copies"
        )
        lake.publish(lake.write(quarantine, lake.engine.view("mine", sql), partition=dataset))
    lake.close()
    lake.engine.close()


def open_together(homes: Sequence[str]) -> None:
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(OPENERS)
    openers = [fork.Process(target=open_each, args=(start, homes)) for _ in range(OPENERS)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    sys.exit(any(opener.exitcode for opener in openers))


def open_each(start: Barrier, homes: Sequence[str]) -> None:
    for home in homes:
        start.wait(timeout=10)
        lake = lake_at(home)
        assert sorted(lake.catalog.list_namespaces()) == [("c360",), ("sources",)]
        lake.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
