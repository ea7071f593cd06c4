"""Data subjects: how the rows of a person are found in each table, and what becomes of them when the person is erased.

All of it follows from the contracts. A column holds the key of a person where it refers to that of `customers` or of
the dataset customer, or bears its name. Rows without such a key are of a person where they refer to a row that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from governance.contract import DELETE, KEEP, Column, Contract
from governance.errors import C360Error
from governance.policy import Link

PERSON = "customer_id"
OWNERS = (("sources/customer", PERSON), ("customers", PERSON))
PSEUDONYMOUS, IDENTIFIER = "pseudonymous", "direct_identifier"


class Fate(Enum):
    """What becomes of the rows of a person who is erased.

    A row that is of nobody else goes (DELETED). One that is also of the business, such as an order, stays without the
    key and without all that is said of the person (SEVERED). KEPT are rows that have to stay, for a written reason.
    """

    DELETED = "deleted"
    SEVERED = "severed"
    KEPT = "kept"


@dataclass(frozen=True)
class Holding:
    """What a table holds of people.

    `keys` are the columns that hold the key of a person, `aliases` those that hold another name of one, such as that of
    a visitor; `personal` are all others that say something of one. `links` lead to the person by way of another table,
    where there is no key; `records` hold a row of another table as JSON.
    """

    contract: Contract
    fate: Fate
    keys: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    records: tuple[str, ...] = ()

    @property
    def is_of_nobody(self) -> bool:
        """Whether no row is of a person."""
        return not (self.keys or self.links or self.records)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns, of text, whose values name a person: keys, aliases, and what tells who it is."""
        telling = (*self.keys, *self.aliases)
        columns = self.contract.columns
        named = [column.name for column in columns if column.classification == IDENTIFIER and column.type == "VARCHAR"]
        return (*telling, *(name for name in named if name not in (*telling, *self.records)))


class SubjectError(C360Error):
    """A table of which nobody can tell whose rows are whose."""


def holdings(contracts: Mapping[str, Contract]) -> dict[str, Holding]:
    """What each table holds of people, by its key.

    SubjectError names every table that says something of people and has no way to tell of whom, nor a reason for it.
    """
    people = {key for key, contract in contracts.items() if _keys(contract)}
    people |= _referring(contracts, people)
    found = {key: _holding(contract, people) for key, contract in contracts.items()}
    faults = [
        f"Table {key}: {', '.join(_classified(one.contract))} say something of people, and no column tells of whom. Let"
        f" one refer to customers ({PERSON}), or say under customProperties `erasure: keep` and, as `erasureReason`,"
        " why its rows may stay."
        for key, one in found.items()
        if one.is_of_nobody and one.fate is not Fate.KEPT and _classified(one.contract)
    ]
    if faults:
        raise SubjectError("\n".join(faults))
    return found


def of_rows(contract: Contract) -> Holding:
    """What a table by itself tells of people, whatever other tables its rows lead to."""
    return _holding(contract, set())


def in_order(found: Mapping[str, Holding]) -> list[Holding]:
    """Those that hold people, in the order in which a person is erased.

    What is found by way of another table goes before that one, and what tells who the person is goes last, so that
    whoever is interrupted can still tell.
    """
    held = [one for one in found.values() if not one.is_of_nobody and one.fate is not Fate.KEPT]
    return sorted(held, key=lambda one: (-_steps(one, found), len(one.identifiers)))


def _steps(one: Holding, found: Mapping[str, Holding], seen: tuple[str, ...] = ()) -> int:
    """Over how many tables it is, at most, to the key of a person; tables may refer to each other."""
    seen = (*seen, one.contract.key)
    onward = [found[link.table] for link in one.links if link.table not in seen]
    return 1 + max((_steps(other, found, seen) for other in onward), default=0) if onward else 0


def _holding(contract: Contract, people: set[str]) -> Holding:
    if contract.erasure == KEEP:
        return Holding(contract, Fate.KEPT)
    keys = _keys(contract)
    columns = [column for column in contract.columns if column.name not in keys]
    aliases = [column.name for column in columns if keys and column.classification == PSEUDONYMOUS]
    records = [column.name for column in columns if column.is_record]
    links = [
        Link(column.name, *column.references)
        for column in columns
        if not keys and column.references and column.references[0] in people
    ]
    named = _classified(contract) if keys else []
    return Holding(
        contract,
        _fate(contract, keys, [*aliases, *named], bool(links or records)),
        keys=keys,
        aliases=tuple(aliases),
        personal=tuple(name for name in named if name not in (*keys, *aliases)),
        links=tuple(links),
        records=tuple(records),
    )


def _fate(contract: Contract, keys: tuple[str, ...], emptied: list[str], is_linked: bool) -> Fate:
    """As the contract says; else a row goes where a cell that would be emptied may not be empty."""
    if contract.erasure:
        return Fate.DELETED if contract.erasure == DELETE else Fate.SEVERED
    fixed = [column.name for column in contract.columns if column.required or column.key_position]
    return Fate.DELETED if is_linked or any(name in fixed for name in (*keys, *emptied)) else Fate.SEVERED


def _referring(contracts: Mapping[str, Contract], people: set[str]) -> set[str]:
    """Tables without a key of a person that refer to one with it, or to another such table."""
    found: set[str] = set()
    while True:
        more = {
            key
            for key, contract in contracts.items()
            if key not in people | found
            and any(column.references and column.references[0] in people | found for column in contract.columns)
        }
        if not more:
            return found
        found |= more


def _keys(contract: Contract) -> tuple[str, ...]:
    return tuple(column.name for column in contract.columns if _is_key(column))


def _is_key(column: Column) -> bool:
    return column.name == PERSON or column.references in OWNERS


def _classified(contract: Contract) -> list[str]:
    return [column.name for column in contract.columns if column.is_classified]
