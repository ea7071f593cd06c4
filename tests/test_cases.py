"""Small inputs out of other people's bug reports, as a shop would bring them, each with the right values.

What each is about stands beside it, in `cases/<name>/expected.md`.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pytest

from resources.connectors import ConnectorError
from resources.deployment import Deployment, Feed
from resources.feeds import FeedError, Feeds, Load
from tests.deriving import derived, loaded
from tests.running import deployed

CASES = Path(__file__).parent / "cases"


class Shop:
    """A case as it is loaded, and the tables made of it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.tables: dict[str, ir.Table] = {}

    def load(self, dataset: str) -> Load:
        return Feeds(self.deployment).load(self.deployment.contracts[f"sources/{dataset}"])

    def rows(self, key: str, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of a table, in order."""
        self.tables = self.tables or loaded(self.deployment)
        if key not in self.tables:
            self.tables |= derived(self.deployment, self.tables, only=[key], name=f"{key} with").tables
        found = self.tables[key].select(*columns).to_pyarrow().to_pylist()
        return sorted((tuple(row.values()) for row in found), key=str)

    def set_aside(self) -> list[str]:
        """The reasons of all rows that were set aside."""
        found = loaded(self.deployment)["quarantine"].select("reason", "copies").to_pyarrow().to_pylist()
        return sorted(row["reason"] for row in found for _ in range(row["copies"]))

    def spent(self) -> dict[str | None, Decimal]:
        """The amounts of orders by customer."""
        spent: dict[str | None, Decimal] = {}
        for customer, amount in self.rows("orders", "customer_id", "order_amount"):
            spent[customer] = spent.get(customer, Decimal(0)) + (amount or 0)
        return spent


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    with ExitStack() as opened:

        def shop(name: str) -> Shop:
            deployment = deployed(CASES / name / "c360.yaml", tmp_path)
            opened.callback(deployment.close)
            return Shop(deployment)

        yield shop


Opened = Callable[[str], Shop]


# Files as they come.


def test_two_stray_quotes_stop_the_load_with_their_line(shop: Opened) -> None:
    with pytest.raises(ConnectorError, match=r"orders\.csv, line 12 opens a quote"):
        shop("two_stray_quotes").load("orders")


def test_names_from_windows_have_their_signs(shop: Opened) -> None:
    names = shop("names_from_windows").rows("sources/customer", "first_name", "last_name", "city", "hobbies")
    assert names == [("Zoë", "O’Neill", "Köln", "5 € Lotto"), ("Žofie", "Šimková", "Brno", "Skat – Doppelkopf")]


def test_what_is_not_utf_16_is_named(shop: Opened) -> None:
    with pytest.raises(ConnectorError, match=r"customers\.csv is no UTF-16\. Leave `encoding` out"):
        shop("not_utf16").load("customer")


def test_utf_16_without_a_mark_is_read(shop: Opened) -> None:
    assert shop("utf16_without_mark").rows("sources/customer", "first_name") == [("José",), ("Zoë",)]


def test_an_empty_part_has_no_rows(shop: Opened) -> None:
    opened = shop("one_empty_part")
    assert opened.rows("orders", "order_id", "order_amount") == [("1", Decimal(10)), ("2", Decimal(20))]
    assert opened.load("orders").notes == ["part-0001.csv is empty and was passed over"]


def test_a_part_without_the_header_is_named(shop: Opened) -> None:
    with pytest.raises(ConnectorError, match=r"the first line of orders-01\.csv is not the header of orders-00\.csv"):
        shop("parts_without_header").load("orders")


def test_a_header_renamed_in_one_file_is_named(shop: Opened) -> None:
    with pytest.raises(ConnectorError, match=r"till-2024-02\.csv lacks the column card_no"):
        shop("header_renamed_in_one_file").load("orders")


def test_the_separator_line_is_no_header(shop: Opened) -> None:
    assert shop("separator_line").spent() == {f"C{number}": Decimal(10) for number in range(1, 6)}


def test_a_zip_of_two_months_is_read(shop: Opened) -> None:
    assert len(shop("zip_of_two_months").rows("orders", "order_id")) == 2


# Keys and values.


def test_blanks_behind_a_key_are_no_part_of_it(shop: Opened) -> None:
    opened = shop("padded_keys")
    assert opened.spent() == {"C001": Decimal(60), "C002": Decimal(30), "C003": Decimal(10)}
    assert opened.rows("customers", "customer_id", "is_registered") == [(f"C00{n}", True) for n in (1, 2, 3)]


def test_keys_that_became_fractions_are_whole_again(shop: Opened) -> None:
    opened = shop("ids_as_fractions")
    assert opened.spent() == {"17850": Decimal(60), "12346": Decimal(30), "13047": Decimal(10), None: Decimal(5)}
    assert [known for _, known in opened.rows("customers", "customer_id", "is_registered")] == [True] * 3


def test_nobody_is_called_null(shop: Opened) -> None:
    assert shop("guests_called_NULL").spent() == {
        "C1": Decimal(30),
        "C2": Decimal(30),
        "C3": Decimal(5),
        None: Decimal(145),
    }


def test_a_dot_that_can_be_read_either_way_is_told(shop: Opened) -> None:
    opened = shop("dot_at_the_thousands")
    with pytest.raises(
        FeedError, match=r"total_amount' has numbers such as 1\.250, which is 1250 or 1\.25, and nothing"
    ):
        opened.load("orders")


def test_a_line_of_totals_is_no_order(shop: Opened) -> None:
    opened = shop("line_of_totals")
    assert (sum(opened.spent().values()), opened.set_aside()) == (Decimal(100), ["order_id is a line of totals"])


def test_a_barcode_is_no_price(shop: Opened) -> None:
    opened = shop("barcode_as_price")
    assert opened.set_aside() == ["unit_price is above 100,000,000"]
    assert {who: amount for who, amount in opened.spent().items() if amount} == {
        "K1": Decimal("5.20"),
        "K3": Decimal("6.60"),
    }


def test_a_total_that_nobody_can_pay_is_set_aside(shop: Opened) -> None:
    opened = shop("total_nobody_can_pay")
    assert opened.set_aside() == ["total_amount is above 10,000,000,000"]
    assert opened.spent() == {"C1": Decimal(10)}


def test_what_the_message_advises_sets_both_rows_aside(shop: Opened) -> None:
    opened = shop("remedy_of_the_message")
    settings, feeds = opened.deployment.settings, dict(opened.deployment.feeds)
    till = settings.connectors["till"].model_copy(update={"date_format": "%d/%m/%Y"})
    for dataset, cast, as_it_is in (
        ("orders", "try_strptime(sold_at, '%d/%m/%Y')", "sold_at"),
        ("order_line_item", "try_cast(pieces as integer)", "pieces"),
    ):
        assert cast in feeds[dataset].select
        select = feeds[dataset].select.replace(cast, as_it_is)
        feeds[dataset] = feeds[dataset].model_copy(update={"select": select})
    settings = settings.model_copy(update={"connectors": {"till": till}})
    # Days as text do not sort as days do, of which another message speaks.
    with pytest.raises(FeedError, match=r"Select coalesce\(.*\) as ordered_at") as raised:
        Shop(dataclasses.replace(opened.deployment, settings=settings, feeds=feeds)).set_aside()
    first = re.search(r"Select (coalesce\(.*\)) as ordered_at", str(raised.value))
    assert first is not None
    select = feeds["orders"].select.replace("min(sold_at)", first[1])
    feeds["orders"] = feeds["orders"].model_copy(update={"select": select})
    advised = Shop(dataclasses.replace(opened.deployment, settings=settings, feeds=feeds))
    assert advised.set_aside() == ["ordered_at is no TIMESTAMP", "qty is no number"]
    assert advised.rows("sources/orders", "order_id") == [("R1",), ("R3",)]


def test_offsets_behind_a_blank_are_heeded(shop: Opened) -> None:
    opened = shop("shopify_orders_export")
    assert opened.rows("orders", "order_id", "ordered_at")[0] == ("#1001", datetime(2024, 6, 1, 14))
    spent = opened.rows("rfm", "customer_id", "frequency", "monetary")
    assert spent == [("ann@example.com", 2, Decimal(60))]


def test_orders_of_two_stores_that_number_alike_are_not_mixed(shop: Opened) -> None:
    opened = shop("two_stores_number_alike")
    assert opened.spent() == {"B2": Decimal(20), "L2": Decimal(40)}
    reason = "order_id: key repeats for different things, no row of that key is kept"
    assert opened.set_aside() == [reason, reason]


def test_the_names_of_their_files_tell_two_stores_apart(shop: Opened) -> None:
    def of_store(table: str) -> str:
        store = f"regexp_extract(filename, '{table}-(.*)\\.', 1)"
        return f"select * exclude (filename) replace (order_id || '-' || {store} as order_id) from raw"

    opened = shop("two_stores_number_alike")
    connectors = {
        name: connector.model_copy(update={"filename": True})
        for name, connector in opened.deployment.settings.connectors.items()
    }
    settings = opened.deployment.settings.model_copy(update={"connectors": connectors})
    feeds = {
        "orders": Feed.model_validate({"from": "heads", "select": of_store("orders")}),
        "order_line_item": Feed.model_validate({"from": "lines", "select": of_store("lines")}),
    }
    told_apart = Shop(dataclasses.replace(opened.deployment, settings=settings, feeds=feeds))
    assert told_apart.spent() == {"B1": Decimal(10), "B2": Decimal(20), "L1": Decimal(300), "L2": Decimal(40)}


# Meanings.


def test_one_wrong_year_does_not_move_the_moment(shop: Opened) -> None:
    opened = shop("one_wrong_year")
    assert opened.rows("as_of", "as_of") == [(datetime(2024, 12, 20, 15),)]
    assert opened.rows("rfm", "customer_id", "recency_days", "monetary")[0] == ("C1", 0, Decimal(120))


def test_goods_handed_back_on_another_receipt_are_returned(shop: Opened) -> None:
    opened = shop("goods_handed_back")
    values = ("customer_id", "returned_amount", "gross_monetary", "monetary", "historical_value")
    assert opened.rows("customer_360", *values) == [
        ("K1", Decimal(120), Decimal(250), Decimal(130), Decimal(130)),
        ("K2", Decimal(0), Decimal(10), Decimal(10), Decimal(10)),
    ]


def test_goods_sold_by_weight_are_worth_their_fraction_and_one_piece(shop: Opened) -> None:
    opened = shop("sold_by_weight")
    assert opened.spent() == {"K1": Decimal("3.2"), "K2": Decimal(16)}
    assert opened.rows("orders", "customer_id", "item_count") == [("K1", 2), ("K2", 3)]


def test_entries_that_take_back_others_leave_the_account_as_it_was(shop: Opened) -> None:
    account = ("customer_id", "points_earned", "points_burned", "points_balance")
    assert shop("points_given_back").rows("loyalty_members", *account) == [("M1", 50, 0, 50), ("M2", 30, 0, 30)]


def test_a_page_of_thanks_opened_again_is_no_further_order(shop: Opened) -> None:
    opened = shop("thank_you_page_reopened")
    placed = ("order_id", "order_value", "activity_occurrence", "activity_repeated_at")
    assert opened.rows("order_placed", *placed) == [("T-900", Decimal(12), 1, None), ("T-901", Decimal(24), 1, None)]
    assert sum(count for (count,) in opened.rows("sessions", "order_count")) == 2


def test_shop_in_chicago(shop: Callable[[str], Shop]) -> None:
    chicago = shop("shop_in_chicago")
    assert chicago.rows("cohorts", "cohort_month", "month_offset", "customer_count", "revenue") == [
        (date(2024, 1, 1), 0, 2, Decimal(150)),
        (date(2024, 1, 1), 1, 2, Decimal(30)),
        (date(2024, 2, 1), 0, 1, Decimal(70)),
    ]
    # Moments are kept in UTC, and the last order was placed today.
    assert chicago.rows("orders", "order_id", "ordered_at")[0] == ("1", datetime(2024, 2, 1, 3, 30))
    assert chicago.rows("rfm", "customer_id", "recency_days") == [("C1", 19), ("C2", 45), ("C3", 0)]
