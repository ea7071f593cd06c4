"""The mappings of real data: published numbers, plain loops over the raw files, and the laws that tables obey."""

import csv
import gzip
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ibis import _

from c360_assets.models import action_model, churn_examples, churn_model
from c360_assets.terms import actions, classifiers, judging, trials
from c360_assets.terms.churn import Examples, telling
from c360_assets.terms.classifiers import Candidate
from resources.deployment import Deployment
from resources.feeds import Feeds
from tests.deriving import Derived, derived, loaded, quick_models
from tests.running import deployed, run
from tests.second import analytics, serving
from tests.second.compared import differences, frame, second
from tests.second.published import Published
from tests.tables import CONTRACTS, function_of

PROJECT = Path(__file__).parents[2]
DATA = Path(os.environ.get("C360_DATA") or PROJECT.parent / "shared" / "data")
FILES = {
    "online_retail": "online_retail/online_retail.csv.gz",
    "customer_shopping_trends": "customer_shopping_trends/shopping_behavior_updated.csv",
    "cdnow": "cdnow/CDNOW_master.txt",
    "simple_shop": "retentioneering_simple_shop/ecom.csv.gz",
    "groceries": "groceries/groceries.csv",
}
WITHOUT_HEADER = ("groceries",)
HALF_YEAR = datetime(2011, 6, 30, 23, 59, 59)
# How the dated files write the moment of a row, and a moment in the middle of each.
MOMENTS = {
    "online_retail": (rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%Y-%m-%d %H:%M:%S", HALF_YEAR),
    "cdnow": (rb"\b199\d{5}\b", "%Y%m%d", datetime(1997, 2, 15)),
    "simple_shop": (rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%Y-%m-%d %H:%M:%S", datetime(2024, 3, 31, 12, 0, 0)),
}
EVENTS = {
    "product_view": "product_view",
    "wishlist_add": "add_to_favorite",
    "add_to_cart": "add_to_cart",
    "shipping_details": "checkout",
    "payment_details": "checkout",
    "purchase": "order_placed",
}

# One example makes all tables, the others what is asked of them.
PROFILED = (*(key for key, contract in CONTRACTS.items() if contract.layer == "conformed"), "customer_360")

Derive = Callable[..., Derived]
Held = Deployment | Derived


@pytest.fixture(scope="module")
def derive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derive]:
    """`derive(name, data, as_of, only=...)`: what an example makes of a folder of data, by its tables' functions."""
    with ExitStack() as opened:

        def derive(name: str, data: Path, as_of: str | None = None, **chosen: Any) -> Derived:
            deployment = deployed(mapping(name), tmp_path_factory.mktemp(name), C360_DATA=str(data))
            opened.callback(deployment.close)
            return derived(deployment, loaded(deployment), as_of, **chosen)

        yield derive


@pytest.fixture(scope="module")
def online_retail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Online Retail after a whole run, with tables in the lake, all checks and quick models."""
    deployment = deployed(mapping("online_retail"), tmp_path_factory.mktemp("online_retail"), C360_DATA=str(DATA))
    with quick_models():
        run(deployment)
    yield deployment
    deployment.close()


@pytest.fixture(scope="module")
def online_retail_by_hand(online_retail: Deployment) -> dict[str, pd.DataFrame]:
    tables = second(online_retail, online_retail.settings.clock)
    return tables | {"customer_360": serving.customer_360(tables, partial(frame, online_retail))}


@pytest.fixture(scope="module")
def shopping_trends(derive: Derive) -> Derived:
    return derive("customer_shopping_trends", DATA)


@pytest.fixture(scope="module")
def cdnow(derive: Derive) -> Derived:
    return derive("cdnow", DATA, only=PROFILED)


@pytest.fixture(scope="module")
def simple_shop(derive: Derive) -> Derived:
    return derive("simple_shop", DATA, only=PROFILED)


@pytest.fixture(scope="module")
def groceries(derive: Derive) -> Derived:
    return derive("groceries", DATA, only=PROFILED)


# What the texts of the contracts say, computed by a second hand.


@pytest.mark.parametrize("key", ["products", "customers", "orders", "order_lines", "customer_360"])
def test_a_table_of_online_retail_is_what_its_contract_says(
    online_retail: Deployment, online_retail_by_hand: dict[str, pd.DataFrame], key: str
) -> None:
    assert differences(online_retail_by_hand[key], frame(online_retail, key), CONTRACTS[key]) == {}


@pytest.mark.parametrize("name", ["shopping_trends", "simple_shop", "groceries"])
def test_conformed_tables_of_an_example_are_what_their_contracts_say(request: pytest.FixtureRequest, name: str) -> None:
    held = request.getfixturevalue(name)
    ours = second(held, held.deployment.settings.clock)
    found = {key: differences(rows, frame(held, key), CONTRACTS[key]) for key, rows in ours.items()}
    assert found == {key: {} for key in ours}


# Online Retail: the numbers are the published ones, or follow from them by the rules in the mapping's comment.


def test_online_retail_loses_no_line(online_retail: Deployment) -> None:
    assert count(online_retail, "sources/order_line_item") == 541_909
    assert count(online_retail, "order_lines") == 541_909
    assert count(online_retail, "orders") == 25_900
    assert count(online_retail, "products") == 4_070
    assert count(online_retail, "customers") == 4_372
    assert count(online_retail, "quarantine") == 0


def test_online_retail_lines_are_worth_what_the_file_says(online_retail: Deployment) -> None:
    lines = table(online_retail, "order_lines")
    assert value(lines.line_amount.sum()) == Decimal("9747747.934")
    assert value(lines.customer_id.isnull().sum()) == 135_080
    assert value((lines.line_kind == "return").sum()) == 9_288


def test_online_retail_sales_to_known_customers_are_the_published_ones(online_retail: Deployment) -> None:
    orders = table(online_retail, "orders").filter(_.is_completed, _.customer_id.notnull())
    lines = table(online_retail, "order_lines").filter(_.line_kind == "sale", _.customer_id.notnull())
    customers = table(online_retail, "rfm")
    assert value(orders.count()) == 18_532
    assert value(lines.count()) == 397_884
    assert value(customers.count()) == 4_338
    for amount in (orders.order_amount, lines.line_amount, lines.net_amount, customers.gross_monetary):
        assert value(amount.sum()) == Decimal("8911407.904")


def test_the_best_customer_of_online_retail_is_described_to_the_penny(online_retail: Deployment) -> None:
    best = table(online_retail, "customer_360").filter(_.customer_id == "14646")
    described = best.select("recency_days", "frequency", "gross_monetary", "monetary", "country", "rfm_code")
    assert rows(described) == [(1, 73, Decimal("280206.0200"), Decimal("279489.0200"), "Netherlands", "555")]


def test_rfm_of_online_retail_equals_a_recomputation_in_pandas(online_retail: Deployment) -> None:
    measures = ["recency_days", "frequency", "mills", "recency_score", "frequency_score", "monetary_score"]
    rfm = table(online_retail, "rfm").mutate(mills=(_.monetary * 1000).cast("int64"))
    ours = {row[0]: row[1:] for row in rows(rfm.select("customer_id", *measures))}
    expected = recomputed_rfm(DATA / FILES["online_retail"])
    assert ours == dict(zip(expected.index, expected[measures].itertuples(index=False, name=None), strict=True))


@pytest.fixture(scope="module")
def published(online_retail: Deployment) -> Published:
    return Published(online_retail)


@pytest.mark.parametrize("name", analytics.TABLES)
def test_the_table_of_online_retail_is_what_its_contract_says(published: Published, name: str) -> None:
    assert analytics.differing(published, name) == []


def test_later_invoices_do_not_change_what_was_known_as_of_the_middle_of_the_year(
    derive: Derive, online_retail: Deployment, tmp_path: Path
) -> None:
    filled = filled_tables(online_retail)
    whole = derive("online_retail", DATA, HALF_YEAR.isoformat(), only=filled)
    earlier = copied("online_retail", tmp_path, only_until("online_retail"))
    truncated = derive("online_retail", earlier, HALF_YEAR.isoformat(), only=filled)
    assert 0 < count(truncated, "sources/order_line_item") < 541_909
    assert differing(whole, truncated) == {}


def test_the_order_of_invoice_lines_changes_no_table(derive: Derive, online_retail: Deployment, tmp_path: Path) -> None:
    data, filled = copied("online_retail", tmp_path, shuffled), filled_tables(online_retail)
    again = derive("online_retail", data, only=filled)
    assert differing(online_retail, again) == {}


# Customer Shopping Trends.


def test_shopping_trends_describes_every_customer(shopping_trends: Derived) -> None:
    profiles = table(shopping_trends, "customer_360")
    assert value(profiles.count()) == 3_900
    assert value(profiles.monetary.sum()) == Decimal(233_081)
    assert value(profiles.is_premium.sum()) == 1_053
    assert rows(profiles.gender.value_counts(name="n").order_by("gender")) == [("female", 1_248), ("male", 2_652)]
    assert value(profiles.state_code.nunique()) == 50
    assert count(shopping_trends, "quarantine") == 0


def test_shopping_trends_has_a_persona_for_everyone_and_says_what_it_cannot_know(shopping_trends: Derived) -> None:
    profiles = table(shopping_trends, "customer_360")
    for known in (
        "persona",
        "persona_traits",
        "category_preferences",
        "preferred_category",
        "price_range",
        "value_tier",
    ):
        assert value(profiles[known].count()) == 3_900, known
    for unknown in ("session_count", "engagement_minutes", "activity_trend", "lifecycle_stage", "recent_order_count"):
        assert value(profiles[unknown].count()) == 0, unknown
    # Everybody has one order, of no date: nobody is more engaged than others.
    assert value(profiles.engagement_level.count()) == value(profiles.customer_segment.count()) == 0
    for told in ("engagement_level: no order has a date", "web behaviour: no web events"):
        assert value(profiles.unknown_because.contains(told).all())
    personas = dict(rows(profiles.persona.value_counts(name="n")))
    assert {"Premium Loyalist", "Bargain Hunter", "Quality Seeker"} <= set(personas)
    assert min(personas.values()) < max(personas.values()) < 3_000


@pytest.mark.parametrize(
    ("key", "count", "rows_told"), [("hourly_activity", "session_count", 168), ("funnel", "session_count", 4)]
)
def test_shopping_trends_has_no_hours_and_no_funnel_and_says_why(
    shopping_trends: Derived, key: str, count: str, rows_told: int
) -> None:
    found = table(shopping_trends, key)
    assert value(found.count()) == rows_told
    assert value(found[count].count()) == 0
    assert value(found.reason.count()) == rows_told


def test_customers_without_dates_have_no_recency(shopping_trends: Derived) -> None:
    profiles = table(shopping_trends, "customer_360")
    undated = profiles.recency_days.isnull() & profiles.rfm_code.isnull() & profiles.as_of.isnull()
    assert value(undated.all())
    assert value((profiles.frequency == 1).all())


def test_shopping_trends_keeps_the_mean_rating(shopping_trends: Derived) -> None:
    reviews = table(shopping_trends, "sources/review")
    assert value(reviews.count()) == 3_900
    assert round(value(reviews.rating.mean()), 2) == 3.75


def test_each_of_the_eighteen_fields_of_shopping_trends_can_be_read_back(shopping_trends: Derived) -> None:
    with (DATA / FILES["customer_shopping_trends"]).open(encoding="utf-8", newline="") as file:
        _header, *expected = csv.reader(file)
    customer, orders, line, product, review = (
        table(shopping_trends, f"sources/{name}")
        for name in ("customer", "orders", "order_line_item", "product", "review")
    )
    joined = (
        customer.join(orders, "customer_id")
        .join(line, "order_id")
        .join(product.drop("product_id"), "sku_id")
        .join(review.drop("sku_id"), "customer_id")
    )
    yes_or_no = {flag: joined[flag].ifelse("Yes", "No") for flag in ("is_premium", "has_discount", "has_promo_code")}
    fields = joined.select(
        joined.customer_id,
        joined.age.cast("string"),
        joined.gender,
        joined.product_id,
        joined.product_category,
        joined.unit_price.cast("int64").cast("string"),
        joined.state,
        joined.product_size,
        joined.product_colour,
        joined.season,
        joined.rating.cast("string").re_replace(r"\.0$", ""),
        yes_or_no["is_premium"].name("premium"),
        joined.shipping_type,
        yes_or_no["has_discount"].name("discount"),
        yes_or_no["has_promo_code"].name("promo"),
        joined.previous_purchases.cast("string"),
        joined.payment_method,
        joined.purchase_frequency,
    )
    assert sorted(rows(fields)) == sorted(map(tuple, expected))


# CDNOW.


def test_cdnow_orders_equal_a_plain_loop_over_the_file(cdnow: Derived) -> None:
    bought: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for line in (DATA / FILES["cdnow"]).read_text(encoding="ascii").splitlines()[1:]:
        customer, day, _cds, dollars = line.split()
        bought[customer].append((datetime.strptime(day, "%Y%m%d").date(), Decimal(dollars)))
    last_day = date(1998, 6, 30)
    expected = {
        customer: ((last_day - max(days)).days, len(days), sum(amounts))
        for customer, (days, amounts) in (
            (customer, tuple(zip(*orders, strict=True))) for customer, orders in bought.items()
        )
    }
    measured = table(cdnow, "customer_360").select("customer_id", "recency_days", "frequency", "monetary")
    assert {customer: measures for customer, *measures in rows(measured)} == {
        customer: list(measures) for customer, measures in expected.items()
    }
    assert value(table(cdnow, "orders").order_amount.sum()) == sum(amount for _, _, amount in expected.values())


def test_cdnow_is_69_659_orders_of_23_570_customers(cdnow: Derived) -> None:
    orders = table(cdnow, "orders")
    assert value(orders.count()) == 69_659
    assert value(orders.customer_id.nunique()) == 23_570
    assert value(((orders.order_amount == 0) & orders.is_completed).sum()) == 80
    assert count(cdnow, "order_lines") == 0
    assert count(cdnow, "quarantine") == 0


# Simple shop.


def test_simple_shop_events_equal_a_plain_loop_over_the_file(simple_shop: Derived) -> None:
    with gzip.open(DATA / FILES["simple_shop"], "rt", encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    events = table(simple_shop, "sources/web_analytics")
    actions = Counter(EVENTS.get(event["event"], "page_view") for event in expected)
    pages = Counter(event["event"] for event in expected if EVENTS.get(event["event"], "checkout") == "checkout")
    assert value(events.count()) == len(expected) == 31_106
    assert value(events.activity_uuid.nunique()) == 31_106
    assert value(events.entity_id.nunique()) == len({event["user_id"] for event in expected}) == 600
    assert value(events.session_id.nunique()) == len({event["session_id"] for event in expected}) == 3_605
    assert dict(rows(events.event_action.value_counts())) == actions
    assert dict(rows(events.filter(_.page_url.notnull()).page_url.value_counts())) == pages
    assert count(simple_shop, "quarantine") == 0


def test_simple_shop_visits_start_with_their_first_event(simple_shop: Derived) -> None:
    events = table(simple_shop, "sources/web_analytics")
    visits = events.group_by("session_id").agg(
        starts=_.visit_start_ts.nunique(), is_first=_.visit_start_ts.min() == _.activity_ts.min()
    )
    assert value(((visits.starts == 1) & visits.is_first).all())


def test_simple_shop_counts_what_each_user_did(simple_shop: Derived) -> None:
    with gzip.open(DATA / FILES["simple_shop"], "rt", encoding="utf-8", newline="") as file:
        done = Counter((event["user_id"], event["event"]) for event in csv.DictReader(file))
    profiles = table(simple_shop, "customer_360").select(
        "customer_id", "product_view_count", "favorite_count", "cart_count"
    )
    expected = {
        (user, *(done[user, event] for event in ("product_view", "wishlist_add", "add_to_cart")))
        for user, _event in done
    }
    assert len(expected) == 600
    assert set(rows(profiles)) == expected


def test_simple_shop_users_are_customers_though_nobody_knows_when_they_registered(simple_shop: Derived) -> None:
    profiles = table(simple_shop, "customer_360")
    assert value(profiles.count()) == 600
    assert not value(profiles.is_registered.any())
    assert value(table(simple_shop, "order_placed").count()) == 470


# Groceries.


def test_groceries_baskets_hold_what_the_file_says(groceries: Derived) -> None:
    lines = table(groceries, "order_lines").group_by("order_id").agg(items=_.product_id.collect())
    ours = Counter(tuple(sorted(items)) for (items,) in rows(lines.select("items")))
    baskets = (DATA / FILES["groceries"]).read_text(encoding="utf-8").splitlines()
    assert ours == Counter(tuple(sorted(item.strip() for item in basket.split(","))) for basket in baskets)


def test_groceries_is_9_835_anonymous_baskets_of_169_items(groceries: Derived) -> None:
    orders = table(groceries, "orders")
    assert value(orders.count()) == 9_835
    assert value((orders.is_anonymous & orders.ordered_at.isnull()).all())
    assert count(groceries, "products") == 169
    assert count(groceries, "order_lines") == 43_367
    assert count(groceries, "customer_360") == 0
    assert count(groceries, "quarantine") == 0


# Laws of the mappings themselves, on the datasets they fill.


@pytest.mark.parametrize("name", [name for name in FILES if name != "online_retail"])
def test_the_order_of_rows_changes_no_dataset(name: str, tmp_path: Path) -> None:
    whole = datasets(name, DATA, tmp_path)
    again = datasets(name, copied(name, tmp_path, shuffled), tmp_path)
    assert whole.keys() == again.keys()
    assert {dataset: difference(whole[dataset], again[dataset]) for dataset in whole} == dict.fromkeys(whole, 0)


@pytest.mark.parametrize("name", ["cdnow", "simple_shop"])
def test_later_rows_change_no_earlier_row_of_a_dataset(name: str, tmp_path: Path) -> None:
    _pattern, _written, last = MOMENTS[name]
    whole = datasets(name, DATA, tmp_path)
    earlier = {
        dataset: held.filter(pc.field(CONTRACTS[f"sources/{dataset}"].event_time) <= pa.scalar(last))
        for dataset, held in whole.items()
    }
    truncated = datasets(name, copied(name, tmp_path, only_until(name)), tmp_path)
    assert all(0 < earlier[dataset].num_rows < whole[dataset].num_rows for dataset in whole)
    assert {dataset: difference(earlier[dataset], truncated[dataset]) for dataset in whole} == dict.fromkeys(whole, 0)


# Churn within 90 days of a cutoff, for everybody: what is known of these files.
UNDATED = ("customers", "products", "contacts", "as_of")


def test_churn_of_online_retail_is_foreseen_better_than_by_recency_or_frequency(online_retail: Deployment) -> None:
    seen, unseen, whole = within_90_days(online_retail.read("churn_examples").to_pyarrow())
    assert (len(unseen), round(float(unseen.has_churned.mean()), 2)) == (3_370, 0.43)
    tried = churn_model.trials(seen, unseen, whole)
    auc = {name: judging.measured(trial.said, unseen.has_churned) for name, trial in tried.items()}
    assert (round(auc["recency alone"], 3), round(auc["frequency alone"], 3)) == (0.683, 0.722)
    assert auc[trials.best_in_training(tried, churn_model.SIMPLE, seen.has_churned)] >= 0.745
    assert judging.measured(tried["ensemble"].said, unseen.has_churned, judging.brier) <= 0.206


def test_churn_of_cdnow_is_foreseen_better_than_by_recency_or_expected_purchases(cdnow: Derived) -> None:
    as_of = datetime(1997, 12, 29)
    held = {name: cdnow.read(name) for name in (*churn_examples.HAPPENED, *UNDATED)}
    held["orders"] = held["orders"].filter(_.ordered_at <= as_of)
    held["as_of"] = held["as_of"].mutate(as_of=ibis.literal(as_of, type="timestamp(6)"))
    seen, unseen, _whole = within_90_days(function_of(churn_examples.churn_examples)(**held).to_pyarrow())
    logistic = classifiers.trained(Candidate("all", classifiers.logistic), told_apart(seen), seen.has_churned)
    auc = judging.measured(classifiers.probabilities(logistic, unseen.columns), unseen.has_churned)
    recency = judging.measured(unseen.columns["recency_days"] / 10, unseen.has_churned)
    assert round(recency, 3) == 0.763
    assert auc > 0.773


def test_orders_of_the_next_month_are_foreseen_better_than_by_any_number_in_online_retail(
    online_retail: Deployment,
) -> None:
    found = foreseen(online_retail.read("churn_examples"))
    assert (found.count, round(found.share, 3)) == (3_370, 0.289)
    assert found.auc["ensemble"] >= 0.73
    assert round(found.auc["recency alone"], 2) == 0.65
    gain, low, _ = found.gains["ensemble"]
    assert gain >= 0.01
    assert low > 0


def test_orders_of_the_next_month_are_foreseen_better_than_by_any_number_on_cdnow(cdnow: Derived) -> None:
    found = foreseen(cdnow.read("churn_examples"))
    assert (found.count, round(found.share, 3)) == (23_570, 0.063)
    assert found.auc["ensemble"] >= 0.833
    assert found.auc["expected purchases"] <= 0.83
    assert found.gains["ensemble"][1] > 0


def foreseen(examples: ir.Table) -> SimpleNamespace:
    """How well orders within 30 days are told of customers who were not seen in training."""
    rows = examples.order_by("customer_id", "cutoff_at").to_pyarrow()
    parts = (rows.filter(pc.invert(rows["is_judged"])), rows.filter(rows["is_judged"]), rows)
    seen, unseen, whole = (actions.known(actions.PURCHASE, part) for part in parts)
    tried = action_model.trials(actions.PURCHASE, seen, unseen, whole)
    simple = [candidate.name for candidate in action_model.baselines(actions.PURCHASE)]
    _, gains = trials.chosen(tried, simple, seen.happened, unseen.happened)
    auc = {name: judging.measured(trial.said, unseen.happened) for name, trial in tried.items()}
    return SimpleNamespace(count=len(unseen), share=float(unseen.happened.mean()), auc=auc, gains=gains)


def within_90_days(rows: pa.Table) -> list[Examples]:
    """The examples to learn from, to judge by, and all of them, each with the horizon of 90 days."""
    days = pc.fill_null(rows["next_order_days"], 1_000)
    fixed = rows.drop(["has_churned", "horizon_days"])
    fixed = fixed.append_column("has_churned", pc.greater(days, 90))
    fixed = fixed.append_column("horizon_days", pa.array([90] * len(rows), pa.int32()))
    fixed = fixed.sort_by([("customer_id", "ascending"), ("cutoff_at", "ascending")])
    is_judged = fixed["is_judged"]
    return [Examples.of(part) for part in (fixed.filter(pc.invert(is_judged)), fixed.filter(is_judged), fixed)]


def told_apart(examples: Examples) -> dict[str, Any]:
    return {name: examples.columns[name] for name in telling(examples.columns)}


def test_churn_of_telco_is_foreseen_as_well_as_published() -> None:
    people = pd.read_csv(DATA / "telco_churn" / "Telco-Customer-Churn.csv").sort_values("customerID")
    has_churned = (people.Churn == "Yes").to_numpy()
    told = people.drop(columns=["customerID", "Churn", "TotalCharges"]).assign(tenure=np.log1p(people.tenure))
    columns = {name: column.to_numpy(dtype=float) for name, column in pd.get_dummies(told, drop_first=True).items()}
    folds = np.arange(len(people)) % 5
    said = [
        classifiers.cross_trained(Candidate(fit.__name__, fit), columns, has_churned, folds)
        for fit in (classifiers.logistic, classifiers.boosting, classifiers.network)
    ]
    for one in (*said, np.mean(said, axis=0)):
        assert judging.measured(one, has_churned) >= 0.845


def mapping(name: str) -> Path:
    """The example's c360.yaml; skips the test where its data is not there."""
    if not (DATA / FILES[name]).is_file():
        pytest.skip(f"There is no {FILES[name]} in the folder of real data; set C360_DATA to that folder.")
    return PROJECT / "examples" / name / "c360.yaml"


def table(held: Held, key: str) -> ir.Table:
    return held.read(key)


def count(held: Held, key: str) -> int:
    return value(table(held, key).count())


def value(scalar: ir.Scalar) -> Any:
    return scalar.to_pyarrow().as_py()


def rows(held: ir.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in held.to_pyarrow().columns), strict=True))


def datasets(name: str, data: Path, home: Path) -> dict[str, pa.Table]:
    """The datasets an example's feeds give, without running anything else; none of their rows is set aside."""
    deployment = deployed(mapping(name), home, C360_DATA=str(data))
    try:
        loads = {
            dataset: Feeds(deployment).load(deployment.contracts[f"sources/{dataset}"]) for dataset in deployment.feeds
        }
        assert all(load.quarantined_count == 0 for load in loads.values())
        return {dataset: load.rows.to_pyarrow() for dataset, load in loads.items()}
    finally:
        deployment.close()


def filled_tables(held: Deployment) -> list[str]:
    """The derived tables that have rows; what has none of a year's invoices has none of the same in another order."""
    derived = [key for key, contract in CONTRACTS.items() if contract.layer not in ("sources", "operations")]
    return [key for key in derived if count(held, key)]


def differing(one: Held, other: Derived) -> dict[str, int]:
    """Which tables are not the same in both, of those `other` derives, with the number of rows that only one has."""
    derived = [key for key in other.tables if CONTRACTS[key].layer not in ("sources", "operations")]
    suspects = [key for key in derived if fingerprint(one, key) != fingerprint(other, key)]
    return {key: difference(runless(one, key).to_pyarrow(), runless(other, key).to_pyarrow()) for key in suspects}


def fingerprint(held: Held, key: str) -> tuple[Any, ...]:
    """A digest of the rows, whatever their order: comparing hundreds of thousands row by row takes long."""
    engine = held.deployment.engine if isinstance(held, Derived) else held.engine
    rows = engine.sql_of(runless(held, key))
    return engine.query(f"SELECT count(*), sum(hash(held)::HUGEINT) FROM ({rows}) AS held")[0]


def runless(held: Held, key: str) -> ir.Table:
    """A table without the ids of runs, which no two deployments share."""
    rows = table(held, key)
    return rows.drop("run_id") if "run_id" in rows.columns else rows


def difference(one: pa.Table, other: pa.Table) -> int:
    """How many rows are in one of two tables and not in the other; a row that is there twice counts twice."""
    with duckdb.connect() as engine:
        engine.register("one", one)
        engine.register("other", other)
        apart = "(FROM one EXCEPT ALL FROM other) UNION ALL (FROM other EXCEPT ALL FROM one)"
        return engine.sql(f"SELECT count(*) FROM ({apart})").fetchone()[0]


def copied(name: str, folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    """A folder of data that holds the example's file with changed rows; no row of any of the files spans lines."""
    mapping(name)
    original, copy = DATA / FILES[name], folder / "data" / FILES[name]
    is_packed = original.suffix == ".gz"
    content = gzip.decompress(original.read_bytes()) if is_packed else original.read_bytes()
    lines = content.splitlines(keepends=True)
    header = 0 if name in WITHOUT_HEADER else 1
    changed = b"".join([*lines[:header], *change(lines[header:])])
    copy.parent.mkdir(parents=True)
    copy.write_bytes(gzip.compress(changed, compresslevel=1) if is_packed else changed)
    return folder / "data"


def shuffled(lines: list[bytes]) -> list[bytes]:
    return random.Random(7).sample(lines, len(lines))


def only_until(name: str) -> Callable[[list[bytes]], list[bytes]]:
    """Keeps the rows of a dated file up to the moment in the middle that MOMENTS names."""
    pattern, written, last = MOMENTS[name]
    limit = last.strftime(written).encode()
    return lambda lines: [line for line in lines if re.search(pattern, line)[0] <= limit]


def recomputed_rfm(file: Path) -> pd.DataFrame:
    """RFM of the raw invoice lines without any of the product's code; amounts in thousandths, which are exact."""
    lines = pd.read_csv(file, dtype={"InvoiceNo": str, "CustomerID": str}, parse_dates=["InvoiceDate"])
    newest = lines.InvoiceDate.max()
    is_sale = lines.InvoiceNo.str.isdigit() & (lines.Quantity > 0) & (lines.UnitPrice > 0)
    sales = lines[is_sale & lines.CustomerID.notna()]
    sales = sales.assign(
        customer_id=sales.CustomerID.str.removesuffix(".0"),
        mills=(sales.UnitPrice * 1000).round().astype("int64") * sales.Quantity,
    )
    bought = sales.groupby("customer_id").agg(
        last=("InvoiceDate", "max"), frequency=("InvoiceNo", "nunique"), mills=("mills", "sum")
    )
    credited = lines[lines.InvoiceNo.str.startswith("C") & lines.CustomerID.notna()]
    refunds = (credited.UnitPrice * 1000).round().astype("int64") * credited.Quantity
    refunded = refunds.groupby(credited.CustomerID.str.removesuffix(".0")).sum()
    bought["mills"] += refunded.reindex(bought.index, fill_value=0)
    bought["recency_days"] = (newest.normalize() - bought["last"].dt.normalize()).dt.days
    for score, measure in (
        ("recency_score", -bought.recency_days),
        ("frequency_score", bought.frequency),
        ("monetary_score", bought.mills),
    ):
        # Twice those who are worse, and those who are equal: the ends of their places, added.
        ends = measure.rank(method="min") - 1 + measure.rank(method="max")
        bought[score] = 1 + 5 * ends.astype("int64") // (2 * len(bought))
    return bought


def test_the_quality_of_online_retail_names_what_a_steward_would_act_on(online_retail: Deployment) -> None:
    raw = pd.read_csv(DATA / FILES["online_retail"], dtype={"InvoiceNo": str, "StockCode": str})
    line = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice"]
    results = online_retail.operations.rows("quality_results").to_pylist()
    failing = {(row["dataset"], row["rule"]): row["failing"] for row in results}
    assert failing["sources/order_line_item", "quantity_positive"] == (raw.Quantity <= 0).sum() == 10_624
    assert failing["sources/order_line_item", "price_above_zero"] == (raw.UnitPrice <= 0).sum() == 2_517
    assert failing["sources/order_line_item", "lines_differ"] == raw.duplicated(line, keep=False).sum()
    nameless = raw[raw.CustomerID.isna()].InvoiceNo.nunique()
    assert failing["sources/orders", "customer_named"] == nameless == 3_710
    scores = {row["dataset"]: row["score"] for row in online_retail.operations.rows("quality_scores").to_pylist()}
    assert 99 < scores["sources/order_line_item"] < 100
    assert scores["sources/web_analytics"] is None
