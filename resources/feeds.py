"""Feeds: from a connector's raw rows to a dataset that keeps its contract.

Every value is cast to its contract type. A row that does not fit (type, missing key, repeated key) is set aside with
the reason, its classified values masked; the rest is the dataset. Nothing is dropped silently.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from governance import privacy, subjects
from governance.contract import HOURLY, UPSERT, Column, Contract
from governance.errors import C360Error, nearest
from governance.privacy import MASK
from resources import corrections, volume
from resources.conditions import Conditions, refusal
from resources.connectors import MARK, Connector, Raw, Request, read_again, unchanged
from resources.corrections import ENTRY_ID, Corrections
from resources.databases import WATERMARK
from resources.deployment import EVERYTHING, Deployment, Feed, Settings
from resources.engine import Engine, complaint, literal, missing_column, quoted
from resources.lake import HOURS, Commit, ibis_schema
from resources.merging import Window
from resources.severing import naming_them, severed
from resources.statements import StatementError, check_select, nodes, parsed
from resources.tombstones import Tombstones
from resources.values import EITHER_WAY, GROUPED, NAIVE, Notation, Value

# The property in which a table keeps how its rows were mapped.
MAPPING = "c360.mapping"
# The property in which a table keeps in how many of its rows the last load left a cell empty that did not fit.
EMPTIED = "c360.emptied"
# What a table says of its source, which no correction changes.
OF_THE_SOURCE = (MAPPING, EMPTIED, MARK, WATERMARK, HOURS, volume.READ)
# How the reasons in the quarantine begin or end, by which the rows set aside are counted again.
BREAKS = "breaks rule "
REPEATS = ": key repeats, another row of that key is kept"
# Of the shape of a cell that could not be read, so much is shown.
LONGEST_SHAPE = 40
CONFLICTS = ": key repeats for different things, no row of that key is kept"
# What a row is of: two orders of one number that name different customers are two orders.
OWNERS = ("sources/customer", "sources/orders")
# Where a column casts nowhere, the mapping is wrong and not the rows; below this many rows nobody can tell.
ROWS_THAT_TELL = 20
# How many reasons an error gives.
REASONS_SHOWN = 3
# How DuckDB says that a column is not there.
NO_COLUMN = re.compile(
    r'(?:Referenced column|have a column named|Error: Column) "(.+)"(?: not found| in [A-Z]+ list|$)'
)
# How reasons end for which more than the select may be to blame.
NO_MOMENT, NO_NUMBER = re.compile(r" is no (TIMESTAMP|DATE)\b"), re.compile(r" is no (whole )?number\b")
OTHER_CURRENCY = "the reporting currency"
# How a select reads or computes what a text says, and leaves as it is what cannot be read, so that it is set aside.
READ_DAY = "coalesce(try_strptime(day, '%d.%m.%Y')::varchar, day)"
COMPUTED = "coalesce((try_cast(price as double) * 1.19)::varchar, price)"
# What to do where a select computes with a cell of a text file.
CAST = "Values of text files are text in the select: cast them, as in sum(price::decimal(18, 4))."
# The aggregates that choose by comparing.
EXTREMES = ("min", "max")
# How many sources are looked at together.
LOOKED_AT = 8


class FeedError(C360Error):
    """A feed whose mapping does not fit its contract."""


def rows_read(count: int, counts: Mapping[str, int]) -> str:
    """How many rows were read, in words; of several connectors how many of each, too."""
    each = ", ".join(f"{name} {rows:,}" for name, rows in counts.items())
    return f"{count:,} rows read" + (f" ({each})" if len(counts) > 1 else "")


def advice(reason: str) -> str:
    """What to do about rows that were set aside for a reason, where the reason alone does not tell."""
    if reason.endswith((REPEATS, CONFLICTS)):
        return (
            " If they are of different things, put into the key what tells them apart, such as the store, or the day"
            " where numbers begin anew: store || '-' || day || '-' || receipt."
        )
    return ""


@dataclass(frozen=True)
class Load:
    """What one feed brought: the rows that keep the contract and those that do not.

    `read_counts` says how many rows and lines were read of each connector; the mapping made `row_count` rows of them,
    `kept_count` keep the contract, and `quarantined_count` were set aside, lines that could not be split into columns
    among them; `erased_count` were left out, since they are of people who were erased. The rows are the whole dataset,
    or, where `is_part`, changed ones or those of a `window`. `properties` are what the table keeps of the load, such as
    how far the source was read; `notes` say what was passed over. `corrections` is the SELECT of those the load
    consists of; once its rows are held, what they were leaves the quarantine.
    """

    rows: ir.Table
    quarantine: ir.Table
    read_counts: Mapping[str, int]
    row_count: int
    kept_count: int
    quarantined_count: int
    origin: str
    erased_count: int = 0
    is_part: bool = False
    window: Window | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    corrections: str | None = None

    @property
    def read_count(self) -> int:
        """How many rows and lines were read of all connectors."""
        return sum(self.read_counts.values())


class Feeds:
    """The feeds of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.engine = deployment.engine

    @read_again
    def load(
        self, contract: Contract, window: Window | None = None, is_whole: bool = False, batch: str | None = None
    ) -> Load:
        """Read, map, cast and sort out one dataset; without a feed, an empty table of the contract's columns.

        All of it (so where `is_whole` is asked for), or the events of a `window`, or, where the contract says upsert
        and the feed names a `watermark`, the rows changed since the last load by the same mapping; or the corrections
        of one `batch` alone. Rows that were corrected come as they are now. ConnectorError and FeedError say what
        cannot be read or mapped; nothing is written by either. Files that change while they are read are read again.
        """
        feed = self.deployment.feeds.get(contract.name)
        if feed is None:
            empty = self.deployment.lake.empty(contract)
            return Load(empty, self._no_quarantine(), {}, 0, 0, 0, "no feed")
        if batch:
            return self._corrected(contract, batch)
        head = self.deployment.lake.head(contract)
        sorting = self._sorting(contract, self._requests(contract, None if is_whole else head, window), window)
        load, raws, is_part = self._loaded(sorting), sorting.raws, sorting.is_part
        empty_ones = [raws[name].origin for name, count in load.read_counts.items() if not (count and load.row_count)]
        if empty_ones and not (is_part or feed.may_be_empty) and head and head.rows:
            raise FeedError(
                f"Feed {contract.name} ({' + '.join(empty_ones)}): the source is empty, while {head.rows:,} rows of it"
                " are held, which stay. If that is right, set `may_be_empty: true` for the feed in c360.yaml."
            )
        properties = {MAPPING: self._mapping(contract), **load.properties, **_reached(raws.values())}
        if not is_part:
            read = volume.read_of(raws, load.read_counts, self.deployment.folder)
            properties[volume.READ] = json.dumps(read)
            if head and load.kept_count < head.rows:
                before = json.loads(head.properties.get(volume.READ, "{}"))
                load = replace(load, notes=[*load.notes, *volume.gone(before, read)])
        return replace(load, is_part=is_part, window=window, properties=properties)

    def faults(self, contracts: Iterable[Contract]) -> list[str]:
        """All that is wrong with the feeds of these datasets, as far as their sources' columns tell: one text a fault.

        Nothing is written, and of most sources no row is read.
        """
        engines = [(contract, self.engine.sibling()) for contract in contracts]
        with ThreadPoolExecutor(LOOKED_AT) as pool:
            found = [*pool.map(lambda one: self._looked_at(*one), engines)]
        # Where several feeds read one source, what is wrong with it is said once.
        feeds: dict[str, list[str]] = {}
        for (contract, _), faults in zip(engines, found, strict=True):
            for fault in faults:
                feeds.setdefault(fault, []).append(contract.name)
        return [
            fault if fault.startswith("Feed ") else f"Feed{'s'[: len(names) - 1]} {', '.join(names)}: {fault}"
            for fault, names in feeds.items()
        ]

    def _looked_at(self, contract: Contract, engine: Engine) -> list[str]:
        """What is wrong with the sources of a dataset's feed, else with its mapping."""
        try:
            feed = self._checked(contract, engine)
        except C360Error as fault:
            return [str(fault)]
        raws: dict[str, Raw] = {}
        faults = []
        for request in self._requests(contract, None):
            try:
                raws[request.name] = read_again(self._connector(request).look)(request, engine)
            except C360Error as fault:
                faults.append(str(fault))
        if faults:
            return faults
        try:
            _Sorting(engine, contract, raws, feed, None, self.deployment.settings).check()
        except C360Error as fault:
            return [str(fault)]
        return []

    @property
    def corrections(self) -> Corrections:
        """The rows that were put right."""
        return Corrections(self.deployment.lake, self.engine, self.deployment.contracts["corrections"])

    @property
    def _tombstones(self) -> Tombstones | None:
        """The tombstones; None where nobody was ever erased."""
        found = Tombstones(self.deployment)
        return found if found.are_there else None

    def comes_in_part(self, contract: Contract) -> bool:
        """Whether rows that are held stay although the source does not bring them again."""
        requests = self._requests(contract, self.deployment.lake.head(contract))
        return contract.loading == HOURLY or any(request.since is not None for request in requests)

    @read_again
    def set_aside(self, contract: Contract) -> tuple[str, Mapping[str, str]]:
        """The rows that a load of the whole dataset sets aside, as the mapping gives them and not masked.

        They are a SELECT, each row once, with `corrections.MARKS` and every value as text; with it come the names and
        types of the columns that the mapping gives. Lines that could not be split into columns are no rows.
        """
        return self._sorting(contract, self._requests(contract, None)).as_given()

    @read_again
    def given(self, contract: Contract) -> Mapping[str, str]:
        """Names and types of the columns that the mapping gives. FeedError where they do not match the contract."""
        return self._glance(contract).given

    def _checked(self, contract: Contract, engine: Engine) -> Feed:
        """The dataset's feed; FeedError where its select is no SELECT, or reaches for more than the connectors."""
        feed = self.deployment.feeds[contract.name]
        try:
            check_select(engine, feed.select, feed.views)
        except StatementError as fault:
            raise FeedError(
                f"Feed {contract.name}: the select {fault}. It is one SELECT over the rows of {', '.join(feed.views)};"
                " for another file, name the file as a connector: in `connectors`, and in the feed's `from`."
                " Correct it in c360.yaml."
            ) from None
        return feed

    def _sorting(self, contract: Contract, requests: Sequence[Request], window: Window | None = None) -> "_Sorting":
        feed = self._checked(contract, self.engine)
        raws = {request.name: self._connector(request).read(request, self.engine) for request in requests}
        return _Sorting(
            self.engine,
            contract,
            raws,
            feed,
            window,
            self.deployment.settings,
            corrected=self.corrections.of(contract.name),
            tombstones=self._tombstones,
            is_part=window is not None or any(request.since is not None for request in requests),
        )

    def _loaded(self, sorting: "_Sorting") -> Load:
        """What the sorting loads; SourceChanged where files that it read are others afterwards."""
        with ExitStack() as reading:
            for raw in sorting.raws.values():
                reading.enter_context(unchanged(raw.files, f"Feed {sorting.contract.name} ({raw.origin})"))
            return sorting.load()

    def _glance(self, contract: Contract) -> "_Sorting":
        """As few rows as tell the columns that the mapping gives."""
        head = self.deployment.lake.head(contract)
        window = None
        if contract.loading == HOURLY and head and head.watermark:
            start = datetime.fromisoformat(head.watermark).replace(minute=0, second=0, microsecond=0)
            window = Window(start, start + timedelta(hours=1))
        return self._sorting(contract, self._requests(contract, head, window), window)

    def _corrected(self, contract: Contract, batch: str) -> Load:
        """The corrections of one batch as a part; what the table says of its source stays as it is."""
        found, head = self.corrections.of(contract.name, batch), self.deployment.lake.head(contract)
        if found is None or head is None:
            raise FeedError(f"Feed {contract.name}: there are no corrections {batch}, or nothing was loaded before.")
        # Of hours that are long gone, the source says nothing; else it may have put a row right itself.
        is_upsert = contract.loading == UPSERT
        known = self._sorting(contract, self._requests(contract, None)) if is_upsert else self._glance(contract)
        raws = {name: replace(raw, broken=[], notes=(), reached={}) for name, raw in known.raws.items()}
        meant, notes = known.still_meant(found) if is_upsert else (found, [])
        rows = corrections.as_mapped(known.given, meant)
        feed = self.deployment.feeds[contract.name].model_copy(update={"select": rows})
        settings = self.deployment.settings
        tombstones = self._tombstones
        sorting = _Sorting(self.engine, contract, raws, feed, None, settings, tombstones=tombstones, is_judged=False)
        load = self._loaded(sorting)
        kept = {name: head.properties[name] for name in OF_THE_SOURCE if name in head.properties}
        return replace(load, is_part=True, properties=kept, corrections=found, notes=[*notes, *load.notes])

    def _requests(self, contract: Contract, head: Commit | None, window: Window | None = None) -> list[Request]:
        """What the dataset's feed asks of each of its connectors, given what was loaded before.

        Of several all is asked: a row of some hours may go with rows of another connector that are of others.
        """
        feed = self.deployment.feeds[contract.name]
        is_upsert = contract.loading == UPSERT and feed.watermark is not None
        known = head.properties if head and is_upsert else {}
        # Rows mapped otherwise would lie beside those that change now.
        is_same = known.get(MAPPING) == self._mapping(contract)
        return [
            Request(
                name=name,
                dataset=contract.name,
                folder=self.deployment.folder,
                table=feed.table_of(name),
                watermark=feed.watermark if is_upsert or window else None,
                overlap=feed.overlap,
                since=known.get(WATERMARK) if is_same else None,
                window=window if len(feed.connectors) == 1 else None,
            )
            for name in feed.connectors
        ]

    def _connector(self, request: Request) -> Connector:
        return self.deployment.settings.connectors[request.name]

    @read_again
    def has_news(self, contract: Contract) -> bool:
        """Whether the source may hold something that was not loaded; cheap enough to be asked every few seconds."""
        head = self.deployment.lake.head(contract)
        if head is None or head.properties.get(MAPPING) != self._mapping(contract):
            return True
        marks = [self._connector(request).mark(request) for request in self._requests(contract, head)]
        return " ".join(marks) != head.properties.get(MARK)

    def quarantine(self, contract: Contract, load: Load, properties: dict[str, str]) -> Commit | None:
        """Keep the dataset's rows in the quarantine table, in place of those of the last load of the whole dataset.

        Nothing happens where there were and are none.
        """
        if load.is_part and not load.quarantined_count:
            return None
        return self._keep_aside(contract, load, properties)

    def _keep_aside(
        self, contract: Contract, load: Load, properties: Mapping[str, str], corrected: str | None = None
    ) -> Commit | None:
        """Keep the rows set aside. Of those held, rows that were `corrected` (a SELECT) go first."""
        lake = self.deployment.lake
        table = self.deployment.contracts["quarantine"]
        held = lake.read(table).filter(ibis._.dataset == contract.name)
        if corrected:
            held = self._without(held, corrected)
        has_some = held.count().to_pyarrow().as_py() > 0
        if not (load.quarantined_count or has_some or corrected):
            return None
        rows = load.quarantine
        if load.is_part and has_some:
            # A row that stays wrong comes again with every load that overlaps; it is still one row.
            rows = rows.union(held).group_by("dataset", "source", "reason", "record").agg(copies=ibis._.copies.max())
        commit = lake.write(table, rows, properties, partition=contract.name)
        lake.publish(commit)
        return commit

    def _without(self, held: ir.Table, corrected: str) -> ir.Table:
        """The entries of a quarantine without the rows that were corrected."""
        counts = f"SELECT entry_id, sum(copies) AS fewer FROM ({corrected}) GROUP BY 1"
        left = (
            "SELECT * EXCLUDE (entry_id, fewer) REPLACE ((copies - coalesce(fewer, 0))::BIGINT AS copies)"
            f" FROM (SELECT *, {ENTRY_ID} AS entry_id FROM ({self.engine.sql_of(held)})) LEFT JOIN ({counts})"
            " USING (entry_id) WHERE copies > coalesce(fewer, 0)"
        )
        return self.engine.view("quarantine without corrected rows", left, held.schema())

    def check_volume(self, contract: Contract, load: Load, is_accepted: bool = False) -> None:
        """FeedError where a load of the whole brings far fewer rows than are held, unless that `is_accepted`."""
        head = self.deployment.lake.head(contract)
        if head is None or is_accepted or not self._should_bring_rows(contract, load):
            return
        before, now = (json.loads(known.get(volume.READ, "{}")) for known in (head.properties, load.properties))
        faults = volume.shortfalls(contract, load.kept_count + load.quarantined_count, head.rows, before, now)
        if faults:
            reasons = "; ".join([*faults, *volume.gone(before, now)])
            raise FeedError(
                f"Feed {contract.name} ({load.origin}): {reasons}. What is held stays. See that the source is whole,"
                f" such as by fetching it again. {_accepting(contract)}"
            )

    def check_enough_are_kept(self, contract: Contract, load: Load, is_accepted: bool = False) -> None:
        """FeedError where rows came, but none keeps the contract, or, unless that `is_accepted`, far fewer than are
        held: neither is a success.
        """
        if not load.read_count or not self._should_bring_rows(contract, load):
            return
        head = self.deployment.lake.head(contract)
        held = head.rows if head and not is_accepted else 0
        if load.kept_count and not volume.is_short(contract, load.kept_count, held):
            return
        reasons = load.quarantine.group_by("reason").agg(copies=ibis._.copies.sum())
        most = reasons.order_by(ibis.desc("copies"), "reason").limit(REASONS_SHOWN).to_pyarrow().to_pylist()
        why = "; ".join(f"{row['reason']} ({row['copies']:,})" for row in most)
        more = advice(most[0]["reason"]) if most else ""
        fate = f"Set aside: {why}. They are in the table quarantine." if why else "The select leaves all of them out."
        connectors = [self.deployment.settings.connectors[name] for name in load.read_counts]
        kept, remedy = "none is kept", "If no others are to be expected, set `may_be_empty: true` for the feed."
        if load.kept_count:
            kept = f"only {load.kept_count:,} would be kept, while {held:,} are held, which stay"
            remedy = _accepting(contract)
        raise FeedError(
            f"Feed {contract.name} ({load.origin}): of {load.read_count:,} rows {kept}. {fate}"
            f" {_put_right(why, connectors)}{more} {remedy}"
        )

    def _should_bring_rows(self, contract: Contract, load: Load) -> bool:
        """Whether a load replaces all rows of a dataset that never is empty."""
        feed = self.deployment.feeds.get(contract.name)
        return feed is not None and not feed.may_be_empty and not load.is_part

    def commit(self, contract: Contract, load: Load, properties: Mapping[str, str] | None = None) -> Commit:
        """Write what was loaded, or merge it where it is a part; nobody reads it until it is published."""
        lake, kept = self.deployment.lake, {**(properties or {}), **load.properties}
        if load.is_part:
            commit = lake.merge(contract, load.rows, kept, load.window)
            if load.corrections:
                # Not before: what was set aside stays so until it is held.
                self._keep_aside(contract, load, {}, load.corrections)
            return commit
        return lake.write(contract, load.rows, kept)

    def _mapping(self, contract: Contract) -> str:
        """A word for how rows of the dataset come about: the feed, the shop's clock and currency, and the contract."""
        feed, settings = self.deployment.feeds[contract.name], self.deployment.settings
        columns = [(column.name, column.type) for column in contract.columns]
        text = f"{feed.model_dump_json()} {settings.clock} {settings.currency} {contract.version} {columns}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _no_quarantine(self) -> ir.Table:
        return self.deployment.lake.empty(self.deployment.contracts["quarantine"])


class _Sorting:
    """One dataset on its way from mapped rows to rows that fit and rows that do not.

    `corrected` is the SELECT of the dataset's corrections. Who has one of the `tombstones` is left out. Unless it
    `is_judged`, rows that all fail do not stop it.
    """

    def __init__(
        self,
        engine: Engine,
        contract: Contract,
        raws: Mapping[str, Raw],
        feed: Feed,
        window: Window | None,
        settings: Settings,
        corrected: str | None = None,
        tombstones: Tombstones | None = None,
        is_part: bool = False,
        is_judged: bool = True,
    ) -> None:
        self.window = window
        self.tombstones = tombstones
        self.corrected = corrected
        self.is_part = is_part
        self.is_judged = is_judged
        self.trace = ""
        self.engine = engine
        self.contract = contract
        self.raws = raws
        self.origin = " + ".join(raw.origin for raw in raws.values())
        self.select = _without_semicolon(feed.select)
        self.identity = feed.identifiers
        self.status = feed.status
        self.currency = settings.currency
        self.connectors = [settings.connectors[name] for name in raws]
        self.has_notation = all(connector.has_notation for connector in self.connectors)
        self.timezones = {name: feed.timezone or raw.timezone or settings.clock for name, raw in raws.items()}
        self.notes = [note for raw in raws.values() for note in raw.notes]
        self.emptied_count = 0
        self.erased_count = 0
        self.mapped = self._mapped()
        self.where = f"Feed {contract.name} ({self.origin})"
        self.key = ", ".join(quoted(name) for name in contract.primary_key)
        self.columns = ", ".join(quoted(name) for name in contract.column_names)

    def _mapped(self, lacking: Sequence[str] = ()) -> str:
        """The select over a view of each connector, as if they had the columns it lacks."""
        more = "".join(f", NULL AS {quoted(name)}" for name in lacking)
        views = {name.lower(): f"SELECT *{more} FROM ({raw.sql})" for name, raw in self.raws.items()}
        if len(views) == 1:
            views["raw"] = next(iter(views.values()))
        listed = ", ".join(f"{quoted(name)} AS ({sql})" for name, sql in views.items())
        # The line break ends a comment on the last line of the select.
        return f"WITH {listed} SELECT * FROM ({self.select}\n)"

    def check(self) -> None:
        """FeedError where the mapping does not fit source and contract, which no row is needed to tell."""
        sql, _ = self._typed()
        self._run(f"DESCRIBE {sql}")

    @cached_property
    def given(self) -> dict[str, str]:
        """Names and types the mapping gives; FeedError where they do not match source and contract."""
        given, lacking = self._described()
        faults = [self._lacks(lacking)] if lacking else []
        faults += self._misfits(given) if given else []
        faults += self._compared_as_text(given)
        if faults:
            raise FeedError(f"{self.where}: {' '.join(faults)}")
        return given

    def load(self) -> Load:
        """The rows that fit, those that do not, and their counts."""
        self._correct()
        staged, row_count, unfit = self._stage()
        if self.is_judged and unfit == row_count >= ROWS_THAT_TELL:
            self._raise_if_mapping_is_wrong(staged, row_count)
        repeated = self._repeated(staged)
        first = f"SELECT {self.columns} FROM {repeated} WHERE _place = 1"
        ((surplus,),) = self.engine.query(f"SELECT count(*) FROM {repeated} WHERE _place > 1")
        kept = f"SELECT {self.columns} FROM {staged} WHERE _reason IS NULL"
        if surplus:
            kept += f" AND ({self.key}) NOT IN (SELECT ({self.key}) FROM {repeated}) UNION ALL {first}"
        return Load(
            rows=self.engine.view(f"feed of {self.contract.name}", kept, ibis_schema(self.contract)),
            quarantine=self._quarantine(staged, repeated),
            read_counts={name: self._read_count(raw, row_count) + len(raw.broken) for name, raw in self.raws.items()},
            row_count=row_count,
            kept_count=row_count - self.erased_count - unfit - surplus,
            quarantined_count=unfit + surplus + sum(len(raw.broken) for raw in self.raws.values()),
            origin=self.origin,
            erased_count=self.erased_count,
            properties={EMPTIED: str(self.emptied_count)},
            notes=self.notes,
        )

    def as_given(self) -> tuple[str, Mapping[str, str]]:
        """The rows set aside as the mapping gives them, each once, with the marks by which they are known again."""
        self.trace = f", {corrections.ROW}"
        self._correct()
        staged, *_ = self._stage()
        entry = "SELECT *, _origin AS source, _reason AS reason, _record AS record"
        aside = (
            f"SELECT {corrections.ROW}, count(*) AS {corrections.COPIES}, min({ENTRY_ID}) AS {corrections.ENTRY},"
            f" min(reason) AS {corrections.REASON} FROM ({entry} FROM ({self._aside(staged, self._repeated(staged))}))"
            " GROUP BY 1"
        )
        cells = ", ".join(f"{quoted(name)}::VARCHAR AS {quoted(name)}" for name in self.given)
        rows = f"SELECT DISTINCT {corrections.ROW}, {cells} FROM ({self.mapped})"
        columns = ", ".join(map(quoted, (*corrections.MARKS, *self.given)))
        return f"SELECT {columns} FROM ({rows}) JOIN ({aside}) USING ({corrections.ROW})", self.given

    def _correct(self) -> None:
        """Take what was corrected in place of what the mapping gives."""
        rows = corrections.traced(self.mapped, self.given)
        if self.corrected:
            if not self.is_part:  # of a part nobody can tell
                self.notes += self._told_idle(self.corrected, f"row_id NOT IN (SELECT {corrections.ROW} FROM ({rows}))")
            rows = corrections.applied(rows, self.given, self.corrected)
        if self.trace or self.corrected:
            self.mapped = rows if self.trace else f"SELECT * EXCLUDE ({corrections.ROW}) FROM ({rows})"

    def still_meant(self, corrected: str) -> tuple[str, list[str]]:
        """The SELECT of these corrections without those of rows that the source, read whole, brings otherwise by now;
        and what is to be said of these. A row that it brings no more keeps its correction: the source may be younger.
        """
        rows = corrections.traced(self.mapped, self.given)
        key = [name for name in self.contract.primary_key if name in self.given]
        here = ", ".join(f"{quoted(name)}::VARCHAR" for name in key)
        there = ", ".join(corrections.text_of("corrected_row", name) for name in key)
        is_gone = f"row_id NOT IN (SELECT {corrections.ROW} FROM ({rows}))"
        # Among keys of which one is missing, no other is surely not.
        is_idle = f"{is_gone} AND coalesce(({there}) IN (SELECT ({here}) FROM ({rows})), false)"
        return f"SELECT * FROM ({corrected}) WHERE NOT ({is_idle})", self._told_idle(corrected, is_idle)

    def _told_idle(self, corrected: str, is_idle: str) -> list[str]:
        """How many corrections found no row any more, in words; nothing where all found theirs."""
        ((idle, count),) = self._run(f"SELECT count(*) FILTER ({is_idle}), count(*) FROM ({corrected})")
        if not idle:
            return []
        return [
            f"{idle:,} of {count:,} corrections found no row as it was when it was set aside: the source brings it"
            " otherwise or no more, and the source counts"
        ]

    def _read_count(self, raw: Raw, row_count: int) -> int:
        """How many rows the source has; of some hours, those that are of them, where it is the only one."""
        if not self.is_judged or (len(self.raws) == 1 and (self.select == EVERYTHING or self.window)):
            return row_count
        ((count,),) = self.engine.query(f"SELECT count(*) FROM ({raw.sql})")
        return int(count)

    def _described(self) -> tuple[dict[str, str], list[str]]:
        """Names and types the mapping gives, and the columns it names that the source lacks.

        DuckDB tells of one such column at a time, and of the next once that is given. Nothing is given where it
        complains of something else then.
        """
        lacking: list[str] = []
        while True:
            try:
                described = self.engine.query(f"DESCRIBE {self._mapped(lacking)}")
                return {name: type_ for name, type_, *_ in described if name not in lacking}, lacking
            except duckdb.Error as fault:
                found = missing_column(fault)
                if found and found not in lacking:
                    lacking.append(found)
                    continue
                # Of the columns that are given, one may be looked for elsewhere than in the source.
                lacking = [name for name in lacking if name != found]
                if lacking:
                    return {}, lacking
                raise FeedError(f"{self.where}: {self._complaint(fault)}") from None

    def _lacks(self, lacking: Sequence[str]) -> str:
        """What is wrong with a select that names these columns."""
        known = [
            column
            for name, raw in self.raws.items()
            if self._names_any(names := self._names(name)) or not raw.doubt
            for column in names
        ]
        missing = ", ".join(f"{quoted(name)}{nearest(name, known)}" for name in lacking)
        whose = "the source has" if len(self.raws) == 1 else "the views have"
        return f"the select does not run: {whose} no column {missing}. {self._hint()} Correct it in c360.yaml."

    def _misfits(self, given: Mapping[str, str]) -> list[str]:
        """What the contract has against these columns."""
        known = self.contract.column_names
        extra = [name for name in given if name not in known]
        doubts = dict.fromkeys(raw.doubt for raw in self.raws.values() if raw.doubt)
        if doubts and len(extra) == len(given) and not self._names_any(given):
            return [
                f"none of the {len(given)} columns is in the contract. {' '.join(doubts)} Otherwise rename them in the"
                f" select. The contract's columns are {', '.join(known)}."
            ]
        missing = [column.name for column in self.contract.columns if column.required and column.name not in given]
        faults = [f"column '{name}' is not in the contract{nearest(name, known)}" for name in extra]
        faults += [f"column '{name}' is required and not selected" for name in missing]
        return [f"{'; '.join(faults)}. The contract's columns are {', '.join(known)}."] if faults else []

    def _compared_as_text(self, given: Mapping[str, str]) -> list[str]:
        """What is wrong with a first or last moment chosen among texts, which do not sort as they follow in time."""
        faults = []
        for name, function, argument in _extremes(self.engine, self.select):
            if name not in self.contract.column_names or given.get(name) != "VARCHAR":
                continue
            formats = self._notation(self.contract.column(name), "VARCHAR").date_format
            if formats and not (len(formats) == 1 and formats[0].startswith("%Y")):
                read = f"try_strptime({argument}, [{', '.join(map(literal, formats))}])"
                # A text that cannot be read is taken where there is no other, so that the row is set aside.
                chosen = f"coalesce({function}_by({argument}, {read}), {function}({argument}))"
                faults.append(
                    f"column '{name}' is the {function} of texts, among which 02-12 comes after 01-31 of the next year."
                    f" Select {chosen} as {name}."
                )
        return faults

    def _typed(self) -> tuple[str, list[Value]]:
        """The SELECT of every row with its values cast and its faults found, and the values it is made of."""
        values = [
            Value(
                column,
                self.given.get(column.name),
                self._notation(column, self.given.get(column.name)),
                self.identity,
                self._timezone(column, self.given.get(column.name)),
                self.status,
                self.currency,
            )
            for column in self.contract.columns
        ]
        meant = f"SELECT *, {', '.join(value.meant for value in values)} FROM ({self.mapped})"
        typed = f"SELECT *, {', '.join(value.typed for value in values)} FROM ({meant})"
        reason = _together([value.fault for value in values if value.is_needed and value.fault])
        emptied = _together([value.fault for value in values if not value.is_needed and value.fault])
        readings = [value.reading for value in values if value.reading]
        unread = {value.column.name: value.is_of_no_type for value in values}
        record = _record((self.contract.column(name), type_, unread[name]) for name, type_ in self.given.items())
        sql = (
            f"SELECT {', '.join(value.named for value in values)}, {reason} AS _reason,"
            f" CASE WHEN {reason} IS NOT NULL THEN {record} END AS _record, {emptied} AS _emptied,"
            f" greatest(NULL::INTEGER, {', '.join(readings) or 'NULL'}) AS _reading{self.trace} FROM ({typed})"
        )
        if self.window:
            sql = f"SELECT * FROM ({sql}) WHERE {self.window.holds(quoted(self.contract.event_time or ''))}"
        return self._with_broken_rules(sql), values

    def _stage(self) -> tuple[str, int, int]:
        """One pass over the source: values cast and faults found, kept in a scratch Parquet file.

        Returns the SQL that reads it without people who were erased, the number of all rows, and of those that do not
        fit.
        """
        sql, values = self._typed()
        target = literal(str(self.engine.scratch / f"{self.contract.name}.parquet"))
        copied = self._run(f"COPY ({sql}) TO {target} (FORMAT parquet, RETURN_STATS)")
        count = sum(row[1] for row in copied)
        if not count:
            return f"({sql})", 0, 0
        statistics = [row[4] for row in copied if row[1]]
        if max(int(each['"_reading"'].get("max", 0)) for each in statistics) == EITHER_WAY:
            self._raise_reading(values)
        fit, whole = (
            sum(int(each[f'"{name}"']["null_count"]) for each in statistics) for name in ("_reason", "_emptied")
        )
        staged = f"read_parquet({target})"
        if whole < count:
            self._note_emptied(staged)
        staged, unfit_erased = self._without_erased(staged)
        return staged, count, count - fit - unfit_erased

    def _without_erased(self, staged: str) -> tuple[str, int]:
        """The SQL of rows without people who were erased, and how many rows that do not fit are left out with them.

        Of a row that stays the person is taken out; what would be set aside goes, for it tells the row as it came.
        """
        holding, names = subjects.of_rows(self.contract), f"erased people of {self.contract.name}"
        if not (self.tombstones and holding.keys and self.tombstones.named_in(holding, f"FROM {staged}", names)):
            return staged, 0
        is_named, is_severed = naming_them(holding, names), holding.fate is subjects.Fate.SEVERED
        goes = f"{is_named} AND _reason IS NOT NULL" if is_severed else is_named
        ((self.erased_count, unfit, named),) = self.engine.query(
            f"SELECT count(*) FILTER ({goes}), count(*) FILTER ({is_named} AND _reason IS NOT NULL),"
            f" count(*) FILTER ({is_named}) FROM {staged}"
        )
        self.notes.append(
            f"{named:,} row{'s are' if named > 1 else ' is'} of people who were erased: {self.erased_count:,} left out,"
            f" {named - self.erased_count:,} kept without the person"
        )
        left = f"SELECT * FROM {staged} WHERE NOT ({goes})"
        return f"({severed(holding, left, names) if is_severed else left})", unfit

    def _notation(self, column: Column, given: str | None) -> Notation:
        """How the values of a column are written; FeedError where that of text differs between the connectors."""
        ways = {name: raw.notation.of(column.type) for name, raw in self.raws.items()}
        first = next(iter(ways.values()))
        if given != "VARCHAR" or all(way == first for way in ways.values()):
            return first
        same = "Say the same on each; or leave it out on all and" if self.has_notation else "Leave it out and"
        raise FeedError(
            f"{self.where}: column '{column.name}' is text, and connectors {', '.join(ways)} do not agree in how"
            f" {' and '.join(_differing(ways.values()))} are written. {same}"
            " bring the text into the notation of SQL in the select, such as replace(price, ',', '.')."
        )

    def _timezone(self, column: Column, given: str | None) -> str:
        """The clock of a moment without offset; FeedError where the connectors do not agree."""
        first, *others = set(self.timezones.values())
        if others and column.type == "TIMESTAMP" and not column.is_calendar_day and given in ("VARCHAR", *NAIVE):
            zones = ", ".join(f"{name} {zone}" for name, zone in self.timezones.items())
            raise FeedError(
                f"{self.where}: column '{column.name}' has no offset from UTC, and the connectors are of different"
                f" clocks ({zones}). Set `timezone:` on the feed, and bring all moments into it in the select."
            )
        return first

    def _note_emptied(self, staged: str) -> None:
        """Count the cells that were left empty; FeedError where a column is left with none of at least 20."""
        is_emptied = "_reason IS NULL AND _emptied IS NOT NULL"
        ((self.emptied_count,),) = self.engine.query(f"SELECT count(*) FROM {staged} WHERE {is_emptied}")
        for reason, count in self.engine.query(
            "SELECT emptied, count(*) FROM"
            f" (SELECT unnest(string_split(_emptied, '; ')) AS emptied FROM {staged} WHERE _reason IS NULL)"
            " GROUP BY ALL ORDER BY 2 DESC, 1"
        ):
            column = quoted(reason.split(" ")[0])
            ((kept,),) = self.engine.query(f"SELECT count({column}) FROM {staged}")
            if self.is_judged and not kept and count >= ROWS_THAT_TELL:
                raise FeedError(
                    f"{self.where}: {reason} in all {count:,} rows that have a value there, so the mapping is wrong and"
                    f" not the rows. {_put_right(reason, self.connectors)}"
                )
            self.notes.append(f"{reason} in {count:,} row{'s' if count > 1 else ''}, where it was left empty")

    def _raise_reading(self, values: Sequence[Value]) -> None:
        """Say which numbers can be read either way, with one of them where it is of no person."""
        for value in values:
            if not value.reading:
                continue
            name = quoted(value.column.name)
            grouped = f"SELECT min({name}) FROM ({self.mapped}) WHERE regexp_matches({name}, {literal(GROUPED)})"
            ((found,),) = self.engine.query(grouped)
            if found is not None:
                shown = "1.250" if value.column.is_masked else found.strip()
                as_fraction = f"{float(shown):g}" if shown.count(".") == 1 else "no number at all"
                remedy = (
                    "Set `decimal: ','` or `decimal: '.'` on the connector."
                    if self.has_notation
                    else "Say it in the select: of a column x, replace(x, '.', '') is the one, x::double the other."
                )
                raise FeedError(
                    f"{self.where}: column '{value.column.name}' has numbers such as {shown}, which is"
                    f" {shown.replace('.', '')} or {as_fraction}, and nothing says which. {remedy}"
                )

    def _with_broken_rules(self, sql: str) -> str:
        """The typed rows, those that break a `quarantine` rule of the contract with that as a reason."""
        conditions = Conditions(self.contract)
        for rule in self.contract.rules:
            if rule.quarantine and (message := refusal(self.engine, rule.need)):
                raise FeedError(f"{self.where}: rule {rule.name} of the contract does not run: {message}")
        faults = [
            f"CASE WHEN NOT coalesce({conditions.of(rule.need)}, true) THEN {literal(BREAKS + rule.name)} END"
            for rule in self.contract.rules
            if rule.quarantine
        ]
        if not faults:
            return sql
        broken = _together(faults)
        record = _record((column, column.type, None) for column in self.contract.columns)
        return (
            f"SELECT * REPLACE ({_together(['_reason', broken])} AS _reason,"
            f" coalesce(_record, CASE WHEN {broken} IS NOT NULL THEN {record} END) AS _record) FROM ({sql})"
        )

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self.engine.query(sql)
        except duckdb.OutOfMemoryException:  # no fault of the select
            raise
        except duckdb.Error as fault:
            raise FeedError(f"{self.where}: {self._complaint(fault)}") from None

    def _complaint(self, fault: duckdb.Error) -> str:
        """What is wrong with the select; never quotes (nor chains) an error of a row, which would show its values."""
        if not isinstance(fault, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
            kind = type(fault).__name__.removesuffix("Exception")
            notation = (
                "For numbers and dates in another notation set `decimal` or `date_format` on the connector."
                if self.has_notation
                else f"For dates in another notation select {READ_DAY}."
            )
            return (
                f"the select fails on a row ({kind} error). Select the column as it is: it is cast to the contract's"
                f" type, and a row where that fails is set aside with its reason. {notation} Where it is computed with,"
                f" leave what cannot be computed as it is: {COMPUTED}."
            )
        cast = f" {CAST}" if "(VARCHAR" in str(fault) and "No function matches" in str(fault) else ""
        return f"the select does not run: {complaint(fault)}{cast} {self._hint()} Correct it in c360.yaml."

    def _hint(self) -> str:
        return " ".join(self._columns_listed(name) for name in self.raws)

    def _columns_listed(self, name: str) -> str:
        """The columns of a connector, unless they may be values."""
        source, names = "source" if len(self.raws) == 1 else f"view {name}", self._names(name)
        doubt = self.raws[name].doubt
        if doubt and not self._names_any(names):
            return f"The select names no column of the {source}. {doubt}"
        return f"The {source}'s columns are {', '.join(map(quoted, names))}."

    def _names(self, name: str) -> list[str]:
        """The columns of a connector."""
        return [column for column, *_ in self.engine.query(f"DESCRIBE {self.raws[name].sql}")]

    def _names_any(self, columns: Iterable[str]) -> bool:
        """Whether the select names one of these columns. If not, they may be no names: without a header in the file,
        they are the values of its first row, and no message may quote them.
        """
        code = re.sub(r"'(?:[^']|'')*'", "", self.select)
        words = {word.lower() for word in re.findall(r"[^\W\d]\w*", code)}
        return any(name.lower() in words or f'"{name}"' in code for name in columns)

    def _raise_if_mapping_is_wrong(self, staged: str, row_count: int) -> None:
        reasons = self.engine.query(
            f"SELECT reason, count(*) FROM (SELECT unnest(string_split(_reason, '; ')) AS reason FROM {staged})"
            " GROUP BY ALL ORDER BY 2 DESC, 1"
        )
        always = [reason for reason, count in reasons if count == row_count]
        if always:
            complaint = "; ".join(always)
            raise FeedError(
                f"{self.where}: {complaint} in all {row_count:,} rows, so the mapping is wrong and not the rows."
                f" {_put_right(complaint, self.connectors)}"
            )

    def _repeated(self, staged: str) -> str:
        """A table of all rows that share a key, `_place` 1 being the one that stays whatever order they came in.

        Where rows of one key are of different customers or orders, as when two stores number alike, none of them stays:
        what refers to the key cannot tell which is meant.
        """
        name = quoted(f"repeated of {self.contract.name}")
        if not self.key:
            nothing = (
                f"SELECT {self.columns}, _record, 0 AS _place, false AS _conflict{self.trace} FROM {staged} LIMIT 0"
            )
            self.engine.query(f"CREATE OR REPLACE TEMP TABLE {name} AS {nothing}")
            return name
        newest = f"{quoted(self.contract.event_time)} DESC NULLS LAST, " if self.contract.event_time else ""
        named = [quoted(column.name) for column in self.contract.columns if _names_the_row(column)]
        differs = [f"min({column}) OVER one <> max({column}) OVER one" for column in named]
        conflict = f"coalesce({' OR '.join(differs)}, false)" if differs else "false"
        record = _record((column, column.type, None) for column in self.contract.columns)
        place = f"row_number() OVER (PARTITION BY {self.key} ORDER BY {newest}{self.columns})"
        self.engine.query(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {self.columns}, {record} AS _record,"
            f" {conflict} AS _conflict, {place} + _conflict::INTEGER AS _place{self.trace}"
            f" FROM {staged} WHERE _reason IS NULL AND ({self.key}) IN"
            f" (SELECT ({self.key}) FROM {staged} WHERE _reason IS NULL GROUP BY {self.key} HAVING count(*) > 1)"
            f" WINDOW one AS (PARTITION BY {self.key})"
        )
        return name

    def _aside(self, staged: str, repeated: str) -> str:
        """The SELECT of origin, reason and record of every row that was set aside."""
        keys, origin = ", ".join(self.contract.primary_key), f"{literal(self.origin)} AS _origin"
        return (
            f"SELECT {origin}, _reason, _record{self.trace} FROM {staged} WHERE _reason IS NOT NULL UNION ALL"
            f" SELECT {origin}, {literal(keys)} || CASE WHEN _conflict THEN {literal(CONFLICTS)}"
            f" ELSE {literal(REPEATS)} END, _record{self.trace} FROM {repeated} WHERE _place > 1"
        )

    def _quarantine(self, staged: str, repeated: str) -> ir.Table:
        """What was set aside, identical rows counted."""
        lines = (
            f"SELECT {literal(raw.origin)}, unnest([{', '.join(map(literal, raw.broken))}]::VARCHAR[]), {literal(MASK)}"
            for raw in self.raws.values()
        )
        parts = [self._aside(staged, repeated), *lines]
        return self.engine.view(
            f"quarantine of {self.contract.name}",
            f"SELECT {literal(self.contract.name)} AS dataset, _origin AS source, _reason AS reason,"
            f" _record AS record, count(*)::BIGINT AS copies FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL",
        )


def _accepting(contract: Contract) -> str:
    """How to say that fewer rows than are held are right."""
    return (
        f"If fewer are right, say so: c360 run --accept-fewer {contract.name}, or in the UI a run with the tag"
        f" {volume.ACCEPT_FEWER} = {contract.name}. The loads after it are compared with what is held then."
    )


def _put_right(reasons: str, connectors: Iterable[Connector]) -> str:
    """What to do about values that are wrong for these reasons in every row."""
    is_said = all(connector.has_notation for connector in connectors)
    remedies = [
        f"If {what} are written otherwise, {f'set {key} on the connector' if is_said else f'select {sql}'}."
        for reason, what, key, sql in (
            (NO_MOMENT, "moments", "`date_format`, such as '%d.%m.%Y'", READ_DAY),
            (NO_NUMBER, "numbers", "`decimal` (such as ',') or `thousands`", "replace(price, ',', '.')"),
        )
        if reason.search(reasons)
    ]
    if NO_NUMBER.search(reasons):
        remedies.append("Signs of currency are taken away by replace(price, '$', '') in the select.")
    if OTHER_CURRENCY in reasons:
        remedies.append("If all amounts are in one other currency, set it as `currency` of the deployment.")
    return " ".join([*remedies, f"{'Otherwise c' if remedies else 'C'}orrect the select in c360.yaml."])


def _reached(raws: Iterable[Raw]) -> dict[str, str]:
    """How far the connectors were read, as properties; the mark of several is theirs one after the other."""
    found: dict[str, str] = {}
    for reached in (raw.reached for raw in raws):
        mark = " ".join(each[MARK] for each in (found, reached) if MARK in each)
        found.update({**reached, **({MARK: mark} if mark else {})})
    return found


def _differing(ways: Iterable[Notation]) -> list[str]:
    """What of it is not written alike."""
    found = [asdict(way) for way in ways]
    words = {
        "numbers (`decimal`, `thousands`)": ("decimal", "thousands"), "dates (`date_format`)": ("date_format",),
        "missing values (`null_values`)": ("null_values",),
    }  # fmt: skip
    return [word for word, keys in words.items() if any(way[key] != found[0][key] for way in found for key in keys)]


def _extremes(engine: Engine, select: str) -> list[tuple[str, str, str]]:
    """The columns of a select that are the least or greatest of a column as it is: name, min or max, and of what."""
    found = []
    for node in nodes(parsed(engine, select)):
        if node.get("function_name") in EXTREMES and node.get("alias"):
            (argument, *_) = node["children"]
            if argument["class"] == "COLUMN_REF":
                name = ".".join(map(quoted, argument["column_names"]))
                found.append((node["alias"], node["function_name"], name))
    return sorted(found)


def _without_semicolon(select: str) -> str:
    """The statement up to the semicolon that ends it, if one does."""
    tokens, written = duckdb.tokenize(select), select.encode()
    # Tokens are told by the bytes they begin at.
    if tokens and written[tokens[-1][0] :].startswith(b";"):
        return written[: tokens[-1][0]].decode()
    return select


def _names_the_row(column: Column) -> bool:
    """Whether rows that differ in the column are of different things, whatever their key."""
    return column.critical and column.references is not None and column.references[0] in OWNERS


def _together(faults: Sequence[str]) -> str:
    """All faults of a row as one text, null where it has none."""
    return f"nullif(concat_ws('; ', {', '.join(faults)}), '')" if faults else "NULL::VARCHAR"


def _record(columns: Iterable[tuple[Column, str, str | None]]) -> str:
    """The row as JSON text, classified values masked; each column with the type it has, and whether it is unread: then
    it may be of another column, of a line whose cells are shifted, and its shape alone is shown.
    """
    fields = ", ".join(
        f"{quoted(column.name)} := {_shown(column, given, is_unread)}" for column, given, is_unread in columns
    )
    return f"to_json(struct_pack({fields}))::VARCHAR"


def _shown(column: Column, given: str, is_unread: str | None) -> str:
    name = quoted(column.name)
    if column.is_masked:
        return privacy.masked(name)
    # JSON has no word for infinity.
    if given in ("DOUBLE", "FLOAT"):
        name = f"CASE WHEN isfinite({name}) THEN to_json({name}) ELSE to_json({name}::VARCHAR) END"
    if is_unread is None:
        return name
    shape = f"regexp_replace({quoted(column.name)}::VARCHAR, '\\p{{N}}', '9', 'g')"
    shape = f"left(regexp_replace({shape}, '\\p{{L}}', 'a', 'g'), {LONGEST_SHAPE})"
    return f"CASE WHEN {is_unread} THEN to_json({shape}) ELSE to_json({name}) END"
