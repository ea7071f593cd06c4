"""A shop in which everything odd happens at once: sources drawn at random from values that contracts allow and few
shops have."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import ibis.expr.types as ir

from tests.second import conformed
from tests.tables import table

BEGIN = datetime(2024, 12, 1)
AS_OF = datetime(2025, 3, 1, 3, 30)
STATUSES = (*conformed.STATUSES, " Completed", "lost")
SKUS = [f"sku {number}" for number in range(12)]
CUSTOMERS = [f"C{number}" for number in range(30)]


def sources(seed: int, orders: int = 300, events: int = 600) -> dict[str, ir.Table]:
    """All datasets that conformed tables are made of, on both sides of AS_OF."""
    draw = Random(seed)
    return {
        "sources/customer": table("sources/customer", *(_customer(draw, name) for name in CUSTOMERS[:20])),
        "sources/brand": table("sources/brand", {"brand_id": "B1", "brand_name": "Acme", "parent_company": "Acme Inc"}),
        "sources/product": table("sources/product", *(_product(draw, sku) for sku in SKUS[:10])),
        "sources/orders": table("sources/orders", *(_order(draw, number) for number in range(orders))),
        "sources/order_line_item": table(
            "sources/order_line_item", *(_line(draw, number, orders) for number in range(2 * orders))
        ),
        "sources/transactions": table("sources/transactions", *(_payment(draw, number) for number in range(orders))),
        "sources/web_analytics": table("sources/web_analytics", *(_event(draw, number) for number in range(events))),
        "sources/review": table("sources/review", *(_review(draw, number) for number in range(100))),
        "sources/support_ticket": table("sources/support_ticket", *(_ticket(draw, number) for number in range(100))),
        "sources/survey_answer": table("sources/survey_answer", *(_answer(draw, number) for number in range(100))),
        "sources/loyalty_ledger": table("sources/loyalty_ledger", *(_entry(draw, number) for number in range(100))),
        "sources/marketing_touchpoint": table(
            "sources/marketing_touchpoint", *(_contact(draw, number) for number in range(100))
        ),
    }


def _some(draw: Random, values: Sequence[Any], missing: float = 0.3) -> Any:
    return None if draw.random() < missing else draw.choice(values)


def _moment(draw: Random, missing: float = 0.1) -> datetime | None:
    # Few moments, so that many things happen at once.
    at = BEGIN + timedelta(hours=draw.randrange(24 * 120) // 6 * 6, microseconds=draw.choice((0, 0, 1, 999_999)))
    return None if draw.random() < missing else at


def _customer(draw: Random, name: str) -> dict[str, Any]:
    words = (" Anna ", "", " ", "Zoë", "O'Neill")
    return {
        "customer_id": name,
        "first_name": _some(draw, words),
        "last_name": _some(draw, words),
        "gender": _some(draw, ("F", " male", "W", "Non-Binary", "X", "?", "woman")),
        "phone_number": _some(
            draw, ("+1 (617) 555-0168 x4340", "0049 (+49) 170/12 34", "+", "n/a", "(+49) 30 1 ext. 5")
        ),
        "email_address": _some(draw, (" A@Example.ORG ", "", " ")),
        "date_of_birth": _some(
            draw, (datetime(1985, 2, 28), datetime(1985, 3, 1), datetime(1900, 1, 1), datetime(2030, 1, 1))
        ),
        "age": _some(draw, (12, 13, 115, 116, 40)),
        "no_of_children": _some(draw, (0, 3)),
        "registration_date": _moment(draw),
        "city": _some(draw, words),
        "state": _some(draw, ("California", "california", " Texas", "Bavaria", "")),
        "state_code": _some(draw, ("CA", "tx ", "ZZ", "")),
        "annual_income": _some(draw, (52_000.5,)),
        "is_premium": _some(draw, (True, False)),
    }


def _product(draw: Random, sku: str) -> dict[str, Any]:
    return {
        "sku_id": sku,
        "product_id": _some(draw, ("P1", "P2", "P3")),
        "product_name": _some(draw, (" Lamp", "", " ")),
        "product_category": _some(draw, ("Home ", "Garden", " ")),
        "brand_id": _some(draw, ("B1", "B9")),
        "list_price": _some(draw, (19.99, 0.0, 3.3333, 120.0)),
        "sale_price": _some(draw, (9.99, 0.005)),
        "launched_ts": _moment(draw, 0.5),
    }


def _order(draw: Random, number: int) -> dict[str, Any]:
    at = _moment(draw)
    return {
        "order_id": f"O{number}",
        "customer_id": _some(draw, CUSTOMERS, 0.1),
        "ordered_at": at,
        "order_status": _some(draw, STATUSES, 0.05),
        "order_delivery_date": _moment(draw, 0.4),
        "discounted_amount": _some(draw, (10.0, -7.77, 0.01, 0.0), 0.5),
        "shipping_amount": _some(draw, (4.9, 0.0)),
        "tax_amount": _some(draw, (1.9, 0.0)),
        "total_amount": _some(draw, (99.99, -99.99, 0.0, 24.5)),
        "transaction_id": _some(draw, (f"T{number}",)),
        "store": _some(draw, (" North ", "")),
        "has_discount": _some(draw, (True, False)),
        "promo_code": _some(draw, ("SPRING", " ")),
    }


def _line(draw: Random, number: int, orders: int) -> dict[str, Any]:
    return {
        "order_li_id": f"L{number}",
        # A third of the orders have no line; some lines have no order.
        "order_id": f"O{draw.randrange(orders + 20) // 3 * 3 + draw.choice((0, 1))}",
        "product_id": _some(draw, ("P1", "P2", "P9")),
        "sku_id": _some(draw, SKUS),
        "qty": draw.choice((1.0, 2.0, 3.0, -1.0, 0.0, 0.375, 1.2345, -0.5)),
        "unit_price": _some(draw, (9.99, 0.0, 14.995, -5.0, 0.3333, 0.33333333)),
        "line_amount": _some(draw, (19.98, -9.99, 0.0, 5.0), 0.7),
        "discount_amount": _some(draw, (1.0, -0.5, 0.0), 0.7),
        "tax_amount": _some(draw, (0.19,), 0.7),
        "unit_cost": _some(draw, (4.0,)),
        "promotion": _some(draw, (" 3 for 2",), 0.7),
    }


def _payment(draw: Random, number: int) -> dict[str, Any]:
    return {
        "transaction_id": f"T{number}",
        "order_id": f"O{number + draw.choice((0, 0, 0, 900))}",
        "amount": _some(draw, (99.99, -99.99, 12.3456)),
        "transaction_ts": _moment(draw),
    }


def _event(draw: Random, number: int) -> dict[str, Any]:
    action = draw.choice(("page_view", "product_view", "add_to_favorite", "add_to_cart", "checkout", "order_placed"))
    at = _moment(draw, 0)
    assert at is not None
    return {
        "activity_uuid": f"E{number:04}",
        "session_id": _some(draw, [f"S{session}" for session in range(120)], 0.2),
        "visitor_id": _some(draw, ("V1", "V2")),
        "entity_id": _some(draw, [*CUSTOMERS, "C99"], 0.4),
        "visit_start_ts": _some(draw, (at - timedelta(minutes=5, microseconds=3), at + timedelta(hours=1))),
        "activity_ts": at,
        "event_action": action,
        "page_url": _some(draw, ("/", "/cart", "https://shop.example/Error/?order=7", "/order/12345/", "/x@y.org#top")),
        "product_sku": _some(draw, SKUS),
        "quantity": _some(draw, (1, 2, -1)),
        "price": _some(draw, (7.5,), 0.7),
        "traffic_channel": _some(draw, ("email", "search")),
        "traffic_source": _some(draw, ("bing", "news")),
        "device": _some(draw, ("mobile", "desktop")),
        # Those from 700 on the shop does not hold.
        "order_id": _some(draw, [f"O{order}" for order in (*range(0, 60, 2), *range(700, 704))], 0.3)
        if action == "order_placed"
        else None,
    }


def _review(draw: Random, number: int) -> dict[str, Any]:
    return {
        "review_id": f"R{number}",
        "customer_id": _some(draw, CUSTOMERS),
        "sku_id": _some(draw, SKUS),
        "rating": _some(draw, (1.0, 4.5, 5.0, 0.0, 5.1, 3.33333)),
        "reviewed_at": _moment(draw),
    }


def _ticket(draw: Random, number: int) -> dict[str, Any]:
    return {
        "ticket_id": f"T{number}",
        "customer_id": _some(draw, CUSTOMERS),
        "opened_at": _moment(draw),
        "resolved_at": _moment(draw, 0.3),
        "contact_channel": _some(draw, ("phone", " Mail ")),
    }


def _answer(draw: Random, number: int) -> dict[str, Any]:
    return {
        "answer_id": f"A{number}",
        "customer_id": _some(draw, CUSTOMERS),
        "answered_at": _moment(draw),
        "survey_type": _some(draw, ("NPS", " csat ", "Ces", "stars"), 0.1),
        "score": _some(draw, (0, 1, 5, 7, 10, 11, -1), 0.1),
    }


def _entry(draw: Random, number: int) -> dict[str, Any]:
    """Burned points are written below 0, earned ones above, and some of each the other way round."""
    kind = draw.choice(("earn", " Burn", "expire", "gift", None))
    usual = -1 if kind == " Burn" else 1
    return {
        "entry_id": f"P{number}",
        "customer_id": _some(draw, CUSTOMERS),
        "entry_ts": _moment(draw),
        "entry_type": kind,
        "points": _some(draw, (usual * 10, usual * 25, usual * 100, usual * -5, 0), 0.1),
        "order_id": _some(draw, [f"O{order}" for order in range(9)]),
    }


def _contact(draw: Random, number: int) -> dict[str, Any]:
    return {
        "touchpoint_id": f"M{number}",
        "customer_id": _some(draw, CUSTOMERS),
        "touched_at": _moment(draw),
        "traffic_channel": _some(draw, ("email", " SMS ")),
        "campaign": _some(draw, ("spring",)),
        "cost": _some(draw, (0.12345, 3.0, -1.0)),
    }
