"""The policy for people: what each role sees, what one sees of every table, and why a column is shown as it is."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from governance.contract import Column, Contract
from governance.errors import C360Error, nearest
from governance.policy import Forbidden, Outcome, Policy, View
from governance.privacy import CLASSIFIED
from resources.reader import Reader

STYLES = {str(Outcome.CLEAR): "bold", str(Outcome.RANGE): "yellow", str(Outcome.HASH): "green"}
NOTHING = "no table"
First = TypeVar("First")


def matrix(policy: Policy, contracts: Mapping[str, Contract], company: str) -> Table:
    """Which roles see which classified column how; columns of a class that are alike to every role stand together."""
    shown = _table(f"{company}: who sees what, policy {policy.version}", "columns", "", "seen by")
    alike = _grouped(((class_, seen), name) for (name, class_), seen in _by_column(policy, contracts).items())
    for class_ in reversed(CLASSIFIED):
        shown.add_section()
        shown.add_row(Text(class_.replace("_", " "), "bold"))
        for (of_class, seen), names in alike.items():
            if of_class == class_:
                columns = ", ".join(names)
                for outcome, roles in sorted(_grouped(zip(seen, policy.roles, strict=True)).items(), key=_rank):
                    shown.add_row(columns, Text(outcome, STYLES.get(outcome, "dim")), ", ".join(roles))
                    columns = ""
    return shown


def of_role(policy: Policy, contracts: Mapping[str, Contract], name: str) -> Table:
    """What a role may read: each table with how many columns are shown how."""
    shown = _table(f"{name}: {policy.role(name).description}", "table", "classified columns", "rows")
    for contract in contracts.values():
        view = _view(policy, contract, name)
        if view is None:
            shown.add_row(contract.key, NOTHING, "", style="dim")
        else:
            shown.add_row(contract.key, _columns(view), _rows(view))
    return shown


def explain(reader: Reader, place: str, console: Console) -> None:
    """Why a column is shown to every role as it is. C360Error where there is no such column."""
    table, _, name = place.rpartition(".")
    contract = reader.deployment.contracts.get(table)
    if contract is None:
        raise C360Error(f"There is no table '{table}' of a column '{place}'. Name one as in customers.age.")
    if name not in contract.column_names:
        raise C360Error(f"{table} has no column '{name}'{nearest(name, contract.column_names)}.")
    column, policy = contract.column(name), reader.policy
    console.print(f"{place}: {column.classification.replace('_', ' ')}. {column.description}")
    shown = _table("", "role", "sees", "because")
    for role in policy.roles:
        shown.add_row(role, *_reason(policy, contract, column, role))
    console.print(shown)


def _reason(policy: Policy, contract: Contract, column: Column, name: str) -> tuple[str, str]:
    role, view = policy.role(name), _view(policy, contract, name)
    own = f"; everything if {contract.owner} is one of its teams" if role.sees_own_tables else ""
    if view is None:
        return NOTHING, f"it reads no table of {contract.layer}{own}"
    told = str(view.outcomes[column.name])
    if not column.is_classified:
        return told, "it says nothing of a person"
    if column.name in role.columns:
        bounds = policy.ranges.get(column.name, ())
        listed = f" (from {', '.join(f'{bound:,g}' for bound in bounds)})" if told == Outcome.RANGE else ""
        return told, f"roles.{name}.columns.{column.name}{listed}"
    return told, f"roles.{name}.shows.{column.classification}{own}"


def _by_column(policy: Policy, contracts: Mapping[str, Contract]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Per name of a column and its class what each role sees of it, in the tables that it may read at all."""
    found: dict[tuple[str, str], list[set[str]]] = {}
    for contract in contracts.values():
        views = [_view(policy, contract, role) for role in policy.roles]
        for column in contract.columns:
            if column.is_classified:
                seen = found.setdefault((column.name, column.classification), [set() for _ in policy.roles])
                for view, outcomes in zip(views, seen, strict=True):
                    outcomes |= {str(view.outcomes[column.name])} if view else set()
    return {place: tuple(", ".join(sorted(told)) or NOTHING for told in seen) for place, seen in sorted(found.items())}


def _view(policy: Policy, contract: Contract, role: str) -> View | None:
    try:
        return policy.view(contract, role)
    except Forbidden:
        return None


def _columns(view: View) -> str:
    by_outcome = _grouped((str(outcome), column.name) for column, outcome in view.classified())
    return "\n".join(f"{outcome}: {', '.join(names)}" for outcome, names in by_outcome.items())


def _rank(seen: tuple[str, list[str]]) -> int:
    """By how much is seen, most first."""
    return -[NOTHING, *Outcome].index(seen[0]) if seen[0] in (NOTHING, *Outcome) else 0


def _grouped(pairs: Iterable[tuple[First, str]]) -> dict[First, list[str]]:
    """The second of the pairs by the first, as they come."""
    found: dict[First, list[str]] = {}
    for first, second in pairs:
        found.setdefault(first, []).append(second)
    return found


def _rows(view: View) -> str:
    told = [f"none where {view.hides}"] if view.hides else []
    for table, alternatives in view.only:
        ways = " or ".join(
            " and ".join(f"{name} is {_value(value)}" for name, value in one.items()) for one in alternatives
        )
        told.append(f"only of {table} whose {ways}")
    return "\n".join(told)


def _value(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _table(title: str, *columns: str) -> Table:
    shown = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD)
    shown.show_edge = shown.pad_edge = False
    for name in columns:
        shown.add_column(name)
    return shown
