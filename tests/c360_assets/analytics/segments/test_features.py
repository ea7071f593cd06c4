"""Features: each measure of a customer, and what the sources cannot support."""

from decimal import Decimal
from typing import Any

import ibis.expr.types as ir

from c360_assets.analytics.segments.features import features
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
        "order_amount": money("1"),
        "returned_amount": money("0"),
        "refunded_amount": money("0"),
        **more,
    }


def line(
    line_id: str, sku: str, quantity: int | Decimal, amount: str | None, kind: str = "sale", who: str = "ann"
) -> dict[str, Any]:
    worth = money(amount) if amount else None
    return {
        "customer_id": who, "order_line_id": line_id, "sku_id": sku, "quantity": quantity,
        "line_amount": worth, "net_amount": worth, "line_kind": kind,
    }  # fmt: skip


def described(**given: list[dict[str, Any]]) -> ir.Table:
    """The features of ann, and of whoever else is given, with no rows in what is not given."""
    people = given.pop("customers", [{**ANN, "is_registered": True}])
    names = ("rfm", "orders", "order_lines", "products", "browsing", "feedback", "loyalty_members")
    return computed(features)(table("customers", *people), *[table(name, *given.get(name, [])) for name in names], NOW)


def test_a_zero_says_that_nothing_happened_where_others_show_that_it_would_be_known() -> None:
    counted = ("frequency", "order_count", "monetary", "historical_value", "returned_amount", "item_count")
    more = ("category_count", "review_count", "support_ticket_count", "recent_order_count")
    assert rows(described(), "customer_id", *counted, *more) == [("ann", *[None] * len((*counted, *more)))]
    bob = {"customer_id": "bob"}
    found = described(
        orders=[order("1", "2026-01-01") | bob],
        order_lines=[line("1", "hat", 1, "5", who="bob")],
        products=[{"sku_id": "hat", "product_category": "Hats"}],
        feedback=[{**bob, "review_count": 1, "support_ticket_count": 1}],
    )
    nothing = money("0")
    expected = ("ann", 0, 0, nothing, nothing, nothing, 0, 0, 0, 0, 0)
    assert rows(found, "customer_id", *counted, *more) == [expected]


def test_what_the_sources_cannot_tell_of_anybody_is_empty() -> None:
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
    seen = {"first_seen_at": day("2026-01-01"), "last_seen_at": day("2026-06-20")}
    sessions = {**ANN, "recent_session_count": 4, "former_session_count": 2, **seen}
    found = described(orders=orders, browsing=[sessions])
    assert rows(found, "recent_order_count", "former_order_count", "visit_recency_days") == [(1, 2, 10)]
    assert rows(found, "activity_change") == [((5 - 4) / 9,)]
    # Visits have been seen for too short a time, so that orders alone tell.
    late = sessions | {"first_seen_at": day("2026-05-01")}
    known = [{**ANN, "is_registered": True, "registered_at": day("2026-01-01")}]
    found = described(orders=orders, browsing=[late], customers=known)
    assert rows(found, "former_session_count", "activity_change") == [(None, (1 - 2) / 3)]
    assert rows(found, "orders_span_days", "activity_span_days") == [(181, 181)]


def test_whoever_was_not_there_all_the_time_has_no_trend() -> None:
    orders = [order("1", "2026-06-01"), order("2", "2026-01-01") | {"customer_id": "bob"}]
    new = [{**ANN, "is_registered": True, "registered_at": day("2026-05-31")}]
    assert rows(described(orders=orders, customers=new), "tenure_days", "activity_change") == [(30, None)]
    short = [order("1", "2026-06-01")]
    old = [{**ANN, "is_registered": True, "registered_at": day("2020-01-01")}]
    found = described(orders=short, customers=old)
    assert rows(found, "former_order_count", "activity_change", "activity_span_days") == [(None, None, 30)]


def test_returns_and_discounts_are_shares_of_what_is_known() -> None:
    orders = [
        order("1", "2026-06-01", has_discount=True),
        order("2", "2026-06-02", has_discount=False),
        order("3", "2026-06-03"),
        order("4", "2026-06-04", has_discount=True, is_completed=False, order_status="returned"),
        order("5", "2026-06-05", is_completed=False, order_status="refunded"),
        order("6", "2026-06-06", is_completed=False, returned_amount=money("5"), refunded_amount=money("5")),
        order("7", "2026-06-07", is_completed=False, order_status="pending"),
        order("8", "2026-06-07", is_completed=False, order_status="adjustment"),
    ]
    columns = ("return_rate", "discount_rate", "order_count", "open_order_count")
    assert rows(described(orders=orders), *columns) == [(0.5, 0.5, 7, 1)]


def test_prices_are_compared_with_what_others_pay_in_the_same_category() -> None:
    products = [{"sku_id": "hat", "product_category": "Hats"}, {"sku_id": "shoe", "product_category": "Shoes"}]
    lines = [
        line("1", "hat", 1, "30"),
        line("2", "shoe", 2, "80"),
        line("3", "gift", 1, None),
        line("4", "hat", 3, "30", who="bob"),
    ]
    found = described(order_lines=lines, products=products)
    # A hat is 30 or 10, in the median 20; both of the shoes are 40.
    assert rows(found, "item_count", "category_count", "average_unit_price", "price_index") == [(4, 2, 110 / 3, 1.0)]
    assert rows(described(order_lines=lines), "category_count", "price_index") == [(None, None)]


def test_the_last_order_is_the_newest_completed_one_and_products_are_counted_once() -> None:
    orders = [
        order("1", "2026-06-01", order_amount=money("10")),
        order("2", "2026-06-03", order_amount=money("20")),
        order("3", "2026-06-03", order_amount=money("30")),
        order("4", "2026-06-05", order_amount=money("40"), is_completed=False),
    ]
    lines = [line(number, "hat", 1, "30") | {"product_id": product} for number, product in ("1a", "2b", "3a")]
    found = described(orders=orders, order_lines=lines)
    assert rows(found, "last_order_amount", "product_count") == [(money("30"), 2)]
    unnamed = described(orders=orders[:1], order_lines=[line("1", "hat", 1, "30")])
    assert rows(unnamed, "last_order_amount", "product_count") == [(money("10"), None)]


def test_the_price_index_is_that_of_the_median_piece() -> None:
    products = [{"sku_id": "tea", "product_category": "Tea"}]
    usual = [line(f"usual {n}", "tea", 1, "10", who="bob") for n in range(5)]
    dear = [line("dear", "tea", 1, "30"), line("cheap", "tea", 1, "5")]
    assert rows(described(order_lines=[*usual, *dear], products=products), "price_index") == [(0.5,)]
    heavy = [line("dear", "tea", money("1.5"), "45"), line("cheap", "tea", 1, "5")]
    assert rows(described(order_lines=[*usual, *heavy], products=products), "price_index") == [(3.0,)]


def test_a_tier_is_told_by_what_those_have_who_are_worth_more() -> None:
    amounts = {"ann": "60", "bob": "20", "cid": "20", "dan": "0"}
    people = [{"customer_id": name, "is_registered": True} for name in amounts]
    orders = [
        order(name, "2026-01-01", order_amount=money(amount)) | {"customer_id": name}
        for name, amount in amounts.items()
    ]
    bought = [{"customer_id": name, "frequency": 1, "monetary": money(amount)} for name, amount in amounts.items()]
    found = described(customers=people, orders=orders, rfm=bought)
    assert rows(found, "customer_id", "value_share_above") == [("ann", 0.0), ("bob", 0.6), ("cid", 0.6), ("dan", None)]


def test_a_refund_lowers_the_historical_value_and_an_order_sent_back_as_a_whole_never_counted() -> None:
    bought = {
        **ANN,
        "frequency": 2,
        "monetary": money("70"),
        "gross_monetary": money("100"),
        "first_ordered_at": day("2026-05-31"),
        "last_ordered_at": day("2026-06-10"),
    }
    orders = [
        order("1", "2026-05-31", order_amount=money("80")),
        order("2", "2026-06-10", order_amount=money("20"), returned_amount=money("30"), refunded_amount=money("30")),
        order("3", "2026-06-11", order_amount=money("0"), returned_amount=money("20"), is_completed=False),
    ]
    found = described(rfm=[bought], orders=orders)
    columns = ("historical_value", "average_order_amount", "order_interval_days", "history_days", "tenure_days")
    assert rows(found, *columns) == [(money("70"), 50.0, 10.0, 30, 30)]


def test_an_order_of_unknown_value_or_date_makes_orders_neither_smaller_nor_more_frequent() -> None:
    orders = [
        order("1", "2026-05-31", order_amount=money("80")),
        order("2", "2026-06-10", order_amount=None),
        order("3", None, order_amount=money("40")),
    ]
    assert rows(described(orders=orders), "average_order_amount", "order_interval_days") == [(60.0, 10.0)]


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
