"""Where rows went: what is told of rows that nothing is made of, and of references that do not match."""

import dataclasses
import io
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portal import printing
from portal.runs import running
from portal.runs.accounting import ERROR, NOTE, WARNING, Finding, account, findings, much_set_aside, unknown_statuses
from portal.runs.running import RunReport, TableRun
from portal.runs.summary import accounting, engagement, print_summary
from resources import deployment as deployments
from resources.deployment import Deployment, Feed, Settings
from resources.feeds import Feeds
from tests.tables import CONTRACTS, day, table

MOMENT = datetime(2026, 1, 31)
BY, AFTER = day("2026-01-01"), day("2026-03-01")
# What is never empty in the table of orders.
EMPTY = {"line_count": 0, "item_count": 0, "returned_amount": 0, "refunded_amount": 0}
REQUIRED = {"order_status": "completed", "is_completed": True, "is_anonymous": False, **EMPTY}
Rows = list[dict[str, Any]]


class Shop:
    """A deployment with a feed of every dataset named, whose tables hold what a test says."""

    def __init__(self, folder: Path) -> None:
        settings = Settings.model_validate({"name": "Shop", "currency": "EUR", "home": str(folder)})
        self.feeds: dict[str, Feed] = {}
        self.deployment = Deployment(folder / "c360.yaml", settings, self.feeds, CONTRACTS)

    def holds(self, key: str, rows: Rows) -> None:
        if key.startswith("sources/"):
            self.feeds[key.removeprefix("sources/")] = Feed.model_validate({"from": "shop"})
        lake = self.deployment.lake
        lake.publish(lake.write(CONTRACTS[key], table(key, *rows)))

    def told(self, dataset: str, is_moment_asked: bool = False, is_built: bool = True) -> list[Finding]:
        found = account(self.deployment, CONTRACTS[f"sources/{dataset}"], MOMENT)
        return findings(self.deployment, found, is_moment_asked, is_built)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    with closing(shop.deployment):
        yield shop


def people(count: int, registered: datetime, prefix: str = "C") -> Rows:
    return [{"customer_id": f"{prefix}{n}", "registration_date": registered} for n in range(count)]


def orders(count: int, customer: str | None = None, placed: datetime = BY) -> Rows:
    return [{"order_id": f"O{n}", "customer_id": customer, "ordered_at": placed} for n in range(count)]


def test_nothing_is_told_where_all_is_kept_and_found(shop: Shop) -> None:
    shop.holds("sources/customer", people(3, BY))
    shop.holds("customers", [{**row, "is_registered": True} for row in _known(people(3, BY))])
    shop.holds("sources/orders", orders(2, "C1"))
    shop.holds("orders", [{**row, **REQUIRED} for row in orders(2, "C1")])
    assert shop.told("customer") == shop.told("orders") == []


@pytest.mark.parametrize(
    ("early", "late", "is_moment_asked", "severity"),
    [(0, 25, False, ERROR), (0, 5, False, WARNING), (20, 5, False, WARNING), (95, 5, False, NOTE), (0, 25, True, NOTE)],
    ids=["all", "all of few", "many", "as many as tolerated", "as asked"],
)
def test_customers_registered_after_the_moment_are_told(
    shop: Shop, early: int, late: int, is_moment_asked: bool, severity: int
) -> None:
    shop.holds("sources/customer", [*people(early, BY), *people(late, AFTER, "L")])
    # Who ordered is a customer all the same, but nobody registered.
    known = [{**row, "is_registered": True} for row in _known(people(early, BY))]
    shop.holds("customers", [*known, {"customer_id": "L1", "is_registered": False}])
    (found,) = shop.told("customer", is_moment_asked)
    assert found.severity == severity
    assert found.text.startswith(
        f"Customer: {early + late} arrived = {early} known by as_of + {late} registered after it."
    )
    assert ("2026-03-01 or later: after the newest event. Correct registration_date" in found.text) == (severity > NOTE)


def test_who_is_known_although_registered_later_is_not_told_as_left_out(shop: Shop) -> None:
    shop.holds("sources/customer", people(25, AFTER))
    shop.holds("customers", [{"customer_id": f"C{n}", "is_registered": True} for n in range(24)])
    (found,) = shop.told("customer")
    assert found == Finding(NOTE, "Customer: 25 arrived = 24 known by as_of + 1 registered after it.")


def test_an_event_that_did_not_move_the_moment_is_told_however_rare(shop: Shop) -> None:
    """Of its dataset it may be the half: whether it is a stray, all events decide."""
    shop.holds("sources/review", [{"review_id": "a", "reviewed_at": BY}, {"review_id": "b", "reviewed_at": AFTER}])
    late, anonymous = shop.told("review")
    assert late.severity == WARNING
    assert "dated 2026-03-01 or later: more than 400 days after all others. Correct reviewed_at" in late.text
    assert anonymous == Finding(NOTE, "Reviews: 1 of 2 are of no customer, so in nobody's profile.")
    assert shop.told("review", is_moment_asked=True) == [anonymous]


@pytest.mark.parametrize(
    ("dataset", "rows", "text"),
    [
        (
            "order_line_item",
            [{"order_li_id": f"L{n}", "order_id": "O9"} for n in range(20)],
            "20 not in order_lines. Look",
        ),
        (
            "loyalty_ledger",
            [{"entry_id": f"E{n}", "entry_ts": BY} for n in range(20)],
            "20 of no customer. Select customer_id in the feed",
        ),
    ],
)
def test_a_dataset_of_which_nothing_is_made_is_an_error_that_says_what_to_do(
    shop: Shop, dataset: str, rows: Rows, text: str
) -> None:
    shop.holds(f"sources/{dataset}", rows)
    (found,) = shop.told(dataset)
    assert found.severity == ERROR
    assert text in found.text
    assert shop.told(dataset, is_built=False) == []


def test_a_run_that_loses_all_of_a_dataset_fails(shop: Shop) -> None:
    shop.holds("as_of", [{"as_of": MOMENT, "timezone": "UTC"}])
    shop.holds("sources/customer", people(25, AFTER))
    report = RunReport("run", tables={key: TableRun(key, "done") for key in ("sources/customer", "customers")})
    console = printing.Screen(file=io.StringIO(), width=300)
    assert not print_summary(console, shop.deployment, report)
    assert "Customer: 25 arrived = 0 known by as_of + 25 registered after it." in console.file.getvalue()
    shop.holds("sources/customer", people(25, BY))
    shop.holds("customers", [{**row, "is_registered": True} for row in _known(people(25, BY))])
    assert print_summary(console, shop.deployment, report)


@pytest.mark.parametrize(("count", "severity"), [(20, ERROR), (19, WARNING)])
def test_references_that_never_match_are_an_error_with_two_values_of_each_side(
    shop: Shop, count: int, severity: int
) -> None:
    shop.holds("sources/customer", people(3, BY))
    shop.holds("sources/orders", [*orders(count - 1, "00001"), {"order_id": "X", "customer_id": "00000"}])
    (found,) = shop.told("orders", is_built=False)
    assert found.severity == severity
    assert found.text == (
        f"Orders: customer_id -> customer: 0 of {count} found (0%). Here they read '00000', '00001', there 'C0', 'C1'."
        " Select both in one form, in the feeds."
    )


@pytest.mark.parametrize(("clock", "moment"), [("UTC", "2026-03-01 05:00"), ("Asia/Tokyo", "2026-03-01 20:00")])
def test_the_moment_that_is_advised_takes_in_what_was_left_out(shop: Shop, clock: str, moment: str) -> None:
    settings = shop.deployment.settings.model_copy(update={"timezone": clock})
    deployment = dataclasses.replace(shop.deployment, settings=settings)
    with closing(deployment):
        shop.holds("sources/review", [{"review_id": "a", "reviewed_at": datetime.fromisoformat(moment)}])
        contract = CONTRACTS["sources/review"]
        told = findings(deployment, account(deployment, contract, MOMENT), False, True)[0].text
        advised = re.search(r"dated (\S+) or later: .* set --as-of if it is right", told)
        assert advised is not None
        after = account(deployment, contract, running.moment(advised[1], clock))
        assert (after.later, after.kept) == (0, 1)


@pytest.mark.parametrize("length", [5, 1], ids=["those of the orders", "those of the customers"])
def test_keys_selected_in_one_form_match(shop: Shop, length: int) -> None:
    shop.holds("sources/customer", [{"customer_id": "1".zfill(length)}])
    shop.holds("sources/orders", orders(20, "1" if length > 1 else "00001"))
    (found,) = shop.told("orders", is_built=False)
    assert found.text.endswith("Select both in one form, in the feeds.")
    shop.holds("sources/orders", orders(20, "1".zfill(length)))
    assert shop.told("orders", is_built=False) == []


def test_a_ledger_with_customers_is_no_loss(shop: Shop) -> None:
    entries = [{"entry_id": f"E{n}", "entry_ts": BY} for n in range(20)]
    shop.holds("sources/loyalty_ledger", entries)
    assert "Select customer_id in the feed" in shop.told("loyalty_ledger")[0].text
    shop.holds("sources/loyalty_ledger", [{**entry, "customer_id": "C1"} for entry in entries])
    assert shop.told("loyalty_ledger") == []


def test_a_share_of_matches_is_told_and_never_rounded_to_all(shop: Shop) -> None:
    shop.holds("sources/customer", people(1, BY))
    shop.holds("sources/orders", [*orders(1999, "C0"), {"order_id": "X", "customer_id": "C7"}])
    (found,) = shop.told("orders", is_built=False)
    assert found == Finding(NOTE, "Orders: customer_id -> customer: 1,999 of 2,000 found (99.9%).")


def test_orders_of_unknown_status_are_told_by_word_with_what_they_come_to(shop: Shop) -> None:
    words = {"O0": "versandt", "O1": "versandt", "O2": None, "O3": "shipped"}
    shop.holds("sources/orders", [{**row, "order_status": words[row["order_id"]]} for row in orders(4)])
    made = [{**row, **REQUIRED, "is_anonymous": True, "order_status": "unknown"} for row in orders(4)]
    made[3]["order_status"] = "shipped"
    shop.holds("orders", [{**row, "total_amount": amount} for row, amount in zip(made, (10, None, 5, 99), strict=True)])
    line = {"order_line_id": "L1", "order_id": "O1", "order_status": "unknown", "line_kind": "other", "ordered_at": BY}
    shop.holds("order_lines", [{**line, "discount_amount": 0, "net_amount": Decimal("2.5")}])
    assert unknown_statuses(shop.deployment) == [
        "Orders of unknown status: 3, which come to 17.50 EUR and are no revenue (2 'versandt', 1 without status). Say"
        " under `status:` of feeds.orders what the words mean. Where the shop knows no status, select 'completed' as"
        " order_status."
    ]
    shop.holds("orders", made[3:])
    assert unknown_statuses(shop.deployment) == []


@pytest.mark.parametrize(("known", "unknown"), [(20, 5), (19, 5), (20, 4)], ids=["one of many", "few", "a small share"])
def test_a_customer_who_may_stand_for_all_who_are_not_known_is_told(shop: Shop, known: int, unknown: int) -> None:
    bought = [{"order_id": f"O{n}", "customer_id": f"C{n}", "ordered_at": BY} for n in range(known - 1)]
    shop.holds(
        "sources/orders", [*bought, *[{**row, "order_id": f"A{row['order_id']}"} for row in orders(unknown, "0")]]
    )
    expected = Finding(
        WARNING,
        "Orders: one customer_id, '0', has 5 of 24 (20.8%). If it stands for sales to nobody known, select"
        " nullif(x, '0') as customer_id, where x is what is selected now.",
    )
    assert shop.told("orders", is_built=False) == ([expected] if (known, unknown) == (20, 5) else [])


@pytest.mark.parametrize(
    ("known", "severity", "count"), [("product_view", NOTE, "2 of 3"), ("seen", WARNING, "3 of 3")]
)
def test_events_of_an_action_that_is_not_known_are_told(shop: Shop, known: str, severity: int, count: str) -> None:
    actions = (known, "seen", "bought")
    events = [
        {"activity_uuid": action + str(n), "activity_ts": BY, "event_action": action}
        for n, action in enumerate(actions)
    ]
    shop.holds("sources/web_analytics", events)
    (found,) = shop.told("web_analytics", is_built=False)
    assert found.severity == severity
    assert f"Web Analytics: {count} events have an action that is not known" in found.text
    assert "1 'bought'" in found.text
    advised = found.text.split("select them as ")[1].rstrip(".").split(", ")
    shop.holds("sources/web_analytics", [{**events[0], "activity_uuid": one, "event_action": one} for one in advised])
    assert shop.told("web_analytics", is_built=False) == []


@pytest.mark.parametrize(
    ("kept", "severity", "told"),
    [
        (9, WARNING, "and every table lacks them"),
        (10, ERROR, "so no total made of them is true"),
        (11, WARNING, "and every table lacks them"),
        (90, None, ""),
    ],
    ids=["few", "as many as are kept", "fewer than are kept", "as many as tolerated"],
)
def test_rows_set_aside_are_told_with_their_reason_where_they_are_many(
    shop: Shop, kept: int, severity: int | None, told: str
) -> None:
    entry = {"dataset": "orders", "source": "till", "record": "***", "copies": 10}
    shop.holds("quarantine", [{**entry, "reason": "line 7 of till.csv: missing columns"}])
    loaded = TableRun("sources/orders", "done", kept=kept, quarantined=10)
    expected = (
        f"Orders: 10 of {kept + 10} rows were set aside, {told}. 10 of them: line 7 of till.csv: missing columns."
    )
    found = much_set_aside(shop.deployment, [loaded, TableRun("orders", "done")])
    assert found == ([] if severity is None else [Finding(severity, expected)])


TILL = """
name: Till
currency: EUR
connectors: {till: {type: files, path: till.csv}}
feeds:
  orders: {from: till, select: "select distinct KEY as order_id, card as customer_id, day as ordered_at from raw"}
  order_line_item:
    from: till
    select: select KEY || '-' || line as order_li_id, KEY as order_id, article as product_id, 1 as qty from raw
"""


def sold(folder: Path, key: str, receipts: list[tuple[Any, ...]]) -> tuple[list[Finding], int]:
    """What is told of rows set aside where a till sold so: receipt, day, card, article; and how many lines are held."""
    lines = [f"{receipt},{day},{card},{line},{article}" for receipt, day, card, article in receipts for line in (1, 2)]
    (folder / "till.csv").write_text("\n".join(["receipt,day,card,line,article", *lines]))
    (folder / "c360.yaml").write_text(TILL.replace("KEY", key))
    with closing(deployments.load(folder / "c360.yaml")) as deployment:
        feeds, loaded = Feeds(deployment), []
        for dataset in ("orders", "order_line_item"):
            contract = CONTRACTS[f"sources/{dataset}"]
            load = feeds.load(contract)
            feeds.quarantine(contract, load, {})
            loaded.append(TableRun(contract.key, "done", kept=load.kept_count, quarantined=load.quarantined_count))
        return much_set_aside(deployment, loaded), loaded[1].kept


@pytest.mark.parametrize("card", ["", "K{}"], ids=["anonymous", "of customers"])
def test_receipts_that_are_numbered_anew_each_day_fail_the_run_until_the_day_is_in_the_key(
    card: str, tmp_path: Path
) -> None:
    receipts = [(n, day(f"2026-01-{d:02}"), card.format(d * n), f"A{d}") for d in range(1, 5) for n in range(1, 9 + d)]
    found, _ = sold(tmp_path, "receipt", receipts)
    assert [finding.severity for finding in found] == [ERROR, ERROR]
    assert re.match(r"Orders: \d+ of 42 rows were set aside, so no total made of them is true\.", found[0].text)
    advised = {
        re.search(r"or the day where numbers begin anew: store \|\| '-' \|\| (.*)\.$", one.text)[1] for one in found
    }
    assert advised == {"day || '-' || receipt"}
    assert sold(tmp_path, advised.pop(), receipts) == ([], 84)


def test_orders_that_are_exported_whole_each_day_are_no_loss(tmp_path: Path) -> None:
    """Each is there four times, and the customer of some became known later."""
    receipts = [(n, BY, f"K{n}" if d > 2 or n > 3 else "", f"A{n}") for d in range(4) for n in range(20)]
    found, lines = sold(tmp_path, "receipt", receipts)
    assert [finding.severity for finding in found] == [WARNING, WARNING]
    assert lines == 40


def test_what_was_sold_to_nobody_known_is_told_with_its_share_of_revenue(shop: Shop) -> None:
    sale = {"order_status": "completed", "line_kind": "sale"}
    lines = [
        {**sale, "order_line_id": "1", "order_id": "a", "customer_id": "C1", "net_amount": 30},
        {**sale, "order_line_id": "2", "order_id": "b", "net_amount": 90},
        {**sale, "order_line_id": "3", "order_id": "b", "net_amount": -5, "line_kind": "return"},
    ]
    shop.holds("sources/order_line_item", [{"order_li_id": line["order_line_id"], "order_id": "a"} for line in lines])
    shop.holds("order_lines", lines)
    whole, anonymous = accounting(shop.deployment)
    assert "1 sold to known customers (30.00 EUR) + 1 sold anonymously + 1 returned" in whole
    assert anonymous.startswith("Of what was sold, 90.00 EUR (75.0%) is of no customer:")


def test_customers_of_a_deployment_without_orders_are_shown_without_what_they_spent(shop: Shop) -> None:
    shop.holds("as_of", [{"as_of": MOMENT, "timezone": "UTC"}])
    told = {"primary_segment": "None", "persona": "Prospect", "persona_traits": "", "rule_version": "1"}
    shop.holds("customer_segments", [{"customer_id": "C1", "is_premium": False, **told}])
    console = printing.Screen(file=io.StringIO(), width=120)
    console.print(engagement(shop.deployment))
    assert "none: see unknown_because │         1 │ 100.0% │" in console.file.getvalue()


def test_a_dataset_that_no_feed_fills_is_not_assessed(shop: Shop) -> None:
    shop.holds("sources/orders", orders(25, "C1"))
    assert shop.told("orders", is_built=False) == []


def _known(rows: Rows) -> Rows:
    return [{"customer_id": row["customer_id"], "registered_at": row["registration_date"]} for row in rows]
