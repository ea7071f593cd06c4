"""Sheets of Excel and OpenDocument files as tables of text, like those of text files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from resources.engine import Engine, literal, quoted
from resources.text_files import TableFile, TextFileError


@dataclass(frozen=True)
class Sheet(TableFile):
    """How to read one sheet, the first unless it is named."""

    sheet: str | None = None

    @property
    def first_record(self) -> Sequence[str | None]:
        """The cells of the header or, where there is none, of the first row; none where the sheet is empty."""
        return self._rows[0][1] if self._rows else ()

    @property
    def header_end(self) -> int:
        """The number of the row that is the first record."""
        return self._rows[0][0]

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds anything."""
        return not self._rows

    def stage(self, target: Path, engine: Engine, more: str = "") -> list[str]:
        """Write the rows to the Parquet file `target`, as columns of text; `more` are further columns in SQL.

        Returns one description per row that has more cells than there are columns.
        """
        import pyarrow as pa

        names = self.column_names
        rows = self._rows[1:] if self.header else self._rows
        kept = [cells for _, cells in rows if len(cells) <= len(names)]
        columns = [[cells[place] if place < len(cells) else None for cells in kept] for place in range(len(names))]
        staged = pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(names, columns, strict=True)})
        engine.connection.register("sheet", staged)
        try:
            engine.query(f"COPY (SELECT *{more} FROM {quoted('sheet')}) TO {literal(str(target))} (FORMAT parquet)")
        finally:
            engine.connection.unregister("sheet")
        return [f"line {row} of {self.name}: too many columns" for row, cells in rows if len(cells) > len(names)]

    @cached_property
    def _rows(self) -> list[tuple[int, list[str | None]]]:
        """The rows that hold anything: where they stand, from 1, and their cells up to the last that is filled."""
        from python_calamine import CalamineError, CalamineWorkbook

        try:
            book = CalamineWorkbook.from_path(str(self.path))
        except (CalamineError, OSError) as fault:
            raise TextFileError(
                f"{self.name} is no whole file of Excel or OpenDocument; save it again, or, if it is text, set"
                " `format: csv`"
            ) from fault
        if self.sheet is not None and self.sheet not in book.sheet_names:
            known = ", ".join(f"'{name}'" for name in book.sheet_names)
            raise TextFileError(f"{self.name} has no sheet '{self.sheet}'; correct `sheet`, there are {known}")
        sheet = book.get_sheet_by_name(self.sheet) if self.sheet else book.get_sheet_by_index(0)
        rows = [_filled(cells) for cells in sheet.to_python(skip_empty_area=False)]
        return [(place, cells) for place, cells in enumerate(rows, 1) if cells and place > self.skip]


def sheet_names(path: Path) -> list[str]:
    """The sheets of a workbook that hold anything, in order. TextFileError where it is none."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        return [name for name in book.sheet_names if any(map(any, book.get_sheet_by_name(name).to_python()))]
    except (CalamineError, OSError) as fault:
        raise TextFileError(f"{path.name} is no whole file of Excel or OpenDocument; save it again") from fault


def _filled(cells: Sequence[Any]) -> list[str | None]:
    texts = [_text(cell) for cell in cells]
    while texts and texts[-1] is None:
        texts.pop()
    return texts


def _text(cell: Any) -> str | None:
    """A cell as CSV would have it: whole numbers without a fraction, moments as ISO 8601 writes them."""
    if cell == "" or cell is None:
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
