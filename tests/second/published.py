"""Published tables as pandas has them, and how two of them differ."""

import math
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa


class Held(Protocol):
    """Whatever tables are read from."""

    def read(self, key: str) -> ir.Table: ...


class Published:
    """The tables of a deployment, each read once: `tables["orders"]`; amounts are exact whole ten-thousandths.

    Tables that are given stand in the place of those held.
    """

    def __init__(self, held: Held, **given: pd.DataFrame) -> None:
        self.held = held
        self._read: dict[str, pd.DataFrame] = given

    def __getitem__(self, key: str) -> pd.DataFrame:
        if key not in self._read:
            self._read[key] = exact(self.held.read(key)).to_pandas()
        return self._read[key]

    @cached_property
    def as_of(self) -> pd.Timestamp:
        return pd.Timestamp(self["as_of"].as_of[0])

    @cached_property
    def today(self) -> pd.Timestamp:
        return self.clock(pd.Series([self.as_of])).dt.normalize()[0]

    def clock(self, moments: pd.Series) -> pd.Series:
        """By the clock of the shop."""
        zone = self["as_of"].timezone[0]
        return pd.to_datetime(moments).dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)

    def day(self, moments: pd.Series) -> pd.Series:
        return self.clock(moments).dt.normalize()

    def days_ago(self, moments: pd.Series) -> pd.Series:
        """Calendar days up to that of as_of."""
        return (self.today - self.day(moments)).dt.days

    def by_now(self, rows: pd.DataFrame, moment: str) -> pd.DataFrame:
        """Rows of a source that had happened by as_of, those without a date included."""
        return rows[~(rows[moment] > self.as_of)]


def exact(rows: ir.Table) -> pa.Table:
    """The rows, amounts as exact whole ten-thousandths."""
    amounts = [name for name, kind in rows.schema().items() if kind.is_decimal()]
    return rows.mutate(**{name: (rows[name] * 10_000).cast("int64") for name in amounts}).to_pyarrow()


def differences(expected: pd.DataFrame, found: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """A line per column that differs, with how often and one example; a column that only one side has differs."""
    ours, theirs = _by_key(expected, keys), _by_key(found, keys)
    if expected.empty and found.empty:
        return []
    told = [f"{name} is in one only" for name in sorted(set(expected.columns) ^ set(found.columns))]
    missing, surplus = ours.keys() - theirs.keys(), theirs.keys() - ours.keys()
    if missing or surplus:
        told.append(f"{len(missing)} rows missing {sorted(missing)[:3]}, {len(surplus)} too many {sorted(surplus)[:3]}")
    for name in [name for name in found.columns if name in expected.columns and name not in keys]:
        wrong = [key for key in sorted(ours.keys() & theirs.keys()) if not _same(name, ours[key], theirs[key])]
        if wrong:
            key = wrong[0]
            told.append(f"{name}: {len(wrong)} differ, at {key}: {theirs[key][name]!r} and not {ours[key][name]!r}")
    return told


def _by_key(rows: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    records = rows.to_dict("records")
    by_key = {tuple(_plain(record[key]) for key in keys): record for record in records}
    assert len(by_key) == len(records), "keys repeat"
    return by_key


def _plain(value: Any) -> str:
    """A key as both sides write it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(pd.Timestamp(value).date()) if hasattr(value, "year") else str(value)


def _same(name: str, expected: dict[str, Any], found: dict[str, Any]) -> bool:
    one, other = expected[name], found[name]
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    if name.endswith("reason"):
        return True  # Its words are nobody's to compute.
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    if hasattr(one, "year") or hasattr(other, "year"):
        return pd.Timestamp(one) == pd.Timestamp(other)
    return math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-9 + _tolerance(name, expected))


def _tolerance(name: str, row: dict[str, Any]) -> float:
    """The product's quantiles of Student's t are right to 0.0002, so the ends of an interval are to a part of it."""
    if not re.search("(^|_)(low|high)$", name):
        return 0.0
    return 1e-4 * float(row[name.replace("low", "high")] - row[name.replace("high", "low")])
