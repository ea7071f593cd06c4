"""Files that are replaced while they are read: no row of the newer one is lost, and no mixture of both is believed."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from resources.connectors import READINGS, SourceChanged
from resources.deployment import Deployment
from resources.engine import Engine
from resources.feeds import Feeds
from tests.resources.test_files import put_archive, put_workbook
from tests.running import deployed

HEADER = ["sku_id", "product_name"]


class Catalogue:
    """A deployment that loads products from one file, of whatever kind its name tells."""

    def __init__(self, folder: Path, name: str, path: str | None = None) -> None:
        self.file = folder / name
        (folder / "c360.yaml").write_text(
            f"name: Shop\ncurrency: EUR\nconnectors:\n  shop: {{type: files, path: '{path or name}'}}\n"
            "feeds:\n  product: {from: shop}\n"
        )
        self.deployment: Deployment = deployed(folder / "c360.yaml", folder / "home")
        self.contract = self.deployment.contracts["sources/product"]
        self.feeds = Feeds(self.deployment)

    def put(self, *products: str) -> None:
        """Write the file anew under another name, and move it into place."""
        fresh = self.file.with_name("fresh")
        text = "".join(",".join(row) + "\n" for row in (HEADER, *([one, f"Tea {one}"] for one in products)))
        if self.file.suffix == ".parquet":
            rows = ", ".join(f"('{one}', 'Tea {one}')" for one in products)
            duckdb.execute(f"COPY (FROM (VALUES {rows}) AS rows({', '.join(HEADER)})) TO '{fresh}' (FORMAT parquet)")
        elif self.file.suffix == ".xlsx":
            put_workbook(fresh, products=[HEADER, *([one, f"Tea {one}"] for one in products)])
        elif self.file.suffix == ".zip":
            put_archive(fresh, **{"products.csv": text})
        elif self.file.suffix == ".jsonl":
            fresh.write_text("".join(f'{{"sku_id": "{one}", "product_name": "Tea"}}\n' for one in products))
        else:
            fresh.write_bytes(gzip.compress(text.encode()) if self.file.suffix == ".gz" else text.encode())
        fresh.replace(self.file)

    def load(self) -> list[str]:
        """Load the products; those held then."""
        self.deployment.lake.publish(self.feeds.commit(self.contract, self.feeds.load(self.contract)))
        found: list[str] = self.deployment.lake.read(self.contract).sku_id.to_pyarrow().to_pylist()
        return sorted(found)


@pytest.fixture
def catalogue(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Catalogue]:
    catalogue = Catalogue(tmp_path, getattr(request, "param", "products.csv"))
    yield catalogue
    catalogue.deployment.close()


def meanwhile(monkeypatch: pytest.MonkeyPatch, *events: Callable[[], None]) -> None:
    """Have something happen each time rows of the source are being copied, once after the other."""
    waiting, query = list(events), Engine.query

    def interrupted(engine: Engine, sql: str, parameters: None = None) -> list[tuple[object, ...]]:
        if sql.startswith("COPY") and "product" in sql and waiting:
            waiting.pop(0)()
        return query(engine, sql, parameters)

    monkeypatch.setattr(Engine, "query", interrupted)


@pytest.mark.parametrize(
    "catalogue",
    ["p.csv", "p.csv.gz", "p.zip", "p.jsonl", "p.xlsx", "p.parquet"],
    indirect=True,
)
def test_a_file_replaced_while_it_is_read_is_read_again(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.put("A")
    meanwhile(monkeypatch, lambda: catalogue.put("A", "B"))
    assert catalogue.load() == ["A", "B"]
    assert not catalogue.feeds.has_news(catalogue.contract)


@pytest.mark.parametrize("catalogue", ["p.csv", "p.parquet"], indirect=True)
def test_a_file_that_changes_at_every_reading_is_named_and_nothing_is_loaded(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.put("A")
    numbers = iter("BCDEFGH")
    meanwhile(monkeypatch, *[lambda: catalogue.put("A", next(numbers) * 9)] * READINGS)
    with pytest.raises(SourceChanged, match=rf"{catalogue.file.name} changed while it was read, 3 times"):
        catalogue.load()
    assert catalogue.deployment.lake.head(catalogue.contract) is None
    assert len(catalogue.load()) == 2


def test_a_copy_of_a_file_that_changed_halfway_is_never_used(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the file is put back as it was, with its time and its size."""
    catalogue.put("A")
    as_it_was = catalogue.file.stat()

    def back() -> None:
        catalogue.put("A")
        os.utime(catalogue.file, ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))

    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: catalogue.put("B", "C"), back)
        assert catalogue.load() == ["A"]
    back()
    assert catalogue.load() == ["A"]


def test_a_file_that_goes_while_it_is_read_is_missed(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue.put("A")
    meanwhile(monkeypatch, catalogue.file.unlink)
    with pytest.raises(Exception, match=r"products\.csv: no such file"):
        catalogue.load()


def test_a_file_replaced_after_it_was_read_is_news(catalogue: Catalogue) -> None:
    catalogue.put("A")
    load = catalogue.feeds.load(catalogue.contract)
    catalogue.put("A", "B")
    catalogue.deployment.lake.publish(catalogue.feeds.commit(catalogue.contract, load))
    assert catalogue.feeds.has_news(catalogue.contract)
    assert catalogue.load() == ["A", "B"]


def test_an_empty_part_among_others_is_no_news_for_ever(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path, "p1.csv", path="p*.csv")
    catalogue.put("A")
    (tmp_path / "p2.csv").touch()
    assert catalogue.load() == ["A"]
    assert not catalogue.feeds.has_news(catalogue.contract)
    catalogue.deployment.close()
