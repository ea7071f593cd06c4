"""A contract: what one table promises, with the rules that follow from it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from governance.privacy import INTERNAL, MASKED_CLASSES
from governance.quality import (
    FilledCells,
    Fresh,
    Holds,
    HoursLoaded,
    Need,
    OfColumn,
    OneOf,
    Present,
    RefersTo,
    RowCount,
    RowsKept,
    Rule,
    SetAside,
    Unique,
)

# How rows come in: all at once; changed ones by key; or hour by hour, by the time of the event.
SNAPSHOT, UPSERT, HOURLY = "snapshot", "upsert", "hourly"
LOADING = (SNAPSHOT, UPSERT, HOURLY)
# What a contract may say of the rows of an erased person: they go, stay without the person, or stay for a reason.
DELETE, SEVER, KEEP = "delete", "sever", "keep"
ERASURE = (DELETE, SEVER, KEEP)

# How many of a source's rows may be left out of what is made of them, where its contract says nothing; and how many
# fewer than are held may come with a load of the whole.
TOLERATED_LOSS_PERCENT = 10.0
TOLERATED_SHRINK_PERCENT = 50.0
HOUR = timedelta(hours=1)
# How often a table can be brought up to date, if not whenever there is news: every hour, day, week or month.
RHYTHMS = {HOUR: "hourly", 24 * HOUR: "daily", 7 * 24 * HOUR: "weekly", 31 * 24 * HOUR: "monthly"}
UNITS = {"min": timedelta(minutes=1), "h": HOUR, "d": timedelta(days=1), "m": timedelta(days=31)}
# Layers of tables made of others; how much of their rows stays; and what is said of columns that are shares of a whole.
DERIVED = ("conformed", "analytics", "models", "serving")
ROWS_KEPT = 0.5
SHARE = "0 to 1"
# How a description ends that says in what a column counts, and what stands there for amounts.
UNIT = re.compile(r"\(([^()]+)\)\.$")
AMOUNT = "(reporting currency"
# What a spreadsheet makes of a long number.
CUT = r"^-?[0-9]([.,][0-9]+)?[eE][+]?[0-9]+$"


@dataclass(frozen=True)
class Column:
    """One column: `type` is DuckDB's, `key_position` counts from 1 where the column is part of the primary key.

    It is an identifier where it is part of a key or refers to one, or is declared as one; a row whose value does not
    fit a column that `is_needed` is worth nothing, while in another the value alone is left out. One that
    `is_calendar_day` names a day and no moment, whatever the clock. `synonyms` are other words that systems write, each
    with the one of `values` that it means. One that `is_record` holds rows of other tables as JSON.
    """

    name: str
    type: str
    description: str
    required: bool = False
    key_position: int | None = None
    classification: str = INTERNAL
    minimum: str | None = None
    maximum: str | None = None
    values: tuple[str, ...] = ()
    references: tuple[str, str] | None = None
    renamed_from: str | None = None
    partitions: bool = False
    critical: bool = False
    declared_identifier: bool = False
    is_needed: bool = False
    is_calendar_day: bool = False
    is_reporting_currency: bool = False
    is_record: bool = False
    synonyms: tuple[tuple[str, str], ...] = ()

    @property
    def is_identifier(self) -> bool:
        """Whether its values stand for things: blanks around them mean nothing, and `NULL` is no thing."""
        is_one = bool(self.key_position or self.references or self.declared_identifier)
        return is_one and self.type == "VARCHAR"

    @property
    def unit(self) -> str | None:
        """In what it counts, where the description ends with it."""
        found = UNIT.search(self.description)
        return found.group(1) if found else None

    @property
    def is_classified(self) -> bool:
        """Whether it says something of a person."""
        return self.classification != INTERNAL

    @property
    def is_masked(self) -> bool:
        """Whether its values may not leave the table in logs, metadata or quarantine."""
        return self.classification in MASKED_CLASSES


@dataclass(frozen=True)
class Contract:
    """What one table promises. `event_time` names the column that says when a row happened.

    `moves_as_of` says that a row is something a customer did, so that the newest decides of which moment every analysis
    speaks. `latency_hours` is how old the newest row may be, `quality_target` the quality score (0 to 100) it should
    have, `loading` how a source's rows come in: snapshot, upsert or hourly; `sensitive_rows` names the column that says
    which rows are hidden from whoever has no full access. `limitations` are what the table does not tell, and when not
    to use it. `tolerated_loss_percent` of a source's rows may be left out of what is made of them before anybody is
    warned; a load of the whole may bring `tolerated_shrink_percent` fewer rows than are held before it is refused.
    `erasure` says, where that does not follow from the columns, what becomes of the rows of a person who is erased
    (`governance.subjects`). `files` say all this, the deployment's own last, and `own_columns` are those which that one
    adds.
    """

    layer: str
    name: str
    title: str
    version: str
    purpose: str
    grain: str
    owner: str
    domain: str
    frequency: str
    retention: str
    columns: tuple[Column, ...]
    event_time: str | None = None
    moves_as_of: bool = False
    optional: bool = False
    declared_rules: tuple[Rule, ...] = ()
    latency_hours: float | None = None
    quality_target: float | None = None
    loading: str = SNAPSHOT
    sensitive_rows: str | None = None
    erasure: str | None = None
    erasure_reason: str | None = None
    files: tuple[Path, ...] = ()
    own_columns: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    tolerated_loss_percent: float = TOLERATED_LOSS_PERCENT
    tolerated_shrink_percent: float = TOLERATED_SHRINK_PERCENT

    @property
    def key(self) -> str:
        """The word (for a source: `sources/` and the word) by which the table is known everywhere."""
        return f"sources/{self.name}" if self.layer == "sources" else self.name

    @property
    def every(self) -> timedelta:
        """How often the table is brought up to date, a month taken as 31 days."""
        value, unit = self.frequency.split()
        return float(value) * UNITS[unit]

    def in_currency(self, currency: str) -> "Contract":
        """The contract with the currency named wherever a column holds amounts."""
        named = [
            replace(column, description=column.description.replace(AMOUNT, f"({currency}")) for column in self.columns
        ]
        return replace(self, columns=tuple(named))

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    @cached_property
    def primary_key(self) -> list[str]:
        """Names of the key columns, in order of their position."""
        keyed = [(column.key_position, column.name) for column in self.columns if column.key_position]
        return [name for _, name in sorted(keyed)]

    @cached_property
    def partition_column(self) -> str | None:
        """The column whose values the table can be replaced by, one at a time."""
        return next((column.name for column in self.columns if column.partitions), None)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every quality rule of the table, those it has by itself first."""
        return (*generated(self), *self.declared_rules)

    @cached_property
    def is_gated(self) -> bool:
        """Whether readers see a new snapshot only after its blocking rules held."""
        return any(rule.blocking for rule in self.rules)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError where there is none."""
        return {column.name: column for column in self.columns}[name]


def generated(contract: Contract) -> Iterator[Rule]:
    """The rules a table has without anybody writing them; a written one of the same name takes the place."""
    written = {rule.name for rule in contract.declared_rules}
    return (rule for rule in _generated(contract) if rule.name not in written)


def _generated(contract: Contract) -> Iterator[Rule]:
    schedule = contract.declared_rules[0].schedule if contract.declared_rules else "daily"

    def rule(
        name: str, description: str, dimension: str, need: Need, severity: str = "warning", blocking: bool = False
    ) -> Rule:
        return Rule(name, description, dimension, severity, schedule, need, blocking=blocking)

    if contract.primary_key:
        key, need = ", ".join(contract.primary_key), Unique(columns=tuple(contract.primary_key))
        description, blocking = f"No two rows have the same {key}.", _is_gate(contract)
        yield rule("key_unique", description, "uniqueness", need, "error", blocking=blocking)
    if contract.layer in DERIVED:
        yield from _of_derived(contract, rule)
    if contract.layer == "sources":
        yield from _of_sources(contract, rule)
        yield from _of_values(contract, rule)
        yield from _of_times(contract, rule)


def _is_gate(contract: Contract) -> bool:
    # Rows that come in part are merged by key, and read at once: their checks come later, over the whole table.
    return contract.loading == "snapshot"


def _of_derived(contract: Contract, rule: Callable[..., Rule]) -> Iterator[Rule]:
    description = f"There are at least {ROWS_KEPT:.0%} of the rows there were when the table was scored before."
    yield rule("rows_kept", description, "completeness", RowsKept(share=ROWS_KEPT))
    rates = [column.name for column in contract.columns if column.unit == SHARE]
    if rates:
        within = " and ".join(f"coalesce({name} between 0 and 1, true)" for name in rates)
        description = f"Shares and rates lie between 0 and 1, as is said of them: {', '.join(rates)}."
        yield rule("rates_in_range", description, "conformity", Holds(condition=within))


def _of_sources(contract: Contract, rule: Callable[..., Rule]) -> Iterator[Rule]:
    keys = [column.name for column in contract.columns if column.is_identifier]
    if keys:
        whole = " and ".join(f"not coalesce(regexp_matches({name}, '{CUT}'), false)" for name in keys)
        description = f"No spreadsheet has made a rounded number, such as 9.78E+12, of {', '.join(keys)}."
        yield rule("keys_whole", description, "conformity", Holds(condition=whole))
    required = tuple(column.name for column in contract.columns if column.required)
    if required:
        filled, need = f"Filled in every row: {', '.join(required)}.", Present(columns=required)
        yield rule("required_filled", filled, "completeness", need, "error", blocking=_is_gate(contract))
    there = "There are rows, of what had come by as_of."
    yield rule("rows_present", there, "completeness", RowCount(minimum=1), "error")
    yield rule("types_fit", "Values are of their types and within bounds.", "conformity", SetAside(because="type"))
    critical = tuple(column.name for column in contract.columns if column.critical)
    named = ", ".join(critical)
    yield rule("null_values", f"Cells that are filled, of {named}.", "completeness", FilledCells(columns=critical))
    yield rule("completeness", f"Rows in which all of {named} are filled.", "completeness", Present(columns=critical))


def _of_values(contract: Contract, rule: Callable[..., Rule]) -> Iterator[Rule]:
    """Of each column that refers to another table or has its values listed, unless a written rule judges just that."""
    judged = {
        (type(written.need), written.need.column)
        for written in contract.declared_rules
        if isinstance(written.need, OfColumn)
    }
    for column in contract.columns:
        name, filled = column.name, f"Where {column.name} is filled, it is"
        if column.references and (RefersTo, name) not in judged:
            table, key = column.references
            need = RefersTo(column=name, table=table, key=key)
            yield rule(f"{name}_known", f"{filled} the {key} of a row of {table}.", "consistency", need)
        if column.values and (OneOf, name) not in judged:
            listed = OneOf(column=name, values=column.values)
            yield rule(f"{name}_listed", f"{filled} one of {', '.join(column.values)}.", "consistency", listed)


def _of_times(contract: Contract, rule: Callable[..., Rule]) -> Iterator[Rule]:
    hours = contract.latency_hours
    description = f"The newest row is at most {hours:g} hours old." if hours else "How old the newest row is."
    yield rule("timeliness", description, "timeliness", Fresh(column=contract.event_time, within_hours=hours))
    if contract.loading == "hourly":
        description = "No hour is missing between the first that was loaded and the newest event."
        yield rule("hours_loaded", description, "completeness", HoursLoaded())
