"""The rights of a customer as users exercise them: told all that is held, then erased, and not brought back."""

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from portal import cli
from resources import deployment as deployments
from resources.engine import quoted
from tests.golden_company import PROJECT, environment
from tests.portal.rights.conftest import build
from tests.told import plain

# Totals that have to stay as they are: what the shop sold, took and was visited.
TOTALS = {
    "sources/orders": "count(*), sum(total_amount)",
    "orders": "count(*), sum(order_amount), sum(refunded_amount)",
    "order_lines": "count(*), sum(net_amount), sum(quantity)",
    "transactions": "count(*), sum(amount)",
    "ratings": "count(*), sum(rating)",
    "sessions": "count(*), sum(event_count)",
}


@pytest.fixture(scope="module")
def people(shop: Path) -> list[str]:
    """Customers with an address of their own, those with most orders first."""
    with closing(deployments.load(shop)) as deployment:
        orders = f"SELECT customer_id, count(*) AS orders FROM ({deployment.select('orders')}) GROUP BY 1"
        found = deployment.engine.query(
            f"SELECT customer_id FROM ({deployment.select('customers')}) JOIN ({orders}) USING (customer_id)"
            " WHERE email_address IS NOT NULL AND phone_number IS NOT NULL ORDER BY orders DESC, customer_id"
        )
    return [key for (key,) in found]


def c360(*arguments: str, shop: Path, typed: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, [*arguments, "--config", str(shop)], input=typed)


def asked(shop: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a SELECT in which {table} stands for what readers see of a table."""
    with closing(deployments.load(shop)) as deployment:
        known = {
            key.replace("/", "_"): f"({deployment.select(key)})"
            for key in (*TOTALS, "sources/transactions", "customers", "rfm")
        }
        return deployment.engine.query(sql.format(**known))


def totals(shop: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {key: asked(shop, f"SELECT {measures} FROM {{{key.replace('/', '_')}}}") for key, measures in TOTALS.items()}


def identifiers(shop: Path, key: str) -> set[str]:
    """What names the person in the shop's own files, and nobody else."""
    data = shop.parent / "data"
    customer, events = (
        duckdb.sql(f"SELECT * FROM '{data / name}/*.parquet'") for name in ("customer", "web_analytics")
    )
    # A customer may be there twice.
    contacts = customer.filter(f"customer_id = '{key}'").project("email_address, phone_number").fetchall()
    told = {value for row in contacts for value in row if value}
    visitors, others = (
        set(events.filter(f"entity_id {is_it} '{key}'").project("visitor_id").distinct().fetchall())
        for is_it in ("=", "<>")
    )
    return {key, *told} | {visitor for (visitor,) in visitors - others if visitor}


def holding(shop: Path, values: set[str]) -> list[str]:
    """The files of the home in which any of the values stands: as bytes, and in Parquet row by row."""
    found, names = [], [value.encode() for value in values]
    for file in (path for path in (shop.parent / ".c360").rglob("*") if path.is_file()):
        content = file.read_bytes()
        is_there = any(name in content for name in names)
        if file.suffix == ".parquet" and not is_there:
            texts = [
                name
                for name, kind, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
                if kind == "VARCHAR"
            ]
            row = ", ".join(map(quoted, texts)) or "''"
            condition = " OR ".join(f"contains(row, '{value}')" for value in values)
            rows = f"SELECT concat_ws(' ', {row}) AS row FROM '{file}'"
            is_there = bool(duckdb.sql(f"SELECT 1 FROM ({rows}) WHERE {condition} LIMIT 1").fetchall())
        if is_there:
            found.append(str(file))
    return found


def test_a_person_is_told_all_that_is_held_and_nothing_of_others(shop: Path, people: list[str], tmp_path: Path) -> None:
    key, other = people[:2]
    target = tmp_path / "person.json"
    assert c360("export-person", key, "--format", "json", "--out", str(target), shop=shop).exit_code == 0
    told = json.loads(target.read_text())["tables"]
    ((orders, lines, spent),) = asked(
        shop,
        "SELECT count(DISTINCT order_id), count(*), (SELECT monetary FROM {rfm}"
        f" WHERE customer_id = '{key}') FROM {{order_lines}} WHERE customer_id = '{key}'",
    )
    assert len(told["order_lines"]["rows"]) == len(told["sources/order_line_item"]["rows"]) == lines
    assert len(told["orders"]["rows"]) >= orders
    assert [row["monetary"] for row in told["rfm"]["rows"]] == [str(spent)]
    ((paid,),) = asked(
        shop,
        "SELECT count(*) FROM {sources_transactions} WHERE order_id IN (SELECT order_id FROM {sources_orders}"
        f" WHERE customer_id = '{key}')",
    )
    assert len(told["sources/transactions"]["rows"]) == paid > 0
    assert all(table["purpose"] and table["retention"] and table["columns"] for table in told.values())
    content = target.read_text()
    mine, theirs = identifiers(shop, key), identifiers(shop, other)
    assert mine <= {value for value in mine if value in content}
    assert not [value for value in theirs if value in content]
    page = tmp_path / "person.html"
    assert c360("export-person", "-", "--out", str(page), shop=shop, typed=f"{key}\n").exit_code == 0
    assert all(value in page.read_text() for value in mine)
    assert not [value for value in theirs if value in page.read_text()]


def test_nothing_goes_until_it_is_meant(shop: Path, people: list[str]) -> None:
    before = totals(shop)
    result = c360("erase", "--customer", people[0], shop=shop)
    assert result.exit_code == 1
    assert "Nothing was changed. If that is meant, add --yes." in plain(result.output)
    assert "customers" in result.output
    assert totals(shop) == before
    assert asked(shop, f"SELECT count(*) FROM {{customers}} WHERE customer_id = '{people[0]}'") == [(1,)]


def test_a_person_is_erased_from_every_file_and_no_load_brings_them_back(
    shop: Path, people: list[str], tmp_path: Path
) -> None:
    key, proof = people[0], tmp_path / "proof.json"
    values, before = identifiers(shop, key), totals(shop)
    ((customers,),) = asked(shop, "SELECT count(*) FROM {customers}")
    assert holding(shop, values)
    result = c360("erase", "--customer", key, "--yes", "--proof", str(proof), shop=shop)
    assert result.exit_code == 0, result.output
    assert "Nothing is left." in result.output
    assert holding(shop, values) == []
    assert totals(shop) == before
    assert asked(shop, "SELECT count(*) FROM {customers}") == [(customers - 1,)]
    written = json.loads(proof.read_text())
    assert written["holds"]
    assert written["looked_for"]["email_address"] >= 1
    assert not [value for value in values if value in proof.read_text() + result.output.replace(str(shop), "")]
    told = plain(build(shop))
    assert "sources/customer: 1 row is of people who were erased: 1 left out, 0 kept without the person." in told
    assert holding(shop, values) == []
    assert totals(shop) == before
    assert asked(shop, "SELECT count(*) FROM {customers}") == [(customers - 1,)]


def test_whoever_is_killed_at_any_moment_completes_it_the_next_time(shop: Path, people: list[str]) -> None:
    key = people[1]
    values, before = identifiers(shop, key), totals(shop)
    command = [sys.executable, "-m", "portal.cli", "erase", "--customer", key, "--yes", "--config", str(shop)]
    for seconds in (3.5, 5):
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.kill()
        process.wait()
    result = c360("erase", "--customer", key, "--yes", shop=shop)
    assert result.exit_code == 0, result.output
    assert holding(shop, values) == []
    assert totals(shop) == before


def test_only_who_answers_for_the_rights_of_customers_may(shop: Path, people: list[str], tmp_path: Path) -> None:
    other = tmp_path / "c360.yaml"
    content = shop.read_text().replace("data_steward", "data_engineer")
    other.write_text(f"{content}home: {shop.parent / '.c360'}\nshares_home: true\n")
    for command in (
        ("erase", "--customer", people[2], "--yes"),
        ("export-person", people[2]),
        ("requests", "list"),
        ("requests", "add", "--kind", "access", "--customer", people[2]),
    ):
        result = c360(*command, shop=other)
        assert result.exit_code == 1
        assert "may not answer for the rights of customers" in plain(result.output)


def test_nobody_is_erased_by_a_wrong_id(shop: Path) -> None:
    for command in (("erase", "--yes", "--customer", "NOBODY"), ("export-person", "NOBODY")):
        result = c360(*command, shop=shop)
        assert result.exit_code == 1
        assert "holds a customer of that ID" in plain(result.output)
        assert "NOBODY" not in result.output
    assert c360("erase", "--customer", "-", shop=shop, typed="\n").exit_code == 2
