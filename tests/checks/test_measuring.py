"""Measuring: every rule fails where it should, and nothing else is disturbed."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterExecutionInterruptedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks import expectations, history
from checks.measuring import MeasureError
from governance import contracts
from governance.contract import DERIVED
from governance.quality import (
    Between,
    FilledCells,
    Holds,
    Matches,
    Need,
    OneOf,
    Ordered,
    Present,
    Rule,
    Stable,
    Steady,
    Unique,
)
from resources.deployment import Deployment, Feed
from resources.engine import Engine
from tests.checks import bad_profiles
from tests.checks.measured import NOON, counts, empty_deployment, failing, hold, measure, measured
from tests.interrupting import interrupting

CONTRACTS = contracts.load()
WEEKS = [NOON.replace(hour=0) - timedelta(days=day) for day in range(56)]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One good row in each of the sources; no derived table has any."""
    with empty_deployment(tmp_path_factory.mktemp("measured")) as deployment:
        for key, row in GOOD.items():
            hold(deployment, key, row)
        for key, contract in CONTRACTS.items():
            if contract.layer in DERIVED:
                hold(deployment, key)
        yield deployment


def day(number: int) -> datetime:
    return NOON - timedelta(days=number)


def customer(**values: Any) -> dict[str, Any]:
    good = {
        "customer_id": "C1", "age": 40, "gender": "Female", "email_address": "a@b.example", "phone_number": "+1 555",
        "mailing_street": "High Street 1", "date_of_birth": datetime(1986, 3, 1), "registration_date": day(9),
        "city": "Springfield", "country": "US",
    }  # fmt: skip
    return good | values


def product(**values: Any) -> dict[str, Any]:
    good = {
        "sku_id": "S1", "product_id": "P1", "product_name": "Mug", "product_description": "A mug to drink from.",
        "product_category": "Home", "product_subcategory": "Mugs", "brand_id": "B1", "list_price": 9.0,
    }  # fmt: skip
    return good | values


def order(**values: Any) -> dict[str, Any]:
    good = {
        "order_id": "O1", "customer_id": "C1", "ordered_at": day(9), "order_status": "delivered",
        "order_delivery_date": day(7), "total_amount": 9.0, "payment_method": "paypal", "transaction_id": "T1",
    }  # fmt: skip
    return good | values


def transaction(**values: Any) -> dict[str, Any]:
    good = {
        "transaction_id": "T1", "order_id": "O1", "amount": 9.0, "payment_method": "paypal",
        "transaction_ts": day(9) + timedelta(minutes=2),
    }  # fmt: skip
    return good | values


def event(**values: Any) -> dict[str, Any]:
    good = {
        "activity_uuid": "A1", "session_id": "W1", "visitor_id": "V1", "visit_start_ts": day(1), "activity_ts": day(1),
        "event_action": "page_view",
    }  # fmt: skip
    return good | values


def line(**values: Any) -> dict[str, Any]:
    return {
        "order_li_id": "L1",
        "order_id": "O1",
        "product_id": "P1",
        "sku_id": "S1",
        "qty": 1,
        "unit_price": 9.0,
    } | values


# An order of two lines, 10.00 less 1.00, plus 3.00 for shipping.
SOLD = {
    "order_id": "O1", "is_completed": True, "line_count": 2, "lines_amount": 10, "discount_amount": 1,
    "order_amount": 9, "refunded_amount": 0, "shipping_amount": 3, "total_amount": 12,
}  # fmt: skip


def crowd(odd: datetime) -> list[tuple[str, datetime]]:
    """20 things on each of 56 days, and 90 on the odd one."""
    return [(f"{at} {n}", at) for at in WEEKS for n in range(90 if at == odd else 20)]


def turn(new: str, old: str) -> list[tuple[str, datetime, str]]:
    """20 weeks of things of one kind, of which the last four are of another."""
    return [(f"{n}", day(n % 140), new if n % 140 < 28 else old) for n in range(3000)]


def visits() -> list[dict[str, Any]]:
    """60 events at the same hour of every day, in 20 sessions; on the last day in 60."""
    return [
        {"activity_uuid": f"{at} {n}", "activity_ts": at, "session_id": f"{n if at == WEEKS[0] else n % 20}"}
        for at in WEEKS
        for n in range(60)
    ]


def minutes(at: datetime) -> int:
    """When in its hour the event of a day comes: early on the last day, late on the others."""
    return 5 if at == WEEKS[0] else 55


GOOD = {
    "sources/brand": {"brand_id": "B1"},
    "sources/customer": customer(),
    "sources/orders": order(),
    "sources/product": product(),
    "sources/transactions": transaction(),
}

# By table and rule: rows of which so many fail it. Rows before them in the table are good.
BAD: dict[str, dict[str, tuple[int, list[dict[str, Any]]]]] = {
    "sources/customer": {
        "key_unique": (2, [customer(), customer()]),
        "required_filled": (1, [customer(customer_id=" ")]),
        "null_values": (2, [customer(age=None, gender=None)]),
        "completeness": (1, [customer(age=None, gender=None)]),
        "timeliness": (1, [customer(registration_date=day(12))]),
        "age_present": (1, [customer(age=None)]),
        "age_in_range": (2, [customer(age=12), customer(customer_id="C2", age=116)]),
        "age_agrees_with_birth": (1, [customer(age=43), customer(customer_id="C2", age=41)]),
        "email_present": (2, [customer(email_address=None), customer(customer_id="C2", email_address=" ")]),
        "phone_present": (1, [customer(phone_number="")]),
        "street_present": (1, [customer(mailing_street=" \t")]),
        "gender_present": (1, [customer(gender=None)]),
        "gender_listed": (1, [customer(gender="Femal")]),
        "email_well_formed": (1, [customer(email_address="a.b.example"), customer(customer_id="C2")]),
        "birth_before_registration": (1, [customer(date_of_birth=day(2))]),
    },
    "sources/product": {
        "key_unique": (2, [product(), product()]),
        "required_filled": (1, [product(sku_id="")]),
        "null_values": (1, [product(brand_id=None)]),
        "completeness": (1, [product(product_name=" ")]),
        "brand_id_known": (1, [product(brand_id="B9")]),
        "description_present": (1, [product(product_description="")]),
        "category_of_subcategory": (
            1, [product(), product(sku_id="S2"), product(sku_id="S3", product_category="Garden")],
        ),
        "price_above_zero": (1, [product(list_price=0.0)]),
        "sale_price_below_list": (1, [product(sale_price=10.0)]),
    },
    "sources/brand": {
        "key_unique": (2, [{"brand_id": "B1"}, {"brand_id": "B1"}]),
        "required_filled": (1, [{"brand_id": " "}]),
        "null_values": (3, [{"brand_id": "B1"}]),
        "completeness": (1, [{"brand_id": "B1"}]),
        "description_telling": (1, [{"brand_id": "B1", "description": "tbd"}]),
        "type_listed": (1, [{"brand_id": "B1", "brand_type": "natl"}]),
    },
    "sources/orders": {
        "key_unique": (2, [order(), order()]),
        "required_filled": (1, [order(order_id="")]),
        "null_values": (1, [order(payment_method=None)]),
        "completeness": (1, [order(payment_method=None)]),
        "customer_id_known": (1, [order(customer_id="C9")]),
        "transaction_id_known": (1, [order(transaction_id="T9")]),
        "timeliness": (1, [order(ordered_at=day(9))]),
        "status_listed": (1, [order(order_status="shiped")]),
        "delivered_has_date": (1, [order(order_delivery_date=None)]),
        "cancelled_has_no_date": (1, [order(order_status="cancelled")]),
        "delivered_after_order": (1, [order(order_delivery_date=day(10))]),
        "delivered_in_time": (1, [order(ordered_at=day(40))]),
        "no_order_forgotten": (1, [order(order_status="placed", ordered_at=day(31), order_delivery_date=None)]),
        "payment_present": (1, [order(payment_method=None)]),
        "payment_listed": (1, [order(payment_method="crdit_card")]),
        "payment_as_transacted": (1, [order(payment_method="cash")]),
        "customer_named": (1, [order(customer_id=None)]),
        "total_not_negative": (1, [order(total_amount=-1.0)]),
        "volume_steady": (1, [order(order_id=key, ordered_at=at) for key, at in crowd(WEEKS[2])]),
        "payment_mix_stable": (
            1, [order(order_id=key, ordered_at=at, payment_method=kind) for key, at, kind in turn("cash", "paypal")],
        ),
    },
    "sources/order_line_item": {
        "key_unique": (2, [line(), line()]),
        "required_filled": (1, [line(order_li_id="")]),
        "null_values": (1, [line(qty=None)]),
        "completeness": (1, [line(qty=None)]),
        "keys_whole": (2, [line(sku_id="9.78E+12"), line(order_li_id="L2", order_id="1,2e+10")]),
        "quantity_not_zero": (2, [line(qty=0), line(order_li_id="L2", qty=None)]),
        "order_exists": (1, [line(order_id="O9")]),
        "product_exists": (1, [line(sku_id="S9")]),
        "product_named": (1, [line(product_id=None)]),
        "price_above_zero": (1, [line(unit_price=0.0)]),
        "quantity_positive": (1, [line(qty=-1)]),
        "lines_differ": (2, [line(), line(order_li_id="L2")]),
        "amount_is_price_times_quantity": (1, [line(line_amount=9.02)]),
    },
    "sources/transactions": {
        "key_unique": (2, [transaction(), transaction()]),
        "required_filled": (1, [transaction(transaction_id="")]),
        "null_values": (1, [transaction(amount=None)]),
        "completeness": (1, [transaction(amount=None)]),
        "order_id_known": (1, [transaction(order_id="O9")]),
        "timeliness": (1, [transaction()]),
        "details_present": (1, [transaction(amount=None)]),
        "amount_above_zero": (1, [transaction(amount=0.0)]),
        "amount_as_ordered": (1, [transaction(amount=9.02)]),
        "paid_after_order": (1, [transaction(transaction_ts=day(10))]),
        "paid_in_time": (1, [transaction(transaction_ts=day(8))]),
        "volume_steady": (1, [transaction(transaction_id=key, transaction_ts=at) for key, at in crowd(WEEKS[2])]),
    },
    "sources/web_analytics": {
        "key_unique": (2, [event(), event()]),
        "required_filled": (1, [event(activity_uuid="")]),
        "null_values": (1, [event(session_id=None)]),
        "completeness": (1, [event(session_id=None)]),
        "entity_id_known": (1, [event(entity_id="C9")]),
        "product_sku_known": (1, [event(product_sku="S9")]),
        "order_id_known": (1, [event(order_id="O9")]),
        "event_action_listed": (1, [event(event_action="jump")]),
        "timeliness": (1, [event()]),
        "page_views_usual": (201, [event(activity_uuid=f"A{n}") for n in range(201)]),
        "session_present": (1, [event(session_id=None)]),
        "visit_start_present": (1, [event(visit_start_ts=None)]),
        "customer_kept": (1, [event(entity_id="C1"), event(activity_uuid="A2")]),
        "visit_starts_first": (1, [event(visit_start_ts=day(0))]),
        "channel_mix_stable": (
            1, [event(activity_uuid=k, activity_ts=at, traffic_channel=kind) for k, at, kind in turn("ads", "mail")],
        ),
        "volume_steady": (1, [event(activity_uuid=key, activity_ts=at) for key, at in crowd(WEEKS[0])]),
        "bounce_rate_steady": (1, [event(**visit) for visit in visits()]),
        "page_views_steady": (1, [event(**visit) for visit in visits()]),
        "arrival_steady": (
            1, [event(activity_uuid=f"{at}", activity_ts=at + timedelta(minutes=minutes(at))) for at in WEEKS],
        ),
    },
    "sources/review": {"rating_in_range": (1, [{"review_id": "R1", "rating": 6}])},
    "rfm": {
        "key_unique": (2, [{"customer_id": "C1"}, {"customer_id": "C1"}]),
        "scores_in_range": (1, [{"customer_id": "C1", "recency_score": 6, "frequency_score": 1, "monetary_score": 1}]),
        "money_reconciles": (1, [{"customer_id": "C1", "gross_monetary": 3}]),
        "bought_at_least_once": (1, [{"customer_id": "C1", "frequency": 0}]),
    },
    "customer_segments": {
        "key_unique": (2, [{"customer_id": "C1"}, {"customer_id": "C1"}]),
        "segment_given": (1, [{"customer_id": "C1", "persona": " "}]),
    },
    "customer_360": {
        "key_unique": (2, [{"customer_id": "C1"}, {"customer_id": "C1"}]),
        "one_row_per_customer": (1, [{"customer_id": "C1"}]),
        "registered_before_first_order": (
            1, [{"customer_id": "C1", "registered_at": NOON, "first_ordered_at": NOON - timedelta(days=1)}],
        ),
        "age_in_range": (1, [{"customer_id": "C1", "age": 12}]),
    },
    "customers": {
        "key_unique": (2, [{"customer_id": "C1"}, {"customer_id": "C1"}]),
        "registered_by_as_of": (1, [{"customer_id": "C1", "is_registered": True}]),
        "age_in_range": (1, [{"customer_id": "C1", "age": 12}]),
    },
    "customer_history": {
        "ends_after_it_begins": (1, [{"customer_id": "C1", "valid_to": NOON}]),
        "one_current_version": (1, [{"customer_id": "C1"}, {"customer_id": "C1", "version": 2}]),
    },
    "orders": {
        "customer_or_anonymous": (1, [{"order_id": "O1"}]),
        "lines_accounted": (1, [{"order_id": "O1", "line_count": 2}]),
        "status_known": (1, [{"order_id": "O1", "order_status": "unknown"}]),
        "total_adds_up": (1, [SOLD | {"total_amount": 13}]),
        "amount_is_net_of_discounts": (1, [SOLD | {"order_amount": 10}]),
    },
    "answers": {
        "answers_reconcile": (1, [{"answer_id": "A1"}]),
        "score_on_scale": (1, [{"answer_id": "A1", "metric": "nps", "score": 11}]),
    },
    "ratings": {
        "reviews_reconcile": (1, [{"review_id": "R1"}]),
        "rating_on_scale": (1, [{"review_id": "R1", "rating": 6}]),
    },
    "tickets": {
        "tickets_reconcile": (1, [{"ticket_id": "T1"}]),
        "resolutions_reconcile": (1, [{"ticket_id": "T1", "resolved_at": NOON}]),
        "resolved_after_opened": (1, [{"ticket_id": "T1", "resolution_seconds": -1}]),
    },
    "points": {
        "entries_reconcile": (1, [{"entry_id": "P1", "customer_id": "C1"}]),
        "points_reconcile": (1, [{"entry_id": "P1", "customer_id": "C1", "earned": 5}]),
        "one_kind": (1, [{"entry_id": "P1", "customer_id": "C1", "earned": 1, "burned": 1}]),
    },
    "contacts": {
        "contacts_reconcile": (1, [{"touchpoint_id": "M1"}]),
        "cost_reconciles": (1, [{"touchpoint_id": "M1", "cost": 1}]),
    },
    "stumbles": {
        "happened": (1, [{"session_id": "W1", "example_count": 0}]),
        "no_addresses": (1, [{"session_id": "W1", "place": "/user/a@b.example"}]),
    },
    "order_placed": {
        "value_reconciles": (1, [{"activity_uuid": "L1", "is_completed": True, "order_value": 3}]),
    },
}  # fmt: skip
ALL_BAD = {key: BAD.get(key, {}) | bad_profiles.BAD.get(key, {}) for key in (*BAD, *bad_profiles.BAD)}


# Rules that compare a column with an earlier snapshot.
SINCE_BEFORE = {
    (key, rule.name): rule.need.column
    for key, contract in CONTRACTS.items()
    for rule in contract.declared_rules
    if isinstance(rule.need, Stable) and rule.need.time is None
}


def test_every_rule_is_shown_to_fail() -> None:
    written = {(key, rule.name) for key, contract in CONTRACTS.items() for rule in contract.declared_rules}
    shown = {(key, rule) for key, rules in ALL_BAD.items() for rule in rules}
    assert written - shown == SINCE_BEFORE.keys()


@pytest.mark.parametrize(
    ("key", "rule", "count", "rows"),
    [(key, rule, count, rows) for key, rules in ALL_BAD.items() for rule, (count, rows) in rules.items()],
    ids=[f"{key}-{rule}" for key, rules in ALL_BAD.items() for rule in rules],
)
def test_a_rule_fails_on_bad_rows(
    deployment: Deployment, key: str, rule: str, count: int, rows: list[dict[str, Any]]
) -> None:
    hold(deployment, key, *_filled(key, rows))
    contract = deployment.contracts[key]
    (found,) = measure(deployment, contract, NOON, [known for known in contract.rules if known.name == rule]).results
    hold(deployment, key, *([GOOD[key]] if key in GOOD else []))
    assert found.failing == count
    assert found.share is not None
    assert found.share < 1
    assert found.status in ("warn", "fail")


def _filled(key: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with something in every column that must have it."""
    fill = {"VARCHAR": "x", "BOOLEAN": True, "TIMESTAMP": NOON, "DATE": NOON.date()}
    required = {column.name: fill.get(column.type, 1) for column in CONTRACTS[key].columns if column.required}
    return [required | row for row in rows]


@pytest.mark.parametrize("key", ["sources/customer", "sources/product", "sources/transactions"])
def test_good_rows_fail_nothing(deployment: Deployment, key: str) -> None:
    found = measured(deployment, key, GOOD[key], as_of=day(8))
    assert failing(found) == {}
    assert found.score.value == 100
    assert (found.row_count, found.faultless_rows) == (1, 1)
    assert found.may_be_read


def test_an_empty_source_fails(deployment: Deployment) -> None:
    fed = dataclasses.replace(deployment, feeds={"brand": Feed.model_validate({"from": "somewhere"})})
    found = measured(fed, "sources/brand")
    hold(deployment, "sources/brand", GOOD["sources/brand"])
    assert failing(found) == {"rows_present": 1}
    assert found.score.value == 0
    assert found.faultless_percent is None


def test_a_dataset_nobody_feeds_is_not_assessed(deployment: Deployment) -> None:
    found = measured(deployment, "sources/brand")
    hold(deployment, "sources/brand", GOOD["sources/brand"])
    assert {(result.status, result.problem) for result in found.results} == {
        ("not_assessed", "there are no rows: no feed fills this dataset")
    }
    assert found.score.value is None
    assert found.may_be_read


def test_an_empty_source_that_may_be_empty_is_not_assessed(deployment: Deployment) -> None:
    feed = Feed.model_validate({"from": "somewhere", "may_be_empty": True})
    found = measured(dataclasses.replace(deployment, feeds={"brand": feed}), "sources/brand")
    hold(deployment, "sources/brand", GOOD["sources/brand"])
    assert {result.problem for result in found.results} == {"there are no rows: its feed may be empty, and is"}


def test_a_derived_table_of_half_the_rows_is_noticed_unless_it_speaks_of_an_earlier_moment(tmp_path: Path) -> None:
    def verdict(count: int, as_of: datetime = NOON) -> tuple[str, str | None]:
        rows = [{"session_id": f"S{n}", "path": "x", "step_count": 1} for n in range(count)]
        found = measured(deployment, "session_paths", *rows, as_of=as_of)
        history.store(deployment.operations, found, f"{count}", is_scored=True, published=True, cadence=None)
        (kept,) = (result for result in found.results if result.rule.name == "rows_kept")
        return kept.status, kept.problem

    with empty_deployment(tmp_path) as deployment:
        assert verdict(10)[0] == "not_assessed"
        assert verdict(5) == ("pass", None)
        assert verdict(2) == ("warn", "2 rows, 5 before")
        # Scored again, a snapshot is held against the one before it, and not against itself.
        again = measure(deployment, deployment.contracts["session_paths"], NOON)
        assert counts(again)["rows_kept"] == (0, 1)
        assert verdict(1, NOON - timedelta(days=1))[0] == "not_assessed"


@pytest.mark.parametrize(("key", "name"), SINCE_BEFORE, ids=lambda part: part)
def test_a_derived_table_whose_values_are_others_than_before_is_noticed(key: str, name: str, tmp_path: Path) -> None:
    def verdict(others: int, as_of: datetime = NOON) -> tuple[str, str | None]:
        column, (identifier, *_) = SINCE_BEFORE[key, name], CONTRACTS[key].primary_key
        rows = [{identifier: f"{n}", column: "one" if n < others else "another"} for n in range(1000)]
        found = measured(deployment, key, *_filled(key, rows), as_of=as_of)
        history.store(deployment.operations, found, f"{others}", is_scored=True, published=True, cadence=None)
        (mix,) = (result for result in found.results if result.rule.name == name)
        return mix.status, mix.problem

    with empty_deployment(tmp_path) as deployment:
        assert verdict(50)[0] == "not_assessed"
        assert verdict(60) == ("pass", None)
        # By hand: 0.84 * ln(0.9 / 0.06) + 0.84 * ln(0.94 / 0.1).
        assert verdict(900) == ("warn", "PSI 4.157")
        # Measured again, a snapshot is held against the one before it.
        assert counts(measure(deployment, deployment.contracts[key], NOON))[name] == (0, 1)
        assert verdict(900, NOON - timedelta(days=1))[0] == "not_assessed"


def test_rows_free_of_any_fault_are_those_no_rule_finds_fault_with(deployment: Deployment) -> None:
    rows = [customer(), customer(customer_id="C2", age=None, phone_number=None), customer(customer_id="C3", gender="F")]
    found = measured(deployment, "sources/customer", *rows)
    assert (found.row_count, found.faultless_rows) == (3, 1)


def test_what_has_not_happened_yet_is_not_measured(deployment: Deployment) -> None:
    rows = [order(), order(order_id="O2", ordered_at=NOON + timedelta(days=1), payment_method=None)]
    found = measured(deployment, "sources/orders", *rows)
    hold(deployment, "sources/orders", order())
    assert counts(found)["payment_present"] == (1, 0)


def test_a_table_that_was_never_built_is_said_so(tmp_path: Path) -> None:
    with empty_deployment(tmp_path) as deployment:
        with pytest.raises(MeasureError, match=r"brand was never built.*Build it first: c360 run"):
            measure(deployment, deployment.contracts["sources/brand"], NOON)
        assert measured(deployment, "sources/brand", {"brand_id": "B1"}).row_count == 1


def _with_rule(deployment: Deployment, key: str, need: Any) -> Deployment:
    contract = deployment.contracts[key]
    rule = Rule("extra", "Extra.", "accuracy", "warning", contract.rules[0].schedule, need)
    changed = dataclasses.replace(contract, declared_rules=(*contract.declared_rules, rule))
    return dataclasses.replace(deployment, contracts={**deployment.contracts, key: changed})


@pytest.mark.parametrize(
    ("need", "problem"),
    [
        (Holds(condition="no_such_column > 1"), "no_such_column"),
        (Holds(condition="age >"), "syntax error"),
        (Between(column="no_such_column", minimum=1), "no_such_column"),
        (Matches(column="gender", pattern="("), "fails on a row"),
        (Holds(condition="gender::integer > 1"), "fails on a row (Conversion error)"),
        (Steady(column="registration_date", value="sum(gender)", by="day"), "sum"),
        (Steady(column="registration_date", value="-count(*)", by="day"), "must be finite and not negative"),
    ],
    ids=str,
)
def test_a_rule_that_cannot_run_is_an_error_and_takes_no_other_down(
    deployment: Deployment, need: Any, problem: str
) -> None:
    changed = _with_rule(deployment, "sources/customer", need)
    plain = measured(deployment, "sources/customer", customer(gender="Mrs Secret"))
    found = measure(changed, changed.contracts["sources/customer"], NOON)
    broken = found.results[-1]
    assert (broken.rule.name, broken.status, broken.share) == ("extra", "error", 0.0)
    assert problem in (broken.problem or "")
    assert "Secret" not in (broken.problem or "")
    assert counts(found) == {**counts(plain), "extra": (0, 0)}
    assert found.faultless_rows == plain.faultless_rows
    assert (found.score.value or 0) < (plain.score.value or 0)


def native(need: Need, text: frozenset[str]) -> list[Any]:
    """The expectations of Great Expectations that are the need itself, whose counts add up; none where there are none.

    A text of spaces is no value to us but one to Great Expectations.
    """
    gxe = expectations.load().expectations
    match need:
        case FilledCells(columns=columns):
            return [gxe.ExpectColumnValuesToNotBeNull(column=column) for column in columns]
        case Present(columns=(column,)) if column not in text:
            return [gxe.ExpectColumnValuesToNotBeNull(column=column)]
        case OneOf():
            return [gxe.ExpectColumnValuesToBeInSet(column=need.column, value_set=list(need.values))]
        case Between():
            bounds = {"min_value": need.minimum, "max_value": need.maximum}
            is_strict = {"strict_min": need.strict, "strict_max": need.strict}
            return [gxe.ExpectColumnValuesToBeBetween(column=need.column, **bounds, **is_strict)]
        case Ordered():
            pair = {"column_A": need.later, "column_B": need.earlier, "ignore_row_if": "either_value_is_missing"}
            return [gxe.ExpectColumnPairValuesAToBeGreaterThanB(**pair, or_equal=True)]
        case Unique(columns=(column,)):
            return [gxe.ExpectColumnValuesToBeUnique(column=column)]
        case Unique(columns=columns):
            key = {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"}
            return [gxe.ExpectCompoundColumnsToBeUnique(**key)]
    return []


def told(found: Mapping[str, Any]) -> tuple[int, int]:
    """Rows that pass and fail, of what an expectation of single rows found."""
    failing = found["unexpected_count"]
    return found["element_count"] - found.get("missing_count", 0) - failing, failing


def test_marks_count_what_the_expectations_of_great_expectations_count(deployment: Deployment) -> None:
    contract = CONTRACTS["sources/customer"]
    text = frozenset(column.name for column in contract.columns if column.type == "VARCHAR")
    pair = Rule("pair", "", "uniqueness", "error", "daily", Unique(columns=("customer_id", "age")))
    rows = [
        customer(
            customer_id=f"C{n % 7}",
            age=(n * 37) % 130 if n % 5 else None,
            gender=("F", "Female", None)[n % 3],
            date_of_birth=day(n * 40) if n % 4 else None,
            registration_date=day(n * 30),
        )
        for n in range(60)
    ]
    hold(deployment, "sources/customer", *rows)
    found = measure(deployment, contract, NOON, (*contract.rules, pair))
    kinds = set()
    for result in found.results:
        if theirs := native(result.rule.need, text):
            outcomes = expectations.validate(deployment.engine, "checked sources/customer", theirs)
            sums = tuple(map(sum, zip(*(told(one.found) for one in outcomes), strict=True)))
            assert (result.passing, result.failing) == sums, result.rule.name
            assert sum(sums), result.rule.name
            kinds.add(type(result.rule.need))
    assert kinds == {FilledCells, Present, OneOf, Between, Ordered, Unique}


ROWS = st.lists(
    st.builds(
        lambda age, gender, email, born: customer(age=age, gender=gender, email_address=email, date_of_birth=born),
        st.none() | st.integers(-5, 130),
        st.none() | st.sampled_from(["Female", "F", ""]),
        st.none() | st.sampled_from(["a@b.example", " ", "a"]),
        st.none() | st.just(datetime(1986, 3, 1)),
    ),
    min_size=2,
    max_size=12,
)
LAW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _keyed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "customer_id": f"C{number}"} for number, row in enumerate(rows)]


@pytest.mark.timeout(60)
def test_an_interrupt_of_great_expectations_is_no_verdict_on_a_rule() -> None:
    """Great Expectations would say that it could not run the rule."""
    expectations.load()
    with closing(Engine()) as engine:
        engine.query("CREATE VIEW marked AS SELECT number % 3 AS broken FROM range(1000000000000) AS t(number)")
        with pytest.raises(DagsterExecutionInterruptedError), interrupting(1):
            expectations.validate(engine, "marked", [expectations.nobody_breaks("broken")])


@LAW
@given(ROWS, st.randoms())
def test_the_order_of_the_rows_decides_nothing(deployment: Deployment, rows: list[dict[str, Any]], chance: Any) -> None:
    keyed = _keyed(rows)
    shuffled = list(keyed)
    chance.shuffle(shuffled)
    first, second = (measured(deployment, "sources/customer", *some) for some in (keyed, shuffled))
    assert (counts(first), first.score, first.faultless_rows) == (counts(second), second.score, second.faultless_rows)


@LAW
@given(ROWS, st.data())
def test_parts_of_a_table_count_what_the_whole_counts(
    deployment: Deployment, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    keyed = _keyed(rows)
    cut = data.draw(st.integers(1, len(keyed) - 1))
    whole, *parts = (measured(deployment, "sources/customer", *some) for some in (keyed, keyed[:cut], keyed[cut:]))
    for result in whole.results:
        if result.rule.need.is_of_rows:
            parted = [counts(part)[result.rule.name] for part in parts]
            assert counts(whole)[result.rule.name] == (sum(p for p, _ in parted), sum(f for _, f in parted))
    assert whole.faultless_rows == sum(part.faultless_rows for part in parts)


@LAW
@given(ROWS, st.data())
def test_the_score_never_rises_when_a_good_value_is_lost(
    deployment: Deployment, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    good = [*_keyed(rows), customer(customer_id="good")]
    lost = data.draw(st.sampled_from(["age", "gender", "email_address", "phone_number"]))
    bad = [*good[:-1], good[-1] | {lost: None}]
    before, after = (measured(deployment, "sources/customer", *some).score.value for some in (good, bad))
    assert (after or 0) <= (before or 0) + 1e-9


def test_a_reference_to_a_dataset_that_nothing_fills_is_not_assessed(tmp_path: Path) -> None:
    with empty_deployment(tmp_path) as deployment:
        found = {result.rule.name: result for result in measured(deployment, "sources/order_line_item", line()).results}
        assert (found["order_exists"].status, found["order_exists"].share) == ("not_assessed", None)


def test_an_empty_reference_is_no_broken_one_even_where_nothing_is_there_to_refer_to(tmp_path: Path) -> None:
    with empty_deployment(tmp_path) as deployment:
        feeds = {name: Feed.model_validate({"from": "shop"}) for name in ("customer", "transactions")}
        fed = dataclasses.replace(deployment, feeds=feeds)
        anonymous, nobody = (order(order_id=n, customer_id=who) for n, who in (("O1", None), ("O2", "C9")))
        measurement = measured(fed, "sources/orders", anonymous | {"transaction_id": None}, nobody)
        assert counts(measurement)["customer_id_known"] == (0, 1)
        fed.close()
