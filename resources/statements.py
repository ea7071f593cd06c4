"""SQL that a deployment writes: it computes from the rows it is given, and reaches nothing else.

DuckDB's own parser reads it, so that what is judged is what runs. Whatever may stand in it is listed here, and a table
is one of those it is given, or of its own WITH; what is not listed is refused.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb

from governance.errors import C360Error, nearest
from resources.engine import Engine, complaint, literal

# Table functions that make rows of their arguments alone.
TABLE_FUNCTIONS = ("generate_series", "json_each", "json_tree", "range", "repeat", "unnest")
# Functions that tell of more than their arguments (settings, the catalogue, another statement), or change something.
OUTSIDE = {
    "current_catalog", "current_connection_id", "current_database", "current_query", "current_query_id",
    "current_schema", "current_schemas", "current_setting", "current_transaction_id", "currval", "error",
    "format_type", "get_block_size", "getenv", "getvariable", "in_search_path", "json_serialize_plan", "nextval",
    "pg_get_constraintdef", "pg_get_viewdef", "pg_sleep", "setseed", "sleep_ms", "stats", "txid_current", "version",
    "write_log",
}  # fmt: skip
# What a statement consists of, as the parser calls it.
CONSTANT, FUNCTION, WINDOW = "CONSTANT", "FUNCTION", "WINDOW"
TABLE, TABLE_FUNCTION, RECURSION = "BASE_TABLE", "TABLE_FUNCTION", "RECURSIVE_CTE_NODE"
PARTS = {
    CONSTANT, FUNCTION, WINDOW, "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION",
    "LAMBDA", "OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", TABLE, TABLE_FUNCTION, "EMPTY",
    "EXPRESSION_LIST", "JOIN", "PIVOT", RECURSION, "SELECT_NODE", "SET_OPERATION_NODE", "DISTINCT_MODIFIER",
    "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER", "ASCENDING", "DESCENDING", "ORDER_DEFAULT",
}  # fmt: skip
TYPE = "_TYPE_INFO"
# What can be shown of a statement; the name of a file may hold a password.
NAME = re.compile(r"\w+")

Node = dict[str, Any]


class StatementError(C360Error):
    """SQL that is not run, for what it is or what it would reach."""


def check_select(engine: Engine, sql: str, tables: Iterable[str]) -> None:
    """StatementError where the SQL is anything but one SELECT over these tables."""
    for fault in _faults(parsed(engine, sql), [*tables]):
        raise StatementError(fault)


def check_expression(engine: Engine, sql: str) -> None:
    """StatementError where the SQL is anything but one expression over the columns of a row."""
    # A comment at the end would hide what we write after it. A name as long as the text is not hidden in it.
    name = "_" * (len(sql) + 1)
    node, bare = parsed(engine, f"SELECT {sql} AS {name}"), parsed(engine, "SELECT 1")
    if _around(node) != _around(bare) or [each["alias"] for each in node["select_list"]] != [name]:
        raise StatementError("must be one expression and nothing else")
    for fault in _faults(node, []):
        raise StatementError(fault)


def parsed(engine: Engine, sql: str) -> Node:
    """The tree of a SELECT; StatementError where the SQL is anything but one."""
    try:
        ((text,),) = engine.query(f"SELECT json_serialize_sql({literal(sql)})")
        tree = json.loads(text)
    except (duckdb.Error, RecursionError):  # a zero byte, or thousands of operators
        raise StatementError("cannot be read") from None
    if tree["error"] and tree["error_type"] == "parser":
        raise StatementError(f"does not run: Parser Error: {complaint(tree['error_message'])}")
    if tree["error"] or len(tree["statements"]) != 1:
        raise StatementError(
            "must be one SELECT and nothing else (of a PIVOT, one that lists its values: ON month IN ('01', '02'))"
        )
    node: Node = tree["statements"][0]["node"]
    return node


def nodes(tree: Any) -> Iterator[Node]:
    """All parts of a tree."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left += node.values()
        elif isinstance(node, list):
            left += node


def _faults(tree: Node, tables: list[str]) -> Iterator[str]:
    """What of a tree is none of the tables, or is not listed."""
    left: list[tuple[Any, frozenset[str]]] = [(tree, frozenset(map(_folded, tables)))]
    while left:
        node, known = left.pop()
        if isinstance(node, list):
            left += [(part, known) for part in node]
        elif isinstance(node, dict):
            if fault := _fault(node, known, tables):
                yield fault
            left += _parts(node, known)


def _parts(node: Node, known: frozenset[str]) -> Iterator[tuple[Any, frozenset[str]]]:
    """The parts of a node, each with the tables that it may name: those of a WITH are known after it, not in it."""
    if _kind(node) == CONSTANT:
        return
    for table in node.get("cte_map", {}).get("map", []):
        yield table["value"], known
        known |= {_folded(table["key"])}
    for key, part in node.items():
        if key == "right" and _kind(node) == RECURSION:
            yield part, known | {_folded(node["cte_name"])}
        elif key != "cte_map":
            yield part, known


def _fault(node: Node, known: frozenset[str], tables: list[str]) -> str | None:
    kind = _kind(node)
    if kind is None:
        return None
    if kind not in PARTS and not kind.endswith(TYPE):
        return f"has {kind.removesuffix('_REF')} in it, which is not among what it may consist of"
    if kind == TABLE and not (_is_plain(node) and _folded(node["table_name"]) in known):
        return f"reads {_shown(node, tables)}, which is none of its tables"
    if kind == TABLE_FUNCTION:
        # What looks like a call may be something else, such as the CASE that IF becomes.
        name = node["function"].get("function_name", "another function")
        return None if _folded(name) in TABLE_FUNCTIONS else f"reads {name}(), which reaches beyond the rows"
    if kind in (FUNCTION, WINDOW) and _folded(node["function_name"]) in OUTSIDE:
        return f"calls {node['function_name']}(), which tells of more than the rows, or changes something"
    return None


def _is_plain(table: Node) -> bool:
    return not (table["schema_name"] or table["catalog_name"])


def _shown(table: Node, tables: Iterable[str]) -> str:
    name = table["table_name"]
    if _is_plain(table) and NAME.fullmatch(name):
        return f"'{name}'{nearest(name, tables)}"
    return "a file, or a table of elsewhere"


def _kind(node: Node) -> str | None:
    """What a part is; None for what is a part of one."""
    kind = node.get("class") or node.get("type")
    return kind if isinstance(kind, str) else None


def _around(node: Node) -> Mapping[str, Any]:
    """All of a SELECT but what it selects, and where that is written."""
    return {**node, "select_list": None, "from_table": node["from_table"]["type"]}


def _folded(name: str) -> str:
    """The name as DuckDB compares it: of other alphabets it heeds the case."""
    return name.encode().lower().decode()
