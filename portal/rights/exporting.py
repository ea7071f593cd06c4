"""All that is held on a person, as a page to read or as JSON: GDPR, articles 15 and 20."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

from governance.contract import Contract
from portal.reports import html_page
from portal.rights import requests
from resources.engine import quoted
from resources.erasure import ErasureError, Person
from resources.reader import Reader
from resources.replacing import replacing


@dataclass(frozen=True)
class Held:
    """The rows of one table on a person."""

    contract: Contract
    rows: Sequence[dict[str, Any]]


def export(reader: Reader, key: str, kind: str, target: Path) -> int:
    """Write all rows on a person to a file of a `kind` (html, json); how many they are.

    Forbidden to whoever may not answer for the rights of customers; ErasureError where nobody of that ID is held.
    """
    reader.must_be_able_to("erase")
    deployment = reader.deployment
    found = held(Person(deployment, key))
    if not found:
        raise ErasureError(f"No table of {deployment.settings.name} holds a customer of that ID.")
    company = deployment.settings.name
    content = as_json(found, company) if kind == "json" else page(found, company)
    with replacing(target) as fresh:
        fresh.write_text(content, encoding="utf-8")
    requests.answered(deployment, requests.ACCESS, key, reader.identity.subject)
    return sum(len(one.rows) for one in found)


def held(person: Person) -> list[Held]:
    """The rows on a person as written last, by table, in the order of its key; tables without any are left out."""
    person.tell_engine()
    deployment, found = person.deployment, []
    for holding in person.holdings.values():
        theirs = person.condition(holding, person.holdings)
        if theirs is None or not deployment.lake.head(holding.contract):
            continue
        key = ", ".join(map(quoted, holding.contract.primary_key or holding.contract.column_names))
        names = holding.contract.column_names
        rows = deployment.engine.query(
            f"SELECT {', '.join(map(quoted, names))} FROM ({person.select(holding.contract.key)}) WHERE {theirs}"
            f" ORDER BY {key}"
        )
        if rows:
            found.append(Held(holding.contract, [dict(zip(names, row, strict=True)) for row in rows]))
    return found


def as_json(found: Sequence[Held], company: str) -> str:
    """The rows for programs, each table with what it is for, how long it is kept, and what its columns mean."""
    tables = {
        one.contract.key: {
            "title": one.contract.title,
            "purpose": one.contract.purpose,
            "retention": one.contract.retention,
            "columns": {column.name: column.description for column in one.contract.columns},
            "rows": one.rows,
        }
        for one in found
    }
    written = {"company": company, "tables": tables}
    return json.dumps(written, indent=2, ensure_ascii=False, default=_plain) + "\n"


def page(found: Sequence[Held], company: str) -> str:
    """The rows for people: one page that loads nothing."""
    links = "".join(f'<a href="#{one.contract.key}">{escape(one.contract.title)}</a>' for one in found)
    title = f"What {company} holds on you"
    count = sum(len(one.rows) for one in found)
    facts = html_page.tiles([(f"{len(found)}", "tables"), (f"{count:,}", "rows")])
    content = f"<h1>{escape(title)}</h1>{facts}{''.join(map(_section, found))}"
    return html_page.document(title, f"<nav>{links}</nav>", content)


def _section(one: Held) -> str:
    """A table of people's own; columns that are empty in every row are left out."""
    contract = one.contract
    columns = [column for column in contract.columns if any(row[column.name] is not None for row in one.rows)]
    heads = "".join(
        f'<th title="{escape(column.description)}">{escape(_words(column.name))}</th>' for column in columns
    )
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(row[column.name]))}</td>' for column in columns)}</tr>" for row in one.rows
    )
    rows = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return (
        f'<section id="{contract.key}"><h2>{escape(contract.title)}</h2><p>{escape(contract.purpose)} Kept for'
        f" {escape(contract.retention)}.</p>{html_page.scrolling(contract.title, rows)}</section>"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    return "" if value is None else str(_plain(value))


def _plain(value: Any) -> Any:
    """JSON for what JSON has no word for: amounts with all their digits, moments in ISO 8601."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
