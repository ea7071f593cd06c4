"""How tests run a deployment: in this process, in a folder of its own, without leaving a trace."""

import dataclasses
from pathlib import Path

import dagster as dg
import pytest

from c360_assets import definitions
from resources import deployment as deployments
from resources.deployment import Deployment


def deployed(file: Path, home: Path, **variables: str) -> Deployment:
    """The deployment in `file`, kept in `home` instead of beside the file; `variables` are those the file uses."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        deployment = deployments.load(file)
    settings = deployment.settings.model_copy(update={"home": str(home)})
    return dataclasses.replace(deployment, settings=settings)


def run(deployment: Deployment, as_of: str | None = None, job: str = "refresh") -> None:
    """Load every source and rebuild every table, or do another `job`, once; the first fault is raised."""
    definition = definitions.build(deployment).resolve_job_def(job)
    config = {"ops": {"as_of": {"config": {"as_of": as_of}}}} if as_of else {}
    with dg.DagsterInstance.ephemeral() as instance:
        definition.execute_in_process(run_config=config, instance=instance, raise_on_error=True)
