"""Erasure: one person taken out of everything a deployment keeps, with a proof that nothing is left.

A tombstone comes first, so that no load brings the person back while we are at work; then the tables, each in one
snapshot; then all older snapshots with their files. Whoever is interrupted begins again, and it is completed.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from governance import subjects
from governance.errors import C360Error
from governance.subjects import OWNERS, PERSON, Fate, Holding
from resources.deployment import SECRET, Deployment
from resources.engine import literal, quoted
from resources.remains import Remains, redact, search
from resources.run_lock import HOLDER, LOCK, only_run
from resources.severing import NAMES, TEXT, naming_them, of_them, without
from resources.tombstones import Tombstones, subject_hash

# A shorter name stands in other words by chance, and is looked for in columns of keys alone.
SHORTEST = 6
# Files of a home that hold nothing of anybody: the secret is random, and locks are held by those who are at work.
NEVER_CHANGED = (SECRET, LOCK, HOLDER)


class ErasureError(C360Error):
    """Nobody who could be erased, or something that is left of a person."""


@dataclass(frozen=True)
class Erased:
    """What became of a person's rows in one table, and how many files of it were deleted."""

    key: str
    fate: Fate
    rows: int
    files: int


@dataclass
class Proof:
    """What was erased of whom, known by a keyed hash, and what was looked for where; no value of the person's is in it.

    `names` counts the names looked for as bytes by kind. `left` are rows that still name the person, by table.
    """

    subject: str
    erased_at: datetime
    seconds: float = 0.0
    tables: list[Erased] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    remains: Remains = field(default_factory=Remains)
    redacted: list[Path] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is left, and everything could be read."""
        return not (self.left or self.remains.found or self.remains.unreadable)


class Person:
    """One person as a deployment knows them by `key`, their ID in `customers`. Values stay in memory."""

    def __init__(self, deployment: Deployment, key: str) -> None:
        self.deployment = deployment
        self.key = key
        self.holdings = subjects.holdings(deployment.contracts)

    @cached_property
    def names(self) -> dict[str, set[str]]:
        """The key and every alias that nobody else shares, by kind: from all snapshots, so that none is missed."""
        self._tell({PERSON: {self.key}})
        found: dict[str, set[str]] = {PERSON: {self.key}}
        for holding in self._held():
            for alias in holding.aliases:
                found.setdefault(alias, set()).update(self._values(holding, alias))
        aliases = {value for kind, values in found.items() if kind != PERSON for value in values}
        shared = self._of_others(aliases)
        return {kind: values - shared for kind, values in found.items()}

    @cached_property
    def telling(self) -> dict[str, set[str]]:
        """What names this person and nobody else, by kind, and is long enough to be looked for in any file."""
        self._tell({PERSON: {self.key}})
        found: dict[str, set[str]] = {}
        for holding in self._held():
            for column in holding.identifiers:
                kind = PERSON if column in holding.keys else column
                found.setdefault(kind, set()).update(self._values(holding, column))
        found.setdefault(PERSON, set()).add(self.key)
        long = {kind: {value for value in values if len(value) >= SHORTEST} for kind, values in found.items()}
        return {kind: told for kind, values in long.items() if (told := values - self._of_others(values))}

    def was_held(self) -> bool:
        """Whether any snapshot that is kept has a row of the person."""
        return any(self._values(holding, key) for holding in self._held() for key in holding.keys)

    def select(self, key: str) -> str:
        """The rows of a table as written last; none where it was never built."""
        contract = self.deployment.contracts[key]
        return self.deployment.engine.sql_of(self.deployment.lake.newest(contract)[0])

    def condition(self, holding: Holding, follows: Mapping[str, Holding]) -> str | None:
        """The SQL condition that a row is the person's, given the tables by way of which it may be."""
        return of_them(holding, follows, self.select)

    def tell_engine(self) -> None:
        """Let the engine know whom its conditions are about."""
        texts = {self.key, *(value for values in self.telling.values() for value in values)}
        self._tell({**self.names, TEXT: {text.lower() for text in texts}})

    def _tell(self, names: Mapping[str, set[str]]) -> None:
        # As parameters, for an error may quote a statement.
        connection = self.deployment.engine.connection
        connection.execute(f"CREATE OR REPLACE TABLE {quoted(NAMES)} (kind VARCHAR, name VARCHAR)")
        for kind, values in names.items():
            for value in sorted(values):
                connection.execute(f"INSERT INTO {quoted(NAMES)} VALUES ($1, $2)", [kind, value])

    def _held(self) -> Iterator[Holding]:
        """Tables of the lake with a column of keys that were ever written."""
        for holding in self.holdings.values():
            if holding.keys and self.deployment.lake.head(holding.contract):
                yield holding

    def _values(self, holding: Holding, column: str) -> set[str]:
        rows = self.deployment.lake.of_all_snapshots(holding.contract)
        theirs = " OR ".join(
            f"{quoted(key)} IN (SELECT name FROM {quoted(NAMES)} WHERE kind = {literal(PERSON)})"
            for key in holding.keys
        )
        found = f"SELECT DISTINCT {quoted(column)} FROM ({rows}) WHERE {theirs}"
        return {value for (value,) in self.deployment.engine.query(found) if value}

    def _of_others(self, values: set[str]) -> set[str]:
        """Those of the values that stand in the names of others, too: whoever finds them has not found this person.

        Keys are compared with those of customers, which are all there are. An alias on a row of nobody is another's as
        little as it is this person's.
        """
        asked, found = sorted(values), set[str]()
        for holding in self._held() if asked else ():
            owns = any(holding.contract.key == table for table, _ in OWNERS)
            identifiers = [name for name in holding.identifiers if owns or name not in holding.keys]
            if not identifiers:
                continue
            others = " AND ".join(f"{quoted(key)} IS DISTINCT FROM $1" for key in holding.keys)
            is_known = " OR ".join(f"{quoted(key)} IS NOT NULL" for key in holding.keys)
            columns = [
                f"CASE WHEN {is_known} THEN {quoted(name)} END" if name in holding.aliases else quoted(name)
                for name in identifiers
            ]
            named = [
                " OR ".join(f"coalesce(contains({column}, ${place}), false)" for column in columns)
                for place in range(2, len(asked) + 2)
            ]
            shared = f"SELECT {', '.join(f'bool_or({one})' for one in named)}"
            rows = f"FROM ({self.select(holding.contract.key)}) WHERE {others}"
            (answers,) = self.deployment.engine.query(f"{shared} {rows}", [self.key, *asked])
            found |= {value for value, answer in zip(asked, answers, strict=True) if answer}
        return found


def preview(deployment: Deployment, key: str) -> list[Erased]:
    """What erasing a person would do to each table. ErasureError where nobody of that ID is held."""
    return _found(Person(deployment, key))


def erase(
    deployment: Deployment, key: str, elsewhere: Sequence[Path] = (), tell: Callable[[str], object] = print
) -> Proof:
    """Erase a person, and prove it by what is left in every file of the home and of the folders `elsewhere`.

    Waits for a run that is at work. ErasureError where nobody of that ID is held nor was erased before.
    """
    started, moment = time.monotonic(), datetime.now(UTC).replace(tzinfo=None)
    with only_run(deployment, str(uuid.uuid4()), tell):
        person = Person(deployment, key)
        _found(person)
        looked_for = person.telling
        proof = Proof(subject_hash(deployment, key), moment)
        proof.names = {kind: len(values) for kind, values in looked_for.items()}
        Tombstones(deployment).add(person.names, moment)
        for holding, theirs in _going(person):
            proof.tables.append(_erased(person, holding, theirs))
        proof.left = {one.key: one.rows for one in _counted(person)}
        _search(deployment, proof, [value.encode() for values in looked_for.values() for value in values], elsewhere)
    proof.seconds = time.monotonic() - started
    return proof


def _found(person: Person) -> list[Erased]:
    """The tables that hold the person. ErasureError where none does, and the person was not erased before."""
    deployment = person.deployment
    person.tell_engine()
    found = _counted(person)
    if not (found or Tombstones(deployment).knows(person.key) or person.was_held()):
        raise ErasureError(
            f"No table of {deployment.settings.name} holds a customer of that ID. It is the `customer_id` of the table"
            " customers, as `c360 show customers` gives it to whoever may see it."
        )
    return found


def _counted(person: Person) -> list[Erased]:
    """The tables with rows of the person."""
    return [
        Erased(holding.contract.key, holding.fate, count, 0)
        for holding, theirs in _going(person)
        if (count := _count(person, holding, theirs))
    ]


def _going(person: Person) -> Iterator[tuple[Holding, str]]:
    """The tables of which rows are erased, in order, each with the condition of its rows.

    Rows that lead to a person by way of others go where those go; where those stay, they are nobody's by then.
    """
    deleted = {key: one for key, one in person.holdings.items() if one.fate is Fate.DELETED}
    nothing = {key: Holding(one.contract, Fate.KEPT) for key, one in person.holdings.items() if key not in deleted}
    for holding in subjects.in_order(person.holdings):
        theirs = person.condition(holding, deleted | nothing)
        if theirs and person.deployment.lake.head(holding.contract):
            yield holding, naming_them(holding) if holding.keys and holding.fate is Fate.SEVERED else theirs


def _erased(person: Person, holding: Holding, theirs: str) -> Erased:
    lake, contract = person.deployment.lake, holding.contract
    rows = lake.amend(contract, theirs, lambda rows: without(holding, rows, theirs))
    return Erased(contract.key, holding.fate, rows, lake.forget(contract))


def _count(person: Person, holding: Holding, theirs: str) -> int:
    """How many rows are the person's, as written last or as readers see them."""
    lake, contract = person.deployment.lake, holding.contract
    rows, head, seen = [person.select(contract.key)], lake.head(contract), lake.state(contract.key)
    if head and seen and head.snapshot_id != seen.snapshot_id:
        rows.append(lake.select(contract))
    return max(
        int(person.deployment.engine.query(f"SELECT count(*) FROM ({one}) WHERE {theirs}")[0][0]) for one in rows
    )


def _search(deployment: Deployment, proof: Proof, names: list[bytes], elsewhere: Sequence[Path]) -> None:
    """Look for names in every file; take them out of those that are no tables, and look again."""
    from resources.instance import folder_of

    folders = [deployment.home.resolve(), deployment.warehouse, folder_of(deployment).resolve()]
    proof.remains = search([*folders, *elsewhere], names, _sources(deployment, folders))
    proof.redacted = [file for file in proof.remains.found if _may_be_changed(deployment, file, elsewhere)]
    if proof.redacted:
        redact(proof.redacted, names)
        again = search(proof.redacted, names)
        kept = [file for file in proof.remains.found if file not in proof.redacted]
        proof.remains.found = [*kept, *again.found]


def _sources(deployment: Deployment, folders: Sequence[Path]) -> list[Path]:
    """Where the files of connectors lie; they may do so below the home, as those of the sample company."""
    reached = [
        path.resolve()
        for connector in deployment.settings.connectors.values()
        for path in connector.reach(deployment.folder)
    ]
    return [path for path in reached if not any(folder.is_relative_to(path) for folder in folders)]


def _may_be_changed(deployment: Deployment, file: Path, elsewhere: Sequence[Path]) -> bool:
    """Whether a file is neither of the lake nor of those who are asked about alone."""
    is_given = any(file.is_relative_to(path) for path in elsewhere)
    return not (is_given or file.is_relative_to(deployment.warehouse) or file.name in NEVER_CHANGED)
