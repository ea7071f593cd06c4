"""Customer records: what the generated file is, and that its people become customers who stay who they are."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from c360_assets import definitions
from examples.customer_records import records
from portal import cli
from resources.deployment import Deployment
from resources.feeds import Feeds
from tests.deriving import derived, quick_models
from tests.deriving import loaded as loaded_of
from tests.running import deployed

MAPPING = Path(records.__file__).parent / "c360.yaml"
MEASURES = ["frequency", "monetary", "first_ordered_at", "last_ordered_at"]
SCORES = ["recency_days", "recency_score", "frequency_score", "monetary_score"]
PROFILES = ("customers", "customer_segments", "customer_360")
SMALL = 2_000

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the mapping and the file of 100,000 records where the mapping looks for it."""
    return shop_in(tmp_path_factory.mktemp("customer_records"), records.RECORDS)


@pytest.fixture(scope="module")
def written(folder: Path) -> pd.DataFrame:
    """The file of 100,000 records as it stands there, all text."""
    return rows_in(folder)


@pytest.fixture(scope="module")
def built(folder: Path) -> Iterator[Deployment]:
    """The profiles of the 100,000 records after one run. Tests look at it and change nothing."""
    deployment = deployed(folder / MAPPING.name, folder / ".c360")
    build_profiles(deployment)
    yield deployment
    deployment.close()


@pytest.fixture(scope="module")
def expected(written: pd.DataFrame) -> pd.DataFrame:
    """The 100,000 records with the ids their people should get, and RFM by pandas alone; amounts in cents."""
    return recomputed(written)


# The generator.


def test_of_100_000_records_27_490_carry_an_id_an_earlier_one_has(written: pd.DataFrame) -> None:
    assert len(written) == 100_000
    assert written.customer_id.nunique() == 72_510
    assert written.customer_id.duplicated().sum() == 27_490


def test_records_of_one_id_are_as_unlike_as_strangers(written: pd.DataFrame) -> None:
    assert written.signup_date.is_unique
    before = written.groupby("customer_id")[["gender", "country"]].shift()
    repeated = written[["gender", "country"]][written.customer_id.duplicated()]
    for name, values in repeated.items():
        by_chance = (written[name].value_counts(normalize=True) ** 2).sum()
        assert (values == before[name][values.index]).mean() == pytest.approx(by_chance, abs=0.02)


def test_what_a_record_says_of_its_orders_agrees(written: pd.DataFrame) -> None:
    cents, count = cents_of(written.total_spend), written.order_count.astype(int)
    bought = count > 0
    apart = (cents_of(written.average_order_value[bought]) * count[bought] - cents[bought]).abs()
    assert (2 * apart <= count[bought]).all()
    assert ((cents > 0) == bought).all()
    assert (written[~bought][list(records.EMPTY_WITHOUT_ORDERS)] == "").all(axis=None)
    moments = written[bought][["signup_date", "first_purchase_date", "last_purchase_date"]].apply(pd.to_datetime)
    assert (moments.signup_date <= moments.first_purchase_date).all()
    assert (moments.first_purchase_date <= moments.last_purchase_date).all()
    once = count[bought] == 1
    assert (moments.first_purchase_date == moments.last_purchase_date)[once].all()


def test_few_customers_spend_half_and_premium_customers_more(written: pd.DataFrame) -> None:
    spend = cents_of(written.total_spend)
    assert 0.4 < spend.nlargest(len(spend) // 10).sum() / spend.sum() < 0.6
    by_subscription = spend.groupby(written.subscription).mean()
    assert by_subscription["Yes"] > 1.2 * by_subscription["No"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in {"one": 7, "same": 7, "other": 8}.items():
        records.generate(tmp_path / f"{name}.csv", SMALL, seed)
    one, same, other = ((tmp_path / f"{name}.csv").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize(("size", "repeats"), [(1, 0), (2, 1), (10, 3), (2_000, 550)])
def test_a_smaller_file_repeats_ids_in_proportion(tmp_path: Path, size: int, repeats: int) -> None:
    records.generate(tmp_path / "few.csv", size)
    few = pd.read_csv(tmp_path / "few.csv", dtype=str)
    assert (len(few), few.customer_id.duplicated().sum()) == (size, repeats)


def test_every_field_is_described_beside_the_file(folder: Path, written: pd.DataFrame) -> None:
    described = json.loads((folder / ".c360" / "customer_records_metadata.json").read_text())
    assert [field["name"] for field in described["fields"]] == list(written.columns)
    assert all(field["description"] and field["type"] for field in described["fields"])
    told = (described["records"], described["distinct_customer_ids"], described["repeated_customer_ids"])
    assert told == (100_000, 72_510, 27_490)


def test_no_records_and_a_negative_seed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ask for at least 1"):
        records.generate(tmp_path / "none.csv", 0)
    with pytest.raises(ValueError, match="seed is -1"):
        records.generate(tmp_path / "none.csv", 1, -1)


# The 100,000 records in the product.


@pytest.mark.parametrize("key", PROFILES)
def test_there_is_one_row_per_customer(built: Deployment, expected: pd.DataFrame, key: str) -> None:
    held = rows_of(built, key, ["customer_id"])
    assert len(held) == 100_000
    assert set(held.customer_id) == set(expected.index)


def test_nothing_is_set_aside(built: Deployment) -> None:
    assert rows_of(built, "quarantine").empty


def test_every_customer_has_the_orders_and_the_spend_of_the_record_to_the_cent(
    built: Deployment, expected: pd.DataFrame
) -> None:
    profiles = rows_of(built, "customer_360", ["customer_id", *MEASURES]).set_index("customer_id")
    profiles["cents"] = (profiles.monetary * 100).astype(int)
    assert profiles.cents.sum() == expected.cents.sum()
    compared = ["frequency", "cents", "first_ordered_at", "last_ordered_at"]
    pd.testing.assert_frame_equal(profiles[compared].loc[expected.index], expected[compared], check_dtype=False)


def test_the_average_order_is_the_one_the_record_tells(built: Deployment, written: pd.DataFrame) -> None:
    profiles = rows_of(built, "customer_360", ["customer_id", "average_order_amount"]).set_index("customer_id")
    told = pd.to_numeric(written.average_order_value).set_axis(person_ids(written))
    apart = (profiles.average_order_amount.loc[told.index] - told).abs()
    assert (apart.isna() == told.isna()).all()
    assert apart.max() < 0.005 + 1e-9


def test_orders_are_worth_the_average_and_only_the_first_and_the_last_are_dated(
    built: Deployment, expected: pd.DataFrame
) -> None:
    orders = rows_of(built, "orders", ["order_id", "customer_id", "ordered_at", "order_amount", "is_completed"])
    orders["cents"] = (orders.order_amount * 100).astype(int)
    orders["place"] = orders.order_id.str.rsplit("-", n=1).str[1].astype(int)
    in_all = expected[["frequency", "cents", *MEASURES[2:]]].rename(columns={"cents": "cents_in_all"})
    told = orders.join(in_all, on="customer_id")
    is_last, is_first = told.place == told.frequency, (told.place == 1) & (told.frequency > 1)
    each = told.cents_in_all // told.frequency
    assert orders.is_completed.all()
    assert (told.cents == each.where(~is_last, told.cents_in_all - (told.frequency - 1) * each)).all()
    assert (told.ordered_at == told.last_ordered_at)[is_last].all()
    assert (told.ordered_at == told.first_ordered_at)[is_first].all()
    assert told.ordered_at[~is_last & ~is_first].isna().all()


def test_rfm_equals_a_recomputation_in_pandas_customer_by_customer(built: Deployment, expected: pd.DataFrame) -> None:
    buyers = expected[expected.frequency > 0]
    rfm = rows_of(built, "rfm", ["customer_id", *SCORES]).set_index("customer_id")
    assert len(rfm) == len(buyers)
    pd.testing.assert_frame_equal(rfm.loc[buyers.index], buyers[SCORES], check_dtype=False)


def test_segments_follow_the_spend(built: Deployment, expected: pd.DataFrame) -> None:
    columns = ["customer_id", "engagement_level", "customer_segment", "primary_segment", "is_premium", "rule_version"]
    segments = rows_of(built, "customer_segments", columns).set_index("customer_id").loc[expected.index]
    best = expected[["recency_score", "frequency_score", "monetary_score"]].min(axis=1) >= 4
    assert ((segments.engagement_level == "Champions") == best).all()
    history = (expected.as_of.dt.normalize() - expected.first_ordered_at.dt.normalize()).dt.days
    is_vip = (history >= 365) & (expected.cents > 500_000)
    assert is_vip.any()
    assert ((segments.customer_segment == "VIP") == is_vip).all()
    assert (segments.is_premium == (expected.subscription == "Yes")).all()
    assert segments[["primary_segment", "rule_version"]].notna().all(axis=None)


def test_the_documented_parquet_file_holds_one_row_per_customer(
    built: Deployment, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_CONFIG", str(built.file))
    contract = built.contracts["customer_segments"]
    clear = shown(built, tmp_path / "clear.parquet")
    analyst = shown(built, tmp_path / "analyst.parquet", "--as", "business_analyst")
    documented = built.lake.empty(contract).to_pyarrow().schema
    for file in (clear, analyst):
        assert {field.name: field.type for field in file.schema} == {field.name: field.type for field in documented}
        assert file.column("customer_id").to_pylist() == sorted(expected.index)
    customers = built.lake.read(built.contracts["customers"]).to_pyarrow().sort_by("customer_id")
    for name in set(customers.column_names) & set(contract.column_names):
        assert clear.column(name).to_pylist() == customers.column(name).to_pylist(), name


# What arrives late.


def test_nobody_is_renamed_when_earlier_purchases_arrive_late(tmp_path: Path) -> None:
    shop_in(tmp_path, SMALL)
    deployment = deployed(tmp_path / MAPPING.name, tmp_path / ".c360")
    described = ["customer_id", "gender", "country", "age", "is_premium", *MEASURES]

    def profiles(name: str) -> pd.DataFrame:
        made = derived(deployment, loaded_of(deployment), name=name, only=["customer_360"])
        return made.read("customer_360").select(described).to_pyarrow().to_pandas().set_index("customer_id")

    try:
        before = profiles("before")
        records_before = rows_in(tmp_path)
        buyers = records_before[records_before.order_count != "0"]
        others, known = people_of_long_ago(buyers[:50]), with_earlier_purchases(buyers[50:100])
        # Of those known, half come as another row and half in place of theirs.
        write(tmp_path, pd.concat([others, known, records_before.drop(known.index[25:])]))
        after = profiles("after")
    finally:
        deployment.close()
    changed, new = person_ids(known), person_ids(others)
    assert set(new).isdisjoint(before.index)
    assert set(after.index) == {*before.index, *new}
    same = before.index.difference(changed)
    pd.testing.assert_frame_equal(after.loc[same], before.loc[same])
    who = ["gender", "country", "age", "is_premium", "last_ordered_at"]
    pd.testing.assert_frame_equal(after.loc[changed, who], before.loc[changed, who])
    assert (after.loc[changed].frequency == before.loc[changed].frequency + 2).all()
    assert (after.loc[changed].monetary == before.loc[changed].monetary + Decimal("30.03")).all()
    assert (after.loc[changed].first_ordered_at < before.loc[changed].first_ordered_at).all()


# Laws of the mapping, on the datasets it fills.


def test_copies_of_a_row_and_the_order_of_rows_change_nothing(tmp_path: Path) -> None:
    def doubled_and_shuffled(rows: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([rows, rows[:300]]).sample(frac=1, random_state=7)

    assert loaded(tmp_path / "changed", doubled_and_shuffled) == loaded(tmp_path / "plain", lambda rows: rows)


def test_how_a_row_is_spelt_does_not_change_who_it_is(tmp_path: Path) -> None:
    def respelt(rows: pd.DataFrame) -> pd.DataFrame:
        spelling = {
            "customer_id": " " + rows.customer_id,
            "gender": rows.gender.str.upper() + " ",
            "country": rows.country.str.lower(),
            "signup_date": rows.signup_date.str.replace(" ", "T"),
        }
        return rows.assign(**spelling)

    plain, changed = loaded(tmp_path / "plain", lambda rows: rows), loaded(tmp_path / "changed", respelt)
    assert ids_of(plain["customer"]) == ids_of(changed["customer"])
    assert plain["orders"] == changed["orders"]


def test_of_two_states_of_a_person_the_one_with_most_orders_stands(tmp_path: Path) -> None:
    def with_both_states(rows: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([with_earlier_purchases(rows[:1]), rows[:1]])

    held = loaded(tmp_path, with_both_states)
    (former,) = rows_in(tmp_path)[1:].itertuples()
    assert len(held["customer"]) == 1
    assert len(held["orders"]) == int(former.order_count) + 2


def test_what_cannot_be_read_is_set_aside_and_not_lost(tmp_path: Path) -> None:
    spoiled = {
        "without_id": {"customer_id": ""},
        "count": {"order_count": "some"},
        "total": {"total_spend": "much"},
        "spent_without_orders": {"order_count": "0", "total_spend": "5.00"},
        "date": {"last_purchase_date": "lately", "order_count": "1"},
    }

    def spoil(rows: pd.DataFrame) -> pd.DataFrame:
        bought = rows[rows.order_count == "2"].reset_index(drop=True)
        for place, values in enumerate(spoiled.values()):
            bought.loc[place, list(values)] = list(values.values())
        return bought[:60]

    faults = reasons(tmp_path, spoil)
    assert faults["customer"] == {"customer_id is missing": 1}
    assert faults["orders"] == {
        "order_id is missing": 4,
        "total_amount is no number": 2,
        "ordered_at is no TIMESTAMP": 1,
    }


def build_profiles(deployment: Deployment) -> None:
    """Build the profiles and segments and all they need, and nothing else; models are the quick ones."""
    built = definitions.build(deployment)
    needed = dg.AssetSelection.assets(*PROFILES).upstream().resolve(built.resolve_asset_graph())
    refresh = built.resolve_job_def("refresh")
    with dg.DagsterInstance.ephemeral() as instance, quick_models():
        refresh.execute_in_process(instance=instance, asset_selection=sorted(needed), raise_on_error=True)


def shop_in(folder: Path, size: int) -> Path:
    """The folder with the mapping and a file of so many records where it looks for one."""
    folder.mkdir(exist_ok=True)
    (folder / MAPPING.name).write_text(MAPPING.read_text(encoding="utf-8"), encoding="utf-8")
    records.generate(folder / ".c360" / records.FILE.name, size)
    return folder


def rows_in(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / ".c360" / records.FILE.name, dtype=str, keep_default_na=False)


def write(folder: Path, rows: pd.DataFrame) -> None:
    rows.to_csv(folder / ".c360" / records.FILE.name, index=False)


def rows_of(deployment: Deployment, key: str, columns: list[str] | None = None) -> pd.DataFrame:
    held = deployment.lake.read(deployment.contracts[key])
    return (held.select(columns) if columns else held).to_pyarrow().to_pandas()


def shown(deployment: Deployment, target: Path, *options: str) -> pa.Table:
    """What `c360 show customer_segments --format parquet` writes."""
    arguments = ["--config", str(deployment.file), "--format", "parquet", "--out", str(target)]
    result = CliRunner().invoke(cli.main, ["show", "customer_segments", *arguments, *filter(None, options)])
    assert result.exit_code == 0, result.output
    return pq.read_table(target)


def cents_of(amounts: pd.Series) -> pd.Series:
    """Exact: the text of an amount always has two decimals."""
    assert amounts.str.fullmatch(r"\d+\.\d\d").all()
    return amounts.str.replace(".", "", regex=False).astype(int)


def person_ids(rows: pd.DataFrame) -> list[str]:
    """The ids that the people of these rows should get."""
    fixed = zip(rows.customer_id, rows.signup_date, rows.gender.str.lower(), rows.country.str.lower(), strict=True)
    return [f"{parts[0]}-{hashlib.md5('|'.join(parts).encode()).hexdigest()[:12]}" for parts in fixed]


def recomputed(rows: pd.DataFrame) -> pd.DataFrame:
    """Per person what the record says, and RFM without any of the product's code."""
    people = pd.DataFrame(
        {
            "frequency": rows.order_count.astype(int),
            "cents": cents_of(rows.total_spend),
            "first_ordered_at": pd.to_datetime(rows.first_purchase_date),
            "last_ordered_at": pd.to_datetime(rows.last_purchase_date),
            "subscription": rows.subscription,
        }
    ).set_axis(person_ids(rows))
    people.index.name = "customer_id"
    people["as_of"] = people.last_ordered_at.max()
    buyers = people[people.frequency > 0]
    people["recency_days"] = (buyers.as_of.dt.normalize() - buyers.last_ordered_at.dt.normalize()).dt.days
    ranked = {
        "recency_score": -people.recency_days,
        "frequency_score": buyers.frequency,
        "monetary_score": buyers.cents,
    }
    for name, best_last in ranked.items():
        # Twice those who are worse, and those who are equal: the ends of their places, added.
        ends = best_last.rank(method="min") - 1 + best_last.rank(method="max")
        people[name] = 1 + ends * 5 // (2 * len(buyers))
    return people


def people_of_long_ago(rows: pd.DataFrame) -> pd.DataFrame:
    """Other people under the ids of these rows, who signed up and bought seven years before."""
    before = {name: rows[name].map(seven_years_before) for name in rows if name.endswith("_date")}
    return rows.assign(**before)


def seven_years_before(moment: str) -> str:
    return f"{int(moment[:4]) - 7}-{moment[5:]}".replace("-02-29", "-02-28") if moment else ""


def with_earlier_purchases(rows: pd.DataFrame) -> pd.DataFrame:
    """The same people with two more orders, for 30.03 in all, before everything they bought so far."""
    count = rows.order_count.astype(int)
    assert (count > 0).all()
    total = (cents_of(rows.total_spend) + 3_003).map(lambda cents: f"{cents / 100:.2f}")
    first = rows.first_purchase_date.map(seven_years_before)
    return rows.assign(order_count=(count + 2).astype(str), total_spend=total, first_purchase_date=first)


def loads(folder: Path, change: Change) -> Iterator[tuple[str, Any]]:
    """Each dataset the feeds fill from a changed file, without running anything else."""
    shop_in(folder, SMALL)
    write(folder, change(rows_in(folder)))
    deployment = deployed(folder / MAPPING.name, folder / ".c360")
    try:
        for dataset in deployment.feeds:
            yield dataset, Feeds(deployment).load(deployment.contracts[f"sources/{dataset}"])
    finally:
        deployment.close()


def loaded(folder: Path, change: Change) -> dict[str, list[dict[str, Any]]]:
    held = {}
    for dataset, load in loads(folder, change):
        assert load.quarantined_count == 0
        rows = load.rows.to_pyarrow()
        held[dataset] = rows.sort_by(rows.column_names[0]).to_pylist()
    return held


def reasons(folder: Path, change: Change) -> dict[str, Counter[str]]:
    """By dataset why rows are set aside, and how many."""
    found = {}
    for dataset, load in loads(folder, change):
        found[dataset] = Counter()
        for row in load.quarantine.to_pyarrow().to_pylist():
            found[dataset][row["reason"]] += row["copies"]
    return found


def ids_of(customers: list[dict[str, Any]]) -> list[str]:
    return [customer["customer_id"] for customer in customers]
