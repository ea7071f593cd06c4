"""Churn examples: customers as they were, by the same features, with nothing in them that came later."""

from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pytest

from c360_assets.models.churn_examples import HAPPENED, churn_examples
from c360_assets.terms.churn import FEATURES, JUDGED_AGO, TRAINED_AGO, foreseen_by
from resources.deployment import Deployment
from resources.engine import quoted
from tests.deriving import derived
from tests.tables import at, computed, money, rows, table

COLUMNS = ("customer_id", *FEATURES)
NOW = datetime(2026, 6, 30)


@pytest.fixture(scope="module")
def cutoffs(golden: Deployment) -> dict[bool, datetime]:
    """By True the cutoff that models are judged by, by False the oldest one."""
    golden.lake.read(golden.contracts["churn_examples"])
    return dict(golden.engine.query("SELECT is_judged, min(cutoff_at) FROM churn_examples GROUP BY 1"))


@pytest.mark.parametrize("is_judged", [True, False])
def test_customers_are_described_as_in_a_shop_that_ended_at_the_cutoff(
    golden: Deployment, cutoffs: dict[bool, datetime], is_judged: bool
) -> None:
    cutoff = cutoffs[is_judged]
    past = {key: until(golden, key, cutoff) for key in golden.contracts if key.startswith("sources/")}
    shop = derived(golden, past, cutoff.isoformat(), f"ended {cutoff}", only=["features"])
    expected = golden.engine.query(f"FROM ({golden.engine.sql_of(foreseen_by(shop.read('features')))}) ORDER BY 1")
    golden.lake.read(golden.contracts["churn_examples"])
    columns = ", ".join(quoted(name) for name in COLUMNS)
    query = f"SELECT {columns} FROM churn_examples WHERE cutoff_at = '{cutoff}' ORDER BY customer_id"
    assert golden.engine.query(query) == expected
    assert len(expected) > 300


def until(golden: Deployment, key: str, cutoff: datetime) -> ir.Table:
    """The rows of a source by the cutoff."""
    held, event_time = golden.read(key), golden.contracts[key].event_time
    return held.filter((held[event_time] <= cutoff).fill_null(True)) if event_time else held


def bought(who: str, *days_ago: int, **more: Any) -> list[dict[str, Any]]:
    """Completed orders so many days ago."""
    return [
        {
            "order_id": f"{who} {ago}",
            "customer_id": who,
            "ordered_at": NOW - timedelta(days=ago),
            "order_status": "completed",
            "is_completed": True,
            "order_amount": money("10"),
            "returned_amount": money("0"),
            "refunded_amount": money("0"),
            **more,
        }
        for ago in days_ago
    ]


def made(*orders: list[dict[str, Any]], **more: list[dict[str, Any]]) -> ir.Table:
    held = [order for some in orders for order in some]
    people = [{"customer_id": who} for who in sorted({order["customer_id"] for order in held})]
    others = {
        name: table(name, *more.get(name, [])) for name in (*HAPPENED, "products", "contacts") if name != "orders"
    }
    return computed(churn_examples)(
        customers=table("customers", *people),
        orders=table("orders", *held),
        as_of=at("2026-06-30"),
        **others,
    )


def test_who_comes_back_within_twice_the_usual_interval_has_not_churned() -> None:
    found = made(bought("ann", 500, 110, 100, 51), bought("bob", 500, 110, 100, 49), bought("cy", 500, 440, 380))
    judged = found.filter(found.is_judged)
    # Of 390 and 10 days twice the mean is 400, and at most 90; of 10 days alone 30 at least.
    columns = ("customer_id", "order_interval_days", "horizon_days", "next_order_days", "has_churned")
    assert rows(judged, *columns) == [
        ("ann", 200.0, 90, 39, False),
        ("bob", 200.0, 90, 41, False),
        ("cy", 60.0, 90, None, True),
    ]
    quick = made(bought("shop", 500), bought("dan", 110, 100, 61), bought("eve", 110, 100, 59))
    columns = ("customer_id", "horizon_days", "next_order_days", "has_churned")
    assert rows(quick.filter(quick.is_judged), *columns) == [
        ("dan", 30, 29, False), ("eve", 30, 31, True), ("shop", 90, None, True),
    ]  # fmt: skip


def test_there_is_a_row_for_each_cutoff_by_which_the_customer_had_bought() -> None:
    found = made(bought("ann", 500, 200, 95), bought("bob", 100))
    assert rows(found, "observed_days", "customer_id", "frequency", "recency_days", by="observed_days") == [
        (90, "ann", 3, 5), (90, "bob", 1, 10), (180, "ann", 2, 20), (240, "ann", 1, 260),
    ]  # fmt: skip
    assert {90, 180, 240} == {JUDGED_AGO, *TRAINED_AGO}


def test_a_cutoff_with_eight_weeks_of_orders_behind_it_counts_and_one_with_less_does_not() -> None:
    assert rows(made(bought("ann", 235)), "observed_days") == [(90,), (180,)]
    assert rows(made(bought("ann", 234)), "observed_days") == [(90,)]


def test_what_was_delivered_and_sent_back_later_was_sold_then() -> None:
    returned = {"order_status": "returned", "is_completed": False, "order_amount": money("0")}
    returned |= {"returned_amount": money("30")}
    late = bought("ann", 100, delivered_at=NOW - timedelta(days=80), **returned)
    early = bought("bob", 100, delivered_at=NOW - timedelta(days=95), **returned)
    found = made(bought("ann", 500), late, bought("bob", 500), early)
    judged = found.filter(found.is_judged)
    assert rows(judged, "customer_id", "frequency", "monetary", "last_order_amount", "return_rate") == [
        ("ann", 2, money("40"), money("30"), 0.0),
        ("bob", 1, money("10"), money("10"), 0.5),
    ]


def test_orders_without_date_or_customer_make_no_example() -> None:
    undated = [order | {"ordered_at": None} for order in bought("ann", 100)]
    found = made(bought("shop", 500), undated)
    assert {who for (who,) in rows(found, "customer_id")} == {"shop"}


def then(found: ir.Table, *columns: str) -> list[tuple[Any, ...]]:
    """The values of those that models are judged by, 90 days ago."""
    return rows(found.filter(found.is_judged), "customer_id", *columns)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def test_the_next_order_is_the_first_after_the_cutoff_with_its_value() -> None:
    dear, cheap = {"order_amount": money("70")}, {"order_amount": money("5"), "order_id": "0"}
    found = made(bought("ann", 500), bought("ann", 80, **dear), bought("ann", 80, **cheap), bought("ann", 20))
    assert then(found, "next_order_days", "next_order_amount") == [("ann", 10, money("5"))]
    assert then(made(bought("bob", 500)), "next_order_amount", "bought_new_category") == [("bob", None, None)]


def test_a_category_is_new_to_who_had_not_bought_it_before() -> None:
    goods = [{"sku_id": name, "product_category": name} for name in ("tea", "cups")]
    goods.append({"sku_id": "thing"})

    def line(who: str, days: int, sku: str) -> dict[str, Any]:
        order = {"order_id": f"{who} {days}", "customer_id": who, "ordered_at": ago(days)}
        return order | {"order_line_id": f"{who} {days} {sku}", "sku_id": sku, "line_kind": "sale"}

    lines = [line(who, 500, "tea") for who in ("ann", "bob", "cy", "dan")]
    lines += [line("ann", 80, "tea"), line("ann", 80, "cups"), line("bob", 80, "tea"), line("cy", 80, "thing")]
    orders = [bought(who, 500, 80) for who in ("ann", "bob", "cy")]
    found = made(*orders, bought("dan", 500), order_lines=lines, products=goods)
    assert then(found, "bought_new_category") == [("ann", True), ("bob", False), ("cy", None), ("dan", None)]


def test_the_next_visit_is_one_that_began_after_the_cutoff() -> None:
    def visit(who: str, days: float) -> dict[str, Any]:
        times = {"started_at": ago(days), "ended_at": ago(days - 0.1)}
        return times | {"session_id": f"{who} {days}", "entity_id": who}

    visits = [visit("ann", 200), visit("ann", 90.05), visit("ann", 83), visit("ann", 60), visit("bob", 200)]
    found = made(bought("ann", 500), bought("bob", 500), sessions=visits)
    assert then(found, "session_count", "next_visit_days") == [("ann", 1, 7), ("bob", 1, None)]


def test_an_order_within_a_week_of_a_contact_is_a_response() -> None:
    def contact(who: str, days: int) -> dict[str, Any]:
        return {"touchpoint_id": f"{who} {days}", "customer_id": who, "touched_at": ago(days)}

    asked = [contact("ann", 70), contact("bob", 70), contact("cy", 59), contact("dan", 90), contact("eve", 61)]
    orders = [bought(who, 500) for who in ("cy", "dan")]
    orders += [bought("ann", 500, 63), bought("bob", 500, 71, 62), bought("eve", 500, 54)]
    found = made(*orders, contacts=asked)
    assert then(found, "is_contacted", "has_responded") == [
        ("ann", True, True), ("bob", True, False), ("cy", False, None), ("dan", False, None), ("eve", True, True),
    ]  # fmt: skip
    assert then(made(bought("ann", 500)), "is_contacted", "has_responded") == [("ann", None, None)]


def test_what_came_after_the_outcomes_changes_nothing() -> None:
    """Outcomes of 180 and 240 days ago were known 90 days ago: what is judged by is in no training."""
    later = made(bought("ann", 500, 250, 85), bought("bob", 300, 100, 10))
    earlier = made(bought("ann", 500, 250), bought("bob", 300, 100))
    trained = [found.filter(~found.is_judged).drop("next_order_days", "has_churned") for found in (later, earlier)]
    soon = [found.filter(~found.is_judged, found.next_order_days <= 90) for found in (later, earlier)]
    features = ("customer_id", "cutoff_at", *FEATURES)
    assert rows(trained[0], *features) == rows(trained[1], *features)
    assert rows(soon[0], *soon[0].columns) == rows(soon[1], *soon[0].columns)
