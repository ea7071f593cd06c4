"""Volume: a load that brings far fewer rows than are held is refused, unless somebody says that they are right."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resources.deployment import Deployment
from resources.feeds import FeedError, Feeds
from resources.volume import is_short
from tests.running import deployed
from tests.tables import CONTRACTS

CONTRACT = CONTRACTS["sources/orders"]
MANY = 40


class Stores:
    """Stores that write a file of orders each, which a glob reads."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        (folder / "c360.yaml").write_text(
            "name: Shop\ncurrency: EUR\nconnectors:\n"
            "  stores: {type: files, path: 'store_*.csv'}\n  crm: {type: files, path: crm.csv}\n"
            f"feeds:\n  orders: {{from: stores{extra}}}\n"
            "  customer: {from: [stores, crm], select: select customer_id from stores union select id from crm}\n"
        )
        self.deployment: Deployment = deployed(folder / "c360.yaml", folder / "home")
        self.feeds = Feeds(self.deployment)

    def write(self, **orders: int) -> None:
        """Files of so many orders each; those of other stores go."""
        for file in self.folder.glob("store_*.csv"):
            file.unlink()
        for store, count in orders.items():
            rows = "".join(f"{store}{number},C{number},2026-01-01\n" for number in range(count))
            (self.folder / f"store_{store}.csv").write_text("order_id,customer_id,ordered_at\n" + rows)

    def load(self, dataset: str = "orders", is_accepted: bool = False) -> list[str]:
        """Load a dataset as its asset does; what is told."""
        contract = self.deployment.contracts[f"sources/{dataset}"]
        load = self.feeds.load(contract)
        self.feeds.check_volume(contract, load, is_accepted)
        self.feeds.quarantine(contract, load, {})
        self.feeds.check_enough_are_kept(contract, load, is_accepted)
        self.deployment.lake.publish(self.feeds.commit(contract, load))
        return list(load.notes)

    def held(self, key: str = "sources/orders") -> int:
        return int(self.deployment.read(key).count().to_pyarrow().as_py())


@pytest.fixture
def stores(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stores]:
    stores = Stores(tmp_path, getattr(request, "param", ""))
    yield stores
    stores.deployment.close()


def test_a_load_of_far_fewer_rows_is_refused_and_what_is_held_stays(stores: Stores) -> None:
    stores.write(a=MANY)
    stores.load()
    stores.write(a=3)
    with pytest.raises(FeedError) as refused:
        stores.load()
    assert str(refused.value) == (
        "Feed orders (stores: store_*.csv): 3 rows came, while 40 are held. What is held stays. See that the source is"
        " whole, such as by fetching it again. If fewer are right, say so: c360 run --accept-fewer orders, or in the UI"
        " a run with the tag c360/accept-fewer = orders. The loads after it are compared with what is held then."
    )
    assert stores.held() == MANY
    stores.write(a=MANY // 2)
    stores.load()
    assert stores.held() == MANY // 2


def test_once_fewer_rows_are_accepted_later_loads_are_compared_with_them(stores: Stores) -> None:
    stores.write(a=100)
    stores.load()
    stores.write(a=MANY)
    stores.load(is_accepted=True)
    stores.load()
    stores.write(a=MANY // 2 - 1)
    with pytest.raises(FeedError, match="19 rows came, while 40 are held"):
        stores.load()


def test_files_that_were_there_before_are_named(stores: Stores) -> None:
    stores.write(a=MANY, b=MANY, c=MANY, d=MANY, e=MANY)
    stores.load()
    stores.write(e=MANY)
    missing = r"store_a\.csv, store_b\.csv, store_c\.csv and 1 more, which the last load read, are there no more"
    with pytest.raises(FeedError, match=missing):
        stores.load()
    # So few are missing that nobody can tell whether they should be there.
    stores.write(a=MANY, b=MANY, c=MANY, d=MANY)
    assert stores.load() == ["store_e.csv, which the last load read, is there no more"]
    stores.write(b=MANY, c=MANY, d=MANY, f=MANY)
    assert stores.load() == []


def test_one_of_several_connectors_that_brings_far_less_is_named(stores: Stores) -> None:
    stores.write(a=MANY)
    (stores.folder / "crm.csv").write_text("id\n" + "".join(f"K{number}\n" for number in range(MANY)))
    stores.load("customer")
    (stores.folder / "crm.csv").write_text("id\nK1\n")
    with pytest.raises(FeedError, match=r"crm\.csv\): crm brought 1 row, the last time 40\. "):
        stores.load("customer")
    stores.load("customer", is_accepted=True)
    stores.load("customer")


def test_rows_set_aside_are_no_rows_that_are_missing_but_too_many_of_them_are_refused(stores: Stores) -> None:
    stores.write(a=MANY)
    stores.load()
    file = stores.folder / "store_a.csv"
    whole = file.read_text()
    file.write_text(whole.replace("2026-01-01", "1 May", MANY - 1))
    complaint = r"of 40 rows only 1 would be kept, while 40 are held, which stay\. Set aside: ordered_at is .*"
    with pytest.raises(FeedError, match=f"{complaint}--accept-fewer orders"):
        stores.load()
    assert (stores.held(), stores.held("quarantine")) == (MANY, MANY - 1)


def test_what_was_set_aside_before_stays_where_a_load_is_refused(stores: Stores) -> None:
    stores.write(a=MANY)
    file = stores.folder / "store_a.csv"
    file.write_text(file.read_text().replace("2026-01-01", "1 May", 2))
    stores.load()
    stores.write(a=3)
    with pytest.raises(FeedError, match="3 rows came, while 38 are held"):
        stores.load()
    assert stores.held("quarantine") == 2


@pytest.mark.parametrize("stores", [", may_be_empty: true"], indirect=True)
def test_a_feed_that_may_be_empty_may_shrink(stores: Stores) -> None:
    stores.write(a=MANY)
    stores.load()
    stores.write(a=1)
    stores.load()
    assert stores.held() == 1


@pytest.mark.parametrize(
    ("held", "came", "tolerated", "is_refused"),
    [
        (0, 0, 50, False),
        (3, 1, 50, False),
        (19, 1, 50, False),
        (20, 9, 50, True),
        (20, 10, 50, False),
        (1_000, 899, 10, True),
        (1_000, 900, 10, False),
        (1_000, 1, 100, False),
        (1_000, 999, 0, True),
        (1_000, 2_000, 0, False),
    ],
)
def test_how_many_fewer_are_too_few_says_the_contract(held: int, came: int, tolerated: float, is_refused: bool) -> None:
    assert is_short(replace(CONTRACT, tolerated_shrink_percent=tolerated), came, held) == is_refused
