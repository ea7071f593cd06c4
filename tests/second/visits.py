"""What customers and visitors do in the shop, by which channels they are met, and which goods they care about."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from tests.second.customers import WINDOW, sold_lines
from tests.second.published import Published

Z = 1.959963984540054
# That there is a reason can be computed, its words cannot.
SOME = "some reason"


def hourly_activity(tables: Published) -> pd.DataFrame:
    sessions, orders = tables["sessions"], tables["orders"]
    orders = orders[orders.is_completed.astype(bool) & orders.ordered_at.notna()]
    visited, ordered = _hours(tables.clock(sessions.started_at)), _hours(tables.clock(orders.ordered_at))
    visits_tell, orders_tell = _tell_hours(sessions.started_at), _tell_hours(orders.ordered_at)
    rows = []
    for weekday in range(1, 8):
        for hour in range(24):
            then = sessions[visited == (weekday, hour)] if len(sessions) else sessions
            ordered_then = int((ordered == (weekday, hour)).sum())
            row = {
                "weekday": weekday,
                "hour": hour,
                "session_count": len(then) if visits_tell else None,
                "session_share": len(then) / len(sessions) if visits_tell else None,
                "product_view_count": then.product_view_count.sum() if visits_tell else None,
                "cart_count": then.cart_count.sum() if visits_tell else None,
                "order_count": ordered_then if orders_tell else None,
                "order_share": ordered_then / len(orders) if orders_tell else None,
                "reason": None if visits_tell and orders_tell else SOME,
            }
            rows.append(row)
    return pd.DataFrame(rows)


def _hours(moments: pd.Series) -> pd.Series:
    return pd.Series(zip(moments.dt.day_of_week + 1, moments.dt.hour, strict=True), moments.index, dtype=object)


def _tell_hours(moments: pd.Series) -> bool:
    """Whether any has a time of the day."""
    return bool((moments != moments.dt.normalize()).any())


STEPS = {"view": "product_view_count", "favorite": "favorite_count", "cart": "cart_count", "order": "order_count"}


def funnel(tables: Published) -> pd.DataFrame:
    segments = tables["customer_segments"][["customer_id", "customer_segment", "engagement_level"]]
    sessions = tables["sessions"].merge(segments, how="left", left_on="entity_id", right_on="customer_id")
    did = pd.DataFrame({step: sessions[column] > 0 for step, column in STEPS.items()})
    rows = []
    for dimension in ("all", "traffic_channel", "device", "customer_segment", "engagement_level"):
        values = pd.Series("all", sessions.index) if dimension == "all" else sessions[dimension].fillna("unknown")
        for value in values.unique() if len(sessions) else ["all"] if dimension == "all" else []:
            rows += _steps(dimension, value, did[values == value], sessions.entity_id, len(sessions) > 0)
    return pd.DataFrame(rows).assign(reason=None if len(sessions) else SOME)


def _steps(dimension: str, value: str, did: pd.DataFrame, who: pd.Series, known: bool) -> Iterator[dict[str, Any]]:
    names = list(STEPS)
    reached = [did[names[step:]].any(axis=1).sum() for step in range(len(names))]
    for step, name in enumerate(names):
        these, views = did[name], did["view"].sum()
        before = did[names[step - 1]] if step else None
        yield {
            "dimension": dimension,
            "value": value,
            "step": step + 1,
            "step_name": name,
            "session_count": these.sum() if known else None,
            "reached_count": reached[step] if known else None,
            "customer_count": who[these.index[these]].nunique() if known else None,
            "rate_of_views": (these & did["view"]).sum() / views if views else None,
            "rate_of_previous": (these & before).sum() / before.sum() if before is not None and before.sum() else None,
            "drop_off_rate": 1 - reached[step + 1] / reached[step] if step < 3 and reached[step] else None,
        }


TOP_PATHS, SHOWN_STEPS = 100, 8


def journeys(tables: Published) -> pd.DataFrame:
    visits = tables["session_paths"].merge(tables["sessions"], on="session_id")
    actions = visits.path.str.split(" > ")
    shown = actions.map(lambda steps: " > ".join(steps[:SHOWN_STEPS] + ["..."] * (len(steps) > SHOWN_STEPS)))
    counts = shown.value_counts()
    ranked = sorted(counts.index, key=lambda path: (-counts[path], path))
    place = {path: place for place, path in enumerate(ranked[:TOP_PATHS], 1)}
    groups = shown.where(shown.isin(place.keys()), "(other)")
    rows = []
    for path, group in visits.groupby(groups):
        ends = Counter(actions[group.index].str[-1])
        ordered = (group.order_count > 0).sum()
        row = {
            "path": path,
            "step_count": None if path == "(other)" else min(len(actions[group.index[0]]), SHOWN_STEPS),
            "session_count": len(group),
            "session_share": len(group) / len(visits),
            "customer_count": group.entity_id.nunique(),
            "order_count": ordered,
            "conversion_rate": ordered / len(group),
            "last_action": min(ends, key=lambda action: (-ends[action], action)),
            "average_minutes": group.engagement_minutes.mean(),
            "rank": place.get(path, len(place) + 1),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def journey_steps(tables: Published) -> pd.DataFrame:
    times: Counter[tuple[str, str]] = Counter()
    sessions: Counter[tuple[str, str]] = Counter()
    for path in tables["session_paths"].path:
        actions = ["(start)", *path.split(" > "), "(end)"]
        steps = list(itertools.pairwise(actions))
        times.update(steps)
        sessions.update(set(steps))
    of_from: Counter[str] = Counter()
    for (start, _), count in times.items():
        of_from[start] += count
    rows = [
        (start, end, count, sessions[start, end], count / of_from[start], end == "(end)")
        for (start, end), count in times.items()
    ]
    columns = ["from_action", "to_action", "transition_count", "session_count", "share_of_from", "is_drop_off"]
    return pd.DataFrame(rows, columns=columns)


def moments(tables: Published) -> pd.DataFrame:
    visits = [path.split(" > ") for path in tables["session_paths"].path]
    before = [(set(_before_order(actions)), "order_placed" in actions) for actions in visits]
    every_order = sum(ordered for _, ordered in before)
    rows = []
    for action in sorted(set().union(*(done for done, _ in before))):
        of = [ordered for done, ordered in before if action in done]
        n, orders = len(of), sum(of)
        others, other_orders = len(visits) - n, every_order - orders
        rate, other_rate = orders / n, other_orders / others if others else None
        difference = rate - other_rate if other_rate is not None else None
        low = high = None
        if min(n, others) >= 30:
            half = Z * math.sqrt(rate * (1 - rate) / n + other_rate * (1 - other_rate) / others)
            low, high = difference - half, difference + half
        row = {
            "action": action,
            "session_count": n,
            "session_share": n / len(visits),
            "order_count": orders,
            "conversion_rate": rate,
            "other_session_count": others,
            "other_order_count": other_orders,
            "other_conversion_rate": other_rate,
            "lift": rate / other_rate if other_rate else None,
            "difference": difference,
            "difference_low": low,
            "difference_high": high,
            "is_significant": not low <= 0 <= high if low is not None else None,
        }
        rows.append(row)
    rows.sort(key=lambda row: (-abs(row["difference"] or 0), row["action"]))
    return pd.DataFrame(row | {"rank": place} for place, row in enumerate(rows, 1))


def _before_order(actions: list[str]) -> list[str]:
    return actions[: actions.index("order_placed")] if "order_placed" in actions else actions


def browsing(tables: Published) -> pd.DataFrame:
    sessions = tables["sessions"]
    ours = sessions[sessions.entity_id.notna()]
    ours = ours.assign(ago=tables.days_ago(ours.started_at))
    ours["is_recent"] = ours.ago < WINDOW
    ours["is_former"] = ours.ago.between(WINDOW, 2 * WINDOW - 1)
    table = ours.groupby("entity_id").agg(
        session_count=("session_id", "size"),
        product_view_count=("product_view_count", "sum"),
        favorite_count=("favorite_count", "sum"),
        cart_count=("cart_count", "sum"),
        abandoned_cart_count=("is_cart_abandoned", "sum"),
        web_order_count=("order_count", "sum"),
        engagement_minutes=("engagement_minutes", "sum"),
        bounce_rate=("is_bounce", "mean"),
        first_seen_at=("started_at", "min"),
        last_seen_at=("ended_at", "max"),
        recent_session_count=("is_recent", "sum"),
        former_session_count=("is_former", "sum"),
        preferred_device=("device", _most),
        preferred_traffic_channel=("traffic_channel", _most),
    )
    return table.rename_axis("customer_id").reset_index()


def _most(values: pd.Series) -> str | None:
    """The value of most, the first in the alphabet of equals."""
    counts = Counter(values.dropna())
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


WEIGHTS = {"view_count": 1, "favorite_count": 2, "cart_count": 3, "line_count": 5}


def category_interest(tables: Published) -> pd.DataFrame:
    category = tables["products"].set_index("sku_id").product_category
    views = tables["product_views"].assign(category_name=tables["product_views"].product_sku.map(category))
    kinds = {"view_count": views, "favorite_count": tables["items_added_to_favorite"]}
    kinds["cart_count"] = tables["items_added_to_cart"]
    events = [
        pd.DataFrame(
            {"customer_id": rows.entity_id, "category": rows.category_name, "at": rows.activity_ts, "kind": kind}
        )
        for kind, rows in kinds.items()
    ]
    lines = sold_lines(tables)
    bought = lines.assign(at=lines.ordered_at, kind="line_count")
    bought = bought[["customer_id", "category", "at", "kind", "order_id", "pieces", "line_amount"]]
    everything = pd.concat([*events, bought], ignore_index=True).dropna(subset=["customer_id", "category"])
    if everything.empty:
        return pd.DataFrame()
    everything["is_recent"] = (tables.days_ago(everything["at"]) < WINDOW) & (everything.kind != "line_count")
    everything["weight"] = everything.kind.map(WEIGHTS)
    for kind in WEIGHTS:
        everything[kind] = everything.kind == kind
    table = everything.groupby(["customer_id", "category"]).agg(
        **{kind: (kind, "sum") for kind in WEIGHTS},
        order_count=("order_id", "nunique"),
        item_count=("pieces", "sum"),
        spent_amount=("line_amount", "sum"),
        last_at=("at", "max"),
        recent_interest_count=("is_recent", "sum"),
        weight=("weight", "sum"),
    )
    table = table.reset_index()
    table["interest_share"] = table.weight / table.groupby("customer_id").weight.transform("sum")
    table = table.sort_values(["weight", "spent_amount", "category"], ascending=[False, False, True])
    table["preference_rank"] = table.groupby("customer_id").cumcount() + 1
    return table.drop(columns="weight")


def category_distribution(tables: Published) -> pd.DataFrame:
    category = tables["products"].set_index("sku_id").product_category
    lines = sold_lines(tables)
    views, carts = tables["product_views"], tables["items_added_to_cart"]
    of_line = lines.category.fillna("unknown")
    of_view = views.product_sku.map(category).fillna("unknown")
    of_cart = carts.category_name.fillna("unknown")
    held, whole = len(tables["sources/web_analytics"]) > 0, lines.line_amount.sum()
    rows = []
    for name in {*category.dropna(), *of_line, *of_view, *of_cart}:
        sold, seen = lines[of_line == name], int((of_view == name).sum())
        row = {
            "category": name,
            "customer_count": sold.customer_id.nunique(),
            "order_count": sold.order_id.nunique(),
            "item_count": sold.pieces.sum(),
            "revenue": sold.line_amount.sum(),
            "revenue_share": sold.line_amount.sum() / whole if whole else None,
            "view_count": seen if held else None,
            "cart_count": (of_cart == name).sum() if held else None,
            "view_to_order_rate": sold.order_id.nunique() / seen if seen and len(tables["orders"]) else None,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def interest_trend(tables: Published) -> pd.DataFrame:
    orders, sessions = tables["orders"], tables["sessions"]
    completed = orders[orders.is_completed.astype(bool)]
    views, favorites, carts = (
        tables[key] for key in ("product_views", "items_added_to_favorite", "items_added_to_cart")
    )
    looked = pd.concat([views, favorites, carts])
    events = tables.day(tables.by_now(tables["sources/web_analytics"], "activity_ts").activity_ts)
    first_event, first_order = events.min(), tables.day(orders.ordered_at).min()
    per_day = tables.day(views.activity_ts).value_counts()
    rows: list[dict[str, Any]] = []
    if pd.isna(tables.today):
        return pd.DataFrame()
    for ago in range(30):
        day = tables.today - pd.Timedelta(days=ago)

        def then(moments: pd.Series, day: pd.Timestamp = day) -> pd.Series:
            return tables.day(moments) == day

        web, shop = day >= first_event, day >= first_order
        week = [int(per_day.get(day - pd.Timedelta(days=back), 0)) for back in range(7)]
        counts = {
            "product_view_count": then(views.activity_ts).sum(),
            "favorite_count": then(favorites.activity_ts).sum(),
            "cart_count": then(carts.activity_ts).sum(),
            "session_count": then(sessions.started_at).sum(),
            "customer_count": looked.entity_id[then(looked.activity_ts)].nunique(),
        }
        row = {
            "active_on": day,
            **{name: count if web else None for name, count in counts.items()},
            "order_count": then(completed.ordered_at).sum() if shop else None,
            "seven_day_average": sum(week) / 7 if day - pd.Timedelta(days=6) >= first_event else None,
            "reason": None if web and shop else SOME,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def touches(tables: Published) -> pd.DataFrame:
    orders, sessions = tables["orders"], tables["sessions"]
    marketing = tables.by_now(tables["sources/marketing_touchpoint"], "touched_at")
    tickets = tables.by_now(tables["sources/support_ticket"], "opened_at")
    answers = tables.by_now(tables["sources/survey_answer"], "answered_at")
    reviews = tables.by_now(tables["sources/review"], "reviewed_at")
    completed = orders[orders.is_completed.astype(bool)]
    parts = [
        _met("web", sessions.entity_id, sessions.traffic_channel, sessions.started_at, orders=sessions.order_count),
        _met("sales", completed.customer_id, completed.sales_channel, completed.ordered_at, orders=1),
        _met("marketing", marketing.customer_id, marketing.traffic_channel, marketing.touched_at, cost=marketing.cost),
        _met("support", tickets.customer_id, tickets.contact_channel, tickets.opened_at),
        _met("feedback", answers.customer_id, "survey", answers.answered_at),
        _met("feedback", reviews.customer_id, "review", reviews.reviewed_at),
    ]
    met = pd.concat(parts, ignore_index=True).dropna(subset="customer_id")
    met["is_recent"] = tables.days_ago(met["at"]) < WINDOW
    grouped = met.groupby(["customer_id", "channel_kind", "channel"])
    return grouped.agg(
        touch_count=("is_recent", "size"),
        recent_touch_count=("is_recent", "sum"),
        first_at=("at", "min"),
        last_at=("at", "max"),
        cost=("cost", "sum"),
        order_count=("order_count", "sum"),
    ).reset_index()


def _met(kind: str, who: pd.Series, channel: Any, at: pd.Series, cost: Any = 0, orders: Any = 0) -> pd.DataFrame:
    rows = pd.DataFrame({"customer_id": who, "channel": channel, "at": at, "cost": cost, "order_count": orders})
    rows["cost"] = (rows.cost.fillna(0).astype(float) * 10_000).round().astype("int64")
    return rows.assign(channel_kind=kind, channel=rows.channel.fillna("unknown"))


def communication_preferences(tables: Published) -> pd.DataFrame:
    people, met = tables["customers"], tables.by_now(tables["sources/marketing_touchpoint"], "touched_at")
    addresses = {"email": people.email_address, "sms": people.phone_number, "phone": people.phone_number}
    rows = []
    for channel, address in addresses.items():
        consent = people[f"accepts_{channel}"]
        known = consent.notna().any()
        agreed, declined = consent.eq(True), consent.eq(False)
        row = {
            "channel": channel,
            "customer_count": len(people),
            "accepted_count": agreed.sum() if known else None,
            "declined_count": declined.sum() if known else None,
            "unknown_count": consent.isna().sum(),
            "acceptance_rate": agreed.sum() / (agreed | declined).sum() if known else None,
            "reachable_count": (agreed & address.notna()).sum() if known else None,
            "preferred_count": (
                (people.preferred_channel.str.lower() == channel).sum()
                if people.preferred_channel.notna().any()
                else None
            ),
            "touch_count": (met.traffic_channel.str.lower() == channel).sum() if len(met) else None,
            "reason": None if known else SOME,
        }
        rows.append(row)
    return pd.DataFrame(rows)
