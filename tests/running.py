"""How tests run a deployment: in this process, in a folder of its own, without leaving a trace."""

import dataclasses
from collections.abc import Sequence
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


def run(deployment: Deployment, job: str = "refresh", only: Sequence[str] = ()) -> None:
    """Load every source and rebuild every table, or do another `job`, once; the first fault is raised.

    `only` names tables that are built, with all they are made of, and no other.
    """
    built = definitions.build(deployment)
    definition, graph = built.resolve_job_def(job), built.resolve_asset_graph()
    wanted = dg.AssetSelection.assets(*map(dg.AssetKey.from_user_string, only)).upstream().resolve(graph)
    chosen = sorted(wanted & definition.asset_layer.selected_asset_keys) if only else None
    with dg.DagsterInstance.ephemeral() as instance:
        definition.execute_in_process(instance=instance, raise_on_error=True, asset_selection=chosen)
