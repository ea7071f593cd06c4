"""Derived tables without Dagster, Iceberg and checks: their functions alone, one after another, in one engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import dagster as dg
import ibis
import ibis.expr.types as ir
import pytest

from c360_assets.conformed.as_of import AsOf
from c360_assets.definitions import LAYERS
from c360_assets.models import action_model, basket_rules, forecast_model
from c360_assets.terms import churn, clustering, recommendation_trials
from resources.deployment import Deployment
from resources.engine import quoted
from resources.feeds import Feeds
from resources.lake import check_columns

Tables = Mapping[str, ir.Table]
# Most of the time goes into refits.
FEW_REFITS = 2


class Derived:
    """The tables that follow from sources, read as a deployment is read."""

    def __init__(self, deployment: Deployment, tables: Tables) -> None:
        self.deployment = deployment
        self.tables = tables

    def read(self, key: str) -> ir.Table:
        """The rows of a source or of a table made of them."""
        return self.tables[key]


def loaded(deployment: Deployment) -> dict[str, ir.Table]:
    """What the feeds bring, by the key of the dataset, and all that they set aside as `quarantine`."""
    sources = [contract for contract in deployment.contracts.values() if contract.layer == "sources"]
    loads = {contract.key: Feeds(deployment).load(contract) for contract in sources}
    return {
        **{key: load.rows for key, load in loads.items()},
        "quarantine": ibis.union(*[load.quarantine for load in loads.values()]),
    }


def derived(
    deployment: Deployment,
    sources: Tables,
    as_of: str | None = None,
    name: str = "derived",
    only: Sequence[str] = (),
) -> Derived:
    """Every table made of the sources; its columns and required values are held against its contract.

    `only` names tables that are made, with all they are made of, and no other.

    `name` keeps apart what one deployment derives from several sets of sources. Models are the quick ones.
    """
    with quick_models():
        return _derived(deployment, sources, as_of, name, only)


@contextmanager
def quick_models() -> Iterator[None]:
    """Models of thousands of customers and products take seconds; how well they do stands in tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "REFITS", FEW_REFITS)
        patch.setattr(churn, "SAMPLE", 5_000)
        patch.setattr(recommendation_trials, "MOST_FOR_EASE", 500)
        patch.setattr(action_model, "MODELS", action_model.MODELS[:1])
        patch.setattr(forecast_model, "MOST_SERIES", 200)
        patch.setattr(basket_rules, "THRESHOLDS", replace(basket_rules.THRESHOLDS, most_sets=100))
        yield


def _derived(deployment: Deployment, sources: Tables, as_of: str | None, name: str, only: Sequence[str]) -> Derived:
    assets = derived_assets()
    if only:
        assets = _upstream(assets, only)
    resources = beside_tables(deployment, as_of, lambda key: deployment.lake.empty(deployment.contracts[key]))
    tables = dict(sources)
    while assets:
        ready = [asset for asset in assets if tables.keys() >= set(inputs_of(asset).values())]
        assert ready, f"none of {[asset.key for asset in assets]} can be made"
        for asset in ready:
            key = asset.key.to_user_string()
            rows = made_of(asset, {argument: tables[table] for argument, table in inputs_of(asset).items()} | resources)
            tables[key] = _kept(deployment, key, rows, f"{name} {key}")
        assets = [asset for asset in assets if asset not in ready]
    return Derived(deployment, tables)


def derived_assets() -> list[dg.AssetsDefinition]:
    """The assets of all layers that are made of others."""
    return [asset for layer in LAYERS for asset in dg.load_assets_from_package_module(layer)]


def beside_tables(deployment: Deployment, as_of: str | None, former: Callable[[str], ir.Table]) -> dict[str, Any]:
    """What assets take beside tables, by argument; `former` gives the rows that a table had before."""
    return {
        "config": AsOf(as_of=as_of),
        "context": SimpleNamespace(run=SimpleNamespace(run_id="none")),
        "rules": deployment.rules,
        "playbook": deployment.playbook,
        "exclusions": deployment.exclusions,
        "actions": deployment.actions,
        "timezone": deployment.settings.clock,
        "currency": deployment.settings.currency,
        "former": former,
    }


def _upstream(assets: Sequence[dg.AssetsDefinition], only: Sequence[str]) -> list[dg.AssetsDefinition]:
    """The assets that make these tables, and those that make what they are made of."""
    made = {asset.key.to_user_string(): asset for asset in assets}
    found: dict[str, dg.AssetsDefinition] = {}
    waiting = [key for key in only if key in made]
    while waiting:
        key = waiting.pop()
        found[key] = made[key]
        waiting += [table for table in inputs_of(made[key]).values() if table in made and table not in found]
    return [asset for key, asset in made.items() if key in found]


def inputs_of(asset: dg.AssetsDefinition) -> dict[str, str]:
    """The tables that an asset is made of, by its arguments."""
    return {argument: key.to_user_string() for argument, key in asset.keys_by_input_name.items()}


def made_of(asset: dg.AssetsDefinition, known: Mapping[str, Any]) -> ir.Table:
    """What an asset makes of its arguments, which are among those `known`."""
    function: Any = asset.op.compute_fn
    wanted: Sequence[str] = function.decorated_fn.__code__.co_varnames[: function.decorated_fn.__code__.co_argcount]
    rows: ir.Table = function.decorated_fn(**{argument: known[argument] for argument in wanted})
    return rows


def _kept(deployment: Deployment, key: str, rows: ir.Table, name: str) -> ir.Table:
    contract, engine = deployment.contracts[key], deployment.engine
    check_columns(contract, rows)
    columns = ", ".join(f"{quoted(column.name)}::{column.type} AS {quoted(column.name)}" for column in contract.columns)
    engine.query(f"CREATE TABLE {quoted(name)} AS SELECT {columns} FROM ({engine.sql_of(rows)})")
    for column in contract.columns:
        if column.required:
            ((empty,),) = engine.query(f"SELECT count(*) FROM {quoted(name)} WHERE {quoted(column.name)} IS NULL")
            assert not empty, f"{key}.{column.name} is empty in {empty} rows"
    return engine.backend.table(name)
