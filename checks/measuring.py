"""Measuring a table against the rules of its contract: counts per rule, and the rows free of any fault.

One statement marks the rows that break a rule of rows, and Great Expectations judges the marks. A rule that cannot run
is an error of its own and takes no other down.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import duckdb
import ibis.expr.types as ir

from checks import earlier, expectations
from checks.scoring import Result, Score, counted, erred, score
from checks.trends import Trends
from governance.contract import Contract
from governance.contracts import other_tables
from governance.errors import C360Error, nearest
from governance.quality import (
    FilledCells,
    Fresh,
    HoursLoaded,
    Lookup,
    Present,
    Reconciles,
    RowCount,
    RowsKept,
    Rule,
    SetAside,
    Stable,
    Steady,
    Unique,
    fingerprint,
    lookups,
)
from resources.conditions import Conditions, refusal
from resources.connectors import no_rows
from resources.deployment import Feed
from resources.engine import Engine, complaint, literal, missing_column, quoted
from resources.feeds import BREAKS, CONFLICTS, EMPTIED, REPEATS
from resources.lake import HOURS, Commit, Lake
from resources.merging import gaps, loaded_hours
from resources.operations import Operations
from resources.values import MISSING

# Faults of the SQL itself, whose messages quote the statement; those of rows quote values and are not told.
STATEMENT_FAULTS = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)
FAULTLESS = "_faultless"
# Rules that only have their SQL judged are of any moment.
SOME_MOMENT = datetime(2024, 1, 1)


@dataclass(frozen=True)
class Counted:
    """Rows a rule judged and found good or bad; or why it could not run."""

    passing: int = 0
    failing: int = 0
    problem: str | None = None


class MeasureError(C360Error):
    """A table that cannot be measured."""


@dataclass(frozen=True)
class Measurement:
    """What the rules found in one snapshot. Rows set aside at loading count, among the faulty ones."""

    contract: Contract
    commit: Commit
    as_of: datetime | None
    results: tuple[Result, ...]
    row_count: int
    faultless_rows: int

    @property
    def score(self) -> Score:
        """The quality score of the table."""
        return score(self.results)

    @property
    def faultless_percent(self) -> float | None:
        """Rows free of any fault, of all rows."""
        return 100 * self.faultless_rows / self.row_count if self.row_count else None

    @property
    def rules_hash(self) -> str:
        """What tells one set of rules from another."""
        return fingerprint(self.contract.rules)

    @property
    def may_be_read(self) -> bool:
        """Whether no blocking rule failed."""
        return not any(result.blocks for result in self.results)


def measure(
    contract: Contract,
    as_of: datetime | None,
    rules: Sequence[Rule] | None = None,
    *,
    lake: Lake,
    contracts: Mapping[str, Contract],
    feeds: Mapping[str, Feed],
    operations: Operations,
) -> Measurement:
    """Measure the rows of `contract` written last against its rules, or some of them.

    With `as_of` later rows are left out. Rules may look into other tables of the `lake`, known by their `contracts`,
    and into what `operations` remember of the snapshots before. MeasureError where the table was never built.
    """
    rows, commit = lake.newest(contract)
    if commit is None:
        raise MeasureError(
            f"Table {contract.key} was never built, so there is nothing to check. Build it first: c360 run"
        )
    asked = contract.rules if rules is None else rules
    feed = feeds.get(contract.name)
    if contract.layer == "sources" and not commit.rows and (feed is None or feed.may_be_empty):
        why = "no feed fills this dataset" if feed is None else "its feed may be empty, and is"
        idle = tuple(Result(rule, problem=f"there are no rows: {why}") for rule in asked)
        return Measurement(contract, commit, as_of, idle, 0, 0)
    return _Measuring(contract, as_of, lake, contracts, feeds, operations).measure(rows, commit, asked)


class _Judge:
    """The rules of a table in SQL, over the table `rows`."""

    def __init__(
        self,
        engine: Engine,
        contracts: Mapping[str, Contract],
        contract: Contract,
        as_of: datetime | None,
        rows: str,
    ) -> None:
        self.engine = engine
        self.contracts = contracts
        self.contract = contract
        self.as_of = as_of
        self.rows = rows
        self.text = frozenset(column.name for column in contract.columns if column.type == "VARCHAR")
        self.conditions = Conditions(contract, rows, self._other, as_of, self._is_filled)

    def _other(self, key: str) -> str:
        """The name in SQL of another table."""
        raise NotImplementedError

    def _is_filled(self, key: str) -> bool:
        """Whether another table has rows, or something that would bring them."""
        raise NotImplementedError

    def _judged(self, rule: Rule) -> list[str]:
        """What a rule judges of a row, in SQL: its condition, or of each cell to be filled whether it is."""
        if isinstance(rule.need, FilledCells):
            return [f"{quoted(column)} IS NOT NULL" for column in rule.need.columns]
        return [self.conditions.of(rule.need)] if rule.need.is_of_rows else []

    def _from(self, rules: Sequence[Rule]) -> str:
        """The table with what the rules look up in others; equal lookups are one."""
        wanted: dict[str, Lookup] = {}
        for rule in rules:
            for name, lookup in lookups(rule).items():
                known = wanted.get(name, lookup)
                take = tuple(dict.fromkeys((*known.take, *lookup.take)))
                wanted[name] = Lookup(table=lookup.table, by=lookup.by, take=take)
        joins = [
            self.conditions.join(name, lookup, self.contracts[lookup.table].primary_key[0])
            for name, lookup in wanted.items()
        ]
        return " ".join([f"FROM {self.rows}", *joins])

    def _trends(self) -> Trends:
        return Trends(self.engine, self.rows, self._other, self.as_of, self.text)


class _Measuring(_Judge):
    def __init__(
        self,
        contract: Contract,
        as_of: datetime | None,
        lake: Lake,
        contracts: Mapping[str, Contract],
        feeds: Mapping[str, Feed],
        operations: Operations,
    ) -> None:
        self.lake = lake
        self.feeds = feeds
        self.operations = operations
        self.table = f"checked {contract.key}"
        self.marks = f"marks of {contract.key}"
        super().__init__(lake.engine, contracts, contract, as_of, quoted(self.table))

    def measure(self, newest: ir.Table, commit: Commit, rules: Sequence[Rule]) -> Measurement:
        past = "true"
        if self.contract.event_time and self.as_of:
            past = f"coalesce({quoted(self.contract.event_time)} <= TIMESTAMP {literal(str(self.as_of))}, true)"
        self.engine.view(self.table, f"SELECT * FROM {quoted(newest.get_name())} WHERE {past}", newest.schema())
        ((row_count,),) = self.engine.query(f"SELECT count(*) FROM {self.rows}")
        aside, aside_count = self._set_aside()
        judged, problems = self._running(rules)
        counts, faultless = self._counts([rule for rule in rules if rule not in problems], judged)
        results = []
        for rule in rules:
            if rule in problems:
                results.append(erred(rule, problems[rule]))
            elif rule in counts:
                emptied = int(commit.properties.get(EMPTIED, 0)) if isinstance(rule.need, SetAside) else 0
                results.append(_result(rule, counts[rule], aside.get(self._reason(rule), 0), emptied))
            else:
                results.append(self._of_table(rule, commit, row_count))
        return Measurement(self.contract, commit, self.as_of, tuple(results), row_count + aside_count, faultless)

    def _other(self, key: str) -> str:
        """Another table as it was written last, in SQL: within one run it may not be published yet."""
        self.lake.newest(self.contracts[key])
        return quoted(f"newest {key}")

    def _is_filled(self, key: str) -> bool:
        contract = self.contracts[key]
        if contract.layer != "sources" or contract.name in self.feeds:
            return True
        head = self.lake.head(contract)
        return bool(head and head.rows)

    def _running(self, rules: Sequence[Rule]) -> tuple[dict[Rule, list[str]], dict[Rule, str]]:
        """What each rule judges of a row, the marks of it made; and why some rules do not run."""
        refused = {rule: message for rule in rules if (message := refusal(self.engine, rule.need))}
        judged = {rule: found for rule in rules if rule not in refused and (found := self._judged(rule))}
        # One statement for all; only where it fails are they asked one by one.
        if not _complaint(lambda: self._mark(judged)):
            return judged, refused
        problems = {rule: problem for rule, found in judged.items() if (problem := self._problem(rule, found))}
        running = {rule: found for rule, found in judged.items() if rule not in problems}
        self._mark(running)
        return running, problems | refused

    def _problem(self, rule: Rule, conditions: Sequence[str]) -> str | None:
        counts = ", ".join(f"count({condition})" for condition in conditions)
        return _complaint(lambda: self.engine.query(f"SELECT {counts} {self._from([rule])}"))

    def _counts(self, rules: Sequence[Rule], judged: dict[Rule, list[str]]) -> tuple[dict[Rule, Counted], int]:
        """Passing and failing rows (of filled cells: cells) of each rule, and the rows no rule finds fault with."""
        names = [(rule, name) for rule, columns in _names(judged).items() for name in columns]
        sizes = {rule: expectations.at_least(rule.need.minimum) for rule in rules if isinstance(rule.need, RowCount)}
        expected = [*(expectations.nobody_breaks(name) for _, name in names), *sizes.values()]
        outcomes = expectations.validate(self.engine, self.marks, expected)
        asked = "".join(f", count({name})" for _, name in names)
        ((faultless, *asked_of),) = self.engine.query(
            f"SELECT count(*) FILTER (WHERE {FAULTLESS}){asked} FROM {quoted(self.marks)}"
        )
        self.engine.query(f"DROP TABLE {quoted(self.marks)}")
        counts: dict[Rule, Counted] = {}
        for (rule, _), outcome, rows in zip(names, outcomes[: len(names)], asked_of, strict=True):
            count = Counted(rows - outcome.observed, outcome.observed, outcome.problem)
            counts[rule] = _sum(counts.get(rule, Counted()), count)
        for rule, outcome in zip(sizes, outcomes[len(names) :], strict=True):
            counts[rule] = Counted(int(outcome.is_met), int(not outcome.is_met), outcome.problem)
        return counts, faultless

    def _mark(self, judged: dict[Rule, list[str]]) -> None:
        """Make the table of marks: of all that rules judge, and whether no rule of rows is broken."""
        names = _names(judged)
        marks = [
            f"(NOT ({condition}))::TINYINT AS {name}"
            for rule, conditions in judged.items()
            for name, condition in zip(names[rule], conditions, strict=True)
        ]
        kept = [f"{name} IS DISTINCT FROM 1" for rule in names if rule.need.is_of_rows for name in names[rule]]
        good, columns = " AND ".join(kept) or "true", ", ".join(marks) or "0 AS none"
        self.engine.query(
            f"CREATE OR REPLACE TABLE {quoted(self.marks)} AS SELECT *, {good} AS {FAULTLESS}"
            f" FROM (SELECT {columns} {self._from(list(judged))})"
        )

    def _of_table(self, rule: Rule, commit: Commit, row_count: int) -> Result:
        if isinstance(rule.need, HoursLoaded):
            return _hours_loaded(rule, commit)
        found: list[Result] = []
        need = rule.need
        if isinstance(need, RowsKept) or (isinstance(need, Stable) and need.time is None):
            before = earlier.scored(self.operations, self.contract.key, commit.snapshot_id, self.as_of)
            if before is None:
                return Result(rule, problem="no earlier snapshot was scored, or it was of a later moment")
            if isinstance(need, RowsKept):
                return _rows_kept(rule, need, row_count, before.row_count)
            problem = _complaint(lambda: found.append(self._drifted(rule, need, before.snapshot_id)))
        else:
            problem = _complaint(lambda: found.append(self._trends().of(rule)))
        return erred(rule, problem) if problem else found[0]

    def _drifted(self, rule: Rule, need: Stable, snapshot_id: int) -> Result:
        former = self.lake.at(self.contract, snapshot_id)
        if former is None:
            return Result(rule, problem="the snapshot scored before is no longer kept")
        return self._trends().drift(rule, need.column, quoted(former.get_name()), self.rows)

    def _set_aside(self) -> tuple[dict[str, int], int]:
        """Rows that loading set aside: how many by kind of reason, and how many in all."""
        if self.contract.layer != "sources":
            return {}, 0
        self.lake.read(self.contracts["quarantine"])
        reasons = self.engine.query(
            "SELECT reason, sum(copies)::BIGINT FROM quarantine WHERE dataset = ? GROUP BY 1", [self.contract.name]
        )
        kinds: dict[str, int] = {}
        for reason, copies in reasons:
            for kind in {_kind(part) for part in reason.split("; ")}:
                kinds[kind] = kinds.get(kind, 0) + copies
        return kinds, sum(copies for _, copies in reasons)

    def _reason(self, rule: Rule) -> str:
        """The kind of reason for setting rows aside that stands for failing this rule."""
        match rule.need:
            case Unique(columns=columns) if list(columns) == self.contract.primary_key:
                return "key"
            case Present() if rule.name == "required_filled":
                return "missing"
            case SetAside(because=because):
                return because
        return rule.name


class _Binding(_Judge):
    """Rules over tables without a row, by which their SQL is judged and nothing else."""

    def __init__(self, engine: Engine, contracts: Mapping[str, Contract], contract: Contract) -> None:
        super().__init__(engine, contracts, contract, SOME_MOMENT, _without_rows(engine, contract))

    def problem(self, rule: Rule) -> str | None:
        """Why a rule does not run; None where it does."""
        if refused := refusal(self.engine, rule.need):
            return refused
        try:
            if conditions := self._judged(rule):
                self.engine.query(f"SELECT {', '.join(conditions)} {self._from([rule])}")
            elif isinstance(rule.need, Fresh | Reconciles | Stable | Steady):
                self._trends().of(rule)
        except duckdb.Error as fault:
            name = missing_column(fault)
            return complaint(fault) + (nearest(name, self._columns(rule)) if name else "")
        return None

    def _columns(self, rule: Rule) -> list[str]:
        """The columns a rule may name."""
        taken = [f"{name}_{column}" for name, lookup in lookups(rule).items() for column in lookup.take]
        others = [self.contracts[table].column_names for table, _ in other_tables(rule)]
        return [*self.contract.column_names, *taken, *chain.from_iterable(others)]

    def _other(self, key: str) -> str:
        return _without_rows(self.engine, self.contracts[key])

    def _is_filled(self, key: str) -> bool:
        return True


def _without_rows(engine: Engine, contract: Contract) -> str:
    """The name in SQL of a table that has the columns of a contract and no row."""
    name = quoted(f"columns of {contract.key}")
    columns = {column.name: column.type for column in contract.columns}
    engine.query(f"CREATE OR REPLACE VIEW {name} AS {no_rows(columns)}")
    return name


def problems(engine: Engine, contracts: Mapping[str, Contract], contract: Contract) -> dict[str, str]:
    """Rules of a table whose SQL does not run, each with the reason: known without a row of any table."""
    binding = _Binding(engine, contracts, contract)
    found = {rule.name: binding.problem(rule) for rule in contract.rules}
    return {name: problem for name, problem in found.items() if problem}


def _rows_kept(rule: Rule, need: RowsKept, now: int, before: int) -> Result:
    if not before:
        return Result(rule, problem="there were no rows before")
    share = min(1.0, now / (before * need.share))
    problem = f"{now:,} rows, {before:,} before" if share < 1 else None
    return Result(rule, int(share == 1), int(share < 1), share=share, problem=problem)


def _kind(reason: str) -> str:
    if reason.startswith(BREAKS):
        return reason.removeprefix(BREAKS)
    if reason.endswith((REPEATS, CONFLICTS)):
        return "key"
    return "missing" if reason.endswith(MISSING) else "type"


def _result(rule: Rule, found: Counted, set_aside: int, emptied: int = 0) -> Result:
    """The result of a rule; rows of which loading `emptied` a cell do as little harm as those it set aside."""
    if found.problem:
        return erred(rule, found.problem)
    return counted(rule, max(found.passing - emptied, 0), found.failing, set_aside + emptied)


def _hours_loaded(rule: Rule, commit: Commit) -> Result:
    hours = commit.properties.get(HOURS)
    if not hours or commit.watermark is None:
        return Result(rule, problem="no hour with an event was loaded yet")
    # Where events end nothing is missing yet: a source may have none for long.
    missing = [gap for gap in gaps(hours) if gap.start <= datetime.fromisoformat(commit.watermark)]
    loaded, lost = loaded_hours(hours), sum(gap.hours for gap in missing)
    problem = None
    if missing:
        first = missing[0]
        problem = f"{first.start:%Y-%m-%d %H:%M} to {first.end:%Y-%m-%d %H:%M}" + (" and others" if missing[1:] else "")
    return Result(rule, loaded, lost, share=loaded / (loaded + lost), problem=problem)


def _names(judged: dict[Rule, list[str]]) -> dict[Rule, list[str]]:
    """The columns of marks of each rule."""
    return {
        rule: [f"breaks_{place}_{part}" for part in range(len(conditions))]
        for place, (rule, conditions) in enumerate(judged.items())
    }


def _sum(first: Counted, second: Counted) -> Counted:
    return Counted(first.passing + second.passing, first.failing + second.failing, first.problem or second.problem)


def _complaint(run: Callable[[], Any]) -> str | None:
    """Why something does not run, without the values a fault of rows would quote; None where it does."""
    try:
        run()
    except STATEMENT_FAULTS as fault:
        return complaint(fault)
    except duckdb.Error as fault:
        return f"fails on a row ({type(fault).__name__.removesuffix('Exception')} error)"
    except ValueError as fault:  # of a trend: an aggregate that no trend can be made of
        return str(fault)
    return None
