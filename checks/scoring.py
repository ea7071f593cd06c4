"""The quality score of a dataset, 0 to 100.

The share of a rule is the part of the rows it judges that pass. A dimension is the weighted mean of its rules' shares,
the score 100 times the mean of the dimensions that have a rule that was assessed; a rule that could not run counts
with share 0, one that does not apply counts for neither side. Two levels, so that five rules of completeness do not
drown one of uniqueness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum

from governance.quality import Rule

PASS, WARN, FAIL, ERROR, NOT_ASSESSED = "pass", "warn", "fail", "error", "not_assessed"


@dataclass(frozen=True)
class Result:
    """What became of one rule.

    `passing` and `failing` count rows (cells, for filled cells; slices of time, for trends), `set_aside` those of the
    failing that loading put into quarantine. `share` lies between 0 and 1, None where nothing was assessed; `problem`
    says why it was not or why the rule could not run.
    """

    rule: Rule
    passing: int = 0
    failing: int = 0
    set_aside: int = 0
    share: float | None = None
    problem: str | None = None
    could_run: bool = True

    @property
    def status(self) -> str:
        """pass, warn, fail, error or not_assessed; rows already set aside do no harm downstream and only warn."""
        if not self.could_run:
            return ERROR
        if self.share is None:
            return NOT_ASSESSED
        if 100 * (1 - self.share) <= self.rule.tolerated_percent:
            return PASS
        harmless = self.failing > 0 and self.failing == self.set_aside
        return FAIL if self.rule.severity == "error" and not harmless else WARN

    @property
    def blocks(self) -> bool:
        """Whether readers must not see these rows."""
        return self.rule.blocking and self.status in (FAIL, ERROR)


@dataclass(frozen=True)
class Score:
    """`numerator` is the sum of the dimensions' shares, `denominator` their number; 0 where nothing was assessed."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """The score, 0 to 100."""
        return 100 * self.numerator / self.denominator if self.denominator else None


def counted(rule: Rule, passing: int, failing: int, set_aside: int = 0) -> Result:
    """The result of a rule that judged these rows, those set aside being failing ones; none judged is not assessed."""
    judged = passing + failing + set_aside
    if not judged:
        return Result(rule, problem="no row it applies to")
    return Result(rule, passing, failing + set_aside, set_aside, passing / judged)


def erred(rule: Rule, problem: str) -> Result:
    """The result of a rule that could not run: it counts with share 0."""
    return Result(rule, share=0.0, problem=problem, could_run=False)


def score(results: Iterable[Result]) -> Score:
    """The score of a dataset from the results of its rules, in whatever order."""
    shares: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        if result.share is not None:
            shares.setdefault(result.rule.dimension, []).append((result.rule.weight, result.share))
    dimensions = [
        fsum(weight * share for weight, share in rules) / fsum(weight for weight, _ in rules)
        for rules in shares.values()
    ]
    # fsum rounds once, so that the order of the rules decides nothing.
    return Score(fsum(dimensions), float(len(dimensions)))


def dimensions(results: Iterable[Result]) -> dict[str, float]:
    """The score of each dimension, 0 to 100, by name."""
    found = list(results)
    names = sorted({result.rule.dimension for result in found})
    values = {name: score(result for result in found if result.rule.dimension == name).value for name in names}
    return {name: value for name, value in values.items() if value is not None}
