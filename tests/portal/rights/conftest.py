"""A shop that was built, from which people are erased one after the other."""

from pathlib import Path

import pytest

from examples.company.generator import generate
from tests.golden_company import c360, configured

CUSTOMERS, SEED = 60, 11
# Of each layer, of people and of what leads to them.
BUILT = ("customers", "rfm", "customer_history", "sessions", "points", "ratings", "transactions")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment file of a small sample company with some of its tables."""
    folder = tmp_path_factory.mktemp("shop")
    generate(folder / "data", CUSTOMERS, SEED)
    file = configured(folder, folder / "data")
    file.write_text(f"{file.read_text()}access: {{anyone: data_steward}}\n")
    build(file)
    return file


def build(file: Path) -> str:
    """Load the sources and make the tables; what was printed."""
    done = c360("run", *(word for table in BUILT for word in ("--select", f"+{table}")), "--config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
