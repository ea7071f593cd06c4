"""Data subjects: every table is one whose rows of a person are found, or that is of nobody, or that says why not."""

from dataclasses import replace
from pathlib import Path

import pytest

from governance import subjects
from governance.contract import Column, Contract
from governance.contracts import ContractError, contract_of, written
from governance.policy import Link
from governance.subjects import PERSON, Fate, SubjectError, holdings, in_order
from resources.deployment import Deployment
from resources.engine import quoted
from resources.operations import TABLES
from tests.tables import CONTRACTS

FOUND = holdings(CONTRACTS)


def of(*columns: Column, key: str = "sources/review", **more: str) -> Contract:
    return replace(CONTRACTS[key], columns=columns, **more)


def key(**more: object) -> Column:
    return replace(CONTRACTS["sources/review"].column("customer_id"), **more)


def test_every_table_is_found_by_the_person_or_is_of_nobody_or_says_why_it_stays() -> None:
    kept = {name for name, one in FOUND.items() if one.fate is Fate.KEPT}
    assert kept == {"incidents", "subject_requests", "tombstones"}
    assert all(CONTRACTS[name].erasure_reason for name in kept)
    for name, one in FOUND.items():
        says_something = any(column.classification != "internal" for column in one.contract.columns)
        assert name in kept or not (one.is_of_nobody and says_something), name


def test_a_table_that_says_something_of_people_and_not_of_whom_is_refused_by_name() -> None:
    told = Column("nickname", "VARCHAR", "Name.", classification="personal")
    with pytest.raises(SubjectError, match=r"Table sources/review: nickname say .* `erasure: keep`"):
        holdings(CONTRACTS | {"sources/review": of(told)})
    kept = of(told, erasure="keep", erasure_reason="It names the staff.")
    assert holdings(CONTRACTS | {"sources/review": kept})["sources/review"].fate is Fate.KEPT


def test_no_column_of_the_golden_company_holds_customers_that_the_contracts_do_not_tell_of(golden: Deployment) -> None:
    """The guard for a new table: whatever its contract says, its values give a key away."""
    ids = f"SELECT {PERSON} FROM ({golden.select('customers')})"
    unknown, seen = [], 0
    for name, one in FOUND.items():
        texts = [column.name for column in one.contract.columns if column.type == "VARCHAR"]
        if name in TABLES or golden.lake.state(name) is None:
            continue
        counted = ", ".join(f"count(*) FILTER ({quoted(text)} IN (SELECT * FROM people))" for text in texts)
        if texts:
            (counts,) = golden.engine.query(f"WITH people AS ({ids}) SELECT {counted} FROM ({golden.select(name)})")
            holding = [text for text, count in zip(texts, counts, strict=True) if count]
            unknown += [f"{name}.{text}" for text in holding if text not in one.keys]
            seen += len(holding)
    assert unknown == []
    assert seen > 40


def test_rows_go_where_a_cell_may_not_be_empty_and_stay_without_the_person_elsewhere() -> None:
    assert FOUND["customers"].fate is FOUND["points"].fate is FOUND["rfm"].fate is Fate.DELETED
    assert FOUND["orders"].fate is FOUND["sources/review"].fate is Fate.SEVERED
    said = Column("said", "VARCHAR", "Said.", required=True, classification="sensitive")
    assert subjects.of_rows(of(key(), said)).fate is Fate.DELETED
    assert subjects.of_rows(of(key(), replace(said, required=False))).fate is Fate.SEVERED
    assert subjects.of_rows(of(key(), erasure="delete")).fate is Fate.DELETED


def test_keys_aliases_and_what_is_said_are_told_apart() -> None:
    events = FOUND["sources/web_analytics"]
    assert (events.keys, events.aliases, events.personal) == (("entity_id",), ("visitor_id",), ())
    assert FOUND["sources/review"].personal == ("review_title", "review_text")
    assert set(FOUND["sources/orders"].identifiers) == {"customer_id", "billing_address", "shipping_address"}
    assert FOUND["quarantine"].records == ("record",)
    # Born on a day are many.
    assert "date_of_birth" not in FOUND["customers"].identifiers


def test_rows_without_a_key_lead_to_the_person_by_way_of_others() -> None:
    assert FOUND["sources/transactions"].links == (Link("order_id", "sources/orders", "order_id"),)
    assert FOUND["session_paths"].links == (Link("session_id", "sessions", "session_id"),)
    assert FOUND["churn_metrics"].is_of_nobody
    further = replace(
        CONTRACTS["sources/brand"],
        columns=(Column("step", "VARCHAR", "Step.", references=("session_paths", "session_id")),),
    )
    found = holdings(CONTRACTS | {"sources/brand": further})
    order = [one.contract.key for one in in_order(found)]
    assert order.index("sources/brand") < order.index("session_paths") < order.index("sessions")


def test_what_tells_who_it_is_goes_last() -> None:
    order = [one.contract.key for one in in_order(FOUND)]
    assert set(order[-3:]) == {"sources/customer", "customers", "customer_history"}
    assert (
        len(order)
        == len(set(order))
        == sum(not one.is_of_nobody and one.fate is not Fate.KEPT for one in FOUND.values())
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"erasure": "keep"}, "erasureReason: must say why"),
        ({"erasure": "burn"}, "'burn' must be one of delete, sever, keep"),
    ],
)
def test_a_contract_that_says_it_wrongly_is_refused(said: dict[str, str], message: str) -> None:
    file = CONTRACTS["sources/review"].files[0]
    raw = written(file)
    raw["customProperties"] += [{"property": name, "value": value} for name, value in said.items()]
    with pytest.raises(ContractError, match=message):
        contract_of(Path(file), raw)
