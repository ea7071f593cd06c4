"""The policy: what each role sees of each column, and of which rows. Pure: it decides, and others carry it out."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from governance.contract import Column, Contract
from governance.errors import C360Error, nearest
from governance.privacy import CLASSIFIED
from governance.yaml_loader import validated

FILE = Path(__file__).with_name("policy.yaml")
ANALYSIS = "analysis"
NUMBERS = ("INTEGER", "BIGINT", "DOUBLE", "DECIMAL(18,4)")

Layer = Literal["sources", "conformed", "analytics", "models", "serving", "operations"]
Right = Literal["grant", "audit", "erase"]
Value = str | int | float | bool
# What must hold of a column: that it is this, or one of these.
Conditions = Mapping[str, Value | tuple[Value, ...]]
# Per table, the alternatives of which one must hold of its rows.
Only = Mapping[str, tuple[Conditions, ...]]


class PolicyError(C360Error):
    """A policy that cannot be used."""


class Forbidden(C360Error):
    """Something a role may not read."""


class Outcome(StrEnum):
    """What is shown of a value."""

    ABSENT = "absent"
    REDACTED = "redacted"
    HASH = "hash"
    RANGE = "range"
    CLEAR = "clear"

    def tells_no_more_than(self, other: "Outcome") -> bool:
        """Whether whoever sees `other` could work out what this shows, the key of hashes aside.

        A hash and a range tell different things, so that neither is less than the other.
        """
        return self in TOLD_BY[other]


TOLD_BY = {
    Outcome.ABSENT: {Outcome.ABSENT},
    Outcome.REDACTED: {Outcome.ABSENT, Outcome.REDACTED},
    Outcome.HASH: {Outcome.ABSENT, Outcome.REDACTED, Outcome.HASH},
    Outcome.RANGE: {Outcome.ABSENT, Outcome.REDACTED, Outcome.RANGE},
    Outcome.CLEAR: set(Outcome),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _all_classes(shows: dict[str, Outcome]) -> dict[str, Outcome]:
    if missing := [name for name in CLASSIFIED if name not in shows]:
        raise ValueError(f"says nothing of {', '.join(missing)}")
    if strange := [name for name in shows if name not in CLASSIFIED]:
        raise ValueError(f"{strange[0]} is none of the classes {', '.join(CLASSIFIED)}")
    if Outcome.RANGE in shows.values():
        raise ValueError("a whole class cannot be shown as ranges; name the columns under `columns`")
    return shows


class Role(_Part):
    """What whoever bears it sees: the layers it `reads`, what it `shows` of each class, and of some columns instead.

    `may` lists what else it may do: sign tokens for others, read who read what, answer for the rights of people.
    """

    description: str
    reads: tuple[Layer, ...]
    shows: Annotated[dict[str, Outcome], AfterValidator(_all_classes)]
    columns: dict[str, Outcome] = {}
    sees_sensitive_rows: bool = False
    sees_own_tables: bool = False
    only: Only = {}
    files_are_for: str | None = None
    files_are_anonymous: bool = False
    may: tuple[Right, ...] = ()


class Anonymity(_Part):
    """How people are to be lost in the crowd in files of roles that are not to tell anybody apart.

    Of every combination of what is shown of them there are at least `k` people, who have at least `l` different values
    of each of the `attributes`: what somebody would like to learn of whom they have found.

    Sources: Sweeney (2002), k-anonymity; Machanavajjhala et al. (2007), l-diversity (distinct).
    """

    k: int = Field(default=5, ge=2)
    l: int = Field(default=2, ge=1)  # noqa: E741, as it is called
    attributes: tuple[str, ...] = ()


class Purpose(_Part):
    """What rows are read for, and which may be."""

    description: str
    only: Only = {}


def _rising(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not bounds or any(later <= earlier for earlier, later in pairwise(bounds)):
        raise ValueError("must be numbers that rise")
    return bounds


@dataclass(frozen=True)
class View:
    """What one reader sees of one table: per column, in order, what is shown; and what must hold of the rows shown.

    `hides` names the column that says which rows are left out. `only` are restrictions that must all hold.
    """

    contract: Contract
    outcomes: Mapping[str, Outcome]
    hides: str | None
    only: tuple[tuple[str, tuple[Conditions, ...]], ...]

    @property
    def is_everything(self) -> bool:
        """Whether the reader sees the table as it is."""
        return set(self.outcomes.values()) == {Outcome.CLEAR} and not self.hides and not self.only

    def tells_no_more_than(self, other: "View") -> bool:
        """Whether whoever has `other` could work out all that this shows."""
        return (
            all(shown.tells_no_more_than(other.outcomes[name]) for name, shown in self.outcomes.items())
            and (other.hides is None or self.hides is not None)
            and set(map(repr, other.only)) <= set(map(repr, self.only))
        )

    def classified(self) -> list[tuple[Column, Outcome]]:
        """The columns that say something of a person, with what is shown of each."""
        return [(column, self.outcomes[column.name]) for column in self.contract.columns if column.is_classified]


class Policy(_Part):
    """The whole file. Another name of `pseudonyms` gives everybody another keyed hash."""

    version: str
    default_role: str
    roles: dict[str, Role]
    purposes: dict[str, Purpose]
    ranges: dict[str, Annotated[tuple[float, ...], AfterValidator(_rising)]] = {}
    pseudonyms: str = "pseudonyms"
    anonymity: Anonymity = Anonymity()

    @model_validator(mode="after")
    def _names_are_known(self) -> "Policy":
        if self.default_role not in self.roles:
            raise ValueError(f"default_role '{self.default_role}' is not among the roles")
        if ANALYSIS not in self.purposes:
            raise ValueError(f"purposes must have '{ANALYSIS}', for which rows are read unless said otherwise")
        for name, role in self.roles.items():
            if role.files_are_for is not None and role.files_are_for not in self.purposes:
                raise ValueError(f"roles.{name}.files_are_for: there is no purpose '{role.files_are_for}'")
        return self

    def role(self, name: str) -> Role:
        """The role of that name; whoever bears another has the default."""
        return self.roles.get(name, self.roles[self.default_role])

    def purpose(self, name: str) -> Purpose:
        """The purpose of that name. Forbidden where there is none."""
        if name not in self.purposes:
            raise Forbidden(f"There is no purpose '{name}'. The policy has: {', '.join(self.purposes)}.")
        return self.purposes[name]

    def view(self, contract: Contract, role: str, teams: Iterable[str] = (), purpose: str = ANALYSIS) -> View:
        """What a role sees of a table, for a purpose. Forbidden where it may not read it."""
        bears, restricted = self.role(role), self.purpose(purpose).only
        if bears.sees_own_tables and contract.owner in set(teams):
            clear = dict.fromkeys(contract.column_names, Outcome.CLEAR)
            return View(contract, clear, None, tuple(restricted.items()))
        if contract.layer not in bears.reads:
            raise Forbidden(
                f"Role {role} may not read {contract.key}: it reads tables of {_listed(bears.reads)}, and"
                f" {contract.key} is one of {contract.layer}. `c360 policy --for {role}` shows all it may."
            )
        return View(
            contract,
            {column.name: self.outcome(column, bears) for column in contract.columns},
            None if bears.sees_sensitive_rows else contract.sensitive_rows,
            (*bears.only.items(), *restricted.items()),
        )

    def outcome(self, column: Column, role: Role) -> Outcome:
        """What a role sees of a column, the class of the column deciding unless the column is named."""
        if not column.is_classified:
            return Outcome.CLEAR
        return role.columns.get(column.name, role.shows[column.classification])


def load(file: Path = FILE) -> Policy:
    """The policy in `file`. PolicyError names file and key where it cannot be used."""
    return validated(file, Policy, PolicyError)


def faults(policy: Policy, contracts: Mapping[str, Contract]) -> Iterator[str]:
    """What of a policy cannot be, held against the contracts: what it says of columns and tables that are not there."""
    classified = {
        column.name: column for contract in contracts.values() for column in contract.columns if column.is_classified
    }
    for name, role in policy.roles.items():
        for column, outcome in role.columns.items():
            where = f"roles.{name}.columns.{column}"
            if column not in classified:
                yield f"{where}: no contract has a classified column of that name{nearest(column, classified)}"
            elif outcome is Outcome.RANGE and column not in policy.ranges:
                yield f"{where}: is to be shown as a range, and `ranges` lists none for it"
    for column in policy.anonymity.attributes:
        if column not in classified:
            yield f"anonymity.attributes: no contract has a classified column '{column}'{nearest(column, classified)}"
    for column in policy.ranges:
        if column not in classified:
            yield f"ranges.{column}: no contract has a classified column of that name{nearest(column, classified)}"
        elif classified[column].type not in NUMBERS:
            yield f"ranges.{column}: is no number, and only numbers have ranges"
    for where, only in _restrictions(policy):
        for table, alternatives in only.items():
            yield from (f"{where}.only.{table}{fault}" for fault in _strange(table, alternatives, contracts))


def _restrictions(policy: Policy) -> Iterator[tuple[str, Only]]:
    yield from ((f"roles.{name}", role.only) for name, role in policy.roles.items())
    yield from ((f"purposes.{name}", purpose.only) for name, purpose in policy.purposes.items())


def _strange(table: str, alternatives: Sequence[Conditions], contracts: Mapping[str, Contract]) -> Iterator[str]:
    if table not in contracts:
        yield f": there is no table of that name{nearest(table, contracts)}"
        return
    if len(contracts[table].primary_key) != 1:
        yield ": has no key of one column, by which others could refer to it"
    known = contracts[table].column_names
    for column in dict.fromkeys(name for conditions in alternatives for name in conditions):
        if column not in known:
            yield f".{column}: {table} has no such column{nearest(column, known)}"


@dataclass(frozen=True)
class Link:
    """A step from a table to another: rows go together where `column` equals the `key` of the other."""

    column: str
    table: str
    key: str


def way(contracts: Mapping[str, Contract], start: str, end: str) -> tuple[Link, ...] | None:
    """The shortest way from a table to another by the relationships of the contracts; none where there is none.

    What arrives as it is in a source's table goes by the table that is made of it: the customer of a source is that of
    `customers`.
    """
    ways: deque[tuple[str, tuple[Link, ...]]] = deque([(start, ())])
    seen = {start}
    while ways:
        table, path = ways.popleft()
        if table == end:
            return path
        for link in _links(contracts[table], contracts[end]):
            if link.table not in seen:
                seen.add(link.table)
                ways.append((link.table, (*path, link)))
    return None


def _links(contract: Contract, end: Contract) -> Iterator[Link]:
    (key,) = end.primary_key
    for column in contract.columns:
        if column.name == key and column.is_classified:
            yield Link(column.name, end.key, key)
        elif column.references:
            table, other = column.references
            yield Link(column.name, table, other)


def _listed(names: Sequence[str]) -> str:
    *firsts, last = names
    return f"{', '.join(firsts)} and {last}" if firsts else last
