"""What a person has decided of a model holds, and of no other model in the same table."""

from typing import Any

from c360_assets.terms.promotion import BY_HAND, as_decided, promoted, scoring

Row = dict[str, Any]


def way(target: str, name: str, is_chosen: bool = False, figure: float | None = 0.5) -> Row:
    reason = "chosen: best" if is_chosen else "no better"
    return {"target": target, "candidate": name, "is_chosen": is_chosen, "reason": reason, "figure": figure}


TRAINED = [way(target, name, name == "boosting") for target in ("order", "visit") for name in ("tree", "boosting")]


def decided(*before: Row) -> list[tuple[str, str]]:
    rows = as_decided(TRAINED, before, "candidate", "figure", part="target")
    return [(row["target"], row["candidate"]) for row in rows if row["is_chosen"]]


def test_a_decision_holds_for_its_own_model_alone() -> None:
    before = promoted(TRAINED[:2], "tree", f"{BY_HAND}: it can be read", "candidate", "figure")
    assert decided(*before, *TRAINED[2:]) == [("order", "tree"), ("visit", "boosting")]
    assert decided(*TRAINED) == decided() == [("order", "boosting"), ("visit", "boosting")]


def test_a_candidate_that_cannot_score_any_more_is_let_go() -> None:
    before = promoted([way("order", "tree")], "tree", f"{BY_HAND}: it can be read", "candidate", "figure")
    lacking = [way("order", "tree", figure=None), way("order", "boosting", is_chosen=True)]
    found = scoring(as_decided(lacking, before, "candidate", "figure"))
    assert found
    assert found["candidate"] == "boosting"
