"""A look before anything is built: contracts on a screen, and what a feed would bring."""

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal import cli
from portal.runs.accounting import account, findings
from resources import deployment as deployments
from resources.feeds import Feeds
from tests.told import plain

CONFIG = """
name: Shop
currency: EUR
access: {anyone: data_engineer}
connectors:
  shop: {type: files, path: "orders.csv"}
  crm: {type: files, path: "customers.csv"}
feeds:
  orders:
    from: shop
    select: >-
      select id as order_id, customer as customer_id, day as ordered_at, total as total_amount, city as shipping_city
      from raw where id <> '9'
  customer:
    from: crm
    select: select id as customer_id, email as email_address from raw
"""
ORDERS = """id,customer,day,total,city
3,C3,2026-01-03,x,Rome
2,C1,2026-01-05,5.5,Rome
1,C1,2026-01-01,10,Lyon
4,,2026-01-01,10,
9,C9,2026-01-01,10,Lyon
5,C1
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "customers.csv").write_text("id,email\nC1,ann@example.com\n")
    (tmp_path / "c360.yaml").write_text(CONFIG)
    return tmp_path / "c360.yaml"


def c360(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", [("try", "orders"), ("lint",), ("run",)])
def test_a_select_that_reads_another_file_is_told_by_whatever_would_run_it(
    command: tuple[str, ...], shop: Path
) -> None:
    shop.write_text(CONFIG.replace("from raw where", "from raw, read_csv('customers.csv') where"))
    result = c360(*command, "--config", shop)
    assert result.exit_code == 1
    told = "Feed orders: the select reads read_csv(), which reaches beyond the rows. It is one SELECT over the rows of"
    assert f"{told} raw, shop; for another file, name the file as a connector" in plain(result.output)


def test_a_feed_is_tried_without_building_anything(shop: Path) -> None:
    result = c360("try", "orders", "--config", shop, "--limit", "1")
    told = plain(result.output)
    assert result.exit_code == 0, told
    assert "shop: orders.csv: 6 rows read, 4 selected, 3 kept, 2 set aside." in told
    assert "set aside: line 7 of orders.csv: missing columns (1)" in told
    assert "set aside: total_amount is no number (1)" in told
    assert "customer_id -> customer: 2 of 2 found (100%)." in told
    assert "│ 1 │ C1 │ 2026-01-01 00:00:00 │ 10.0 │ *** │" in told
    assert "│ 2 │" not in told
    assert "Lyon" not in told
    assert "payment_method" not in told
    with closing(deployments.load(shop)) as deployment:
        assert [key for key in deployment.contracts if deployment.lake.state(key)] == []


def test_a_feed_of_several_connectors_tells_how_many_rows_were_read_of_each(shop: Path) -> None:
    shop.write_text(CONFIG.replace("from: shop", "from: [shop, crm]").replace("from raw where", "from shop where", 1))
    told = plain(c360("try", "orders", "--config", shop).output)
    assert "shop: orders.csv + crm: customers.csv: 7 rows read (shop 6, crm 1), 4 selected" in told


def test_references_that_never_match_are_shown_with_a_value_of_each_side(shop: Path) -> None:
    (shop.parent / "customers.csv").write_text("id,email\n00001,ann@example.com\n")
    told = plain(c360("try", "orders", "--config", shop).output)
    assert "customer_id -> customer: 0 of 2 found (0%). Here they read 'C1', there '00001'." in told
    assert "ann@" not in told


def test_what_does_not_work_is_told_as_a_run_tells_it(shop: Path) -> None:
    assert "has no feed 'review'; there are: orders, customer." in plain(c360("try", "review", "--config", shop).output)
    shop.write_text(CONFIG.replace("day as ordered_at", "date as ordered_at"))
    result = c360("try", "orders", "--config", shop)
    assert result.exit_code == 1
    assert "Feed orders (shop: orders.csv): the select does not run" in plain(result.output)


def test_a_contract_is_its_columns_with_what_a_row_needs(shop: Path) -> None:
    told = plain(c360("contract", "orders", "--config", shop).output)
    assert "Orders (sources/orders): One row per order." in told
    assert re.search(r"order_id │ VARCHAR │ is known by it │ Order ID\.", told)
    assert re.search(r"ordered_at │ TIMESTAMP │ needs it │", told)
    assert "Refers to" in told
    assert "One row per customer" in plain(c360("contract", "rfm", "--config", shop).output)
    assert "There is no dataset or table 'x'" in plain(c360("contract", "x", "--config", shop).output)


def test_orders_of_unknown_status_are_told_until_the_feed_says_what_the_words_mean(shop: Path) -> None:
    (shop.parent / "orders.csv").write_text(
        "id,customer,day,total,city,state\n1,C1,2026-01-01,10,,versandt\n2,C1,2026-01-02,5,,Versandt\n"
        "3,C1,2026-01-03,2.5,,\n4,C1,2026-01-04,1,,shipped\n"
    )
    shop.write_text(CONFIG.replace("id as order_id", "state as order_status, id as order_id"))
    told = plain(c360("try", "orders", "--config", shop).output)
    assert (
        "Orders of unknown status: 3, which come to 17.50 EUR and are no revenue (1 'Versandt', 1 'versandt', 1 without"
        " status). Say under `status:` of feeds.orders what the words mean. Where the shop knows no status, select"
        " 'completed' as order_status."
    ) in told
    shop.write_text(
        CONFIG.replace("id as order_id", "coalesce(state, 'completed') as order_status, id as order_id").replace(
            "from: shop", "from: shop\n    status: {versandt: shipped}"
        )
    )
    told = plain(c360("try", "orders", "--config", shop).output)
    assert "│ 2026-01-02 00:00:00 │ shipped │" in told
    assert "unknown status" not in told


def test_one_customer_who_stands_for_nobody_known_is_told_until_the_feed_says_so(shop: Path) -> None:
    known = "".join(f"K{n},C{n},2026-01-01,10,\n" for n in range(20))
    unknown = "".join(f"A{n},it's none,2026-01-01,10,\n" for n in range(5))
    (shop.parent / "orders.csv").write_text(f"id,customer,day,total,city\n{known}{unknown}")
    told = plain(c360("try", "orders", "--config", shop).output)
    advised = re.search(r"select (nullif\(x, .*\) as customer_id), where x is what is selected now\.", told)
    assert advised is not None
    select = advised[1].replace("(x,", "(customer,")
    shop.write_text(CONFIG.replace("customer as customer_id", select))
    told = plain(c360("try", "orders", "--config", shop).output)
    assert "25 selected, 25 kept" in told
    assert "nobody known" not in told


def test_lines_of_orders_that_never_came_are_looked_at_as_is_advised(shop: Path) -> None:
    (shop.parent / "lines.csv").write_text("line,receipt\n" + "".join(f"{n},0{n % 4}\n" for n in range(20)))
    feed = "  order_line_item: {from: lines, select: 'select line as order_li_id, receipt as order_id from raw'}\n"
    shop.write_text(CONFIG.replace("feeds:", "  lines: {type: files, path: lines.csv}\nfeeds:") + feed)
    with closing(deployments.load(shop)) as deployment:
        contract = deployment.contracts["sources/order_line_item"]
        deployment.lake.publish(Feeds(deployment).commit(contract, Feeds(deployment).load(contract)))
        told, *_ = findings(deployment, account(deployment, contract, None), False, True)
    advised = re.search(r"Look at what they refer to: c360 (try \w+)", told.text)
    assert advised is not None
    shown = plain(c360(*advised[1].split(), "--config", shop).output)
    assert "order_id -> orders: 0 of 20 found (0%). Here they read '00', '01', there '1', '2'" in shown


def test_who_looks_at_a_contract_waits_for_no_dagster() -> None:
    command = [sys.executable, "-c", "import portal.mapping.trying, sys; print('dagster' in sys.modules)"]
    found = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
