"""An engine and a lake of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.engine import Engine
from resources.lake import Lake
from tests.lakes import opened


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A small engine, which the tests of a module share."""
    engine = Engine("500MB", threads=1)
    yield engine
    engine.close()


@pytest.fixture
def lake(tmp_path: Path, engine: Engine) -> Iterator[Lake]:
    """An empty lake."""
    lake = opened(tmp_path, engine)
    yield lake
    lake.close()
