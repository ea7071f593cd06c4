"""The hand-written SQL of the benchmark is an oracle: every table equals it, row by row."""

from collections.abc import Callable, Iterator

import pytest

from portal import benchmark
from resources.deployment import Deployment
from tests import recomputed
from tests.tables import CONTRACTS

# A single moment, a history made from former rows, models of scikit-learn, and texts that the playbook brings.
NOT_RELATIONAL = {"as_of", "customer_history", "cluster_trials", "clusters", "segment_summary"}

CONFIG = """
name: Oracle
currency: USD
connectors:
  sample: {type: sample, customers: 400, seed: 5, path: sample}
feeds:
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, materialised: Callable[..., Deployment]) -> Iterator[Deployment]:
    file = tmp_path_factory.mktemp("oracle") / "c360.yaml"
    datasets = [key.removeprefix("sources/") for key in CONTRACTS if key.startswith("sources/")]
    file.write_text(CONFIG + "".join(f"  {dataset}: {{from: sample}}\n" for dataset in datasets))
    return materialised(file)


@pytest.mark.parametrize("table", benchmark.tables())
def test_the_table_equals_its_hand_written_sql(company: Deployment, table: str) -> None:
    sql = benchmark.floor_sql(company, table)
    contract = company.contracts[table]
    company.lake.read(contract)
    columns = ", ".join(f'"{name}"' for name in contract.column_names)
    rows = company.engine.query(f'SELECT {columns} FROM "{table}" ORDER BY ALL')
    assert rows == company.engine.query(f"SELECT {columns} FROM ({sql}) ORDER BY ALL")
    assert rows


def test_every_relational_table_has_a_twin(company: Deployment) -> None:
    relational = {
        key for key, contract in company.contracts.items() if contract.layer in ("conformed", "analytics", "serving")
    }
    assert set(benchmark.tables()) == relational - NOT_RELATIONAL


def test_segments_of_the_company_equal_a_recomputation_in_pandas(company: Deployment) -> None:
    expected = recomputed.segments(company)
    names = list(next(iter(expected.values())))
    found = company.read("customer_segments").select("customer_id", *names).to_pyarrow().to_pylist()
    assert {row.pop("customer_id"): row for row in found} == expected
    assert len({row["persona"] for row in found}) > 4
