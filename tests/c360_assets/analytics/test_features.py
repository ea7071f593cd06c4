"""Features: each measure of a customer, and what the sources cannot support."""

from typing import Any

import ibis.expr.types as ir

from c360_assets.analytics.features import features
from tests.tables import at, computed, day, money, rows, table

NOW = at("2026-06-30T12:00:00")
ANN = {"customer_id": "ann"}


def order(order_id: str, on: str | None, **more: Any) -> dict[str, Any]:
    ordered_at = day(on) if on else None
    return {
        **ANN,
        "order_id": order_id,
        "ordered_at": ordered_at,
        "is_completed": True,
        "order_status": "completed",
        **more,
    }


def line(
    line_id: str, sku: str, quantity: int, amount: str | None, kind: str = "sale", who: str = "ann"
) -> dict[str, Any]:
    worth = money(amount) if amount else None
    return {
        "customer_id": who, "order_line_id": line_id, "sku_id": sku, "quantity": quantity,
        "line_amount": worth, "line_kind": kind,
    }  # fmt: skip


def described(**given: list[dict[str, Any]]) -> ir.Table:
    """The features of ann, and of whoever else is given, with no rows in what is not given."""
    people = given.pop("customers", [{**ANN, "is_registered": True}])
    names = ("rfm", "orders", "order_lines", "products", "browsing", "feedback", "loyalty_members")
    return computed(features)(table("customers", *people), *[table(name, *given.get(name, [])) for name in names], NOW)


def test_who_only_registered_has_zeros_where_they_are_true_and_nothing_elsewhere() -> None:
    counted = ("customer_id", "frequency", "monetary", "historical_value", "item_count", "review_count")
    assert rows(described(), *counted) == [("ann", 0, money("0"), money("0"), 0, 0)]
    unknown = ("session_count", "recent_order_count", "recency_days", "return_rate", "price_index", "points_balance")
    assert rows(described(), "customer_id", *unknown) == [("ann", *[None] * len(unknown))]


def test_who_does_not_browse_has_no_sessions_where_others_browse() -> None:
    other = {"customer_id": "bob", "session_count": 3, "product_view_count": 5, "engagement_minutes": 2.5}
    assert rows(described(browsing=[other]), "session_count", "engagement_minutes") == [(0, 0.0)]


def test_orders_of_the_last_ninety_days_are_compared_with_those_of_the_ninety_before() -> None:
    # 89, 90, 179 and 180 days before the 30th of June, one undated, one cancelled.
    dated = [order(on, on) for on in ("2026-04-02", "2026-04-01", "2026-01-02", "2026-01-01")]
    orders = [
        *dated,
        order("undated", None),
        order("cancelled", "2026-06-01", is_completed=False, order_status="cancelled"),
    ]
    sessions = {**ANN, "recent_session_count": 4, "former_session_count": 2, "last_seen_at": day("2026-06-20")}
    found = described(orders=orders, browsing=[sessions])
    assert rows(found, "recent_order_count", "former_order_count", "visit_recency_days") == [(1, 2, 10)]
    assert rows(found, "activity_change") == [((5 - 4) / 9,)]


def test_returns_and_discounts_are_shares_of_what_is_known() -> None:
    orders = [
        order("1", "2026-06-01", has_discount=True),
        order("2", "2026-06-02", has_discount=False),
        order("3", "2026-06-03"),
        order("4", "2026-06-04", has_discount=True, is_completed=False, order_status="returned"),
    ]
    assert rows(described(orders=orders), "return_rate", "discount_rate") == [(0.25, 0.5)]


def test_prices_are_compared_with_what_others_pay_in_the_same_category() -> None:
    products = [{"sku_id": "hat", "product_category": "Hats"}, {"sku_id": "shoe", "product_category": "Shoes"}]
    lines = [
        line("1", "hat", 1, "30"),
        line("2", "shoe", 2, "80"),
        line("3", "gift", 1, None),
        line("4", "hat", 3, "30", who="bob"),
    ]
    found = described(order_lines=lines, products=products)
    # A hat costs 60 / 4 = 15 on average, a shoe 40.
    assert rows(found, "item_count", "category_count", "average_unit_price", "price_index") == [
        (4, 2, 110 / 3, 110 / (15 + 2 * 40))
    ]


def test_a_refund_lowers_the_historical_value_and_an_order_sent_back_as_a_whole_never_counted() -> None:
    bought = {
        **ANN,
        "frequency": 2,
        "monetary": money("100"),
        "first_ordered_at": day("2026-05-31"),
        "last_ordered_at": day("2026-06-10"),
    }
    lines = [line("1", "hat", -1, "-30", "return"), line("2", "hat", 1, "20", "return")]
    found = described(rfm=[bought], order_lines=lines)
    columns = ("historical_value", "average_order_amount", "order_interval_days", "history_days", "tenure_days")
    assert rows(found, *columns) == [(money("70"), 50.0, 10.0, 30, 30)]


def test_tenure_begins_with_the_registration_or_the_first_order() -> None:
    registered = {
        **ANN,
        "is_registered": True,
        "registered_at": day("2026-06-20"),
        "purchase_frequency": "Every 3 Months",
    }
    assert rows(described(customers=[registered]), "tenure_days", "stated_orders_per_year") == [(10, 4.0)]


def test_what_customers_say_is_taken_over() -> None:
    said = {**ANN, "review_count": 2, "average_rating": 4.5, "support_ticket_count": 1, "nps_score": 9}
    found = described(feedback=[said], loyalty_members=[{**ANN, "points_balance": 120}])
    assert rows(found, "review_count", "average_rating", "nps_score", "points_balance") == [(2, 4.5, 9, 120)]


def test_without_a_moment_nothing_has_an_age() -> None:
    found = computed(features)(
        table("customers", {**ANN, "is_registered": True, "registered_at": day("2026-01-01")}),
        *[
            table(name)
            for name in ("rfm", "orders", "order_lines", "products", "browsing", "feedback", "loyalty_members")
        ],
        table("as_of", {"as_of": None}),
    )
    assert rows(found, "tenure_days", "history_days", "activity_change") == [(None, None, None)]
