"""What tests share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from resources.deployment import Deployment
from tests.running import deployed, run


@pytest.fixture(scope="module")
def materialised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Deployment]]:
    """`materialised(file, as_of, NAME=value)`: the deployment after one run, with the variables its file uses."""
    with ExitStack() as open_deployments:

        def materialise(file: Path, as_of: str | None = None, **variables: str) -> Deployment:
            deployment = deployed(file, tmp_path_factory.mktemp(file.parent.name), **variables)
            open_deployments.callback(deployment.close)
            run(deployment, as_of)
            return deployment

        yield materialise
