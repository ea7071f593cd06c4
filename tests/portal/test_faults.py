"""Faults of the machine: each is told in one sentence that names place and remedy, whoever meets it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal import cli
from tests.told import plain

CONFIG = """\
name: Three orders
currency: EUR
access: {anyone: data_steward}
engine: {memory_limit: 1GB}
connectors: {shop: {type: files, path: data/orders.csv}}
feeds: {orders: {from: shop, select: "select order_id, customer_id, ordered_at from raw"}}
"""
ORDERS = """\
order_id,customer_id,ordered_at
1,C1,2026-01-05 10:00:00
2,C2,2026-02-05 11:00:00
3,C1,2026-03-05 12:00:00
"""
RUN = ("run", "--select", "sources/orders")
SHOW = ("show", "sources/orders", "--format", "csv")
# The superuser may read and write anything, unless it gives that up.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
PROJECT = Path(__file__).parents[2]
RIGHT = "Give the user of this process the right to"


@pytest.fixture(scope="module", autouse=True)
def _nothing_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("DAGSTER_HOME", "C360_CONFIG"):
            environment.delenv(name, raising=False)
        yield


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """The folder of a deployment; whatever its rights became, it can be removed in the end."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "c360.yaml").write_text(CONFIG, encoding="utf-8")
    yield tmp_path
    for folder, _, files in os.walk(tmp_path):
        os.chmod(folder, 0o755)
        for file in files:
            os.chmod(Path(folder, file), 0o644)


@pytest.fixture
def built(shop: Path) -> Path:
    """The same, with its orders loaded."""
    told, code = here(shop, *RUN)
    assert code == 0, told
    return shop


def here(shop: Path, *arguments: str) -> tuple[str, int]:
    """What a command says in this process, on one line, and its exit code."""
    done = CliRunner().invoke(cli.main, [*arguments, "--config", str(shop / "c360.yaml")])
    return " ".join(done.output.split()), done.exit_code


def as_anybody(shop: Path, *arguments: str) -> str:
    """What a command says to a user whom rights bind, in one line; it must fail."""
    bound = AS_ANYBODY if os.geteuid() == 0 else ()
    command = [*bound, sys.executable, "-m", "portal.cli", *arguments]
    environment = {**os.environ, "C360_CONFIG": str(shop / "c360.yaml")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=environment, check=False)
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1, told
    for never in ("Traceback", "Unexpected"):
        assert never not in told
    return told


def said(told: str, words: str) -> bool:
    """Whether words are in a text, wherever lines were broken."""
    return words.replace(" ", "") in told.replace(" ", "")


def test_a_file_that_may_not_be_read_is_named(shop: Path) -> None:
    (shop / "data/orders.csv").chmod(0)
    assert said(as_anybody(shop, *RUN), f"Connector shop, path data/orders.csv: orders.csv may not be read. {RIGHT}.")


def test_a_folder_that_may_not_be_read_is_named(shop: Path) -> None:
    (shop / "data").chmod(0)
    assert said(as_anybody(shop, *RUN), f"may not be read. {RIGHT}.")


def test_a_deployment_file_that_may_not_be_read_is_named(shop: Path) -> None:
    (shop / "c360.yaml").chmod(0)
    assert said(as_anybody(shop, *RUN), f"{shop / 'c360.yaml'} cannot be read: Permission denied.")


def test_a_lake_that_may_not_be_written_is_named_and_is_read_all_the_same(built: Path) -> None:
    folder = built / ".c360/lake/sources/orders"
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    told = as_anybody(built, *RUN)
    assert said(told, f"sources/orders failed: {folder}/data cannot be read or written. {RIGHT} do so")
    assert "The run failed" not in told
    assert len(here(built, *SHOW)[0].split("C1")) == 3


def test_a_home_that_may_not_be_written_is_told_of_and_nothing_of_it_is_put_aside(built: Path) -> None:
    home = built / ".c360"
    kept = sorted(path for path in home.rglob("*") if path.is_file())
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert said(as_anybody(built, *RUN), f"{home / 'run.lock'} cannot be read or written.")
    told = as_anybody(built, "doctor", "--repair")
    assert said(told, f"{home} cannot be written to. {RIGHT} write in it.")
    assert sorted(path for path in home.rglob("*") if path.is_file()) == kept


def test_a_folder_where_a_file_should_be_and_the_other_way_round(shop: Path) -> None:
    (shop / ".c360").touch()
    for command in (RUN, SHOW, ("doctor",)):
        told, code = here(shop, *command)
        assert code == 1
        assert said(told, f"{shop / '.c360'} is a file where a folder is needed, or the other way round.")
    (shop / ".c360").unlink()
    (shop / "data/orders.csv").unlink()
    (shop / "data/orders.csv").mkdir()
    told, code = here(shop, *RUN)
    assert code == 1
    assert said(told, "path data/orders.csv: is a folder. Name the files in it, for example data/orders.csv/*.csv.")
    (shop / "data/orders.csv/january.csv").write_text(ORDERS, encoding="utf-8")
    (shop / "c360.yaml").write_text(CONFIG.replace("orders.csv", "orders.csv/*.csv"), encoding="utf-8")
    assert here(shop, *RUN)[1] == 0


def test_too_little_memory_is_told_with_what_to_raise(shop: Path) -> None:
    little = CONFIG.replace("1GB", "1MB")
    (shop / "c360.yaml").write_text(little, encoding="utf-8")
    told, code = here(shop, *RUN)
    assert code == 1
    assert said(told, "The engine has not enough memory (1MB). Raise `engine: {memory_limit: ...}` in c360.yaml")
    (shop / "c360.yaml").write_text(little.replace("1MB", "1GB"), encoding="utf-8")
    assert here(shop, *RUN)[1] == 0


def test_a_file_to_write_to_is_made_with_its_folder_and_one_that_may_not_be_is_named(built: Path) -> None:
    target = built / "new/orders.csv"
    assert here(built, *SHOW, "--out", str(target))[1] == 0
    assert len(target.read_text(encoding="utf-8").splitlines()) == 4
    target.parent.chmod(0o555)
    assert said(as_anybody(built, *SHOW, "--out", str(target)), f"{target.parent} cannot be read or written. {RIGHT}")
    assert len(target.read_text(encoding="utf-8").splitlines()) == 4


def test_whoever_reads_the_output_may_stop(built: Path) -> None:
    """As `c360 show ... | head -1` does."""
    command = [sys.executable, "-m", "portal.cli", *SHOW, "--config", str(built / "c360.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROJECT) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.close()
        assert run.stderr.read() == b""


def test_what_tells_who_is_at_work_may_be_broken(built: Path) -> None:
    (built / ".c360/run.holder.json").write_text("{", encoding="utf-8")
    assert here(built, *RUN)[1] == 0


def test_a_port_that_is_taken_is_told_and_another_is_named(shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told, code = here(shop, "ui", "--port", str(port))
    assert code == 1
    assert f"Port {port} cannot be had (Address already in use). Take another: c360 ui --port {port + 1}" in plain(told)
