"""The readable end of a run."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from portal.runs.accounting import (
    ERROR,
    NOTE,
    WARNING,
    WAYS,
    Finding,
    account,
    findings,
    much_set_aside,
    unknown_statuses,
)
from portal.runs.running import RunReport, TableRun
from resources.deployment import Deployment
from resources.feeds import rows_read

STYLES = {NOTE: "", WARNING: "yellow", ERROR: "bold red"}
# Tables named in one sentence.
LISTED = 12
MARKS = {
    "done": Text("✓", "green"), "failed": Text("✗", "red"), "skipped": Text("–", "yellow"),
    "held back": Text("■", "red"), "running": Text("?", "red"),
}  # fmt: skip


def print_summary(console: Console, deployment: Deployment, report: RunReport, debug: bool = False) -> bool:
    """Tables with rows, seconds and quarantined rows; then what went wrong, or where the rows went.

    Returns whether the run is a success: every table was built, and none lost all there was to make it of.
    """
    console.print(_built(deployment.settings.name, list(report.tables.values())))
    _print_faults(console, report, debug)
    _print_advice(console, deployment, report)
    for line in feed_lines(report):
        console.print(line)
    return report.success and _print_outcome(console, deployment, report)


def _built(company: str, tables: Sequence[TableRun]) -> Table:
    done = [table for table in tables if table.state == "done"]
    rows, seconds = sum(table.rows or 0 for table in done), sum(table.seconds for table in tables)
    shown = Table(title=f"{company}: what was built", title_justify="left", show_footer=True)
    shown.add_column("", footer="")
    shown.add_column("table", footer=f"{len(done)} tables", no_wrap=True)
    shown.add_column("rows", justify="right", no_wrap=True, footer=f"{rows:,}")
    shown.add_column("seconds", justify="right", footer=f"{seconds:.1f}")
    shown.add_column("set aside", justify="right", footer=f"{_set_aside(tables):,}")
    shown.add_column("quality", justify="right")
    for table in tables:
        aside = f"{table.quarantined:,}" if table.quarantined else ""
        shown.add_row(MARKS[table.state], table.key, _rows(table), f"{table.seconds:.1f}", aside, _quality(table))
    return shown


def _set_aside(tables: Iterable[TableRun]) -> int:
    """Rows set aside of the tables that were built."""
    return sum(table.quarantined for table in tables if table.state == "done")


def _rows(table: TableRun) -> str:
    if table.source == "no feed":
        return "no feed"
    return f"{table.rows:,}" if table.rows is not None else ""


def _print_faults(console: Console, report: RunReport, debug: bool) -> None:
    """What went wrong, table by table and with the run, and what was not built for it."""
    for table in report.tables.values():
        if table.fault:
            state = "held back" if table.state == "held back" else "failed"
            console.print(Text.assemble((f"{table.key} {state}:", "bold red"), f" {table.fault}"))
        if debug and table.trace:
            console.print(table.trace)
    if report.fault:
        console.print(Text.assemble(("The run failed:", "bold red"), f" {report.fault}"))
    if report.is_interrupted:
        what_stays = " What it had built stays; the rest: c360 run"
        console.print(Text.assemble(("The run was interrupted.", "bold red"), what_stays))
    if skipped := [table.key for table in report.tables.values() if table.state == "skipped"]:
        reason = "" if report.is_interrupted else ", because they depend on what failed"
        console.print(f"Not built{reason}: {', '.join(skipped)}. They keep their old rows.")


def _print_advice(console: Console, deployment: Deployment, report: RunReport) -> None:
    """What to look at, or to do, about tables that were built."""
    if any(table.failing_rules for table in report.tables.values()):
        console.print("Quality, 0 to 100, and the rules behind it: c360 quality")
    behind = [key for key in report.behind if deployment.lake.state(key)] if report.has_new_moment else []
    if behind:
        more = f" and {len(behind) - LISTED} more" if len(behind) > LISTED else ""
        console.print(
            f"Still of the moment before, as they were not selected: {', '.join(behind[:LISTED])}{more}. Bring all to"
            " one moment: c360 run"
        )
    if _set_aside(report.tables.values()):
        console.print("Rows set aside, with the reason, and how to correct them: c360 quarantine")


def _print_outcome(console: Console, deployment: Deployment, report: RunReport) -> bool:
    """Where the rows went, and what customers are like; whether none of the tables lost all it was to be made of."""
    if "order_lines" in report.tables:
        for line in (*accounting(deployment), *unknown_statuses(deployment)):
            console.print(line)
    found = [*much_set_aside(deployment, report.tables.values()), *losses(deployment, report)]
    errors = [finding for finding in found if finding.severity == ERROR]
    _print_findings(console, [finding for finding in found if finding not in errors])
    if "customer_history" in report.tables and not report.is_moment_asked:
        for line in closed_history(deployment):
            console.print(line, style="yellow")
    if "customer_segments" in report.tables:
        console.print(engagement(deployment))
        for line in unsupported(deployment):
            console.print(line, style="yellow")
    # Last, so that nobody reads figures without them.
    _print_findings(console, errors)
    return not errors


def _print_findings(console: Console, found: Iterable[Finding]) -> None:
    for finding in found:
        console.print(finding.text, style=STYLES[finding.severity])


def closed_history(deployment: Deployment) -> list[str]:
    """Whether the history of customers is closed to the moment that the tables are of, for it knows a later one."""
    held, moments = (deployment.lake.select(deployment.contracts[key]) for key in ("customer_history", "as_of"))
    ((newest, as_of),) = deployment.engine.query(
        f"SELECT (SELECT max(coalesce(valid_to, valid_from)) FROM ({held})), (SELECT max(as_of) FROM ({moments}))"
    )
    if newest is None or as_of is None or newest <= as_of:
        return []
    return [
        f"customer_history stays as it was: it knows of {newest:%Y-%m-%d}, and the newest event is of {as_of:%Y-%m-%d}."
        f" If the later one was a mistake, let it be forgotten: c360 rollback --to {as_of:%Y-%m-%d}"
    ]


def feed_lines(report: RunReport) -> list[str]:
    """How many rows were read, selected, kept and set aside, in words: of each feed that did not bring all it read, or
    that has several connectors.
    """
    lines = []
    for table in report.tables.values():
        differs = table.read != table.selected or table.quarantined or table.read_counts
        if table.state == "done" and table.read and differs:
            share = f" ({table.selected / table.read:.0%})" if table.read != table.selected else ""
            fate = f", {table.kept:,} kept, {table.quarantined:,} set aside" if table.quarantined else ""
            read = rows_read(table.read, table.read_counts)
            lines.append(f"{table.key}: {read}, {table.selected:,} selected{share}{fate}.")
        lines += [f"{table.key}: {note}." for note in table.notes]
    return lines


def losses(deployment: Deployment, report: RunReport) -> list[Finding]:
    """Of each dataset that was loaded or used: rows left out of what is made of them, and broken references."""
    moment = _as_of(deployment)
    found = []
    for name in deployment.feeds:
        contract = deployment.contracts[f"sources/{name}"]
        is_built = name in WAYS and WAYS[name].table in report.tables
        if is_built or contract.key in report.tables:
            found += findings(deployment, account(deployment, contract, moment), report.is_moment_asked, is_built)
    return found


def _quality(table: TableRun) -> str:
    if table.score is None:
        return ""
    return f"{table.score:.1f}"


def accounting(deployment: Deployment) -> list[str]:
    """Where every order line of the source went, in words; nothing where there are none."""
    lake, contracts = deployment.lake, deployment.contracts
    held = int(lake.read(contracts["sources/order_line_item"]).count().to_pyarrow().as_py())
    quarantine = lake.read(contracts["quarantine"])
    aside = quarantine.copies.sum(where=quarantine.dataset == "order_line_item").to_pyarrow().as_py() or 0
    if not held + aside:
        return []
    lines = lake.read(contracts["order_lines"])
    is_known = lines.customer_id.notnull()
    is_sale = lines.line_kind == "sale"
    found = lines.agg(
        sales=(is_sale & is_known).sum(),
        value=lines.net_amount.sum(where=is_sale & is_known),
        anonymous=(is_sale & ~is_known).sum(),
        anonymous_value=lines.net_amount.sum(where=is_sale & ~is_known),
        returns=(lines.line_kind == "return").sum(),
        other=(lines.line_kind == "other").sum(),
    )
    kinds: dict[str, Any] = {kind: count or 0 for kind, count in found.to_pyarrow().to_pylist()[0].items()}
    waiting = held - sum(kinds[kind] for kind in ("sales", "anonymous", "returns", "other"))
    sentences = [
        f"Order lines: {held + aside:,} arrived = {kinds['sales']:,} sold to known customers ({_money(kinds['value'])}"
        f" {deployment.settings.currency}) + {kinds['anonymous']:,} sold anonymously + {kinds['returns']:,} returned"
        f" + {kinds['other']:,} cancelled, open, adjusted or given away"
        f" + {waiting:,} later than as_of or without their order"
        f"{f' + {aside:,} set aside' if aside else ''}."
    ]
    if kinds["anonymous_value"]:
        share = kinds["anonymous_value"] / (kinds["anonymous_value"] + kinds["value"])
        sentences.append(
            f"Of what was sold, {_money(kinds['anonymous_value'])} {deployment.settings.currency} ({share:.1%}) is of"
            " no customer: revenue in orders and order_lines, but in nobody's profile, nor in any table of customers."
        )
    return sentences


def engagement(deployment: Deployment) -> Table:
    """Who the customers are, by engagement level: how many, and what they spent."""
    lake, contracts = deployment.lake, deployment.contracts
    segments = lake.read(contracts["customer_segments"])
    as_of = _as_of(deployment)
    levels = segments.group_by("engagement_level").agg(customers=segments.count(), spent=segments.monetary.sum())
    found = levels.order_by(levels.customers.desc(), "engagement_level").to_pyarrow().to_pylist()
    # Without a feed of orders nobody knows what was spent.
    customers, spent = (sum(level[measure] or 0 for level in found) for measure in ("customers", "spent"))
    clock = ZoneInfo(deployment.settings.clock)
    when = "of no date" if as_of is None else f"as of {as_of.replace(tzinfo=UTC).astimezone(clock):%Y-%m-%d %H:%M}"
    shown = Table(title=f"Customers {when}, by engagement level", title_justify="left")
    shown.add_column("engagement level", no_wrap=True)
    for heading in ("customers", "share", f"spent {deployment.settings.currency}", "share of spend"):
        shown.add_column(heading, justify="right")
    for level in found:
        share = level["customers"] / customers
        share_of_spend = f"{(level['spent'] or 0) / spent:.1%}" if spent else ""
        shown.add_row(
            level["engagement_level"] or "none: see unknown_because",
            f"{level['customers']:,}",
            f"{share:.1%}",
            "" if level["spent"] is None else f"{level['spent']:,.2f}",
            share_of_spend,
        )
    return shown


def unsupported(deployment: Deployment) -> list[str]:
    """Of each segmentation that no buyer has a segment of, why the data does not support it yet, in words."""
    segments = deployment.lake.read(deployment.contracts["customer_segments"])
    buyers = segments.filter(segments.frequency > 0)
    partial = deployment.rules().partial
    counts = {name: buyers[name].count() for name in partial}
    found = buyers.agg(**counts, total=buyers.count()).to_pyarrow().to_pylist()[0]
    empty = [name for name in partial if found["total"] and not found[name]]
    if not empty:
        return []
    unknown = buyers.group_by("unknown_because").agg(buyers=buyers.count())
    most = unknown.order_by(unknown.buyers.desc(), "unknown_because").limit(1).to_pyarrow().to_pylist()[0]
    why = dict(reason.split(": ", 1) for reason in most["unknown_because"].split("; "))
    return [f"The data does not support {name} yet: {why[name]}." for name in empty]


def _as_of(deployment: Deployment) -> datetime | None:
    """The moment as of which the tables speak (UTC); None where nothing is dated."""
    moment: datetime | None = deployment.read("as_of").as_of.max().to_pyarrow().as_py()
    return moment


def _money(value: Decimal) -> str:
    """All the digits there are, and no more zeros than cents need."""
    exact = Decimal(value).normalize()
    return f"{exact:,.2f}" if exact == round(exact, 2) else f"{exact:,f}"
