"""Feeds: from a connector's raw rows to a dataset that keeps its contract.

Every value is cast to its contract type. A row that does not fit (type, missing key, repeated key) is set aside with
the reason, its classified values masked; the rest is the dataset. Nothing is dropped silently.
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from governance.contracts import Column, Contract
from governance.errors import C360Error
from resources.connectors import Raw
from resources.deployment import Deployment
from resources.engine import Engine, literal, quoted
from resources.lake import Commit

MASK = "***"
# Where a column casts nowhere, the mapping is wrong and not the rows; below this many rows nobody can tell.
ROWS_THAT_TELL = 20


class FeedError(C360Error):
    """A feed whose mapping does not fit its contract."""


@dataclass(frozen=True)
class Load:
    """What one feed brought: the rows that keep the contract, those that do not, and how many of each."""

    rows: ir.Table
    quarantine: ir.Table
    row_count: int
    quarantined_count: int
    origin: str


class Feeds:
    """The feeds of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.engine = deployment.engine

    def load(self, contract: Contract) -> Load:
        """Read, map, cast and sort out one dataset; without a feed, an empty table of the contract's columns.

        ConnectorError and FeedError say what cannot be read or mapped; nothing is written by either.
        """
        feed = self.deployment.feeds.get(contract.name)
        if feed is None:
            empty = self.deployment.lake.empty(contract)
            return Load(empty, self._no_quarantine(), 0, 0, "no feed")
        connector = self.deployment.settings.connectors[feed.connector]
        raw = connector.read(feed.connector, contract.name, self.deployment.folder, self.engine)
        mapped = f"WITH raw AS ({raw.sql}) SELECT * FROM ({feed.select.strip().rstrip(';')})"
        return _Sorting(self.engine, contract, raw, mapped).load()

    def quarantine(self, contract: Contract, load: Load, properties: dict[str, str]) -> Commit | None:
        """Replace the dataset's rows in the quarantine table; nothing happens where there were and are none."""
        lake = self.deployment.lake
        table = self.deployment.contracts["quarantine"]
        held = lake.read(table).filter(ibis._.dataset == contract.name).count().to_pyarrow().as_py()
        if not held and not load.quarantined_count:
            return None
        commit = lake.write(table, load.quarantine, properties, partition=contract.name)
        lake.publish(commit)
        return commit

    def _no_quarantine(self) -> ir.Table:
        return self.deployment.lake.empty(self.deployment.contracts["quarantine"])


class _Sorting:
    """One dataset on its way from mapped rows to rows that fit and rows that do not."""

    def __init__(self, engine: Engine, contract: Contract, raw: Raw, mapped: str) -> None:
        self.engine = engine
        self.contract = contract
        self.raw = raw
        self.mapped = mapped
        self.where = f"Feed {contract.name} ({raw.origin})"

    def load(self) -> Load:
        given = self._given_columns()
        staged = self._stage(given)
        surplus = self._surplus()
        unfit = f"SELECT _reason, _record FROM {staged} WHERE _reason IS NOT NULL"
        repeated = f"SELECT {literal(self._repeat_reason())} AS _reason, _record FROM {surplus}"
        broken = self._broken_lines()
        origin, dataset = literal(self.raw.origin), literal(self.contract.name)
        quarantine = self.engine.view(
            f"quarantine of {self.contract.name}",
            f"SELECT {dataset} AS dataset, {origin} AS source, _reason AS reason, _record AS record,"
            f" count(*)::BIGINT AS copies FROM ({unfit} UNION ALL {repeated} UNION ALL {broken}) GROUP BY ALL",
        )
        columns = ", ".join(quoted(name) for name in self.contract.column_names)
        kept = f"SELECT {columns} FROM {staged} WHERE _reason IS NULL"
        if self._repeats:
            kept += f" AND NOT ({self._key}) IN (SELECT {self._key} FROM {self._table('first')})"
            kept += f" UNION ALL SELECT {columns} FROM {self._table('first')}"
        rows = self.engine.view(f"feed of {self.contract.name}", kept)
        quarantined = (
            int(quarantine.copies.sum().to_pyarrow().as_py() or 0) if self._unfit or self._repeats or self.raw.broken else 0
        )
        return Load(rows, quarantine, self._row_count, quarantined, self.raw.origin)

    @property
    def _key(self) -> str:
        return ", ".join(quoted(name) for name in self.contract.primary_key)

    def _table(self, part: str) -> str:
        return quoted(f"{part} of {self.contract.name}")

    def _given_columns(self) -> dict[str, str]:
        """Names and types the mapping gives; FeedError where they do not match the contract."""
        try:
            given = {name: type_ for name, type_, *_ in self.engine.query(f"DESCRIBE {self.mapped}")}
        except duckdb.Error as fault:
            detail = " ".join(str(fault).split("LINE 1")[0].split())
            raise FeedError(f"{self.where}: the select does not run: {detail} Correct it in c360.yaml.") from fault
        extra = [name for name in given if name not in self.contract.column_names]
        missing = [column.name for column in self.contract.columns if column.required and column.name not in given]
        faults = [f"column '{name}' is not in the contract" for name in extra]
        faults += [f"column '{name}' is required and not selected" for name in missing]
        if faults:
            known = ", ".join(self.contract.column_names)
            raise FeedError(f"{self.where}: {'; '.join(faults)}. The contract's columns are {known}.")
        return given

    def _stage(self, given: dict[str, str]) -> str:
        """One pass over the source: values cast, faults found, and kept in a scratch Parquet file."""
        typed = ", ".join(f"{_cast(column, given)} AS {quoted(column.name)}" for column in self.contract.columns)
        faults = ", ".join(fault for column in self.contract.columns for fault in _faults(column, given))
        reason = f"nullif(concat_ws('; ', {faults}), '')" if faults else "NULL::VARCHAR"
        fields = ", ".join(
            f"{quoted(name)} := {_masked(name)}"
            if self.contract.column(name).is_masked
            else f"{quoted(name)} := {quoted(name)}"
            for name in given
        )
        target = self.engine.scratch / f"{self.contract.name}.parquet"
        sql = (
            f"SELECT {typed}, {reason} AS _reason, CASE WHEN {reason} IS NOT NULL THEN"
            f" to_json(struct_pack({fields}))::VARCHAR END AS _record FROM ({self.mapped})"
        )
        copied = self._run(f"COPY ({sql}) TO {literal(str(target))} (FORMAT parquet, RETURN_STATS)")
        self._row_count = sum(row[1] for row in copied)
        staged = f"read_parquet({literal(str(target))})" if self._row_count else f"({sql})"
        self._unfit = self._row_count - sum(int(row[4]['"_reason"'].get("null_count", 0)) for row in copied if row[1])
        if self._unfit and self._unfit == self._row_count >= ROWS_THAT_TELL:
            self._raise_if_mapping_is_wrong(staged)
        self._find_repeats(staged)
        return staged

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self.engine.query(sql)
        except duckdb.Error as fault:
            kind = type(fault).__name__.removesuffix("Exception")
            raise FeedError(
                f"{self.where}: the select fails on a row ({kind} error). Use try_cast instead of cast, so that the"
                " row is set aside with its reason."
            ) from fault

    def _raise_if_mapping_is_wrong(self, staged: str) -> None:
        reasons = self.engine.query(
            f"SELECT reason, count(*) FROM (SELECT unnest(string_split(_reason, '; ')) AS reason FROM {staged})"
            " GROUP BY ALL ORDER BY 2 DESC, 1"
        )
        always = [reason for reason, count in reasons if count == self._row_count]
        if always:
            raise FeedError(
                f"{self.where}: {'; '.join(always)} in all {self._row_count:,} rows, so the mapping is wrong and not"
                " the rows. Correct the select in c360.yaml."
            )

    def _find_repeats(self, staged: str) -> None:
        """Of rows that share a key one stays, the same whatever the order the rows came in."""
        if not self._key:
            self._repeats = 0
            return
        newest = f"{quoted(self.contract.event_time)} DESC NULLS LAST, " if self.contract.event_time else ""
        everything = ", ".join(quoted(name) for name in self.contract.column_names)
        fields = ", ".join(
            f"{quoted(c.name)} := {_masked(c.name) if c.is_masked else quoted(c.name)}" for c in self.contract.columns
        )
        self.engine.query(
            f"CREATE OR REPLACE TEMP TABLE {self._table('repeated')} AS SELECT {everything},"
            f" to_json(struct_pack({fields}))::VARCHAR AS _record,"
            f" row_number() OVER (PARTITION BY {self._key} ORDER BY {newest}{everything}) AS _place FROM {staged}"
            f" WHERE _reason IS NULL AND ({self._key}) IN"
            f" (SELECT ({self._key}) FROM {staged} WHERE _reason IS NULL GROUP BY {self._key} HAVING count(*) > 1)"
        )
        self.engine.query(
            f"CREATE OR REPLACE TEMP VIEW {self._table('first')} AS"
            f" SELECT * FROM {self._table('repeated')} WHERE _place = 1"
        )
        self._repeats = self.engine.query(f"SELECT count(*) FROM {self._table('repeated')} WHERE _place > 1")[0][0]

    def _surplus(self) -> str:
        if not self._key:
            return "(SELECT NULL::VARCHAR AS _record WHERE false)"
        return f"(SELECT _record FROM {self._table('repeated')} WHERE _place > 1)"

    def _repeat_reason(self) -> str:
        return f"{', '.join(self.contract.primary_key)}: key repeats, another row of that key is kept"

    def _broken_lines(self) -> str:
        lines = " UNION ALL ".join(
            f"SELECT {literal(line)} AS _reason, {literal(MASK)} AS _record" for line in self.raw.broken
        )
        return lines or "SELECT NULL::VARCHAR AS _reason, NULL::VARCHAR AS _record WHERE false"


def _cast(column: Column, given: dict[str, str]) -> str:
    name = quoted(column.name)
    if column.name not in given:
        return f"NULL::{column.type}"
    if column.type == "DOUBLE":  # NaN is pandas' null
        return f"(CASE WHEN isnan(try_cast({name} AS DOUBLE)) THEN NULL ELSE try_cast({name} AS DOUBLE) END)"
    return name if given[column.name] == column.type else f"try_cast({name} AS {column.type})"


def _faults(column: Column, given: dict[str, str]) -> list[str]:
    """CASE expressions that say what is wrong with a value, or NULL. They never quote the value."""
    if column.name not in given:
        return []
    name, value = quoted(column.name), _cast(column, given)
    tests = []
    if column.type == "DOUBLE":
        tests.append((f"{name} IS NOT NULL AND try_cast({name} AS DOUBLE) IS NULL OR isinf({value})", "is no number"))
    elif column.type in ("INTEGER", "BIGINT") and given[column.name] != column.type:
        # DuckDB rounds '2.5' to 3 when it casts to a whole number.
        whole = f"try_cast({name} AS DOUBLE) <> {value}"
        tests.append((f"{name} IS NOT NULL AND {value} IS NULL OR {whole}", "is no whole number"))
    elif given[column.name] != column.type:
        tests.append((f"{name} IS NOT NULL AND {value} IS NULL", f"is no {column.type}"))
    if column.required:
        blank = f" OR trim({name}) = ''" if column.type == "VARCHAR" and given[column.name] == "VARCHAR" else ""
        tests.append((f"{name} IS NULL{blank}", "is missing"))
    for bound, sign in ((column.minimum, "<"), (column.maximum, ">")):
        if bound is not None:
            limit = f"{literal(bound)}::{column.type}"
            tests.append((f"{value} {sign} {limit}", f"is {'before' if sign == '<' else 'after'} {bound}"))
    return [f"CASE WHEN {test} THEN {literal(f'{column.name} {fault}')} END" for test, fault in tests]


def _masked(name: str) -> str:
    return f"CASE WHEN {quoted(name)} IS NOT NULL THEN {literal(MASK)} END"
