"""Sources as assets: what a run for some hours loads, and what it leaves alone; when a load is no success."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from c360_assets.definitions import build
from c360_assets.sources.datasets import WHOLE_TAG
from resources.lake import HOURS
from resources.volume import ACCEPT_FEWER
from tests.checks.measured import measure
from tests.running import deployed

KEY = dg.AssetKey(["sources", "web_analytics"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
START = datetime(2026, 3, 30)


class Site:
    """A site whose events lie in one file a day, with a deployment that looks back two hours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: dict[str, datetime] = {}
        (folder / "c360.yaml").write_text(
            "name: Site\ncurrency: EUR\nschedules: {hours_from: 2026-03-01T00:00:00, lateness_hours: 2}\n"
            'connectors:\n  site: {type: files, path: "web/%Y-%m-%d.csv"}\nfeeds:\n  web_analytics: {from: site}\n'
        )
        self.deployment = deployed(folder / "c360.yaml", folder / "home")
        self.contract = self.deployment.contracts[KEY.to_user_string()]

    def happen(self, **hours: float) -> None:
        """Events by name, so many hours after the start; written to the files of their days."""
        self.events |= {name: START + timedelta(hours=after) for name, after in hours.items()}
        (self.folder / "web").mkdir(exist_ok=True)
        for day in {moment.date() for moment in self.events.values()}:
            lines = [f"{name},{at}\n" for name, at in self.events.items() if at.date() == day]
            text = "activity_uuid,session_id,activity_ts,event_action\n"
            text += "".join(f"{name},S1,{at},page_view\n" for name, at in (line.strip().split(",") for line in lines))
            (self.folder / "web" / f"{day}.csv").write_text(text)

    def load(self, *hours: int) -> dict[str, Any]:
        """Load an hour, or all from the first to the last, as one run; returns what the run says of it."""
        job = build(self.deployment).resolve_job_def("load_hourly")
        first, last = (f"{START + timedelta(hours=hour):%Y-%m-%d-%H:00}" for hour in (hours[0], hours[-1]))
        one = {"partition_key": first} if first == last else {"tags": dict(zip(RANGE, (first, last), strict=True))}
        with dg.DagsterInstance.ephemeral() as instance:
            done = job.execute_in_process(QUIET, instance=instance, **one)
            materialised = done.asset_materializations_for_node("sources__web_analytics")
        self.partitions = {
            found.partition: found.metadata["dagster/partition_row_count"].value for found in materialised
        }
        return {name: entry.value for name, entry in materialised[0].metadata.items()}

    @property
    def held(self) -> set[str]:
        rows = self.deployment.lake.read(self.contract)
        return set(rows.activity_uuid.to_pyarrow().to_pylist())

    @property
    def files(self) -> set[str]:
        table = self.deployment.lake.catalog.load_table(("sources", "web_analytics"))
        return {task.file.file_path for task in table.scan().plan_files()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.deployment.close()


def test_an_hour_brings_its_events_and_those_that_came_late(site: Site) -> None:
    site.happen(a=0.5, b=1.5, c=2.5)
    assert site.load(1)["rows read"] == 2
    assert site.held == {"a", "b"}
    site.happen(late=1.2, d=3.5)
    told = site.load(3)
    assert site.held == {"a", "b", "late", "c", "d"}
    assert (told["late"], told["new or changed"], told["gone"]) == (1, 3, 0)


def test_an_event_later_than_the_horizon_waits_for_a_backfill_and_is_counted(site: Site) -> None:
    site.happen(a=0.5, b=5.5)
    site.load(0)
    site.load(5)
    site.happen(later=0.7)
    assert site.load(5)["late"] == 0
    assert site.held == {"a", "b"}
    assert site.load(0)["late"] == 1
    assert site.held == {"a", "later", "b"}


def test_many_hours_are_one_run(site: Site) -> None:
    site.happen(**{f"e{hour}": hour + 0.5 for hour in range(72)})
    told = site.load(0, 71)
    assert told["rows read"] == 72
    assert len(site.held) == 72
    assert len(site.partitions) == 72
    assert set(site.partitions.values()) == {1}


def test_what_did_not_change_is_not_written_again(site: Site) -> None:
    site.happen(march=1.5, april=60.5)
    site.load(0, 60)
    before = site.files
    site.load(60)
    assert site.files == before
    site.happen(more=60.7)
    told = site.load(60)
    assert told["new or changed"] == 1
    assert len(before & site.files) == 1


def test_an_hour_without_events_is_loaded_all_the_same(site: Site) -> None:
    site.happen(a=0.5)
    site.load(0)
    assert site.load(1)["rows read"] == 1
    assert site.partitions == {"2026-03-30-01:00": 0}
    head = site.deployment.lake.head(site.contract)
    assert head is not None
    assert head.properties[HOURS].endswith("/2026-03-30T02:00:00")


def test_a_day_without_a_file_is_a_day_without_events(site: Site) -> None:
    site.happen(a=0.5)
    assert site.load(200)["rows read"] == 0
    assert site.held == set()


def test_missing_hours_lower_the_score_until_they_are_loaded(site: Site) -> None:
    def verdict() -> tuple[str, int, str | None]:
        rules = [rule for rule in site.contract.rules if rule.name == "hours_loaded"]
        (result,) = measure(site.deployment, site.contract, START + timedelta(days=1), rules).results
        return result.status, result.failing, result.problem

    site.happen(a=0.5)
    site.load(0)
    site.load(12)
    assert verdict() == ("pass", 0, None)
    site.happen(b=12.5)
    site.load(12)
    assert verdict() == ("warn", 9, "2026-03-30 01:00 to 2026-03-30 10:00")
    site.load(3, 11)
    assert verdict() == ("pass", 0, None)


def test_a_run_without_hours_loads_everything(site: Site) -> None:
    """Its hours are there, as Dagster sees them, until the newest event, and so are those that come after it."""
    site.happen(a=0.5, b=100.5)
    job = build(site.deployment).resolve_job_def("load_hourly")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(QUIET, instance=instance).success
        assert site.held == {"a", "b"}
        assert hours_there(instance, job) == (101, "2026-03-30-00:00", "2026-04-03-04:00")
        assert job.execute_in_process(QUIET, instance=instance, partition_key="2026-04-03-05:00").success
        assert hours_there(instance, job) == (102, "2026-03-30-00:00", "2026-04-03-05:00")
        # A load of all there is takes no hour back, and shows none that is no partition.
        site.happen(c=-10000)
        assert job.execute_in_process(QUIET, instance=instance, tags={WHOLE_TAG: "true"}).success
        assert site.held == {"a", "b", "c"}
        assert hours_there(instance, job) == (798, "2026-03-01-00:00", "2026-04-03-05:00")


def hours_there(instance: dg.DagsterInstance, job: dg.JobDefinition) -> tuple[int, str, str]:
    """How many hours the Dagster UI shows as loaded, the first and the last of them."""
    hours = job.asset_layer.get(KEY).partitions_def
    assert hours is not None
    status = get_and_update_asset_status_cache_value(instance, KEY, hours)
    assert status is not None
    keys = list(status.deserialize_materialized_partition_subsets(hours).get_partition_keys())
    return len(keys), min(keys), max(keys)


@pytest.mark.parametrize(
    ("select", "may_be_empty", "complaint"),
    [
        (
            "select id as order_id, day as ordered_at from raw",
            False,
            r"of 3 rows none is kept\. Set aside: ordered_at is",
        ),
        (
            "select id as order_id from raw where total > '5'",
            False,
            "of 2 rows none is kept. The select leaves all of them",
        ),
        ("select id as order_id from raw where total > '5'", True, None),
        ("select id as order_id from raw", False, None),
    ],
    ids=["set aside", "left out", "may be empty", "kept"],
)
def test_a_load_that_keeps_no_row_is_no_success(
    select: str, may_be_empty: bool, complaint: str | None, tmp_path: Path
) -> None:
    """What was set aside can be looked at all the same; a line that cannot be split is one of the rows read."""
    is_broken = bool(complaint and "Set aside" in complaint)
    (tmp_path / "orders.csv").write_text("id,day,total\n1,1 May,1\n2,2 May,2\n" + "3\n" * is_broken)
    (tmp_path / "c360.yaml").write_text(
        "name: Shop\ncurrency: EUR\nconnectors:\n  shop: {type: files, path: orders.csv}\n"
        f'feeds:\n  orders: {{from: shop, select: "{select}", may_be_empty: {str(may_be_empty).lower()}}}\n'
    )
    with closing(deployed(tmp_path / "c360.yaml", tmp_path / "home")) as deployment:
        job = build(deployment).resolve_job_def("refresh")
        only = [dg.AssetKey(["sources", "orders"])]
        with dg.DagsterInstance.ephemeral() as instance:
            done = job.execute_in_process(QUIET, instance=instance, asset_selection=only, raise_on_error=False)
            failures = [event.step_failure_data.error.to_string() for event in done.filter_events(_is_failure)]
        assert bool(failures) == bool(complaint)
        assert not complaint or re.search(complaint, failures[0])
        assert deployment.read("quarantine").count().to_pyarrow().as_py() == 3 * is_broken


def test_a_run_that_is_told_to_takes_fewer_rows_and_another_keeps_those_held(tmp_path: Path) -> None:
    def put(count: int) -> None:
        (tmp_path / "o.csv").write_text("order_id\n" + "".join(f"O{number}\n" for number in range(count)))

    (tmp_path / "c360.yaml").write_text(
        "name: Shop\ncurrency: EUR\nconnectors:\n  shop: {type: files, path: o.csv}\nfeeds:\n  orders: {from: shop}\n"
    )
    with closing(deployed(tmp_path / "c360.yaml", tmp_path / "home")) as deployment:
        job, only = build(deployment).resolve_job_def("real_time"), [dg.AssetKey(["sources", "orders"])]

        def load(**tags: str) -> tuple[bool, int]:
            with dg.DagsterInstance.ephemeral() as instance:
                done = job.execute_in_process(
                    QUIET, instance=instance, asset_selection=only, tags=tags, raise_on_error=False
                )
            return done.success, deployment.read("sources/orders").count().to_pyarrow().as_py()

        put(30)
        load()
        put(2)
        assert load(**{ACCEPT_FEWER: "customer"}) == (False, 30)
        assert load(**{ACCEPT_FEWER: "customer, orders"}) == (True, 2)


def _is_failure(event: dg.DagsterEvent) -> bool:
    return event.is_step_failure
