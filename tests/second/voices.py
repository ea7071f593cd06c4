"""What customers say of the shop, and what the loyalty programme makes of them."""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tests.second.customers import WINDOW
from tests.second.published import Published

Z = 1.959963984540054
SCALES = {"NPS": (0, 10), "CSAT": (1, 5), "CES": (1, 7)}
FEW = 10


def _answers(tables: Published) -> pd.DataFrame:
    answers = tables.by_now(tables["sources/survey_answer"], "answered_at")
    kinds = answers.survey_type.str.strip().str.upper()
    on_scale = [_on_scale(*pair) for pair in zip(kinds, answers.score, strict=True)]
    return answers.assign(kind=kinds, on_scale=pd.Series(on_scale, answers.index, dtype=bool))


def _on_scale(kind: Any, score: Any) -> bool:
    least, most = SCALES.get(kind, (1, 0))
    return bool(least <= score <= most)


def _reviews(tables: Published) -> pd.DataFrame:
    reviews = tables.by_now(tables["sources/review"], "reviewed_at")
    return reviews.assign(rating=reviews.rating.where(reviews.rating.between(1, 5)))


def _tickets(tables: Published) -> pd.DataFrame:
    tickets = tables.by_now(tables["sources/support_ticket"], "opened_at")
    resolved = tickets.resolved_at.where(tickets.resolved_at <= tables.as_of)
    hours = (resolved - tickets.opened_at).dt.total_seconds().floordiv(1) / 3600
    return tickets.assign(resolved_at=resolved, hours=hours.where(hours >= 0))


def feedback(tables: Published) -> pd.DataFrame:
    answers, tickets = _answers(tables), _tickets(tables)
    reviews = _reviews(tables)
    who = pd.Index(sorted({*answers.customer_id, *tickets.customer_id, *reviews.customer_id} - {None}))
    scores = answers[answers.on_scale].sort_values(["answered_at", "answer_id"])
    latest = {
        kind: scores[scores.kind == kind].groupby("customer_id").tail(1).set_index("customer_id") for kind in SCALES
    }
    of_ticket, of_review = tickets.groupby("customer_id"), reviews.groupby("customer_id")
    table = pd.DataFrame(
        {
            **{f"{kind.lower()}_score": latest[kind].score for kind in SCALES},
            "nps_answered_at": latest["NPS"].answered_at,
            "survey_answer_count": answers.groupby("customer_id").size().reindex(who, fill_value=0),
            "review_count": of_review.size().reindex(who, fill_value=0),
            "average_rating": of_review.rating.mean(),
            "last_review_at": of_review.reviewed_at.max(),
            "support_ticket_count": of_ticket.size().reindex(who, fill_value=0),
            "open_ticket_count": tickets.resolved_at.isna()
            .groupby(tickets.customer_id)
            .sum()
            .reindex(who, fill_value=0),
            "resolution_hours": of_ticket.hours.mean(),
            "last_ticket_at": of_ticket.opened_at.max(),
        },
        index=who,
    )
    return table.rename_axis("customer_id").reset_index()


UNITS = {"nps": "points", "csat": "percent", "ces": "1 to 7", "rating": "stars", "resolution": "hours"}
SEGMENTS = ("engagement_level", "customer_segment", "persona", "value_tier", "is_premium")


def satisfaction(tables: Published) -> pd.DataFrame:
    answers, tickets = _answers(tables), _tickets(tables)
    reviews = _reviews(tables)
    answers = answers[answers.on_scale]
    tickets = tickets[tickets.hours.notna()]
    parts = [answers.assign(metric=answers.kind.str.lower(), at=answers.answered_at)]
    parts += [reviews.assign(metric="rating", at=reviews.reviewed_at, score=reviews.rating)]
    parts += [tickets.assign(metric="resolution", at=tickets.resolved_at, score=tickets.hours)]
    said = pd.concat(part[["customer_id", "metric", "at", "score"]] for part in parts)
    segments = tables["customer_segments"][["customer_id", *SEGMENTS]]
    said = said[said.score.notna()].merge(segments, how="left", on="customer_id")
    said["month"] = tables.clock(said["at"]).dt.strftime("%Y-%m")
    said["is_premium"] = said.is_premium.map({True: "true", False: "false"})
    said["all"] = "all"
    rows = []
    for metric in UNITS:
        of = said[said.metric == metric]
        for dimension in ("all", "month", *SEGMENTS):
            for value, group in of.groupby(of[dimension].fillna("unknown")):
                rows.append(_told(metric, dimension, str(value), group.score.astype(float)))
        if not len(of):
            rows.append(_told(metric, "all", "all", of.score))
    return pd.DataFrame(rows)


def _told(metric: str, dimension: str, value: str, scores: pd.Series) -> dict[str, Any]:
    n = len(scores)
    score, low, high = _interval(metric, scores)
    row = {"metric": metric, "dimension": dimension, "value": value, "answer_count": n, "unit": UNITS[metric]}
    row |= {"score": score, "low": low, "high": high}
    is_nps = metric == "nps"
    row |= {
        "promoter_count": (scores >= 9).sum() if is_nps else None,
        "passive_count": scores.between(7, 8).sum() if is_nps else None,
        "detractor_count": (scores <= 6).sum() if is_nps else None,
        "satisfied_count": (scores >= 4).sum() if metric == "csat" else None,
    }
    reasons = {
        "no answers": n == 0,
        "one alone says nothing of how others vary": n == 1 and low is None,
        "all are alike, which says nothing of how others vary": low is None,
        "fewer than ten answers are too few to compare": n < FEW,
    }
    return row | {"reason": next((reason for reason, holds in reasons.items() if holds), None)}


def _interval(metric: str, scores: pd.Series) -> tuple[float | None, float | None, float | None]:
    n = len(scores)
    if not n:
        return None, None, None
    if metric == "csat":
        return _wilson(int((scores >= 4).sum()), n)
    if metric == "nps":
        scores = (scores >= 9).astype(float) * 100 - (scores <= 6).astype(float) * 100
    mean = float(scores.mean())
    if n == 1 or scores.nunique() == 1:
        return mean, None, None
    if metric == "nps":
        half = Z * scores.std(ddof=0) / math.sqrt(n)
        least, most = -100.0, 100.0
    else:
        half = _half(scores)
        least, most = {"ces": (1.0, 7.0), "rating": (1.0, 5.0), "resolution": (0.0, math.inf)}[metric]
    return mean, max(mean - half, least), min(mean + half, most)


def _half(values: pd.Series) -> float:
    """Half of Student's 95 % interval of the mean."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n))


def _wilson(yes: int, n: int) -> tuple[float, float, float]:
    rate, square = yes / n, Z * Z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = Z * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n)) / (1 + square / n)
    return 100 * rate, max(100 * (middle - half), 0.0), min(100 * (middle + half), 100.0)


# Loyalty


def _ledger(tables: Published) -> pd.DataFrame:
    """What each entry adds to its kind; below 0 where it takes back one before it."""
    entries = tables.by_now(tables["sources/loyalty_ledger"], "entry_ts")
    entries = entries[entries.customer_id.notna()]
    kind = entries.entry_type.str.strip().str.lower()
    usual = np.sign(entries.points).groupby(kind).sum().map(lambda balance: -1 if balance < 0 else 1)
    return entries.assign(kind=kind, added=entries.points * kind.map(usual))


def loyalty_members(tables: Published) -> pd.DataFrame:
    ledger = _ledger(tables)
    if ledger.empty:
        return pd.DataFrame()
    ledger = ledger.assign(ago=tables.days_ago(ledger.entry_ts), is_used=_is_used(ledger))
    used = ledger[ledger.is_used]
    recent = used[used.ago < WINDOW]
    table = ledger.groupby("customer_id").agg(joined_at=("entry_ts", "min"), last_entry_at=("entry_ts", "max"))
    for kind, taken in (("earn", "earned"), ("burn", "burned"), ("expire", "expired")):
        table[f"points_{taken}"] = _per_customer(ledger[ledger.kind == kind], table.index, "sum")
    for kind in ("earn", "burn"):
        table[f"{kind}_count"] = _per_customer(used[used.kind == kind], table.index, "count")
        recently = _per_customer(recent[recent.kind == kind], table.index, "count")
        table[f"recent_{kind}_count"] = recently.where(table.joined_at.notna())
    table["points_balance"] = table.points_earned - table.points_burned - table.points_expired
    table["burn_rate"] = (table.points_burned / table.points_earned).where(table.points_earned != 0)
    table["last_activity_at"] = used.groupby("customer_id").entry_ts.max()
    ago = used.groupby("customer_id").ago.min().reindex(table.index)
    table["is_engaged"] = (ago < WINDOW).astype(object).where(table.joined_at.notna(), None)
    state = np.where(ago < 90, "active", np.where(ago < 365, "dormant", "lapsed"))
    table["member_state"] = pd.Series(state, table.index).where(table.joined_at.notna(), None)
    return table.reset_index()


def _is_used(ledger: pd.DataFrame) -> pd.Series:
    """Whether an entry earned or burned points, and took none back."""
    return ledger.kind.isin(["earn", "burn"]) & (ledger.added > 0)


def _per_customer(entries: pd.DataFrame, who: pd.Index, how: str) -> pd.Series:
    return entries.groupby("customer_id").added.agg(how).reindex(who, fill_value=0)


def _compared(tables: Published) -> pd.DataFrame:
    """Completed orders on which points were burned, with the mean of later orders without by the same customer."""
    ledger, orders = _ledger(tables), tables["orders"]
    burned = ledger[ledger.kind == "burn"].groupby("order_id").added.sum()
    orders = orders.assign(points=orders.order_id.map(burned).astype(float), amount=orders.order_amount / 10_000)
    orders = orders[orders.is_completed.astype(bool) & orders.order_amount.notna()]
    with_points = orders[orders.points > 0]
    without = orders[~(orders.points > 0) & orders.customer_id.notna()]
    theirs = without.groupby("customer_id").indices
    usual = []
    for order in with_points.itertuples():
        rows = without.iloc[theirs.get(order.customer_id, [])]
        mean = rows.order_amount[rows.ordered_at > order.ordered_at].mean()
        usual.append(math.floor(mean + 0.5) / 10_000 if mean == mean else None)
    with_points = with_points.assign(usual=pd.Series(usual, with_points.index, dtype=float))
    return with_points.assign(difference=with_points.amount - with_points.usual)


def loyalty_programme(tables: Published) -> pd.DataFrame:
    ledger, orders = _ledger(tables), tables["orders"]
    columns = list(tables["loyalty_programme"].columns)
    ledger = ledger[ledger.entry_ts.notna()]
    if not len(ledger):
        return pd.DataFrame(columns=columns)
    ledger = ledger.assign(month=tables.day(ledger.entry_ts).dt.to_period("M"))
    orders = orders[orders.is_completed.astype(bool) & orders.order_amount.notna() & orders.ordered_at.notna()]
    orders = orders.assign(month=tables.day(orders.ordered_at).dt.to_period("M"))
    joined = ledger.groupby("customer_id").month.min()
    burns = _compared(tables)
    burns = burns[burns.ordered_at.notna()]
    burns = burns.assign(month=tables.day(burns.ordered_at).dt.to_period("M"))
    rows = []
    for month in pd.period_range(ledger.month.min(), tables.today.to_period("M"), freq="M"):
        now, so_far = ledger[ledger.month == month], ledger[ledger.month <= month]
        members = set(joined.index[joined <= month])
        then = orders[orders.month == month]
        theirs = then.customer_id.isin(members)
        active = now[_is_used(now)].customer_id.nunique()
        earned, burned, expired = (int(so_far.added[so_far.kind == kind].sum()) for kind in ("earn", "burn", "expire"))
        in_month = {kind: int(now.added[now.kind == kind].sum()) for kind in ("earn", "burn", "expire")}
        row = {
            "month_on": month.to_timestamp(),
            "points_earned": in_month["earn"],
            "points_burned": in_month["burn"],
            "points_expired": in_month["expire"],
            "points_outstanding": earned - burned - expired,
            "outstanding_value": (earned - burned - expired) * 100,
            "member_count": len(members),
            "new_member_count": (joined == month).sum(),
            "active_member_count": active,
            "engagement_rate": active / len(members) if members else None,
            "burn_rate": burned / earned if earned else None,
            "breakage_rate": expired / earned if earned else None,
            "member_order_count": theirs.sum(),
            "other_order_count": (~theirs).sum(),
            "member_revenue": then.order_amount[theirs].sum(),
            "other_revenue": then.order_amount[~theirs].sum(),
            "member_average_order_amount": then.order_amount[theirs].mean() / 10_000,
            "other_average_order_amount": then.order_amount[~theirs].mean() / 10_000,
            "programme_cost": in_month["burn"] * 100,
            **_return(burns[burns.month == month]),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _return(burns: pd.DataFrame) -> dict[str, Any]:
    compared = burns[burns.usual.notna()]
    n, cost = len(compared), compared.points.sum() / 100
    uplift = compared.difference.sum()
    roi = low = high = None
    if n >= FEW:
        roi = (uplift - cost) / cost
        half = _half(compared.difference - compared.points / 100) * n / cost
        low, high = roi - half, roi + half
    return {
        "burn_order_count": len(burns),
        "compared_order_count": n,
        "compared_cost": round(cost * 10_000) if n else None,
        "observed_uplift": round(uplift * 10_000) if n else None,
        "observed_roi": roi,
        "observed_roi_low": low,
        "observed_roi_high": high,
        "roi_reason": "fewer than ten orders can be compared" if n < FEW else None,
    }


def _over_customers(compared: pd.DataFrame) -> tuple[float, float]:
    """Mean difference and half its 95 % interval: Student's, orders of one customer taken together."""
    mean = compared.difference.mean()
    residuals = (compared.difference - mean).groupby(compared.customer_id).sum()
    customers = len(residuals)
    variance = (residuals**2).sum() / len(compared) ** 2 * customers / (customers - 1)
    return mean, stats.t.ppf(0.975, customers - 1) * math.sqrt(variance)


BANDS = ((1, 99), (100, 199), (200, 399), (400, 799), (800, None))


def reward_effects(tables: Published) -> pd.DataFrame:
    burns = _compared(tables)
    held = len(tables["sources/loyalty_ledger"]) > 0
    rows = []
    for band, (least, most) in enumerate(BANDS, 1):
        orders = burns[(burns.points >= least) & (burns.points <= (most or math.inf))]
        compared = orders[orders.usual.notna()]
        n, customers = len(compared), compared.customer_id.nunique()
        cost = compared.points.mean() / 100
        half = _over_customers(compared)[1] if customers > 1 else None
        difference = compared.difference.mean()
        reasons = {
            "no loyalty entries": not held,
            "no orders to compare": n == 0,
            "orders to compare are of one customer only": customers == 1,
        }
        row = {
            "reward_band": band,
            "least_points": least,
            "greatest_points": most,
            "order_count": len(orders) if held else None,
            "compared_order_count": n if held else None,
            "compared_customer_count": customers if held else None,
            "average_points": compared.points.mean(),
            "average_cost": cost,
            "average_order_amount": compared.amount.mean(),
            "usual_order_amount": compared.usual.mean(),
            "difference": difference,
            "difference_low": difference - half if half else None,
            "difference_high": difference + half if half else None,
            "observed_roi": (difference - cost) / cost if n else None,
            "reason": next((reason for reason, holds in reasons.items() if holds), None),
        }
        rows.append(row)
    return pd.DataFrame(rows)
