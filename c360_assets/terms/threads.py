"""One thread for linear algebra, so that sums come in one order, whatever the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    from threadpoolctl import threadpool_limits

    # The limit holds for libraries that are loaded, so it has to be.
    import_module("scipy.linalg")
    with threadpool_limits(1):
        yield
