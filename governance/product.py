"""The data product as a whole, in YAML: what it is for, for whom, out of what, and what is taken for granted."""

import datetime
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from governance.errors import C360Error, nearest
from governance.yaml_loader import validated

FILE = Path(__file__).with_name("product.yaml")


class ProductError(C360Error):
    """A file of the product that cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Description(_Part):
    """What it is for, what it does not tell, and how it is used."""

    purpose: str
    limitations: str
    usage: str


class Source(_Part):
    """A system of the retailer, and the tables it fills."""

    name: str
    what: str
    tables: tuple[str, ...]


class UseCase(_Part):
    """Something that somebody does with tables."""

    name: str
    who: str
    how: str
    tables: tuple[str, ...]


class Insight(_Part):
    """A question, and the tables that answer it."""

    question: str
    tables: tuple[str, ...]


class Version(_Part):
    """A version of the product, and what came with it."""

    version: str
    date: datetime.date
    what: str


class Product(_Part):
    """The whole file."""

    id: str
    name: str
    version: str
    status: str
    domain: str
    owner: str
    description: Description
    objectives: tuple[str, ...]
    audiences: dict[str, str]
    sources: tuple[Source, ...]
    technologies: dict[str, str]
    use_cases: tuple[UseCase, ...]
    insights: tuple[Insight, ...]
    assumptions: tuple[str, ...]
    versions: tuple[Version, ...]


def load(file: Path = FILE) -> Product:
    """The product in `file`. ProductError names file and key where it cannot be used."""
    return validated(file, Product, ProductError)


def faults(product: Product, tables: Collection[str]) -> Iterator[str]:
    """Tables that are named and are not there, and sources that no system brings."""
    for part, entries in (
        ("sources", product.sources),
        ("use_cases", product.use_cases),
        ("insights", product.insights),
    ):
        named = dict.fromkeys(name for entry in entries for name in entry.tables)
        yield from (
            f"{part}: there is no table '{name}'{nearest(name, tables)}" for name in named if name not in tables
        )
    if product.versions[-1].version != product.version:
        yield f"versions: the last is {product.versions[-1].version}, and version says {product.version}"
