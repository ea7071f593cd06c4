"""Lakes of tests."""

from pathlib import Path

from resources.engine import Engine
from resources.lake import Lake


def opened(home: Path, engine: Engine) -> Lake:
    """The lake in a folder, made where there is none, as any process would open it."""
    return Lake(f"sqlite:///{home / 'catalog.db'}", home / "lake", engine)
