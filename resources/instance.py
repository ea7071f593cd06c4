"""The Dagster instance of a deployment: where runs and their history are kept."""

import os
from pathlib import Path

import dagster as dg

from resources.deployment import Deployment

# SQLite beside the lake serves one machine; no telemetry, no welcome dialog, one run at a time.
DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency: {runs: {max_concurrent_runs: 1}}
run_monitoring: {enabled: true, start_timeout_seconds: 120, max_runtime_seconds: 21600}
"""


def home(deployment: Deployment) -> Path:
    """$DAGSTER_HOME where it is set, else a folder of the deployment's own, made ready for Dagster."""
    if configured := os.environ.get("DAGSTER_HOME"):
        return Path(configured)
    folder = deployment.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    if not config.exists():
        config.write_text(DAGSTER_YAML, encoding="utf-8")
    return folder


def instance(deployment: Deployment) -> dg.DagsterInstance:
    """The instance that keeps the deployment's runs."""
    return dg.DagsterInstance.from_config(str(home(deployment)))
