"""Measuring a table against the rules of its contract: counts per rule, and the rows free of any fault.

One statement turns the rules of rows into flags; Great Expectations counts them, and those it can judge by itself on
the table. A rule that cannot run is an error of its own and takes no other down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from checks import expectations
from checks.expectations import Counted
from checks.scoring import Result, Score, counted, erred, score
from checks.trends import Trends
from governance.contracts import Contract
from governance.errors import C360Error
from governance.quality import HoursLoaded, Lookup, Present, Rule, SetAside, Unique, fingerprint, lookups
from resources.conditions import Conditions
from resources.deployment import Deployment
from resources.engine import literal, quoted
from resources.feeds import BREAKS, MISSING, REPEATS
from resources.lake import HOURS, Commit
from resources.merging import gaps, loaded_hours

# Faults of the SQL itself, whose messages quote the statement; those of rows quote values and are not told.
STATEMENT_FAULTS = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)
FAULTLESS = "_faultless"


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
    deployment: Deployment, contract: Contract, as_of: datetime | None, rules: Sequence[Rule] | None = None
) -> Measurement:
    """Measure the rows of `contract` written last against its rules, or some of them.

    With `as_of` later rows are left out. MeasureError where the table was never built.
    """
    _, commit = deployment.lake.newest(contract)
    if commit is None:
        raise MeasureError(
            f"Table {contract.key} was never built, so there is nothing to check. Build it first: c360 run"
        )
    asked = contract.rules if rules is None else rules
    if contract.layer == "sources" and contract.name not in deployment.feeds and not commit.rows:
        idle = tuple(Result(rule, problem="no feed fills this dataset") for rule in asked)
        return Measurement(contract, commit, as_of, idle, 0, 0)
    return _Measuring(deployment, contract, as_of).measure(commit, asked)


class _Measuring:
    def __init__(self, deployment: Deployment, contract: Contract, as_of: datetime | None) -> None:
        self.deployment = deployment
        self.engine = deployment.engine
        self.contract = contract
        self.as_of = as_of
        self.table = f"checked {contract.key}"
        self.rows = quoted(self.table)
        self.flags = f"flags of {contract.key}"
        self.text = frozenset(column.name for column in contract.columns if column.type == "VARCHAR")
        self.conditions = Conditions(contract, self.rows, self._other, as_of)

    def measure(self, commit: Commit, rules: Sequence[Rule]) -> Measurement:
        past = "true"
        if self.contract.event_time and self.as_of:
            past = f"coalesce({quoted(self.contract.event_time)} <= TIMESTAMP {literal(str(self.as_of))}, true)"
        self.engine.view(self.table, f"SELECT * FROM {quoted(f'newest {self.contract.key}')} WHERE {past}")
        ((row_count,),) = self.engine.query(f"SELECT count(*) FROM {self.rows}")
        aside, aside_count = self._set_aside()
        conditions, problems = self._running(rules)
        counts, faultless = self._counts([rule for rule in rules if rule not in problems], conditions)
        results = []
        for rule in rules:
            if rule in problems:
                results.append(erred(rule, problems[rule]))
            elif rule in counts:
                results.append(_result(rule, counts[rule], aside.get(self._reason(rule), 0)))
            else:
                results.append(self._of_table(rule, commit))
        return Measurement(self.contract, commit, self.as_of, tuple(results), row_count + aside_count, faultless)

    def _other(self, key: str) -> str:
        """Another table as it was written last, in SQL: within one run it may not be published yet."""
        self.deployment.lake.newest(self.deployment.contracts[key])
        return quoted(f"newest {key}")

    def _running(self, rules: Sequence[Rule]) -> tuple[dict[Rule, str], dict[Rule, str]]:
        """The conditions of rows, their flags made; and why some rules do not run."""
        conditions = {rule: self.conditions.of(rule.need) for rule in rules if rule.need.is_of_rows}
        # One statement for all; only where it fails are they asked one by one.
        if not _complaint(lambda: self._flags(conditions)):
            return conditions, {}
        problems = {rule: problem for rule, sql in conditions.items() if (problem := self._problem(rule, sql))}
        running = {rule: sql for rule, sql in conditions.items() if rule not in problems}
        self._flags(running)
        return running, problems

    def _problem(self, rule: Rule, condition: str) -> str | None:
        return _complaint(lambda: self.engine.query(f"SELECT count({condition}) {self._from([rule])}"))

    def _counts(self, rules: Sequence[Rule], conditions: dict[Rule, str]) -> tuple[dict[Rule, Counted], int]:
        """Passing and failing rows of each rule by Great Expectations, and the rows no rule finds fault with."""
        native = {rule: found for rule in rules if (found := expectations.native(rule.need, self.text))}
        flagged = [rule for rule in conditions if rule not in native]
        names = {rule: f"ok_{place}" for place, rule in enumerate(conditions)}
        found = expectations.validate(self.engine, self.flags, [expectations.flag(names[rule]) for rule in flagged])
        counts = dict(zip(flagged, found, strict=True))
        spread = [(rule, expectation) for rule, wanted in native.items() for expectation in wanted]
        answers = expectations.validate(self.engine, self.table, [expectation for _, expectation in spread])
        for (rule, _), answer in zip(spread, answers, strict=True):
            counts[rule] = _sum(counts.get(rule, Counted()), answer)
        ((faultless,),) = self.engine.query(f"SELECT count(*) FROM {quoted(self.flags)} WHERE {FAULTLESS}")
        self.engine.query(f"DROP TABLE {quoted(self.flags)}")
        return counts, faultless

    def _flags(self, conditions: dict[Rule, str]) -> None:
        """Make the table of flags: one per rule of rows, and whether none of them is false."""
        flags = [f"({condition})::BOOLEAN AS ok_{place}" for place, condition in enumerate(conditions.values())]
        good = " AND ".join(f"coalesce(ok_{place}, true)" for place in range(len(conditions))) or "true"
        columns = ", ".join(flags) or "true AS ok"
        self.engine.query(
            f"CREATE OR REPLACE TABLE {quoted(self.flags)} AS SELECT *, {good} AS {FAULTLESS}"
            f" FROM (SELECT {columns} {self._from(list(conditions))})"
        )

    def _from(self, rules: Sequence[Rule]) -> str:
        """The table with what the rules look up in others; equal lookups are one."""
        wanted: dict[str, Lookup] = {}
        for rule in rules:
            for name, lookup in lookups(rule).items():
                known = wanted.get(name, lookup)
                take = tuple(dict.fromkeys((*known.take, *lookup.take)))
                wanted[name] = Lookup(table=lookup.table, by=lookup.by, take=take)
        joins = [
            self.conditions.join(name, lookup, self.deployment.contracts[lookup.table].primary_key[0])
            for name, lookup in wanted.items()
        ]
        return " ".join([f"FROM {self.rows}", *joins])

    def _of_table(self, rule: Rule, commit: Commit) -> Result:
        if isinstance(rule.need, HoursLoaded):
            return _hours_loaded(rule, commit)
        trends = Trends(self.engine, self.rows, self._other, self.as_of, self.text)
        found: list[Result] = []
        problem = _complaint(lambda: found.append(trends.of(rule)))
        return erred(rule, problem) if problem else found[0]

    def _set_aside(self) -> tuple[dict[str, int], int]:
        """Rows that loading set aside: how many by kind of reason, and how many in all."""
        if self.contract.layer != "sources":
            return {}, 0
        quarantine = self.deployment.contracts["quarantine"]
        self.deployment.lake.read(quarantine)
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


def _kind(reason: str) -> str:
    if reason.startswith(BREAKS):
        return reason.removeprefix(BREAKS)
    if reason.endswith(REPEATS):
        return "key"
    return "missing" if reason.endswith(MISSING) else "type"


def _result(rule: Rule, found: Counted, set_aside: int) -> Result:
    if found.problem:
        return erred(rule, found.problem)
    return counted(rule, found.passing, found.failing, set_aside)


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


def _sum(first: Counted, second: Counted) -> Counted:
    return Counted(first.passing + second.passing, first.failing + second.failing, first.problem or second.problem)


def _complaint(run: Callable[[], Any]) -> str | None:
    """Why something does not run, without the values a fault of rows would quote; None where it does."""
    try:
        run()
    except STATEMENT_FAULTS as fault:
        return " ".join(str(fault).split("LINE ")[0].split("Candidate bindings")[0].split())
    except duckdb.Error as fault:
        return f"fails on a row ({type(fault).__name__.removesuffix('Exception')} error)"
    except ValueError as fault:  # of a trend: an aggregate that no trend can be made of
        return str(fault)
    return None
