"""The hand-written SQL of the benchmark is an oracle: every table equals it, row by row."""

import pytest

from governance.errors import C360Error
from portal import benchmark
from resources.deployment import Deployment

# A single moment, a history made from former rows, models of scikit-learn, and texts that the playbook brings.
NOT_RELATIONAL = {"as_of", "customer_history", "cluster_trials", "clusters", "segment_summary"}


@pytest.mark.parametrize("table", benchmark.tables())
def test_the_table_equals_its_hand_written_sql(golden: Deployment, table: str) -> None:
    sql = benchmark.floor_sql(golden, table)
    contract = golden.contracts[table]
    golden.lake.read(contract)
    columns = ", ".join(f'"{name}"' for name in contract.column_names)
    rows = golden.engine.query(f'SELECT {columns} FROM "{table}" ORDER BY ALL')
    assert rows == golden.engine.query(f"SELECT {columns} FROM ({sql}) ORDER BY ALL")
    assert rows


def test_every_relational_table_has_a_twin(golden: Deployment) -> None:
    relational = {
        key for key, contract in golden.contracts.items() if contract.layer in ("conformed", "analytics", "serving")
    }
    assert set(benchmark.tables()) == relational - NOT_RELATIONAL


def test_a_table_without_a_twin_is_told_with_all_that_have_one() -> None:
    with pytest.raises(C360Error, match="rfn has no hand-written twin") as raised:
        benchmark.compare(100, 1, ["rfn"])
    assert str(raised.value).split("There is one for ")[1].rstrip(".").split(", ") == [*benchmark.tables()]
