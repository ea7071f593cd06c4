"""Rules about a table as a whole, against time or another table: freshness, steadiness, drift, reconciliation.

Time is that of the rows: a trend is read off the table itself, so the same rows give the same verdict on any day.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import isnan
from typing import Any

import numpy as np

from checks import anomalies
from checks.scoring import Result
from governance.quality import Fresh, Reconciles, Rule, Stable, Steady
from resources.engine import Engine, literal, quoted

# Peers of a slice lie in the 42 days before it, and the slices themselves in the last week.
DAYS_READ = 56
SLICES_JUDGED = {"hour": 24, "day": 7}


class Trends:
    """The table-wide rules over one table, given in SQL by `rows`; `other` names another table in SQL by its key."""

    def __init__(
        self, engine: Engine, rows: str, other: Callable[[str], str], as_of: datetime | None, text: frozenset[str]
    ) -> None:
        self.engine = engine
        self.rows = rows
        self.other = other
        self.as_of = as_of
        self.text = text

    def of(self, rule: Rule) -> Result:
        """What becomes of a rule. duckdb.Error where its SQL does not run."""
        match rule.need:
            case Reconciles():
                return self._reconciles(rule, rule.need)
            case _ if self.as_of is None:
                return Result(rule, problem="no event tells which moment it is")
            case Fresh():
                return self._fresh(rule, rule.need, self.as_of)
            case Steady():
                return self._steady(rule, rule.need, self.as_of)
            case Stable(time=str(time)):
                return self._stable(rule, rule.need, time, self.as_of)
            case Stable():  # Another snapshot is not to be had here; against itself its SQL is bound.
                return self.drift(rule, rule.need.column, self.rows, self.rows)
        raise TypeError(f"{type(rule.need).__name__} is no need of the table as a whole")

    def _fresh(self, rule: Rule, need: Fresh, as_of: datetime) -> Result:
        if need.column is None or need.within_hours is None:
            return Result(rule, problem="the contract names no latency of an event time")
        ((newest,),) = self.engine.query(f"SELECT max({quoted(need.column)}) FROM {self.rows}")
        if newest is None:
            return Result(rule, problem="no row is dated")
        age = max(0.0, (as_of - _start(newest)) / timedelta(hours=1))
        share = min(1.0, max(0.0, 2 - age / need.within_hours))
        return Result(rule, int(share == 1), int(share < 1), share=share, problem=_if(share < 1, f"{age:.1f} h old"))

    def _steady(self, rule: Rule, need: Steady, as_of: datetime) -> Result:
        slices = self._slices(need, as_of)
        verdicts = anomalies.judge(list(slices), list(slices.values()), SLICES_JUDGED[need.by])
        judged = [(verdict, verdict.share) for verdict in verdicts if verdict.share is not None]
        if not judged:
            return Result(rule, problem="learning: too few like hours or days before")
        odd = [verdict for verdict, share in judged if share < 1]
        share = sum(share for _, share in judged) / len(judged)
        problem = None
        if odd:
            worst = max(odd, key=lambda verdict: (abs(verdict.z or 0), verdict.moment))
            problem = (
                f"{worst.moment:%Y-%m-%d %H:%M}: {worst.value:.4g}, expected {worst.expected:.4g} (z {worst.z:.1f})"
            )
        return Result(rule, len(judged) - len(odd), len(odd), share=share, problem=problem)

    def _slices(self, need: Steady, as_of: datetime) -> dict[datetime, float]:
        """The value of each whole slice of the last weeks, by its start."""
        column, length = quoted(need.column), timedelta(hours=1 if need.by == "hour" else 24)
        value = need.value.replace("{end}", f"(_slice + INTERVAL 1 {need.by})")
        found: list[tuple[datetime, Any]] = self.engine.query(
            f"SELECT _slice, ({value})::DOUBLE FROM (SELECT *, date_trunc('{need.by}', {column}) AS _slice"
            f" FROM {self.rows} WHERE {column} >= {_time(as_of - timedelta(days=DAYS_READ))} AND {column} <="
            f" {_time(as_of)}) GROUP BY _slice ORDER BY _slice"
        )
        values = {_start(moment): value for moment, value in found}
        if not values:
            return {}
        moment, whole = min(values), {}
        while moment + length <= as_of:
            measured = values.get(moment, need.absent)
            if measured is not None and not isnan(measured):
                whole[moment] = float(measured)
            moment += length
        return whole

    def _stable(self, rule: Rule, need: Stable, time: str, as_of: datetime) -> Result:
        turn = as_of - timedelta(days=need.days)
        begin = turn - timedelta(days=need.reference_days)

        def span(start: datetime, end: datetime) -> str:
            return f"(FROM {self.rows} WHERE {quoted(time)} > {_time(start)} AND {quoted(time)} <= {_time(end)})"

        return self.drift(rule, need.column, span(begin, turn), span(turn, as_of))

    def drift(self, rule: Rule, column: str, before: str, now: str) -> Result:
        """Whether the values of a column are distributed `now` as `before`, both tables in SQL."""
        reference, counts = self._distribution(column, before), self._distribution(column, now)
        if column not in self.text:
            reference, counts = _in_deciles(reference, reference), _in_deciles(reference, counts)
        index = anomalies.psi(reference, counts)
        share = anomalies.drift_share(index)
        if index is None or share is None:
            return Result(rule, problem=f"learning: fewer than {anomalies.LEAST_ROWS} rows now or before")
        return Result(rule, int(share == 1), int(share < 1), share=share, problem=_if(share < 1, f"PSI {index:.3f}"))

    def _distribution(self, column: str, rows: str) -> dict[Any, int]:
        name = quoted(column)
        return dict(self.engine.query(f"SELECT {name}, count(*) FROM {rows} WHERE {name} IS NOT NULL GROUP BY 1"))

    def _reconciles(self, rule: Rule, need: Reconciles) -> Result:
        as_of = _time(self.as_of) if self.as_of else "NULL::TIMESTAMP"
        value, other = (sql.replace("{as_of}", as_of) for sql in (need.value, need.other))
        ((mine,),) = self.engine.query(f"SELECT ({value})::DOUBLE FROM {self.rows}")
        ((theirs,),) = self.engine.query(f"SELECT ({other})::DOUBLE FROM {self.other(need.table)}")
        difference = abs((mine or 0.0) - (theirs or 0.0))
        agrees = difference <= need.tolerance
        problem = _if(not agrees, f"{mine or 0:,.2f} here, {theirs or 0:,.2f} in {need.table}")
        return Result(rule, int(agrees), int(not agrees), share=float(agrees), problem=problem)


def _in_deciles(reference: dict[Any, int], counts: dict[Any, int]) -> dict[str, int]:
    known, values = (
        np.repeat(np.array([float(value) for value in found]), list(found.values())) for found in (reference, counts)
    )
    return anomalies.decile_counts(known, values)


def _start(moment: Any) -> datetime:
    """DuckDB gives a date for a day."""
    return moment if isinstance(moment, datetime) else datetime.combine(moment, datetime.min.time())


def _time(moment: datetime) -> str:
    return f"TIMESTAMP {literal(str(moment))}"


def _if(condition: bool, text: str) -> str | None:
    return text if condition else None
