"""Contracts of a deployment's own, in a folder that is laid out like ours.

A file of the name of one of ours says what the deployment adds to it: columns of a dataset, rules, narrower bounds.
What ours promises it can only make stricter, because our tables rely on it. A file of another name is a dataset more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from governance import contracts
from governance.contract import Column, Contract
from governance.contracts import (
    BOUND_PARSERS,
    FOLDER,
    LOGICAL_TYPES,
    SUFFIX,
    ContractError,
    contract_of,
    read,
    together,
    written,
)
from governance.privacy import CLASSES
from governance.quality import SEVERITIES, Rule

# What of a contract our tables rely on, by the key that says it.
FIXED = {
    "schema.properties.primaryKey": "primary_key",
    "customProperties.eventTime": "event_time",
    "customProperties.movesAsOf": "moves_as_of",
    "customProperties.loading": "loading",
    "customProperties.optional": "optional",
    "customProperties.sensitiveRows": "sensitive_rows",
}


def load(folder: Path) -> dict[str, Contract]:
    """Our contracts by table key with what those in `folder` add to them; ContractError names the first fault."""
    added = {file.relative_to(folder): file for file in _files(folder)}
    ours = [
        extended(contract, added.pop(contract.files[0].relative_to(FOLDER), None))
        for contract in contracts.ours().values()
    ]
    datasets = [_dataset(file) for file in added.values()]
    return together(sorted([*ours, *datasets], key=lambda contract: contract.layer != "sources"))


def _files(folder: Path) -> list[Path]:
    """The contracts of a deployment; ContractError for a file that would be passed over."""
    if not folder.is_dir():
        raise ContractError(folder, "(folder)", "there is no such folder; correct `contracts` in c360.yaml")
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".yaml", ".yml")]
    for file in files:
        if not file.name.endswith(SUFFIX) or file.parent.parent != folder:
            raise ContractError(
                file, "(file)", f"must be {folder.name}/<layer>/<table>{SUFFIX}, such as sources/orders"
            )
    return files


def extended(ours: Contract, file: Path | None) -> Contract:
    """Our contract with what a deployment's file adds to it; ContractError where it takes something back."""
    if file is None:
        return ours
    merged = contract_of(file, _merged(written(ours.files[0]), written(file)))
    _check_extension(file, ours, merged)
    added = tuple(name for name in merged.column_names if name not in ours.column_names)
    return replace(merged, files=(*ours.files, file), own_columns=added)


def _dataset(file: Path) -> Contract:
    contract = read(file)
    if contract.layer != "sources":
        raise ContractError(file, "layer", "there is no such table of ours; a dataset of your own lies in sources/")
    if contract.moves_as_of:
        raise ContractError(
            file, "customProperties.movesAsOf", "is for datasets of ours, of which the table as_of is made"
        )
    return contract


def _merged(ours: Any, theirs: Any) -> Any:
    """What ours says and what theirs adds: mappings key by key, lists by the `name` or `property` of their entries."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours | {key: _merged(ours.get(key), value) for key, value in theirs.items()}
    if _are_named(ours) and _are_named(theirs):
        named = {_name(entry): entry for entry in ours}
        for entry in theirs:
            named[_name(entry)] = _merged(named.get(_name(entry)), entry)
        return [*named.values()]
    return theirs


def _are_named(entries: Any) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) and _name(entry) for entry in entries)


def _name(entry: Mapping[str, Any]) -> Any:
    return entry.get("name") or entry.get("property")


def _check_extension(file: Path, ours: Contract, merged: Contract) -> None:
    """ContractError where a deployment's file takes back what our contract promises."""
    for key, name in FIXED.items():
        if getattr(merged, name) != getattr(ours, name):
            raise ContractError(file, key, "cannot be changed: our tables rely on it")
    if ours.layer != "sources" and merged.column_names != ours.column_names:
        raise ContractError(file, "schema.properties", "only datasets in sources/ can have columns of your own")
    for column in ours.columns:
        for key in _loosened(column, merged.column(column.name)):
            raise ContractError(file, f"schema.properties.{column.name}.{key}", "can only be made stricter")
    named = {rule.name: rule for rule in merged.declared_rules}
    for rule in ours.rules:
        written = named.get(rule.name, rule)
        if written.need != rule.need:
            raise ContractError(file, f"schema.quality.{rule.name}", "is a rule of ours; give yours another name")
        if _is_looser(written, rule):
            raise ContractError(file, f"schema.quality.{rule.name}", "can only be made stricter")


def _loosened(ours: Column, theirs: Column) -> Iterator[str]:
    """The keys by which a column promises less than ours."""
    same = ("physicalType", "type"), ("relationships", "references"), ("partitioned", "partitions")
    yield from (key for key, name in same if getattr(ours, name) != getattr(theirs, name))
    if CLASSES.index(theirs.classification) < CLASSES.index(ours.classification):
        yield "classification"
    kept = ("required", "required"), ("criticalDataElement", "critical"), ("needed", "is_needed")
    yield from (key for key, name in kept if getattr(ours, name) and not getattr(theirs, name))
    if ours.values and not set(theirs.values) <= set(ours.values):
        yield "enum"
    parse = BOUND_PARSERS.get(LOGICAL_TYPES[ours.type], str)
    if ours.minimum is not None and (theirs.minimum is None or parse(theirs.minimum) < parse(ours.minimum)):
        yield "logicalTypeOptions.minimum"
    if ours.maximum is not None and (theirs.maximum is None or parse(theirs.maximum) > parse(ours.maximum)):
        yield "logicalTypeOptions.maximum"


def _is_looser(theirs: Rule, ours: Rule) -> bool:
    return (
        SEVERITIES.index(theirs.severity) > SEVERITIES.index(ours.severity)
        or theirs.tolerated_percent > ours.tolerated_percent
        or (ours.blocking and not theirs.blocking)
        or (ours.quarantine and not theirs.quarantine)
    )
