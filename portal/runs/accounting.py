"""Where rows went: what became of a dataset's rows in the tables made of them, and whether its references match.

Told is only what is not as it should be: that all rows are kept and all references found goes without saying.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from c360_assets.conformed.as_of import STRAY_DAYS
from c360_assets.terms.statuses import UNKNOWN, status
from governance.contract import Contract
from portal.runs.matching import Match, crowded, matches, references
from portal.runs.running import TableRun
from resources.corrections import text_of
from resources.deployment import Deployment
from resources.engine import literal, quoted
from resources.feeds import REPEATS, ROWS_THAT_TELL, advice

NOTE, WARNING, ERROR = range(3)
# How many unknown words are told.
WORDS_SHOWN = 5


@dataclass(frozen=True)
class Way:
    """Where the rows of a dataset go: the `table`, and the words for those that had come by as_of, and later.

    Where the table has a row for each that is kept, `counted` is the SQL condition of these; None where it sums them
    up. `unused` are the conditions of rows that no table takes, `anonymous` of those that are in nobody's profile.
    `is_accounted` where the summary says of each row what became of it anyway.
    """

    table: str
    by: str
    after: str
    counted: str | None = None
    is_accounted: bool = False
    unused: str | None = None
    anonymous: str | None = None


OF_NOBODY = "customer_id IS NULL"
WAYS: Mapping[str, Way] = {
    "customer": Way("customers", "known by as_of", "registered after it", counted="is_registered"),
    "orders": Way("orders", "placed by as_of", "placed after it", counted="true"),
    "order_line_item": Way("order_lines", "of an order by as_of", "after it", counted="true", is_accounted=True),
    "product": Way("products", "launched by as_of", "launched after it", counted="true"),
    "transactions": Way("transactions", "paid by as_of", "paid after it", counted="true"),
    "web_analytics": Way("sessions", "happened by as_of", "happened after it"),
    "review": Way("feedback", "written by as_of", "written after it", anonymous=OF_NOBODY),
    "survey_answer": Way("feedback", "given by as_of", "given after it", anonymous=OF_NOBODY),
    "support_ticket": Way("feedback", "opened by as_of", "opened after it", anonymous=OF_NOBODY),
    "loyalty_ledger": Way("loyalty_members", "booked by as_of", "booked after it", unused=OF_NOBODY),
    "marketing_touchpoint": Way("touches", "made by as_of", "made after it", unused=OF_NOBODY),
}


@dataclass(frozen=True)
class Finding:
    """Something about a dataset that is to be told, as a NOTE, WARNING or ERROR; an error fails the run."""

    severity: int
    text: str


@dataclass(frozen=True)
class Account:
    """The rows of a dataset: all, those `later` than as_of with the first moment of these (by the shop's clock),
    `unused`, `anonymous`.

    `kept` is what the table made of them holds of them.
    """

    contract: Contract
    way: Way | None
    rows: int
    later: int = 0
    first_later: datetime | None = None
    unused: int = 0
    anonymous: int = 0
    kept: int = 0
    matches: list[Match] = field(default_factory=list)

    @property
    def otherwise(self) -> int:
        """Rows that are missing for no reason we know."""
        return max(self.rows - self.later - self.unused - self.kept, 0)


def account(deployment: Deployment, contract: Contract, moment: datetime | None) -> Account:
    """What became of the rows of a dataset by a moment, and whom they refer to, in one query."""
    rows = deployment.lake.select(contract)
    way = WAYS.get(contract.name)
    # A dataset that was never loaded holds nothing to be referred to.
    referring = references(
        deployment, contract, lambda other: deployment.lake.select(other) if deployment.lake.head(other) else None
    )
    is_later = "false"
    if contract.event_time and moment:
        is_later = f"coalesce({quoted(contract.event_time)} > TIMESTAMP {literal(str(moment))}, false)"
    asked = [
        "count(*)",
        f"count(*) FILTER ({is_later})",
        f"min({quoted(contract.event_time)}) FILTER ({is_later})" if contract.event_time else "NULL",
        *(f"count(*) FILTER (NOT {is_later} AND {condition or 'false'})" for condition in _conditions(way)),
        _kept(deployment, way),
        *(count for reference in referring for count in reference.counts),
    ]
    ((total, later, first, unused, anonymous, kept, *counts),) = deployment.engine.query(
        f"SELECT {', '.join(asked)} FROM ({rows})"
    )
    kept = total - later - unused if kept is None else kept
    # Some of later are in the table all the same: whoever ordered is known, whatever the registration says.
    later = min(later, total - kept)
    if first:
        # What is advised is written by the shop's clock.
        first = first.replace(tzinfo=UTC).astimezone(ZoneInfo(deployment.settings.clock))
    return Account(contract, way, total, later, first, unused, anonymous, kept, matches(referring, counts))


def findings(deployment: Deployment, found: Account, is_moment_asked: bool, is_built: bool) -> list[Finding]:
    """What there is to tell of a dataset; of where its rows went only if what is made of them `is_built`.

    Rows after a moment that was asked for are left out as asked, which is told only where that leaves none.
    """
    rows = deployment.lake.select(found.contract)
    listed = [_matched(deployment, found, match) for match in found.matches if match.found < match.referring]
    listed += [
        Finding(WARNING, f"{found.contract.title}: {text}") for text in crowded(deployment.engine, found.contract, rows)
    ]
    listed += _unknown_actions(deployment, found.contract, rows)
    if found.way and found.rows and is_built:
        listed = [*_accounted(found, found.way, is_moment_asked), *listed]
    return listed


def unknown_statuses(deployment: Deployment) -> list[str]:
    """How many orders are no revenue because nothing says what their status means, and what they come to, in words."""
    lake, contracts = deployment.lake, deployment.contracts
    orders = lake.read(contracts["orders"])
    words = lake.read(contracts["sources/orders"]).select("order_id", word="order_status")
    lines = lake.read(contracts["order_lines"]).group_by("order_id").agg(amount=ibis._.net_amount.sum())
    lost = orders.filter(orders.order_status == UNKNOWN).select("order_id", "total_amount")
    lost = lost.left_join(words, "order_id").drop("order_id_right").left_join(lines, "order_id")
    return _told_unknown(lost.select("word", amount=lost.total_amount.fill_null(lost.amount)), deployment)


def unknown_statuses_loaded(deployment: Deployment, loaded: ir.Table) -> list[str]:
    """The same of orders as a feed brings them, before anything is made of them."""
    lost = loaded.filter(status(loaded.order_status) == UNKNOWN)
    return _told_unknown(lost.select(word="order_status", amount="total_amount"), deployment)


def _told_unknown(lost: ir.Table, deployment: Deployment) -> list[str]:
    """What orders of unknown status come to, and what to do, given the `word` and the `amount` of each."""
    counted = lost.group_by("word").agg(orders=lost.count(), amount=lost.amount.sum())
    found = counted.order_by(counted.orders.desc(), "word").to_pyarrow().to_pylist()
    if not found:
        return []
    shown = _listed([(_quoted(row["word"]), row["orders"]) for row in found])
    count, amounts = sum(row["orders"] for row in found), [row["amount"] for row in found if row["amount"] is not None]
    worth = f"come to {sum(amounts):,.2f} {deployment.settings.currency} and " if amounts else ""
    words = [row["word"] for row in found]
    remedies = ["Say under `status:` of feeds.orders what the words mean."] if any(words) else []
    remedies += ["Where the shop knows no status, select 'completed' as order_status."] if None in words else []
    return [f"Orders of unknown status: {count:,}, which {worth}are no revenue ({shown}). {' '.join(remedies)}"]


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    """The first words, each with how often it stands, and how many more there are."""
    shown = ", ".join(f"{count:,} {word}" for word, count in counts[:WORDS_SHOWN])
    return shown + (f", and {len(counts) - WORDS_SHOWN:,} other words" if len(counts) > WORDS_SHOWN else "")


def _quoted(word: str | None) -> str:
    return "without status" if word is None else f"'{word}'"


def much_set_aside(deployment: Deployment, tables: Iterable[TableRun]) -> list[Finding]:
    """Of each dataset of which a run set aside more rows than tolerated, why most of them were, and what to do.

    An error where at least as many are lost as are kept: then nothing that is made of them tells of the shop.
    """
    listed = []
    quarantine = deployment.lake.select(deployment.contracts["quarantine"])
    for table in tables:
        contract, count = deployment.contracts[table.key], table.kept + table.quarantined
        if table.state != "done" or 100 * table.quarantined <= contract.tolerated_loss_percent * count:
            continue
        entries = f"SELECT * FROM ({quarantine}) WHERE dataset = {literal(contract.name)}"
        ((reason, copies),) = deployment.engine.query(
            f"SELECT reason, sum(copies) FROM ({entries}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
        )
        lost = min(table.quarantined, _different_things(deployment, contract, entries))
        is_untrue = count >= ROWS_THAT_TELL and lost >= table.kept
        listed.append(
            Finding(
                ERROR if is_untrue else WARNING,
                f"{contract.title}: {table.quarantined:,} of {count:,} rows were set aside,"
                f" {'so no total made of them is true' if is_untrue else 'and every table lacks them'}."
                f" {copies:,} of them: {reason}.{advice(reason)}",
            )
        )
    return listed


def _different_things(deployment: Deployment, contract: Contract, entries: str) -> int:
    """How many rows set aside are of things that are not held in another row.

    Rows that repeat a key at one moment are earlier states of what is held, as in exports of all there is, day by day;
    at several they are things of their own. Where nothing has a moment, rows that differ at all are.
    """
    key = ", ".join(text_of("record", name) for name in contract.primary_key)
    what = text_of("record", contract.event_time) if contract.event_time else "record"
    is_repeated = f"ends_with(reason, {literal(REPEATS)})"
    repeated = f"SELECT ({key}) AS key, {what} AS what FROM ({entries}) WHERE {is_repeated}"
    ((others, things, keys),) = deployment.engine.query(
        f"SELECT (SELECT coalesce(sum(copies), 0) FROM ({entries}) WHERE NOT {is_repeated}),"
        f" count(DISTINCT (key, what)), count(DISTINCT key) FROM ({repeated})"
    )
    return int(others + things - keys)


def _unknown_actions(deployment: Deployment, contract: Contract, rows: str) -> list[Finding]:
    """How many events have an action that no table but those of sessions knows, and what they read."""
    if contract.name != "web_analytics":
        return []
    known = contract.column("event_action").values
    counted = deployment.engine.query(f"SELECT event_action, count(*) FROM ({rows}) GROUP BY 1 ORDER BY 2 DESC, 1")
    total = sum(count for _, count in counted)
    unknown = [(word, count) for word, count in counted if word not in known]
    if not unknown:
        return []
    shown = _listed([(f"'{word}'", count) for word, count in unknown])
    count = sum(count for _, count in unknown)
    text = (
        f"{contract.title}: {count:,} of {total:,} events have an action that is not known ({shown}): they are"
        f" in sessions, but no views, carts or orders. Where they are, select them as {', '.join(known)}."
    )
    return [Finding(WARNING if count == total else NOTE, text)]


def _conditions(way: Way | None) -> tuple[str | None, str | None]:
    return (way.unused, way.anonymous) if way else (None, None)


def _kept(deployment: Deployment, way: Way | None) -> str:
    if way is None or way.counted is None:
        return "NULL"
    return f"(SELECT count(*) FILTER ({way.counted}) FROM ({deployment.select(way.table)}))"


def _accounted(found: Account, way: Way, is_moment_asked: bool) -> list[Finding]:
    contract, rows = found.contract, found.rows
    parts = [f"{found.kept:,} {way.by}"]
    parts += [f"{found.later:,} {way.after}"] if found.later else []
    parts += [f"{found.unused:,} of no customer"] if found.unused else []
    parts += [f"{found.otherwise:,} not in {way.table}"] if found.otherwise else []
    listed = []
    lost = _lost(found, is_moment_asked)
    severity = _severity(found, lost)
    if found.later and contract.moves_as_of and not is_moment_asked:
        # They are strays, however few.
        severity = max(severity, WARNING)
    if (lost or not found.kept) and not (severity == NOTE and way.is_accounted):
        remedy = "" if severity == NOTE else f" {_remedy(found, way)}"
        listed.append(Finding(severity, f"{contract.title}: {rows:,} arrived = {' + '.join(parts)}.{remedy}"))
    if found.anonymous:
        listed.append(
            Finding(
                NOTE, f"{contract.title}: {found.anonymous:,} of {rows:,} are of no customer, so in nobody's profile."
            )
        )
    return listed


def _lost(found: Account, is_moment_asked: bool) -> int:
    """Rows left out that nobody asked to leave out; without a time of its own, a dataset cannot tell which were."""
    if is_moment_asked:
        return found.unused + (found.otherwise if found.contract.event_time else 0)
    return found.unused + found.otherwise + found.later


def _severity(found: Account, lost: int) -> int:
    if lost == found.rows >= ROWS_THAT_TELL:
        return ERROR
    return WARNING if 100 * lost > found.contract.tolerated_loss_percent * found.rows else NOTE


def _remedy(found: Account, way: Way) -> str:
    """What to do about the greatest loss."""
    if found.later >= max(found.unused, found.otherwise):
        time = found.contract.event_time
        moves = found.contract.moves_as_of
        why = f"more than {STRAY_DAYS} days after all others" if moves else "after the newest event"
        return (
            f"The analysis leaves out what is dated {found.first_later:%Y-%m-%d} or later: {why}. Correct {time}, or"
            " set --as-of if it is right."
        )
    if found.unused >= found.otherwise:
        return "Select customer_id in the feed: nothing is made of rows without it."
    return f"Look at what they refer to: c360 try {found.contract.name}"


def _matched(deployment: Deployment, found: Account, match: Match) -> Finding:
    sentence = f"{found.contract.title}: {match.sentence}"
    if match.found:
        return Finding(NOTE, sentence)
    values = match.values(deployment.engine, deployment.lake.select(found.contract))
    remedy = "Select both in one form, in the feeds."
    return Finding(ERROR if match.referring >= ROWS_THAT_TELL else WARNING, f"{sentence} {values} {remedy}")
