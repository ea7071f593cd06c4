"""The playbook: what to do with the customers of a segment and what to beware of, in YAML that marketing writes.

A segment the playbook names has its own actions and risks. Any other, such as a cluster, gets those of its traits: of
the measures by which its customers differ most from all customers.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from governance.errors import C360Error
from governance.yaml_loader import validated

FILE = Path(__file__).with_name("playbook.yaml")
LONGEST = 110
MOST_ACTIONS, MOST_RISKS = 3, 2

Sentence = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Priority = Literal["High", "Medium", "Low"]


class PlaybookError(C360Error):
    """A playbook that cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Action(_Part):
    """One thing to do and how urgent it is, written `High: Do this`."""

    action: Sentence
    priority: Priority


def _action(entry: Any) -> Any:
    """`{High: Do this}` as action and priority."""
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("must be a priority and what to do, such as `High: Do this`")
    ((priority, action),) = entry.items()
    return {"action": action, "priority": priority}


Written = Annotated[Action, BeforeValidator(_action)]


class Advice(_Part):
    """What to do with the customers of a segment, the most urgent first, and what to beware of."""

    actions: list[Written] = Field(min_length=2, max_length=MOST_ACTIONS)
    risks: list[Sentence] = Field(min_length=1, max_length=MOST_RISKS)


class TraitAdvice(_Part):
    """What follows from having more of a measure than all customers, or less."""

    action: Written
    risk: Sentence


class Trait(_Part):
    """Advice by direction; a direction that calls for nothing is left out."""

    high: TraitAdvice | None = None
    low: TraitAdvice | None = None


class Small(_Part):
    """The risk of a segment with fewer than `below` customers."""

    below: int = Field(gt=0)
    risk: Sentence


class Churn(_Part):
    """How probabilities of churn are read, and what to do about them.

    `missed_cost` is what it costs to pass over a customer who leaves, where writing to one who would have come back
    anyway costs 1: it says from which probability on a word pays. The band High begins at `high_from`.
    """

    missed_cost: float = Field(gt=0)
    high_from: float = Field(gt=0, lt=1)
    interventions: dict[Priority, Sentence]

    @model_validator(mode="after")
    def _is_whole(self) -> "Churn":
        if self.threshold >= self.high_from:
            raise ValueError(f"high_from must be above {self.threshold:.2f}, from which on a word pays by missed_cost")
        if missing := [band for band in get_args(Priority) if band not in self.interventions]:
            raise ValueError(f"interventions lacks {', '.join(missing)}")
        return self

    @property
    def threshold(self) -> float:
        """The probability from which writing to a customer costs less than not writing (0 to 1)."""
        return 1 / (1 + self.missed_cost)


class Supply(_Part):
    """How long an order to the supplier takes, and how often the stock is to be enough until it has come."""

    lead_time_days: int = Field(gt=0, le=84)
    service_level: float = Field(ge=0.5, le=0.99)


class SupplyOf(_Part):
    """What is different for a category; what is left out is as for all."""

    lead_time_days: int | None = Field(default=None, gt=0, le=84)
    service_level: float | None = Field(default=None, ge=0.5, le=0.99)


class Stock(Supply):
    """By what products are ordered again, and what is different for some categories."""

    categories: dict[str, SupplyOf] = {}

    def of(self, category: str | None) -> Supply:
        """What holds for a category."""
        own = self.categories.get(category or "", SupplyOf())
        return Supply(
            lead_time_days=own.lead_time_days or self.lead_time_days,
            service_level=own.service_level or self.service_level,
        )


def _our_churn() -> Churn:
    """For playbooks that say nothing of churn."""
    return load().churn


def _our_stock() -> Stock:
    """For playbooks that say nothing of stock."""
    return load().stock


class Playbook(_Part):
    """The whole file: advice on segments by name, features, segments without traits, small ones; churn, and stock."""

    version: str
    segments: dict[str, dict[str, Advice]]
    traits: dict[str, Trait]
    general: Advice
    small: Small
    churn: Churn = Field(default_factory=_our_churn)
    stock: Stock = Field(default_factory=_our_stock)

    @cached_property
    def full_version(self) -> str:
        """The version as written and a fingerprint of the advice, so that no change goes unseen."""
        content = self.model_dump_json(exclude={"version"})
        return f"{self.version}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def load(file: Path = FILE) -> Playbook:
    """The playbook in `file`; PlaybookError names file and key where it cannot be used."""
    return validated(file, Playbook, PlaybookError)
