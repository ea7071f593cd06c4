"""What every check found, kept beside Dagster's event log and longer: results per rule, scores, incidents."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from checks import incidents
from checks.measuring import Measurement
from checks.scoring import Result
from governance.contract import Contract
from governance.quality import Rule
from resources.operations import Operations


def store(
    operations: Operations,
    measured: Measurement,
    run_id: str,
    is_scored: bool,
    published: bool,
    cadence: str | None,
) -> None:
    """Keep one measurement, all of it or nothing; stored twice it is there once.

    `is_scored` where every rule was measured, so that there is a score; `cadence` where a schedule published it.
    """
    dataset = measured.contract.key
    about = {
        "run_id": run_id,
        "dataset": dataset,
        "rules_hash": measured.rules_hash,
        "as_of": measured.as_of,
        "snapshot": str(measured.commit.snapshot_id),
    }
    with operations.begin() as connection:
        operations.upsert(connection, "quality_results", *({**about, **_found(result)} for result in measured.results))
        if is_scored:
            seen = {"published": published, "cadence": cadence}
            scored = {**about, **seen, **_score(operations, connection, measured, run_id)}
            operations.upsert(connection, "quality_scores", scored)
        outcomes = [
            incidents.Outcome(result.rule.name, result.status, result.rule.severity, result.failing)
            for result in measured.results
        ]
        if measured.as_of is not None:
            incidents.record(operations, connection, dataset, run_id, measured.as_of, outcomes)


def latest(operations: Operations, contract: Contract) -> tuple[dict[str, Any] | None, list[tuple[Result, str]]]:
    """The newest score of a table, as its row in `quality_scores`, and the results it is made of, each with its status.

    Rules that were written since have none; None and nothing where the table was never scored.
    """
    scores, found = operations.table("quality_scores"), operations.table("quality_results")
    newest = sa.select(scores).where(scores.c.dataset == contract.key).order_by(scores.c.sequence.desc()).limit(1)
    with operations.connect() as connection:
        score = connection.execute(newest).mappings().first()
        if score is None:
            return None, []
        of_run = sa.select(found).where(found.c.dataset == contract.key, found.c.run_id == score["run_id"])
        rows = {row["rule"]: dict(row) for row in connection.execute(of_run).mappings()}
    results = [
        (_result(rule, rows[rule.name]), str(rows[rule.name]["status"])) for rule in contract.rules if rule.name in rows
    ]
    return dict(score), results


def _result(rule: Rule, row: Mapping[str, Any]) -> Result:
    return Result(rule, row["passing"], row["failing"], share=row["share"], problem=row["problem"])


def _found(result: Result) -> dict[str, Any]:
    return {
        "rule": result.rule.name,
        "dimension": result.rule.dimension,
        "severity": result.rule.severity,
        "status": result.status,
        "passing": result.passing,
        "failing": result.failing,
        "applicable": result.passing + result.failing if result.share is not None else None,
        "share": result.share,
        "weight": result.rule.weight,
        "problem": result.problem,
    }


def _score(operations: Operations, connection: sa.Connection, measured: Measurement, run_id: str) -> dict[str, Any]:
    """What a score is made of, and whether the rules are others than those of the dataset's score before."""
    scores = operations.table("quality_scores")
    others = sa.select(scores.c.sequence, scores.c.rules_hash).where(
        scores.c.dataset == measured.contract.key, scores.c.run_id != run_id
    )
    before = connection.execute(others.order_by(scores.c.sequence.desc()).limit(1)).first()
    score = measured.score
    return {
        "score": score.value,
        "numerator": score.numerator,
        "denominator": score.denominator,
        "row_count": measured.row_count,
        "faultless_rows": measured.faultless_rows,
        "faultless_percent": measured.faultless_percent,
        "rules_changed": before is not None and before.rules_hash != measured.rules_hash,
        "sequence": before.sequence + 1 if before else 1,
    }
