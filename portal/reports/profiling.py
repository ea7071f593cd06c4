"""Profiles of a table: what its columns hold, and how they go together.

Personal columns are measured by type, missing and distinct values only; keys and ids by their number. A text of which
fewer than five people have a row is never named. Where a table is too big for exact quantiles and distinct values, both
are estimates: the former out of a sample that is drawn by the hash of the key, the latter by HyperLogLog.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from governance.contract import Column, Contract
from portal.reports.associations import Associations, Columns, associations
from portal.reports.showing import built
from resources.engine import Engine, quoted
from resources.reader import Reader

MASKED, IDENTIFIER, NUMBER, FLAG, CATEGORY, TEXT, TIME = (
    "masked", "identifier", "number", "flag", "category", "text", "time"
)  # fmt: skip
NUMBER_TYPES = frozenset({"INTEGER", "BIGINT", "DOUBLE", "DECIMAL(18,4)"})
WHOLE_TYPES = frozenset({"INTEGER", "BIGINT"})
TIME_TYPES = frozenset({"DATE", "TIMESTAMP"})
IDENTIFIER_SUFFIXES = ("_id", "_uuid", "_sku", "_hash")

LEAST_PEOPLE = 5
MOST_SHOWN_VALUES = 10
MOST_LEVELS = 20
LONGEST_VALUE = 100.0
SAMPLE_ROWS = 100_000
MOST_EXACT_ROWS = 5_000_000
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Beyond it squares overflow; such numbers are counted with the infinite ones.
LARGEST_NUMBER = 1e100
# Beyond it a double cannot tell a whole number from the half above.
LARGEST_WHOLE = 1e15
BINS = 30
MOST_BARS = 40
# A greatest value so many times the mean is seen on a logarithmic axis only.
SKEWED = 20
OUTLYING = 5
COLUMNS_AT_ONCE = 8
BATCH_ROWS = 50_000
FIGURES = 12
# The longest span whose rows are counted by the hour, the day, ...
UNITS = {
    "hour": timedelta(days=2),
    "day": timedelta(days=100),
    "month": timedelta(days=20 * 366),
    "year": timedelta(days=300 * 366),
}


@dataclass(frozen=True)
class Histogram:
    """Rows per bin; `edges` are one more than `counts`, and of one ratio on a log scale, which leaves zeros out.

    `is_each`: a bin holds one whole number. `below` and `above` are rows so far out that bins for them would hide all
    others.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...] = ()
    is_log: bool = False
    is_each: bool = False
    below: int = 0
    above: int = 0


@dataclass(frozen=True)
class Numbers:
    """`not_finite` are infinite, NaN or beyond 1e100, and in no other measure; `deviation` is of the sample (n - 1)."""

    count: int
    not_finite: int
    mean: float
    deviation: float | None
    minimum: float
    maximum: float
    zeros: int
    negatives: int
    quantiles: dict[float, float]
    histogram: Histogram = field(default_factory=lambda: Histogram(()))


@dataclass(frozen=True)
class Times:
    """Rows per `unit` (hour, day, month, year or decade) from the oldest to the newest, those without rows as zero."""

    oldest: datetime
    newest: datetime
    unit: str
    series: tuple[tuple[datetime, int], ...]


@dataclass(frozen=True)
class Values:
    """The most frequent values; `others` are further ones, `other_rows` theirs. `levels` None: too many to compare."""

    top: tuple[tuple[str, int], ...]
    others: int
    other_rows: int
    levels: tuple[str, ...] | None


@dataclass(frozen=True)
class ColumnProfile:
    """One column. What its kind does not allow, or what no row has, is None."""

    column: Column
    kind: str
    rows: int
    missing: int
    distinct: int
    numbers: Numbers | None = None
    times: Times | None = None
    values: Values | None = None
    text_lengths: tuple[int, float, int] | None = None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def is_compared(self) -> bool:
        """Whether there is more than one value, and of a category not too many, to go together with other columns."""
        if self.numbers:
            return bool(self.numbers.deviation)
        return self.values is not None and self.values.levels is not None and len(self.values.levels) > 1

    @property
    def missing_share(self) -> float:
        """0 to 1; 0 where there are no rows."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Profile:
    """One table. `sampled` is how many rows ranks and pictures of pairs were made of; `is_exact` as above."""

    contract: Contract
    rows: int
    sampled: int
    is_exact: bool
    columns: tuple[ColumnProfile, ...]
    associations: Associations = field(default_factory=Associations)


def profile_of(reader: Reader, key: str) -> Profile:
    """The profile of a published table, of the rows that the reader sees.

    C360Error where there is no such table, it was never built, or the reader may not read it.
    """
    deployment, contract = reader.deployment, built(reader.deployment, key)
    return profile(deployment.engine, contract, reader.seen(deployment.read(key), reader.view(key)))


def profile(engine: Engine, contract: Contract, rows: ir.Table) -> Profile:
    """The profile of `rows`, which have the contract's columns; rows the contract calls sensitive are left out."""
    if contract.sensitive_rows:
        rows = rows.filter(~rows[contract.sensitive_rows].fill_null(True))
    return _Profiler(engine, contract, rows).profile()


def kind_of(contract: Contract, column: Column) -> str:
    """What may be told of a column, by its class, name and type."""
    if column.is_masked:
        return MASKED
    if _is_identifier(contract, column):
        return IDENTIFIER
    if column.type in NUMBER_TYPES:
        return NUMBER
    if column.type in TIME_TYPES:
        return TIME
    return FLAG if column.type == "BOOLEAN" else CATEGORY


def _is_identifier(contract: Contract, column: Column) -> bool:
    is_only_key = contract.primary_key == [column.name] and column.type == "VARCHAR"
    is_named_so = column.name in ("id", "sku") or column.name.endswith(IDENTIFIER_SUFFIXES)
    return column.classification == "pseudonymous" or is_only_key or is_named_so or column.references is not None


class _Profiler:
    """One table, measured with one query per question over some columns at once, which bounds the memory."""

    def __init__(self, engine: Engine, contract: Contract, rows: ir.Table) -> None:
        self.engine = engine
        self.contract = contract
        # Tables held in memory are known to the engine as long as somebody holds them.
        self.source = rows
        self.view = quoted(f"profile of {contract.key}")
        engine.view(f"profile of {contract.key}", engine.sql_of(rows))
        self.rows = int(self._one(["count(*)"])[0])
        self.is_exact = self.rows <= MOST_EXACT_ROWS
        self.distinct = "count(DISTINCT {0})" if self.is_exact else "approx_count_distinct({0})"

    def profile(self) -> Profile:
        columns = [self._described(column) for column in self._counted()]
        sample = self._sample(columns)
        measured = {column.name: column for column in self._measured(columns, sample)}
        columns = [measured.get(column.name, column) for column in columns]
        found = self._associations(columns, sample)
        return Profile(self.contract, self.rows, sample.num_rows, self.is_exact, tuple(columns), found)

    def _counted(self) -> list[ColumnProfile]:
        found = self._each(self.contract.columns, lambda column: _sql(quoted(column.name), "count({0})", self.distinct))
        return [
            ColumnProfile(column, kind_of(self.contract, column), self.rows, self.rows - present, distinct)
            for column, (present, distinct) in zip(self.contract.columns, found, strict=True)
        ]

    def _described(self, column: ColumnProfile) -> ColumnProfile:
        if column.kind == TIME:
            return replace(column, times=self._times(column))
        if column.kind == CATEGORY:
            column = self._lengths(column)
        return replace(column, values=self._values(column)) if column.kind in (FLAG, CATEGORY) else column

    def _times(self, column: ColumnProfile) -> Times | None:
        value = _time(column.name)
        oldest, newest = self._one([f"min({value})", f"max({value})"])
        if oldest is None:
            return None
        units = [unit for unit, longest in UNITS.items() if newest - oldest <= longest]
        if column.column.type == "DATE" and "hour" in units:
            units.remove("hour")
        unit = next(iter(units), "decade")
        found = self.engine.query(
            f"SELECT CAST(date_trunc('{unit}', {value}) AS TIMESTAMP), count(*) FROM {self.view}"
            f" WHERE {value} IS NOT NULL GROUP BY 1"
        )
        return Times(oldest, newest, unit, _filled(dict(found), unit))

    def _lengths(self, column: ColumnProfile) -> ColumnProfile:
        least, mean, greatest = self._one(_sql(f"length({quoted(column.name)})", "min({0})", "avg({0})", "max({0})"))
        if mean is None:
            return column
        lengths = (least, _rounded(mean), greatest)
        return replace(column, text_lengths=lengths, kind=TEXT if mean > LONGEST_VALUE else CATEGORY)

    def _values(self, column: ColumnProfile) -> Values | None:
        name = quoted(column.name)
        found = self.engine.query(
            f"SELECT CAST({name} AS VARCHAR), count(*), {self._people()} FROM {self.view} WHERE {name} IS NOT NULL"
            f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_LEVELS + 1}"
        )
        if not found:
            return None
        public = ("true", "false") if column.kind == FLAG else column.column.values
        shown = [(value, rows) for value, rows, people in found if people >= LEAST_PEOPLE or value in public]
        shown = shown[:MOST_SHOWN_VALUES]
        return Values(
            top=tuple(shown),
            others=max(0, column.distinct - len(shown)),
            other_rows=self.rows - column.missing - sum(rows for _, rows in shown),
            levels=tuple(value for value, _, _ in found) if len(found) <= MOST_LEVELS else None,
        )

    def _people(self) -> str:
        """How many people a group of rows is of: rows of nobody known count one each, as do all where one is a row."""
        ids = [column.name for column in self.contract.columns if column.classification == "pseudonymous"]
        if not ids and not any(column.is_masked for column in self.contract.columns):
            return str(LEAST_PEOPLE)
        if not ids or self.contract.primary_key in ([name] for name in ids):
            return "count(*)"
        person = f"coalesce({', '.join(map(quoted, ids))})"
        return f"{self.distinct.format(person)} + count(*) FILTER ({person} IS NULL)"

    def _sample(self, columns: Sequence[ColumnProfile]) -> pa.Table:
        """Numbers and categories of at most SAMPLE_ROWS rows: those with the least hashes of their key."""
        wanted = [column for column in columns if column.kind == NUMBER or column.is_compared]
        selected = ", ".join(["true AS _", *(f"{_clean(column)} AS {quoted(column.name)}" for column in wanted)])
        few = ""
        if self.rows > SAMPLE_ROWS:
            key = ", ".join(map(quoted, self.contract.primary_key or self.contract.column_names))
            # Those that cannot be among the least are not worth sorting.
            greatest = int(1.1 * SAMPLE_ROWS / self.rows * 2**64)
            few = "" if greatest >= 2**64 else f"WHERE hash({key}) < {greatest}::UBIGINT "
            few += f"ORDER BY hash({key}), {key} LIMIT {SAMPLE_ROWS}"
        return self.engine.backend.con.execute(f"SELECT {selected} FROM {self.view} {few}").to_arrow_table()

    def _measured(self, columns: Sequence[ColumnProfile], sample: pa.Table) -> list[ColumnProfile]:
        quantiles = f"quantile_cont({{0}}, {list(QUANTILES)})" if self.is_exact else "NULL"
        measures = (
            "count({0})", "avg({0})", "stddev_samp({0})", "min({0})", "max({0})",
            "count(*) FILTER ({0} = 0)", "count(*) FILTER ({0} < 0)", quantiles, "min({0}) FILTER ({0} > 0)",
        )  # fmt: skip
        numbers = [column for column in columns if column.kind == NUMBER]
        found = self._each(numbers, lambda column: _sql(_number(column.name), *measures))
        drafted = [
            replace(column, numbers=_as_numbers(column, measured, sample))
            for column, measured in zip(numbers, found, strict=True)
            if measured[0]
        ]
        binned = self._each(drafted, _bins)
        return [_with_counts(column, *counts) for column, counts in zip(drafted, binned, strict=True)]

    def _associations(self, columns: Sequence[ColumnProfile], sample: pa.Table) -> Associations:
        compared = [column for column in columns if column.is_compared]
        selected = ", ".join(f"{_clean(column)} AS {quoted(column.name)}" for column in compared)

        def batches() -> Iterable[pa.RecordBatch]:
            found = self.engine.backend.con.execute(f"SELECT {selected} FROM {self.view}")
            yield from found.to_arrow_reader(BATCH_ROWS)

        numbers = {column.name: column.numbers for column in compared if column.numbers}
        values = {column.name: column.values for column in compared if column.values}
        return associations(
            Columns(
                numbers={name: (found.mean, found.deviation or 0.0) for name, found in numbers.items()},
                levels={name: found.levels or () for name, found in values.items()},
                named={name: [value for value, _ in found.top] for name, found in values.items()},
                logs=frozenset(name for name, found in numbers.items() if found.histogram.is_log),
            ),
            batches,
            sample,
        )

    def _each(self, columns: Sequence[Any], measures: Callable[[Any], list[str]]) -> list[tuple[Any, ...]]:
        """The measures of every column, as many for each."""
        found = []
        for chunk in (columns[at : at + COLUMNS_AT_ONCE] for at in range(0, len(columns), COLUMNS_AT_ONCE)):
            asked = [measures(column) for column in chunk]
            answers = iter(self._one([sql for column in asked for sql in column]))
            found += [tuple(next(answers) for _ in column) for column in asked]
        return found

    def _one(self, measures: Sequence[str]) -> tuple[Any, ...]:
        return self.engine.query(f"SELECT {', '.join(measures)} FROM {self.view}")[0]


def _sql(value: str, *templates: str) -> list[str]:
    return [template.format(value) for template in templates]


def _as_numbers(column: ColumnProfile, measured: Sequence[Any], sample: pa.Table) -> Numbers:
    count, mean, deviation, minimum, maximum, zeros, negatives, quantiles, least = measured
    drawn = sample.column(column.name).drop_null().to_numpy()
    if quantiles is None:
        quantiles = np.quantile(drawn, QUANTILES).tolist() if len(drawn) else [mean] * len(QUANTILES)
    if minimum == maximum:
        # Adding up doubles that are the same can leave a trace of a deviation.
        mean, deviation = minimum, None if deviation is None else 0.0
    numbers = Numbers(
        count=count,
        not_finite=column.rows - column.missing - count,
        mean=_rounded(mean),
        deviation=None if deviation is None else _rounded(deviation),
        minimum=minimum,
        maximum=maximum,
        zeros=zeros,
        negatives=negatives,
        quantiles=dict(zip(QUANTILES, quantiles, strict=True)),
    )
    is_whole = column.column.type in WHOLE_TYPES and max(abs(minimum), abs(maximum)) < LARGEST_WHOLE
    return replace(numbers, histogram=_draft(numbers, _lowest(least, drawn), is_whole))


def _lowest(least: float | None, drawn: Any) -> float | None:
    """Where a logarithmic axis begins: at the least positive number, unless few are so small that it stands apart."""
    positive = drawn[drawn > 0]
    usual = float(np.quantile(positive, QUANTILES[0])) if len(positive) else 0.0
    return usual if least is not None and least < usual / SKEWED else least


def _draft(numbers: Numbers, lowest: float | None, is_whole: bool) -> Histogram:
    """Bins without counts: one per number where these are few, else some of one width, or of one ratio."""
    low, high = numbers.minimum, numbers.maximum
    if is_whole and high - low < MOST_BARS:
        return Histogram(tuple(low - 0.5 + step for step in range(round(high - low) + 2)), is_each=True)
    if low >= 0 and lowest is not None and high > SKEWED * numbers.mean:
        return Histogram(_ratio_edges(lowest, high, is_whole), is_log=True)
    inner_low, inner_high = numbers.quantiles[QUANTILES[0]], numbers.quantiles[QUANTILES[-1]]
    if high - low > OUTLYING * (inner_high - inner_low) > 0:
        low, high = inner_low, inner_high
    return Histogram(_even_edges(low, high, is_whole))


def _even_edges(low: float, high: float, is_whole: bool) -> tuple[float, ...]:
    if low == high:
        margin = max(0.5, 1e-9 * abs(low))
        return (low - margin, high + margin)
    if not is_whole:
        return tuple(sorted(set(np.linspace(low, high, BINS + 1).tolist())))
    width = math.ceil((high - low + 1) / BINS)
    start = math.floor(low) - 0.5
    return tuple(start + step * width for step in range(math.ceil((high - start) / width) + 1))


def _ratio_edges(low: float, high: float, is_whole: bool) -> tuple[float, ...]:
    if low == high:
        return (0.9 * low, 1.1 * low)
    edges = np.geomspace(low, high, BINS + 1).tolist()
    if is_whole:
        # Between whole numbers, and one bin for each where they lie far apart on the axis.
        return tuple(sorted({math.floor(low) - 0.5, *(math.floor(edge) + 0.5 for edge in edges)}))
    return tuple(sorted(set(edges)))


def _bins(column: ColumnProfile) -> list[str]:
    """Rows per bin, below and above; DuckDB closes bins on the right, and the first one takes in all that is lower."""
    assert column.numbers
    histogram, value = column.numbers.histogram, _number(column.name)
    edges = [_double(edge) for edge in histogram.edges]
    # Zeros have a bar of their own on a logarithmic axis, and nothing else is below them.
    lower = f"{value} > 0 AND {value} < {edges[0]}" if histogram.is_log else f"{value} < {edges[0]}"
    return [
        f"histogram({value}, [{', '.join(edges[1:])}]) FILTER ({value} BETWEEN {edges[0]} AND {edges[-1]})",
        f"count(*) FILTER ({lower})",
        f"count(*) FILTER ({value} > {edges[-1]})",
    ]


def _with_counts(column: ColumnProfile, found: Mapping[float, int] | None, below: int, above: int) -> ColumnProfile:
    assert column.numbers
    histogram = column.numbers.histogram
    counts = tuple((found or {}).get(edge, 0) for edge in histogram.edges[1:])
    histogram = replace(histogram, counts=counts, below=below, above=above)
    return replace(column, numbers=replace(column.numbers, histogram=histogram))


def _double(value: float) -> str:
    """A literal; one without exponent DuckDB takes for a decimal, and rounds."""
    return f"CAST('{value!r}' AS DOUBLE)"


def _number(name: str) -> str:
    value = f"CAST({quoted(name)} AS DOUBLE)"
    # NaN is greater than any number in DuckDB, and so falls out as well.
    return f"(CASE WHEN abs({value}) <= {LARGEST_NUMBER!r} THEN {value} END)"


def _time(name: str) -> str:
    value = quoted(name)
    return f"(CASE WHEN isfinite({value}) AND year({value}) BETWEEN 10 AND 9999 THEN CAST({value} AS TIMESTAMP) END)"


def _clean(column: ColumnProfile) -> str:
    return _number(column.name) if column.kind == NUMBER else f"CAST({quoted(column.name)} AS VARCHAR)"


def _filled(found: dict[datetime, int], unit: str) -> tuple[tuple[datetime, int], ...]:
    moment, newest = min(found), max(found)
    series = [(moment, found[moment])]
    while moment < newest:
        moment = _next(moment, unit)
        series.append((moment, found.get(moment, 0)))
    return tuple(series)


def _next(moment: datetime, unit: str) -> datetime:
    if unit in ("hour", "day"):
        return moment + timedelta(**{f"{unit}s": 1})
    if unit == "month":
        return moment.replace(year=moment.year + moment.month // 12, month=moment.month % 12 + 1)
    return moment.replace(year=moment.year + (10 if unit == "decade" else 1))


def _rounded(value: float) -> float:
    """To as many figures as do not depend on the order in which rows were added up."""
    return float(f"{value:.{FIGURES}g}")
