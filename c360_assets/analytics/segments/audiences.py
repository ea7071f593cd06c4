"""Audiences: whom a campaign may speak to, by the rules for audiences. A customer may be in several."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.segment_rules import matching, with_interests
from governance.segments import Rule, Rules


@dg.asset
def audiences(
    features: ir.Table, category_interest: ir.Table, rules: dg.ResourceParam[Callable[[], Rules]]
) -> ir.Table:
    """One row per customer and audience; the first in order of precedence that is not sensitive is the primary one."""
    now = rules()
    described = with_interests(features, category_interest, now.audiences)
    held = matching(described, now.audiences)
    flagged = described.select("customer_id", **{f"in {name}": holds for name, holds in held.items()})
    is_open = [(flagged[f"in {rule.name}"], rule.name) for rule in now.audiences if not rule.sensitive]
    flagged = flagged.mutate(first_open=ibis.cases(*is_open))
    # One audience after the other: selections of flags are faster than lists of audiences taken apart again.
    return ibis.union(*[_members(flagged, rule, place) for place, rule in enumerate(now.audiences, start=1)]).mutate(
        rule_version=ibis.literal(now.full_version)
    )


def _members(flagged: ir.Table, rule: Rule, place: int) -> ir.Table:
    members = flagged.filter(flagged[f"in {rule.name}"])
    return members.select(
        "customer_id",
        audience=ibis.literal(rule.name),
        precedence=ibis.literal(place, type="int32"),
        is_primary=(members.first_open == rule.name).fill_null(False),
        is_sensitive=ibis.literal(rule.sensitive),
    )
