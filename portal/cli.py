"""The command line: `c360`."""

import atexit
import gc
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

import governance
from governance.errors import C360Error
from portal import printing
from resources.garbage import collect_seldom
from resources.replacing import replacing

# Commands that write, and options by which others do: these name the deployment whoever reads the output.
WRITING = ("run", "ui", "profile", "notify", "doctor", "purge", "rollback", "promote", "erase", "export-person")
WRITING_OPTIONS = ("target", "picture", "acknowledge", "mute")
# Told by click itself, or nothing to tell of, as where whoever reads our output has read enough.
CLICKS = (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)
out = printing.Screen()
err = printing.Screen(stderr=True)

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Deployment file. Default: $C360_CONFIG, else c360.yaml in this folder, else the sample company.",
)


def _target_option(what: str) -> Callable[..., Any]:
    """The option by which a command writes to a file."""
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option("--out", "target", type=kind, help=what)


def _tables(ctx: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """Names of tables that begin like this, for the completion of a shell."""
    upstream = "+" if begun.startswith("+") else ""
    return [f"{upstream}{key}" for key in _keys() if key.startswith(begun.removeprefix("+"))]


def _datasets(ctx: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """Names of datasets that begin like this."""
    names = [key.removeprefix("sources/") for key in _keys() if key.startswith("sources/")]
    return [name for name in names if name.startswith(begun)]


def _keys() -> list[str]:
    # Read off the names of files: a shell that waits for a word waits for no library.
    files = Path(governance.__file__).parent.glob("contracts/*/*.odcs.yaml")
    names = [(file.parent.name, file.name.removesuffix(".odcs.yaml")) for file in files]
    return sorted(f"sources/{name}" if layer == "sources" else name for layer, name in names)


class _Commands(click.Group):
    """Errors a user can mend are shown as one paragraph; the stack trace only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CLICKS:
            raise
        except Exception as fault:
            if ctx.params.get("debug"):
                raise
            # What libraries say may quote a value.
            unexpected = f"Unexpected fault ({type(fault).__name__}). To see where, write `c360 --debug` for `c360`."
            message = str(fault) if isinstance(fault, C360Error) else unexpected
            err.error(message)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the stack trace of an error.")
@click.version_option(package_name="customer-360")
def main(debug: bool) -> None:
    """Customer 360: one trusted profile of every customer, from a retailer's own systems.

    \b
    Example:
      c360 run                          build every table of the deployment
      c360 show customer_360 --limit 5  look at the result
    """
    printing.print_anywhere()
    collect_seldom()
    # As it ends, Python looks for garbage among all that was imported, for longer than it takes to show a table.
    atexit.register(gc.freeze)


def _advised(config: Path | None, text: str) -> str:
    """A text whose advice to use a command names the deployment file that this one was given."""
    if config is None:
        return text
    named = "|".join(name for name, command in main.commands.items() if _takes_config(command))
    return re.sub(
        rf"\bc360 ({named})\b(?! --config)", lambda found: f"{found[0]} --config {shlex.quote(str(config))}", text
    )


def _takes_config(command: click.Command) -> bool:
    """Whether a command, or those below it, takes --config."""
    if isinstance(command, click.Group):
        return any(map(_takes_config, command.commands.values()))
    return any(parameter.name == "config" for parameter in command.params)


def _with_deployment(command: Callable[..., None]) -> Callable[..., None]:
    """Hands a command the deployment that --config names, and closes it afterwards.

    Which one it is stands first on standard error; where only rows are piped on, nothing does.
    """

    @config_option
    @wraps(command)
    def with_deployment(config: Path | None, **options: Any) -> None:
        from resources import deployment as deployments

        out.hint = err.hint = partial(_advised, config)
        deployment = deployments.load(config)
        os.environ[deployments.CONFIG_VARIABLE] = str(deployment.file)
        writes = click.get_current_context().command.name in WRITING or any(map(options.get, WRITING_OPTIONS))
        if writes or sys.stdout.isatty():
            err.print(Text.assemble((deployment.settings.name, "bold"), f" ({deployment.file})"), soft_wrap=True)
        try:
            command(deployment, **options)
        except (C360Error, *CLICKS):
            raise
        except Exception as fault:  # libraries tell of a full disk or a damaged file by errors of any kind
            from resources.explaining import explained

            if (message := explained(deployment, str(fault))) is None:
                raise
            raise C360Error(message) from fault
        finally:
            deployment.close()

    return with_deployment


def _with_reader(command: Callable[..., None]) -> Callable[..., None]:
    """Hands a command whoever uses it, as a reader of the deployment that --config names."""

    @click.option(
        "--as", "role", metavar="ROLE", help="See what this role sees, where that is no more than your own does."
    )
    @click.option("--purpose", metavar="PURPOSE", help="What the rows are for, such as marketing.")
    @_with_deployment
    @wraps(command)
    def with_reader(deployment: Any, role: str | None, purpose: str | None, **options: Any) -> None:
        from dataclasses import replace

        from resources.reader import this_user

        reader = this_user(deployment)
        reader = reader.seen_as(role) if role else reader
        command(replace(reader, purpose=purpose) if purpose else reader, **options)

    return with_reader


@main.command()
@click.option(
    "--select",
    "selection",
    multiple=True,
    metavar="TABLE",
    shell_complete=_tables,
    help="Build this table only; +TABLE: with all upstream. Repeatable.",
)
@click.option(
    "--as-of",
    "as_of",
    metavar="TIMESTAMP",
    help="Analyse as of this moment, by the shop's clock; a date means its end. Default: newest event.",
)
@click.option("--whole", is_flag=True, help="Load sources as a whole, not only what changed in them.")
@click.option(
    "--accept-fewer",
    "shrunk",
    multiple=True,
    metavar="DATASET",
    help="Take this dataset as it comes, however many rows fewer than are held. Repeatable.",
)
@_with_deployment
@click.pass_context
def run(
    ctx: click.Context,
    deployment: Any,
    selection: tuple[str, ...],
    as_of: str | None,
    whole: bool,
    shrunk: tuple[str, ...],
) -> None:
    """Load the sources and build the tables.

    \b
    Example:
      c360 run --config examples/online_retail/c360.yaml --as-of 2011-06-30
      c360 run --select +rfm
      c360 run --accept-fewer orders     where a load was refused because it brought too few rows, and they are right
    """
    from portal.runs.progress import ProgressLine
    from resources.run_lock import at_work

    if other := at_work(deployment):
        err.print(f"Waits for {other} to end. Ctrl-C leaves it alone.")
    with ProgressLine() as progress:
        # Takes seconds, in which the line moves already.
        from portal.runs import running

        moment = running.moment(as_of, deployment.settings.clock) if as_of else None
        tags = running.accepting(deployment, shrunk)
        report = running.run(deployment, selection, moment, progress.notice, whole, progress.expect, tags)
    from portal.runs.summary import print_summary

    if not print_summary(out, deployment, report, debug=ctx.parent.params["debug"] if ctx.parent else False):
        ctx.exit(1)


@main.command()
@click.argument("dataset", required=False, shell_complete=_tables)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_with_deployment
def quality(deployment: Any, dataset: str | None, kind: str) -> None:
    """Show the quality scores, their trend and the rules behind them.

    \b
    Example:
      c360 quality                        the score of every table
      c360 quality customer               the rules behind one
      c360 quality orders --format json   the same for programs
    """
    from portal.reports.quality import show as show_quality

    show_quality(deployment, dataset, kind, out)


@main.command()
@_with_deployment
def tables(deployment: Any) -> None:
    """List the tables with their size and what one row of each is.

    \b
    Example:
      c360 tables
    """
    from portal.reports.showing import listing

    out.print(listing(deployment))


@main.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("c360.yaml"),
    show_default=True,
    help="Write the proposal to this file, which must not be there.",
)
def init(paths: tuple[Path, ...], target: Path) -> None:
    """Look at files, or at all in a folder, and propose a deployment file for them.

    Says which dataset each file is, how to read it (encoding, delimiter, dates, decimals, sheet), and which of its
    columns goes where, with how sure that is. What is a guess is marked `# doubtful`. No value is shown or written.

    \b
    Example:
      c360 init exports/                                 propose c360.yaml for all files of a folder
      c360 init orders.csv customers.xlsx --output shop/c360.yaml
      c360 try orders --config shop/c360.yaml            see what becomes of the rows
    """
    from portal.mapping.initialising import initialise

    initialise(paths, target, out)


@main.command()
@click.argument("dataset", shell_complete=_tables)
@_with_deployment
def contract(deployment: Any, dataset: str) -> None:
    """Show what a dataset or table may hold: its columns, their types, and what they mean.

    \b
    Example:
      c360 contract orders
    """
    from portal.mapping.trying import show_contract

    show_contract(deployment, dataset, out)


@main.command("try")
@click.argument("feed", shell_complete=_datasets)
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, help="Show at most this many rows.")
@_with_reader
def try_(reader: Any, feed: str, limit: int) -> None:
    """Load a feed and build nothing: rows read, kept and set aside, the first of them, and whether references match.

    \b
    Example:
      c360 try orders --config examples/online_retail/c360.yaml
    """
    from portal.mapping.trying import try_feed

    try_feed(reader, feed, limit, out)


@main.command()
@click.argument("table", shell_complete=_tables)
@click.option("--limit", type=click.IntRange(min=0), help="At most this many rows. Default: 20 as a table, else all.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
)
@_target_option("Write to this file instead of the terminal.")
@_with_reader
def show(reader: Any, table: str, limit: int | None, kind: str, target: Path | None) -> None:
    """Show rows of a table, in the order of its key, as your role may see them (c360 policy).

    \b
    Example:
      c360 show customer_segments --limit 10
      c360 show customers --as marketing  what marketing sees of customers
      c360 show customer_segments --format parquet --out customer_segments.parquet
      c360 show quarantine                the rows set aside, counted by reason first
    """
    from portal.reports.showing import amounts, anonymity_told, rows_leaving, rows_of, write

    if table == "quarantine" and kind == "table" and target is None:
        from portal.reports.quarantine import show_counts

        reader.view(table)
        if not show_counts(reader.deployment, None, None, out):
            return
    limit = 20 if limit is None and kind == "table" else limit
    if target or kind != "table":  # what programs read is as good as a file
        rows, report = rows_leaving(reader, table, limit)
        if report:
            err.print(anonymity_told(report))
    else:
        rows = rows_of(reader, table, limit)
    if kind == "parquet" and target is None and sys.stdout.isatty():
        raise C360Error("Parquet is not for reading on a terminal. Name a file with --out, or pipe the output.")
    write(rows, kind, target, out, amounts(reader.view(table), reader.deployment.settings.currency))


@main.command()
@click.option("--dataset", metavar="NAME", help="Of this dataset alone.")
@click.option("--reason", metavar="TEXT", help="With this text in the reason alone.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Show so many rows, masked, with key and reason."
)
@click.option(
    "--export",
    "exported",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Write the rows as they were read, to be corrected. The file holds personal values.",
)
@click.option(
    "--reload",
    "reloaded",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.csv",
    help="Load the rows that were corrected in such a file.",
)
@_with_reader
@click.pass_context
def quarantine(
    ctx: click.Context,
    reader: Any,
    dataset: str | None,
    reason: str | None,
    sample: int | None,
    exported: Path | None,
    reloaded: Path | None,
) -> None:
    """Show the rows set aside at loading, counted by dataset and reason; correct them and load them again.

    \b
    Example:
      c360 quarantine
      c360 quarantine --dataset orders --reason total_amount --sample 5
      c360 quarantine --dataset orders --export to_correct.csv
      c360 quarantine --dataset orders --reload to_correct.csv
    """
    from portal.reports import quarantine as desk

    if exported and reloaded:
        raise C360Error("--export writes a file and --reload reads it: name one of them.")
    if exported:
        desk.export(reader, dataset, reason, exported, out)
    elif reloaded:
        if not desk.reload(reader.deployment, dataset, reloaded, out):
            ctx.exit(1)
    elif desk.show_counts(reader.deployment, dataset, reason, out) and sample:
        desk.show_sample(reader.deployment, dataset, reason, sample, out)


@main.command()
@click.argument("table", shell_complete=_tables)
@_target_option("Write the page to this file. Default: TABLE.html in this folder.")
@_with_reader
def profile(reader: Any, table: str, target: Path | None) -> None:
    """Explore a table: each column by itself, and how columns go together. No personal value is shown.

    Prints a line per column, and writes an HTML page with pictures that needs no network.

    \b
    Example:
      c360 profile customer_360
      c360 profile sources/orders --out orders.html
    """
    from portal.reports import profile_page, profiling

    found = profiling.profile_of(reader, table)
    target = target or Path(f"{table.replace('/', '-')}.html")
    with replacing(target) as fresh:
        fresh.write_text(profile_page.page(found, reader.deployment.settings.name), encoding="utf-8")
    profile_page.print_summary(found, out)
    out.print(f"Pictures and more: {target}", soft_wrap=True)


class _Models(click.Group):
    """Without a word the models are listed; the name of one shows its card."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] == ["--config"]:  # which stands behind the word elsewhere
            args = [*args[2:], *args[:2]]
        if args[:1] in (["-h"], ["--help"]):
            return super().parse_args(ctx, args)
        if not args or args[0].startswith("-"):
            args = ["list", *args]
        elif args[0] not in self.commands:
            args = ["card", *args]
        return super().parse_args(ctx, args)


@main.group(cls=_Models)
def models() -> None:
    """List the models, show one, decide which version of it scores.

    A model is trained anew every week. What is new scores if it does better than every baseline, and no worse than
    what scored before, on customers it had not seen; a person may decide otherwise.

    \b
    Example:
      c360 models                        which way was chosen for what, and why
      c360 models churn                  the card, as churn.html
      c360 models versions churn         the versions that are kept, with their figures
      c360 models promote churn "logistic regression" --because "an auditor must be able to read it"
      c360 models rollback churn         go back to the version before
    """


@models.command("list")
@_with_deployment
def list_models(deployment: Any) -> None:
    """List the models, with how well they do on what they had not seen.

    \b
    Example:
      c360 models list
    """
    from portal.reports import models as known

    out.print(known.listing(deployment))


@models.command()
@click.argument("name")
@_target_option("Write the card of the model to this file. Default: NAME.html in this folder.")
@_with_deployment
def card(deployment: Any, name: str, target: Path | None) -> None:
    """Write the card of a model: an HTML page that needs no network.

    It tells what the model says of whom, every way that was tried with its figures beside the baselines, pictures,
    limits, and when not to use it.

    \b
    Example:
      c360 models card churn
      c360 models churn --out card.html
    """
    from portal.reports import model_card
    from portal.reports import models as known

    model = known.named(name)
    target = target or Path(f"{name}.html")
    with replacing(target) as fresh:
        fresh.write_text(model_card.page(deployment, model), encoding="utf-8")
    out.print(f"The card of the model: {target}", soft_wrap=True)


@models.command()
@click.argument("name")
@_with_deployment
def versions(deployment: Any, name: str) -> None:
    """List the versions of a model that are kept, with their figures, the present one first.

    \b
    Example:
      c360 models versions churn
    """
    from portal.reports import models as known
    from portal.upkeep import promoting

    out.print(promoting.listing(deployment, known.named(name)))


@models.command()
@click.argument("name")
@click.argument("candidate")
@click.option("--because", required=True, metavar="WHY", help="Why; it stands in the table, the list and the card.")
@_with_deployment
def promote(deployment: Any, name: str, candidate: str, because: str) -> None:
    """Let a candidate score customers, also when it is trained anew, until that is rolled back.

    \b
    Example:
      c360 models promote churn "logistic regression" --because "an auditor must be able to read it"
    """
    from portal.reports import models as known
    from portal.upkeep import promoting

    promoting.promote(deployment, known.named(name), candidate, because, out)


@models.command("rollback")
@click.argument("name")
@_with_deployment
def roll_model_back(deployment: Any, name: str) -> None:
    """Go back to the version of a model before the last training or promotion.

    \b
    Example:
      c360 models rollback churn
    """
    from portal.reports import models as known
    from portal.upkeep import promoting

    promoting.roll_back(deployment, known.named(name), out)


@main.command()
@click.option(
    "--of",
    "name",
    metavar="SEGMENTATION",
    default="engagement_level",
    show_default=True,
    help="Which segmentation, such as persona, audience or cluster.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw it into this file, .png or .svg, instead.",
)
@_with_reader
def segments(reader: Any, name: str, picture: Path | None) -> None:
    """Show who is in each segment, how they differ from all customers, what to do and what to beware of.

    \b
    Example:
      c360 segments
      c360 segments --of persona
      c360 segments --of lifecycle_stage --picture lifecycle.png
    """
    from portal.reports import segment_picture
    from portal.reports import segments as desk

    shown = desk.segmentation(reader, name)
    if picture:
        segment_picture.write(shown, picture)
        out.print(f"Drawn: {picture}", soft_wrap=True)
    else:
        desk.print_summary(shown, out)


@main.command()
@click.option("--customers", type=click.IntRange(min=1), default=5000, show_default=True, help="How many customers.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="The same seed gives the same company.",
)
@click.option(
    "--out",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to.",
)
def sample(customers: int, seed: int, target: Path) -> None:
    """Generate the sample company: synthetic customers, all datasets, and the truth behind them.

    \b
    Example:
      c360 sample --customers 100000 --seed 1 --out /tmp/company
    """
    from examples.company.generator import generate

    rows = generate(target, customers, seed)
    shown = Table(title=f"Sample company in {target}", title_justify="left")
    shown.add_column("table")
    shown.add_column("rows", justify="right")
    for name, count in rows.items():
        shown.add_row(name, f"{count:,}")
    out.print(shown)


@main.command()
@click.option(
    "--format", "kind", type=click.Choice(["markdown", "html", "odps"]), default="markdown", show_default=True
)
@_target_option("Write it to this file instead.")
@_with_deployment
def spec(deployment: Any, kind: str, target: Path | None) -> None:
    """Write the data product's spec sheet: what it is for, its tables, quality, roles, schedules and limits.

    \b
    Example:
      c360 spec --format html --out spec.html
      c360 spec --format odps --out customer-360.odps.yaml   as the Open Data Product Standard has it
    """
    from governance import product
    from portal.reports import spec as desk

    written = {"markdown": desk.markdown, "html": desk.page, "odps": desk.odps}[kind](deployment, product.load())
    if target is None:
        click.echo(written, nl=False)
        return
    with replacing(target) as fresh:
        fresh.write_text(written, encoding="utf-8")
    out.print(f"Written: {target}", soft_wrap=True)


@main.command("policy")
@click.option("--for", "role", metavar="ROLE", help="Table by table what this role may read.")
@click.option("--explain", "place", metavar="TABLE.COLUMN", help="Why each role sees this column as it does.")
@_with_deployment
def policy_(deployment: Any, role: str | None, place: str | None) -> None:
    """Show who sees what: every column that says something of a person, by role.

    \b
    Example:
      c360 policy
      c360 policy --for marketing
      c360 policy --explain customers.age
    """
    from portal.reports import policy as desk
    from resources.reader import this_user

    reader = this_user(deployment)
    if place:
        desk.explain(reader, place, out)
    elif role:
        out.print(desk.of_role(reader.policy, deployment.contracts, role))
    else:
        out.print(desk.matrix(reader.policy, deployment.contracts, deployment.settings.name))
    out.print(f"You are {reader.identity.subject}, {reader.role} (by {reader.identity.basis}).")


@main.command()
@click.argument("subject")
@click.argument("role")
@click.option(
    "--team", "teams", multiple=True, metavar="NAME", help="A team whose tables are its own; may be repeated."
)
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="For how long.")
@_with_deployment
def grant(deployment: Any, subject: str, role: str, teams: tuple[str, ...], days: int) -> None:
    """Sign a token by which somebody has a role, and print it. They set it as C360_TOKEN.

    \b
    Example:
      c360 grant ann@example.com marketing --days 7
      c360 grant li@example.com data_producer --team order-desk
    """
    from datetime import UTC, datetime, timedelta

    from resources.access import Grant
    from resources.reader import this_user

    until = datetime.now(UTC) + timedelta(days=days)
    token = this_user(deployment).grant(subject, Grant(role=role, teams=teams), until)
    err.print(f"{subject} is {role} until {until:%Y-%m-%d %H:%M} UTC. The token is a secret:")
    click.echo(token)


@main.command()
@click.option("--overlaps", is_flag=True, help="List the rules that overlap, too.")
@_with_deployment
def lint(deployment: Any, overlaps: bool) -> None:
    """Check all that can be checked without building: deployment file, feeds, contracts, definitions, rules.

    The SELECT of every feed is held against the columns of its source, and every quality rule against those of its
    table. Rules of segments and of actions that can never hold are faults; --overlaps lists those between which only
    precedence decides.

    \b
    Example:
      c360 lint --config examples/online_retail/c360.yaml
    """
    from portal.mapping import linting

    if faults := linting.faults(deployment):
        raise C360Error("\n".join(faults))
    rules, actions, policy = deployment.rules(), deployment.actions(), deployment.policy()
    found = linting.findings(deployment)
    notes = [f"{file}: {finding}." for file, finding in found if finding.kind == "gap" or overlaps]
    for note in (*linting.not_assessed(deployment), *notes):
        out.print(note, soft_wrap=True)
    crossing = sum(finding.kind == "overlap" for _, finding in found)
    out.print(
        f"{deployment.file.name}: {len(deployment.feeds)} feeds. {len(deployment.contracts)} contracts."
        f" Segment rules version {rules.full_version}: {sum(len(one.rules) for one in rules.listed)} rules."
        f" Rules of actions version {actions.full_version}: {len(actions.rules)} rules."
        f" Policy version {policy.version}: {len(policy.roles)} roles."
        f" {crossing} overlaps settled by precedence. All is well."
    )


@main.command()
@click.option("--repair", is_flag=True, help="Put back what is damaged: each table on its newest whole rows.")
@click.option("--deep", is_flag=True, help="Read every byte of every table, too: finds a single bit that turned over.")
@_with_deployment
@click.pass_context
def doctor(ctx: click.Context, deployment: Any, repair: bool, deep: bool) -> None:
    """Examine all that the deployment keeps: files, catalog, scores, Dagster's history, disk and clock.

    Nothing is deleted: what is damaged and cannot be put back is moved aside.

    \b
    Example:
      c360 doctor            is everything there?
      c360 doctor --repair   put back what is not
    """
    from portal.upkeep import doctor as surgery

    if not surgery.report(deployment, out, deep, repair):
        ctx.exit(1)


@main.command()
@click.option("--to", "moment", required=True, metavar="TIMESTAMP", help="Forget what was seen after this moment.")
@click.option("--yes", is_flag=True, help="Do it; else only say what would go.")
@_with_deployment
def rollback(deployment: Any, moment: str, yes: bool) -> None:
    """Roll the history of customers back, where a wrong moment closed it to all that came later.

    \b
    Example:
      c360 rollback --to 2026-06-30         what would be forgotten
      c360 rollback --to 2026-06-30 --yes
    """
    from portal.runs import running
    from portal.upkeep import rolling_back

    rolling_back.roll_back(deployment, running.moment(moment, deployment.settings.clock), yes, out)


@main.command()
@_with_deployment
def purge(deployment: Any) -> None:
    """Delete what killed runs left behind, once it is a day old: files no table knows, scratch folders.

    \b
    Example:
      c360 purge
    """
    from resources import litter

    out.print(str(litter.purge(deployment)))


def _customer(ctx: click.Context, param: click.Parameter, given: str) -> str:
    """An ID; `-` reads it from standard input, by which no list of processes or history of a shell shows it."""
    key = (sys.stdin.readline() if given == "-" else given).strip()
    if not key:
        raise click.BadParameter("is empty")
    return key


customer_option = click.option(
    "--customer",
    "key",
    required=True,
    metavar="ID",
    callback=_customer,
    help="The customer; - reads the ID from stdin.",
)


@main.command()
@customer_option
@click.option("--yes", "is_sure", is_flag=True, help="Do it; else only say what would go.")
@click.option(
    "--also",
    "elsewhere",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    help="Look into this file or folder, too, such as where files were exported to. Repeatable.",
)
@click.option(
    "--proof",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Write the proof to this file; it holds no value of the person.",
)
@_with_reader
def erase(reader: Any, key: str, is_sure: bool, elsewhere: tuple[Path, ...], target: Path | None) -> None:
    """Erase a customer from every table, with all earlier states of it, and prove that nothing is left.

    A keyed hash stays, by which loads leave the customer out from now on. Orders stay without the customer. Waits for a
    run that is at work; one that was interrupted is completed by doing it again.

    \b
    Example:
      c360 erase --customer C0012345                          what would go
      c360 erase --customer C0012345 --yes --proof proof.json
    """
    from portal.rights import erasing

    erasing.erase_person(reader, key, is_sure, elsewhere, target, out)


@main.command("export-person")
@click.argument("key", metavar="ID", callback=_customer)
@click.option("--format", "kind", type=click.Choice(["html", "json"]), default="html", show_default=True)
@_target_option("Write to this file. Default: person.html or person.json in this folder.")
@_with_reader
def export_person(reader: Any, key: str, kind: str, target: Path | None) -> None:
    """Write all that is held on a customer to a file: every row of every table, and what its columns mean.

    \b
    Example:
      c360 export-person C0012345
      c360 export-person C0012345 --format json --out person.json
    """
    from portal.rights import exporting

    target = target or Path(f"person.{kind}")
    rows = exporting.export(reader, key, kind, target)
    out.print(f"{rows:,} rows on the customer, to be given to nobody else: {target}", soft_wrap=True)


@main.group()
def requests() -> None:
    """Note requests of customers to be erased or told what is held on them, and see which are due.

    \b
    Example:
      c360 requests add --kind erasure --customer C0012345 --received 2026-06-01
      c360 requests list
    """


@requests.command("add")
@click.option("--kind", type=click.Choice(["access", "erasure"]), required=True, help="What the customer asks for.")
@customer_option
@click.option(
    "--received", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="When the request came. Default: today."
)
@_with_reader
def add_request(reader: Any, kind: str, key: str, received: Any) -> None:
    """Note a request; it is due within a month.

    \b
    Example:
      c360 requests add --kind access --customer C0012345
    """
    from datetime import UTC, datetime

    from portal.rights import requests as desk

    reader.must_be_able_to("erase")
    row = desk.add(reader.deployment, kind, key, (received or datetime.now(UTC)).date())
    out.print(f"Request {row['request_id']} is due on {row['due_on']}.")


@requests.command("list")
@_with_reader
def list_requests(reader: Any) -> None:
    """List the requests, those that are overdue in red.

    \b
    Example:
      c360 requests list
    """
    from datetime import UTC, datetime

    from portal.rights import requests as desk

    reader.must_be_able_to("erase")
    out.print(desk.listing(reader.deployment, datetime.now(UTC).date()))


@main.command()
@click.option("--port", type=int, default=3000, show_default=True, help="Port on 127.0.0.1.")
@_with_deployment
def ui(deployment: Any, port: int) -> None:
    """Open the Dagster UI of the deployment on 127.0.0.1; Ctrl-C stops it.

    \b
    Example:
      c360 ui --port 3001
    """
    from portal.upkeep import dagster_ui
    from resources import instance

    home = instance.home(deployment)
    deployment.close()
    sys.exit(dagster_ui.serve(home, port))


@main.command()
@click.option(
    "--customers",
    type=click.IntRange(min=100),
    multiple=True,
    help="Size of the company. Repeatable.  [default: 100000]",
)
@click.option(
    "--orders",
    type=click.IntRange(min=1000),
    multiple=True,
    help="Time the quality checks of so many orders instead. Repeatable.",
)
@click.option("--table", "only", multiple=True, help="Time this table alone. Repeatable; else all that have a twin.")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How often each side runs, in turn.",
)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--database",
    metavar="URL",
    help="Time loading of --orders out of this PostgreSQL instead, in a scratch schema.",
)
@click.option(
    "--events",
    type=click.IntRange(min=365),
    help="Time the hourly loading of a year of so many web events instead.",
)
@click.option(
    "--aged",
    type=click.IntRange(min=0),
    default=12,
    show_default=True,
    help="Write each table so many times more before it is timed; 0: a fresh lake.",
)
@click.option(
    "--writes",
    type=click.IntRange(min=20),
    help="Time writes of a table, and reads, after so many writes instead.",
)
@click.option(
    "--models",
    "modelled",
    type=click.IntRange(min=500),
    help="Time the models of so many customers instead, beside the libraries in .venv-peers (make bench-models).",
)
def bench(
    customers: tuple[int, ...],
    orders: tuple[int, ...],
    only: tuple[str, ...],
    rounds: int,
    kind: str,
    database: str | None,
    events: int | None,
    aged: int,
    writes: int | None,
    modelled: int | None,
) -> None:
    """Time our tables, our checks or our loading against the same work done by hand, in turn, with peak memory.

    \b
    Example:
      c360 bench --customers 100000 --rounds 5
      c360 bench --customers 100000 --table sessions --table funnel
      c360 bench --orders 1000000
      c360 bench --orders 1000000 --database postgresql://localhost/scratch
      c360 bench --events 50000000
      c360 bench --writes 10000
      c360 bench --models 100000 --rounds 1
    """
    from portal.benchmarks import aging as aging_benchmark
    from portal.benchmarks import checks as checks_benchmark
    from portal.benchmarks import loading as loading_benchmark
    from portal.benchmarks import models as models_benchmark
    from portal.benchmarks import tables as benchmark

    def tell(text: str) -> None:
        err.print(text, style="dim")

    if events:
        out.print(loading_benchmark.events(events, tell))
    for count in orders:
        out.print(
            loading_benchmark.orders(database, count, rounds, tell)
            if database
            else checks_benchmark.compare(count, rounds, tell)
        )
    if writes:
        out.print(aging_benchmark.writes(writes, tell))
    if modelled:
        out.print(models_benchmark.compare(modelled, rounds, only, tell))
    if (orders or events or writes or modelled) and not customers:
        return
    customers = customers or (100_000,)
    results = [benchmark.compare(count, rounds, only, tell, aged) for count in customers]
    if kind == "json":
        out.print_json(json.dumps([result.as_dict() for result in results]))
    else:
        for result in results:
            out.print(result.as_table())


@main.command()
@click.argument("dataset", required=False, shell_complete=_tables)
@click.option("--all", "everything", is_flag=True, help="Those that are resolved, too.")
@click.option("--acknowledge", metavar="RULE", help="Take up the open incident of this rule; needs --by and --reason.")
@click.option("--by", metavar="NAME", help="Who takes it up.")
@click.option("--mute", metavar="RULE", help="Tell nobody of this rule's incident; needs --until and --reason.")
@click.option("--until", metavar="DATE", help="When people are told again, by the shop's clock; a date means its end.")
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_with_deployment
def incidents(deployment: Any, dataset: str | None, everything: bool, kind: str, **change: str | None) -> None:
    """List the open incidents: rules of a table that fail. Or take one up, or mute it.

    \b
    Example:
      c360 incidents
      c360 incidents sources/orders --acknowledge key_unique --by Ann --reason "the shop repairs it"
      c360 incidents sources/orders --mute key_unique --until 2026-07-01 --reason "known, ticket 12"
    """
    from portal.reports import incidents as desk

    if any(change.values()):
        desk.change(deployment, dataset, **change)
    desk.show(deployment, dataset, everything, kind, out)


@main.command()
@_with_deployment
@click.pass_context
def notify(ctx: click.Context, deployment: Any) -> None:
    """Deliver the notifications that wait, each to the sinks of the deployment.

    \b
    Example:
      c360 notify --config examples/online_retail/c360.yaml
    """
    from portal.reports.incidents import notify as deliver

    if not deliver(deployment, out):
        ctx.exit(1)


if __name__ == "__main__":
    main()
