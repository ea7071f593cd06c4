"""The sample company: repeatable, consistent apart from the planted faults, and true to its own truth."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples.company import files, generator, season
from examples.company.generator import generate

CUSTOMERS = 4_000

COLUMNS = {
    "customer": """
        customer_id first_name last_name gender phone_number email_address date_of_birth:timestamp[us]
        age:int32 education_level marital_status no_of_children:int32 registration_date:timestamp[us]
        occupation hobbies annual_income:double degree_of_loyalty:int32 mailing_street city state
        country zipcode state_code is_premium:bool accepts_email:bool accepts_sms:bool
        accepts_phone:bool preferred_channel
    """,
    "brand": "brand_id brand_name parent_company description brand_type website founded_year headquarters",
    "product": """
        sku_id product_id product_name product_description product_category product_subcategory brand_id
        product_colour product_size list_price:double sale_price:double launched_ts:timestamp[us]
    """,
    "orders": """
        order_id customer_id ordered_at:timestamp[us] order_status order_delivery_date:timestamp[us]
        discounted_amount:double shipping_amount:double total_amount:double payment_method
        billing_address shipping_address transaction_id shipping_city shipping_state shipping_country
        shipping_type has_discount:bool has_promo_code:bool sales_channel
    """,
    "order_line_item": "order_li_id order_id product_id qty:int32 sku_id unit_price:double",
    "transactions": "transaction_id order_id amount:double payment_method transaction_ts:timestamp[us]",
    "web_analytics": """
        activity_uuid session_id visitor_id entity_id visit_start_ts:timestamp[us]
        activity_ts:timestamp[us] event_action page_url product_sku quantity:int32 traffic_channel
        traffic_source device order_id
    """,
    "review": "review_id customer_id sku_id rating:double review_title review_text reviewed_at:timestamp[us]",
    "support_ticket": """
        ticket_id customer_id opened_at:timestamp[us] resolved_at:timestamp[us] contact_channel topic
        priority ticket_status subject
    """,
    "survey_answer": "answer_id customer_id answered_at:timestamp[us] survey_type score:int32 comment",
    "marketing_spend": """
        spend_id spent_on:date32[day] traffic_channel campaign spend_amount:double impressions:int64
        clicks:int64
    """,
    "marketing_touchpoint": """
        touchpoint_id customer_id touched_at:timestamp[us] traffic_channel campaign touch_type
        cost:double
    """,
    "loyalty_ledger": "entry_id customer_id entry_ts:timestamp[us] entry_type points:int32 order_id",
    "truth_customer": """
        customer_id person_id purchase_rate_per_day:double left_at:timestamp[us] mean_order_value:double
        taste
    """,
    "truth_duplicate": "customer_id duplicate_of",
    "truth_product_pair": "sku_a sku_b probability:double",
    "truth_dirty": "dataset row_id column_name fault was",
    "truth_channel_effect": "traffic_channel conversion_rate:double lift:double",
}
WITHOUT_KEY = ("truth_dirty", "truth_product_pair")
REFERENCES = [
    ("product", "brand_id", "brand", "brand_id"),
    ("orders", "customer_id", "customer", "customer_id"),
    ("orders", "transaction_id", "transactions", "transaction_id"),
    ("order_line_item", "order_id", "orders", "order_id"),
    ("order_line_item", "sku_id", "product", "sku_id"),
    ("order_line_item", "product_id", "product", "product_id"),
    ("transactions", "order_id", "orders", "order_id"),
    ("web_analytics", "entity_id", "customer", "customer_id"),
    ("web_analytics", "product_sku", "product", "sku_id"),
    ("web_analytics", "order_id", "orders", "order_id"),
    ("review", "customer_id", "customer", "customer_id"),
    ("review", "sku_id", "product", "sku_id"),
    ("support_ticket", "customer_id", "customer", "customer_id"),
    ("survey_answer", "customer_id", "customer", "customer_id"),
    ("marketing_touchpoint", "customer_id", "customer", "customer_id"),
    ("loyalty_ledger", "customer_id", "customer", "customer_id"),
    ("loyalty_ledger", "order_id", "orders", "order_id"),
    ("truth_customer", "customer_id", "customer", "customer_id"),
    ("truth_duplicate", "duplicate_of", "truth_customer", "customer_id"),
    ("truth_product_pair", "sku_b", "product", "sku_id"),
]
END = "timestamp '2026-06-30 23:59:59'"
# What an independent reader of the tables finds for each planted fault (dataset, column, fault).
FINDINGS = {
    "customer age missing": "select customer_id from customer where age is null",
    "customer age out_of_range": "select customer_id from customer where age not between 13 and 115",
    "customer age disagrees_with_birth_date": f"""
        select customer_id from customer
        where age between 13 and 115 and age <> datesub('year', date_of_birth, {END})
    """,
    "customer email_address blank": "select customer_id from customer where trim(email_address) = ''",
    "customer phone_number missing": "select customer_id from customer where phone_number is null",
    "customer gender misspelt": """
        select customer_id from customer where gender not in ('Female', 'Male', 'Non-binary')
    """,
    "product product_category inconsistent": """
        select sku_id from product join (
            select product_subcategory, mode(product_category) as usual from product group by all
        ) using (product_subcategory) where product_category <> usual
    """,
    "brand description placeholder": "select brand_id from brand where length(description) < 20",
    "orders order_id duplicate_key": """
        select order_id from orders where order_id is not null group by all having count(*) > 1
    """,
    "orders order_delivery_date missing_though_delivered": """
        select order_id from orders where order_status = 'delivered' and order_delivery_date is null
    """,
    "orders order_delivery_date before_order": """
        select order_id from orders where order_delivery_date < ordered_at
    """,
    "orders order_delivery_date too_late": """
        select order_id from orders where order_delivery_date > ordered_at + interval 30 days
    """,
    "web_analytics session_id missing": """
        select activity_uuid from web_analytics where session_id is null
    """,
    "web_analytics session_id implausible_page_views": """
        select activity_uuid from web_analytics where session_id in (
            select session_id from web_analytics group by all having count(*) > 200
        )
    """,
    "transactions amount negative": "select transaction_id from transactions where amount < 0",
    "transactions amount differs_from_order": """
        select distinct transaction_id from transactions join orders using (transaction_id)
        where amount > 0 and abs(amount - total_amount) > 0.005
    """,
    "transactions transaction_ts before_order": """
        select distinct transaction_id from transactions join orders using (transaction_id)
        where transaction_ts < ordered_at
    """,
    "transactions transaction_ts long_after_order": """
        select distinct transaction_id from transactions join orders using (transaction_id)
        where transaction_ts > ordered_at + interval 15 minutes
    """,
}


# The reference score of each dataset, and the shares of rows that pass its three checks.
SCORES = {
    "customer": (80, f"""
        select avg((age between 13 and 115
                and abs(age - datesub('year', date_of_birth, {END})) <= 1 is true)::int),
            (avg((trim(email_address) > '' is true)::int) + avg((trim(phone_number) > '' is true)::int)
                + avg((trim(mailing_street) > '' is true)::int)) / 3,
            avg((gender in ('Female', 'Male', 'Non-binary') is true)::int)
        from customer
    """),
    "product": (95, """
        select avg((trim(product_description) > '' is true)::int), avg((product_category = usual)::int),
            count(distinct sku_id) / count(*)
        from product join (
            select product_subcategory, mode(product_category) as usual from product group by all
        ) using (product_subcategory)
    """),
    "orders": (87, """
        select avg((order_status in ('placed', 'shipped', 'delivered', 'cancelled', 'returned')
                and (order_status <> 'delivered' or order_delivery_date is not null))::int),
            avg((order_delivery_date between ordered_at and ordered_at + interval 30 days)::int),
            avg((o.payment_method is not null and o.payment_method not in ('crdit_card', 'unknown', 'voucher')
                and (o.payment_method = t.payment_method is not false))::int)
        from orders o join transactions t using (transaction_id)
    """),
    "web_analytics": (92, """
        select 1 - avg((session_id in (
                select session_id from web_analytics group by all having count(*) > 200
            ) is true)::int),
            avg((session_id is not null and entity_id is not null and visit_start_ts is not null)::int), 1
        from web_analytics
    """),
    "brand": (97, """
        select count(distinct brand_id) / count(*), avg((length(description) >= 20)::int),
            avg((brand_type in ('private label', 'national', 'luxury', 'designer', 'value'))::int)
        from brand
    """),
    "transactions": (91, """
        select avg((t.order_id is not null and amount is not null and t.payment_method is not null
                and transaction_ts is not null)::int),
            avg((amount > 0 and abs(amount - total_amount) < 0.01)::int),
            avg((transaction_ts between ordered_at and ordered_at + interval 15 minutes)::int)
        from transactions t join orders using (transaction_id)
    """),
}  # fmt: skip


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    out = tmp_path_factory.mktemp("company") / "made"
    generate(out, CUSTOMERS)
    with duckdb.connect() as connection:
        for table in generator.TABLES:
            connection.execute(f"create view {table} as from '{out}/{table}/part-*.parquet'")
        yield connection


def one(company: duckdb.DuckDBPyConnection, query: str) -> float:
    return company.sql(query).fetchone()[0]


def hashes(out: Path) -> dict[str, str]:
    files_made = sorted(out.rglob("*.parquet"))
    return {str(f.relative_to(out)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files_made}


def test_equal_arguments_give_equal_bytes_whatever_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "SMALLEST_CHUNK", 100)
    made = []
    for workers in (1, 3):
        monkeypatch.setattr(generator, "WORKERS", workers)
        generate(tmp_path / str(workers), 300, seed=11)
        made.append(hashes(tmp_path / str(workers)))
    assert made[0] == made[1]
    assert {path.split("/")[0] for path in made[0]} == set(generator.TABLES)


def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    generate(tmp_path / "a", 50, seed=1)
    generate(tmp_path / "b", 50, seed=2)
    assert not set(hashes(tmp_path / "a").values()) & set(hashes(tmp_path / "b").values()) - {
        # The channels' effects are constants.
        hashes(tmp_path / "a")["truth_channel_effect/part-00000.parquet"]
    }


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(customers=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_a_company_may_be_tiny(tmp_path: Path, customers: int, seed: int) -> None:
    rows = generate(tmp_path / "tiny", customers, seed)
    assert list(rows) == list(generator.TABLES)
    assert rows["truth_customer"] == customers
    assert rows == {table: pq.read_table(tmp_path / "tiny" / table).num_rows for table in rows}


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_are_as_promised(table: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.getbasetemp() / "one customer"
    if not out.exists():
        generate(out, 1)
    expected = [tuple((column + ":string").split(":")[:2]) for column in COLUMNS[table].split()]
    for file in (out / table).iterdir():
        assert [(field.name, str(field.type)) for field in pq.read_schema(file)] == expected


@pytest.mark.parametrize(("customers", "seed"), [(0, 7), (-5, 7), (10, -1)])
def test_senseless_arguments_are_refused(tmp_path: Path, customers: int, seed: int) -> None:
    with pytest.raises(ValueError, match=r"ask for at least 1|give 0 or a positive"):
        generate(tmp_path / "out", customers, seed)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="name an empty folder"):
        generate(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failure_leaves_the_earlier_company_untouched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generate(tmp_path / "out", 5)
    before = hashes(tmp_path / "out")

    def full_disk(*_: object) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(files, "write", full_disk)
    with pytest.raises(OSError, match="No space"):
        generate(tmp_path / "out", 6)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert hashes(tmp_path / "out") == before


def test_a_new_company_replaces_the_old_one_and_reports_its_progress(tmp_path: Path) -> None:
    generate(tmp_path / "out", 5)
    told: list[tuple[str, int]] = []
    rows = generate(tmp_path / "out", 6, progress=lambda table, count: told.append((table, count)))
    assert pq.read_table(tmp_path / "out" / "truth_customer").num_rows == 6
    assert {table: sum(n for name, n in told if name == table) for table in rows} == rows


@pytest.mark.parametrize(("table", "column", "parent", "key"), REFERENCES)
def test_references_resolve(
    company: duckdb.DuckDBPyConnection,
    table: str,
    column: str,
    parent: str,
    key: str,
) -> None:
    orphans = f"""
        select count(*) from {table}
        where {column} not in (select {key} from {parent} where {key} is not null)
    """
    assert one(company, orphans) == 0


@pytest.mark.parametrize("table", [table for table in COLUMNS if table not in WITHOUT_KEY])
def test_keys_are_unique_apart_from_the_handful_planted(
    company: duckdb.DuckDBPyConnection,
    table: str,
) -> None:
    key = COLUMNS[table].split()[0]
    surplus = one(company, f"select count(*) - count(distinct {key}) from {table}")
    planted = f"""
        select count(*) from truth_dirty
        where dataset = '{table}' and fault in ('duplicate_key', 'missing_key')
    """
    assert surplus == one(company, planted) <= 7


def test_a_missing_key_is_listed_by_its_position(company: duckdb.DuckDBPyConnection) -> None:
    found = """
        select n from (select row_number() over () - 1 as n, order_id from orders)
        where order_id is null order by n
    """
    listed = """
        select row_id::bigint as n from truth_dirty
        where dataset = 'orders' and fault = 'missing_key' order by n
    """
    assert company.sql(found).fetchall() == company.sql(listed).fetchall() != []


def test_totals_are_lines_less_discount_plus_shipping(company: duckdb.DuckDBPyConnection) -> None:
    wrong = """
        select count(*) from orders o join (
            select order_id, sum(qty * unit_price) as lines from order_line_item group by all
        ) using (order_id)
        where abs(total_amount - (lines - discounted_amount + shipping_amount)) > 0.005
            or discounted_amount < 0 or total_amount <= 0
    """
    assert one(company, wrong) == 0
    empty = """
        select count(*) from orders anti join order_line_item using (order_id) where order_id is not null
    """
    assert one(company, empty) == 0


@pytest.mark.parametrize("planted", FINDINGS)
def test_the_list_of_faults_is_what_is_there(company: duckdb.DuckDBPyConnection, planted: str) -> None:
    dataset, column, fault = planted.split()
    listed = f"""
        select row_id from truth_dirty
        where dataset = '{dataset}' and column_name = '{column}' and fault = '{fault}'
    """
    rows = sorted(row[0] for row in company.sql(FINDINGS[planted]).fetchall())
    assert rows == sorted(row[0] for row in company.sql(listed).fetchall())
    assert rows


def test_the_list_of_faults_repeats_no_personal_value(company: duckdb.DuckDBPyConnection) -> None:
    assert one(company, "select count(was) from truth_dirty where dataset = 'customer'") == 0
    assert one(company, "select count(was) from truth_dirty where dataset = 'orders'") > 0


def test_a_listed_payment_method_was_that_of_the_transaction(company: duckdb.DuckDBPyConnection) -> None:
    listed = """
        from truth_dirty join orders o on row_id = o.order_id join transactions t using (transaction_id)
        where dataset = 'orders' and fault = 'differs_from_transaction'
    """
    assert one(company, f"select count(*) {listed} and t.payment_method <> was") == 0
    assert one(company, f"select count(*) {listed} and t.payment_method = o.payment_method") == 0
    assert one(company, f"select count(*) {listed}") > 0


@pytest.mark.parametrize("dataset", SCORES)
def test_quality_scores_come_near_the_reference(company: duckdb.DuckDBPyConnection, dataset: str) -> None:
    reference, shares = SCORES[dataset]
    assert 100 * sum(company.sql(shares).fetchone()) / 3 == pytest.approx(reference, abs=2)


def test_nothing_happens_before_registration_or_after_the_end(company: duckdb.DuckDBPyConnection) -> None:
    moments = """
        select customer_id, ordered_at as moment from orders
        union all select entity_id, activity_ts from web_analytics where entity_id is not null
        union all select customer_id, reviewed_at from review
        union all select customer_id, opened_at from support_ticket
        union all select customer_id, coalesce(resolved_at, opened_at) from support_ticket
        union all select customer_id, answered_at from survey_answer
        union all select customer_id, touched_at from marketing_touchpoint
        union all select customer_id, entry_ts from loyalty_ledger
    """
    outside = f"""
        select count(*) from ({moments}) join customer using (customer_id)
        where moment < registration_date or moment > {END}
    """
    assert one(company, outside) == 0


def test_nobody_buys_after_leaving(company: duckdb.DuckDBPyConnection) -> None:
    last_orders = """
        select count(*) filter (last_order > left_at), count(*) filter (last_order < left_at), count(*)
        from truth_customer join (select customer_id, max(ordered_at) as last_order from orders group by all)
        using (customer_id) where left_at is not null
    """
    after, earlier, left = company.sql(last_orders).fetchone()
    assert (after, earlier) == (0, 0)
    assert left > CUSTOMERS / 5


def test_purchase_rates_can_be_recovered(company: duckdb.DuckDBPyConnection) -> None:
    # Repeat purchases over the rate times the days at risk: 1 in expectation for each customer.
    ratio = f"""
        select sum(orders - 1) / sum(purchase_rate_per_day * days) from (
            select customer_id, any_value(purchase_rate_per_day) as purchase_rate_per_day, count(*) as orders,
                datediff('second', min(ordered_at), coalesce(any_value(left_at), {END})) / 86400 as days
            from truth_customer join orders using (customer_id) group by all
        )
    """
    assert one(company, ratio) == pytest.approx(1, abs=0.06)


def test_mean_order_values_can_be_recovered(company: duckdb.DuckDBPyConnection) -> None:
    bias, correlation = company.sql("""
        select avg(ln(spent / mean_order_value)), corr(ln(spent), ln(mean_order_value))
        from truth_customer join (
            select customer_id, avg(total_amount + discounted_amount - shipping_amount) as spent
            from orders group by all having count(*) >= 3
        ) using (customer_id)
    """).fetchone()
    assert bias == pytest.approx(0, abs=0.08)
    assert correlation > 0.85


def test_planted_pairs_stand_out(company: duckdb.DuckDBPyConnection) -> None:
    pairs = company.sql("""
        select probability, together / bought_a as confidence,
            confidence / (bought_b / orders) as lift, bought_a
        from truth_product_pair
        join (select sku_id as sku_a, count(*) as bought_a from order_line_item group by all) using (sku_a)
        join (select sku_id as sku_b, count(*) as bought_b from order_line_item group by all) using (sku_b)
        join (select a.sku_id as sku_a, b.sku_id as sku_b, count(*) as together
            from order_line_item a join order_line_item b using (order_id) group by all) using (sku_a, sku_b)
        cross join (select count(distinct order_id) as orders from order_line_item)
    """).fetchall()
    assert len(pairs) >= 0.9 * one(company, "select count(*) from truth_product_pair")
    assert min(lift for _, _, lift, _ in pairs) > 5
    weight = sum(bought for *_, bought in pairs)
    assert sum((c - p) * bought for p, c, _, bought in pairs) / weight == pytest.approx(0, abs=0.06)


def test_sessions_convert_with_the_true_probability_of_their_channel(
    company: duckdb.DuckDBPyConnection,
) -> None:
    channels = company.sql("""
        select conversion_rate, avg(ordered::int), count(*) from truth_channel_effect join (
            select traffic_channel, session_id, count(order_id) > 0 as ordered from web_analytics
            where session_id is not null group by all
        ) using (traffic_channel) group by all
    """).fetchall()
    assert len(channels) == 6
    for truth, rate, sessions in channels:
        assert rate == pytest.approx(truth, abs=4 * (truth * (1 - truth) / sessions) ** 0.5 + 0.004)


def test_every_web_order_is_placed_in_a_session_of_its_buyer_at_its_time(
    company: duckdb.DuckDBPyConnection,
) -> None:
    wrong = """
        with placed as (
            select order_id, product_sku as sku_id, quantity, entity_id, activity_ts
            from web_analytics where event_action = 'order_placed' and activity_uuid is not null
            qualify row_number() over (partition by activity_uuid) = 1
        ), sold as (
            select distinct order_id, sku_id, qty, customer_id, ordered_at
            from orders join order_line_item using (order_id) where sales_channel = 'web'
        )
        select count(*) from sold full join placed using (order_id, sku_id)
        where placed.quantity is distinct from sold.qty
            or (entity_id is not null and entity_id <> customer_id)
            or abs(epoch_ms(activity_ts) - epoch_ms(ordered_at)) > 1
    """
    assert one(company, wrong) == 0


def test_what_is_ordered_was_put_in_the_cart_of_the_same_session_before(
    company: duckdb.DuckDBPyConnection,
) -> None:
    unseen = """
        select count(*) from (select * from web_analytics where event_action = 'order_placed') placed
        anti join (select * from web_analytics where event_action = 'add_to_cart') carted
        on placed.session_id = carted.session_id and placed.product_sku = carted.product_sku
            and placed.quantity = carted.quantity and carted.activity_ts < placed.activity_ts
        where session_id is not null
            and session_id not in (
                select was from truth_dirty where column_name = 'session_id' and was is not null
            )
    """
    assert one(company, unseen) == 0


def test_events_lie_out_of_order_and_some_arrive_late(company: duckdb.DuckDBPyConnection) -> None:
    jumps = """
        select count(*) filter (activity_ts < before), count(*) filter (apart > 10000), count(*) from (
            select activity_ts, lag(activity_ts) over (order by n) as before,
                n - min(n) over (partition by session_id) as apart
            from (select *, row_number() over () as n from web_analytics where session_id is not null)
        )
    """
    backwards, late, events = company.sql(jumps).fetchone()
    assert backwards > 0.05 * events
    assert 0.001 < late / events < 0.02
    assert 40 < one(company, "select count(*) from web_analytics") / CUSTOMERS < 60


def test_loyalty_balances_never_fall_below_zero(company: duckdb.DuckDBPyConnection) -> None:
    # Burns first: whatever the order within one moment, the points must be there.
    balances = """
        select min(balance) from (
            select sum(points) over (
                partition by customer_id order by entry_ts, points rows unbounded preceding
            ) as balance from loyalty_ledger
        )
    """
    assert one(company, balances) >= 0
    signs = "select count(*) from loyalty_ledger where (entry_type = 'earn') <> (points > 0)"
    assert one(company, signs) == 0
    assert one(company, "select count(distinct entry_type) from loyalty_ledger") == 3


def test_second_accounts_are_the_same_person_with_a_few_differences(
    company: duckdb.DuckDBPyConnection,
) -> None:
    pairs = """
        from truth_duplicate d
        join (select distinct * from customer) b on b.customer_id = d.customer_id
        join (select distinct * from customer) a on a.customer_id = d.duplicate_of
        join truth_customer ta on ta.customer_id = a.customer_id
        join truth_customer tb on tb.customer_id = b.customer_id
    """
    assert one(company, f"select count(*) {pairs} where ta.person_id <> tb.person_id") == 0
    assert one(company, f"select count(*) {pairs} where a.date_of_birth <> b.date_of_birth") == 0
    assert 0.4 < one(company, f"select avg((a.last_name <> b.last_name)::int) {pairs}") < 0.8
    assert 0.01 < one(company, "select count(*) from truth_duplicate") / CUSTOMERS < 0.05


def test_review_texts_tell_the_rating(company: duckdb.DuckDBPyConnection) -> None:
    praise = "(review_text ilike '%love%' or review_text ilike '%recommend it to everyone%')::int"
    best, worst = company.sql(
        f"select avg({praise}) filter (rating = 5), avg({praise}) filter (rating = 1) from review"
    ).fetchone()
    assert best > 0.3 > 0.1 > worst


def test_places_and_people_are_invented_but_plausible(company: duckdb.DuckDBPyConnection) -> None:
    assert one(company, "select count(distinct state) from customer where country = 'United States'") == 50
    assert 0 < one(company, "select avg((country <> 'United States')::int) from customer") < 0.03
    mails = """
        select count(*) from customer
        where not regexp_matches(trim(email_address), '@example\\.(com|org|net)$|^$')
    """
    assert one(company, mails) == 0
    phones = """
        select count(*) from customer where country = 'United States'
            and not regexp_matches(trim(phone_number), '^$|^\\+1-[0-9]{3}-555-01[0-9]{2}')
    """
    assert one(company, phones) == 0


def test_the_span_is_two_years() -> None:
    assert (season.END - season.START + season.SECOND) == season.DAYS * season.DAY
