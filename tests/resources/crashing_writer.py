"""A writer in a process of its own, for tests that kill it or run several at once.

`generations CATALOG WAREHOUSE`: for every number read from stdin a forked child announces its process id and then
writes and publishes generation after generation of `sources/brand`, from that number on and until it is killed.
Imports cost more than writes, hence the fork; the parent itself opens nothing. `gone` follows the child's death.

`partition CATALOG WAREHOUSE DATASET`: writes and publishes one partition of `quarantine` ten times, then ends.
"""

import itertools
import os
import sys
from pathlib import Path

import pyiceberg.catalog.sql
import pyiceberg.io.pyarrow  # noqa: F401

from governance import contracts
from resources.engine import Engine
from resources.lake import Lake

ROWS = 1000
WRITES = 10


def main(command: str, catalog: str, warehouse: str, *partition: str) -> None:
    lake = Lake(catalog, Path(warehouse), Engine("500MB", threads=1))
    if command == "partition":
        write_partition(lake, *partition)
        return
    brand = contracts.load()["sources/brand"]
    for first in sys.stdin:
        child = os.fork()
        if child == 0:
            write_generations(lake, brand, int(first))
        os.waitpid(child, 0)
        print("gone", flush=True)


def write_generations(lake: Lake, brand: contracts.Contract, first: int) -> None:
    print(os.getpid(), flush=True)
    for generation in itertools.count(first):
        others = ", ".join(f"NULL::VARCHAR AS {name}" for name in brand.column_names[1:-1])
        last = brand.column_names[-1]
        sql = f"SELECT range::VARCHAR AS brand_id, {others}, '{generation}' AS {last} FROM range({ROWS})"
        lake.publish(lake.write(brand, lake.engine.view("generation", sql)))
        print(generation, flush=True)


def write_partition(lake: Lake, dataset: str) -> None:
    quarantine = contracts.load()["quarantine"]
    for number in range(1, WRITES + 1):
        sql = f"SELECT '{dataset}' AS dataset, 's' AS source, 'r' AS reason, '{{}}' AS record, {number}::BIGINT AS copies"
        lake.publish(lake.write(quarantine, lake.engine.view("mine", sql), partition=dataset))
    lake.close()
    lake.engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
