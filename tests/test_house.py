"""The few conventions readers rely on."""

import importlib
import itertools
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from c360_assets import definitions
from governance import contracts
from governance.contract import Contract
from resources import deployment as deployments
from resources.operations import TABLES
from tests.golden_company import environment

PROJECT = Path(__file__).parents[1]
PACKAGES = ("c360_assets", "checks", "examples", "governance", "lens", "portal", "resources")
CONTRACTS = contracts.load()
DEFINITIONS = definitions.build(deployments.load(PROJECT / "c360.yaml"))
SPECS = {spec.key.to_user_string(): spec for spec in DEFINITIONS.resolve_all_asset_specs()}
DERIVED = [contract for contract in CONTRACTS.values() if contract.layer not in ("sources", "operations")]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_comes_from_this_checkout(package: str) -> None:
    assert Path(importlib.import_module(package).__file__ or "").is_relative_to(PROJECT)


def test_every_table_has_a_contract_and_every_contract_a_table() -> None:
    assert set(SPECS) == set(CONTRACTS)


@pytest.mark.parametrize("key", sorted(SPECS))
def test_every_table_tells_a_steward_what_it_is(key: str) -> None:
    spec, contract = SPECS[key], CONTRACTS[key]
    assert spec.description.startswith("One row")
    assert spec.group_name == (file_of(contract).parent.name if contract in DERIVED else contract.layer)
    assert spec.owners == [f"team:{contract.owner}"]
    assert spec.kinds == ({"sql"} if key in TABLES else {"duckdb", "iceberg"})
    assert spec.code_version
    schema = spec.metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == contract.column_names
    assert all(column.description for column in schema.columns)
    tagged = {column.name for column in schema.columns if column.tags}
    assert tagged == {column.name for column in contract.columns if column.classification != "internal"}
    assert spec.metadata["dagster/code_references"].code_references


@pytest.mark.parametrize("contract", DERIVED, ids=lambda contract: contract.key)
def test_a_derived_table_is_a_module_of_its_layer_that_says_what_one_row_is(contract: Contract) -> None:
    module = importlib.import_module(".".join(file_of(contract).relative_to(PROJECT).with_suffix("").parts))
    asset = getattr(module, contract.name)
    assert isinstance(asset, dg.AssetsDefinition)
    assert (asset.op.compute_fn.decorated_fn.__doc__ or "").startswith("One row")
    assert (module.__doc__ or "").strip()


def file_of(contract: Contract) -> Path:
    """The module of a derived table, in its layer or in a room of it."""
    (file,) = (PROJECT / "c360_assets" / contract.layer).rglob(f"{contract.name}.py")
    return file


def test_a_layer_holds_tables_and_nothing_else() -> None:
    made = {contract.layer: set[str]() for contract in DERIVED} | {"sources": {"datasets"}}
    for contract in DERIVED:
        made[contract.layer].add(contract.name)
    for layer, tables in made.items():
        modules = {file.stem for file in (PROJECT / "c360_assets" / layer).rglob("*.py")} - {"__init__"}
        assert modules == tables, layer


def test_data_flows_from_layer_to_layer_and_nothing_above_conformed_reads_a_source() -> None:
    above = {"sources": (), "conformed": ("sources", "conformed"), "operations": ()}
    meaning = ("conformed", "analytics", "models")
    above |= {"analytics": meaning, "models": meaning, "serving": (*meaning, "serving")}
    for key, spec in SPECS.items():
        for dep in spec.deps:
            upstream = CONTRACTS[dep.asset_key.to_user_string()]
            assert upstream.layer in above[CONTRACTS[key].layer], (upstream.key, key)


def test_packages_say_what_belongs_in_them_and_nothing_else() -> None:
    for package in PACKAGES:
        for file in (PROJECT / package).rglob("__init__.py"):
            text = file.read_text().strip()
            assert text.startswith('"""'), f"{file} needs a docstring"
            assert text.endswith(chr(34) * 3)
            assert text.count(chr(34) * 3) == 2, f"{file} holds more than a docstring"


def test_every_dagster_name_resolves() -> None:
    dg.Definitions.validate_loadable(DEFINITIONS)


def test_the_code_location_loads_from_any_folder(tmp_path: Path) -> None:
    command = ["-m", "dagster", "definitions", "validate", "-w", str(PROJECT / "workspace.yaml")]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_code_location_loads_no_heavy_library() -> None:
    heavy = ("great_expectations", "sklearn", "pyspark", "pyiceberg", "scipy")
    code = f"import sys, c360_assets.definitions as d; d.defs(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_fault_that_is_written_down_has_the_tests_it_names() -> None:
    table = (PROJECT / "docs/faults.md").read_text(encoding="utf-8")
    faults = re.findall(r"^\| (?!What happened)(.+) \|$", table, re.MULTILINE)
    assert len(faults) >= 55
    tests: dict[str, str] = {}
    for path in sorted((PROJECT / "tests").rglob("test_*.py")):
        tests[path.stem] = tests.get(path.stem, "") + path.read_text(encoding="utf-8")
    module = ""
    for fault in faults:
        *_, named = fault.split(" | ")
        assert "test_" in named or named.startswith(("the same", "as above")), fault
        for word, start in re.findall(r"(test_\w+)|`(\w+)[^`]*`", named):
            module = word or module
            assert f"def test_{start}" in tests[module] if start else module in tests, (fault, module, start)


def test_the_readme_names_only_commands_that_exist() -> None:
    from portal.cli import main

    words = (PROJECT / "README.md").read_text().replace("`", " ").split()
    used = {after for word, after in itertools.pairwise(words) if word.endswith("c360") and after.isalpha()}
    assert used & set(main.commands), "the README shows no command"
    targets = {line.split(":")[0] for line in (PROJECT / "Makefile").read_text().splitlines() if ":" in line}
    made = {after.strip(".,;)") for word, after in itertools.pairwise(words) if word == "make"}
    assert made <= targets | {"PYTHON=..."}, made - targets
