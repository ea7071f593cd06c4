"""The only assembly: tables, resources and jobs of one deployment, each table described by its contract."""

import hashlib
import inspect
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg

from c360_assets import analytics, automation, conformed, models, real_time, serving
from c360_assets.sources.datasets import source
from checks import quality, requests, runs
from governance.contract import Column, Contract
from governance.contracts import SUFFIX, label
from governance.errors import C360Error
from resources import deployment as deployments
from resources.deployment import Deployment
from resources.feeds import Feeds
from resources.io_manager import lake_io_manager
from resources.operations import TABLES

LAYERS: tuple[ModuleType, ...] = (conformed, analytics, models, serving)
PROJECT = Path(__file__).parent.parent

# Links from a table to its code, and hours loaded as one run, are marked beta by Dagster; that is for us to know, not
# for the log.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*(CodeReference|backfill_policy).*")


@dg.definitions
def defs() -> dg.Definitions:
    """The code location of the deployment in $C360_CONFIG, or in c360.yaml."""
    return build(deployments.load())


def build(deployment: Deployment) -> dg.Definitions:
    """Everything Dagster is to know of a deployment. Opens no connection.

    C360Error where a table has no contract, or a contract is of no table.
    """
    contracts = deployment.contracts
    settings = deployment.settings.schedules
    sources = [source(contract, settings) for contract in contracts.values() if contract.layer == "sources"]
    derived: list[Any] = [asset for layer in LAYERS for asset in dg.load_assets_from_package_module(layer)]
    _check_contracts(derived, contracts)
    tables = [
        asset.map_asset_specs(
            partial(_described, deployment=deployment, code=_code(asset, contracts), rules=_rules(asset, deployment))
        )
        for asset in (*sources, *derived)
    ]
    # Nothing leads to them: lineage shows how data flows, and they hold what was found on the way.
    operations = [
        _described(dg.AssetSpec(contract.key), deployment, contract.files[-1])
        for contract in contracts.values()
        if contract.layer == "operations"
    ]
    return dg.Definitions(
        assets=[*tables, *operations],
        asset_checks=[quality.quality_checks(deployment, contracts[asset.key.to_user_string()]) for asset in tables],
        jobs=[automation.refresh(deployment)],
        schedules=[
            *automation.schedules(deployment),
            *quality.schedules(contracts, deployment.settings.schedule_clock),
        ],
        sensors=[
            real_time.sensor(deployment),
            *runs.sensors(deployment),
            automation.notifications(deployment),
            automation.housekeeping(deployment),
            requests.sensor(deployment),
        ],
        resources={
            "feeds": _resource(Feeds(deployment), "How each dataset is filled, by c360.yaml."),
            "former": _resource(
                lambda key: deployment.lake.newest(contracts[key])[0],
                "The rows of a table as they were before the run, by its key.",
            ),
            "io_manager": lake_io_manager(deployment),
            # Read anew by each run, so that a changed rule counts without a restart.
            "rules": _resource(deployment.rules, "The rules of segments: segments.yaml of the deployment, else ours."),
            "playbook": _resource(deployment.playbook, "What to do about each segment: playbook.yaml, else ours."),
            "currency": _resource(deployment.settings.currency, "The reporting currency of the shop."),
            "exclusions": _resource(
                deployment.exclusions, "What is not to be recommended: recommendations.yaml, else ours."
            ),
            "actions": _resource(deployment.actions, "What to do with each customer next: actions.yaml, else ours."),
            "timezone": _resource(deployment.settings.clock, "The clock of the shop, by which its days are counted."),
        },
        executor=dg.in_process_executor,
    )


def _resource(value: Any, described: str) -> dg.ResourceDefinition:
    """A value as a resource that people can tell by its description."""

    def of_deployment(_: dg.InitResourceContext) -> Any:
        return value

    return dg.ResourceDefinition(of_deployment, description=described)


def _check_contracts(derived: Sequence[Any], contracts: Mapping[str, Contract]) -> None:
    modules = {asset.key.to_user_string(): _label(_code(asset, contracts)) for asset in derived}
    faults = [
        f"Table {key}, made by {module}, has no contract. Say what it holds in governance/contracts/"
        f"{Path(module).parts[1]}/{key}{SUFFIX}."
        for key, module in modules.items()
        if key not in contracts
    ]
    faults += [
        f"Contract {label(contract.files[-1])} is of no table: no module of {contract.layer} makes it."
        for contract in contracts.values()
        if contract.layer not in ("sources", "operations") and contract.key not in modules
    ]
    if faults:
        raise C360Error("\n".join(faults))


def _code(asset: Any, contracts: Mapping[str, Contract]) -> Path:
    """The file that says how the table comes about: its module, or the contract of a source."""
    if asset.key.path[0] == "sources":
        return contracts[asset.key.to_user_string()].files[-1]
    return Path(inspect.getfile(asset.op.compute_fn.decorated_fn))


def _rules(asset: Any, deployment: Deployment) -> list[Path]:
    """The files of business rules that a table goes by."""
    return [file for name, file in deployment.rule_files.items() if name in asset.required_resource_keys]


def _described(spec: dg.AssetSpec, deployment: Deployment, code: Path, rules: Sequence[Path] = ()) -> dg.AssetSpec:
    """The spec with everything the contract says of the table."""
    contract = deployment.contracts[spec.key.to_user_string()]
    is_made_here = contract.layer != "operations"
    return spec.replace_attributes(
        freshness_policy=automation.freshness(contract) if is_made_here else None,
        description=_told(contract),
        # The folder it lies in: a layer, or a room of one.
        group_name=code.parent.name,
        owners=[f"team:{contract.owner}"],
        kinds={"sql"} if contract.name in TABLES else {"duckdb", "iceberg"},
        tags={
            "domain": contract.domain,
            "pii": "true" if any(column.is_masked for column in contract.columns) else "false",
            "frequency": contract.frequency.replace(" ", ""),
        },
        code_version=_code_version(contract, code, rules),
        metadata={
            "dagster/column_schema": _column_schema(contract),
            "dagster/table_name": spec.key.to_user_string().replace("/", "."),
            "dagster/code_references": _code_reference(code),
            "company": deployment.settings.name,
            "contract": f"{label(contract.files[-1])}, version {contract.version}",
            "retention": contract.retention,
        },
    )


def _told(contract: Contract) -> str:
    """What the table is, in Markdown, with what it does not tell."""
    limits = "\n".join(f"- {limit}" for limit in contract.limitations)
    told = f"{contract.grain}\n\n{contract.purpose}"
    return f"{told}\n\n**Limits, and when not to use it**\n\n{limits}" if limits else told


def _code_version(contract: Contract, code: Path, rules: Sequence[Path]) -> str:
    digest = hashlib.sha256(code.read_bytes())
    for file in (*contract.files, *rules):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _code_reference(code: Path) -> dg.CodeReferencesMetadataValue:
    reference = dg.LocalFileCodeReference(file_path=str(code), label=_label(code))
    return dg.CodeReferencesMetadataValue(code_references=[reference])


def _label(code: Path) -> str:
    """The file as people know it: below the project where it lies there."""
    return str(code.relative_to(PROJECT)) if code.is_relative_to(PROJECT) else code.name


def _column_schema(contract: Contract) -> dg.TableSchema:
    return dg.TableSchema(columns=[_table_column(column, contract) for column in contract.columns])


def _table_column(column: Column, contract: Contract) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(
        nullable=not column.required,
        unique=contract.primary_key == [column.name],
        other=[f"one of {', '.join(column.values)}"] if column.values else [],
    )
    tags = {"pii": column.classification} if column.classification != "internal" else {}
    return dg.TableColumn(column.name, column.type, column.description, constraints, tags)
