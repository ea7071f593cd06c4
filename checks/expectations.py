"""Great Expectations, run inside our own engine.

Rules for which it has an expectation that DuckDB can run are handed over as they are, on the table itself; the others
as `ExpectColumnValuesToBeInSet([True])` on a column of flags. It gives counts and never a value of a row.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from governance.quality import Between, FilledCells, Need, OneOf, Ordered, Present, RowCount, Unique
from resources.engine import Engine, quoted

COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class Counted:
    """Rows an expectation judged and found good or bad; or why it could not run."""

    passing: int = 0
    failing: int = 0
    problem: str | None = None


def native(need: Need, text_columns: frozenset[str]) -> list[Any]:
    """The expectations that are the need itself, their counts to be added up; none where it takes a flag.

    A text of spaces is no value to us but one to Great Expectations, so the presence of text takes a flag.
    """
    gxe = load().expectations
    match need:
        case FilledCells(columns=columns):
            return [gxe.ExpectColumnValuesToNotBeNull(column=column) for column in columns]
        case Present(columns=(column,)) if column not in text_columns:
            return [gxe.ExpectColumnValuesToNotBeNull(column=column)]
        case OneOf():
            return [gxe.ExpectColumnValuesToBeInSet(column=need.column, value_set=list(need.values))]
        case Between():
            return [
                gxe.ExpectColumnValuesToBeBetween(
                    column=need.column,
                    min_value=need.minimum,
                    max_value=need.maximum,
                    strict_min=need.strict,
                    strict_max=need.strict,
                )
            ]
        case Ordered():
            return [
                gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                    column_A=need.later, column_B=need.earlier, or_equal=True, ignore_row_if="either_value_is_missing"
                )
            ]
        case Unique(columns=(column,)):
            return [gxe.ExpectColumnValuesToBeUnique(column=column)]
        case Unique():
            return [
                gxe.ExpectCompoundColumnsToBeUnique(
                    column_list=list(need.columns), ignore_row_if="any_value_is_missing"
                )
            ]
        case RowCount():
            return [gxe.ExpectTableRowCountToBeBetween(min_value=need.minimum)]
    return []


def flag(column: str) -> Any:
    """The expectation that a column of flags holds: true passes, false fails, null is not judged."""
    return load().expectations.ExpectColumnValuesToBeInSet(column=column, value_set=[True])


def validate(engine: Engine, table: str, expectations: Sequence[Any]) -> list[Counted]:
    """The counts of each expectation over a view or table of the engine, in their order."""
    if not expectations:
        return []
    gx = load()
    # Two rules may ask the same of a column; a suite takes it once.
    asked = {_identity(expectation.configuration): expectation for expectation in expectations}
    with _quiet(), _batch(engine, table) as batch:
        suite = gx.ExpectationSuite(name=table, expectations=list(asked.values()))
        validated = batch.validate(suite, result_format=COUNTS_ONLY)
    found = {_identity(result.expectation_config): _counted(result) for result in validated.results}
    return [found[_identity(expectation.configuration)] for expectation in expectations]


@cache
def load() -> Any:
    """Great Expectations, imported at first need: it takes seconds."""
    main = sys.modules["__main__"]
    # With PySpark beside it, the import ends a process that looks to PySpark like a doctest, with exit code 0.
    if getattr(main, "__spec__", None) is None and not hasattr(main, "__file__"):
        main.__file__ = "<worker>"
    with _quiet():
        import great_expectations as gx
        import great_expectations.expectations
    return gx


@cache
def _context() -> Any:
    context = load().get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    return context


@contextmanager
def _batch(engine: Engine, table: str) -> Iterator[Any]:
    from duckdb_engine import ConnectionWrapper

    source = _context().data_sources.add_or_update_sql(
        "engine", connection_string="duckdb://", kwargs={"creator": lambda: ConnectionWrapper(engine.cursor())}
    )
    execution = source.get_execution_engine()
    # Great Expectations closes a connection before it fetches, and a DuckDB cursor dies with its connection.
    with execution.engine.connect() as held:

        @contextmanager
        def connection() -> Iterator[Any]:
            yield held

        execution.get_connection = connection
        asset = source.add_query_asset(table, query=f"SELECT * FROM {quoted(table)}")
        yield asset.add_batch_definition_whole_table("all").get_batch()
    execution.engine.dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings and progress bars of other people's libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _identity(configuration: Any) -> str:
    asked = sorted((name, str(value)) for name, value in configuration.kwargs.items() if name != "batch_id")
    return f"{configuration.type} {asked}"


def _counted(result: Any) -> Counted:
    if _raised(result.exception_info):
        return Counted(problem="Great Expectations could not run it")
    found = result.result
    if "observed_value" in found:
        return Counted(passing=int(bool(result.success)), failing=int(not result.success))
    # Of a table without rows the counts are None.
    judged = (found["element_count"] or 0) - (found.get("missing_count") or 0)
    failing = found["unexpected_count"] or 0
    return Counted(judged - failing, failing)


def _raised(info: Any) -> bool:
    """Whether an expectation ended in an exception; of one that did, Great Expectations tells metric by metric."""
    if not isinstance(info, dict):
        return False
    return bool(info.get("raised_exception")) or any(_raised(part) for part in info.values())
