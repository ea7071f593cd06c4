"""Frictions: where visits to the shop stumble, what they leave behind there, and what to mend first."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.conformed.session_paths import OTHER
from c360_assets.terms.amounts import MONEY
from c360_assets.terms.pages import UNKNOWN, path_of

HIGH_SHARE, MEDIUM_SHARE = 0.05, 0.01
TOP_PLACES = 50


@dg.asset
def frictions(sessions: ir.Table, stumbles: ir.Table, items_added_to_cart: ir.Table) -> ir.Table:
    """One row per kind of friction and place, the most frequent places by name and all others of the kind together."""
    met = ibis.union(
        _abandoned(sessions, "abandoned_cart", "cart_count"),
        _abandoned(sessions, "abandoned_checkout", "checkout_count"),
        stumbles.select("session_id", "kind", "place", "example_count"),
    )
    touched = _gathered(met).join(sessions.select("session_id", "entity_id"), "session_id")
    measured = touched.left_join(_left_in_carts(items_added_to_cart, sessions), "session_id")
    summed = measured.group_by("kind", "place").agg(
        session_count=measured.count(),
        customer_count=measured.entity_id.nunique(),
        example_count=measured.example_count.sum().cast("int64"),
        lost_value=measured.cart_value.sum().cast(MONEY),
    )
    return _ranked(summed.mutate(session_share=summed.session_count / sessions.count().as_scalar()))


def _abandoned(sessions: ir.Table, kind: str, count: str) -> ir.Table:
    """Visits that began it and did not order, with the page they left from."""
    left = sessions.filter((sessions[count] > 0) & (sessions.order_count == 0))
    place = path_of(left.exit_page).fill_null(UNKNOWN)
    return left.select("session_id", kind=ibis.literal(kind), place=place, example_count=left[count])


def _gathered(met: ir.Table) -> ir.Table:
    """One row per visit, kind and place, the rare places of a kind together."""
    sizes = met.group_by("kind", "place").agg(visits=met.count())
    by_size = ibis.window(group_by=sizes.kind, order_by=[sizes.visits.desc(), sizes.place])
    top = sizes.mutate(position=ibis.row_number().over(by_size))
    named = met.left_join(top.filter(top.position < TOP_PLACES).select("kind", "place"), ["kind", "place"])
    kept = named.select("session_id", "kind", "example_count", place=named.place_right.fill_null(OTHER))
    return kept.group_by("session_id", "kind", "place").agg(example_count=kept.example_count.sum())


def _left_in_carts(items_added_to_cart: ir.Table, sessions: ir.Table) -> ir.Table:
    """What lies in the carts of visits that did not order, where prices are known."""
    items = items_added_to_cart.semi_join(sessions.filter(sessions.is_cart_abandoned), "session_id")
    return items.group_by("session_id").agg(cart_value=items.order_value.sum())


def _ranked(summed: ir.Table) -> ir.Table:
    share = summed.session_share
    by_size = [summed.session_count.desc(), summed.kind, summed.place]
    return summed.mutate(
        priority=ibis.cases((share >= HIGH_SHARE, "High"), (share >= MEDIUM_SHARE, "Medium"), else_="Low"),
        rank=(1 + ibis.row_number().over(order_by=by_size)).cast("int32"),
    )
