"""Segment rules: which customers belong where, in YAML that business people review.

A segmentation puts each customer into the first segment whose rule holds, or into none for a reason. Audiences and
traits are many to many: a
customer is in each whose rule holds, and in the open one, the last, only if in no other. A condition on a value that is
not known does not hold, unless it asks for just that.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from governance.errors import C360Error
from governance.yaml_loader import validated

FILE = Path(__file__).with_name("segments.yaml")
COMPARISON = re.compile(r"^(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?)$")
EQUALITY = re.compile(r"^=\s*(?![-\d<>=])(\S.*)$")
KNOWN, UNKNOWN = "known", "unknown"
TRUTH = {"true": True, "false": False}
# `interest.Baby` asks for the recent interest of a customer in the product category Baby.
INTEREST = "interest."


class RulesError(C360Error):
    """A rule file that cannot be used."""


@dataclass(frozen=True)
class Condition:
    """`column` `operator` `value`, such as monetary > 5000; the operators known and unknown have no value."""

    column: str
    operator: str
    value: float | str | bool | None = None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Conditions = dict[str, str | list[str]]


class Rule(_Part):
    """A segment and what a customer must fulfil to be in it: every condition of `when`; none means everyone.

    Where `when` lists several sets of conditions, one of them suffices. A sensitive segment is shown to few.
    """

    name: str
    when: Conditions | list[Conditions] = Field(default_factory=dict)
    sensitive: bool = False

    @model_validator(mode="after")
    def _conditions_can_be_read(self) -> "Rule":
        _ = self.alternatives
        return self

    @property
    def alternatives(self) -> list[list[Condition]]:
        """Sets of conditions: all of one must hold."""
        return [[_condition(*one) for one in _each(conditions)] for conditions in self.sets]

    @property
    def sets(self) -> list[Conditions]:
        """The same as they are written."""
        return self.when if isinstance(self.when, list) else [self.when]

    @property
    def is_open(self) -> bool:
        """Whether it holds for everyone."""
        return not self.when


def _ends_open(rules: list[Rule]) -> list[Rule]:
    """Everyone gets a segment: the last rule, and no other, holds for all."""
    if not rules or [rule for rule in rules if rule.is_open] != [rules[-1]]:
        raise ValueError("the last rule, and only the last, must have no `when`")
    if rules[-1].sensitive:
        raise ValueError("the last rule is for whoever is in no other, and so cannot be sensitive")
    return rules


def named_once(rules: list[Rule]) -> list[Rule]:
    """The rules, each of another name."""
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"'{twice[0]}' is there twice; list its alternatives under one `when`")
    return rules


Whole = Annotated[list[Rule], AfterValidator(named_once), AfterValidator(_ends_open)]


@dataclass(frozen=True)
class Listed:
    """A list of rules as the linter reads it: whether the first that holds counts, and what is said of whoever is left
    out, None where that is meant. `otherwise` are rules beside it, `told` the columns shown by rules, by name.
    """

    name: str
    rules: Sequence[Rule]
    is_first_match: bool
    gap: str | None = None
    otherwise: Sequence[Rule] = ()
    told: Mapping[str, Collection[str]] = field(default_factory=dict)


def _reasons(otherwise: Any) -> Any:
    """One reason alone holds for all."""
    return [{"name": otherwise}] if isinstance(otherwise, str) else otherwise


class Partial(_Part):
    """A segmentation with customers in none of its segments.

    `needs` are conditions of every segment, such as enough history to tell them apart. `otherwise` are the reasons told
    to whoever is in none: the name of the first of these rules that holds.
    """

    needs: dict[str, str | list[str]] = Field(default_factory=dict)
    rules: Annotated[list[Rule], AfterValidator(named_once)] = Field(min_length=1)
    otherwise: Annotated[Whole, BeforeValidator(_reasons)]

    @model_validator(mode="after")
    def _needs_can_be_read(self) -> "Partial":
        _ = [rule.alternatives for rule in self.asked]
        return self

    @property
    def asked(self) -> list[Rule]:
        """The rules with what every one of them needs."""
        if not self.needs:
            return self.rules
        return [
            rule.model_copy(update={"when": [_both(self.needs, conditions) for conditions in rule.sets]})
            for rule in self.rules
        ]


def _both(needs: Conditions, conditions: Conditions) -> Conditions:
    return {
        column: [text for part in (needs, conditions) if column in part for text in _listed(part[column])]
        for column in {**needs, **conditions}
    }


def _listed(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


class Action(_Part):
    """What to do with customers of one level and value, and how urgent that is."""

    action: str
    priority: str = Field(pattern="^(High|Medium|Low)$")


def _action(text: Any) -> Any:
    """`protect, High` as action and priority."""
    if not isinstance(text, str):
        return text
    action, _, priority = text.rpartition(",")
    return {"action": action.strip(), "priority": priority.strip()}


class Rules(_Part):
    """The whole rule file: one list of rules, in order of precedence, per segmentation."""

    version: str
    customer_segment: Partial
    engagement_level: Partial
    value_tier: Partial
    lifecycle_stage: Partial
    price_range: Partial
    activity_trend: Partial
    persona: Whole
    traits: Whole
    audiences: Whole
    action_matrix: dict[str, dict[str, Annotated[Action, BeforeValidator(_action)]]]

    @model_validator(mode="after")
    def _matrix_is_full(self) -> "Rules":
        levels, tiers = (
            [rule.name for rule in rules] for rules in (self.engagement_level.rules, self.value_tier.rules)
        )
        missing = [f"{level} / {tier}" for level in levels for tier in tiers if not self._cell(level, tier)]
        if missing:
            raise ValueError(f"action_matrix has no action for {missing[0]}")
        strange = set(self.action_matrix) - set(levels) | {t for row in self.action_matrix.values() for t in row} - set(
            tiers
        )
        if strange:
            raise ValueError(f"action_matrix knows '{min(strange)}', which is no engagement level and no value tier")
        return self

    def _cell(self, level: str, tier: str) -> Action | None:
        return self.action_matrix.get(level, {}).get(tier)

    @property
    def full_version(self) -> str:
        """The version as written and a fingerprint of the rules, so that no change goes unseen."""
        content = self.model_dump_json(exclude={"version"})
        return f"{self.version}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def segmentations(self) -> dict[str, list[Rule]]:
        """The rules of every segmentation that puts a customer into one segment, by the column it fills."""
        return {
            "customer_segment": self.customer_segment.asked,
            "engagement_level": self.engagement_level.asked,
            "value_tier": self.value_tier.asked,
            "lifecycle_stage": self.lifecycle_stage.asked,
            "price_range": self.price_range.asked,
            "activity_trend": self.activity_trend.asked,
            "persona": self.persona,
        }

    @property
    def partial(self) -> dict[str, Partial]:
        """Those of them that leave customers out."""
        return {name: part for name, part in self if isinstance(part, Partial)}

    @property
    def listed(self) -> list[Listed]:
        """Every list of rules in the file."""
        otherwise = {name: part.otherwise for name, part in self.partial.items()}
        first = [
            Listed(name, rules, True, " or ".join(one.name for one in otherwise.get(name, [])), otherwise.get(name, []))
            for name, rules in self.segmentations.items()
        ]
        return [*first, Listed("traits", self.traits, False), Listed("audiences", self.audiences, False)]


def columns_of(rules: Iterable[Rule]) -> set[str]:
    """The columns that the rules ask for."""
    return {condition.column for rule in rules for conditions in rule.alternatives for condition in conditions}


def load(file: Path = FILE) -> Rules:
    """The rules in `file`; RulesError names file and key where they cannot be used."""
    return validated(file, Rules, RulesError)


def _each(conditions: dict[str, str | list[str]]) -> Iterator[tuple[str, str]]:
    for column, texts in conditions.items():
        for text in _listed(texts):
            yield column, text


def _condition(column: str, text: str) -> Condition:
    plain = text.strip()
    if plain in (KNOWN, UNKNOWN):
        return Condition(column, plain)
    if comparison := COMPARISON.match(plain):
        return Condition(column, comparison.group(1), float(comparison.group(2)))
    if equality := EQUALITY.match(plain):
        return Condition(column, "=", TRUTH.get(equality.group(1), equality.group(1)))
    raise ValueError(
        f"condition {column}: '{text}' must be one of >=, <=, >, <, = and a number, = and a word, known or unknown"
    )
