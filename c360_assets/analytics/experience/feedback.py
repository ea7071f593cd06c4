"""Feedback: what each customer last said of us, and how support treated them."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.answers import SCALES
from c360_assets.terms.joins import widened
from c360_assets.terms.rates import rate

SECONDS_PER_HOUR = 3600


@dg.asset
def feedback(answers: ir.Table, ratings: ir.Table, tickets: ir.Table) -> ir.Table:
    """One row per customer who answered a survey, wrote a review or opened a ticket by as_of."""
    parts = [_answered(answers), _reviewed(ratings), _asked(tickets)]
    customers = ibis.union(*[part.select("customer_id") for part in parts], distinct=True)
    heard = widened(customers, "customer_id", *parts)
    counts = ("survey_answer_count", "review_count", "support_ticket_count", "open_ticket_count")
    return heard.mutate(**{name: heard[name].fill_null(0) for name in counts})


def _answered(answers: ir.Table) -> ir.Table:
    """The latest answer to each survey; of two at the same moment, the one whose ID comes last."""
    answers = answers.filter(answers.customer_id.notnull())
    is_scored = answers.score.notnull()
    newest_first = ibis.window(
        group_by=[answers.customer_id, answers.metric, is_scored],
        order_by=[answers.answered_at.desc(), answers.answer_id.desc()],
    )
    placed = answers.mutate(is_latest=is_scored & (ibis.row_number().over(newest_first) == 0))
    latest = {metric: placed.is_latest & (placed.metric == metric) for metric in SCALES}
    return placed.group_by("customer_id").agg(
        survey_answer_count=placed.count(),
        nps_answered_at=placed.answered_at.max(where=latest["nps"]),
        **{f"{metric}_score": placed.score.max(where=is_it) for metric, is_it in latest.items()},
    )


def _reviewed(ratings: ir.Table) -> ir.Table:
    ratings = ratings.filter(ratings.customer_id.notnull())
    return ratings.group_by("customer_id").agg(
        review_count=ratings.count(),
        average_rating=rate(ratings.rating.sum(), ratings.rating.count()),
        last_review_at=ratings.reviewed_at.max(),
    )


def _asked(tickets: ir.Table) -> ir.Table:
    tickets = tickets.filter(tickets.customer_id.notnull())
    took = tickets.resolution_seconds
    return tickets.group_by("customer_id").agg(
        support_ticket_count=tickets.count(),
        open_ticket_count=tickets.resolved_at.isnull().sum(),
        resolution_hours=rate(took.sum(), SECONDS_PER_HOUR * took.count()),
        last_ticket_at=tickets.opened_at.max(),
    )
