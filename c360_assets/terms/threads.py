"""One thread for linear algebra, so that sums come in one order, whatever the machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    # The limit holds for libraries that are loaded, so it has to be.
    import_module("scipy.linalg")
    with _controller(len(sys.modules)).limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _controller(_loaded: int) -> Any:
    """What limits the libraries that are loaded; to look for them takes longer than to train a small model."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
