"""docs/extending.md, followed word for word: its three files are all that a new table needs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from resources.deployment import Deployment
from tests.golden_company import PROJECT, configured, environment

BREAK = "-- next --"
# The test and the commands of the page, in one process of the copied project: each alone would import all again.
TYPED = f"""
import sys
import pytest
from click.testing import CliRunner

test, config = sys.argv[1:]
assert pytest.main(["-q", test]) == 0
from portal.cli import main

for words in ("lint", "run --select +basket_size", "show basket_size --format csv"):
    done = CliRunner().invoke(main, [*words.split(), "--config", config])
    assert done.exit_code == 0, done.output
    print("{BREAK}", done.stdout)
"""
FILES = re.compile(r"^`([\w/.]+)`: .+?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_a_table_is_added_by_the_three_files_of_the_page(golden: Deployment, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for package in ("c360_assets", "checks", "examples", "governance", "portal", "resources", "tests"):
        shutil.copytree(PROJECT / package, project / package, ignore=shutil.ignore_patterns("__pycache__", ".c360"))
    shutil.copy(PROJECT / "pyproject.toml", project)
    files = FILES.findall((PROJECT / "docs/extending.md").read_text(encoding="utf-8"))
    assert [Path(name).name for name, _ in files] == ["basket_size.py", "basket_size.odcs.yaml", "test_basket_size.py"]
    for name, text in files:
        assert not (project / name).exists()
        (project / name).write_text(text, encoding="utf-8")

    config = str(configured(tmp_path / "shop", golden.folder / "data"))
    typed = [sys.executable, "-c", TYPED, "tests/c360_assets/analytics/value/test_basket_size.py", config]
    done = subprocess.run(typed, cwd=project, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _tested, linted, built, shown = done.stdout.split(BREAK)
    assert "All is well" in linted
    assert re.search(r"basket_size.+100\.0", built)
    counts = [int(line.split(",")[1]) for line in shown.strip().splitlines()[1:]]
    golden.lake.read(golden.contracts["orders"])
    assert [(sum(counts),)] == golden.engine.query("SELECT count(*) FROM orders WHERE is_completed")
