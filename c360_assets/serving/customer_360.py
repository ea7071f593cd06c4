"""Customer 360: the profile of each customer, from all other tables."""

import dagster as dg
import ibis
import ibis.expr.types as ir

from c360_assets.terms.joins import widened
from c360_assets.terms.texts import joined_texts
from c360_assets.terms.time import clock

DEMOGRAPHICS = (
    "customer_id",
    "is_registered",
    "gender",
    "age",
    "age_band",
    "education_level",
    "marital_status",
    "number_of_children",
    "household_size",
    "household_composition",
    "occupation",
    "annual_income",
    "income_band",
    "city",
    "state_code",
    "state",
    "country",
    "registered_at",
    "is_premium",
    "degree_of_loyalty",
    "accepts_email",
    "accepts_sms",
    "accepts_phone",
    "preferred_channel",
    "previous_purchases",
    "purchase_frequency",
)
SEGMENTS = (
    "customer_id",
    "customer_segment",
    "engagement_level",
    "primary_segment",
    "value_tier",
    "lifecycle_stage",
    "price_range",
    "activity_trend",
    "persona",
    "persona_traits",
    "rule_version",
    "unknown_because",
)
MEMBERSHIP = ("customer_id", "member_state", "points_earned", "points_burned")
PREFERRED_CATEGORIES = 3
NO_AGE = "demographics: the customer system does not know the age"
NOT_REGISTERED = "demographics: the customer system does not know the customer"
NOT_CLUSTERED = "the customer was not there when clusters were made"
NOT_SCORED = "the customer was not there when churn was scored"
NOT_ACTED = "the customer was not there when next actions were told"
NO_LIFETIME = "no completed order when values were last expected"
NEXT = (
    "customer_id",
    "next_action",
    "next_action_probability",
    "next_best_action",
    "next_best_action_priority",
)
LIFETIME = ("customer_id", "p_alive", "expected_purchases", "clv")
# What features say of the data as a whole, for rules to ask.
OF_THE_DATA = ("orders_span_days", "activity_span_days")


@dg.asset
def customer_360(
    customers: ir.Table,
    features: ir.Table,
    customer_segments: ir.Table,
    audiences: ir.Table,
    clusters: ir.Table,
    lifetime_value: ir.Table,
    churn_scores: ir.Table,
    next_actions: ir.Table,
    orders: ir.Table,
    order_lines: ir.Table,
    products: ir.Table,
    category_interest: ir.Table,
    browsing: ir.Table,
    touches: ir.Table,
    loyalty_members: ir.Table,
    recommendations: ir.Table,
    as_of: ir.Table,
) -> ir.Table:
    """One row per customer known to any system."""
    measures = [name for name in features.columns if name not in (*DEMOGRAPHICS, *OF_THE_DATA)]
    parts = [
        features.select("customer_id", *measures),
        customer_segments.select(SEGMENTS),
        _audiences(audiences),
        clusters.select("customer_id", "cluster_name", cluster_reason="reason"),
        lifetime_value.select(*LIFETIME, lifetime_reason="reason"),
        churn_scores.select("customer_id", "churn_probability", "churn_band", churn_reason="unknown_because"),
        next_actions.select(*NEXT, next_reason="unknown_because"),
        _bought(orders),
        _preferences(order_lines, products),
        _most_used(orders, "payment_method", "preferred_payment_method"),
        _interests(category_interest),
        browsing.select("customer_id", "last_seen_at", "preferred_device", "preferred_traffic_channel"),
        _touched(touches),
        loyalty_members.select(MEMBERSHIP),
        _recommended(recommendations),
    ]
    wide = widened(customers.select(DEMOGRAPHICS), "customer_id", *parts)
    age = wide.age.cast("string").fill_null(wide.age_band)
    has_touches = (touches.touch_count.count() > 0).as_scalar()
    return wide.mutate(
        as_of=clock(as_of).now,
        **{name: has_touches.ifelse(wide[name].fill_null(0), None) for name in ("touch_count", "channel_count")},
        last_seen_at=ibis.greatest(wide.last_ordered_at, wide.last_seen_at),
        unknown_because=joined_texts(
            [
                wide.unknown_because,
                _missing(age, wide.is_registered.ifelse(NO_AGE, NOT_REGISTERED)),
                _missing(wide.session_count, "web behaviour: no web events"),
                _missing(wide.nps_score, "satisfaction: no NPS answer"),
                _missing(wide.cluster_name, ibis.literal("cluster: ") + wide.cluster_reason.fill_null(NOT_CLUSTERED)),
                _missing(wide.churn_probability, ibis.literal("churn: ") + wide.churn_reason.fill_null(NOT_SCORED)),
                _missing(
                    wide.next_action, ibis.literal("next action: ") + _first(wide.next_reason).fill_null(NOT_ACTED)
                ),
                _missing(wide.clv, ibis.literal("lifetime value: ") + wide.lifetime_reason.fill_null(NO_LIFETIME)),
            ]
        ),
    ).drop("cluster_reason", "lifetime_reason", "churn_reason", "next_reason")


def _missing(value: ir.Value, reason: ir.StringValue | str) -> ir.StringValue:
    return value.isnull().ifelse(reason, ibis.null("string"))


def _first(reasons: ir.StringValue) -> ir.StringValue:
    """The first of several reasons."""
    return reasons.split("; ")[0]


def _audiences(audiences: ir.Table) -> ir.Table:
    """The names of the audiences that are not sensitive, in order of precedence."""
    shown = audiences.filter(~audiences.is_sensitive)
    return shown.group_by("customer_id").agg(
        audiences=shown.audience.group_concat("; ", order_by=shown.precedence.asc())
    )


def _bought(orders: ir.Table) -> ir.Table:
    return orders.group_by("customer_id").agg(
        first_ordered_at=orders.ordered_at.min(where=orders.is_completed),
        last_ordered_at=orders.ordered_at.max(where=orders.is_completed),
    )


def _interests(category_interest: ir.Table) -> ir.Table:
    """The categories a customer cares for most, the strongest first."""
    top = category_interest.filter(category_interest.preference_rank <= PREFERRED_CATEGORIES)
    return top.group_by("customer_id").agg(
        category_preferences=top.category.group_concat("; ", order_by=top.preference_rank.asc())
    )


def _touched(touches: ir.Table) -> ir.Table:
    return touches.group_by("customer_id").agg(
        touch_count=touches.touch_count.sum().cast("int64"),
        channel_count=touches.channel.nunique(),
    )


def _recommended(recommendations: ir.Table) -> ir.Table:
    """The product each customer is likeliest to buy, by name, or by ID where it has none."""
    first = recommendations.filter(recommendations["rank"] == 1)
    return first.select("customer_id", top_recommendation=first.product_name.fill_null(first.product_id))


def _preferences(order_lines: ir.Table, products: ir.Table) -> ir.Table:
    """Category and brand on which each customer spent most, after discounts."""
    sold = order_lines.filter(order_lines.line_kind == "sale", order_lines.customer_id.notnull())
    named = sold.join(products.select("sku_id", "product_category", "brand_name"), "sku_id")
    by_category = _top(named, "product_category", ibis._.net_amount.sum(), "preferred_category")
    by_brand = _top(named, "brand_name", ibis._.net_amount.sum(), "preferred_brand")
    return by_category.outer_join(by_brand, "customer_id").select(
        "preferred_category",
        "preferred_brand",
        customer_id=ibis.coalesce(ibis._.customer_id, ibis._.customer_id_right),
    )


def _most_used(orders: ir.Table, column: str, name: str) -> ir.Table:
    completed = orders.filter(orders.is_completed, orders.customer_id.notnull())
    return _top(completed, column, ibis._.count(), name)


def _top(rows: ir.Table, column: str, weight: ibis.Deferred, name: str) -> ir.Table:
    """Per customer the value of `column` with the greatest weight; the alphabet settles ties."""
    weighed = rows.filter(rows[column].notnull()).group_by(["customer_id", column]).agg(weight=weight)
    first = ibis.window(group_by="customer_id", order_by=[weighed.weight.desc(), column])
    ranked = weighed.mutate(place=ibis.row_number().over(first))
    return ranked.filter(ranked.place == 0).select("customer_id", **{name: column})
