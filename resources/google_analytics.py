"""Google Analytics 4: the files of its export to BigQuery, as the rows of `web_analytics`.

Everything in a row is told from its event alone, so it is the same in whatever portions an export comes. What a visitor
did not consent to, or an older export does not have, is null.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import duckdb

from resources.connectors import MARK, ConnectorError, Raw, Request, no_rows, readable, unchanged
from resources.engine import Engine, literal, quoted
from resources.files import OnDisk, ending, file_mark, parquet_columns
from resources.text_files import LINES_THAT_TELL, TextFile, TextFileError

ENDINGS = (".parquet", ".json", ".jsonl", ".ndjson")

# What is read of the export's schema, https://support.google.com/analytics/answer/7029846.
CAMPAIGN = "STRUCT(source VARCHAR, medium VARCHAR)"
COLUMNS = {
    "event_timestamp": "BIGINT",
    "event_name": "VARCHAR",
    "event_bundle_sequence_id": "BIGINT",
    "event_params": 'STRUCT("key" VARCHAR, "value" STRUCT(string_value VARCHAR, int_value BIGINT))[]',
    "user_id": "VARCHAR",
    "user_pseudo_id": "VARCHAR",
    "device": "STRUCT(category VARCHAR)",
    "traffic_source": CAMPAIGN,
    "collected_traffic_source": "STRUCT(manual_source VARCHAR, manual_medium VARCHAR, gclid VARCHAR)",
    "session_traffic_source_last_click": f"STRUCT(cross_channel_campaign {CAMPAIGN}, manual_campaign {CAMPAIGN})",
    "ecommerce": "STRUCT(transaction_id VARCHAR)",
    "items": "STRUCT(item_id VARCHAR, quantity VARCHAR)[]",
}
NEEDED = ("event_timestamp", "event_name", "user_pseudo_id")
# A list as some writers of Parquet leave it: a struct of a list of structs of one element.
WRAPPED = "STRUCT(list STRUCT(element "
FIELD = re.compile(r'(\w+)"? [A-Z]')

# Events with an action of their own; the others keep their names.
ACTIONS = {
    "view_item": "product_view",
    "add_to_wishlist": "add_to_favorite",
    "begin_checkout": "checkout",
    "purchase": "order_placed",
}
UNKNOWN = "(not set)"


class GoogleAnalytics(OnDisk):
    """Google Analytics 4 as exported to BigQuery, in Parquet or JSON-lines files (.gz or not); `path` may be a glob,
    and with the day in it, such as 'events_%Y%m%d*.parquet', is read day by day where hours are loaded.

    One row per event, or per item of an event that has items. Every event given counts, so the tables
    `events_intraday_*`, which `events_*` repeat, must not be among the files.
    """

    type: Literal["google_analytics"]

    def read(self, request: Request, engine: Engine) -> Raw:
        """The events in the columns of `web_analytics`; ConnectorError where a file is no such export."""
        where, (files, notes, found) = self.named(request), self.filled(request)
        with unchanged(found, where):
            try:
                sql = _rows(_events([_parquet(file, where, engine) for file in files], where, engine))
                engine.query(f"DESCRIBE {sql}")
            except TextFileError as fault:
                raise ConnectorError(f"{where}: {fault}.") from None
            except duckdb.OutOfMemoryException:  # no fault of the files
                raise
            except duckdb.Error as fault:
                # Not chained: DuckDB quotes the row, and the chain ends in Dagster's log.
                raise ConnectorError(f"{where}: {readable(fault)}") from None
        return Raw(sql, self.origin(request), [], {MARK: file_mark(found)}, notes, timezone="UTC", files=found)

    def look(self, request: Request, engine: Engine) -> Raw:
        """The columns of `web_analytics`, which every export has; of JSON lines no line is read."""
        where, (files, notes, found) = self.named(request), self.filled(request)
        for file in files:
            _check_ending(file, where)
        with unchanged(found, where):
            try:
                _events([file for file in files if ending(file) == ".parquet"], where, engine)
            except TextFileError as fault:
                raise ConnectorError(f"{where}: {fault}.") from None
        return Raw(_rows(no_rows(COLUMNS)), self.origin(request), [], notes=notes, timezone="UTC")


def _check_ending(file: Path, where: str) -> None:
    if ending(file) not in ENDINGS:
        raise ConnectorError(f"{where}: the ending of {file.name} tells no format; use one of {', '.join(ENDINGS)}.")


def _parquet(file: Path, where: str, engine: Engine) -> Path:
    """The file itself where it is Parquet, else its events in a scratch Parquet file."""
    _check_ending(file, where)
    if ending(file) == ".parquet":
        return file
    target = engine.scratch / f"google-analytics-{uuid.uuid5(uuid.NAMESPACE_URL, str(file)).hex}.parquet"
    _stage(file, target, engine)
    filled = ", ".join(f"count({column})" for column in NEEDED)
    ((count, broken, *counts),) = engine.query(
        f"SELECT count(*), count_if(is_broken), {filled} FROM read_parquet({literal(str(target))})"
    )
    if not count:
        raise ConnectorError(f"{where}: {file.name} is empty; there is no event in it.")
    if broken:
        raise ConnectorError(
            f"{where}: {broken:,} of {count:,} lines of {file.name} are no JSON objects. Export the table again, as"
            " newline-delimited JSON or Parquet."
        )
    # JSON lines leave out what is null, so that of few lines nobody can tell.
    if count >= LINES_THAT_TELL:
        _check(file, [column for column, rows in zip(NEEDED, counts, strict=True) if rows], where)
    return target


def _stage(file: Path, target: Path, engine: Engine) -> None:
    """Write the events of a JSON-lines file to `target`, a line that is no JSON object as one that `is_broken`."""
    event = ", ".join(f"{column} {type_}" for column, type_ in COLUMNS.items())
    lines = engine.scratch / f"{uuid.uuid4().hex}.parquet"
    try:
        TextFile(file, "lines").stage(lines, engine)
        engine.query(
            "COPY (SELECT unnest(event), event IS NULL AS is_broken FROM ("
            "SELECT CASE WHEN starts_with(ltrim(line), '{')"
            f" THEN TRY_CAST(TRY_CAST(line AS JSON) AS STRUCT({event})) END AS event"
            f" FROM read_parquet({literal(str(lines))}) WHERE line IS NOT NULL))"
            f" TO {literal(str(target))} (FORMAT parquet)"
        )
    except TextFileError as fault:
        if isinstance(fault.__cause__, UnicodeDecodeError):
            raise TextFileError(f"{file.name} is no text in UTF-8; the name of a gzipped file ends in .gz") from None
        raise
    finally:
        lines.unlink(missing_ok=True)


def _check(file: Path, given: Iterable[str], where: str) -> None:
    missing = [column for column in NEEDED if column not in given]
    if missing:
        raise ConnectorError(
            f"{where}: {file.name} has no {', '.join(missing)}, so it is no export of Google Analytics 4 events."
            " Export the tables events_* with all of their columns, or correct the path in c360.yaml."
        )


def _events(files: Iterable[Path], where: str, engine: Engine) -> str:
    """A SELECT of the events of all files. The export gains columns over the years: each shape is read by itself."""
    shapes: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for file in files:
        columns = parquet_columns(file, file.name, engine)
        _check(file, columns, where)
        shapes.setdefault(tuple(columns.items()), []).append(literal(str(file)))
    return " UNION ALL ".join(_in_our_types(dict(shape), paths) for shape, paths in shapes.items())


def _in_our_types(given: Mapping[str, str], paths: Iterable[str]) -> str:
    columns = ", ".join(f"{_value(column, given.get(column))} AS {column}" for column in COLUMNS)
    return f"SELECT {columns} FROM read_parquet([{', '.join(paths)}])"


def _value(column: str, given: str | None) -> str:
    """The column in our type, whatever fields its own has more or less; null where there is no such column."""
    value, type_ = quoted(column), COLUMNS[column]
    if given is None:
        return f"NULL::{type_}"
    if given.startswith(WRAPPED):
        value = f"list_transform({value}.list, lambda one: one.element)"
    if not set(FIELD.findall(type_)) <= set(FIELD.findall(given)):
        # DuckDB casts no struct to one that shares no field with it, but JSON to any.
        value = f"TRY_CAST({value} AS JSON)"
    return f"TRY_CAST({value} AS {type_})"


def _rows(events: str) -> str:
    """A SELECT of `web_analytics` from events in our types.

    Several events of one moment may share all that names them; they are numbered, those that differ in a fixed order.
    """
    session = _parameter("ga_session_id")
    order = f"coalesce({_known('ecommerce.transaction_id')}, {_known(_parameter('transaction_id') + '.string_value')})"
    actions = " ".join(f"WHEN {literal(name)} THEN {literal(action)}" for name, action in ACTIONS.items())
    return f"""
        WITH told AS (
            SELECT
                event_timestamp, event_name, event_bundle_sequence_id, items,
                {_known("user_pseudo_id")} AS visitor_id,
                {_known("user_id")} AS entity_id,
                coalesce({session}.int_value::VARCHAR, {session}.string_value) AS visit,
                {_known(_parameter("page_location") + ".string_value")} AS page_url,
                {_known("device.category")} AS device,
                CASE WHEN event_name = 'purchase' THEN {order} END AS order_id,
                {_campaign()} AS campaign
            FROM ({events})
        ), numbered AS (
            SELECT *, row_number() OVER (
                PARTITION BY visitor_id, event_timestamp, event_name, event_bundle_sequence_id
                ORDER BY visit, entity_id, page_url, device, order_id, campaign, items
            ) AS place
            FROM told
        ), by_item AS (
            SELECT *, unnest(generate_series(1, greatest(len(items), 1))) AS position FROM numbered
        )
        SELECT
            md5(to_json([
                visitor_id, event_timestamp::VARCHAR, event_name, event_bundle_sequence_id::VARCHAR,
                place::VARCHAR, position::VARCHAR
            ]))::UUID::VARCHAR AS activity_uuid,
            visitor_id || '.' || visit AS session_id,
            visitor_id,
            entity_id,
            TRY(make_timestamp(TRY_CAST(visit AS BIGINT) * 1000000)) AS visit_start_ts,
            TRY(make_timestamp(event_timestamp)) AS activity_ts,
            CASE event_name {actions} ELSE event_name END AS event_action,
            page_url,
            {_known("items[position].item_id")} AS product_sku,
            items[position].quantity AS quantity,
            NULL::DOUBLE AS price, -- Google's is in the currency of each visitor
            campaign.medium AS traffic_channel,
            campaign.source AS traffic_source,
            device,
            order_id
        FROM by_item
    """


def _parameter(key: str) -> str:
    return f'list_filter(event_params, lambda one: one."key" = {literal(key)})[1]."value"'


def _known(text: str) -> str:
    """The text, or null where Google Analytics writes that there is none."""
    return f"nullif(nullif({text}, ''), {literal(UNKNOWN)})"


def _campaign() -> str:
    """What brought the visitor: by the event itself, else to its session, else the first time."""
    click = "session_traffic_source_last_click"
    return f"""coalesce(
        {_pair("collected_traffic_source.manual_source", "collected_traffic_source.manual_medium")},
        CASE WHEN {_known("collected_traffic_source.gclid")} IS NOT NULL THEN {_struct("'google'", "'cpc'")} END,
        {_pair(f"{click}.cross_channel_campaign.source", f"{click}.cross_channel_campaign.medium")},
        {_pair(f"{click}.manual_campaign.source", f"{click}.manual_campaign.medium")},
        {_pair("traffic_source.source", "traffic_source.medium")}
    )"""


def _pair(source: str, medium: str) -> str:
    # Taken together or not at all: the medium of one campaign says nothing of another's source.
    source, medium = _known(source), _known(medium)
    return f"CASE WHEN coalesce({source}, {medium}) IS NOT NULL THEN {_struct(source, medium)} END"


def _struct(source: str, medium: str) -> str:
    return f"struct_pack(source := {source}, medium := {medium})"
