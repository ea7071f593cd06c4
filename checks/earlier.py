"""What was found of a table before, by which it is judged now."""

from datetime import datetime

import sqlalchemy as sa

from resources.operations import Operations


def row_count(operations: Operations, dataset: str, snapshot: str, as_of: datetime | None) -> int | None:
    """The rows of another snapshot of a table, the one scored last; None where there is none, or it was of later."""
    scores = operations.table("quality_scores")
    others = sa.select(scores.c.row_count, scores.c.as_of).where(
        scores.c.dataset == dataset, scores.c.snapshot != snapshot
    )
    with operations.connect() as connection:
        before = connection.execute(others.order_by(scores.c.sequence.desc()).limit(1)).first()
    if before is None or as_of is None or before.as_of is None or before.as_of > as_of:
        return None
    return int(before.row_count)
