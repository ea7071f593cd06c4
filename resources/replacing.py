"""Files written whole: another process, or a reader after a fault, sees the old one or the new one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place as the block ends, unless that fails; then what was there stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        yield fresh
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def unused(path: Path) -> Path:
    """The path, or one like it with a number, that nothing lies at."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in range(2, 10_000))
    return next(one for one in (path, *numbered) if not one.exists())
