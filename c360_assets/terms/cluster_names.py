"""What clusters are called: the traits by which their members differ most from other customers, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Traits in a name, and how many standard deviations one must be from the mean to be worth a word.
USUAL_TRAITS = 3
TELLING = 0.3
# The share of a cluster's members that makes what they never did its first trait.
NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Trait:
    """A feature that customers are clustered by, with the words for having much of it and little.

    Of features that say the same the one named first is used; of a `topic` a name says one thing. `is_skewed`: few
    customers have very much of it.
    """

    feature: str
    topic: str
    high: str
    low: str
    is_skewed: bool = True


@dataclass(frozen=True)
class Absence:
    """What customers never did who have nothing of a feature, and the topics that then go without saying."""

    word: str
    topics: tuple[str, ...]


TRAITS = (
    Trait("recency_days", "recency", "lapsed", "recent"),
    Trait("frequency", "buying", "frequent buyers", "rare buyers"),
    Trait("monetary", "spending", "high spending", "low spending"),
    Trait("average_order_amount", "spending", "large orders", "small orders"),
    Trait("category_count", "buying", "many categories", "few categories"),
    Trait("item_count", "buying", "many pieces", "few pieces"),
    Trait("return_rate", "returns", "many returns", "few returns", is_skewed=False),
    Trait("discount_rate", "discounts", "discount buyers", "full price", is_skewed=False),
    Trait("session_count", "visits", "frequent visitors", "rare visitors"),
    Trait("engagement_minutes", "visits", "long on the site", "briefly on the site"),
    Trait("product_view_count", "visits", "much browsing", "little browsing"),
    Trait("cart_count", "visits", "much put in carts", "little put in carts"),
    Trait("tenure_days", "tenure", "long-standing", "new", is_skewed=False),
)
ABSENCES = {
    "frequency": Absence("never bought", ("recency", "buying", "spending", "returns", "discounts")),
    "session_count": Absence("never visited", ("visits",)),
}
WORDS = {trait.feature: trait for trait in TRAITS}


def names(
    features: Sequence[str], differences: npt.NDArray[np.float64], absent: Sequence[Mapping[str, float]]
) -> list[str]:
    """A name for each cluster, no two of the same traits, such as "Frequent buyers, high spending, recent".

    `differences` has a row for each cluster and a column for each feature: how many standard deviations the mean of
    its members lies from that of all customers. `absent` says for each cluster, by feature, what share of the members
    have nothing of it. Up to three telling traits are named, the most telling first, "average" where there is none;
    clusters of the same traits are told further ones, and in the end numbered.
    """
    phrases = [
        _words(features, of_cluster, [ABSENCES[feature] for feature, share in shares.items() if share >= NEARLY_ALL])
        for of_cluster, shares in zip(differences.round(6), absent, strict=True)
    ]
    named = [_told_apart(place, phrases) for place in range(len(phrases))]
    return [name if named.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(named, start=1)]


def _told_apart(place: int, phrases: Sequence[Sequence[tuple[str, bool]]]) -> str:
    """The usual traits of a cluster, and as many more as no other cluster's first traits are all the same."""
    words = [word for word, _ in phrases[place]]
    usual = max(1, sum(is_telling for _, is_telling in phrases[place][:USUAL_TRAITS]))
    others = [[word for word, _ in other] for at, other in enumerate(phrases) if at != place]
    unlike = (n for n in range(usual, len(words) + 1) if all(set(other[:n]) != set(words[:n]) for other in others))
    name = ", ".join(words[: next(unlike, usual)])
    return name[0].upper() + name[1:]


def _words(
    features: Sequence[str], differences: npt.NDArray[np.float64], absences: Sequence[Absence]
) -> list[tuple[str, bool]]:
    """Words for a cluster and whether each is telling: telling ones first, the greater the difference the earlier.

    Of a topic the telling feature named first in TRAITS is the one that speaks.
    """
    unsaid = {topic for absence in absences for topic in absence.topics}
    traits = [(WORDS[feature], float(differences[place])) for place, feature in enumerate(features)]
    traits = [(trait, difference) for trait, difference in traits if difference and trait.topic not in unsaid]
    speaking = {trait.topic: trait for trait, difference in reversed(traits) if abs(difference) >= TELLING}
    ordered = sorted(traits, key=lambda one: (speaking.get(one[0].topic) != one[0], -abs(one[1])))
    words = [(absence.word, True) for absence in absences] + [
        (trait.high if difference > 0 else trait.low, speaking.get(trait.topic) == trait)
        for trait, difference in ordered
    ]
    return words if words and words[0][1] else [("average", False), *words]
