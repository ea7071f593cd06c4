"""Advice on segments: actions and risks by the name of the segment where the playbook knows it, else by its traits."""

from collections.abc import Iterable, Iterator
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from governance.playbook import MOST_ACTIONS, MOST_RISKS, Action, Playbook

SEGMENT = ("segmentation", "segment")
ACTION, RISK = "action", "risk"
MOST = {ACTION: MOST_ACTIONS, RISK: MOST_RISKS}
# Of general advice only so much is taken that a segment has no less than this.
FEWEST = {ACTION: 2, RISK: 1}
FIRST, LAST = 0, 1_000
URGENCY = ("High", "Medium", "Low")
SAID = {"kind": pa.string(), "said": pa.string(), "priority": pa.string(), "place": pa.int64()}
Row = dict[str, Any]


def advice(segments: ir.Table, traits: ir.Table, playbook: Playbook) -> ir.Table:
    """One row per segment: action_1 to action_3 and priority_1 to priority_3, the most urgent first, risk_1 and risk_2.

    `segments` has a row for each segment with its customer_count, `traits` one for each measure by which it differs
    from all customers, numbered by `place`. That a segment is small is its first risk.
    """
    named = _named(playbook)
    others = segments.anti_join(named, SEGMENT)
    said = ibis.union(
        named.semi_join(segments, SEGMENT),
        *[part.select(named.columns) for part in (_by_trait(others, traits, playbook), _general(others, playbook))],
        _small(segments, playbook).select(named.columns),
    )
    return _side_by_side(_chosen(said))


def _chosen(said: ir.Table) -> ir.Table:
    """The first of each kind, actions then numbered by urgency."""
    counted = said.mutate(number=1 + ibis.row_number().over(group_by=(*SEGMENT, "kind"), order_by="place"))
    limits = (counted.place >= LAST).ifelse(_by_kind(counted, FEWEST), _by_kind(counted, MOST))
    kept = counted.filter(counted.number <= limits)
    urgency = ibis.cases(*[(kept.priority == word, place) for place, word in enumerate(URGENCY)])
    return kept.mutate(number=1 + ibis.row_number().over(group_by=(*SEGMENT, "kind"), order_by=[urgency, kept.number]))


def _by_kind(said: ir.Table, limits: dict[str, int]) -> ir.IntegerValue:
    return ibis.cases(*[(said.kind == kind, limit) for kind, limit in limits.items()])


def _side_by_side(chosen: ir.Table) -> ir.Table:
    columns = {
        f"{kind}_{number}": chosen.said.max(where=(chosen.kind == kind) & (chosen.number == number))
        for kind, most in MOST.items()
        for number in range(1, most + 1)
    }
    priorities = {
        f"priority_{number}": chosen.priority.max(where=chosen.number == number)
        for number in range(1, MOST_ACTIONS + 1)
    }
    return chosen.group_by(SEGMENT).agg(**columns, **priorities)


def _named(playbook: Playbook) -> ir.Table:
    """What the playbook says of segments by name."""
    listed = [
        {"segmentation": segmentation, "segment": segment, **row}
        for segmentation, advised in playbook.segments.items()
        for segment, one in advised.items()
        for row in _rows(one.actions, one.risks)
    ]
    return _table(listed, segmentation=pa.string(), segment=pa.string())


def _by_trait(segments: ir.Table, traits: ir.Table, playbook: Playbook) -> ir.Table:
    """What it says of the traits of segments, in their order."""
    listed = [
        {"feature": feature, "is_high": is_high, **row}
        for feature, trait in playbook.traits.items()
        for is_high, one in ((True, trait.high), (False, trait.low))
        if one
        for row in _rows([one.action], [one.risk])
    ]
    advised = _table(listed, feature=pa.string(), is_high=pa.bool_()).drop("place")
    found = traits.semi_join(segments, SEGMENT).mutate(is_high=traits.standardised_difference > 0)
    return found.inner_join(advised, ["feature", "is_high"])


def _general(segments: ir.Table, playbook: Playbook) -> ir.Table:
    """What it says of any segment, after everything else."""
    listed = [row | {"place": LAST + row["place"]} for row in _rows(playbook.general.actions, playbook.general.risks)]
    return segments.cross_join(_table(listed))


def _small(segments: ir.Table, playbook: Playbook) -> ir.Table:
    """The risk of segments with few customers, before everything else."""
    few = segments.filter(segments.customer_count.between(1, playbook.small.below - 1))
    return few.cross_join(_table([{"kind": RISK, "said": playbook.small.risk, "priority": None, "place": FIRST}]))


def _rows(actions: Iterable[Action], risks: Iterable[str]) -> Iterator[Row]:
    for place, action in enumerate(actions, start=1):
        yield {"kind": ACTION, "said": action.action, "priority": action.priority, "place": place}
    for place, risk in enumerate(risks, start=1):
        yield {"kind": RISK, "said": risk, "priority": None, "place": place}


def _table(rows: list[Row], **keys: pa.DataType) -> ir.Table:
    return ibis.memtable(pa.Table.from_pylist(rows, schema=pa.schema(keys | SAID)))
