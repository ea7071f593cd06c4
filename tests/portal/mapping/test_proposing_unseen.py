"""What `c360 init` proposes for exports whose names nobody had in sight: headers of real systems, rows made up.

Each stands for a general fault found on public files that no list of names had been written for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from portal.mapping.column_matching import SURE
from portal.mapping.proposing import FeedProposal, propose
from resources.engine import Engine
from resources.inspection import look
from tests.tables import CONTRACTS


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine("1GB", threads=1)
    yield engine
    engine.close()


def feeds_of(folder: Path, engine: Engine, files: Mapping[str, str]) -> dict[str, FeedProposal]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    tables, _ = look([folder], folder, engine)
    return {feed.contract.name: feed for feed in propose(tables, CONTRACTS, engine)}


def table(header: str, row: str, count: int = 24) -> str:
    """A file of a header and rows that are made of their number `n`."""
    return "\n".join([header, *(row.format(n=n, few=n % 3, half=n // 2, month=n % 9 + 1) for n in range(count))]) + "\n"


def went(feed: FeedProposal) -> dict[str, str]:
    return {line.column.name: line.source for line in feed.lines if line.source}


def marked(feed: FeedProposal) -> set[str]:
    return {line.column.name for line in feed.lines if line.doubt or line.score < SURE}


@pytest.mark.parametrize(
    ("file", "header", "row", "dataset", "columns"),
    [
        (
            "pedidos.csv",
            "pedido_id,cliente_id,data_pedido,status_entrega,data_entrega,valor_total,canal_venda",
            "P{n},C{few},2025-03-{month:02},Entregue,2025-04-{month:02},{n}.50,App",
            "orders",
            "order_id customer_id ordered_at order_status order_delivery_date total_amount sales_channel",
        ),
        (
            "pagamentos.csv",
            "pagamento_id,pedido_id,forma_pagamento,valor_pago,data_pagamento",
            "T{n},P{half},Pix,{n}.50,2025-03-{month:02}",
            "transactions",
            "transaction_id order_id payment_method amount transaction_ts",
        ),
        (
            "libros.csv",
            "book_id,titulo,categoria,precio",
            "{n},El libro {n},Cat{few},{n}.95",
            "product",
            "sku_id product_name product_category list_price",
        ),
        (
            "produit.csv",
            "Refprod,Nomprod,PrixUnit",
            "{n},Chose {n},{n}.95",
            "product",
            "sku_id product_name list_price",
        ),
        (
            "customers_import.csv",
            "Customer ID,Email *,Birthday (yyyy-mm-dd),Last Name *,First Name *,Newsletter (0/1)",
            "{n},p{n}@example.org,1987-04-0{month},Doe{n},Ann{n},1",
            "customer",
            "customer_id email_address date_of_birth last_name first_name accepts_email",
        ),
        (
            "tickets.csv",
            "Ticket ID,Create Date,Close Date,Ticket Source,Ticket Priority",
            "T{n},2025-03-{month:02},2025-04-{month:02},Phone,Low",
            "support_ticket",
            "ticket_id opened_at resolved_at contact_channel priority",
        ),
        (
            "loyalty_transactions.csv",
            "customer_id,points_earned,txn_amount,txn_date",
            "C{few},{n},{n}.50,2025-03-{month:02}",
            "loyalty_ledger",
            "customer_id points - entry_ts",
        ),
        (
            "channel_spending.csv",
            "ChannelID,Month,NetSpending",
            "CH{few},2025-0{month},{n}12",
            "marketing_spend",
            "traffic_channel spent_on spend_amount",
        ),
        (
            "nps.csv",
            "survey_id,account_id,nps,survey_date",
            "S{n},A{few},{month},2025-03-{month:02}",
            "survey_answer",
            "answer_id customer_id score answered_at",
        ),
        (
            "events.csv",
            "ts,event_name,user_pseudo_id,session_key,transaction_id",
            "2026-01-2{month} 22:44:20,view_item,68452117.1769553{n:02},68452117.1769-{n},T{n}",
            "web_analytics",
            "activity_ts event_action visitor_id session_id order_id",
        ),
        (
            "customers_export.csv",
            "Email,Default Address City,Default Address Zip,Phone,Accepts SMS Marketing",
            "p{n}@example.org,Rome,{n}0100,4930123{n:04},yes",
            "customer",
            "customer_id city zipcode phone_number accepts_sms",
        ),
        (
            "artikel.csv",
            "ID,Titel,Größe,Preis,Unterkategorie",
            "{n},Hose {n},XL,{n}.95,Jeans{few}",
            "product",
            "sku_id product_name product_size list_price product_subcategory",
        ),
        (
            "klanten.csv",
            "klantnummer,voornaam,achternaam,geboortedatum,woonplaats",
            "K{n},Ann,Doe{n},1987-04-0{month},Utrecht{few}",
            "customer",
            "customer_id first_name last_name date_of_birth city",
        ),
        (
            "clienti.csv",
            "id_cliente,nome,cognome,indirizzo,citta",
            "C{n},Ann,Doe{n},Via Roma {n},Pisa{few}",
            "customer",
            "customer_id first_name last_name mailing_street city",
        ),
        (
            "support_tickets.csv",
            "ticket_id,customer_id,issue_category,issue_description,severity,submission_date,resolution_date",
            "T{n},C{few},Refund{few},It broke {n} times,low,2025-03-{month:02},2025-04-{month:02}",
            "support_ticket",
            "ticket_id customer_id topic subject priority opened_at resolved_at",
        ),
        (
            "campaign_performance.csv",
            "date,platform,campaign_name,impressions,clicks,amount_spent",
            "2025/03/{month:02},Meta{few},Spring{few},{n}00,{n},{n}.50",
            "marketing_spend",
            "spent_on traffic_channel campaign impressions clicks spend_amount",
        ),
    ],
)
def test_columns_go_where_they_belong(
    file: str, header: str, row: str, dataset: str, columns: str, tmp_path: Path, engine: Engine
) -> None:
    feed = feeds_of(tmp_path, engine, {file: table(header, row)})[dataset]
    expected = dict(zip(columns.split(), header.split(","), strict=True))
    expected.pop("-", None)
    assert {name: went(feed).get(name) for name in expected} == expected


def test_an_order_that_names_a_product_is_a_line_of_which_orders_and_customers_are_told(
    tmp_path: Path, engine: Engine
) -> None:
    header = "OrderDate,OrderNumber,ProductKey,CustomerKey,OrderQuantity"
    feeds = feeds_of(tmp_path, engine, {"sales.csv": table(header, "2025-03-{month:02},SO{n},{half},C{half},{few}")})
    assert went(feeds["order_line_item"]) | went(feeds["orders"]) == {
        "order_id": "OrderNumber",
        "product_id": "ProductKey",
        "sku_id": "ProductKey",
        "qty": "OrderQuantity",
        "customer_id": "CustomerKey",
        "ordered_at": "OrderDate",
    }
    assert {name for name, feed in feeds.items() if feed.is_grouped} == {"orders", "product", "customer"}


def test_products_without_an_id_are_known_by_their_name(tmp_path: Path, engine: Engine) -> None:
    header = "id_venta,fecha,cliente_id,producto,categoria,cantidad,precio_unitario"
    row = "{half},2025-07-0{month},C{few},Pan de dulce {half},Cat{few},1,{n}.51"
    feeds = feeds_of(tmp_path, engine, {"ventas.csv": table(header, row)})
    assert went(feeds["product"])["sku_id"] == went(feeds["order_line_item"])["sku_id"] == "producto"
    assert went(feeds["product"])["product_name"] == "producto"
    assert "sku_id" in marked(feeds["product"])


def test_a_key_that_repeats_in_a_file_of_products_is_one_row_per_key(tmp_path: Path, engine: Engine) -> None:
    header = "Handle,Title,Body (HTML),Variant SKU,Variant Price"
    feeds = feeds_of(
        tmp_path, engine, {"products_export.csv": table(header, "vase-{half},Vase {half},<p>x</p>,V{half},{n}")}
    )
    assert feeds["product"].is_grouped
    assert went(feeds["product"])["sku_id"] == "Variant SKU"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("key,value,type,description", "log.{n},{n},int,Level of what is logged"),
        ("Date,Location,MinTemp,MaxTemp,Rainfall,RainToday", "2008-12-{month:02},Perth,{n}.1,{n}.9,0.{few},No"),
        ("Date,Open,High,Low,Close,Volume", "2020-03-{month:02},{n}.1,{n}.2,{n}.0,{n}.1,{n}00"),
        ("date,paid_search_spend,paid_social_spend,tv_spend", "2023-01-0{month},{n}.70,{n}.47,{n}.98"),
        ("date,revenue,transactions,new_customers", "2023-01-0{month},{n}.52,{n},{few}"),
        ("id,track_name,size_bytes,currency,price", "{n},Song {n},{n}00,USD,0.99"),
    ],
)
def test_what_is_of_no_dataset_is_mapped_to_none_for_sure(
    header: str, row: str, tmp_path: Path, engine: Engine
) -> None:
    feeds = feeds_of(tmp_path, engine, {"table.csv": table(header, row)})
    assert [name for feed in feeds.values() for name in went(feed) if name not in marked(feed)] == []


def test_where_neither_file_nor_key_says_what_rows_are_every_column_is_doubtful(tmp_path: Path, engine: Engine) -> None:
    feeds = feeds_of(tmp_path, engine, {"staff.csv": table("id,country,gender,age", "{n},FR,f,3{few}")})
    assert marked(feeds["customer"]) == set(went(feeds["customer"]))


def test_a_whole_name_is_taken_apart_and_doubtful(tmp_path: Path, engine: Engine) -> None:
    rows = ["C1,Ann Doe", "C2,Bob de la Cruz", 'C3,"Doe, Carl"', "C4,Dora"]
    (tmp_path / "customers.csv").write_text("\n".join(["customer_id,full_name", *rows]) + "\n")
    feed = feeds_of(tmp_path, engine, {})["customer"]
    assert values(feed, "first_name", "VARCHAR", engine) == {("Ann",), ("Bob",), ("Carl",), ("Dora",)}
    assert values(feed, "last_name", "VARCHAR", engine) == {("Doe",), ("de la Cruz",), (None,)}
    assert {"first_name", "last_name"} <= marked(feed)


def test_the_key_of_a_table_is_that_by_which_others_know_its_rows(tmp_path: Path, engine: Engine) -> None:
    files = {
        "orders.csv": table("_id,order_number,created_at,total", "a{n}f,ORD-{n},2025-03-{month:02},{n}.50"),
        "order_items.csv": table("_id,order_id,product_id,quantity", "b{n}f,a{half}f,P{few},{few}"),
    }
    assert went(feeds_of(tmp_path, engine, files)["orders"])["order_id"] == "_id"


def test_what_says_that_it_is_of_the_line_leaves_the_other_amounts_to_the_order(tmp_path: Path, engine: Engine) -> None:
    header = "Order ID,Created at,Discount Amount,Taxes,Total,"
    header += "Lineitem quantity,Lineitem price,Lineitem sku,Lineitem discount"
    row = "O{half},2025-03-01,{half}.00,{half}.00,{half}.00,{few},{n}.50,S{n},0.00"
    feeds = feeds_of(tmp_path, engine, {"orders_export.csv": table(header, row)})
    assert went(feeds["order_line_item"])["discount_amount"] == "Lineitem discount"
    assert went(feeds["orders"])["discounted_amount"] == "Discount Amount"
    assert went(feeds["orders"])["tax_amount"] == "Taxes"


def test_sales_without_a_number_are_orders_of_what_one_customer_bought_at_one_time(
    tmp_path: Path, engine: Engine
) -> None:
    header, row = "Datum,Kunde,Artikel-ID,Menge,Einzelpreis", "2025-03-{month:02},K{few},A{half},{month},{n}.50"
    feeds = feeds_of(tmp_path, engine, {"bestellungen.csv": table(header, row)})
    lines, orders = feeds["order_line_item"], feeds["orders"]
    assert {"product_id": "Artikel-ID", "qty": "Menge", "unit_price": "Einzelpreis"}.items() <= went(lines).items()
    assert {"customer_id": "Kunde", "ordered_at": "Datum"}.items() <= went(orders).items()
    assert "order_id" in marked(lines) & marked(orders)
    assert len(values(orders, "order_id", "VARCHAR", engine)) == len({(n % 3, n % 9) for n in range(24)})


def test_the_only_column_of_dates_is_when_rows_happened_and_doubtful(tmp_path: Path, engine: Engine) -> None:
    header, row = "Nr. Beleg,Kunde,Gebongt,Gesamtbetrag", "B{n},K{few},2025-03-{month:02},{n}.50"
    feed = feeds_of(tmp_path, engine, {"bestellungen.csv": table(header, row)})["orders"]
    assert went(feed)["ordered_at"] == "Gebongt"
    assert "ordered_at" in marked(feed)


def test_columns_of_which_some_values_are_something_else_are_doubtful(tmp_path: Path, engine: Engine) -> None:
    text = table("order_id,order_date,total", "O{n},2025-03-{month:02},{n}.50").replace("2025-03-03", "soon")
    feed = feeds_of(tmp_path, engine, {"orders.csv": text})["orders"]
    assert went(feed)["ordered_at"] == "order_date"
    assert "ordered_at" in marked(feed)


def test_dates_in_several_notations_are_read_unless_day_and_month_may_be_either(tmp_path: Path, engine: Engine) -> None:
    dates = ["2025-03-31", "31/03/2025", "2025/03/31"] * 8
    for name, extra in (("a.csv", []), ("b.csv", ["03/31/2025"] * 8)):
        rows = [f"{n},{date}" for n, date in enumerate([*dates, *extra])]
        (tmp_path / name).write_text("\n".join(["order_id,order_date", *rows]) + "\n")
    tables, _ = look([tmp_path], tmp_path, engine)
    read, unread = (table.column("order_date") for table in tables)
    assert (read.is_nearly("date"), set(read.date_formats)) == (True, {"%Y-%m-%d", "%d/%m/%Y", "%Y/%m/%d"})
    assert unread.date_formats == ()


def test_a_whole_name_is_no_family_name_and_a_fax_no_phone(tmp_path: Path, engine: Engine) -> None:
    row = "C{n},Ann Doe{n},+49 30 12345{n:02},+49 30 99999{n:02}"
    feeds = feeds_of(tmp_path, engine, {"customers.csv": table("customer_id,name,Phone,Fax", row)})
    assert went(feeds["customer"]) == {"customer_id": "customer_id", "phone_number": "Phone"}


def test_a_region_is_no_state_of_an_order_and_a_number_of_items_no_item(tmp_path: Path, engine: Engine) -> None:
    header = "Order ID,Sale Date,Number of Items,Region,Order Value,Order Total"
    feeds = feeds_of(tmp_path, engine, {"orders.csv": table(header, "O{n},2019-01-0{month},{few},South,{n}.00,{n}.55")})
    assert went(feeds["orders"]) == {"order_id": "Order ID", "ordered_at": "Sale Date", "total_amount": "Order Total"}


def test_what_is_proposed_can_be_cast(tmp_path: Path, engine: Engine) -> None:
    """Months are written as their first day, yes and no of other languages as SQL knows them."""
    files = {
        "customers.csv": table("customer_id,is_premium", "C{n},ja").replace("C7,ja", "C7,nein"),
        "marketing.csv": table("year_month,channel,spend_eur", "2025-0{month},SEA,{n}.50"),
    }
    feeds = feeds_of(tmp_path, engine, files)
    premium, spend = feeds["customer"], feeds["marketing_spend"]
    assert values(premium, "is_premium", "BOOLEAN", engine) == {(True,), (False,)}
    assert (None,) not in values(spend, "spent_on", "DATE", engine)


def values(feed: FeedProposal, column: str, type_: str, engine: Engine) -> set[tuple[object, ...]]:
    expression = next(line.expression for line in feed.lines if line.column.name == column)
    return set(engine.query(f"SELECT DISTINCT try_cast({expression} AS {type_}) FROM ({feed.table.sql})"))
