"""What was found of a table before, by which it is judged now."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from resources.operations import Operations


class Scored(NamedTuple):
    """A snapshot that was scored, and how many rows it has."""

    snapshot_id: int
    row_count: int


def scored(operations: Operations, dataset: str, snapshot_id: int, as_of: datetime | None) -> Scored | None:
    """Another snapshot of a table, the one scored last; None where there is none, or it was of a later moment."""
    scores = operations.table("quality_scores")
    others = sa.select(scores.c.snapshot, scores.c.row_count, scores.c.as_of).where(
        scores.c.dataset == dataset, scores.c.snapshot != str(snapshot_id)
    )
    with operations.connect() as connection:
        before = connection.execute(others.order_by(scores.c.sequence.desc()).limit(1)).first()
    if before is None or as_of is None or before.as_of is None or before.as_of > as_of:
        return None
    return Scored(int(before.snapshot), int(before.row_count))
