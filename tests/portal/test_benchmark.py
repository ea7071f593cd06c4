"""The hand-written SQL of the benchmark is an oracle: every table equals it, row by row."""

from collections.abc import Callable, Iterator

import pytest

from portal import benchmark
from resources.deployment import Deployment

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
    datasets = ("brand", "customer", "order_line_item", "orders", "product", "transactions", "web_analytics")
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
    assert set(benchmark.tables()) == relational - {"as_of", "customer_history"}
