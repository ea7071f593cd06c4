"""Segment rules: which customers belong where, in YAML that business people review."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from governance.errors import C360Error
from governance.yaml_loader import SafeLoader

FILE = Path(__file__).with_name("segments.yaml")
CONDITION = re.compile(r"^(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?)$")


class RulesError(C360Error):
    """A rule file that cannot be used."""


@dataclass(frozen=True)
class Condition:
    """`column` `operator` `value`, such as monetary > 5000."""

    column: str
    operator: str
    value: float


class Rule(BaseModel):
    """A segment and what a customer must fulfil to be in it: every condition of `when`; none means everyone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    when: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _conditions_can_be_read(self) -> "Rule":
        _ = self.conditions
        return self

    @property
    def conditions(self) -> list[Condition]:
        """What must hold, all of it."""
        return [_condition(column, text) for column, text in self.when.items()]


class Rules(BaseModel):
    """The whole rule file: one list of rules, in order of precedence, per segmentation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    customer_segment: list[Rule]
    engagement_level: list[Rule]
    primary_segment: list[Rule]


def load(file: Path = FILE) -> Rules:
    """The rules in `file`; RulesError names file and key where they cannot be used."""
    try:
        raw: Any = yaml.load(file.read_text(encoding="utf-8"), Loader=SafeLoader)
        rules = Rules.model_validate(raw)
    except yaml.YAMLError as fault:
        raise RulesError(f"{file.name} is not readable YAML: {' '.join(str(fault).split())}") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        raise RulesError(f"{file.name}, key {'.'.join(map(str, first['loc']))}: {first['msg']}") from fault
    for segmentation in ("customer_segment", "engagement_level", "primary_segment"):
        _check_order(file, segmentation, getattr(rules, segmentation))
    return rules


def _condition(column: str, text: str) -> Condition:
    match = CONDITION.match(text.strip())
    if match is None:
        raise ValueError(f"condition {column}: '{text}' must be one of >=, <=, >, <, = and a number")
    return Condition(column, match.group(1), float(match.group(2)))


def _check_order(file: Path, segmentation: str, rules: list[Rule]) -> None:
    """Everyone gets a segment: the last rule, and no other, holds for all."""
    open_rules = [rule.name for rule in rules if not rule.when]
    if not rules or open_rules != [rules[-1].name]:
        raise RulesError(f"{file.name}, key {segmentation}: the last rule, and only the last, must have no `when`.")
