"""Orders enriched: every line keeps its money and learns of order, customer, product and brand."""

from typing import Any

import ibis.expr.types as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from c360_assets.serving.orders_enriched import orders_enriched
from tests.tables import CONTRACTS, computed, day, money, rows, table

ANN = {"customer_id": "ann"}


def line(line_id: str, **more: Any) -> dict[str, Any]:
    return {"order_line_id": line_id, "order_id": "1", "line_kind": "sale", "line_amount": money("10"), **more}


def enriched(*lines: dict[str, Any]) -> ir.Table:
    return computed(orders_enriched)(
        table("order_lines", *lines),
        table("orders", {"order_id": "1", "is_completed": True, "ordered_at": day("2026-06-01"), "season": "Summer"}),
        table("customers", {**ANN, "is_registered": True, "country": "Japan"}),
        table("customer_segments", {**ANN, "persona": "Explorer"}),
        table("products", {"sku_id": "hat", "product_name": "Hat", "brand_name": "B", "list_price": money("12")}),
    )


def test_a_line_knows_its_order_its_customer_its_product_and_its_brand() -> None:
    found = enriched(line("1", customer_id="ann", sku_id="hat", quantity=2))
    columns = ("order_line_id", "season", "country", "persona", "product_name", "brand_name", "list_price", "quantity")
    assert rows(found, *columns) == [("1", "Summer", "Japan", "Explorer", "Hat", "B", money("12"), 2)]
    assert set(found.columns) == set(CONTRACTS["orders_enriched"].column_names)


def test_an_anonymous_line_of_an_unknown_product_is_kept() -> None:
    found = enriched(line("1", sku_id="?"))
    assert rows(found, "order_line_id", "customer_id", "country", "product_name") == [("1", None, None, None)]


LINE = st.tuples(st.sampled_from(["ann", "bob", None]), st.sampled_from(["hat", "shoe", None]), st.integers(1, 10**6))


@settings(max_examples=25, deadline=None)
@given(st.lists(LINE, max_size=15))
def test_no_line_and_no_money_is_lost_or_doubled(bought: list[tuple[Any, ...]]) -> None:
    lines = [
        line(f"{number:02}", customer_id=who, sku_id=sku, line_amount=money(f"{cents}e-2"))
        for number, (who, sku, cents) in enumerate(bought)
    ]
    found = rows(enriched(*lines), "order_line_id", "line_amount")
    assert found == [(one["order_line_id"], one["line_amount"]) for one in lines]
