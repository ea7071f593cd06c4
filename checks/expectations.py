"""Great Expectations, run inside our own engine.

What is to be judged of each row is a column of one table: 1 where a row breaks the rule, 0 where it keeps it, nothing
where the rule does not ask. That nobody breaks a rule is an expectation about the sum of its column, so that one query
answers all of them, and no value of a row is ever seen.
"""

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa

from resources.engine import Engine, interruptible, quoted

FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
# The view by which Great Expectations knows whatever table is judged.
JUDGED = "judged"


@dataclass(frozen=True)
class Outcome:
    """Whether an expectation is met, and what was found; or why it could not run."""

    is_met: bool = False
    found: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def observed(self) -> int:
        """The number that was to be expected, 0 where there are no rows."""
        return int(self.found.get("observed_value") or 0)


def nobody_breaks(column: str) -> Any:
    """The expectation that the 1s of a column, one for each row that breaks a rule, come to 0."""
    return load().expectations.ExpectColumnSumToBeBetween(column=column, min_value=0, max_value=0)


def at_least(rows: int) -> Any:
    """The expectation that a table has so many rows."""
    return load().expectations.ExpectTableRowCountToBeBetween(min_value=rows)


def validate(engine: Engine, table: str, expectations: Sequence[Any]) -> list[Outcome]:
    """What comes of each expectation about a view or table of the engine, in their order."""
    if not expectations:
        return []
    gx = load()
    # Two rules may ask the same of a column; a suite takes it once.
    asked = {_identity(expectation.configuration): expectation for expectation in expectations}
    with _quiet(), _batch(engine, table) as batch:
        suite = gx.ExpectationSuite(name=table, expectations=list(asked.values()))
        validated = batch.validate(suite, result_format=FORMAT)
    outcomes = {_identity(result.expectation_config): _outcome(result) for result in validated.results}
    return [outcomes[_identity(expectation.configuration)] for expectation in expectations]


@cache
def load() -> Any:
    """Great Expectations, imported at first need: it takes seconds."""
    with _quiet(), _named_main():
        import great_expectations as gx
        import great_expectations.expectations
    return gx


@contextmanager
def _named_main() -> Iterator[None]:
    """A main module of some file: with PySpark beside it, the import ends a process without one, with exit code 0.

    To PySpark that is a doctest. Kept, the name would be looked for by every process that Python starts from this one.
    """
    main = sys.modules["__main__"]
    is_nameless = getattr(main, "__spec__", None) is None and not hasattr(main, "__file__")
    if is_nameless:
        main.__file__ = "<worker>"
    try:
        yield
    finally:
        if is_nameless:
            del main.__file__


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
    sa.event.listen(source.get_execution_engine().engine, "handle_error", _pass_on_interrupt)
    asset = source.add_query_asset(JUDGED, query=f"SELECT * FROM {JUDGED}")
    return source, asset.add_batch_definition_whole_table("all")


def _pass_on_interrupt(found: Any) -> None:
    """Of an interrupt, Great Expectations would make an expectation that could not run."""
    if isinstance(found.original_exception, RuntimeError):
        with interruptible(found.connection.connection.dbapi_connection):
            raise found.original_exception


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


def _outcome(result: Any) -> Outcome:
    if _raised(result.exception_info):
        return Outcome(problem="Great Expectations could not run it")
    return Outcome(bool(result.success), result.result)


def _raised(info: Any) -> bool:
    """Whether an expectation ended in an exception; of one that did, Great Expectations tells metric by metric."""
    if not isinstance(info, dict):
        return False
    return bool(info.get("raised_exception")) or any(_raised(part) for part in info.values())
