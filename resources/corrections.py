"""Corrections: rows that a person has put right. Each takes the place of the row that the source brings as it was.

A row is known by a hash of what the mapping makes of it. Once the source brings it otherwise, or no more, its
correction says nothing, and the source counts.
"""

from collections.abc import Mapping

from governance.contract import Contract
from resources.engine import Engine, literal, quoted
from resources.lake import Lake, ibis_schema

# In a file of rows to be corrected: which row a line is, how often it came, the entry of the quarantine it is part of.
ROW, COPIES, ENTRY, REASON = "_row", "_copies", "_entry", "_reason"
MARKS = (ROW, COPIES, ENTRY, REASON)
# An entry of the quarantine, known by a hash of all it says.
ENTRY_ID = "md5(to_json([source, reason, record])::VARCHAR)"


class Corrections:
    """The corrections of one deployment, in a table of the lake."""

    def __init__(self, lake: Lake, engine: Engine, contract: Contract) -> None:
        self.lake = lake
        self.engine = engine
        self.contract = contract

    def of(self, dataset: str, batch: str | None = None) -> str | None:
        """The SELECT of a dataset's corrections, or those of one batch; None where there are none."""
        if self.lake.state(self.contract.key) is None:
            return None
        among = f" AND batch = {literal(batch)}" if batch else ""
        found = f"SELECT * FROM ({self.lake.select(self.contract)}) WHERE dataset = {literal(dataset)}{among}"
        ((count,),) = self.engine.query(f"SELECT count(*) FROM ({found})")
        return found if count else None

    def keep(self, dataset: str, lines: str, given: Mapping[str, str]) -> str:
        """Keep the lines of a SELECT, in text and with `MARKS`, in place of earlier ones of the same rows.

        Returns the word by which they are known as a batch. They are one snapshot: all of them are kept, or none.
        """
        fields = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in given)
        record = f"to_json(struct_pack({fields}))::VARCHAR"
        listed = f"SELECT {ROW} AS row_id, {record} AS corrected_row, {ENTRY} AS entry_id, {COPIES}::BIGINT AS copies"
        new = f"{listed} FROM ({lines})"
        ((batch,),) = self.engine.query(
            f"SELECT md5(string_agg(row_id || corrected_row, ' ' ORDER BY row_id)) FROM ({new})"
        )
        rows = f"SELECT {literal(dataset)} AS dataset, *, {literal(batch)} AS batch FROM ({new})"
        if held := self.of(dataset):
            rows += f" UNION ALL BY NAME SELECT * FROM ({held}) WHERE row_id NOT IN (SELECT {ROW} FROM ({lines}))"
        columns = ", ".join(map(quoted, self.contract.column_names))
        kept = self.engine.view("kept corrections", f"SELECT {columns} FROM ({rows})", ibis_schema(self.contract))
        self.lake.publish(self.lake.write(self.contract, kept, partition=dataset))
        return str(batch)


def row_id(columns: Mapping[str, str]) -> str:
    """What a row is known by, in SQL. An empty text and no value are one, as they are in a file."""
    cells = ", ".join(f"coalesce({quoted(name)}::VARCHAR, '')" for name in columns)
    return f"md5(to_json([{cells}])::VARCHAR)"


def traced(mapped: str, given: Mapping[str, str]) -> str:
    """The SELECT of mapped rows with what each is known by."""
    return f"SELECT *, {row_id(given)} AS {ROW} FROM ({mapped})"


def applied(rows: str, given: Mapping[str, str], corrections: str) -> str:
    """The SELECT of traced rows, those that were corrected as they are now."""
    cells = ", ".join(
        f"CASE WHEN _fix IS NULL THEN {quoted(name)} ELSE {_cell('_fix', name, type_)} END AS {quoted(name)}"
        for name, type_ in given.items()
    )
    fixes = f"SELECT row_id AS _fixed, corrected_row AS _fix FROM ({corrections})"
    return f"SELECT {cells}, {ROW} FROM ({rows}) LEFT JOIN ({fixes}) ON {ROW} = _fixed"


def as_mapped(given: Mapping[str, str], corrections: str) -> str:
    """The SELECT of the corrections alone, as the mapping would give them."""
    cells = ", ".join(f"{_cell('corrected_row', name, type_)} AS {quoted(name)}" for name, type_ in given.items())
    return f"SELECT {cells} FROM ({corrections})"


def text_of(record: str, name: str) -> str:
    """The text of a corrected row's cell, in SQL."""
    path = literal(f'$."{name}"')
    return f"json_extract_string({record}, {path})"


def _cell(record: str, name: str, type_: str) -> str:
    return f"try_cast({text_of(record, name)} AS {type_})"
