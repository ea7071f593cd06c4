"""How far a run has come, on the terminal while it goes on."""

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleDimensions
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

if TYPE_CHECKING:
    from portal.runs.running import TableRun


class ProgressLine:
    """One line that moves: tables built of all there are, time, the table at work. None where there is no terminal."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.terminal = _Terminal() if sys.stderr.isatty() else None
        is_plain = self.terminal is not None and not self.terminal.encoding.startswith("utf")
        self.progress = Progress(
            SpinnerColumn("line" if is_plain else "dots"),
            BarColumn(bar_width=24),
            # Where the terminal is narrow, rich takes from the columns that may wrap: bar and name, and cuts the name.
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("tables"),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(overflow="crop")),
            console=self.terminal,
            disable=self.terminal is None or not self.terminal.is_interactive,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.task = self.progress.add_task("", total=None)

    def __enter__(self) -> "ProgressLine":
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.progress.stop()
        if self.terminal:
            self.terminal.file.close()

    def expect(self, count: int) -> None:
        """So many tables are to be built."""
        self.progress.update(self.task, total=count)

    def notice(self, table: "TableRun") -> None:
        """Something became of a table."""
        if table.state != "running":
            self.done.add(table.key)
        self.progress.update(self.task, completed=len(self.done), description=escape(table.key))


class _Terminal(Console):
    """The terminal that standard error is, whatever is put in the place of standard error later.

    While a step runs, Dagster turns the descriptors of this process into files; a duplicate stays the terminal's.
    """

    def __init__(self) -> None:
        own, like = os.dup(sys.stderr.fileno()), sys.stderr
        super().__init__(file=os.fdopen(own, "w", encoding=like.encoding, errors=like.errors))

    # Rich's own may be set, which nobody does here.
    @property  # type: ignore[misc]
    def size(self) -> ConsoleDimensions:
        """Its own size, which rich would ask of the descriptors that are turned away."""
        columns, lines = os.get_terminal_size(self.file.fileno())
        return ConsoleDimensions(columns or 80, lines or 25)
