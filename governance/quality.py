"""Quality rules: what the rows of a table must fulfil, as its contract says under `quality`.

A rule has exactly one need, from a small vocabulary (`NEEDS`). Beside the rules a steward writes, every table with a
key has rules of its own, and every source the metrics null values, completeness and timeliness, with a rule of
consistency for each reference and each list of values.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from open_data_contract_standard.model import DataQuality
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

DIMENSIONS = ("accuracy", "completeness", "conformity", "consistency", "timeliness", "uniqueness")
SEVERITIES = ("error", "warning")
SCHEDULES = ("daily", "weekly", "monthly")
# Fields of a need that name columns of its table.
OWN_COLUMNS = ("column", "columns", "earlier", "later", "per", "group", "time")
PROPERTIES = {"weight", "check", "blocking", "quarantine"}


class RuleError(ValueError):
    """A rule that cannot be used; `key` says where in the entry."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


class Need(BaseModel):
    """What must hold, of each row (`is_of_rows`) or the table as a whole; `is_local` where one row alone decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    is_of_rows: ClassVar[bool] = True
    is_local: ClassVar[bool] = False

    @property
    def unit(self) -> str:
        """What passes or fails and is counted; empty where the table is judged as a whole."""
        return "rows" if self.is_of_rows else ""

    @property
    def columns_used(self) -> set[str]:
        """Columns that the table must have."""
        used: set[str] = set()
        for name in OWN_COLUMNS:
            value = getattr(self, name, None)
            used |= {value} if isinstance(value, str) else set(value or ())
        return used


class OfColumn(Need):
    """What is asked of each value of a column."""

    column: str


class OfColumns(Need):
    """What is asked of several columns of each row."""

    columns: tuple[str, ...] = Field(min_length=1)


class _OfTable(Need):
    is_of_rows: ClassVar[bool] = False


class Present(OfColumns):
    """Every one of the columns is filled; text of spaces is not."""

    is_local: ClassVar[bool] = True


class OneOf(OfColumn):
    """Values are in the list; empty ones are not judged."""

    values: tuple[str, ...] = Field(min_length=1)

    is_local: ClassVar[bool] = True


class Between(OfColumn):
    """Values lie between the bounds, these included unless `strict`; empty ones are not judged."""

    minimum: float | None = None
    maximum: float | None = None
    strict: bool = False

    is_local: ClassVar[bool] = True

    @model_validator(mode="after")
    def _some_bound(self) -> "Between":
        if self.minimum is None and self.maximum is None:
            raise ValueError("needs a minimum or a maximum")
        return self


class Ordered(Need):
    """`earlier` is not after `later`; rows that lack either are not judged."""

    earlier: str
    later: str

    is_local: ClassVar[bool] = True


class Matches(OfColumn):
    """Values match the regular expression (RE2) somewhere; empty ones are not judged."""

    pattern: str

    is_local: ClassVar[bool] = True


class Unique(OfColumns):
    """No two rows agree in all of the columns."""


class RefersTo(OfColumn):
    """Values are keys of another table; empty ones are not judged."""

    table: str
    key: str


class Lookup(BaseModel):
    """A row of another table, found by its key: its columns are known as `<name>_<column>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    by: str
    take: tuple[str, ...] = Field(min_length=1)


class Holds(Need):
    """An SQL condition over the row; where it gives null the row is not judged. `{as_of}` is the moment spoken of."""

    condition: str
    where: str | None = None
    lookup: dict[str, Lookup] = {}


class Usual(Need):
    """Rows of which a group has no more than usual: at most `start` until 500 groups are known, then at most what lies
    6 robust deviations above the median of log1p(rows), but never less than `start`.
    """

    per: str
    where: str = "true"
    start: int = Field(gt=0)


class SameWithin(Need):
    """Rows whose value is the one most rows of their group have, such as the category of a subcategory."""

    column: str
    group: str


class KeptWithin(Need):
    """The column is filled in every row of a group that fills it in any; rows of other groups are not judged."""

    column: str
    group: str


class SetAside(Need):
    """Rows that were not set aside at loading, for one kind of reason."""

    because: Literal["type"]


class FilledCells(_OfTable):
    """Cells that are filled, over these columns."""

    columns: tuple[str, ...]

    @property
    def unit(self) -> str:
        """Cells, not rows."""
        return "cells"


class RowCount(_OfTable):
    """There are at least so many rows."""

    minimum: int = Field(gt=0)


class Fresh(_OfTable):
    """The newest row is no older than so many hours; older than twice that it counts nothing."""

    column: str | None
    within_hours: float | None


class HoursLoaded(_OfTable):
    """Every hour between the first that was loaded and the newest event was loaded too."""

    @property
    def unit(self) -> str:
        """Hours, not rows."""
        return "hours"


class Steady(_OfTable):
    """An SQL aggregate over the rows of each hour or day stays near its seasonal past (`checks.anomalies`).

    In the SQL `{end}` is the end of the slice. `absent` is the value of a slice without rows; without it there is none.
    """

    column: str
    value: str
    by: Literal["hour", "day"]
    absent: float | None = None

    @property
    def unit(self) -> str:
        """Slices of time, not rows."""
        return f"{self.by}s"


class Stable(_OfTable):
    """The values of the last `days` are distributed as those of the `reference_days` before.

    Without `time`: all values as those of another snapshot of the table, the one scored last.
    """

    column: str
    time: str | None = None
    days: int = 28
    reference_days: int = 112


class RowsKept(_OfTable):
    """There is at least this share of the rows of another snapshot of the table, the one scored last."""

    share: float


class Reconciles(_OfTable):
    """An SQL aggregate of this table equals one of another, to the cent. `{as_of}` is the moment spoken of."""

    value: str
    table: str
    other: str
    tolerance: float = 0.005


NEEDS: dict[str, type[Need]] = {
    "present": Present,
    "one_of": OneOf,
    "between": Between,
    "ordered": Ordered,
    "matches": Matches,
    "unique": Unique,
    "refers_to": RefersTo,
    "holds": Holds,
    "usual": Usual,
    "same_within": SameWithin,
    "kept_within": KeptWithin,
    "row_count": RowCount,
    "fresh": Fresh,
    "steady": Steady,
    "stable": Stable,
    "reconciles": Reconciles,
}


@dataclass(frozen=True)
class Rule:
    """One promise about a table.

    `check` names the documented check it serves, `weight` its part in the dimension. A blocking rule holds its table
    back from readers; rows that break a `quarantine` rule are set aside at loading. `tolerated_percent` of the judged
    rows may fail before anybody is told.
    """

    name: str
    description: str
    dimension: str
    severity: str
    schedule: str
    need: Need = field(hash=False)
    weight: float = 1.0
    check: str | None = None
    blocking: bool = False
    quarantine: bool = False
    tolerated_percent: float = 0.0

    @property
    def threshold(self) -> str:
        """How many may fail, of what, and what follows where more do, in words."""
        unit = self.need.unit
        if not unit:
            return "The table is judged as a whole."
        many = f"At most {self.tolerated_percent:g} % of the {unit}" if self.tolerated_percent else f"No {unit[:-1]}"
        return f"{many} may fail{', or the table is held back from readers' if self.blocking else ''}."


def declared(entry: DataQuality) -> Rule:
    """The rule of one `quality` entry; RuleError names the key that is wrong."""
    for key in ("name", "description", "dimension", "severity", "schedule", "implementation"):
        if not getattr(entry, key):
            raise RuleError(key, "is missing")
    for listed, known in (("dimension", DIMENSIONS), ("severity", SEVERITIES), ("schedule", SCHEDULES)):
        if getattr(entry, listed) not in known:
            raise RuleError(listed, f"'{getattr(entry, listed)}' must be one of {', '.join(known)}")
    if (entry.type, entry.engine) != ("custom", "c360"):
        raise RuleError("type", "must be 'custom', with engine 'c360'")
    if entry.mustBeLessOrEqualTo is not None and entry.unit != "percent":
        raise RuleError("unit", "must be 'percent' where mustBeLessOrEqualTo says how many rows may fail")
    properties: dict[Any, Any] = {custom.property: custom.value for custom in entry.customProperties or []}
    for unknown in properties.keys() - PROPERTIES:
        raise RuleError(f"customProperties.{unknown}", f"is not a property we know: {', '.join(sorted(PROPERTIES))}")
    rule = Rule(
        name=entry.name or "",
        description=" ".join((entry.description or "").split()),
        dimension=entry.dimension or "",
        severity=entry.severity or "",
        schedule=entry.schedule or "",
        need=_need(entry.implementation),
        weight=float(properties.get("weight", 1)),
        check=properties.get("check"),
        blocking=bool(properties.get("blocking", False)),
        quarantine=bool(properties.get("quarantine", False)),
        tolerated_percent=float(entry.mustBeLessOrEqualTo or 0),
    )
    if rule.weight <= 0:
        raise RuleError("customProperties.weight", "must be above 0")
    if rule.blocking and rule.severity != "error":
        raise RuleError("severity", "must be 'error' for a blocking rule: a warning stops nobody")
    if rule.quarantine and not _is_decided_by_the_row(rule.need):
        raise RuleError("customProperties.quarantine", "is for rules that each row decides by itself")
    return rule


def lookups(rule: Rule) -> dict[str, Lookup]:
    """What a rule looks up in other tables, by the name it knows it by."""
    return rule.need.lookup if isinstance(rule.need, Holds) else {}


def fingerprint(rules: tuple[Rule, ...]) -> str:
    """A hash of all that decides a score: two scores are comparable where it is the same."""
    text = "\n".join(
        f"{rule.name} {rule.dimension} {rule.weight} {type(rule.need).__name__} {rule.need.model_dump_json()}"
        for rule in sorted(rules, key=lambda rule: rule.name)
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_decided_by_the_row(need: Need) -> bool:
    if isinstance(need, Holds):
        return not need.lookup and "{as_of}" not in f"{need.condition} {need.where}"
    return need.is_local


def _need(implementation: Any) -> Need:
    if not isinstance(implementation, dict) or len(implementation) != 1:
        raise RuleError("implementation", f"must be one of {', '.join(NEEDS)}")
    ((kind, arguments),) = implementation.items()
    if kind not in NEEDS:
        raise RuleError("implementation", f"'{kind}' must be one of {', '.join(NEEDS)}")
    try:
        return NEEDS[kind].model_validate(arguments)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(["implementation", kind, *(str(part) for part in first["loc"])])
        raise RuleError(where, first["msg"]) from fault
