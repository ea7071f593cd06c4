"""Audiences: whom a campaign may speak to, by the rules for audiences. A customer may be in several."""

from collections.abc import Callable

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.analytics.rules import matching, with_interests
from governance.segments import Rules


@dg.asset
def audiences(
    features: ir.Table, category_interest: ir.Table, rules: dg.ResourceParam[Callable[[], Rules]]
) -> ir.Table:
    """One row per customer and audience; the first in order of precedence that is not sensitive is the primary one."""
    now = rules()
    described = with_interests(features, category_interest, now)
    held = matching(described, now.audiences)
    # Places in the order of precedence, one for each audience the customer is in.
    places = ibis.array([held[rule.name].ifelse(place, None) for place, rule in enumerate(now.audiences, start=1)])
    is_open = [place for place, rule in enumerate(now.audiences, start=1) if not rule.sensitive]
    in_each = described.select("customer_id", places=places.filter(lambda place: place.notnull()))
    listed = in_each.mutate(
        precedence=in_each.places.unnest(),
        first_place=in_each.places.filter(lambda place: place.isin(is_open)).mins(),
    )
    return listed.select(
        "customer_id",
        audience=ibis.cases(*[(listed.precedence == place, rule.name) for place, rule in _placed(now)]),
        precedence=listed.precedence.cast("int32"),
        is_primary=listed.precedence == listed.first_place,
        is_sensitive=ibis.cases(*[(listed.precedence == place, rule.sensitive) for place, rule in _placed(now)]),
        rule_version=ibis.literal(now.full_version),
    )


def _placed(rules: Rules) -> enumerate:
    return enumerate(rules.audiences, start=1)
