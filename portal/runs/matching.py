"""References between datasets: how many of their values are found where they refer to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import floor

from governance.contract import Column, Contract
from governance.privacy import MASK
from resources.deployment import Deployment
from resources.engine import Engine, literal, quoted

VALUES_SHOWN = 2
# The customer table, and how large a share of a dataset's rows, of at least so many customers, one customer may have
# before it is doubtful that it is one.
CUSTOMERS = "sources/customer"
CROWD, CUSTOMERS_THAT_TELL = 0.2, 20


@dataclass(frozen=True)
class Reference:
    """A column whose values are to be found in a `key` of another dataset; `rows` is the SELECT of its rows."""

    column: Column
    dataset: str
    key: Column
    rows: str

    @property
    def counts(self) -> tuple[str, str]:
        """The SQL aggregates of how many rows refer at all, and of how many to something that is there."""
        name = quoted(self.column.name)
        known = f"SELECT {quoted(self.key.name)} FROM ({self.rows})"
        return f"count({name})", f"count(*) FILTER ({name} IN ({known}))"


@dataclass(frozen=True)
class Match:
    """How many rows have a reference, and of how many it was found."""

    reference: Reference
    referring: int
    found: int

    @property
    def sentence(self) -> str:
        """The match in words. A share of less than all is never rounded to all."""
        share = f"{floor(1000 * self.found / self.referring) / 10:g}%"
        named = f"{self.reference.column.name} -> {self.reference.dataset}"
        return f"{named}: {self.found:,} of {self.referring:,} found ({share})."

    def values(self, engine: Engine, rows: str) -> str:
        """Two values of each side in words, masked where they are of a person; `rows` is the SELECT that refers."""
        there = self.reference
        return f"Here they read {_values(engine, rows, there.column)}, there {_values(engine, there.rows, there.key)}."


def references(
    deployment: Deployment, contract: Contract, rows_of: Callable[[Contract], str | None]
) -> list[Reference]:
    """The references of a dataset to others that a feed fills; `rows_of` gives the SELECT of another's rows, once, or
    None where there are none to refer to yet."""
    found, known = [], dict[str, str | None]()
    for column in contract.columns:
        table, key = column.references or ("", "")
        other = deployment.contracts.get(table)
        if other is None or other.name not in deployment.feeds:
            continue
        if table not in known:
            known[table] = rows_of(other)
        if rows := known[table]:
            found.append(Reference(column, other.name, other.column(key), rows))
    return found


def matches(references: Sequence[Reference], counts: Iterable[int]) -> list[Match]:
    """The matches of those references that any row has, from the counts they ask for."""
    numbers = list(counts)
    pairs = zip(references, numbers[::2], numbers[1::2], strict=True)
    return [Match(reference, referring, found) for reference, referring, found in pairs if referring]


def crowded(engine: Engine, contract: Contract, rows: str) -> list[str]:
    """In words, that one of many customers has so many orders that it may stand for all who are not known.

    Of other datasets nothing is told: a visitor may be a machine, a reference to a product the best seller.
    """
    sentences = []
    for column in contract.columns:
        if contract.name != "orders" or not column.references or column.references[0] != CUSTOMERS:
            continue
        name = quoted(column.name)
        counted = f"SELECT {name} AS one, count(*) AS n FROM ({rows}) WHERE {name} IS NOT NULL GROUP BY 1"
        ((one, most, total, customers),) = engine.query(
            f"SELECT min_by(one, (-n, one)), max(n), sum(n), count(*) FROM ({counted})"
        )
        if customers >= CUSTOMERS_THAT_TELL and most >= CROWD * total:
            value = _shown(column, one)
            sentences.append(
                f"one {column.name}, {value}, has {most:,} of {total:,} ({most / total:.1%}). If it stands for sales to"
                f" nobody known, select nullif(x, {value}) as {column.name}, where x is what is selected now."
            )
    return sentences


def _values(engine: Engine, rows: str, column: Column) -> str:
    name = quoted(column.name)
    found = engine.query(
        f"SELECT DISTINCT {name}::VARCHAR FROM ({rows}) WHERE {name} IS NOT NULL ORDER BY 1 LIMIT {VALUES_SHOWN}"
    )
    return ", ".join(_shown(column, value) for (value,) in found) or "nothing"


def _shown(column: Column, value: object) -> str:
    """A value of a key, masked where it is a person's: some shops know customers by their e-mail address."""
    return MASK if column.is_masked or "@" in str(value) else literal(str(value))
