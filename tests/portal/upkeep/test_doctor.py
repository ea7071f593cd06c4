"""The doctor: whatever happens to what a deployment keeps is told by name, and put back; nothing whole is lost."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pyiceberg import manifest as manifests

from portal import cli
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.tables import CONTRACTS, table

BRAND = CONTRACTS["sources/brand"]
CONFIG = "name: Test\ncurrency: EUR\naccess: {anyone: data_steward}\nconnectors: {}\nfeeds: {}\n"
OLD, NEW = ["b1"], ["b1", "b2"]
ROOT = Path(__file__).parents[3]
REMEDY = "c360 doctor --repair"


@pytest.fixture(autouse=True)
def _nothing_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("DAGSTER_HOME", raising=False)
        environment.delenv("C360_CONFIG", raising=False)
        yield


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A deployment that keeps two snapshots of brands and one of products."""
    file = tmp_path / "c360.yaml"
    file.write_text(CONFIG)
    deployment = deployments.load(file)
    for brands in (OLD, NEW):
        write(deployment, brands)
    products = CONTRACTS["sources/product"]
    deployment.lake.publish(deployment.lake.write(products, table("sources/product", {"sku_id": "p1"})))
    deployment.close()
    forget()
    return file


def write(deployment: Deployment, brands: list[str]) -> None:
    rows = table("sources/brand", *({"brand_id": brand} for brand in brands))
    deployment.lake.publish(deployment.lake.write(BRAND, rows))


def forget() -> None:
    """What PyIceberg has read stays in this process, and would hide what has become of the files."""
    for cached in vars(manifests).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


def c360(*arguments: str | Path) -> Result:
    forget()
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def plain(text: str) -> str:
    """Without blanks, and without the deployment file that advised commands name."""
    return re.sub(r"\s+", "", re.sub(r"--config\s+('[^']*'|\S+)", "", text))


def shown(config: Path) -> list[str]:
    done = c360("show", "sources/brand", "--config", config, "--format", "json")
    assert done.exit_code == 0, done.output
    return sorted(row["brand_id"] for row in json.loads(done.stdout))


def brand_folder(config: Path) -> Path:
    return config.parent / ".c360/lake/sources/brand"


def newest(config: Path, pattern: str) -> Path:
    """The file of brands that was written last, of those a pattern finds."""
    return max(brand_folder(config).glob(pattern), key=lambda file: file.stat().st_mtime_ns)


def delete(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garble(file: Path) -> None:
    file.write_bytes(b"\x07" * file.stat().st_size)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


Harm = Callable[[Path], None]
FILES = {
    "data": "data/*/*.parquet",
    "manifest": "metadata/*-m*.avro",
    "manifest list": "metadata/snap-*.avro",
}


@pytest.mark.parametrize("harm", [delete, cut, garble, empty])
@pytest.mark.parametrize("kind", FILES)
def test_a_table_whose_newest_rows_are_damaged_is_named_and_goes_back_to_those_before(
    config: Path, kind: str, harm: Harm
) -> None:
    file = newest(config, FILES[kind])
    harm(file)
    looked = c360("show", "sources/brand", "--config", config)
    assert looked.exit_code == 1
    assert "Error: Table sources/brand is damaged:" in looked.stderr.replace("\n", " ")
    assert plain(str(file.name)) in plain(looked.stderr)
    assert plain(REMEDY) in plain(looked.stderr)
    found = c360("doctor", "--config", config)
    assert found.exit_code == 1
    assert plain(f"sources/brand: {file}") in plain(found.output)
    assert shown_products(config) == ["p1"]
    mended = c360("doctor", "--repair", "--config", config)
    assert mended.exit_code == 0, mended.output
    assert "put back on its newest whole snapshot" in " ".join(mended.output.split())
    assert shown(config) == OLD
    assert c360("doctor", "--deep", "--config", config).exit_code == 0
    deployment = deployments.load(config)
    write(deployment, [*NEW, "b3"])
    deployment.close()
    assert shown(config) == [*NEW, "b3"]


def shown_products(config: Path) -> list[str]:
    done = c360("show", "sources/product", "--config", config, "--format", "json")
    return [row["sku_id"] for row in json.loads(done.stdout)]


def test_a_run_that_meets_a_damaged_table_names_it_and_not_the_one_it_builds(config: Path) -> None:
    (data,) = config.parent.glob(".c360/lake/sources/product/data/*/*.parquet")
    cut(data)
    done = c360("run", "--select", "products", "--config", config)
    assert done.exit_code == 1
    told = plain(done.output)
    assert plain(f"products failed: Table sources/product is damaged: {data} has") in told
    assert plain(REMEDY) in told
    assert "Unexpected" not in told


def test_a_single_bit_is_found_by_looking_deep(config: Path) -> None:
    flip_a_bit(newest(config, FILES["data"]))
    assert c360("doctor", "--config", config).exit_code == 0
    found = c360("doctor", "--deep", "--config", config)
    assert found.exit_code == 1
    assert plain("is not as it was written") in plain(found.output)
    assert c360("doctor", "--deep", "--repair", "--config", config).exit_code == 0
    assert shown(config) == OLD


@pytest.mark.parametrize("harm", [delete, cut, garble, empty])
def test_a_table_without_its_newest_metadata_is_known_again_by_those_before(config: Path, harm: Harm) -> None:
    file = newest(config, "metadata/*.metadata.json")
    harm(file)
    looked = c360("show", "sources/brand", "--config", config)
    assert looked.exit_code == 1
    assert plain(f"Table sources/brand is damaged: {file}") in plain(looked.stderr)
    mended = c360("doctor", "--repair", "--config", config)
    assert mended.exit_code == 0, mended.output
    # The newest metadata said that the new rows are published.
    assert shown(config) == OLD
    assert c360("doctor", "--config", config).exit_code == 0


@pytest.mark.parametrize("harm", [delete, cut, garble, empty])
def test_a_lost_catalog_is_told_and_made_anew_from_the_folders_and_no_row_is_lost(config: Path, harm: Harm) -> None:
    catalog = config.parent / ".c360/catalog.db"
    harm(catalog)
    for command in (("show", "sources/brand"), ("run", "--select", "sources/brand")):
        looked = c360(*command, "--config", config)
        assert looked.exit_code == 1
        assert plain(REMEDY) in plain(looked.stderr), looked.output
    with pytest.raises(Exception, match="doctor"):
        write(deployments.load(config), ["b9"])
    mended = c360("doctor", "--repair", "--config", config)
    assert mended.exit_code == 0, mended.output
    assert shown(config) == NEW
    assert shown_products(config) == ["p1"]


def test_what_a_process_killed_as_it_made_a_table_left_is_no_lost_table(config: Path) -> None:
    folder = config.parent / ".c360/lake/c360/rfm/metadata"
    folder.mkdir(parents=True)
    shutil.copy(newest(config, "metadata/00000-*.metadata.json"), folder)
    looked = c360("show", "rfm", "--config", config)
    assert "has not been built yet" in " ".join(looked.stderr.split())
    assert c360("doctor", "--config", config).exit_code == 0


def test_where_nothing_whole_is_left_a_table_is_put_aside_and_built_again(config: Path) -> None:
    for file in brand_folder(config).glob(FILES["data"]):
        cut(file)
    mended = c360("doctor", "--repair", "--config", config)
    assert mended.exit_code == 0, mended.output
    (aside,) = (config.parent / ".c360/lake.damaged").iterdir()
    assert plain(str(aside)) in plain(mended.output)
    assert sorted(aside.glob("data/*/*.parquet"))
    assert "has not been built yet" in " ".join(c360("show", "sources/brand", "--config", config).stderr.split())
    deployment = deployments.load(config)
    write(deployment, NEW)
    deployment.close()
    assert shown(config) == NEW


def test_a_folder_that_was_deleted_is_forgotten(config: Path) -> None:
    shutil.rmtree(brand_folder(config))
    assert plain(REMEDY) in plain(c360("show", "sources/brand", "--config", config).stderr)
    assert c360("doctor", "--repair", "--config", config).exit_code == 0
    deployment = deployments.load(config)
    write(deployment, NEW)
    deployment.close()
    assert shown(config) == NEW


def test_damage_of_rows_that_nobody_reads_any_more_holds_up_nobody(config: Path) -> None:
    oldest = min(brand_folder(config).glob(FILES["data"]), key=lambda file: file.stat().st_mtime_ns)
    cut(oldest)
    assert shown(config) == NEW
    told = c360("doctor", "--config", config)
    assert told.exit_code == 1
    assert plain("Only older snapshots are concerned") in plain(told.output)
    assert c360("doctor", "--repair", "--config", config).exit_code == 0
    assert shown(config) == NEW


@pytest.mark.parametrize("harm", [cut, garble])
def test_a_damaged_operational_store_is_put_aside_and_begins_anew(config: Path, harm: Harm) -> None:
    deployment = deployments.load(config)
    assert deployment.operations.count("incidents") == 0
    deployment.close()
    store = config.parent / ".c360/operations.db"
    harm(store)
    told = c360("doctor", "--config", config)
    assert told.exit_code == 1
    assert plain(str(store)) in plain(told.output)
    looked = c360("incidents", "--config", config)
    assert looked.exit_code == 1
    assert "Unexpected" not in looked.stderr
    assert c360("doctor", "--repair", "--config", config).exit_code == 0
    assert store.with_name("operations.db.damaged").exists()
    assert "No open incidents" in c360("incidents", "--config", config).output


def test_damage_of_dagsters_own_is_put_aside(config: Path) -> None:
    assert c360("doctor", "--config", config).exit_code == 0
    home = config.parent / ".c360/dagster"
    (home / "history").mkdir(exist_ok=True)
    (home / "history/runs.db").write_bytes(b"no database" * 500)
    (home / "dagster.yaml").write_text("telemetry: {")
    told = c360("doctor", "--config", config)
    assert told.exit_code == 1
    assert plain("runs.db") in plain(told.output)
    assert plain("dagster.yaml cannot be read") in plain(told.output)
    assert c360("doctor", "--repair", "--config", config).exit_code == 0
    assert (home / "history/runs.db.damaged").exists()
    assert c360("doctor", "--config", config).exit_code == 0


def test_the_mark_of_a_home_that_cannot_be_read_is_named(config: Path) -> None:
    mark = config.parent / ".c360/owner.json"
    mark.write_text("{")
    told = c360("tables", "--config", config)
    assert told.exit_code == 1
    assert plain(f"{mark}, which tells whose folder it is, cannot be read. Remove it.") in plain(told.stderr)
    mark.unlink()
    assert shown(config) == NEW


def test_a_whole_deployment_is_told_to_be_whole_and_repair_changes_nothing(config: Path) -> None:
    c360("doctor", "--config", config)
    before = {file: file.read_bytes() for file in (config.parent / ".c360/lake").rglob("*") if file.is_file()}
    told = c360("doctor", "--repair", "--deep", "--config", config)
    assert told.exit_code == 0
    assert "2 tables, 3 snapshots, 3 files" in told.output
    assert "All is well." in told.output
    assert {file: file.read_bytes() for file in (config.parent / ".c360/lake").rglob("*") if file.is_file()} == before


def test_a_clock_that_is_behind_is_told(config: Path) -> None:
    (row,) = sqlite3.connect(config.parent / ".c360/catalog.db").execute(
        "SELECT metadata_location FROM iceberg_tables WHERE table_name = 'product'"
    )
    metadata = Path(row[0].removeprefix("file://"))
    told = json.loads(metadata.read_text())
    told["snapshots"][0]["timestamp-ms"] += 86_400_000
    metadata.write_text(json.dumps(told))
    assert plain("The clock of this machine is behind") in plain(c360("doctor", "--config", config).output)


FILLS_THE_DISK = """
import resource, sys
from portal import cli

# Its last argument is how large a file may become, as on a disk that is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[-1]),) * 2)
cli.main(sys.argv[1:-1])
"""


def test_a_file_that_cannot_be_written_whole_leaves_the_one_before(config: Path) -> None:
    target = config.parent / "brands.csv"
    target.write_text("what was there")
    command = ["show", "sources/brand", "--format", "csv", "--out", str(target), "--config", str(config)]
    full = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK, *command, "20"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert full.returncode == 1
    assert "The disk that holds" in full.stderr
    assert "Traceback" not in full.stderr
    assert target.read_text() == "what was there"
    assert c360(*command).exit_code == 0
    assert target.read_text().count("\n") == len(NEW) + 1
    assert not list(config.parent.glob(".brands.csv*"))


# Full at once, and in the middle of a run.
@pytest.mark.parametrize("room", ["2000", "170000"])
def test_a_run_on_a_full_disk_says_so_and_the_rows_before_stay(config: Path, room: str) -> None:
    command = ["run", "--select", "products", "--config", str(config)]
    full = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK, *command, room], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert full.returncode == 1
    assert "The disk that holds" in " ".join((full.stdout + full.stderr).split())
    assert "Traceback" not in full.stdout + full.stderr
    assert shown_products(config) == ["p1"]
    assert c360("doctor", "--deep", "--config", config).exit_code == 0
    assert c360(*command).exit_code == 0


@pytest.mark.parametrize("kept", [False, True], ids=["moved", "copied"])
def test_a_lake_that_lies_elsewhere_is_never_read_or_written_where_it_was(config: Path, kept: bool) -> None:
    there = config.parent.with_name(f"{config.parent.name} élsewhere")
    shutil.copytree(config.parent, there)
    if not kept:
        shutil.rmtree(config.parent)
    before = every_file(config.parent)
    moved = there / config.name
    said = f"was moved or copied here from {brand_folder(config)}"
    for command in (("show", "sources/brand"), ("run", "--select", "sources/brand"), ("doctor",)):
        done = c360(*command, "--config", moved)
        assert done.exit_code == 1, command
        assert plain(said) in plain(done.output), command
        assert plain(REMEDY) in plain(done.output), command
    repaired = c360("doctor", "--repair", "--deep", "--config", moved)
    assert repaired.exit_code == 0, repaired.output
    assert shown(moved) == NEW
    deployment = deployments.load(moved)
    assert len(deployment.lake.history(BRAND)) == 2
    for number in range(25):  # until the metadata that came along is forgotten, and its snapshots
        write(deployment, [f"b{number}"])
    deployment.close()
    assert shown(moved) == ["b24"]
    assert c360("doctor", "--deep", "--config", moved).exit_code == 0
    newest = max(brand_folder(moved).glob("metadata/*.json"), key=lambda path: path.name)
    assert f"{config.parent.as_uri()}/" not in newest.read_text(encoding="utf-8")
    assert every_file(config.parent) == before


def test_a_damaged_manifest_stays_damaged_wherever_the_lake_is_moved(config: Path) -> None:
    manifest = max(brand_folder(config).glob("metadata/*-m0.avro"), key=lambda path: path.stat().st_mtime_ns)
    manifest.write_bytes(b"no Avro")
    there = config.parent.with_name(f"{config.parent.name}-moved")
    shutil.copytree(config.parent, there)
    repaired = c360("doctor", "--repair", "--config", there / config.name)
    assert plain("put back on its newest whole snapshot") in plain(repaired.output)
    assert shown(there / config.name) == OLD
    deployment = deployments.load(there / config.name)
    for file in deployment.lake.catalog.load_table(("sources", "brand")).inspect.all_files()["file_path"].to_pylist():
        assert file.startswith(f"{there.as_uri()}/"), file
    deployment.close()


def every_file(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tables_of_another_place_are_no_ones_to_forget(config: Path) -> None:
    """A catalog on a server that another deployment uses too, or a home that was named wrong."""
    other = config.with_name("other.yaml")
    catalog = f"sqlite:///{config.parent / '.c360/catalog.db'}"
    other.write_text(CONFIG.replace("name: Test", f'name: Other\nhome: other\nlake: {{catalog: "{catalog}"}}'))
    done = c360("show", "sources/brand", "--config", other)
    assert done.exit_code == 1
    assert plain("is not there, the catalog knows it in") in plain(done.output)
    repaired = c360("doctor", "--repair", "--config", other)
    assert plain("left as it is, since it may be another deployment's") in plain(repaired.output)
    assert shown(config) == NEW
