"""Arrays: columns of tables as numbers to compute with."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]


def floats(column: pa.ChunkedArray) -> Floats:
    """The numbers of a column, NaN where there is none."""
    numbers: Floats = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    return numbers
