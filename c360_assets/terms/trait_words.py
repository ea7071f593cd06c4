"""What is said of customers who have more or less of a measure than others: the words, all in one place."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa


@dataclass(frozen=True)
class Words:
    """A measure of `features`, the words for having more of it and less, and the unit its numbers are told in.

    Measures of one `topic` say much the same, so that a summary names one of them only: of those that tell a segment
    apart about as well, the first in this list.
    """

    feature: str
    topic: str
    high: str
    low: str
    unit: str = ""


DAYS, YEARS, MINUTES, PERCENT = " days", " years", " minutes", "%"
WORDS = (
    Words("is_registered", "registration", "more often registered", "less often registered", PERCENT),
    Words("is_premium", "premium", "more often premium", "less often premium", PERCENT),
    Words("age", "age", "older", "younger", YEARS),
    Words("annual_income", "income", "higher income", "lower income"),
    Words("number_of_children", "family", "more children", "fewer children"),
    Words("degree_of_loyalty", "loyalty", "rated more loyal", "rated less loyal"),
    Words("points_balance", "loyalty", "holds more loyalty points", "holds fewer loyalty points"),
    Words("tenure_days", "tenure", "with us for longer", "with us for a shorter time", DAYS),
    Words("history_days", "tenure", "buying for longer", "buying for a shorter time", DAYS),
    Words("recency_days", "recency", "last order longer ago", "last order more recent", DAYS),
    Words("frequency", "buying", "more orders", "fewer orders"),
    Words("item_count", "buying", "buys more pieces", "buys fewer pieces"),
    Words("previous_purchases", "buying", "more purchases in the past", "fewer purchases in the past"),
    Words("stated_orders_per_year", "buying", "states more orders a year", "states fewer orders a year"),
    Words("activity_change", "trend", "better activity trend", "worse activity trend", PERCENT),
    Words("recent_order_count", "trend", "more orders in the last 90 days", "fewer orders in the last 90 days"),
    Words("recent_session_count", "trend", "more visits in the last 90 days", "fewer visits in the last 90 days"),
    Words("former_order_count", "trend", "more orders 90 to 180 days ago", "fewer orders 90 to 180 days ago"),
    Words("former_session_count", "trend", "more visits 90 to 180 days ago", "fewer visits 90 to 180 days ago"),
    Words("monetary", "spending", "spends more", "spends less"),
    Words("historical_value", "spending", "is worth more", "is worth less"),
    Words("average_order_amount", "order size", "larger orders", "smaller orders"),
    Words("price_index", "prices", "pays more for like goods", "pays less for like goods"),
    Words("average_unit_price", "prices", "buys dearer pieces", "buys cheaper pieces"),
    Words("category_count", "variety", "buys from more categories", "buys from fewer categories"),
    Words("product_count", "variety", "buys more different products", "buys fewer different products"),
    Words("order_interval_days", "rhythm", "longer between orders", "less time between orders", DAYS),
    Words("return_rate", "returns", "sends back more", "sends back less", PERCENT),
    Words("discount_rate", "discounts", "buys more at a discount", "buys less at a discount", PERCENT),
    Words("session_count", "visits", "more visits", "fewer visits"),
    Words("engagement_minutes", "visits", "stays longer on the site", "stays less long on the site", MINUTES),
    Words("product_view_count", "visits", "looks at more products", "looks at fewer products"),
    Words("visit_recency_days", "last visit", "last visit longer ago", "last visit more recent", DAYS),
    Words("favorite_count", "favourites", "more favourites", "fewer favourites"),
    Words("cart_count", "carts", "puts more into carts", "puts less into carts"),
    Words("abandoned_cart_count", "carts", "leaves more carts behind", "leaves fewer carts behind"),
    Words("review_count", "reviews", "writes more reviews", "writes fewer reviews"),
    Words("average_rating", "ratings", "gives better ratings", "gives worse ratings"),
    Words("support_ticket_count", "support", "asks for help more often", "asks for help less often"),
    Words("nps_score", "satisfaction", "recommends us more", "recommends us less"),
    Words("csat_score", "satisfaction", "more satisfied", "less satisfied"),
    Words("ces_score", "effort", "higher effort score", "lower effort score"),
)


@ibis.udf.scalar.builtin(name="format")
def _format(template: str, value: float) -> str:  # type: ignore[empty-body]
    """The value as the template says, such as `{:,.2f}`; the database does it."""


def as_table() -> ir.Table:
    """One row per feature: its place in the list, topic, words and unit."""
    return ibis.memtable(pa.Table.from_pylist([{"place": place, **vars(one)} for place, one in enumerate(WORDS)]))


def in_words(
    words: ir.StringValue, unit: ir.StringValue, value: ir.FloatingValue, other: ir.FloatingValue
) -> ir.StringValue:
    """Two numbers in words, such as `spends more: 6,512 against 2,054`; shares in percent."""
    is_share = unit == PERCENT
    scale = is_share.ifelse(100.0, 1.0)
    # Three digits, or two of what has a unit.
    greater = ibis.greatest(value.abs(), other.abs()) * scale * (unit == "").ifelse(1.0, 10.0)
    template = ibis.cases((greater >= 100, "{:,.0f}"), (greater >= 10, "{:,.1f}"), else_="{:,.2f}")
    first, second = (_format(template, number * scale).re_replace(r"^-?0(\.0+)?$", "0") for number in (value, other))
    return words + ": " + first + unit + " against " + second + is_share.ifelse(PERCENT, "")
