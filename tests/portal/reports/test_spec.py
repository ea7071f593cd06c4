"""The spec sheet: what it says of every table, that it is current, and that the standard's keys are kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from governance import product
from governance.product import ProductError
from portal import cli
from portal.reports import spec
from resources import deployment as deployments
from resources.deployment import Deployment
from tests.tables import CONTRACTS

PROJECT = Path(__file__).parents[3]
SHEET = PROJECT / "docs" / "spec.md"
OURS = product.load()
# Of the Open Data Product Standard v1.0.0: what may be said, and what must.
KEYS = {
    "apiVersion", "kind", "id", "name", "version", "status", "domain", "tenant", "authoritativeDefinitions",
    "description", "customProperties", "tags", "inputPorts", "outputPorts", "managementPorts", "support", "team",
    "productCreatedTs",
}  # fmt: skip
OUTPUT_KEYS = {"name", "description", "type", "version", "contractId", "sbom", "inputContracts"}


@pytest.fixture(scope="module")
def sample() -> Iterator[Deployment]:
    deployment = deployments.load(PROJECT / "c360.yaml")
    yield deployment
    deployment.close()


def test_the_sheet_in_the_docs_is_current(sample: Deployment) -> None:
    # Else: c360 spec --config c360.yaml --out docs/spec.md
    assert SHEET.read_text(encoding="utf-8") == spec.markdown(sample, OURS)


def test_every_table_role_and_limit_is_in_the_sheet(sample: Deployment) -> None:
    for told in (spec.markdown(sample, OURS), spec.page(sample, OURS)):
        for contract in CONTRACTS.values():
            assert contract.key in told
            assert contract.owner in told
        for name in sample.policy().roles:
            assert name in told
    assert "<script" not in spec.page(sample, OURS)


def test_the_product_is_described_as_the_standard_has_it(sample: Deployment) -> None:
    told = yaml.safe_load(spec.odps(sample, OURS))
    assert (told["apiVersion"], told["kind"]) == ("v1.0.0", "DataProduct")
    assert told.keys() <= KEYS
    assert {"id", "status"} <= told.keys()
    ids = {yaml.safe_load(contract.files[0].read_text())["id"] for contract in CONTRACTS.values()}
    for port in told["inputPorts"]:
        assert port.keys() == {"name", "version", "contractId"}
    for port in told["outputPorts"]:
        assert port.keys() <= OUTPUT_KEYS
    ports = [*told["inputPorts"], *told["outputPorts"]]
    operations = {
        f"c360.operations.{contract.name}" for contract in CONTRACTS.values() if contract.layer == "operations"
    }
    assert {port["contractId"] for port in ports} == ids - operations


def test_an_output_names_the_sources_it_is_made_of_and_no_other(sample: Deployment) -> None:
    outputs = {port["name"]: port for port in yaml.safe_load(spec.odps(sample, OURS))["outputPorts"]}
    products = [made["id"] for made in outputs["products"]["inputContracts"]]
    assert {"c360.sources.product", "c360.sources.brand"} <= set(products)
    assert "c360.sources.customer" not in products
    assert "c360.sources.customer" in [made["id"] for made in outputs["customer_360"]["inputContracts"]]


def test_the_command_writes_each_kind(tmp_path: Path) -> None:
    for kind, begins in (("markdown", "# Customer 360"), ("html", "<!DOCTYPE html>"), ("odps", "apiVersion: v1.0.0")):
        file = tmp_path / kind
        arguments = ["spec", "--format", kind, "--out", str(file), "--config", str(PROJECT / "c360.yaml")]
        result = CliRunner().invoke(cli.main, arguments)
        assert result.exit_code == 0, result.output
        assert file.read_text(encoding="utf-8").startswith(begins)


def test_a_table_that_is_not_there_and_a_version_that_is_not_told_are_faults(tmp_path: Path) -> None:
    assert not [*product.faults(OURS, CONTRACTS)]
    raw = yaml.safe_load(product.FILE.read_text(encoding="utf-8"))
    raw["insights"].append({"question": "What else?", "tables": ["customer_36"]})
    raw["version"] = "3.0.0"
    file = tmp_path / "product.yaml"
    file.write_text(yaml.safe_dump(raw))
    assert [*product.faults(product.load(file), CONTRACTS)] == [
        "insights: there is no table 'customer_36' (nearest: customer_360, customers, customer_history)",
        "versions: the last is 2.0.0, and version says 3.0.0",
    ]
    file.write_text("id: x")
    with pytest.raises(ProductError, match="key name: Field required"):
        product.load(file)
