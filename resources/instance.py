"""The Dagster instance of a deployment: where runs and their history are kept, and how runs are started and watched."""

import json
import os
import sys
from pathlib import Path

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from resources.deployment import Deployment
from resources.replacing import replacing

WORKSPACE = Path(__file__).parents[1] / "workspace.yaml"
MARK = (
    "# Written by Customer 360, anew with each version that changes it. To keep your own settings, remove this line.\n"
)

# SQLite beside the lake serves one machine; no telemetry, no welcome dialog, one run at a time. A run whose process
# died is failed within seconds and tried once more; one that failed by itself would only fail again.
DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency: {runs: {max_concurrent_runs: 1}}
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
run_monitoring:
  enabled: true
  poll_interval_seconds: 5
  start_timeout_seconds: 60
  cancel_timeout_seconds: 60
  max_runtime_seconds: 21600
  free_slots_after_run_end_seconds: 30
run_retries: {enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}
code_servers: {wait_for_local_processes_on_shutdown: true}
"""
LAUNCHER = "run_launcher: {module: resources.launcher, class: ForkingRunLauncher}\n"
STORAGE = "storage: {{custom: {{module: resources.event_log, class: SqliteStorage, config: {{base_dir: {folder}}}}}}}\n"

# What was written before there was a mark.
UNMARKED = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency: {runs: {max_concurrent_runs: 1}}
run_monitoring: {enabled: true, start_timeout_seconds: 120, max_runtime_seconds: 21600}
"""


def folder_of(deployment: Deployment) -> Path:
    """Where Dagster keeps what it knows of a deployment: $DAGSTER_HOME where it is set, else below the home."""
    return Path(os.environ.get("DAGSTER_HOME") or deployment.home / "dagster")


def home(deployment: Deployment) -> Path:
    """$DAGSTER_HOME where it is set, else a folder of the deployment's own, made ready for Dagster.

    Settings that an earlier version of ours wrote are brought up to date; anybody else's are left alone.
    DeploymentError where the deployment's home is another's.
    """
    deployment.claim_home()
    folder = folder_of(deployment)
    if os.environ.get("DAGSTER_HOME"):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    written = config.read_text(encoding="utf-8") if config.exists() else UNMARKED
    if written != settings(folder) and (written.startswith(MARK) or written == UNMARKED):
        with replacing(config) as fresh:
            fresh.write_text(settings(folder), encoding="utf-8")
    return folder


def settings(folder: Path) -> str:
    """The dagster.yaml of a deployment without one, in its folder. Runs are forked where the system can."""
    storage = STORAGE.format(folder=json.dumps(str(folder.resolve())))
    return MARK + DAGSTER_YAML + storage + (LAUNCHER if sys.platform.startswith("linux") else "")


def job_origin(name: str) -> RemoteJobOrigin | None:
    """A job of ours as Dagster's own servers know it, by the code location of workspace.yaml; None without one."""
    if not WORKSPACE.exists():
        return None
    (location,) = location_origins_from_yaml_paths([str(WORKSPACE)])
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(name)


def instance(deployment: Deployment) -> dg.DagsterInstance:
    """The instance that keeps the deployment's runs."""
    return dg.DagsterInstance.from_config(str(home(deployment)))
