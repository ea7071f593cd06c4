"""Answers: what customers say in surveys, on the scale of each survey."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.inputs import SOURCE
from c360_assets.terms.texts import stripped
from c360_assets.terms.time import until

# The scales of the contract. A score outside says nothing.
SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


@dg.asset(ins={"survey_answer": SOURCE})
def answers(survey_answer: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per answer to a survey given by as_of."""
    given = until(survey_answer, "answered_at", as_of)
    metric = stripped(given.survey_type).lower()
    on_scale = [(metric == name, given.score.between(low, high)) for name, (low, high) in SCALES.items()]
    return given.select(
        "answer_id",
        "customer_id",
        "answered_at",
        metric=metric,
        score=ibis.cases(*on_scale, else_=False).ifelse(given.score, ibis.null("int32")),
    )
