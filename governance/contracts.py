"""Contracts: what every table promises, read from Open Data Contract Standard v3 files.

A contract lies at `contracts/<layer>/<table>.odcs.yaml`. Sources are known by `sources/<dataset>`, because a retailer's
dataset and our conformed table may bear the same word; every other table is known by its word alone.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import ValidationError

from governance import quality
from governance.contract import (
    ERASURE,
    HOUR,
    HOURLY,
    KEEP,
    LOADING,
    RHYTHMS,
    SNAPSHOT,
    TOLERATED_LOSS_PERCENT,
    TOLERATED_SHRINK_PERCENT,
    UNITS,
    Column,
    Contract,
)
from governance.errors import C360Error
from governance.privacy import CLASSES
from governance.quality import Holds, Reconciles, RefersTo, Rule, RuleError, lookups
from governance.yaml_loader import SafeLoader

FOLDER = Path(__file__).parent / "contracts"
SUFFIX = ".odcs.yaml"
COLUMN_NAME = re.compile("[a-z][a-z0-9_]*")
LAYERS = ("sources", "conformed", "analytics", "models", "serving", "operations")

# Physical types are DuckDB's, each with the logical type the standard gives it.
LOGICAL_TYPES = {
    "VARCHAR": "string",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "DOUBLE": "number",
    "DECIMAL(18,4)": "number",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
}

CONTRACT_PROPERTIES = {
    "erasure", "erasureReason", "eventTime", "loading", "movesAsOf", "optional", "qualityTarget", "sensitiveRows",
    "toleratedLossPercent", "toleratedShrinkPercent",
}  # fmt: skip
COLUMN_PROPERTIES = {"calendarDay", "identifier", "needed", "record", "renamedFrom", "reportingCurrency", "synonyms"}
TYPE_OPTIONS = {"minimum", "maximum"}
HOURS = {"h": 1, "d": 24}
BOUND_PARSERS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


class ContractError(C360Error):
    """A contract file that cannot be used."""

    def __init__(self, file: Path, key: str, problem: str) -> None:
        super().__init__(f"Contract {label(file)}, key {key}: {problem}")


def label(file: Path) -> str:
    """How people call a contract's file: by layer and name, one that is not ours also by its folder."""
    return "/".join(file.parts[-2 if FOLDER in file.parents else -3 :])


@cache
def ours() -> Mapping[str, Contract]:
    """The contracts of the package by table key, read once: its files do not change while a process runs."""
    return load()


def load(folder: Path = FOLDER) -> dict[str, Contract]:
    """All contracts below `folder` by table key, sources first; ContractError names file and key of the first fault."""
    files = sorted(folder.glob(f"*/*{SUFFIX}"), key=lambda file: (_layer_rank(file), file.name))
    return together(read(file) for file in files)


def together(found: Iterable[Contract]) -> dict[str, Contract]:
    """Contracts by table key; ContractError where two are of one word, or one refers to what no other has."""
    contracts: dict[str, Contract] = {}
    for contract in found:
        if contract.key in contracts:
            other = contracts[contract.key].layer
            problem = f"the word '{contract.key}' is taken by a table of {other}"
            raise ContractError(contract.files[-1], "schema.name", problem)
        contracts[contract.key] = contract
    _check_references(contracts)
    return contracts


def read(file: Path) -> Contract:
    """The contract in one file; ContractError where it breaks the standard or our use of it."""
    return contract_of(file, written(file))


def written(file: Path) -> dict[str, Any]:
    """What a contract's file says, as it is. ContractError where that is no mapping in YAML."""
    try:
        raw = yaml.load(file.read_text(encoding="utf-8"), Loader=SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise ContractError(file, "(file)", f"is not readable YAML: {' '.join(str(fault).split())}") from fault
    if not isinstance(raw, dict):
        raise ContractError(file, "(file)", "is empty or not a mapping")
    return raw


def contract_of(file: Path, raw: dict[str, Any]) -> Contract:
    """The contract that `raw` says, in the name of a file; ContractError as of `read`."""
    if file.parent.name not in LAYERS:
        raise ContractError(file, "layer", f"the folder must be one of {', '.join(LAYERS)}")
    document = _parse(file, raw)
    table = _only_table(file, document)
    properties = _custom(file, "customProperties", document.customProperties, CONTRACT_PROPERTIES)
    levels = _levels(document)
    contract = Contract(
        layer=file.parent.name,
        name=file.name.removesuffix(SUFFIX),
        title=_needed(file, "name", document.name),
        version=_needed(file, "version", document.version),
        purpose=_needed(file, "description.purpose", getattr(document.description, "purpose", None)).strip(),
        limitations=tuple((getattr(document.description, "limitations", None) or "").splitlines()),
        grain=table.dataGranularityDescription or "",
        owner=_needed(file, "team.name", getattr(document.team, "name", None)),
        domain=_needed(file, "domain", document.domain),
        frequency=_frequency(file, levels.get("frequency")),
        retention=_needed(file, "slaProperties.retention", levels.get("retention")),
        columns=tuple(_column(file, field) for field in table.properties or []),
        event_time=properties.get("eventTime"),
        moves_as_of=bool(properties.get("movesAsOf", False)),
        optional=bool(properties.get("optional", False)),
        declared_rules=tuple(_rule(file, position, entry) for position, entry in enumerate(table.quality or [])),
        latency_hours=_latency_hours(file, document.slaProperties or []),
        quality_target=properties.get("qualityTarget"),
        loading=str(properties.get("loading", SNAPSHOT)),
        sensitive_rows=properties.get("sensitiveRows"),
        erasure=properties.get("erasure"),
        erasure_reason=properties.get("erasureReason"),
        tolerated_loss_percent=_percent(file, properties, "toleratedLossPercent", TOLERATED_LOSS_PERCENT),
        tolerated_shrink_percent=_percent(file, properties, "toleratedShrinkPercent", TOLERATED_SHRINK_PERCENT),
        files=(file,),
    )
    for check in (_check_columns, _check_loading, _check_sensitive_rows, _check_erasure, _check_rules, _check_lookups):
        check(file, contract)
    return contract


def _only_table(file: Path, document: OpenDataContractStandard) -> SchemaObject:
    """The table of a contract, which is named as its file and says what a row is."""
    if not document.schema_ or len(document.schema_) != 1:
        raise ContractError(file, "schema", "exactly one table is expected")
    table = document.schema_[0]
    name = file.name.removesuffix(SUFFIX)
    if table.name != name:
        raise ContractError(file, "schema.name", f"'{table.name}' must be '{name}', the name of the file")
    if not (table.dataGranularityDescription or "").startswith("One row"):
        raise ContractError(file, "schema.dataGranularityDescription", "must say what one row is: 'One row per ...'")
    return table


def _levels(document: OpenDataContractStandard) -> dict[str | None, str]:
    """The service levels that have a value and a unit."""
    return {
        level.property: f"{level.value} {level.unit}"
        for level in document.slaProperties or []
        if level.value and level.unit
    }


def _layer_rank(file: Path) -> int:
    return LAYERS.index(file.parent.name) if file.parent.name in LAYERS else len(LAYERS)


def _parse(file: Path, raw: dict[str, Any]) -> OpenDataContractStandard:
    try:
        document = OpenDataContractStandard.model_validate(raw)
    except ValidationError as fault:
        first = fault.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ContractError(file, path, first["msg"]) from fault
    # The models ignore keys they do not know below the first level, which would turn a typing error into silence.
    unknown = _unknown_key(raw, document.model_dump(by_alias=True, exclude_unset=True))
    if unknown:
        raise ContractError(file, unknown, "is no key of the Open Data Contract Standard; check its spelling")
    return document


def _unknown_key(written: Any, understood: Any, path: str = "") -> str | None:
    if isinstance(written, Mapping) and isinstance(understood, Mapping):
        for key, value in written.items():
            where = f"{path}.{key}".lstrip(".")
            if key not in understood:
                return where
            if found := _unknown_key(value, understood[key], where):
                return found
    if isinstance(written, list) and isinstance(understood, list):
        for position, pair in enumerate(zip(written, understood, strict=False)):
            if found := _unknown_key(*pair, f"{path}[{position}]"):
                return found
    return None


def _column(file: Path, field: SchemaProperty) -> Column:
    name = _needed(file, "schema.properties.name", field.name)
    if not COLUMN_NAME.fullmatch(name):
        raise ContractError(file, "schema.properties.name", f"'{name}' must be of small letters, digits and _")
    path = f"schema.properties.{name}"
    type_, classification = _type(file, path, field), _classification(file, path, field)
    minimum, maximum = _bounds(file, path, field)
    if field.primaryKey and not field.required:
        raise ContractError(file, f"{path}.required", "must be true for a column of the primary key")
    custom = _custom(file, path, field.customProperties, COLUMN_PROPERTIES)
    return Column(
        name=name,
        type=type_,
        description=_needed(file, f"{path}.description", field.description).strip(),
        required=bool(field.required),
        key_position=(field.primaryKeyPosition or 1) if field.primaryKey else None,
        classification=classification,
        minimum=minimum,
        maximum=maximum,
        values=tuple(str(entry.value) for entry in field.enum or []),
        references=_reference(file, path, field),
        renamed_from=custom.get("renamedFrom"),
        partitions=bool(field.partitioned),
        critical=bool(field.required or field.criticalDataElement),
        declared_identifier=bool(custom.get("identifier", False)),
        is_needed=bool(custom.get("needed", False)),
        is_calendar_day=bool(custom.get("calendarDay", False)),
        is_reporting_currency=bool(custom.get("reportingCurrency", False)),
        is_record=bool(custom.get("record", False)),
        synonyms=_synonyms(file, path, custom.get("synonyms"), field),
    )


def _type(file: Path, path: str, field: SchemaProperty) -> str:
    if field.physicalType not in LOGICAL_TYPES:
        known = ", ".join(LOGICAL_TYPES)
        raise ContractError(file, f"{path}.physicalType", f"'{field.physicalType}' must be one of {known}")
    if field.logicalType != LOGICAL_TYPES[field.physicalType]:
        expected = LOGICAL_TYPES[field.physicalType]
        raise ContractError(file, f"{path}.logicalType", f"must be '{expected}' for a {field.physicalType}")
    return field.physicalType


def _classification(file: Path, path: str, field: SchemaProperty) -> str:
    classification = field.classification or "internal"
    if classification not in CLASSES:
        known = ", ".join(CLASSES)
        raise ContractError(file, f"{path}.classification", f"'{classification}' must be one of {known}")
    return classification


def _synonyms(file: Path, path: str, listed: Any, field: SchemaProperty) -> tuple[tuple[str, str], ...]:
    """Other words, each with the value that it means."""
    if listed is None:
        return ()
    if not isinstance(listed, dict):
        raise ContractError(file, f"{path}.synonyms", "must list, for each value of the enum, the words that mean it")
    values = [str(entry.value) for entry in field.enum or []]
    for value in listed:
        if value not in values:
            raise ContractError(file, f"{path}.synonyms", f"'{value}' is no value of the enum")
    return tuple((str(word), str(value)) for value, words in listed.items() for word in words)


def _rule(file: Path, position: int, entry: DataQuality) -> Rule:
    try:
        return quality.declared(entry)
    except RuleError as fault:
        raise ContractError(file, f"schema.quality.{entry.name or position}.{fault.key}", str(fault)) from fault


def _frequency(file: Path, frequency: str | None) -> str:
    value, unit = _needed(file, "slaProperties.frequency", frequency).split()
    if unit not in UNITS or not value.replace(".", "", 1).isdigit():
        raise ContractError(file, "slaProperties.frequency", f"must be a number of unit {', '.join(UNITS)}")
    if not 0 < (every := float(value) * UNITS[unit]) / HOUR < 1 and every not in RHYTHMS:
        raise ContractError(file, "slaProperties.frequency", "must be under an hour, or 1 h, 1 d, 7 d or 1 m")
    return f"{value} {unit}"


def _latency_hours(file: Path, levels: list[Any]) -> float | None:
    for level in levels:
        if level.property == "latency":
            if level.unit not in HOURS or not isinstance(level.value, int | float):
                raise ContractError(file, "slaProperties.latency", "must be a number of unit 'h' or 'd'")
            return float(level.value * HOURS[level.unit])
    return None


def _percent(file: Path, properties: Mapping[str, Any], name: str, usual: float) -> float:
    value = properties.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ContractError(file, f"customProperties.{name}", "must be a number from 0 to 100")
    return float(value)


def _check_rules(file: Path, contract: Contract) -> None:
    names = [rule.name for rule in contract.rules]
    for rule in contract.rules:
        path = f"schema.quality.{rule.name}"
        if names.count(rule.name) > 1 or rule.name == "quality_score":
            raise ContractError(file, f"{path}.name", "is taken by another rule of the table")
        if rule.schedule != contract.rules[0].schedule:
            raise ContractError(
                file, f"{path}.schedule", "must be the same for all rules of a table, which share a score"
            )
        for column in sorted(rule.need.columns_used | {lookup.by for lookup in lookups(rule).values()}):
            if column not in contract.column_names:
                raise ContractError(file, f"{path}.implementation", f"'{column}' is no column of the table")


def _bounds(file: Path, path: str, field: SchemaProperty) -> tuple[str | None, str | None]:
    """Least and greatest value as text, each of them a value of the column's type."""
    options = field.logicalTypeOptions or {}
    for key in options.keys() - TYPE_OPTIONS:
        raise ContractError(file, f"{path}.logicalTypeOptions.{key}", "is no option we know: minimum, maximum")
    bounds = []
    for key in ("minimum", "maximum"):
        text = None if options.get(key) is None else str(options[key])
        try:
            if text is not None:
                BOUND_PARSERS[LOGICAL_TYPES[field.physicalType or ""]](text)
        except (ValueError, KeyError) as fault:
            raise ContractError(
                file, f"{path}.logicalTypeOptions.{key}", f"'{text}' is no bound of this type"
            ) from fault
        bounds.append(text)
    return bounds[0], bounds[1]


def _reference(file: Path, path: str, field: SchemaProperty) -> tuple[str, str] | None:
    """(table key, column) a foreign key points at, from `<contract file>#/schema/<table>/properties/<column>`."""
    if not field.relationships:
        return None
    target = field.relationships[0].to
    if not isinstance(target, str) or target.count("#/schema/") != 1:
        raise ContractError(
            file, f"{path}.relationships.to", "must name a file and '#/schema/<table>/properties/<column>'"
        )
    where, _, pointer = target.partition("#/schema/")
    table, _, column = pointer.partition("/properties/")
    target_file = file.parent / where
    if target_file.name != f"{table}{SUFFIX}":
        raise ContractError(file, f"{path}.relationships", f"the table '{table}' is not in {target_file.name}")
    layer = target_file.resolve().parent.name
    return (f"sources/{table}" if layer == "sources" else table), column


def _custom(file: Path, path: str, entries: list[Any] | None, known: set[str]) -> dict[str, Any]:
    found = {entry.property: entry.value for entry in entries or []}
    for key in found.keys() - known:
        raise ContractError(file, f"{path}.{key}", f"is not a property we know: {', '.join(sorted(known))}")
    return found


def _needed(file: Path, key: str, value: str | None) -> str:
    if not value:
        raise ContractError(file, key, "is missing")
    return value


def _check_columns(file: Path, contract: Contract) -> None:
    names = contract.column_names
    if not names:
        raise ContractError(file, "schema.properties", "a table has at least one column")
    for name in names:
        if names.count(name) > 1:
            raise ContractError(file, f"schema.properties.{name}", "is declared twice")
    if contract.event_time and contract.event_time not in names:
        raise ContractError(file, "customProperties.eventTime", f"'{contract.event_time}' is no column of the table")
    if contract.moves_as_of and not contract.event_time:
        raise ContractError(file, "customProperties.movesAsOf", "needs an eventTime, by which the newest is known")


def _check_loading(file: Path, contract: Contract) -> None:
    problem = None
    if contract.loading not in LOADING:
        problem = f"'{contract.loading}' must be one of {', '.join(LOADING)}"
    elif contract.loading != SNAPSHOT and not contract.primary_key:
        problem = f"'{contract.loading}' needs a primary key, by which a row is known again"
    elif contract.loading == HOURLY and not contract.event_time:
        problem = "'hourly' needs an eventTime, by which a row belongs to its hour"
    if problem:
        raise ContractError(file, "customProperties.loading", problem)


def _check_sensitive_rows(file: Path, contract: Contract) -> None:
    types = {column.name: column.type for column in contract.columns}
    if contract.sensitive_rows and types.get(contract.sensitive_rows) != "BOOLEAN":
        raise ContractError(
            file, "customProperties.sensitiveRows", f"'{contract.sensitive_rows}' must be a BOOLEAN column of the table"
        )


def _check_erasure(file: Path, contract: Contract) -> None:
    if contract.erasure not in (None, *ERASURE):
        problem = f"'{contract.erasure}' must be one of {', '.join(ERASURE)}"
        raise ContractError(file, "customProperties.erasure", problem)
    if contract.erasure == KEEP and not contract.erasure_reason:
        raise ContractError(file, "customProperties.erasureReason", "must say why rows of an erased person may stay")


def _check_references(contracts: dict[str, Contract]) -> None:
    for contract in contracts.values():
        for rule in contract.declared_rules:
            for table, columns in other_tables(rule):
                known = contracts.get(table)
                problem = None
                if known is None or not set(columns) <= set(known.column_names):
                    problem = f"there is no table '{table}' with the columns {', '.join(columns)}"
                elif isinstance(rule.need, Holds) and len(known.primary_key) != 1:
                    problem = f"'{table}' has no key of one column to be looked up by"
                if problem:
                    raise ContractError(contract.files[-1], f"schema.quality.{rule.name}.implementation", problem)
        for column in contract.columns:
            if column.references is None:
                continue
            table, target = column.references
            if table not in contracts or target not in contracts[table].column_names:
                path = f"schema.properties.{column.name}.relationships"
                raise ContractError(contract.files[-1], path, f"there is no column '{target}' in a table '{table}'")


def other_tables(rule: Rule) -> list[tuple[str, tuple[str, ...]]]:
    """The tables a rule reads beside its own, with the columns it needs of them."""
    if isinstance(rule.need, Holds):
        return [(lookup.table, lookup.take) for lookup in lookups(rule).values()]
    if isinstance(rule.need, RefersTo):
        return [(rule.need.table, (rule.need.key,))]
    if isinstance(rule.need, Reconciles):
        return [(rule.need.table, ())]
    return []


def _check_lookups(file: Path, contract: Contract) -> None:
    """What rules look up is joined once per name, so a name means one thing throughout a table."""
    known: dict[str, tuple[str, str]] = {}
    for rule in contract.rules:
        for name, lookup in lookups(rule).items():
            if known.setdefault(name, (lookup.table, lookup.by)) != (lookup.table, lookup.by):
                path = f"schema.quality.{rule.name}.implementation.holds.lookup.{name}"
                raise ContractError(file, path, "means another table or column in another rule")
