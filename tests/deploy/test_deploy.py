"""The deployment on PostgreSQL under a supervisor, as deploy/README.md says it is started, used, broken and stopped."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from resources.instance import DAGSTER_YAML, LAUNCHER
from tests.processes import free_port, left, marked, until

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="runs are forked on Linux only"),
]

HEALTH = "{instance{daemonHealth{allDaemonStatuses{daemonType required healthy lastHeartbeatTime}}}}"
LOCATION = "{workspaceOrError{...on Workspace{locationEntries{locationOrLoadError{__typename}}}}}"
RUN = "query($id: ID!){runOrError(runId: $id){...on Run{status}}}"
LAUNCH = """mutation($tables: [AssetKeyInput!]!){launchRun(executionParams: {mode: "default", selector: {
  repositoryLocationName: "customer_360", repositoryName: "__repository__", jobName: "refresh",
  assetSelection: $tables, assetCheckSelection: []}})
  {__typename ...on LaunchRunSuccess{run{runId}} ...on PythonError{message}}}"""


@dataclass(frozen=True)
class Deployed:
    """A supervisor at work, as its operator sees it."""

    environment: dict[str, str]
    supervisor: "subprocess.Popen[bytes]"

    def ask(self, query: str, **variables: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.environment['C360_PORT']}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def control(self, *command: str) -> str:
        return run(self.environment, "supervisor.supervisorctl", "-c", str(DEPLOY / "supervisord.conf"), *command)

    def pid(self, program: str) -> int:
        return int(self.control("pid", program))

    def answers(self) -> bool:
        try:
            entries = self.ask(LOCATION)["workspaceOrError"]["locationEntries"]
        except OSError:
            return False
        return [entry["locationOrLoadError"]["__typename"] for entry in entries] == ["RepositoryLocation"]

    def is_healthy(self, since: float) -> bool:
        statuses = self.ask(HEALTH)["instance"]["daemonHealth"]["allDaemonStatuses"]
        required = [status for status in statuses if status["required"]]
        return bool(required) and all(
            status["healthy"] and (status["lastHeartbeatTime"] or 0) > since for status in required
        )

    def launch(self, *tables: str) -> str:
        launched = self.ask(LAUNCH, tables=[{"path": table.split("/")} for table in tables])["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def status(self, run_id: str) -> str:
        return str(self.ask(RUN, id=run_id)["runOrError"]["status"])


def run(environment: dict[str, str], *module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def deployed(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    home, logs = tmp_path_factory.mktemp("deployed"), tmp_path_factory.mktemp("logs")
    (home / "dagster.yaml").symlink_to(DEPLOY / "dagster.yaml")
    sample = yaml.safe_load((PROJECT / "c360.yaml").read_text())
    sample["connectors"]["sample"]["customers"] = 100
    (home / "c360.yaml").write_text(yaml.safe_dump(sample))
    environment = {
        **os.environ,
        **marked(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "C360_CONFIG": str(home / "c360.yaml"),
        "C360_POSTGRES": postgres,
        "C360_LOGS": str(logs),
        "C360_PORT": str(free_port()),
        "DAGSTER_HOME": str(home),
    }
    run(environment, "dagster", "instance", "migrate")
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(DEPLOY / "supervisord.conf")]
    with (
        (logs / "started").open("w") as log,
        subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log) as supervisor,
    ):
        try:
            yield Deployed(environment, supervisor)
        finally:
            supervisor.terminate()


def test_but_for_the_storage_it_is_set_up_like_any_other() -> None:
    settings = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    assert settings.pop("storage") == {"postgres": {"postgres_url": {"env": "C360_POSTGRES"}}}
    assert settings == yaml.safe_load(DAGSTER_YAML + LAUNCHER)


def test_it_comes_up_healthy(deployed: Deployed) -> None:
    until(deployed.answers)
    until(lambda: deployed.is_healthy(since=0))


def test_it_is_there_for_its_user_on_this_machine_alone(deployed: Deployed) -> None:
    home = Path(deployed.environment["DAGSTER_HOME"])
    assert [(home / name).stat().st_mode & 0o077 for name in ("code.sock", "supervisord.sock")] == [0, 0]
    port = f":{int(deployed.environment['C360_PORT']):04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(port)] == [f"0100007F{port}"]


def test_a_run_is_kept_in_postgresql(deployed: Deployed, postgres: str) -> None:
    run_id = deployed.launch("sources/brand")
    until(lambda: deployed.status(run_id) not in ("QUEUED", "STARTING", "STARTED"))
    assert deployed.status(run_id) == "SUCCESS"
    engine = sa.create_engine(postgres)
    with engine.connect() as connection:
        kept = sa.text("SELECT dagster_event_type FROM event_logs WHERE run_id = :run_id")
        events = set(connection.execute(kept, {"run_id": run_id}).scalars())
    engine.dispose()
    assert {"ASSET_MATERIALIZATION", "RUN_SUCCESS", "PIPELINE_SUCCESS"} & events
    assert "ASSET_MATERIALIZATION" in events


def test_a_killed_daemon_comes_back_and_its_run_goes_on(deployed: Deployed) -> None:
    # Long enough that a busy machine, too, sees it at work.
    sources = ("customer", "brand", "product", "orders", "order_line_item", "transactions")
    run_id = deployed.launch(*(f"sources/{source}" for source in sources), "customers", "products", "orders")
    until(lambda: deployed.status(run_id) == "STARTED")
    daemon, killed_at = deployed.pid("daemon"), time.time()
    os.kill(daemon, signal.SIGKILL)
    until(lambda: deployed.pid("daemon") not in (0, daemon))
    until(lambda: deployed.is_healthy(killed_at))
    until(lambda: deployed.status(run_id) != "STARTED")
    assert deployed.status(run_id) == "SUCCESS"


def test_what_else_is_killed_comes_back_too(deployed: Deployed) -> None:
    for program in ("code", "webserver"):
        os.kill(deployed.pid(program), signal.SIGKILL)
    time.sleep(1)
    until(deployed.answers)
    run_id = deployed.launch("sources/brand")
    until(lambda: deployed.status(run_id) not in ("QUEUED", "STARTING", "STARTED"))
    assert deployed.status(run_id) == "SUCCESS"


def test_stopping_leaves_no_process(deployed: Deployed) -> None:
    deployed.control("shutdown")
    assert deployed.supervisor.wait(60) == 0
    assert left(deployed.environment) == []
