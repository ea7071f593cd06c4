"""Candidates of a model as people read them in the Dagster UI: which was chosen, how well each does, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.contract import Contract

Row = Mapping[str, Any]
DIGITS = 3


def are_told(contract: Contract) -> bool:
    """Whether the rows of a table are candidates, of which some are chosen for a reason."""
    return {"is_chosen", "reason"} <= set(contract.column_names)


def columns(contract: Contract) -> list[str]:
    """What people read of candidates: all but the models themselves, which are long texts."""
    return [name for name in contract.column_names if not name.endswith("_model")]


def markdown(contract: Contract, rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown: the key, every figure that has an interval, and why; what was chosen in bold.

    Of what could not be judged only the reason is told.
    """
    figures = [name for name in _figures(contract) if any(row[name] is not None for row in rows)]
    titles = [*contract.primary_key, *figures, "reason"]
    lines = [titles, ["---"] * len(titles), *(_line(contract, row, figures) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _figures(contract: Contract) -> list[str]:
    """Columns of which the table has the interval, and those that such a one is a gain in."""
    names = contract.column_names
    bounded = [name for name in names if {f"{name}_low", f"{name}_high"} <= set(names)]
    gained = [name.removesuffix("_gain") for name in bounded if name.endswith("_gain")]
    return [name for name in names if name in bounded or name in gained]


def _line(contract: Contract, row: Row, figures: Sequence[str]) -> list[str]:
    key = [str(row[name]) for name in contract.primary_key]
    mark = "**" if row["is_chosen"] else ""
    cells = [*key, *(_figure(row, name) for name in figures), row["reason"] or ""]
    return [f"{mark}{_plain(cell)}{mark}" if cell else "" for cell in cells]


def _figure(row: Row, name: str) -> str:
    value, low, high = (row.get(column) for column in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return ""
    sign = "+" if name.endswith(("_gain", "_bias")) else ""
    told = f"{value:{sign}.{DIGITS}f}"
    return told if low is None or high is None else f"{told} ({low:{sign}.{DIGITS}f} to {high:{sign}.{DIGITS}f})"


def _plain(cell: str) -> str:
    """Text that Markdown takes as text."""
    return cell.replace("|", r"\|").replace("*", r"\*").replace("\n", " ")
