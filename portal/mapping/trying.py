"""A look before anything is built: what a dataset may hold, and what a feed would bring."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from governance.contract import Column, Contract
from governance.errors import C360Error
from governance.policy import Forbidden
from portal.reports import showing
from portal.runs.matching import crowded, matches, references
from resources.deployment import Deployment
from resources.engine import quoted
from resources.feeds import FeedError, Feeds, Load, advice, rows_read
from resources.reader import Reader

REASONS_SHOWN = 5


def show_contract(deployment: Deployment, name: str, console: Console) -> None:
    """Every column of a table on a line: its type, whether a row needs it, and what it means.

    C360Error where there is no such table. A dataset is meant where its word is that of a table too.
    """
    contract = _contract(deployment, name)
    shown = Table(title=f"{contract.title} ({contract.key}): {contract.grain}", title_justify="left")
    for heading in ("column", "type", "a row", "what it is"):
        shown.add_column(heading, no_wrap=heading != "what it is")
    for column in contract.columns:
        shown.add_row(column.name, column.type, _need(column), _meaning(column))
    console.print(shown)
    if contract.event_time:
        console.print(f"Rows happen at {contract.event_time}; they are loaded as {contract.loading}.")


def try_feed(reader: Reader, dataset: str, limit: int, console: Console) -> None:
    """Load a feed and build nothing: what becomes of its rows, the first of them, and whom they refer to.

    The rows are as the reader may see them. C360Error where there is no such feed, or where its source or mapping does
    not work.
    """
    deployment = reader.deployment
    if dataset not in deployment.feeds:
        known = ", ".join(deployment.feeds) or "none"
        raise C360Error(f"{deployment.file.name} has no feed '{dataset}'; there are: {known}.")
    contract = deployment.contracts[f"sources/{dataset}"]
    feeds = Feeds(deployment)
    load = feeds.load(contract, is_whole=True)
    console.print(
        f"{load.origin}: {rows_read(load.read_count, load.read_counts)}, {load.row_count:,} selected,"
        f" {load.kept_count:,} kept, {load.quarantined_count:,} set aside.",
    )
    for line in (*_set_aside(deployment, load), *load.notes):
        console.print(f"  {line}")
    try:
        feeds.check_volume(contract, load)
    except FeedError as fault:
        console.print(str(fault), style="yellow")
    rows = quoted(load.rows.get_name())
    if load.kept_count and limit:
        _show_first(reader, contract, load, _filled(deployment, contract, rows), limit, console)
    if contract.name == "orders":
        # Imports Dagster, which who looks at a contract need not wait for.
        from portal.runs.accounting import unknown_statuses_loaded

        for line in unknown_statuses_loaded(deployment, load.rows):
            console.print(line)
    for match in _matches(deployment, feeds, contract, rows):
        console.print(match)
    for crowd in crowded(deployment.engine, contract, f"SELECT * FROM {rows}"):
        console.print(f"{contract.title}: {crowd}", style="yellow")


def _show_first(
    reader: Reader, contract: Contract, load: Load, filled: Sequence[str], limit: int, console: Console
) -> None:
    try:
        view = reader.view(contract.key)
    except Forbidden as fault:
        console.print(str(fault))
        return
    seen = reader.masked(load.rows.order_by(contract.primary_key).limit(limit), view)
    engine = reader.deployment.engine
    rows = engine.connection.sql(engine.sql_of(seen.select(name for name in filled if name in seen.columns)))
    showing.write(rows, "table", None, console, showing.amounts(view, reader.deployment.settings.currency))


def _contract(deployment: Deployment, name: str) -> Contract:
    found = deployment.contracts.get(f"sources/{name}") or deployment.contracts.get(name)
    if found is None:
        raise C360Error(f"There is no dataset or table '{name}'. c360 tables lists those there are.")
    return found


def _need(column: Column) -> str:
    if column.key_position:
        return "is known by it"
    if column.required:
        return "needs it"
    return "needs it" if column.is_needed else ""


def _meaning(column: Column) -> str:
    sentences = [" ".join(column.description.split())]
    if column.values:
        sentences.append(f"One of {', '.join(column.values)}.")
    if column.references:
        sentences.append(f"Refers to {column.references[0]}.")
    return " ".join(sentences)


def _set_aside(deployment: Deployment, load: Load) -> list[str]:
    reasons = deployment.engine.query(
        f"SELECT reason, sum(copies) FROM {quoted(load.quarantine.get_name())} GROUP BY 1 ORDER BY 2 DESC, 1"
        f" LIMIT {REASONS_SHOWN}"
    )
    return [f"set aside: {reason} ({copies:,}).{advice(reason)}" for reason, copies in reasons]


def _filled(deployment: Deployment, contract: Contract, rows: str) -> list[str]:
    """The columns the feed fills at all."""
    counts = ", ".join(f"count({quoted(name)})" for name in contract.column_names)
    (found,) = deployment.engine.query(f"SELECT {counts} FROM {rows}")
    return [name for name, count in zip(contract.column_names, found, strict=True) if count]


def _matches(deployment: Deployment, feeds: Feeds, contract: Contract, rows: str) -> Iterator[Text]:
    """How many values of each reference are found where it refers to; with two values of each side where none is."""

    def loaded(other: Contract) -> str:
        return f"SELECT * FROM {quoted(feeds.load(other, is_whole=True).rows.get_name())}"

    referring = references(deployment, contract, loaded)
    if not referring:
        return
    asked = ", ".join(count for reference in referring for count in reference.counts)
    (counts,) = deployment.engine.query(f"SELECT {asked} FROM {rows}")
    for match in matches(referring, counts):
        values = match.values(deployment.engine, f"SELECT * FROM {rows}")
        yield Text(match.sentence) if match.found else Text.assemble((match.sentence, "bold red"), f" {values}")
