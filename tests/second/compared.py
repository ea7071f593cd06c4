"""A table of ours beside one made by other means."""

from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from governance.contract import Contract
from tests.second import conformed
from tests.second.published import exact

# Numbers and truths of which some are missing stay what they are.
KINDS = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
SOURCES = (
    *("customer", "product", "brand", "orders", "order_line_item", "transactions"),
    *("web_analytics", "review", "support_ticket", "survey_answer", "loyalty_ledger", "marketing_touchpoint"),
)
# What no contract lets anybody compute: the run that saw a version, and sentences.
UNTOLD = {"customer_history": {"run_id"}, "customer_360": {"unknown_because"}}


def frame(tables: Any, key: str) -> pd.DataFrame:
    """The rows that `tables.read` gives; amounts as exact whole ten-thousandths."""
    return exact(tables.read(key)).to_pandas(types_mapper=KINDS.get)


def second(tables: Any, timezone: str, asked: datetime | None = None) -> dict[str, pd.DataFrame]:
    """The conformed tables made of the sources that `tables.read` gives."""
    raw = {name: frame(tables, f"sources/{name}") for name in SOURCES}
    return conformed.tables(raw, timezone, asked)


def differences(ours: pd.DataFrame, theirs: pd.DataFrame, contract: Contract) -> dict[str, str]:
    """Where two tables differ: by the column of the contract, how often, and an example with its key."""
    columns = [name for name in contract.column_names if name not in UNTOLD.get(contract.key, ())]
    key = contract.primary_key or columns[:1]
    one, other = (rows.set_index(key, drop=False)[columns].sort_index() for rows in (ours, theirs))
    alone = one.index.symmetric_difference(other.index)
    if len(one) != len(other) or len(alone):
        return {"rows": f"{len(one)} and {len(other)}, of one alone {list(alone[:3])}"}
    return {name: told for name in columns if (told := _difference(one[name], other[name]))}


def _difference(one: pd.Series, other: pd.Series) -> str | None:
    keys, one, other = one.index, one.reset_index(drop=True), other.reset_index(drop=True)
    known = one.notna() & other.notna()
    differs = one.isna() != other.isna()
    differs[known] = (one[known] != other[known]).astype(bool)
    if not differs.any():
        return None
    at = differs.argmax()
    return f"{differs.sum()} times, at {keys[at]}: {one[at]} and {other[at]}"
