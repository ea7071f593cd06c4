"""`c360 init`: a first c360.yaml for files, in which everything that is a guess says so."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from governance import contracts
from governance.contract import Contract
from governance.errors import C360Error
from portal.mapping.column_matching import SURE
from portal.mapping.proposing import FeedProposal, Line, propose
from resources.engine import Engine
from resources.inspection import Found, Unread, look

CURRENCIES = re.compile(r"\b(USD|EUR|GBP|CHF)\b")
USUAL_CURRENCY = "EUR"
# YAML has no need of quotes for these.
PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
RESERVED = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
# What to do about words that nobody knows, by dataset.
UNKNOWN_WORDS = {
    "orders": (
        "of the words for the status of an order {} are not known, and no revenue; say what they mean by"
        " `status: {{word: shipped}}`"
    ),
    "web_analytics": (
        "of the words for the action of an event {} are not known, so no view, cart or order; select what they mean,"
        " as by `case word when 'seen' then 'product_view' else word end`: `c360 contract web_analytics` lists what"
        " there is"
    ),
}


def initialise(paths: Sequence[Path], target: Path, console: Console) -> None:
    """Look at the files and write a proposal for them; C360Error where there is one, or no file is a table.

    What the values are is neither written nor shown, only names of files and columns and what they are taken for.
    """
    if target.exists():
        raise C360Error(f"{target} is there already, and is left as it is. Name another file with --output.")
    for path in paths:
        if not path.exists():
            raise C360Error(f"There is no file or folder {path}.")
    known = contracts.ours()
    with closing(Engine()) as engine:
        tables, unread = look(paths, target.resolve().parent, engine)
        feeds = propose(tables, known, engine)
    if not tables:
        reasons = "".join(f" {file.path}: {file.reason}." for file in unread)
        raise C360Error(f"No table was found, so nothing is written.{reasons}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:
        file.write(proposal(target.resolve(), tables, feeds, unread, known))
    _print_summary(console, target, tables, feeds, unread)


def proposal(
    target: Path,
    tables: Sequence[Found],
    feeds: Sequence[FeedProposal],
    unread: Sequence[Unread],
    known: Mapping[str, Contract],
) -> str:
    """The text of a deployment file."""
    command = f"--config {target.name}"
    # Whatever has columns can be mapped by hand, too; a text has none.
    readable = [table for table in tables if len(table.columns) > 1]
    currency, doubt = _currency(tables)
    parts = [
        "# Proposed by `c360 init`. The number behind a column says how sure its place is, from 0 to 1. Look at what",
        "# is marked doubtful, then:",
        *(f"#   c360 try {feed.contract.name} {command}" for feed in feeds[:1]),
        f"#   c360 run {command}",
        f"name: {_scalar(target.parent.name or 'Shop')}",
        f"currency: {currency}{_comment(doubt)}",
        "access: {anyone: data_steward}  # whoever uses this machine; docs/governance.md for more than one person",
    ]
    parts += ["connectors:", *(line for table in readable for line in _connector(table))] if readable else []
    parts += ["feeds:", *(line for feed in feeds for line in _feed(feed))] if feeds else []
    parts += [*_unused(tables, feeds, unread), *_without_feed(feeds, known)]
    return "\n".join(parts) + "\n"


def _currency(tables: Sequence[Found]) -> tuple[str, str]:
    named = {found[0] for table in tables for column in table.columns if (found := CURRENCIES.search(column.name))}
    mentioned = {
        word.upper()
        for table in tables
        for column in table.columns
        if "currency" in column.name.lower()
        for word in column.words
        if re.fullmatch("[a-z]{3}", word)
    }
    known = named | mentioned
    if len(known) == 1:
        return known.pop(), ""
    return USUAL_CURRENCY, "there are several" if known else "no file says in which currency amounts are"


def _connector(table: Found) -> Iterator[str]:
    yield f"  {table.name}:"
    for key, value in {"type": "files", **table.connector.model_dump(exclude_defaults=True)}.items():
        yield f"    {key}: {_scalar(value)}{_comment(table.doubts.get(key, ''))}"
    for key, doubt in table.doubts.items():
        if key not in table.connector.model_fields_set:
            yield f"    # doubtful: {doubt}"


def _feed(feed: FeedProposal) -> Iterator[str]:
    contract = feed.contract
    yield f"  {contract.name}:"
    yield f"    from: {feed.table.name}"
    if feed.is_grouped:
        yield "    # One row per key; of several values that a key has, the first in order."
    for line in feed.lines:
        yield f"    # {line.column.name:<20} {_expression(line)}{_comment(_doubt(line))}"
    for column in feed.missing:
        yield (
            f"    # missing: {column.name}, which rows need. Select `... as {column.name}` from what has it;"
            f" what it is says `c360 contract {contract.name}`."
        )
    if feed.status:
        words = ", ".join(f"{_scalar(word)}: {meant}" for word, meant in feed.status.items())
        yield f"    status: {{{words}}}"
    if feed.unknown_word_count:
        yield f"    # doubtful: {UNKNOWN_WORDS[contract.name].format(feed.unknown_word_count)}"
    yield from _select(feed)


def _select(feed: FeedProposal) -> Iterator[str]:
    # A name of a column may span lines, which a block of YAML would take for its own.
    if all(column.name.isprintable() for column in feed.table.columns):
        yield "    select: |"
        yield from (f"      {line}" for line in feed.select.split("\n"))
    else:
        yield f"    select: {json.dumps(feed.select)}"


def _expression(line: Line) -> str:
    source = " ".join(line.source.split()) if line.source else "(no column as it is)"
    return f"{source:<28} {line.score:.2f}"


def _doubt(line: Line) -> str:
    if line.doubt:
        return line.doubt
    return "neither its name nor its values say so surely" if line.score < SURE else ""


def _comment(doubt: str) -> str:
    return f"  # doubtful: {' '.join(doubt.split())}" if doubt else ""


def _scalar(value: Any) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)


def _unused(tables: Sequence[Found], feeds: Sequence[FeedProposal], unread: Sequence[Unread]) -> Iterator[str]:
    """What of the files is in no feed."""
    for table in tables:
        of_it = [feed for feed in feeds if feed.table.name == table.name]
        expressions = " ".join(line.expression for feed in of_it for line in feed.lines)
        left = [" ".join(column.name.split()) for column in table.columns if f'"{column.name}"' not in expressions]
        if not of_it:
            yield f"# Not used: {table.connector.path}, which goes with no dataset or with one that is filled already;"
            yield f"#   its columns are {', '.join(left)}"
        elif left:
            yield f"# Not used of {table.name}: {', '.join(left)}"
    for file in unread:
        yield f"# Not read: {file.path}: {' '.join(file.reason.split())}"


def _without_feed(feeds: Sequence[FeedProposal], known: Mapping[str, Contract]) -> Iterator[str]:
    given = {feed.contract.name for feed in feeds}
    for contract in known.values():
        if contract.layer == "sources" and contract.name not in given and not contract.optional:
            needed = ", ".join(column.name for column in contract.columns if column.required or column.is_needed)
            yield f"# Nothing was found for {contract.name}, which needs {needed}:"
            yield f"#   `c360 contract {contract.name}` says what that is."


def _print_summary(
    console: Console, target: Path, tables: Sequence[Found], feeds: Sequence[FeedProposal], unread: Sequence[Unread]
) -> None:
    shown = Table(title=f"{target}: what the files are taken for", title_justify="left")
    for heading in ("dataset", "from", "columns", "doubtful"):
        shown.add_column(heading, justify="right" if heading in ("columns", "doubtful") else "left", no_wrap=True)
    for feed in feeds:
        doubtful = sum(bool(_doubt(line)) for line in feed.lines)
        path = feed.table.connector.path
        shown.add_row(feed.contract.name, path, f"{len(feed.lines)}", f"{doubtful or ''}")
    console.print(shown)
    for table in tables:
        if all(feed.table.name != table.name for feed in feeds):
            console.print(f"{table.connector.path} goes with no dataset.")
    for file in unread:
        console.print(f"{file.path} was not read: {file.reason}.")
    if feeds:
        console.print(
            f"Look at what is marked doubtful, then: c360 try {feeds[0].contract.name} --config {target}",
            soft_wrap=True,
        )
