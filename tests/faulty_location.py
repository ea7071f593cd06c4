"""The code location with a lake that fails while the file FAULTS exists: three writes in ten before a commit, as many
after. Each failure is noted in the file INJECTED.
"""

import os
import random
from functools import wraps
from pathlib import Path
from typing import Any

from c360_assets.definitions import build
from resources import deployment as deployments
from resources.lake import Commit, Lake

CHANCE = 0.3


def _faulty(write: Any) -> Any:
    @wraps(write)
    def fail_at_times(*arguments: Any, **options: Any) -> Commit:
        _perhaps("before")
        commit: Commit = write(*arguments, **options)
        _perhaps("after")
        return commit

    return fail_at_times


def _perhaps(when: str) -> None:
    if Path(os.environ["FAULTS"]).exists() and random.random() < CHANCE:
        with Path(os.environ["INJECTED"]).open("a", encoding="utf-8") as injected:
            print(when, file=injected)
        raise OSError(f"injected {when} the commit")


Lake.merge = _faulty(Lake.merge)  # type: ignore[method-assign]
defs = build(deployments.load())
