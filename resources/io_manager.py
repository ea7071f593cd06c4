"""The IO manager: what an asset returns goes to the lake by its contract, what it takes comes from there."""

from typing import Any

import dagster as dg
import ibis.expr.types as ir

from governance.contract import HOURLY
from resources import candidates, hours, merging
from resources.deployment import Deployment
from resources.feeds import Feeds, Load
from resources.lake import HOURS, Commit
from resources.lineage import column_lineage
from resources.operations import TABLES
from resources.run_lock import only_run

# Told with each snapshot, so that its history says when which segment rules came into force.
RULE_VERSION = "c360.rule_version"


def lake_io_manager(deployment: Deployment) -> dg.IOManagerDefinition:
    """The IO manager of a deployment, by which a run is the only one at work from its first table to its last."""

    @dg.io_manager
    def of_run(context: dg.InitResourceContext) -> Any:
        run, log = context.run, context.log
        with only_run(deployment, run.run_id if run else "", log.info if log else print):
            yield LakeIOManager(deployment)
            if run and context.instance:
                _tell_of_operations(context.instance, deployment, run.run_id)

    return of_run


def _tell_of_operations(instance: dg.DagsterInstance, deployment: Deployment, run_id: str) -> None:
    """Record of each table in which runs leave what they found that this one did, and how many rows it has now."""
    for contract in deployment.contracts.values():
        if contract.layer == "operations":
            state = deployment.lake.state(contract.key)
            rows = deployment.operations.count(contract.name) if contract.name in TABLES else state.rows if state else 0
            metadata: dict[str, Any] = {"dagster/row_count": rows, "after run": run_id}
            instance.report_runless_asset_event(dg.AssetMaterialization(contract.key, metadata=metadata))


class LakeIOManager(dg.IOManager):
    """Tables in, tables out: lazy Ibis expressions over published snapshots."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def load_input(self, context: dg.InputContext) -> ir.Table:
        """The published rows of the upstream table; none, in its contract's columns, where it was never built.

        Columns that the deployment has added are not ours to know, and bear names that ours may have.
        """
        contract = self.deployment.contracts[context.asset_key.to_user_string()]
        return self.deployment.lake.read(contract).drop(*contract.own_columns)

    def handle_output(self, context: dg.OutputContext, obj: ir.Table | Load) -> None:
        """Write the table, or merge a part of it, and report rows, bytes, snapshot and column lineage.

        A table with blocking rules is published by its checks, any other here and now. LakeError where it does not keep
        its contract; then nothing is written.
        """
        contract = self.deployment.contracts[context.asset_key.to_user_string()]
        self.deployment.claim_home()
        # Compiled before writing: the write replaces the very tables the expression may read.
        lineage = column_lineage(obj.rows if isinstance(obj, Load) else obj)
        properties = {"c360.run_id": context.run_id, "c360.code_version": self._code_version(context)}
        if "rules" in context.op_def.required_resource_keys:
            properties[RULE_VERSION] = self.deployment.rules().full_version
        if isinstance(obj, Load):
            commit = Feeds(self.deployment).commit(contract, obj, properties)
        else:
            commit = self.deployment.lake.write(contract, obj, properties)
        if not contract.is_gated:
            self.deployment.lake.publish(commit)
        if isinstance(obj, Load) and obj.window is None and contract.loading == HOURLY:
            instance, loaded = context.step_context.instance, merging.windows(commit.properties.get(HOURS, ""))
            hours.record(instance, context.asset_key, context.asset_partitions_def, loaded)
        metadata = _metadata(commit, _dagster_lineage(lineage, set(self.deployment.contracts)))
        if candidates.are_told(contract):
            written = self.deployment.lake.newest(contract)[0].select(candidates.columns(contract))
            rows = written.order_by(contract.primary_key).to_pyarrow().to_pylist()
            metadata["candidates"] = dg.MetadataValue.md(candidates.markdown(contract, rows))
        context.add_output_metadata(
            metadata | ({"rule version": properties[RULE_VERSION]} if RULE_VERSION in properties else {})
        )

    def _code_version(self, context: dg.OutputContext) -> str:
        assets = context.step_context.job_def.asset_layer
        return str(assets.get(context.asset_key).code_version)


def _metadata(commit: Commit, lineage: dg.TableColumnLineage) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": commit.rows,
        "bytes": commit.bytes,
        "snapshot": str(commit.snapshot_id),
    }
    if commit.watermark:
        metadata["newest event"] = commit.watermark
    if commit.merged:
        metadata |= {"new or changed": commit.merged.fresh, "gone": commit.merged.gone, "late": commit.late}
    if lineage.deps_by_column:
        metadata["dagster/column_lineage"] = lineage
        metadata["column lineage"] = _lineage_table(lineage)
    return metadata


def _dagster_lineage(lineage: dict[str, list[tuple[str, str]]], known: set[str]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=dg.AssetKey.from_user_string(table), column_name=name)
                for table, name in origins
                if table in known
            ]
            for column, origins in lineage.items()
            if any(table in known for table, _ in origins)
        }
    )


def _lineage_table(lineage: dg.TableColumnLineage) -> dg.TableMetadataValue:
    """The open-source UI draws no column lineage, but it shows tables."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord({"column": column, "computed from": ", ".join(_dotted(origin) for origin in origins)})
            for column, origins in lineage.deps_by_column.items()
        ]
    )


def _dotted(origin: dg.TableColumnDep) -> str:
    return f"{origin.asset_key.to_user_string()}.{origin.column_name}"
