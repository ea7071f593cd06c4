"""The leak matrix: every role, at every exit there is, against every column that says something of a person.

What a role may not see is looked for as it is and hashed without a key; what it may see has to be there.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from governance import policy
from governance.keys import derived
from governance.policy import Forbidden, Outcome, View
from portal import cli
from resources.access import Grant, Identity
from resources.deployment import Deployment
from resources.reader import Reader
from tests.tables import CONTRACTS

ROLES = tuple(policy.load().roles)
ABOUT_PEOPLE = [
    contract.key for contract in CONTRACTS.values() if any(column.is_classified for column in contract.columns)
]
FORMATS = ("table", "csv", "json", "parquet")
# Those of which a file holds clear identifiers, and the ones people take away most.
SHOWN = ("sources/customer", "sources/orders", "customers", "customer_360")
# Shorter ones stand in other words by chance.
SHORTEST = 7


@pytest.fixture(scope="module", autouse=True)
def _nothing_set() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("DAGSTER_HOME", "C360_CONFIG", "C360_TOKEN"):
            environment.delenv(name, raising=False)
        yield


def reader(golden: Deployment, role: str, *teams: str) -> Reader:
    return Reader(golden, Identity("someone", Grant(role=role, teams=teams), "a test"))


def clear(golden: Deployment, key: str) -> dict[str, set[str]]:
    """Of each classified column the values that are there, as text."""
    contract = golden.contracts[key]
    columns = [column.name for column in contract.columns if column.is_classified]
    return values(golden, golden.read(key), columns)


def values(golden: Deployment, rows: ir.Table, columns: list[str]) -> dict[str, set[str]]:
    text = rows.select({name: rows[name].cast("string") for name in columns})
    held = golden.engine.backend.to_pyarrow(text)
    return {name: {value for value in held[name].to_pylist() if value is not None} for name in columns}


def seen_by(someone: Reader, view: View) -> dict[str, set[str]]:
    rows = someone.masked(someone.deployment.read(view.contract.key), view)
    columns = [column.name for column, outcome in view.classified() if outcome is not Outcome.ABSENT]
    return values(someone.deployment, rows, columns)


def leaks(view: View, seen: dict[str, set[str]], raw: dict[str, set[str]]) -> list[str]:
    """The columns of which a view shows what it must not, be it hashed without a key, or not what it may."""
    found = []
    for column, outcome in view.classified():
        there, shown = raw[column.name], seen.get(column.name, set())
        plain = {hashlib.new(kind, value.encode()).hexdigest() for value in there for kind in ("md5", "sha1", "sha256")}
        is_leak = bool(shown & (there | plain)) if outcome is not Outcome.CLEAR else not shown <= there
        if is_leak or (there and not shown and outcome is not Outcome.ABSENT and not view.hides and not view.only):
            found.append(column.name)
    return found


@pytest.fixture(scope="module")
def raw(golden: Deployment) -> dict[str, dict[str, set[str]]]:
    return {key: clear(golden, key) for key in ABOUT_PEOPLE}


@pytest.mark.parametrize("role", ROLES)
def test_no_role_sees_what_it_must_not_in_any_table(
    golden: Deployment, raw: dict[str, dict[str, set[str]]], role: str
) -> None:
    someone, read = reader(golden, role), 0
    for key in ABOUT_PEOPLE:
        try:
            view = someone.view(key)
        except Forbidden:
            assert golden.contracts[key].layer not in someone.policy.role(role).reads
            continue
        assert leaks(view, seen_by(someone, view), raw[key]) == []
        read += 1
    assert read > 20


def test_whatever_mask_is_removed_the_matrix_finds_it(golden: Deployment, raw: dict[str, dict[str, set[str]]]) -> None:
    removed, unfilled = 0, set()
    for role in ROLES:
        someone = reader(golden, role)
        for key in ABOUT_PEOPLE:
            if golden.contracts[key].layer not in someone.policy.role(role).reads:
                continue
            view = someone.view(key)
            hidden = [column.name for column, outcome in view.classified() if outcome is not Outcome.CLEAR]
            bare = replace(view, outcomes={**view.outcomes, **dict.fromkeys(hidden, Outcome.CLEAR)})
            if not hidden:
                continue
            found = leaks(view, seen_by(someone, bare), raw[key])
            missed = set(hidden) - set(found)
            removed += len(found)
            unfilled |= {f"{key}.{name}" for name in missed if raw[key][name]}
    assert removed > 250
    assert unfilled == set(), "a mask that nobody would miss"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("key", SHOWN)
def test_no_format_of_any_table_holds_an_identifier_that_a_role_must_not_see(
    golden: Deployment, raw: dict[str, dict[str, set[str]]], role: str, key: str, tmp_path: Path
) -> None:
    """By the command, as bytes; Parquet as it is when it is read again."""
    identifiers = {
        column.name for column in golden.contracts[key].columns if column.classification == "direct_identifier"
    }
    may_see = may_see_clear(golden, role, key)
    for kind in FORMATS:
        target = tmp_path / f"{role}.{kind}"
        arguments = ["show", key, "--config", as_role(golden, role, tmp_path), "--format", kind, "--out", str(target)]
        result = CliRunner().invoke(cli.main, [*map(str, arguments), "--limit", "40"])
        if may_see is None:
            assert result.exit_code == 1
            assert not target.exists()
            continue
        assert result.exit_code == 0, result.output
        content = text_of(target, kind)
        for name in identifiers:
            planted = {value for value in raw[key][name] if len(value) >= SHORTEST}
            there = any(value in content for value in planted)
            assert there is (name in may_see), f"{role}, {key}.{name}, {kind}"


def may_see_clear(golden: Deployment, role: str, key: str) -> set[str] | None:
    try:
        view = reader(golden, role).view(key)
    except Forbidden:
        return None
    return {name for name, outcome in view.outcomes.items() if outcome is Outcome.CLEAR}


def as_role(golden: Deployment, role: str, folder: Path) -> Path:
    """A deployment file of the golden company by which whoever uses it has a role."""
    file = folder / "c360.yaml"
    file.write_text(f"{golden.file.read_text()}access: {{anyone: {role}}}\nhome: {golden.home}\nshares_home: true\n")
    return file


def text_of(file: Path, kind: str) -> str:
    if kind != "parquet":
        # A moment in JSON is written by ISO 8601.
        return file.read_text(encoding="utf-8").replace("T00:00:00", " 00:00:00")
    return json.dumps([*pq.read_table(file).to_pylist(), pq.read_metadata(file).to_dict()], default=str)


@pytest.mark.parametrize("key", SHOWN)
def test_no_page_of_a_profile_holds_an_identifier(
    golden: Deployment, raw: dict[str, dict[str, set[str]]], key: str, tmp_path: Path
) -> None:
    target = tmp_path / "profile.html"
    arguments = ["profile", key, "--config", str(as_role(golden, "data_steward", tmp_path)), "--out", str(target)]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0, result.output
    told = target.read_text(encoding="utf-8") + result.output
    for column in golden.contracts[key].columns:
        if column.classification in ("direct_identifier", "sensitive"):
            assert not [value for value in raw[key][column.name] if len(value) >= SHORTEST and value in told]


@pytest.mark.parametrize("role", ROLES)
def test_sensitive_segments_are_told_to_none_but_the_steward(golden: Deployment, role: str, tmp_path: Path) -> None:
    sensitive = {
        name
        for (name,) in golden.engine.query(
            f"SELECT DISTINCT segment_name FROM ({golden.select('segment_summary')}) WHERE is_sensitive"
        )
    }
    assert sensitive
    config = str(as_role(golden, role, tmp_path))
    picture = tmp_path / "audiences.svg"
    CliRunner().invoke(cli.main, ["segments", "--of", "audience", "--config", config, "--picture", str(picture)])
    told = CliRunner().invoke(cli.main, ["segments", "--of", "audience", "--config", config]).output
    told += picture.read_text(encoding="utf-8") if picture.exists() else ""
    may = reader(golden, role).policy.role(role)
    if "analytics" in may.reads:
        assert "Repeat" in told or "Frequent" in told or "Cart" in told
    assert {name for name in sensitive if name in told} == (sensitive if may.sees_sensitive_rows else set())


def test_a_hash_is_the_same_in_every_table_and_another_after_a_rotation(golden: Deployment) -> None:
    someone = reader(golden, "data_consumer")
    hashes = {key: values(golden, someone.rows(key), ["customer_id"])["customer_id"] for key in ("customers", "rfm")}
    assert hashes["rfm"]
    assert hashes["rfm"] <= hashes["customers"]
    ids = clear(golden, "customers")["customer_id"]
    assert hashes["customers"] == {keyed(golden, "pseudonyms", value) for value in ids}
    rotated = someone.policy.model_copy(update={"pseudonyms": "pseudonyms of 2027"})
    later = reader(golden, "data_consumer")
    later.__dict__["policy"] = rotated
    renewed = values(golden, later.rows("customers"), ["customer_id"])["customer_id"]
    assert renewed == {keyed(golden, "pseudonyms of 2027", value) for value in ids}
    assert not renewed & hashes["customers"]


def keyed(golden: Deployment, use: str, value: Any) -> str:
    return hmac.new(derived(golden.secret, use), value.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("role", ["data_scientist", "data_consumer"])
def test_an_anonymous_file_holds_most_customers_and_some_of_what_is_personal(
    golden: Deployment, role: str, tmp_path: Path
) -> None:
    config, target = as_role(golden, role, tmp_path), tmp_path / "customers.parquet"
    arguments = ["show", "customers", "--config", str(config), "--format", "parquet", "--out", str(target)]
    result = CliRunner().invoke(cli.main, arguments)
    assert "rows were held back" in " ".join(result.output.split())
    taken = pq.read_table(target)
    assert 0.95 * golden.lake.state("customers").rows <= len(taken) < golden.lake.state("customers").rows
    personal = [column.name for column in golden.contracts["customers"].columns if column.classification == "personal"]
    assert {"gender", "annual_income"} <= {name for name in personal if len(taken[name].unique()) > 1}


def test_files_of_marketing_hold_only_those_who_agreed(golden: Deployment, tmp_path: Path) -> None:
    config, target = as_role(golden, "marketing", tmp_path), tmp_path / "campaign.json"
    arguments = ["show", "customers", "--config", str(config), "--format", "json"]
    assert CliRunner().invoke(cli.main, [*arguments, "--out", str(target)]).exit_code == 0
    taken = json.loads(target.read_text())
    assert taken
    assert all(row["accepts_email"] or row["accepts_sms"] or row["accepts_phone"] for row in taken)
    agreed = "accepts_email OR accepts_sms OR accepts_phone"
    ((expected,),) = golden.engine.query(f"SELECT count(*) FROM ({golden.select('customers')}) WHERE {agreed}")
    assert len(taken) == expected < golden.lake.state("customers").rows
    # What is piped on is as good as a file, and no word lifts the gate.
    for more in ([], ["--purpose", "analysis"]):
        assert json.loads(CliRunner().invoke(cli.main, [*arguments, *more]).stdout) == taken
