"""SQL of a deployment reaches the rows of its connectors and nothing else, whatever is tried."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import pytest

from governance.quality import NEEDS
from resources.conditions import refusal
from resources.deployment import Deployment, Feed, Settings
from resources.feeds import FeedError, Feeds
from resources.statements import OUTSIDE
from tests.tables import CONTRACTS

ORDERS = CONTRACTS["sources/orders"]
FIRST = "select bon as order_id"
# What a select tries, by what it is about; {secret} is a file that no connector names, {loot} one that must not be.
ATTEMPTS = {
    # Statements beside or instead of a SELECT.
    "a parenthesis too many": "select 1) TO '{loot}' (FORMAT csv); --",
    "a parenthesis, and another table": "select 1 as order_id), (select content from read_text('{secret}')",
    "a statement after it": "from raw; copy (select 1) to '{loot}'",
    "a statement before it": "copy raw to '{loot}'; from raw",
    "COPY": "copy (select 1) to '{loot}'",
    "COPY FROM": "copy raw from '{secret}'",
    "ATTACH": "attach '{loot}' as evil",
    "ATTACH by a parenthesis": "select 1); attach '{loot}' as evil; (select 2",
    "INSTALL": "install httpfs",
    "LOAD": "load '{loot}'",
    "SET": "set memory_limit = '1GB'",
    "RESET": "reset memory_limit",
    "PRAGMA": "pragma database_list",
    "CALL": "call pragma_version()",
    "EXPORT": "export database '{loot}'",
    "CREATE": "create table evil as from raw",
    "a macro": "create macro evil() as table from read_text('{secret}')",
    "a secret": "create secret (type s3)",
    "EXPLAIN": "explain analyze from raw",
    "PREPARE": "prepare evil as from raw",
    "EXECUTE": "execute evil",
    "DESCRIBE": "describe quarantine",
    "DESCRIBE inside": "from (describe quarantine)",
    "SHOW": "from (show all tables)",
    "SUMMARIZE": "from (summarize raw)",
    "DELETE in WITH": "with gone as (delete from quarantine returning *) from gone",
    "a parameter": "select $1 as order_id from raw",
    "nothing": "",
    "a comment alone": "-- from raw",
    "a comment that does not end": "from raw /* ",
    "a zero byte": "from raw \0) to '{loot}'",
    # Files and addresses.
    "a file as a table": "from '{secret}'",
    "a quoted file as a table": 'select * from "{secret}"',
    "a file of the web": "from 'https://example.org/orders.csv'",
    "a file of a bucket": "from 's3://bucket/orders.parquet'",
    "a glob as a table": "from '/etc/*.csv'",
    "a file of a schema": "from main.\"{secret}\"",
    "read_text": "from read_text('{secret}')",
    "read_text of a network": "from read_text('http://169.254.169.254/latest/meta-data')",
    "read_csv": "from read_csv('{secret}')",
    "read_csv with options": "from read_csv('{secret}', header = false, columns = {'a': 'varchar'})",
    "read_blob": "from read_blob('{secret}')",
    "read_json": "from read_json('{secret}')",
    "read_parquet": "from read_parquet(['{secret}'])",
    "parquet_scan": "from parquet_scan('{secret}')",
    "parquet_metadata": "from parquet_metadata('{secret}')",
    "read_duckdb": "from read_duckdb('{secret}')",
    "sniff_csv": "from sniff_csv('{secret}')",
    "glob": "from glob('/**')",
    "in capitals": "from READ_TEXT('{secret}')",
    "in quotes": "from \"read_text\"('{secret}')",
    "by its schema": "from main.read_text('{secret}')",
    "by catalogue and schema": "from system.main.read_text('{secret}')",
    "a comment between": "from read_text/* raw */('{secret}')",
    "unicode blanks": "from\u00a0read_text\u2003('{secret}')",
    "dollar quotes": "from read_text($$ {secret} $$)",
    "nested quotes": "from read_text('{secret}''; --')",
    "a name in escapes": "from U&'\\0072ead'",
    # Other tables of the engine, and what it knows.
    "another table": "select 1 as order_id from quarantine",
    "a table of a schema": "from information_schema.tables",
    "a table of a catalogue": "from system.information_schema.tables",
    "pg_catalog": "from pg_catalog.pg_tables",
    "sqlite_master": "from sqlite_master",
    "TABLE": "table quarantine",
    "query": "from query('from quarantine')",
    "query_table": "from query_table('quarantine')",
    "duckdb_secrets": "from duckdb_secrets()",
    "duckdb_settings": "from duckdb_settings()",
    "duckdb_views": "select sql from duckdb_views()",
    "pragma_database_size": "from pragma_database_size()",
    "a serialised statement": "from json_execute_serialized_sql(json_serialize_sql('from quarantine'))",
    "arrow_scan": "from arrow_scan(1, 2, 3)",
    "histogram_values": "from histogram_values(quarantine, copies)",
    "current_setting": "select current_setting('temp_directory') as order_id from raw",
    "current_setting by its schema": 'select system.main."Current_Setting"(\'temp_directory\') as order_id from raw',
    "current_setting as a method": "select 'temp_directory'.current_setting() as order_id from raw",
    "getenv": "select getenv('HOME') as order_id from raw",
    "a variable": "select getvariable('x') as order_id from raw",
    "a sequence": "select nextval('numbers') as order_id from raw",
    "a plan": "select json_serialize_plan('from read_text(''{secret}'')') as order_id from raw",
    "a view's SQL": "select pg_get_viewdef(1) as order_id from raw",
    "the log": "select write_log(bon) as order_id from raw",
    "chance for all": "select setseed(0.5) as order_id from raw",
    "a long wait": "select sleep_ms(60000) as order_id from raw",
    # Where a table may stand.
    "in the columns": FIRST + ", (select content from read_text('{secret}')) as order_status from raw",
    "in WHERE": FIRST + " from raw where bon in (select content from read_text('{secret}'))",
    "in EXISTS": FIRST + " from raw where exists (from read_text('{secret}'))",
    "in JOIN": FIRST + " from raw join read_text('{secret}') on true",
    "in the condition of JOIN": FIRST + " from raw a join raw b on a.bon = (select content from read_text('{secret}'))",
    "in GROUP BY": FIRST + " from raw group by bon, (select content from read_text('{secret}'))",
    "in HAVING": FIRST + " from raw group by bon having bon = (select content from read_text('{secret}'))",
    "in QUALIFY": FIRST + " from raw qualify row_number() over () = (select 1 from read_text('{secret}'))",
    "in OVER": "select max(bon) over (order by (select content from read_text('{secret}'))) as order_id from raw",
    "in FILTER": "select max(bon) filter ((select content > '' from read_text('{secret}'))) as order_id from raw",
    "in ORDER BY": FIRST + " from raw order by (select content from read_text('{secret}'))",
    "in LIMIT": FIRST + " from raw limit (select size from read_text('{secret}'))",
    "in OFFSET": FIRST + " from raw limit 1 offset (select size from read_text('{secret}'))",
    "in DISTINCT ON": "select distinct on ((select 1 from read_text('{secret}'))) bon as order_id from raw",
    "in VALUES": "values ((select content from read_text('{secret}')))",
    "in UNION": FIRST + " from raw union all select content from read_text('{secret}')",
    "in LATERAL": FIRST + " from raw, lateral (from read_text('{secret}'))",
    "in PIVOT": "from (pivot read_text('{secret}') on filename in ('a') using max(content))",
    "in UNPIVOT": "from (unpivot read_text('{secret}') on content)",
    "in COLUMNS": "select columns(c -> c in (select content from read_text('{secret}'))) from raw",
    "in REPLACE": "select * replace ((select content from read_text('{secret}')) as bon) from raw",
    "in a lambda": "select list_transform([1], x -> (select content from read_text('{secret}'))) as order_id from raw",
    "in a table function": "from unnest((select [content] from read_text('{secret}')))",
    "in an array": "select array(select content from read_text('{secret}'))[1] as order_id from raw",
    "in CASE": "select case when true then (select content from read_text('{secret}')) end as order_id from raw",
    "in WITH": "with w as (from read_text('{secret}')) select content as order_id from w",
    "in WITH that is not read": "with w as materialized (from read_text('{secret}')) select bon as order_id from raw",
    "in WITH RECURSIVE": "with recursive w as (select 1 as a union all select size from read_text('{secret}')) from w",
    # Names that stand for something else elsewhere.
    "a WITH of the name of a table": "with quarantine as (from quarantine) select 1 as order_id from quarantine",
    "a WITH of the name before it": "with a as (from quarantine), quarantine as (from raw) from a",
    "a WITH of another part": "(with quarantine as (from raw) from quarantine) union all (from quarantine)",
    "a WITH of the inside": "select bon as order_id from (with quarantine as (from raw) from quarantine), quarantine",
    "a recursive WITH that begins with it": "with recursive quarantine as (from quarantine union all from quarantine)"
    " from quarantine",
    "a recursive WITH that is none": "with recursive quarantine as (from quarantine) from quarantine",
    "a WITH of the name of a file": "(with \"{secret}\" as (from raw) from \"{secret}\") union all (from '{secret}')",
    "a letter that looks the same": 'with "k.csv" as (from raw) select * from "\u212a.csv"',
    "a column of another table": "select bon as order_id from raw.till",
}  # fmt: skip
# What a mapping is made of, each of which gives the orders B1 and B2.
MAPPINGS = {
    "its own name": "select bon as order_id from till",
    "any case": 'SELECT BON AS order_id FROM "RAW"',
    "no SELECT": "from raw select bon as order_id",
    "a semicolon at the end": "select bon as order_id from raw;",
    "comments": "/* ) */ select bon as order_id -- from here\nfrom raw -- to there",
    "WITH": "with a as (from raw), b as (from a) select bon as order_id from b",
    "WITH of the connector's name": "with raw as (from raw where total > '0') select bon as order_id from till",
    "WITH inside": "select bon as order_id from (with a as (with a as (from raw) from a) from a)",
    "WITH RECURSIVE": "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2)"
    " select 'B' || i as order_id from n",
    "rows of numbers": "select 'B' || range as order_id from range(1, 3)",
    "rows of values": "select a as order_id from (values ('B1'), ('B2')) as v(a)",
    "rows of lists": "select unnest(['B1', 'B2']) as order_id",
    "rows of lists, in FROM": "select u.o as order_id from (select list(bon) as l from raw), unnest(l) as u(o)",
    "rows of JSON": "select value ->> '$' as order_id from json_each('[\"B1\", \"B2\"]')",
    "PIVOT": "select bon as order_id from (pivot raw on total in ('1', '2') using count(*) group by bon)",
    "UNPIVOT": "select bon as order_id from (unpivot raw on total)",
    "a join, a subquery, a window": "select a.bon as order_id from raw a join till b using (bon) where a.bon in"
    " (select bon from raw) qualify row_number() over (partition by a.bon order by b.total) = 1",
    "groups": "select bon as order_id, sum(total::decimal) filter (total > '0') as total_amount from raw group by 1",
    "lambdas and structs": "select list_transform([bon], lambda b: {'b': b})[1].b as order_id from raw",
    "stars": "select * exclude (total) rename (bon as order_id) from raw",
    "dollar quotes": "select $$B$$ || right(bon, 1) as order_id from raw",
    "the name of a file in a text": "select bon as order_id from raw where bon <> 'read_text(''/etc/passwd'')'",
    "a column called like a function": 'select bon as order_id from (select *, total as "read_text" from raw)',
    "a moment": "select bon as order_id, coalesce(try_strptime(total, '%d.%m.%Y'), now()) as ordered_at from raw",
}  # fmt: skip
# What a rule of a contract tries.
CONDITIONS = {
    "a file": "order_id in (select content from read_text('/etc/passwd'))",
    "another table": "order_id in (select record from quarantine)",
    "its own table": "total_amount <= (select max(total_amount) from orders)",
    "a setting": "current_setting('temp_directory') > ''",
    "two expressions": "true, false",
    "a table": "content > '' from read_text('/etc/passwd')",
    "a parenthesis too many": "true) or (true",
    "a comment that hides what follows": "true --",
    "a name of its own": "true as _______ --",
    "a statement more": "true; copy (select 1) to 'loot'",
    "a moment in quotes": "order_id > '{as_of} or (select count(*) > 0 from read_text(''/etc/passwd'')) --'",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment whose feed of orders is that of each test; beside its file lies one that no connector names."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "till.csv").write_text("bon,total\nB1,1\nB2,2\n")
    (folder / "secret.csv").write_text("order_id\nstolen\n")
    files = {"till": {"type": "files", "path": "till.csv"}}
    settings = Settings.model_validate({"name": "Shop", "currency": "EUR", "connectors": files})
    with closing(Deployment(folder / "c360.yaml", settings, {}, CONTRACTS)) as deployment:
        deployment.engine.query(
            "CREATE VIEW quarantine AS SELECT 'stolen' AS order_id, 'stolen' AS record, 1 AS copies"
        )
        yield deployment


def feeds(shop: Deployment, select: str) -> Feeds:
    paths = {"{secret}": str(shop.folder / "secret.csv"), "{loot}": str(shop.folder / "loot")}
    for mark, path in paths.items():
        select = select.replace(mark, path)
    assert isinstance(shop.feeds, dict)
    shop.feeds["orders"] = Feed.model_validate({"from": "till", "select": select})
    return Feeds(shop)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_select_does_not_leave_its_connectors(shop: Deployment, attempt: str) -> None:
    tried = feeds(shop, ATTEMPTS[attempt])
    with pytest.raises(FeedError) as fault:
        tried.load(ORDERS)
    told = str(fault.value)
    assert told.startswith("Feed orders: the select ")
    assert "one SELECT over the rows of raw, till; for another file, name the file as a connector" in told
    assert "\n" not in told
    assert str(shop.folder) not in told
    assert tried.faults([ORDERS]) == [told]
    assert {file.name for file in shop.folder.iterdir()} <= {".c360", "till.csv", "secret.csv"}


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_select_may_compute_whatever_it_likes(shop: Deployment, mapping: str) -> None:
    loaded = feeds(shop, MAPPINGS[mapping]).load(ORDERS)
    assert sorted(loaded.rows.order_id.to_pyarrow().to_pylist()) == ["B1", "B2"]


@pytest.mark.parametrize("attempt", CONDITIONS)
@pytest.mark.parametrize(
    ("kind", "key", "more"),
    [
        ("holds", "condition", {}),
        ("holds", "where", {"condition": "true"}),
        ("usual", "where", {"per": "customer_id", "start": 5}),
        ("steady", "value", {"column": "ordered_at", "by": "day"}),
        ("reconciles", "value", {"table": "orders", "other": "count(*)"}),
        ("reconciles", "other", {"table": "orders", "value": "count(*)"}),
    ],
)
def test_the_sql_of_a_rule_does_not_leave_its_table(
    shop: Deployment, attempt: str, kind: str, key: str, more: dict[str, Any]
) -> None:
    need = NEEDS[kind].model_validate({**more, key: CONDITIONS[attempt]})
    assert str(refusal(shop.engine, need)).startswith("its SQL ")


def test_every_rule_of_ours_may_run(shop: Deployment) -> None:
    rules = [(contract.key, rule) for contract in CONTRACTS.values() for rule in contract.rules]
    assert {(key, rule.name): told for key, rule in rules if (told := refusal(shop.engine, rule.need))} == {}


def test_what_duckdb_itself_says_tells_of_more_than_its_arguments_is_refused_or_tells_the_time_or_chance() -> None:
    unsteady = "coalesce(stability, 'CONSISTENT') <> 'CONSISTENT' AND function_type = 'scalar'"
    found = {
        name for (name,) in duckdb.execute(f"SELECT function_name FROM duckdb_functions() WHERE {unsteady}").fetchall()
    }
    time = {"current_date", "get_current_time", "get_current_timestamp", "now", "today", "transaction_timestamp"}
    assert found - OUTSIDE == time | {"gen_random_uuid", "random", "uuid", "uuidv4", "uuidv7"}
