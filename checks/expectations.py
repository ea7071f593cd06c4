"""Great Expectations, run inside our own engine.

What is to be judged of each row is a column of flags in one table: it counts them, and the rows. It gives counts and
never a value of a row.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from resources.engine import Engine, quoted

COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}
# The view by which Great Expectations knows whatever table is judged.
JUDGED = "judged"


@dataclass(frozen=True)
class Counted:
    """Rows an expectation judged and found good or bad; or why it could not run."""

    passing: int = 0
    failing: int = 0
    problem: str | None = None


def flag(column: str) -> Any:
    """The expectation that a column of flags holds: true passes, false fails, null is not judged."""
    return load().expectations.ExpectColumnValuesToBeInSet(column=column, value_set=[True])


def at_least(rows: int) -> Any:
    """The expectation that a table has so many rows."""
    return load().expectations.ExpectTableRowCountToBeBetween(min_value=rows)


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


# For the engine used last: each table or data source it is told of, Great Expectations writes out all it knows.
@lru_cache(maxsize=1)
def _source(engine: Engine) -> tuple[Any, Any]:
    """The data source that is the engine, and the batches of the view `judged`."""
    from duckdb_engine import ConnectionWrapper

    context = load().get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        "engine", connection_string="duckdb://", kwargs={"creator": lambda: ConnectionWrapper(engine.cursor())}
    )
    asset = source.add_query_asset(JUDGED, query=f"SELECT * FROM {JUDGED}")
    return source, asset.add_batch_definition_whole_table("all")


@contextmanager
def _batch(engine: Engine, table: str) -> Iterator[Any]:
    engine.query(f"CREATE OR REPLACE VIEW {JUDGED} AS SELECT * FROM {quoted(table)}")
    source, batches = _source(engine)
    execution = source.get_execution_engine()
    # Great Expectations closes a connection before it fetches, and a DuckDB cursor dies with its connection.
    with execution.engine.connect() as held:

        @contextmanager
        def connection() -> Iterator[Any]:
            yield held

        execution.get_connection = connection
        yield batches.get_batch()
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
