"""Rows set aside: counted, looked at, written out to be corrected, and loaded again."""

import csv
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from portal import cli
from resources import deployment as deployments
from resources.corrections import MARKS, ROW, row_id
from resources.databases import WATERMARK
from resources.deployment import Deployment
from resources.feeds import Feeds
from resources.lake import HOURS

CONFIG = """
name: Shop
currency: EUR
access: {anyone: data_steward}
connectors:
  shop: {type: files, path: orders.csv}
  crm: {type: files, path: customers.csv}
  site: {type: files, path: "web/%Y-%m-%d.csv"}
feeds:
  orders:
    from: shop
    select: select id as order_id, customer as customer_id, day as ordered_at, total as total_amount from raw
  customer:
    from: crm
    select: select id as customer_id, email as email_address, age from raw
  web_analytics: {from: site}
"""
ORDERS = "id,customer,day,total\n1,C1,2026-01-01,10\n2,C1,2026-01-02,x\n2\n3\n"
CUSTOMERS = "id,email,age\nC1,ann@example.com,30\n,bob@example.com,40\n,eve@example.com,40\n,eve@example.com,40\n"
EVENTS = "activity_uuid,session_id,activity_ts,event_action\n"
PERSONAL = ("ann@", "bob@", "eve@")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "2026-03-01.csv").write_text(EVENTS + "a,S1,2026-03-01 10:00:00,page_view\n")
    (tmp_path / "web" / "2026-03-02.csv").write_text(EVENTS + "b,S1,noon,page_view\nc,S1,,page_view\n")
    (tmp_path / "c360.yaml").write_text(CONFIG)
    return tmp_path / "c360.yaml"


@pytest.fixture
def deployment(shop: Path) -> Iterator[Deployment]:
    with closing(deployments.load(shop)) as deployment:
        yield deployment


def c360(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[│┃─━┼┏┓┡┩└┘├┤┳╇┴┌┐┬]", " ", text))


def load(deployment: Deployment, dataset: str, batch: str | None = None) -> list[str]:
    """What a run does with a source, and the notes of it."""
    contract, feeds = deployment.contracts[f"sources/{dataset}"], Feeds(deployment)
    loaded = feeds.load(contract, batch=batch)
    feeds.quarantine(contract, loaded, {})
    deployment.lake.publish(feeds.commit(contract, loaded))
    return list(loaded.notes)


def held(deployment: Deployment, dataset: str, column: str) -> list[str]:
    return sorted(deployment.read(f"sources/{dataset}")[column].to_pyarrow().to_pylist())


def reasons(deployment: Deployment, dataset: str) -> dict[str, int]:
    rows = deployment.read("quarantine").to_pyarrow().to_pylist()
    return {row["reason"]: row["copies"] for row in rows if row["dataset"] == dataset}


def exported(shop: Path, dataset: str) -> Path:
    file = shop.parent / f"{dataset}.corrected.csv"
    result = c360("quarantine", "--config", shop, "--dataset", dataset, "--export", file)
    assert result.exit_code == 0, result.output
    return file


def rewritten(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


def corrections(deployment: Deployment, dataset: str, file: Path) -> str:
    """Keep the changed lines of a file, which is what a reload does first; the word of their batch."""
    feeds, connection = Feeds(deployment), deployment.engine.connection
    connection.register("lines", duckdb.sql(f"FROM read_csv('{file}', all_varchar = true)").to_arrow_table())
    given = feeds.given(deployment.contracts[f"sources/{dataset}"])
    return feeds.corrections.keep(dataset, f"SELECT * FROM lines WHERE {row_id(given)} <> {ROW}", given)


def test_where_nothing_was_set_aside_a_sentence_says_so(shop: Path) -> None:
    for command in (("show", "quarantine"), ("quarantine",), ("quarantine", "--sample", "3")):
        result = c360(*command, "--config", shop)
        assert (result.exit_code, result.output.strip()) == (0, "No row is set aside.")
    assert c360("show", "quarantine", "--format", "json", "--config", shop).output.strip() == "[]"


def test_rows_are_counted_by_reason_and_shown_masked(shop: Path, deployment: Deployment) -> None:
    for dataset in ("orders", "customer"):
        load(deployment, dataset)
    deployment.lake.close()
    shown = c360("show", "quarantine", "--config", shop)
    counted = c360("quarantine", "--config", shop)
    for told in (plain(shown.output), plain(counted.output)):
        assert "customer customer_id is missing 3" in told
        assert "orders line … of orders.csv: missing columns 2" in told
    assert "reason line 4 of orders.csv: missing columns" in plain(shown.output)
    narrow = plain(
        c360("quarantine", "--config", shop, "--dataset", "orders", "--reason", "Total", "--sample", "9").output
    )
    assert "orders 2 total_amount is no number order_id: 2, customer_id: C1" in narrow
    assert "line …" not in narrow
    masked = plain(c360("quarantine", "--config", shop, "--dataset", "customer", "--sample", "9").output)
    assert "email_address: ***, age: ***" in masked
    assert not [value for value in PERSONAL for text in (shown.output, masked) if value in text]
    assert "There is no dataset 'x'" in plain(c360("quarantine", "--config", shop, "--dataset", "x").output)


def test_corrected_rows_of_a_dataset_come_with_every_later_load(shop: Path, deployment: Deployment) -> None:
    load(deployment, "customer")
    assert reasons(deployment, "customer") == {"customer_id is missing": 3}
    file = shop.with_name("customer.csv")
    refused = c360("quarantine", "--config", shop, "--dataset", "customer", "--export", file, "--as", "data_engineer")
    assert "role data_engineer may not see first_name, last_name" in plain(refused.output)
    assert not file.exists()
    written = c360("quarantine", "--config", shop, "--dataset", "customer", "--export", file).output
    advised = re.search(r"Correct the cells, leave _row, .* as they are, and load them: c360 (quarantine .*)", written)
    assert advised is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [(row["_copies"], row["email_address"]) for row in sorted(rows, key=lambda row: row["email_address"])] == [
        ("1", "bob@example.com"), ("2", "eve@example.com"),
    ]  # fmt: skip
    assert list(rows[0]) == [*MARKS, "customer_id", "email_address", "age"]
    rewritten(file, ",,bob", ",C2,bob")
    told = c360(*advised[1].split(), "--config", shop)
    assert told.exit_code == 0, told.output
    assert "1 corrected row of customer loaded. 1 are as they were read" in plain(told.output)
    assert "Set aside were 3 rows, and are 2 now." in plain(told.output)
    assert "bob@" not in told.output
    assert held(deployment, "customer", "customer_id") == ["C1", "C2"]
    assert load(deployment, "customer") == []
    assert held(deployment, "customer", "customer_id") == ["C1", "C2"]
    assert "corrected_row ***" in plain(c360("show", "corrections", "--config", shop, "--as", "data_engineer").output)
    # Once the source has put it right itself, or lost it, the source counts, which is told.
    (shop.parent / "customers.csv").write_text("id,email,age\nC1,ann@example.com,30\nC3,bob@example.com,40\n")
    (note,) = load(deployment, "customer")
    assert note.startswith("1 of 1 corrections found no row as it was")
    assert held(deployment, "customer", "customer_id") == ["C1", "C3"]


def test_a_load_that_fails_loses_no_correction(shop: Path, deployment: Deployment) -> None:
    load(deployment, "customer")
    file = rewritten(exported(shop, "customer"), ",,bob", ",C2,bob")
    (shop.parent / "customers.csv").write_text("id,email,age\n")
    told = c360("quarantine", "--config", shop, "--dataset", "customer", "--reload", file)
    assert told.exit_code == 1
    assert "the source is empty" in plain(told.output)
    assert "What was corrected is kept, and counts with the next load" in plain(told.output)
    assert reasons(deployment, "customer") == {"customer_id is missing": 3}
    (shop.parent / "customers.csv").write_text(CUSTOMERS)
    load(deployment, "customer")
    assert held(deployment, "customer", "customer_id") == ["C1", "C2"]
    assert reasons(deployment, "customer") == {"customer_id is missing": 2}


def test_a_correction_that_is_wrong_stays_set_aside_with_its_new_reason(shop: Path, deployment: Deployment) -> None:
    load(deployment, "orders")
    file = rewritten(exported(shop, "orders"), "2026-01-02,x", "2 January,7")
    corrections(deployment, "orders", file)
    load(deployment, "orders")
    assert reasons(deployment, "orders")["ordered_at is no TIMESTAMP"] == 1
    assert held(deployment, "orders", "order_id") == ["1"]
    file.unlink()
    again = rewritten(exported(shop, "orders"), "2 January,7", "2026-01-02,7")
    corrections(deployment, "orders", again)
    load(deployment, "orders")
    assert held(deployment, "orders", "order_id") == ["1", "2"]
    assert sum(reasons(deployment, "orders").values()) == 2


def test_corrected_events_come_beside_those_whose_file_is_gone(shop: Path, deployment: Deployment) -> None:
    contract = deployment.contracts["sources/web_analytics"]
    load(deployment, "web_analytics")
    before = deployment.lake.head(contract)
    file = rewritten(exported(shop, "web_analytics"), ",noon,", ",2026-03-02 12:00:00,")
    (shop.parent / "web" / "2026-03-01.csv").unlink()
    batch = corrections(deployment, "web_analytics", rewritten(file, ",c,S1,,", ",c,S1,later,"))
    # A crash between the rows and the quarantine leaves both; loaded again, the rows are held once.
    half = Feeds(deployment).load(contract, batch=batch)
    deployment.lake.publish(deployment.lake.merge(contract, half.rows, half.properties))
    assert reasons(deployment, "web_analytics") == {"activity_ts is no TIMESTAMP": 1, "activity_ts is missing": 1}
    for _ in range(2):
        load(deployment, "web_analytics", batch)
        assert held(deployment, "web_analytics", "activity_uuid") == ["a", "b"]
        assert reasons(deployment, "web_analytics") == {"activity_ts is no TIMESTAMP": 1}
    after = deployment.lake.head(contract)
    assert before is not None
    assert after is not None
    assert after.properties[HOURS] == before.properties[HOURS]
    assert after.watermark == "2026-03-02 12:00:00"


FROM_DATABASE = """
name: Shop
currency: EUR
access: {anyone: data_steward}
connectors: {shop: {type: postgres, url: "${SHOP_DB}"}}
feeds:
  orders:
    from: shop
    table: sales
    watermark: updated_at
    select: select id as order_id, day as ordered_at, total as total_amount from raw
"""
SALES = """
DROP TABLE IF EXISTS sales; CREATE TABLE sales (id text, day timestamptz, total text, updated_at timestamptz);
INSERT INTO sales SELECT n, '2026-01-01 10:00+02', CASE WHEN n = 1 THEN '10' ELSE 'x' END, now() - interval '1 hour'
  FROM generate_series(1, 5) n; INSERT INTO sales VALUES (null, '2026-01-01', '9', now() - interval '1 hour')
"""


def test_corrected_rows_of_a_database_are_merged_unless_it_put_them_right_itself(
    shop: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sa.create_engine(postgres, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    def sales(sql: str) -> None:
        with server.connect() as connection:
            connection.exec_driver_sql(sql)

    address = sa.make_url(postgres).set(drivername="postgresql")
    monkeypatch.setenv("SHOP_DB", address.render_as_string(hide_password=False))
    shop.write_text(FROM_DATABASE)
    sales(SALES)
    with closing(deployments.load(shop)) as deployment:
        orders = deployment.contracts["sources/orders"]

        def amounts() -> dict[str, float]:
            rows = deployment.read("sources/orders").to_pyarrow().to_pylist()
            return {row["order_id"]: row["total_amount"] for row in rows}

        load(deployment, "orders")
        # Of one the right amount comes from the source, one it forgets, one is read by the next load.
        file = exported(shop, "orders")
        sales("UPDATE sales SET total = '33', updated_at = now() WHERE id = '3'; DELETE FROM sales WHERE id = '4'")
        load(deployment, "orders")
        sales("UPDATE sales SET total = '55', updated_at = now() WHERE id = '5'")
        for order in "2345":
            rewritten(file, f",{order},2026-01-01 08:00:00+00,x", f",{order},2026-01-01 08:00:00+00,{order}0")
        before = deployment.lake.head(orders)
        told = c360("quarantine", "--config", shop, "--dataset", "orders", "--reload", file)
        assert told.exit_code == 0, told.output
        assert "2 of 4 corrections found no row as it was" in plain(told.output)
        assert "Set aside were 5 rows, and are 1 now." in plain(told.output)
        assert amounts() == {"1": 10, "2": 20, "3": 33, "4": 40}
        after = deployment.lake.head(orders)
        assert before is not None
        assert after is not None
        assert after.properties[WATERMARK] == before.properties[WATERMARK]
        # Loads that read the row again as it was, or all, undo no correction.
        for whole in (False, False, True):
            part = Feeds(deployment).load(orders, is_whole=whole)
            assert part.is_part != whole
            deployment.lake.publish(Feeds(deployment).commit(orders, part))
            assert amounts() == {"1": 10, "2": 20, "3": 33, "5": 55} | ({} if whole else {"4": 40})


def test_lines_that_are_no_rows_are_corrected_in_the_source_as_is_advised(shop: Path, deployment: Deployment) -> None:
    load(deployment, "orders")
    target = shop.parent / "orders.corrected.csv"
    told = plain(c360("quarantine", "--config", shop, "--dataset", "orders", "--export", target).output)
    assert "2 more cannot be corrected here: lines that are no rows" in told
    assert "Correct them in the source." in told
    rewritten(shop.parent / "orders.csv", "\n2\n3\n", "\n3,C1,2026-01-03,5\n")
    load(deployment, "orders")
    assert reasons(deployment, "orders") == {"total_amount is no number": 1}


def test_cells_are_corrected_in_the_type_that_the_source_has_them_in(shop: Path) -> None:
    ages = pa.array([30, 40], pa.int64())
    people = pa.table({"id": ["C1", None], "email": ["ann@example.com", "bob@example.com"], "age": ages})
    pq.write_table(people, shop.parent / "customers.parquet")
    shop.write_text(CONFIG.replace("customers.csv", "customers.parquet"))
    with closing(deployments.load(shop)) as deployment:
        load(deployment, "customer")
        file = rewritten(exported(shop, "customer"), ",,bob@example.com,40", ",C2,bob@example.com,forty")
        told = plain(c360("quarantine", "--config", shop, "--dataset", "customer", "--reload", file).output)
        assert "has 1 cells of age that are no BIGINT as the source has it (1250.5, 2024-06-01 14:30:00)" in told
        corrections(deployment, "customer", rewritten(file, "forty", "41"))
        load(deployment, "customer")
        assert held(deployment, "customer", "age") == [30, 41]


def test_what_cannot_be_taken_back_changes_nothing(shop: Path, deployment: Deployment) -> None:
    load(deployment, "customer")
    file = exported(shop, "customer")
    fine = file.read_text()

    def complaint(*more: str | Path) -> str:
        result = c360("quarantine", "--config", shop, *more)
        assert result.exit_code == 1, result.output
        return plain(result.output)

    assert "Remove it, or name another file" in complaint("--dataset", "customer", "--export", file)
    for advised in (file, file.with_name("another.csv")):
        file.unlink()
        assert c360("quarantine", "--config", shop, "--dataset", "customer", "--export", advised).exit_code == 0
        file.write_text(fine)
    assert "was never loaded. Load it first: c360 run" in complaint("--dataset", "orders", "--reload", file)
    load(deployment, "orders")
    assert "Start from what --export writes" in complaint("--dataset", "orders", "--reload", file)
    assert "name one of them" in complaint("--dataset", "orders", "--export", "x.csv", "--reload", file)
    orders = exported(shop, "orders")
    assert "as they were read" in c360("quarantine", "--config", shop, "--dataset", "orders", "--reload", orders).output
    assert "Name it, for example: --dataset orders" in complaint("--reload", file)
    assert "has no feed 'review'" in complaint("--dataset", "review", "--reload", file)
    for old, new, told in (
        ("email_address", "email", "lacks the column email_address; has the column email"),
        (fine.splitlines()[1], fine.splitlines()[2], "1 lines for a row that another line is for"),
        (fine.splitlines()[1].split(",")[0], "", "1 lines without _row, _entry or _copies"),
        (fine.splitlines()[1], "a,b", "missing columns. Correct that line"),
    ):
        file.write_text(fine.replace(old, new))
        assert told in complaint("--dataset", "customer", "--reload", file)
    assert deployment.lake.state("corrections") is None
    file.write_text(fine)
    assert (
        "are as they were read"
        in c360("quarantine", "--config", shop, "--dataset", "customer", "--reload", file).output
    )
