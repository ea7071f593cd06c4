"""The product beside a shop that is open: how soon a profile shows an order, and what crashes do to it."""

import os
import signal
import statistics
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from resources.databases import WATERMARK
from resources.deployment import Deployment
from resources.feeds import Feeds
from resources.instance import instance
from tests.processes import left, pids, until
from tests.running import run
from tests.shop import PROJECT, Shop, opened, running, steadily, ui

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc"),
]

ORDERS, SECONDS = 200, 120
SECONDS_TO_LOOK = 3
# After so many seconds nothing comes any more, however busy the machine is. How soon it comes is measured by itself.
PATIENCE = 300
STORMY_ORDERS, STORMY_SECONDS, KILLS = 60, 60, 2
AT_ONCE = ("sources/orders", "sources/order_line_item", "orders", "order_lines", "customers", "rfm")
# Also made of what is rebuilt by night alone, or once a week: visits, interests, clusters, models.
BY_NIGHT = ("features", "customer_segments", "customer_360")
# And what a batch makes beside them.
WATCHED = (*AT_ONCE, *BY_NIGHT, "order_placed")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Shop:
    shop = opened(tmp_path_factory.mktemp("shop"), postgres)
    deployment = shop.deployment()
    run(deployment, only=WATCHED)
    deployment.close()
    return shop


class Watch(threading.Thread):
    """Notes when each customer is first in the published profiles."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(daemon=True)
        self.deployment = deployment
        self.seen: dict[str, float] = {}
        self.done = threading.Event()

    def run(self) -> None:
        known = None
        while not self.done.wait(0.2):
            state = self.deployment.lake.state("customer_360")
            if state and state.snapshot_id != known:
                profiles = self.deployment.lake.read(self.deployment.contracts["customer_360"])
                for customer in profiles.customer_id.to_pyarrow().to_pylist():
                    self.seen.setdefault(customer, time.time())
                known = state.snapshot_id


def test_a_profile_shows_an_order_within_seconds(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    environment, log = shop.environment, shop.folder / "ui.log"
    deployment = shop.deployment()
    watch = Watch(deployment)
    placed: dict[str, float] = {}
    with ui(environment, log):
        watch.start()
        placed[shop.place(ORDERS)] = time.time()
        warm = {row["run_id"] for row in until(lambda: lags_of(deployment), PATIENCE)}
        until(lambda: placed.keys() <= watch.seen.keys(), PATIENCE)
        placed.clear()
        for number in steadily(ORDERS, SECONDS):
            customer = shop.place(number)
            placed[customer] = time.time()
        until(lambda: placed.keys() <= watch.seen.keys(), PATIENCE)
        until(lambda: is_up_to_date(deployment), PATIENCE)
    watch.done.set()
    watch.join()
    lags = sorted(watch.seen[customer] - at for customer, at in placed.items())
    published = lags_of(deployment)
    deployment.close()
    with capsys.disabled():
        print(
            f"\nprofile lag of {len(lags)} orders in {SECONDS} s: median {statistics.median(lags):.1f} s,"
            f" worst {lags[-1]:.1f} s ({len({row['run_id'] for row in published})} batches)"
        )
    told = [row for row in published if row["run_id"] not in warm]
    # All but those few that were committed after a younger one.
    assert 0.9 * ORDERS <= sum(row["changed_rows"] for row in told) <= ORDERS
    # What the product says of itself is what was seen from outside, but for the time it takes to look.
    assert abs(max(row["worst_seconds"] for row in told) - lags[-1]) < SECONDS_TO_LOOK
    assert left(environment) == []


def lags_of(deployment: Deployment) -> list[dict[str, Any]]:
    """What the product says of the lag of orders."""
    rows = deployment.operations.rows("profile_lags").to_pylist()
    return [row for row in rows if row["dataset"] == "sources/orders"]


def test_crashes_lose_nothing_and_double_nothing(shop: Shop) -> None:
    """Writes fail before and after they are committed, and everything that runs is killed in the middle, twice."""
    environment, log = shop.environment, shop.folder / "daemon.log"
    faults, injected = shop.folder / "faults", shop.folder / "injected"
    faults.touch()
    environment |= {
        "FAULTS": str(faults),
        "INJECTED": str(injected),
        "DAGSTER_HOME": str(shop.folder / ".c360/dagster"),
    }
    workspace = shop.folder / "workspace.yaml"
    workspace.write_text(f"load_from: [{{python_file: {{relative_path: {PROJECT}/tests/faulty_location.py}}}}]\n")
    daemon = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(workspace)]
    deployment = shop.deployment()
    instance(deployment).dispose()
    orders, orders_to_come = iter(steadily(STORMY_ORDERS, STORMY_SECONDS)), count(STORMY_ORDERS)
    for part in range(KILLS + 1):
        with running(daemon, environment, log):
            for number in orders:
                shop.place(1000 + number)
                if number > 5:
                    shop.ship(1000 + number - 5)
                if number == (part + 1) * STORMY_ORDERS // (KILLS + 1):
                    break
            if part < KILLS:
                for pid in pids(environment):
                    os.kill(pid, signal.SIGKILL)
                continue
            # However slow the machine is: a run that was killed says nothing of a write that failed.
            injected.write_text("")
            until(lambda: shop.place(1000 + next(orders_to_come)) and have_failed_both_ways(injected), PATIENCE)
            faults.unlink()
            until(lambda: is_up_to_date(deployment), PATIENCE)
    assert left(environment) == []
    assert failures(deployment) > 0
    check_exactly_once(shop, deployment)
    check_as_loaded_at_once(shop, deployment)
    deployment.close()


def is_up_to_date(deployment: Deployment) -> bool:
    """Whether the profiles show all that the shop has."""
    contracts = deployment.contracts
    feeds = Feeds(deployment)
    if any(feeds.has_news(contracts[f"sources/{dataset}"]) for dataset in ("orders", "order_line_item")):
        return False
    with instance(deployment) as dagster:
        (newest,) = dagster.get_run_records(dg.RunsFilter(job_name="real_time"), limit=1)
    return newest.dagster_run.status == dg.DagsterRunStatus.SUCCESS


def have_failed_both_ways(injected: Path) -> bool:
    """Whether writes failed before and after they were committed."""
    return set(injected.read_text().split()) == {"before", "after"}


def failures(deployment: Deployment) -> int:
    with instance(deployment) as dagster:
        return dagster.get_runs_count(dg.RunsFilter(job_name="real_time", statuses=[dg.DagsterRunStatus.FAILURE]))


def check_exactly_once(shop: Shop, deployment: Deployment) -> None:
    """What the shop has of the new orders is what is held, and the watermark is that of the newest row."""
    for dataset, key, columns in (
        ("orders", "order_id", ("total_amount", "order_status")),
        ("order_line_item", "order_li_id", ("qty", "unit_price")),
    ):
        contract = deployment.contracts[f"sources/{dataset}"]
        held = deployment.lake.read(contract)
        new = held.filter(held[key].startswith("NEW-")).select(key, *columns).to_pyarrow().to_pylist()
        theirs = shop.rows(dataset, f"{key}, {', '.join(columns)}", f"starts_with({key}, 'NEW-')")
        assert sorted(tuple(row.values()) for row in new) == theirs
        head = deployment.lake.head(contract)
        assert head is not None
        is_newest = f"max(updated_at) = '{head.properties[WATERMARK]}'::timestamptz"
        assert shop.rows(dataset, is_newest) == [(True,)]


def check_as_loaded_at_once(shop: Shop, deployment: Deployment) -> None:
    """The tables are those of a deployment that loads everything now, row for row; some after the next week."""
    fresh = shop.deployment(".fresh")
    run(fresh, only=WATCHED)
    check_equal(AT_ONCE, deployment, fresh)
    # Models learn on Sundays from what the night has made, and tell of customers the night after.
    for job in ("derive_daily", "models_weekly", "derive_daily"):
        run(deployment, job=job, only=WATCHED)
    check_equal(BY_NIGHT, deployment, fresh)
    fresh.close()


def check_equal(keys: tuple[str, ...], deployment: Deployment, other: Deployment) -> None:
    for key in keys:
        ours, theirs = (sorted(map(str, one.read(key).to_pyarrow().to_pylist())) for one in (deployment, other))
        assert ours == theirs, key
