"""The spec sheet of the data product, read off its contracts, policy, rules and schedules: for readers of no code."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

import yaml

from c360_assets.automation import rhythm
from c360_assets.definitions import build
from governance.contract import Contract
from governance.policy import ANALYSIS
from governance.product import Insight, Product, Source, UseCase
from portal.reports.html_page import document, scrolling
from resources.deployment import Deployment

ODPS_VERSION = "v1.0.0"


class _Plain(yaml.SafeDumper):
    """What stands there twice is written twice, which whoever reads the file by eye understands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass(frozen=True)
class Section:
    """A heading, what is said below it, and a table; a table has its headings first."""

    title: str
    text: Sequence[str] = ()
    listed: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def sections(deployment: Deployment, product: Product) -> list[Section]:
    """The sheet, part by part."""
    contracts = [*deployment.contracts.values()]
    about = product.description
    return [
        Section("What it is", (about.usage,), rows=(("", ""), *_facts(deployment, product))),
        Section("What it is for", listed=product.objectives),
        Section("For whom", rows=(("who", "what"), *product.audiences.items())),
        Section("Use cases", rows=(("use case", "who", "how", "tables"), *map(_use_case, product.use_cases))),
        Section("Questions it answers", rows=(("question", "tables"), *map(_insight, product.insights))),
        Section("What it is made of", rows=(("source", "what it brings", "tables"), *map(_source, product.sources))),
        *_of_layers(contracts),
        Section(
            "Quality", (QUALITY,), rows=(("dimension", "rules", "of which hold a table back"), *_dimensions(contracts))
        ),
        Section("Who sees what", (PRIVACY,), rows=(("role", "who", "reads"), *_roles(deployment))),
        Section("What rows are read for", rows=(("purpose", "what it means"), *_purposes(deployment))),
        Section("Built with", rows=(("with", "for"), *product.technologies.items())),
        Section("What is taken for granted", listed=product.assumptions),
        Section("What it does not tell", (about.limitations,), rows=(("table", "limit"), *_limits(contracts))),
        Section("Versions", rows=(("version", "date", "what"), *_versions(product))),
    ]


QUALITY = (
    "Every table is checked after it is built and gets a score of 0 to 100; rules that hold a table back keep readers"
    " on the rows that passed. What fails opens an incident."
)
PRIVACY = (
    "Columns that say something of a person bear a privacy class in their contract; a role says what is shown of each"
    " class. Whoever bears no role is a data consumer."
)


def markdown(deployment: Deployment, product: Product) -> str:
    """The sheet as Markdown."""
    parts = [f"# {product.name}", f"Version {product.version}, {product.status}. {product.description.purpose}"]
    for section in sections(deployment, product):
        parts += [f"## {section.title}", *section.text]
        parts += ["\n".join(f"- {point}" for point in section.listed)] if section.listed else []
        if section.rows:
            heading, *rows = section.rows
            lines = [heading, ["---"] * len(heading), *rows]
            parts.append("\n".join(f"| {' | '.join(map(_in_a_cell, line))} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def page(deployment: Deployment, product: Product) -> str:
    """The sheet as one HTML page."""
    told = sections(deployment, product)
    links = "".join(
        f'<li><a href="#part{place}"><span>{escape(section.title)}</span></a></li>'
        for place, section in enumerate(told)
    )
    index = f'<nav aria-label="Index"><h2>{escape(product.name)}</h2><ul>{links}</ul></nav>'
    head = (
        f'<section id="top"><p class="soft small">data product · version {escape(product.version)}</p>'
        f'<h1>{escape(product.name)}</h1><p class="lead">{escape(product.description.purpose)}</p></section>'
    )
    parts = [_part(f"part{place}", section) for place, section in enumerate(told)]
    return document(f"{product.name}: spec sheet", index, "\n".join([head, *parts]))


def odps(deployment: Deployment, product: Product) -> str:
    """The product as YAML of the Open Data Product Standard v1.0.0 (bitol-io.github.io/open-data-product-standard)."""
    contracts = [*deployment.contracts.values()]
    ours = [contract for contract in contracts if contract.layer not in ("sources", "operations")]
    sources = [contract for contract in contracts if contract.layer == "sources"]
    made_of = _upstream(_parents(deployment))
    ids = {source.key: {"id": _id(source), "version": source.version} for source in sources}
    described = {
        "apiVersion": ODPS_VERSION,
        "kind": "DataProduct",
        "id": product.id,
        "name": product.name,
        "version": product.version,
        "status": product.status,
        "domain": product.domain,
        "description": product.description.model_dump(),
        "tags": ["customer", "retail"],
        "inputPorts": [
            {"name": source.name, "version": source.version, "contractId": _id(source)} for source in sources
        ],
        "outputPorts": [
            {
                "name": contract.name,
                "description": contract.grain,
                "type": "tables",
                "version": contract.version,
                "contractId": _id(contract),
                "inputContracts": [ids[key] for key in ids if key in made_of[contract.key]],
            }
            for contract in ours
        ],
        "team": [
            {"name": product.owner, "role": "owner"},
            *({"name": name, "role": "producer"} for name in _owners(contracts)),
        ],
    }  # fmt: skip
    return yaml.dump(described, sort_keys=False, Dumper=_Plain, allow_unicode=True, width=120)


def _parents(deployment: Deployment) -> dict[str, list[str]]:
    """Of each table that is built those that it is made of."""
    graph = build(deployment).resolve_asset_graph()
    nodes = {node.key.to_user_string(): node for node in graph.asset_nodes}
    return {
        key: sorted(parent.to_user_string() for parent in nodes[key].parent_keys)
        for key in deployment.contracts
        if key in nodes
    }


def _upstream(parents: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Of each table all that it is made of, directly or not."""
    found: dict[str, set[str]] = {}

    def of(key: str) -> set[str]:
        if key not in found:
            found[key] = {*parents[key]}.union(*map(of, parents[key]))
        return found[key]

    return {key: of(key) for key in parents}


def _id(contract: Contract) -> str:
    return f"c360.{contract.layer}.{contract.name}"


def _owners(contracts: Iterable[Contract]) -> list[str]:
    return sorted({contract.owner for contract in contracts})


def _facts(deployment: Deployment, product: Product) -> list[tuple[str, str]]:
    contracts = deployment.contracts.values()
    return [
        ("Owner", product.owner),
        ("Producers", ", ".join(_owners(contracts))),
        ("Tables", f"{len(contracts)}"),
        ("Columns", f"{sum(len(contract.columns) for contract in contracts):,}"),
        ("Quality rules", f"{sum(len(contract.rules) for contract in contracts):,}"),
        ("Amounts", f"in {deployment.settings.currency}, one currency per deployment"),
        ("Segment rules", f"version {deployment.rules().full_version}"),
        ("Policy", f"version {deployment.policy().version}"),
    ]


def _use_case(case: UseCase) -> tuple[str, ...]:
    return case.name, case.who, case.how, ", ".join(case.tables)


def _insight(insight: Insight) -> tuple[str, ...]:
    return insight.question, ", ".join(insight.tables)


def _source(source: Source) -> tuple[str, ...]:
    return source.name, source.what, ", ".join(source.tables)


def _of_layers(contracts: Sequence[Contract]) -> Iterable[Section]:
    heading = (
        "table",
        "one row per",
        "owner",
        "brought up to date",
        "kept",
        "columns",
        "of people",
        "rules",
        "version",
    )
    for layer, held in groupby(contracts, key=lambda contract: contract.layer):
        yield Section(f"Tables: {layer}", rows=(heading, *map(_table, held)))


def _table(contract: Contract) -> tuple[str, ...]:
    of_people = sum(column.is_classified for column in contract.columns)
    return (
        contract.key,
        contract.grain.removeprefix("One row per ").removeprefix("One row: ").removesuffix("."),
        contract.owner,
        rhythm(contract).replace("_", " "),
        contract.retention,
        str(len(contract.columns)),
        str(of_people),
        str(len(contract.rules)),
        contract.version,
    )


def _lineage(deployment: Deployment) -> Iterable[tuple[str, ...]]:
    return ((key, ", ".join(parents)) for key, parents in _parents(deployment).items() if parents)


def _dimensions(contracts: Sequence[Contract]) -> Iterable[tuple[str, ...]]:
    rules = sorted((rule for contract in contracts for rule in contract.rules), key=lambda rule: rule.dimension)
    for dimension, held in groupby(rules, key=lambda rule: rule.dimension):
        of_dimension = [*held]
        yield dimension, f"{len(of_dimension):,}", f"{sum(rule.blocking for rule in of_dimension):,}"


def _roles(deployment: Deployment) -> Iterable[tuple[str, ...]]:
    for name, role in deployment.policy().roles.items():
        yield name, role.description, ", ".join(role.reads)


def _purposes(deployment: Deployment) -> Iterable[tuple[str, ...]]:
    for name, purpose in deployment.policy().purposes.items():
        yield f"{name}{' (unless said otherwise)' if name == ANALYSIS else ''}", purpose.description


def _limits(contracts: Sequence[Contract]) -> Iterable[tuple[str, ...]]:
    for contract in contracts:
        yield from ((contract.key, limit) for limit in contract.limitations)


def _versions(product: Product) -> Iterable[tuple[str, ...]]:
    for version in reversed(product.versions):
        yield version.version, f"{version.date:%Y-%m-%d}", version.what


def _part(anchor: str, section: Section) -> str:
    told = "".join(f"<p>{escape(text)}</p>" for text in section.text)
    listed = f"<ul>{''.join(f'<li>{escape(point)}</li>' for point in section.listed)}</ul>" if section.listed else ""
    table = ""
    if section.rows:
        heading, *rows = section.rows
        head = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in heading)}</tr>" if any(heading) else ""
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        table = scrolling(section.title, f"<table><thead>{head}</thead><tbody>{body}</tbody></table>")
    return f'<section id="{anchor}"><h2>{escape(section.title)}</h2>{told}{listed}{table}</section>'


def _in_a_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
