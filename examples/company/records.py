"""Records held as columns: a frozen dataclass of equally long arrays stands for the rows of a table."""

import dataclasses
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]
Record = TypeVar("Record")


def rows_of(record: Record, rows: slice | Ints | Flags) -> Record:
    """The same record with only these rows, in this order."""
    fields = dataclasses.fields(record)  # type: ignore[arg-type]
    return type(record)(**{field.name: getattr(record, field.name)[rows] for field in fields})


def starts(counts: Ints) -> Ints:
    """Where each group begins when groups of these sizes lie end to end."""
    return np.cumsum(counts) - counts


def positions(counts: Ints) -> Ints:
    """0, 1, 2 ... within each group when groups of these sizes lie end to end."""
    return np.arange(counts.sum()) - np.repeat(starts(counts), counts)
