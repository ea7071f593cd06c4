"""The Dagster instance of a deployment: its settings are ours until somebody makes them their own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from resources import deployment as deployments
from resources.deployment import Deployment
from resources.event_log import EventLog
from resources.instance import MARK, UNMARKED, home, instance, settings
from resources.launcher import ForkingRunLauncher


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    file = tmp_path / "c360.yaml"
    file.write_text("name: Shop\ncurrency: EUR\n")
    with closing(deployments.load(file)) as deployment:
        yield deployment


def test_a_new_deployment_watches_its_runs_and_forks_them(deployment: Deployment) -> None:
    with instance(deployment) as dagster:
        assert dagster.root_directory == str(deployment.home / "dagster")
        assert isinstance(dagster.run_launcher, ForkingRunLauncher)
        assert isinstance(dagster.event_log_storage, EventLog)
        assert dagster.run_monitoring_enabled
        assert dagster.run_monitoring_poll_interval_seconds == 5
        assert dagster.run_retries_max_retries == 1
        assert not dagster.run_retries_retry_on_asset_or_op_failure
        assert dagster.run_coordinator.dequeue_interval_seconds == 1  # type: ignore[attr-defined]
        assert dagster.get_concurrency_config().run_queue_config.max_concurrent_runs == 1  # type: ignore[union-attr]
        assert not dagster.telemetry_enabled
        assert not dagster.nux_enabled


@pytest.mark.parametrize("earlier", [UNMARKED, f"{MARK}nux: {{enabled: true}}\n"])
def test_settings_of_an_earlier_version_are_brought_up_to_date(deployment: Deployment, earlier: str) -> None:
    config = home(deployment) / "dagster.yaml"
    config.write_text(earlier)
    assert home(deployment) == config.parent
    assert config.read_text() == settings(config.parent)
    assert [file.name for file in config.parent.iterdir()] == ["dagster.yaml"]


def test_settings_of_somebody_else_are_left_alone(deployment: Deployment) -> None:
    config = home(deployment) / "dagster.yaml"
    told, *lines = config.read_text().splitlines(keepends=True)
    assert told.endswith("To keep your own settings, remove this line.\n")
    for kept, own in ((False, [told, *lines]), (True, lines)):
        config.write_text("".join([*own, "retention: {}\n"]))
        home(deployment)
        assert ("retention" in config.read_text()) == kept


def test_a_home_that_the_environment_names_is_not_touched(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    assert home(deployment) == tmp_path / "elsewhere"
    assert not (tmp_path / "elsewhere").exists()
    assert not (deployment.home / "dagster").exists()
