"""`c360 init`: a file that loads, says what is a guess, and holds no value of a person."""

import csv
import gzip
import io
import re
import shutil
import zipfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from portal import cli
from resources import deployment as deployments
from resources.connectors import Request
from resources.engine import Engine
from resources.feeds import Feeds
from resources.files import Files

EXPORTS = Path(__file__).parent / "exports"


def c360(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def initialised(folder: Path, *paths: Path) -> str:
    """The file that is proposed for these paths, else for the whole folder."""
    result = c360("init", *(paths or [folder]), "--output", folder / "c360.yaml")
    assert result.exit_code == 0, result.output
    return (folder / "c360.yaml").read_text(encoding="utf-8")


def counts(folder: Path) -> dict[str, tuple[int, int]]:
    """How many rows of each dataset are selected and set aside."""
    with closing(deployments.load(folder / "c360.yaml")) as deployment:
        feeds = Feeds(deployment)
        loads = {name: feeds.load(deployment.contracts[f"sources/{name}"]) for name in deployment.feeds}
        return {name: (load.row_count, load.quarantined_count) for name, load in loads.items()}


@pytest.mark.parametrize(
    ("shop", "loaded"),
    [
        ("germany", {"customer": (24, 0), "order_line_item": (57, 0), "orders": (30, 0), "product": (12, 0)}),
        ("france", {"customer": (24, 0), "orders": (29, 0)}),
        ("magento", {"customer": (24, 0)}),
    ],
)
def test_what_is_proposed_loads_every_row(shop: str, loaded: dict[str, tuple[int, int]], tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / shop, tmp_path, dirs_exist_ok=True)
    initialised(tmp_path)
    assert counts(tmp_path) == loaded
    assert c360("lint", "--config", tmp_path / "c360.yaml").exit_code == 0


def test_the_file_says_how_to_read_where_columns_go_and_what_is_doubtful(tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / "germany", tmp_path, dirs_exist_ok=True)
    text = initialised(tmp_path)
    assert yaml.safe_load(text)["connectors"]["kunden"] == {
        "type": "files",
        "path": "kunden.csv",
        "encoding": "windows-1252",
        "delimiter": ";",
        "date_format": "%d.%m.%Y",
    }
    assert yaml.safe_load(text)["connectors"]["bestellungen"]["decimal"] == ","
    status = yaml.safe_load(text)["feeds"]["orders"]["status"]
    assert status == {"geliefert": "delivered", "storniert": "cancelled", "versendet": "shipped"}
    assert re.search(r"^    # customer_id +Kundennummer +1\.00$", text, re.MULTILINE)
    assert "currency: EUR  # doubtful: no file says in which currency amounts are\n" in text
    assert "# Nothing was found for transactions, which needs transaction_id, amount, transaction_ts:\n" in text


def test_columns_that_rows_need_and_nothing_has_are_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.csv").write_text(
        "order_id,total,shipped\n" + "".join(f"{n},{n}.50,2024-06-0{n}\n" for n in range(1, 9))
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("C360_CONFIG", raising=False)
    told = c360("init", "orders.csv").output
    file = tmp_path / "c360.yaml"
    text = file.read_text(encoding="utf-8")
    assert "# missing: ordered_at, which rows need. Select `... as ordered_at` from what has it" in text
    assert re.search(r"# order_status .* 0\.65  # doubtful: no column tells the state of an order", text)
    file.write_text(text.replace("      from raw", '        , "shipped" as ordered_at\n      from raw'))
    # What is told to be typed, in the file and at the end.
    typed = re.findall(r"c360 ((?:try|contract) [^`\n]+)", text + told)
    assert {line.split()[0] for line in typed} == {"try", "contract"}
    found = [c360(*line.split()) for line in dict.fromkeys(typed)]
    assert [result.exit_code for result in found] == [0] * len(found)
    shown = "".join(result.output for result in found)
    assert "8 kept, 0 set aside" in shown
    assert "ordered_at" in shown
    assert "Transactions (sources/transactions): One row per" in shown


def test_words_of_a_status_that_nobody_knows_are_counted_and_not_told(tmp_path: Path) -> None:
    rows = "".join(f"{n},2024-06-0{n},{word}\n" for n, word in enumerate(["Shipped", "cancelled", "at_the_notary"], 1))
    (tmp_path / "orders.csv").write_text("order_id,order_date,status\n" + rows)
    text = initialised(tmp_path)
    assert "# doubtful: of the words for the status of an order 1 are not known" in text
    assert "notary" not in text
    file = tmp_path / "c360.yaml"
    assert "of unknown status: 1" in c360("try", "orders", "--config", file).output
    connectors, feeds = text.split("feeds:\n")
    said = feeds.replace("  orders:\n", "  orders:\n    status: {at_the_notary: shipped}\n")
    file.write_text(f"{connectors}feeds:\n{said}")
    result = c360("try", "orders", "--config", file)
    assert (result.exit_code, "unknown status" in result.output) == (0, False)


def test_words_of_an_action_that_nobody_knows_are_selected_as_is_advised(tmp_path: Path) -> None:
    words = ("page_view", "seen", "product_view")
    rows = "".join(f"{n},2024-06-01 10:00,{word}\n" for n, word in enumerate(words))
    (tmp_path / "web.csv").write_text(f"event_id,event_time,event\n{rows}")
    text = initialised(tmp_path)
    assert "# doubtful: of the words for the action of an event 1 are not known, so no view, cart or order" in text
    advised = re.search(r"`(case word when .*? end)`: `c360 (contract web_analytics)`", text)
    assert advised is not None
    assert "product_view" in c360(*advised[2].split(), "--config", tmp_path / "c360.yaml").output
    select = advised[1].replace("word", '"event"')
    (tmp_path / "c360.yaml").write_text(text.replace('"event" as', f"{select} as"))
    with closing(deployments.load(tmp_path / "c360.yaml")) as deployment:
        found = Feeds(deployment).load(deployment.contracts["sources/web_analytics"]).rows.to_pyarrow()
    assert sorted(found["event_action"].to_pylist()) == ["page_view", "product_view", "product_view"]


def test_receipts_that_may_be_numbered_anew_each_day_are_doubtful_until_the_day_is_in_the_key(tmp_path: Path) -> None:
    rows = [f"{n},{d:02}/06/2024 10:0{line},A{line},1,5.00\n" for d in (1, 2, 28) for n in range(9) for line in (1, 2)]
    (tmp_path / "lines.csv").write_text("receipt,day,article,pieces,price\n" + "".join(rows))
    text = initialised(tmp_path)
    assert counts(tmp_path)["orders"] == (9, 0)
    told = r"100% of its values have rows of several days; where .* put the day into it, in the lines, too: (.*)"
    advised = re.search(rf"# order_id .*# doubtful: {told}", text)
    assert advised is not None
    connectors, feeds = text.split("feeds:\n")
    (tmp_path / "c360.yaml").write_text(f"{connectors}feeds:\n" + feeds.replace('"receipt"', advised[1]))
    assert counts(tmp_path)["orders"] == (27, 0)
    assert counts(tmp_path)["order_line_item"] == (54, 0)


def test_no_value_of_a_person_is_written_or_shown(tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / "germany", tmp_path, dirs_exist_ok=True)
    result = c360("init", tmp_path, "--output", tmp_path / "c360.yaml")
    told = result.output + (tmp_path / "c360.yaml").read_text(encoding="utf-8")
    with (tmp_path / "kunden.csv").open(encoding="windows-1252", newline="") as file:
        values = {value for row in list(csv.reader(file, delimiter=";"))[1:] for value in row}
    assert [value for value in values if re.search(rf"\b{re.escape(value)}\b", told)] == []


@pytest.mark.parametrize(
    "rows",
    [
        "Ann,Smith,Rome\nBob,Jones,Pisa\n",
        "Ann,Client,Rome\nBob,Jones,Pisa\n",
        "ann@example.org,Ann\nbob@example.org,Bob\n",
    ],
)
def test_a_first_row_that_may_be_of_a_person_is_no_header(rows: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(rows)
    result = c360("init", tmp_path / "people.csv", "--output", tmp_path / "c360.yaml")
    text = (tmp_path / "c360.yaml").read_text()
    assert (
        "    header: false  # doubtful: the first line looks like a row; name the columns with `columns: [...]`" in text
    )
    assert not re.search("Ann|ann@|Smith|Client", text + result.output)
    proposed, width = yaml.safe_load(text)["connectors"]["people"], rows.split("\n")[0].count(",") + 1
    names = ["a", "b", "c"][:width]
    connector = Files.model_validate(proposed | {"columns": names})
    engine = Engine("500MB", 1)
    with closing(engine):
        raw = connector.read(Request("people", "customer", tmp_path), engine)
        assert [name for name, *_ in engine.query(f"DESCRIBE {raw.sql}")] == names
        assert len(engine.query(raw.sql)) == 2


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,email\n1,a@example.org\n2,b@example.org\n")
    (tmp_path / "c360.yaml").write_text("name: mine\n")
    result = c360("init", tmp_path / "people.csv", "--output", tmp_path / "c360.yaml")
    assert (result.exit_code, (tmp_path / "c360.yaml").read_text()) == (1, "name: mine\n")
    assert "Name another file with --output" in re.sub(r"\s+", " ", result.output)
    assert c360("init", tmp_path / "people.csv", "--output", tmp_path / "another.yaml").exit_code == 0


def test_nothing_is_written_where_there_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    result = c360("init", tmp_path / "empty.csv", "--output", tmp_path / "c360.yaml")
    assert (result.exit_code, (tmp_path / "c360.yaml").exists()) == (1, False)
    assert "empty.csv is empty" in result.output
    assert "There is no file or folder" in c360("init", tmp_path / "x.csv", "--output", tmp_path / "c.yaml").output


PEOPLE = "id,email\n1,a@example.org\n2,b@example.org\n"


def archive(name: str = "people.csv", is_locked: bool = False) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as packed:
        packed.writestr(name, PEOPLE)
    data = bytearray(file.getvalue())
    if is_locked:
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for line in PEOPLE.splitlines():
        book.active.append(line.split(","))  # type: ignore[union-attr]
    book.save(file := io.BytesIO())
    return file.getvalue()


def parquet() -> bytes:
    pq.write_table(pa.table({"id": ["1", "2"], "email": ["a@example.org", "b@example.org"]}), file := io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "broken", "told", "mended"),
    [
        (
            "people.zip",
            archive()[:40],
            "people.zip is no whole zip archive, or is locked; fetch",
            ("people.zip", archive()),
        ),
        ("people.zip", archive(is_locked=True), "fetch or unpack it", ("people.csv", PEOPLE.encode())),
        ("people.xlsx", workbook()[:40], "of Excel or OpenDocument; save it again", ("people.xlsx", workbook())),
        (
            "people.csv.gz",
            gzip.compress(PEOPLE.encode())[:20],
            "people.csv.gz is no whole file; fetch it again",
            ("people.csv.gz", gzip.compress(PEOPLE.encode())),
        ),
        ("people.parquet", parquet()[:40], "no whole Parquet file; fetch it again", ("people.parquet", parquet())),
    ],
    ids=["half an archive", "a locked archive", "half a workbook", "half a gzip", "half of Parquet"],
)
def test_a_file_that_cannot_be_read_is_proposed_for_once_it_is_put_right(
    name: str, broken: bytes, told: str, mended: tuple[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(broken)
    result = c360("init", tmp_path, "--output", tmp_path / "c360.yaml")
    assert result.exit_code == 1
    assert told in re.sub(r"\s+", " ", result.output)
    (tmp_path / name).unlink()
    (tmp_path / mended[0]).write_bytes(mended[1])
    initialised(tmp_path)
    assert counts(tmp_path) == {"customer": (2, 0)}


def test_a_file_of_nothing_makes_room_for_a_proposal_as_is_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "c360.yaml").touch()
    told = re.sub(r"\s+", " ", c360("tables", "--config", "c360.yaml").output)
    advised = re.search(r"remove it and let `c360 (init FILE\.\.\. --output c360\.yaml)` propose one", told)
    assert advised is not None
    (tmp_path / "c360.yaml").unlink()
    assert c360(*advised[1].replace("FILE...", "people.csv").split()).exit_code == 0
    assert counts(tmp_path) == {"customer": (2, 0)}


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_proposed(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,email\n1,a@example.org\n2,b@example.org\n")
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    assert "# Not read: broken.parquet: " in initialised(tmp_path)
    assert counts(tmp_path) == {"customer": (2, 0)}


def test_parts_of_one_table_are_one_and_those_of_others_are_not(tmp_path: Path) -> None:
    for part in (1, 2):
        (tmp_path / f"customers-{part}.csv").write_text(f"id,email\n{part},{part}@example.org\n")
    (tmp_path / "orders-1.csv").write_text("order_no,order_date,total\n7,2024-06-01,5.00\n8,2024-06-02,6.50\n")
    (tmp_path / "orders-2.csv").write_text("x,y\na,b\n")
    text = initialised(tmp_path)
    assert (counts(tmp_path)["customer"], counts(tmp_path)["orders"]) == ((2, 0), (2, 0))
    assert 'path: "customers-*.csv"' in text
    assert "# Not used: orders-2.csv" in text


def test_an_archive_and_titles_above_the_table_are_read(tmp_path: Path) -> None:
    table = "Export of orders\n\nOrderNo;OrderDate;Total\n1;31/12/2024;1.234,50\n2;01/06/2024;20,00\n"
    with zipfile.ZipFile(tmp_path / "orders.zip", "w") as archive:
        archive.writestr("orders.csv", table)
    text = initialised(tmp_path)
    assert yaml.safe_load(text)["connectors"]["orders"] == {
        "type": "files",
        "path": "orders.zip",
        "delimiter": ";",
        "skip": 2,
        "decimal": ",",
        "date_format": "%d/%m/%Y",
    }
    assert counts(tmp_path) == {"orders": (2, 0)}


def test_a_header_quoted_as_a_whole_is_no_title(tmp_path: Path) -> None:
    rows = "C1,Ann Doe,a@example.org\nC2,Bob Roe,b@example.org\n"
    (tmp_path / "customers.csv").write_text('"id,name,email"\n' + rows)
    text = initialised(tmp_path)
    assert yaml.safe_load(text)["connectors"]["customers"] == {
        "type": "files",
        "path": "customers.csv",
        "skip": 1,
        "header": False,
        "columns": ["id", "name", "email"],
    }
    assert counts(tmp_path) == {"customer": (2, 0)}


def test_sales_without_a_number_load_as_orders_and_lines(tmp_path: Path) -> None:
    rows = "".join(f"2025-03-0{n // 4 + 1},K{n // 2 % 2},A{n},1,{n}.50\n" for n in range(12))
    (tmp_path / "sales.csv").write_text("date,customer,product_id,quantity,unit_price\n" + rows)
    initialised(tmp_path)
    found = counts(tmp_path)
    assert (found["orders"], found["order_line_item"]) == ((6, 0), (12, 0))
    assert c360("lint", "--config", tmp_path / "c360.yaml").exit_code == 0


def test_each_sheet_of_a_workbook_is_a_table(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    customers, orders = book.active, book.create_sheet("Orders 2024")
    book.create_sheet("Empty")
    assert customers is not None
    for row in [["Customer No", "E-Mail"], ["C1", "a@example.org"], ["C2", "b@example.org"]]:
        customers.append(row)
    for row in [["Order No", "Customer No", "Order Date", "Total"], [1, "C1", datetime(2024, 6, 1), 2.5]]:
        orders.append(row)
    book.save(tmp_path / "shop.xlsx")
    connectors = yaml.safe_load(initialised(tmp_path))["connectors"]
    assert [connector["sheet"] for connector in connectors.values()] == ["Sheet", "Orders 2024"]
    assert counts(tmp_path) == {"customer": (2, 0), "orders": (1, 0)}


def test_days_and_months_that_may_be_exchanged_are_doubtful(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_no,order_date,total\n1,01/02/2024,5\n2,03/04/2024,6\n")
    assert 'date_format: "%d/%m/%Y"  # doubtful: every value can be read with day and month' in initialised(tmp_path)


def test_cells_between_blanks_are_split_by_the_select(tmp_path: Path) -> None:
    rows = "".join(f" {n // 2:05} 2024-06-{n + 1:02}  {n + 1}.50\n" for n in range(20))
    (tmp_path / "orders.txt").write_text(" customer_id  date  dollar_value\n" + rows)
    initialised(tmp_path)
    assert counts(tmp_path) == {"customer": (10, 0), "orders": (20, 0)}


def test_a_currency_beside_amounts_is_taken_off(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_no,order_date,total (USD)\n1,2024-06-01,$ 5.00\n2,2024-06-02,$ 6.10\n")
    assert "currency: USD\n" in initialised(tmp_path)
    with closing(deployments.load(tmp_path / "c360.yaml")) as deployment:
        load = Feeds(deployment).load(deployment.contracts["sources/orders"])
        assert sorted(load.rows.to_pyarrow().column("total_amount").to_pylist()) == [5.0, 6.1]


def test_a_name_over_two_lines_is_written_so_that_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text('id,"first\nname",email\n1,Ann,a@example.org\n2,Bob,b@example.org\n')
    initialised(tmp_path)
    assert counts(tmp_path) == {"customer": (2, 0)}
