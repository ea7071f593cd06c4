"""What to do with each customer next, in YAML that marketing writes: rules that override a model, and rules of action.

Two lists, in each of which the first rule that holds counts. A text may name columns in braces, whose values it shows:
`{probability_purchase}` is told as a percentage, an amount in the reporting currency, a count as a whole number.
"""

import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from governance.errors import C360Error
from governance.segments import Conditions, Listed, Rule, columns_of, named_once
from governance.yaml_loader import validated

FILE = Path(__file__).with_name("actions.yaml")
PLACE = re.compile(r"\{([^{}]*)\}")
LONGEST = 160
NO_ACTION = "no action"

# What rules may ask for beside features, by the table that says it.
NEXT_ACTION = "next_action"
ASKED = {
    "next_actions": (
        "probability_purchase",
        "probability_browse",
        "probability_churn_risk",
        "propensity_upsell",
        "propensity_cross_sell",
        "propensity_campaign_response",
        "category_from",
        "category_to",
        "category_probability",
        "revenue_potential",
        NEXT_ACTION,
    ),
    "churn_scores": ("churn_probability", "is_early_warning"),
    "lifetime_value": ("p_alive", "clv"),
}

Priority = Literal["High", "Medium", "Low"]
Sentence = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class ActionsError(C360Error):
    """A file of actions that cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Ruled(_Part):
    """Something that goes for the customers for whom conditions hold."""

    name: str
    when: Conditions | list[Conditions]

    @model_validator(mode="after")
    def _conditions_can_be_read(self) -> "_Ruled":
        _ = self.rule.alternatives
        return self

    @property
    def rule(self) -> Rule:
        """The conditions alone."""
        return Rule(name=self.name, when=self.when)


class Override(_Ruled):
    """What a customer will do next whatever the model says, where the conditions hold, and how likely that is."""

    when: Conditions | list[Conditions] = Field(min_length=1)
    next_action: str
    probability: float = Field(ge=0, le=1)


class BestAction(_Ruled):
    """What to do with a customer for whom the conditions hold; without `when` it is for everyone.

    `reason` says why in words, `basis` names the number that it rests on.
    """

    when: Conditions | list[Conditions] = Field(default_factory=dict)
    action: Sentence
    priority: Priority
    reason: Sentence
    basis: Sentence

    @model_validator(mode="after")
    def _texts_can_be_read(self) -> "BestAction":
        for text in (self.reason, self.basis):
            if set(PLACE.sub("", text)) & set("{}"):
                raise ValueError(f"'{text}' has a brace without its other one; a column is named as in {{frequency}}")
        return self

    @property
    def told(self) -> set[str]:
        """The columns whose values its texts show."""
        return {name for text in (self.reason, self.basis) for name in PLACE.findall(text)}


def _open_last(actions: list[BestAction]) -> list[BestAction]:
    named_once([action.rule for action in actions])
    if any(action.rule.is_open for action in actions[:-1]):
        raise ValueError("only the last rule may have no `when`, since no other comes after it")
    return actions


def _each_once(overrides: list[Override]) -> list[Override]:
    rules = [override.rule for override in overrides]
    named_once(rules)
    if NEXT_ACTION in columns_of(rules):
        raise ValueError(f"what overrides {NEXT_ACTION} cannot ask for it")
    return overrides


class Actions(_Part):
    """The whole file. `next_action` may be empty; who is in no rule of `best_action` has no action."""

    version: str
    next_action: Annotated[list[Override], AfterValidator(_each_once)] = []
    best_action: Annotated[list[BestAction], AfterValidator(_open_last)] = Field(min_length=1)

    @cached_property
    def full_version(self) -> str:
        """The version as written and a fingerprint of the rules, so that no change goes unseen."""
        content = self.model_dump_json(exclude={"version"})
        return f"{self.version}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def rules(self) -> list[Rule]:
        """The conditions of both lists."""
        listed: list[_Ruled] = [*self.next_action, *self.best_action]
        return [one.rule for one in listed]

    @property
    def listed(self) -> list[Listed]:
        """Both lists as the linter reads them; that overrides leave out most customers is meant."""
        told = {action.name: action.told for action in self.best_action}
        return [
            Listed("next_action", [one.rule for one in self.next_action], is_first_match=True),
            Listed(
                "best_action", [one.rule for one in self.best_action], is_first_match=True, gap=NO_ACTION, told=told
            ),
        ]

    @property
    def asked(self) -> set[str]:
        """The columns that conditions and texts ask for."""
        return columns_of(self.rules).union(*(action.told for action in self.best_action))


def load(file: Path = FILE) -> Actions:
    """The actions in `file`; ActionsError names file and key where they cannot be used."""
    return validated(file, Actions, ActionsError)
