"""Erasure: whatever state a table is in, nobody finds the person there; and who is somebody else stays."""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from governance.contract import Column
from resources import expiry
from resources.deployment import Deployment, Feed, Settings
from resources.erasure import ErasureError, erase, preview
from resources.expiry import COMMIT_SECONDS
from resources.feeds import Feeds
from resources.merging import Window
from resources.tombstones import Tombstones
from tests.tables import CONTRACTS, day, table

ANN, BO = "ANN-0001", "BO-00002"
EMAIL, ADDRESS = "ann.lovelace@example.org", "Sackville Street 17"
CUSTOMERS = [
    {"customer_id": ANN, "first_name": "Ann", "email_address": EMAIL, "is_registered": True},
    {"customer_id": BO, "first_name": "Ann", "email_address": "bo@example.org", "is_registered": True},
]
ORDERS = [
    {"order_id": "o1", "customer_id": ANN, "total_amount": 10.5, "billing_address": ADDRESS, "shipping_city": "London"},
    {"order_id": "o2", "customer_id": BO, "total_amount": 4.5, "billing_address": "Elsewhere 3"},
]
LINES = [{"order_li_id": "l1", "order_id": "o1", "qty": 2}, {"order_li_id": "l2", "order_id": "o2", "qty": 1}]


def event(number: int, entity: str | None, visitor: str) -> dict[str, Any]:
    at = day("2026-01-01").replace(hour=number)
    return {
        "activity_uuid": f"e{number}", "entity_id": entity, "visitor_id": visitor, "activity_ts": at,
        "event_action": "view",
    }  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Deployment]:
    connectors = {name: {"type": "files", "path": f"{name}.csv"} for name in ("customer", "orders")}
    settings = Settings.model_validate({"name": "Shop", "currency": "EUR", "connectors": connectors})
    feeds = {name: Feed(**{"from": name}) for name in connectors}
    opened = Deployment(tmp_path / "c360.yaml", settings, feeds, CONTRACTS)
    yield opened
    opened.close()


def write(shop: Deployment, key: str, *rows: dict[str, Any], publish: bool = True) -> None:
    commit = shop.lake.write(shop.contracts[key], table(key, *rows), {"c360.run_id": "run", "c360.mapping": "m"})
    if publish:
        shop.lake.publish(commit)


def rows(shop: Deployment, key: str, *columns: str) -> list[tuple[Any, ...]]:
    return shop.engine.query(f"SELECT {', '.join(columns)} FROM ({shop.select(key)}) ORDER BY ALL")


def silently(_: object) -> None: ...


def bytes_below(folder: Path) -> bytes:
    return b"\n".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_people_go_and_what_is_of_the_business_stays_without_them(shop: Deployment) -> None:
    write(shop, "customers", *CUSTOMERS)
    write(shop, "sources/orders", *ORDERS)
    write(shop, "sources/order_line_item", *LINES)
    assert {one.key: one.rows for one in preview(shop, ANN)} == {"customers": 1, "sources/orders": 1}
    proof = erase(shop, ANN, tell=silently)
    assert proof.holds
    looked_for = {kind for kind, count in proof.names.items() if count}
    # There is another Ann.
    assert looked_for == {"customer_id", "email_address", "billing_address"}
    assert rows(shop, "customers", "customer_id") == [(BO,)]
    assert rows(
        shop, "sources/orders", "order_id", "customer_id", "total_amount", "billing_address", "shipping_city"
    ) == [
        ("o1", None, 10.5, None, None),
        ("o2", BO, 4.5, "Elsewhere 3", None),
    ]
    assert rows(shop, "sources/order_line_item", "order_li_id") == [("l1",), ("l2",)]
    kept = shop.lake.head(shop.contracts["sources/orders"])
    assert kept is not None
    assert (kept.properties["c360.run_id"], kept.properties["c360.mapping"]) == ("run", "m")
    everything = bytes_below(shop.home)
    assert BO.encode() in everything
    assert not [value for value in (ANN, EMAIL, ADDRESS) if value.encode() in everything]


def test_rows_that_wait_for_their_checks_lose_the_person_and_go_on_waiting(shop: Deployment) -> None:
    write(shop, "customers", *CUSTOMERS)
    another = {"customer_id": "CY-00003", "is_registered": False}
    write(shop, "customers", *CUSTOMERS, another, publish=False)
    assert erase(shop, ANN, tell=silently).holds
    assert rows(shop, "customers", "customer_id") == [(BO,)]
    newest, commit = shop.lake.newest(shop.contracts["customers"])
    assert commit is not None
    assert sorted(newest.customer_id.to_pyarrow().to_pylist()) == [BO, "CY-00003"]
    shop.lake.publish(commit)
    assert rows(shop, "customers", "customer_id") == [(BO,), ("CY-00003",)]


def test_every_earlier_state_goes_with_its_files(shop: Deployment) -> None:
    for number in range(3):
        write(shop, "customers", *CUSTOMERS, {"customer_id": f"N-{number:05}", "is_registered": False})
    write(shop, "customers", CUSTOMERS[1])
    proof = erase(shop, ANN, tell=silently)
    assert proof.holds
    assert len(shop.lake.history(shop.contracts["customers"])) == 1
    assert [one.rows for one in proof.tables if one.key == "customers"] == [0]
    assert EMAIL.encode() not in bytes_below(shop.home)


def test_the_visitor_of_a_person_goes_and_a_shared_one_stays_with_the_other(shop: Deployment) -> None:
    events = [
        event(1, ANN, "V-OF-ANN"),
        event(2, None, "V-OF-ANN"),
        event(3, ANN, "V-SHARED"),
        event(4, BO, "V-SHARED"),
    ]
    web = shop.contracts["sources/web_analytics"]
    window = Window(day("2026-01-01"), day("2026-01-02"))
    shop.lake.publish(shop.lake.merge(web, table(web.key, *events), window=window))
    hours = shop.lake.head(web).properties["c360.hours"]
    proof = erase(shop, ANN, tell=silently)
    assert proof.holds
    assert proof.names["visitor_id"] == 1
    left = [("e1", None, None), ("e2", None, None), ("e3", None, None), ("e4", BO, "V-SHARED")]
    assert rows(shop, web.key, "activity_uuid", "entity_id", "visitor_id") == left
    assert shop.lake.head(web).properties["c360.hours"] == hours


def test_rows_set_aside_and_corrections_that_tell_of_the_person_go(shop: Deployment) -> None:
    write(shop, "customers", *CUSTOMERS)

    def aside(dataset: str, record: str) -> dict[str, Any]:
        return {"dataset": dataset, "source": "files", "reason": "no", "record": record, "copies": 1}

    def corrected(dataset: str, number: int, **cells: str) -> dict[str, Any]:
        row = {"dataset": dataset, "row_id": f"r{number}", "corrected_row": json.dumps(cells)}
        return {**row, "entry_id": "e", "copies": 1, "batch": "b"}

    quarantine, corrections = shop.contracts["quarantine"], shop.contracts["corrections"]
    for dataset, records in {
        "orders": [f'{{"customer_id": " {ANN.lower()} "}}', '{"customer_id": "BO"}', "***"]
    }.items():
        rows_aside = table("quarantine", *(aside(dataset, record) for record in records))
        shop.lake.publish(shop.lake.write(quarantine, rows_aside, partition=dataset))
    other = table("quarantine", aside("customer", '{"customer_id": "BO"}'))
    shop.lake.publish(shop.lake.write(quarantine, other, partition="customer"))
    put_right = [corrected("customer", 1, email_address=EMAIL.upper()), corrected("customer", 2, email_address="x@y.z")]
    shop.lake.publish(shop.lake.write(corrections, table("corrections", *put_right), partition="customer"))
    assert erase(shop, ANN, tell=silently).holds
    assert rows(shop, "quarantine", "dataset", "record") == [
        ("customer", '{"customer_id": "BO"}'),
        ("orders", "***"),
        ("orders", '{"customer_id": "BO"}'),
    ]
    assert rows(shop, "corrections", "row_id") == [("r2",)]


def test_rows_that_lead_to_a_row_which_goes_go_with_it(shop: Deployment) -> None:
    own = replace(CONTRACTS["sources/orders"], erasure="delete")
    further = Column("note", "VARCHAR", "Note.", references=("sources/order_line_item", "order_li_id"))
    spend = CONTRACTS["sources/marketing_spend"]
    notes = replace(spend, columns=(spend.columns[0], further), event_time=None)
    deployment = replace(shop, contracts={**CONTRACTS, "sources/orders": own, spend.key: notes})
    write(deployment, "sources/orders", *ORDERS)
    write(deployment, "sources/order_line_item", *LINES)
    written = table(spend.key, {"spend_id": "n1"}, {"spend_id": "n2"})
    noted = written.mutate(note=(written.spend_id == "n1").ifelse("l1", "l2")).select("spend_id", "note")
    deployment.lake.publish(deployment.lake.write(notes, noted))
    assert erase(deployment, ANN, tell=silently).holds
    assert rows(deployment, "sources/orders", "order_id") == [("o2",)]
    assert rows(deployment, "sources/order_line_item", "order_li_id") == [("l2",)]
    assert rows(deployment, spend.key, "spend_id") == [("n2",)]
    deployment.close()


def test_what_others_share_is_not_taken_for_the_person(shop: Deployment) -> None:
    longer = {"customer_id": f"{ANN}0", "is_registered": False, "email_address": f"x{EMAIL}"}
    write(shop, "customers", *CUSTOMERS, longer)
    proof = erase(shop, ANN, tell=silently)
    assert proof.holds
    assert sum(proof.names.values()) == 0
    assert rows(shop, "customers", "customer_id") == [(f"{ANN}0",), (BO,)]


def test_a_name_in_a_file_that_is_no_table_is_taken_out_and_one_in_an_export_is_told(shop: Deployment) -> None:
    write(shop, "customers", *CUSTOMERS)
    log, export = shop.home / "dagster" / "stdout.log", shop.folder / "export.csv"
    log.parent.mkdir()
    for file in (log, export):
        file.write_text(f"{EMAIL} and others")
    proof = erase(shop, ANN, [export], tell=silently)
    assert log.read_text() == "*** and others"
    assert (proof.redacted, proof.remains.found, proof.holds) == ([log], [export], False)
    export.unlink()
    assert erase(shop, ANN, tell=silently).holds


def test_who_was_never_there_cannot_be_erased_and_who_was_erased_can_be_again(shop: Deployment) -> None:
    write(shop, "customers", *CUSTOMERS)
    with pytest.raises(ErasureError, match="holds a customer of that ID"):
        erase(shop, "NOBODY", tell=silently)
    assert not Tombstones(shop).are_there
    erase(shop, ANN, tell=silently)
    ((stone,),) = rows(shop, "tombstones", "subject_hash")
    erased_at = rows(shop, "tombstones", "erased_at")
    assert ANN not in stone
    assert erase(shop, ANN, tell=silently).holds
    assert rows(shop, "tombstones", "subject_hash", "erased_at") == [(stone, *erased_at[0])]


def test_a_file_that_may_be_of_a_commit_in_flight_is_waited_for(
    shop: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "COMMIT_SECONDS", 2)
    write(shop, "customers", *CUSTOMERS)
    folder = shop.warehouse / "c360" / "customers" / "data" / "killed"
    folder.mkdir()
    (old, young) = (folder / name for name in ("old.parquet", "young.parquet"))
    for file in (old, young):
        file.write_bytes(b"PAR1" + EMAIL.encode())
    past = time.time() - COMMIT_SECONDS - 10
    os.utime(old, (past, past))
    began = time.monotonic()
    assert erase(shop, ANN, tell=silently).holds
    assert time.monotonic() - began > 1
    assert not folder.exists()


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.7, 0.9, 1.2])
def test_whoever_is_killed_begins_again_and_it_is_completed(
    shop: Deployment, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    # What the killed one was writing is not a minute old.
    monkeypatch.setattr(expiry, "COMMIT_SECONDS", 1)
    write(shop, "customers", *CUSTOMERS)
    write(shop, "sources/orders", *ORDERS)
    write(shop, "sources/review", {"review_id": "r", "customer_id": ANN, "review_text": f"I am {EMAIL}"})
    # No connection is shared with the process that is killed.
    shop.close()
    process = multiprocessing.get_context("fork").Process(target=erase, args=(shop, ANN, (), silently))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    assert erase(shop, ANN, tell=silently).holds
    assert rows(shop, "customers", "customer_id") == [(BO,)]
    assert rows(shop, "sources/orders", "customer_id", "total_amount") == [(BO, 4.5), (None, 10.5)]
    everything = bytes_below(shop.home)
    assert not [value for value in (ANN, EMAIL, ADDRESS) if value.encode() in everything]


def test_a_source_that_still_brings_the_person_is_loaded_without(shop: Deployment) -> None:
    (shop.folder / "customer.csv").write_text(f"customer_id,email_address\n {ANN} ,{EMAIL}\n{BO},bo@example.org\n")
    (shop.folder / "orders.csv").write_text(
        f"order_id,customer_id,ordered_at,total_amount,billing_address\no1,{ANN},2026-01-01,10.5,{ADDRESS}\n"
        f"o2,{BO},2026-01-01,4.5,x\no3,{ANN},no day,1,y\no4,{BO},no day,1,y\n"
    )
    customer, orders = shop.contracts["sources/customer"], shop.contracts["sources/orders"]
    for contract in (customer, orders):
        load = Feeds(shop).load(contract)
        Feeds(shop).quarantine(contract, load, {})
        shop.lake.publish(Feeds(shop).commit(contract, load))
        assert load.erased_count == 0
    before = rows(shop, "sources/orders", "sum(total_amount)", "count(*)")
    proof = erase(shop, ANN, tell=silently)
    assert proof.holds
    assert {file.name for file in proof.remains.of_sources} <= {"customer.csv", "orders.csv"}
    loads = [Feeds(shop).load(contract) for contract in (customer, orders)]
    assert [(load.read_count, load.kept_count, load.quarantined_count, load.erased_count) for load in loads] == [
        (2, 1, 0, 1),
        (4, 2, 1, 1),
    ]
    assert "1 row is of people who were erased: 1 left out, 0 kept without the person" in loads[0].notes
    assert "2 rows are of people who were erased: 1 left out, 1 kept without the person" in loads[1].notes
    for contract, load in zip((customer, orders), loads, strict=True):
        Feeds(shop).quarantine(contract, load, {})
        shop.lake.publish(Feeds(shop).commit(contract, load))
    assert rows(shop, "sources/customer", "customer_id") == [(BO,)]
    assert rows(shop, "sources/orders", "order_id", "customer_id", "billing_address") == [
        ("o1", None, None),
        ("o2", BO, "x"),
    ]
    assert rows(shop, "sources/orders", "sum(total_amount)", "count(*)") == before
    everything = bytes_below(shop.home)
    assert not [value for value in (ANN, EMAIL, ADDRESS) if value.encode() in everything]
