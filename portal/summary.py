"""The readable end of a run."""

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from portal.running import RunReport
from resources.deployment import Deployment

MARKS = {"done": "[green]✓", "failed": "[red]✗", "skipped": "[yellow]–", "running": "[red]?"}


def print_summary(console: Console, deployment: Deployment, report: RunReport) -> None:
    """Tables with rows, seconds and quarantined rows; then what went wrong, or where the order lines went."""
    shown = Table(title=f"{deployment.settings.name}: what was built", title_justify="left", show_footer=True)
    done = [table for table in report.tables.values() if table.state == "done"]
    quarantined = sum(table.quarantined for table in done)
    shown.add_column("", footer="")
    shown.add_column("table", footer=f"{len(done)} tables")
    shown.add_column("rows", justify="right", footer=f"{sum(table.rows or 0 for table in done):,}")
    shown.add_column("size", justify="right", footer=human_size(sum(table.bytes for table in done)))
    shown.add_column("seconds", justify="right", footer=f"{sum(table.seconds for table in report.tables.values()):.1f}")
    shown.add_column("quarantined", justify="right", footer=f"{quarantined:,}")
    for table in report.tables.values():
        rows = f"{table.rows:,}" if table.rows is not None else ""
        rows = "no feed" if table.source == "no feed" else rows
        aside = f"{table.quarantined:,}" if table.quarantined else ""
        shown.add_row(MARKS[table.state], table.key, rows, human_size(table.bytes), f"{table.seconds:.1f}", aside)
    console.print(shown)
    for table in report.tables.values():
        if table.fault:
            console.print(f"[bold red]{table.key} failed:[/] {table.fault}", highlight=False)
    skipped = [table.key for table in report.tables.values() if table.state == "skipped"]
    if skipped:
        console.print(f"Not built, because they depend on what failed: {', '.join(skipped)}. They keep their old rows.")
    if quarantined:
        console.print("Rows set aside, with the reason: c360 show quarantine")
    if "order_lines" in report.tables and report.success:
        for line in accounting(deployment):
            console.print(line)


def accounting(deployment: Deployment) -> list[str]:
    """Where every order line of the source went, in words; nothing where there are none."""
    lake, contracts = deployment.lake, deployment.contracts
    arrived = int(lake.read(contracts["sources/order_line_item"]).count().execute())
    if not arrived:
        return []
    lines = lake.read(contracts["order_lines"])
    is_known = lines.customer_id.notnull()
    kinds = lines.agg(
        sales=((lines.line_kind == "sale") & is_known).sum(),
        anonymous=((lines.line_kind == "sale") & ~is_known).sum(),
        returns=(lines.line_kind == "return").sum(),
        other=(lines.line_kind == "other").sum(),
        without_customer=(~is_known).sum(),
        all_lines=lines.count(),
        value=lines.line_amount.sum(where=(lines.line_kind == "sale") & is_known),
    ).execute().iloc[0]  # fmt: skip
    currency = deployment.settings.currency
    waiting = arrived - int(kinds.all_lines)
    return [
        f"Order lines: {arrived:,} arrived = {kinds.sales:,} sold to known customers ({_money(kinds.value)} {currency})"
        f" + {kinds.anonymous:,} sold anonymously + {kinds.returns:,} returned + {kinds.other:,} cancelled, adjusted or"
        f" without price + {waiting:,} later than as_of or without their order.",
        f"{kinds.without_customer:,} lines have no customer; they count as sales, but in nobody's profile.",
    ]


def _money(value: Decimal | None) -> str:
    """All the digits there are, and no more zeros than cents need."""
    exact = (value or Decimal(0)).normalize()
    return f"{exact:,.2f}" if exact.as_tuple().exponent > -2 else f"{exact:,f}"


def human_size(count: int) -> str:
    """Bytes as people read them."""
    size, units = float(count), ["B", "KB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:,.0f} {units[0]}" if units[0] == "B" else f"{size:,.1f} {units[0]}"
