"""What customers say, brought into one form: answers on their scale, ratings, and how long tickets took."""

import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import clock, until
from c360_assets.conformed.products import MONEY

# The scales of the contracts of surveys and reviews. A value outside says nothing.
SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
RATING = (1, 5)


def answers(survey_answer: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per answer by as_of, with its `metric`; `score` is null where it is not on the scale."""
    given = until(survey_answer, "answered_at", as_of)
    named = given.mutate(metric=given.survey_type.strip().lower())
    on_scale = [(named.metric == metric, named.score.between(low, high)) for metric, (low, high) in SCALES.items()]
    return named.mutate(score=ibis.cases(*on_scale, else_=False).ifelse(named.score, ibis.null("int32")))


def ratings(review: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per review by as_of, `rating` exact; null where it is not on the scale."""
    written = until(review, "reviewed_at", as_of)
    return written.mutate(rating=written.rating.between(*RATING).ifelse(written.rating.cast(MONEY), ibis.null(MONEY)))


def tickets(support_ticket: ir.Table, as_of: ir.Table) -> ir.Table:
    """One row per ticket opened by as_of, resolved only if that was by as_of too.

    The status a desk keeps is that of today, so it is not asked. A ticket resolved before it was opened is resolved,
    nobody knows how fast.
    """
    opened = until(support_ticket, "opened_at", as_of)
    is_later = (opened.resolved_at > clock(as_of).now).fill_null(False)
    known = opened.mutate(resolved_at=is_later.ifelse(ibis.null("timestamp(6)"), opened.resolved_at))
    took = known.resolved_at.delta(known.opened_at, unit="second")
    return known.mutate(resolution_seconds=(took >= 0).ifelse(took, ibis.null("int64")))
