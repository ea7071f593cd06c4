"""A writer in a process of its own, for tests that kill it or run several at once.

`generations`: for every line HOME FIRST on stdin a forked child writes and publishes generation after generation of
`sources/brand` in the lake at HOME, from number FIRST on and until it is killed. It tells `process` and its id after
the first generation and the number of every later one; `gone` follows its death. Imports cost more than writes, hence
the fork.

`together`: the same, but no child waits for the death of the one before.

`partitions HOME DATASET ...`: children write and publish one partition of `quarantine` each, ten times; ends with 1
where one of them could not.

`open HOME ...`: several children open each of these lakes at the same moment; ends with 1 where one of them could not.
"""

import itertools
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from governance import contracts
from governance.contract import Contract
from resources.engine import Engine
from resources.lake import Lake

CONTRACTS = contracts.load()
BRAND, QUARANTINE = CONTRACTS["sources/brand"], CONTRACTS["quarantine"]
ROWS = 1000
WRITES = 10
OPENERS = 4


def main(command: str, *arguments: str) -> None:
    warm_up()
    if command == "open":
        at_once(open_each, [arguments] * OPENERS)
    elif command == "partitions":
        home, *datasets = arguments
        at_once(write_partition, [(home, dataset) for dataset in datasets])
    else:
        fork_for_each_line(is_patient=command == "generations")


def bury(*_: Any) -> None:
    """Let go of children that died: only then is seen from outside that one is gone."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            print("gone", flush=True)


@contextmanager
def lake_at(home: str) -> Iterator[Lake]:
    engine = Engine("500MB", threads=1)
    lake = Lake(f"sqlite:///{home}/catalog.db", Path(home, "lake"), engine)
    yield lake
    lake.close()
    engine.close()


def warm_up() -> None:
    """Load what the first write loads. No connection outlives this."""
    with tempfile.TemporaryDirectory() as home, lake_at(home) as lake:
        write_generation(lake, 0)


def fork_for_each_line(is_patient: bool) -> None:
    if not is_patient:
        signal.signal(signal.SIGCHLD, bury)
    for line in sys.stdin:
        home, first = line.split()
        child = os.fork()
        if child == 0:
            with lake_at(home) as lake:
                write_generations(lake, int(first))
        if is_patient:
            os.waitpid(child, 0)
            print("gone", flush=True)
    with suppress(ChildProcessError):
        while True:
            os.wait()


def write_generations(lake: Lake, first: int) -> None:
    write_generation(lake, first)
    print("process", os.getpid(), flush=True)
    for generation in itertools.count(first + 1):
        write_generation(lake, generation)
        print(generation, flush=True)


def write_generation(lake: Lake, generation: int) -> None:
    *others, last = BRAND.column_names[1:]
    nulls = ", ".join(f"NULL::VARCHAR AS {name}" for name in others)
    publish(lake, BRAND, f"SELECT range::VARCHAR AS brand_id, {nulls}, '{generation}' AS {last} FROM range({ROWS})")


def publish(lake: Lake, contract: Contract, sql: str, partition: str | None = None) -> None:
    lake.publish(lake.write(contract, lake.engine.view("mine", sql), partition=partition))


def at_once(act: Callable[..., None], children: Sequence[Sequence[str]]) -> None:
    """Let children do something with their arguments each, and end with 1 where one of them could not."""
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(len(children))
    processes: list[Any] = [fork.Process(target=act, args=(start, *arguments)) for arguments in children]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(any(process.exitcode for process in processes))


def write_partition(start: Barrier, home: str, dataset: str) -> None:
    start.wait(timeout=10)
    with lake_at(home) as lake:
        for number in range(1, WRITES + 1):
            named = f"'{dataset}' AS dataset, 's' AS source, 'r' AS reason, '{{}}' AS record"
            publish(lake, QUARANTINE, f"SELECT {named}, {number}::BIGINT AS copies", partition=dataset)


def open_each(start: Barrier, *homes: str) -> None:
    for home in homes:
        start.wait(timeout=10)
        with lake_at(home) as lake:
            assert sorted(lake.catalog.list_namespaces()) == [("c360",), ("sources",)]


if __name__ == "__main__":
    main(*sys.argv[1:])
