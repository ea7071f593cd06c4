"""What customers are not to be recommended, in YAML that merchandising writes: goods that are gone, fees, seasons."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from governance.errors import C360Error, nearest
from governance.yaml_loader import validated

FILE = Path(__file__).with_name("recommendations.yaml")


class ExclusionsError(C360Error):
    """A file of exclusions that cannot be used."""


def _words(names: object) -> object:
    """Numbers as they are written: a product ID such as 85123 is a word."""
    if isinstance(names, list):
        return [str(name) if isinstance(name, int) and not isinstance(name, bool) else name for name in names]
    return names


Names = Annotated[list[str], BeforeValidator(_words)]
Month = Annotated[int, Field(ge=1, le=12)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Season(_Part):
    """Products and categories that are shown in these months (1 to 12) only."""

    months: list[Month] = Field(min_length=1)
    products: Names = []
    categories: Names = []

    @model_validator(mode="after")
    def _speaks_of_something(self) -> "Season":
        if not self.products and not self.categories:
            raise ValueError("a season must name products or categories")
        return self


class Exclusions(_Part):
    """The whole file."""

    version: str
    discontinued: Names = []
    excluded_products: Names = []
    excluded_categories: Names = []
    seasons: list[Season] = []

    def is_out(self, product_id: str, category: str | None) -> bool:
        """Whether a product is never to be shown."""
        return product_id in {*self.discontinued, *self.excluded_products} or category in self.excluded_categories

    def is_out_of_season(self, product_id: str, category: str | None, month: int | None) -> bool:
        """Whether a product is not to be shown in this month; one of several seasons is enough to show it."""
        seasons = [one for one in self.seasons if product_id in one.products or category in one.categories]
        return bool(seasons) and not any(month in season.months for season in seasons)

    def unknown(self, product_ids: Collection[str], categories: Collection[str]) -> Iterator[str]:
        """What stands in the file and not in the catalogue, in words."""
        products = [
            *self.discontinued,
            *self.excluded_products,
            *(one for part in self.seasons for one in part.products),
        ]
        for name in sorted(set(products) - set(product_ids)):
            yield f"no product has the product_id '{name}'{nearest(name, product_ids)}"
        named = [*self.excluded_categories, *(one for season in self.seasons for one in season.categories)]
        for name in sorted(set(named) - set(categories)):
            yield f"no product is of the category '{name}'{nearest(name, categories)}"


def load(file: Path = FILE) -> Exclusions:
    """The exclusions in `file`; ExclusionsError names file and key where they cannot be used."""
    return validated(file, Exclusions, ExclusionsError)
