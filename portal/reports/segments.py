"""Segments on the command line: who is in each, how they differ, what to do, and what to beware of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from governance.errors import C360Error
from portal.reports.showing import records, rows_of
from resources.reader import Reader

TABLE = "segment_summary"
TRAITS, ACTIONS, RISKS = 5, 3, 2
BAR_WIDTH = 30
PRIORITY_STYLES = {"High": "bold red", "Medium": "yellow", "Low": "dim"}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Segment:
    """A row of the summary as people read it: what is not known is None, lists hold what is there."""

    name: str
    customer_count: int
    customer_share: float
    value_share: float | None
    traits: tuple[str, ...]
    actions: tuple[tuple[str, str], ...]
    risks: tuple[str, ...]
    stability: float | None
    actionability: float | None
    business_relevance: float | None
    reason: str | None


@dataclass(frozen=True)
class Segmentation:
    """The segments of one segmentation in order of precedence, of a company as of a moment."""

    name: str
    company: str
    as_of: datetime | None
    version: str
    segments: tuple[Segment, ...]

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return self.name.replace("_", " ").capitalize()

    @property
    def peopled(self) -> tuple[Segment, ...]:
        """Those segments that somebody is in."""
        return tuple(segment for segment in self.segments if segment.customer_count)

    @property
    def empty(self) -> tuple[Segment, ...]:
        """Those that nobody is in."""
        return tuple(segment for segment in self.segments if not segment.customer_count)


def segmentation(reader: Reader, name: str) -> Segmentation:
    """The summary of one segmentation, without sensitive segments unless the reader sees them.

    C360Error where there is no such segmentation, or the summary was never built.
    """
    deployment, rows = reader.deployment, records(rows_of(reader, TABLE, None))
    known = sorted({row["segmentation"] for row in rows})
    if name not in known:
        raise C360Error(f"There is no segmentation '{name}'. There are: {', '.join(known)}.")
    chosen = sorted((row for row in rows if row["segmentation"] == name), key=_place)
    ((as_of,),) = deployment.engine.query(f"SELECT as_of FROM ({deployment.select('as_of')})") or [(None,)]
    version = f"rules {chosen[0]['rule_version']}, playbook {chosen[0]['playbook_version']}"
    return Segmentation(name, deployment.settings.name, as_of, version, tuple(map(_segment, chosen)))


def print_summary(shown: Segmentation, console: Console) -> None:
    """Every segment with its size, worth, traits, actions and risks."""
    moment = f", as of {shown.as_of:%Y-%m-%d}" if shown.as_of else ""
    console.print(Text.assemble((shown.title, "bold"), f", {shown.company}{moment}"))
    widest = max((share for segment in shown.peopled for share in _shares(segment)), default=1.0)
    for segment in shown.peopled:
        console.print(_block(segment, widest))
    if shown.empty:
        console.print()
    for segment in shown.empty:
        console.print(Text.assemble((segment.name, "bold"), f"  {segment.reason}"))
    console.print(Text(f"\nTraits compare means with those of all customers. {shown.version.capitalize()}.", "dim"))


def percent(share: float) -> str:
    """A share for people: `46%`, `4.5%`, `<0.1%`."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{share:.1%}" if 0 < abs(share) < 0.1 else f"{share:.0%}"


def _place(row: Row) -> tuple[bool, int, str]:
    return row["precedence"] is None, row["precedence"] or 0, row["segment_name"]


def _segment(row: Row) -> Segment:
    priorities = _listed(row, "priority", ACTIONS)
    return Segment(
        name=row["segment_name"],
        customer_count=row["customer_count"],
        customer_share=row["customer_share"] or 0.0,
        value_share=row["value_share"],
        traits=_listed(row, "trait", TRAITS),
        actions=tuple(zip(priorities, _listed(row, "action", ACTIONS), strict=True)),
        risks=_listed(row, "risk", RISKS),
        stability=row["stability"],
        actionability=row["actionability"],
        business_relevance=row["business_relevance"],
        reason=row["reason"],
    )


def _listed(row: Row, name: str, most: int) -> tuple[str, ...]:
    return tuple(row[f"{name}_{place}"] for place in range(1, most + 1) if row[f"{name}_{place}"] is not None)


def _shares(segment: Segment) -> tuple[float, float]:
    return segment.customer_share, segment.value_share or 0.0


def _block(segment: Segment, widest: float) -> Padding:
    """One segment as a block of lines."""
    size, worth = _shares(segment)
    bars = Table.grid(padding=(0, 2))
    bars.add_row(_bar(size / widest, "blue"), f"{percent(size)} of the customers: {segment.customer_count:,}")
    if segment.value_share is not None:
        bars.add_row(_bar(worth / widest, "green"), f"{percent(worth)} of the value")
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for heading, sentences in (
        ("who", [Text(trait) for trait in segment.traits]),
        ("do", [_action(*action) for action in segment.actions]),
        ("beware", [Text(risk) for risk in segment.risks]),
        ("measured", _measured(segment)),
    ):
        for place, text in enumerate(sentences):
            lines.add_row("" if place else heading, text)
    return Padding(Group(Text(segment.name, "bold"), Padding(Group(bars, lines), (0, 0, 0, 2))), (1, 0, 0, 0))


def _bar(share: float, style: str) -> Text:
    filled = max(0, min(BAR_WIDTH, round(share * BAR_WIDTH)))
    return Text("█" * filled + "·" * (BAR_WIDTH - filled), style)


def _action(priority: str, action: str) -> Text:
    return Text.assemble((f"{priority:<6}", PRIORITY_STYLES[priority]), f"  {action}")


def _measured(segment: Segment) -> Sequence[Text]:
    figures = []
    if segment.actionability is not None:
        figures.append(f"{percent(segment.actionability)} reachable")
    if segment.business_relevance is not None:
        figures.append(f"business relevance {segment.business_relevance:.2f}")
    if segment.stability is not None:
        figures.append(f"stability {segment.stability:.2f}")
    return [Text(", ".join(figures), "dim")] if figures else []
