"""The golden company: all datasets of a small sample company, built once as users build it."""

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from examples.company.generator import generate

PROJECT = Path(__file__).parents[1]
CUSTOMERS, SEED = 600, 7


def made(folder: Path) -> Path:
    """Its deployment file, with `data` and everything built beside it; of several processes the first makes it."""
    home, is_built = folder / "golden", folder / "golden.built"
    with FileLock(folder / "golden.lock"):
        if not is_built.exists():
            generate(home / "data", CUSTOMERS, SEED)
            done = c360("run", "--config", str(configured(home, home / "data")))
            assert done.returncode == 0, done.stdout + done.stderr
            is_built.touch()
    return home / "c360.yaml"


def configured(folder: Path, data: Path) -> Path:
    """A c360.yaml in `folder` with one feed per dataset found in `data`."""
    datasets = sorted(path.name for path in data.iterdir() if not path.name.startswith("truth_"))
    connectors = "".join(f"  {name}: {{type: files, path: '{data / name}/*.parquet'}}\n" for name in datasets)
    feeds = "".join(f"  {name}: {{from: {name}}}\n" for name in datasets)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "c360.yaml"
    file.write_text(f"name: test\ncurrency: USD\nconnectors:\n{connectors}feeds:\n{feeds}")
    return file


def environment() -> dict[str, str]:
    """That of a user who has set nothing for the product."""
    return {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "C360_CONFIG")}


def c360(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "portal.cli", *arguments],
        cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
