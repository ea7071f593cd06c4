"""Segments of customers and what is told of them: value, actions, traits, concentration and how they move."""

import itertools
import re
from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tests.second.customers import ONE_OF_EACH, WEEKS, bought, every, measured, scored, segment
from tests.second.published import Published

GOVERNANCE = Path(__file__).parents[2] / "governance"
RULES = yaml.safe_load((GOVERNANCE / "segments.yaml").read_text())
PLAYBOOK = yaml.safe_load((GOVERNANCE / "playbook.yaml").read_text())
MONEY = ("monetary", "gross_monetary", "historical_value", "returned_amount")
FOLLOWED = ("engagement_level", "customer_segment")


def customer_segments(tables: Published) -> pd.DataFrame:
    version = _version(tables["customer_segments"].rule_version, RULES)
    rows = [_segments(row) | {"customer_id": who} for who, row in measured(tables).items()]
    if not rows:
        return pd.DataFrame()
    copied = ["is_premium", "recency_days", "frequency", "monetary"]
    copied += ["recency_score", "frequency_score", "monetary_score", "rfm_code"]
    return pd.DataFrame(rows).merge(tables["features"][["customer_id", *copied]]).assign(rule_version=version)


def _segments(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: segment(RULES[name], row) for name in ONE_OF_EACH}
    why = [f"{name}: {reason}" for name, (_, reason) in found.items() if reason]
    sensitive = {rule["name"] for rule in RULES["audiences"] if rule.get("sensitive")}
    return {
        **{name: segment for name, (segment, _) in found.items()},
        "persona_traits": "; ".join(every(RULES["traits"], row)),
        "primary_segment": next(name for name in every(RULES["audiences"], row) if name not in sensitive),
        "unknown_because": "; ".join(why) or None,
    }


def _version(told: pd.Series, written: dict[str, Any]) -> str | None:
    """One version in all rows, as written and with a fingerprint, whose digits the contract leaves open."""
    versions = set(told)
    as_said = len(versions) == 1 and re.fullmatch(rf"{written['version']}-[0-9a-f]{{8}}", min(versions))
    return min(versions) if as_said else None


def audiences(tables: Published) -> pd.DataFrame:
    rules = RULES["audiences"]
    place = {rule["name"]: place for place, rule in enumerate(rules, 1)}
    sensitive = {rule["name"] for rule in rules if rule.get("sensitive")}
    rows = []
    for who, row in measured(tables).items():
        names = every(rules, row)
        # Whoever is in sensitive ones alone needs a primary one, too: the last, which is open.
        open_ones = [name for name in names if name not in sensitive] or [rules[-1]["name"]]
        for name in dict.fromkeys([*names, open_ones[0]]):
            rows.append((who, name, place[name], name == open_ones[0], name in sensitive))
    columns = ["customer_id", "audience", "precedence", "is_primary", "is_sensitive"]
    version = _version(tables["audiences"].rule_version, RULES)
    return pd.DataFrame(rows, columns=columns).assign(rule_version=version)


def placed(tables: Published) -> pd.DataFrame:
    """Customers with what was measured of them and their segments; amounts in the currency."""
    segments = tables["customer_segments"][["customer_id", *ONE_OF_EACH, "primary_segment"]]
    rows = tables["features"].merge(segments)
    return rows.assign(**{name: rows[name] / 10_000 for name in ("monetary", "gross_monetary")})


def value_by_segment(tables: Published) -> pd.DataFrame:
    customers = placed(tables)
    premium = customers.is_premium.map({True: "premium", False: "not premium"})
    names = ("engagement_level", "customer_segment", "primary_segment", "value_tier", "lifecycle_stage", "persona")
    rows = []
    for segmentation in (*names, "is_premium"):
        of = premium if segmentation == "is_premium" else customers[segmentation]
        for name, members in customers.groupby(of.fillna("unknown")):
            rows.append({"segmentation": segmentation, "segment": name} | _worth(members, customers))
    return pd.DataFrame(rows)


def _worth(members: pd.DataFrame, everybody: pd.DataFrame) -> dict[str, Any]:
    known = everybody.frequency.notna().any()
    total, orders = everybody.historical_value.sum(), members.frequency.sum()
    return {
        "customer_count": len(members),
        "buyer_count": (members.frequency > 0).sum() if known else None,
        "historical_value": members.historical_value.sum() if known else None,
        "value_share": members.historical_value.sum() / total if total else None,
        "average_value": members.historical_value.mean() / 10_000 if known else None,
        "median_value": members.historical_value.median() / 10_000 if known else None,
        "average_order_amount": members.gross_monetary.sum() / orders if orders else None,
        "orders_per_customer": orders / len(members) if known else None,
        "premium_share": share(members.is_premium),
    }


def share(flags: pd.Series) -> float | None:
    """Of true among those known."""
    return float(flags.dropna().astype(float).mean()) if flags.notna().any() else None


def action_matrix(tables: Published) -> pd.DataFrame:
    customers = placed(tables)
    customers = customers[customers.engagement_level.notna() & customers.value_tier.notna()]
    total = customers.historical_value.sum()
    rows = []
    for level, tiers in RULES["action_matrix"].items():
        for tier, advice in tiers.items():
            cell = customers[(customers.engagement_level == level) & (customers.value_tier == tier)]
            row = {
                "engagement_level": level,
                "value_tier": tier,
                "action": advice.rsplit(", ", 1)[0],
                "priority": advice.rsplit(", ", 1)[1],
                "customer_count": len(cell) if len(customers) else None,
                "customer_share": len(cell) / len(customers) if len(customers) else None,
                "historical_value": cell.historical_value.sum() if len(customers) else None,
                "value_share": cell.historical_value.sum() / total if total else None,
                "average_value": cell.historical_value.mean() / 10_000,
                "average_recency_days": cell.recency_days.mean(),
                "premium_share": share(cell.is_premium),
                "reason": None if len(customers) else "some reason",
            }
            rows.append(row)
    return pd.DataFrame(rows)


def revenue_concentration(tables: Published) -> pd.DataFrame:
    spent = tables["rfm"].monetary.sort_values(ascending=False, ignore_index=True)
    n, total = len(spent), spent.sum()
    weighted = ((pd.Series(range(n, 0, -1)) * 2 - n - 1) * spent).sum()
    rows = []
    for percent in (1, 5, 10, 20, 30, 50, 100):
        count = ceil(n * percent / 100)
        row = {
            "top_share": percent / 100,
            "customer_count": count,
            "revenue": spent[:count].sum(),
            "revenue_share": spent[:count].sum() / total if total > 0 else None,
            "gini": weighted / (n * total) if total > 0 else None,
            "reason": None if total > 0 else "some reason",
        }
        rows.append(row)
    return pd.DataFrame(rows)


def rfm_distribution(tables: Published) -> pd.DataFrame:
    buyers = tables["rfm"].merge(tables["customer_segments"][["customer_id", "engagement_level"]])
    spent = buyers.monetary / 10_000
    measures = {"recency_score": buyers.recency_days, "frequency_score": buyers.frequency, "monetary_score": spent}
    rows = []
    for measure in (*measures, "rfm_code", "engagement_level"):
        scored_by = measures.get(measure, spent)
        known = buyers[buyers[measure].notna()]
        total = known.monetary.sum()
        for value, group in known.groupby(measure):
            scored = scored_by[group.index]
            row = {
                "measure": measure,
                "value": str(int(value)) if measure in measures else value,
                "customer_count": len(group),
                "customer_share": len(group) / len(known),
                "monetary": group.monetary.sum(),
                "monetary_share": group.monetary.sum() / total if total else None,
                "least": scored.min(),
                "median": scored.median(),
                "greatest": scored.max(),
            }
            rows.append(row)
    return pd.DataFrame(rows)


# Through time


def monthly_segments(tables: Published) -> pd.DataFrame:
    orders = tables["orders"].assign(day=tables.day(tables["orders"].ordered_at))
    today = tables.today
    if pd.isna(today):
        return pd.DataFrame()
    ends = [today.to_period("M").to_timestamp() - pd.DateOffset(months=ago) - pd.Timedelta(days=1) for ago in range(12)]
    span = float(tables.days_ago(_completed(orders).ordered_at).max() + 1)
    parts = [part for end in (*ends, today) if (part := _at(orders, end, span)) is not None]
    month_over = (today + pd.Timedelta(days=1)).day == 1
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts)
    return table.assign(is_whole=(table.month_on < today) | month_over)


def _completed(orders: pd.DataFrame) -> pd.DataFrame:
    return orders[orders.is_completed.astype(bool) & orders.customer_id.notna()]


def _at(orders: pd.DataFrame, end: pd.Timestamp, span: float) -> pd.DataFrame | None:
    held = orders[~(orders.day > end)]
    ours = held[held.customer_id.notna()]
    if not ours.is_completed.any():
        return None
    completed = ours[ours.is_completed.astype(bool)]
    table = scored(bought(ours, ours.day, end), (end - completed.day.min()).days + 1 >= WEEKS).reset_index()
    first = completed.groupby("customer_id").day.min().reindex(table.customer_id).to_numpy()
    table = table.assign(history_days=(end - pd.Series(first)).dt.days, orders_span_days=span)
    rows = [row | {"monetary": row["monetary"] / 10_000} for row in table.to_dict("records")]
    for name in FOLLOWED:
        table[name] = [segment(RULES[name], row)[0] for row in rows]
    scores = ["recency_score", "frequency_score", "monetary_score"]
    kept = ["customer_id", "recency_days", "frequency", "monetary", *scores, *FOLLOWED]
    return table[kept].assign(month_on=end)


def _months(tables: Published) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Per segmentation each two months one after the other: who is known with which segment."""
    monthly = tables["monthly_segments"]
    for segmentation in FOLLOWED:
        known = monthly[monthly[segmentation].notna()].rename(columns={segmentation: "segment"})
        months = [rows.set_index("customer_id") for _, rows in known.groupby("month_on")]
        for before, after in itertools.pairwise(months):
            yield segmentation, before, after


def segment_migrations(tables: Published) -> pd.DataFrame:
    rows = []
    for segmentation, before, after in _months(tables):
        came_from = before.segment.reindex(after.index).fillna("(new)")
        of_all = came_from.value_counts()
        for (start, end), count in pd.Series(1, after.index).groupby([came_from, after.segment]).sum().items():
            rows.append(
                (segmentation, after.month_on.iloc[0], after.is_whole.iloc[0], start, end, count, count / of_all[start])
            )
    columns = ["segmentation", "month_on", "is_whole", "from_segment", "to_segment", "customer_count", "rate"]
    return pd.DataFrame(rows, columns=columns)


def segment_stability(tables: Published) -> pd.DataFrame:
    rows = []
    for segmentation, before, after in _months(tables):
        both = before[["segment"]].set_axis(["segment_before"], axis=1).join(after.segment, how="inner")
        stayed = (both.segment_before == both.segment).sum()
        row = {
            "segmentation": segmentation,
            "month_on": after.month_on.iloc[0],
            "is_whole": after.is_whole.iloc[0],
            "customer_count": len(both),
            "new_customer_count": len(after) - len(both),
            "stayed_count": stayed,
            "stayed_rate": stayed / len(both) if len(both) else None,
            "adjusted_rand_index": adjusted_rand_index(both.segment_before, both.segment) if len(both) else None,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def adjusted_rand_index(one: pd.Series, other: pd.Series) -> float:
    def pairs(counts: pd.Series) -> int:
        return int((counts * (counts - 1) // 2).sum())

    together = pairs(pd.crosstab(one, other).stack())
    ones, others, every_pair = pairs(one.value_counts()), pairs(other.value_counts()), pairs(pd.Series([len(one)]))
    if ones == others == together:
        return 1.0
    by_chance = ones * others / every_pair
    return (together - by_chance) / ((ones + others) / 2 - by_chance)


def cohorts(tables: Published) -> pd.DataFrame:
    orders = tables["orders"]
    kept = orders[orders.is_completed.astype(bool) & orders.customer_id.notna() & orders.ordered_at.notna()]
    month = tables.day(kept.ordered_at).dt.to_period("M")
    first = month.groupby(kept.customer_id).transform("min")
    if kept.empty:
        return pd.DataFrame()
    kept = kept.assign(founded=first, offset=(month - first).map(lambda months: months.n))
    sizes = kept.groupby("founded").customer_id.nunique()
    then = kept.groupby(["founded", "offset"])
    counts = then.agg(retained=("customer_id", "nunique"), orders=("order_id", "size"), revenue=("order_amount", "sum"))
    told = {key: tuple(map(int, row)) for key, row in zip(counts.index, counts.to_numpy(), strict=True)}
    last = tables.today.to_period("M")
    rows = []
    for founded, size in sizes.items():
        so_far = 0
        for offset in range((last - founded).n + 1):
            retained, orders_then, revenue = told.get((founded, offset), (0, 0, 0))
            so_far += revenue
            row = {
                "cohort_month": founded.to_timestamp(),
                "month_offset": offset,
                "customer_count": size,
                "retained_count": retained,
                "retention_rate": retained / size,
                "order_count": orders_then,
                "revenue": revenue,
                "cumulative_revenue": so_far,
                "cumulative_revenue_per_customer": so_far / size / 10_000,
                "is_complete": founded + offset < last,
            }
            rows.append(row)
    return pd.DataFrame(rows)


# Traits and advice

STANDARD = 0.2
FEW = 10
PRIVATE = ("age", "annual_income", "number_of_children")
SCORES = ("recency_score", "frequency_score", "monetary_score")
UNMEASURED = (
    "orders_span_days",
    "activity_span_days",
    "value_share_above",
    "gross_monetary",
    "last_order_amount",
    "order_count",
    "open_order_count",
    "returned_amount",
    "gender",
    "country",
    "rfm_code",
)


def members(tables: Published) -> dict[tuple[str, str], set[str]]:
    """Who is in each segment of each segmentation, in the order of rules."""
    segments = tables["customer_segments"]
    found: dict[tuple[str, str], set[str]] = {}
    for name in ONE_OF_EACH:
        listed = RULES[name] if isinstance(RULES[name], list) else RULES[name]["rules"]
        for rule in listed:
            found[name, rule["name"]] = set(segments.customer_id[segments[name] == rule["name"]])
    found["premium", "Premium"] = set(segments.customer_id[segments.is_premium.eq(True)])
    audience = tables["audiences"]
    for rule in RULES["audiences"]:
        found["audience", rule["name"]] = set(audience.customer_id[audience.audience == rule["name"]])
    clusters = tables["clusters"].dropna(subset="cluster_id").sort_values("cluster_id")
    for name in clusters.cluster_name.unique():
        found["cluster", name] = set(clusters.customer_id[clusters.cluster_name == name])
    return found


def is_sensitive(segmentation: str, name: str) -> bool:
    sensitive = {rule["name"] for rule in RULES["audiences"] if rule.get("sensitive")}
    return segmentation == "audience" and name in sensitive


def segment_traits(tables: Published) -> pd.DataFrame:
    numbers = numeric(tables)
    everybody = Everybody(numbers)
    told = tables["segment_traits"].set_index(["segmentation", "segment", "feature"]).trait.to_dict()
    topics = tables["segment_traits"].groupby("feature").topic.unique()
    rows = []
    for (segmentation, name), who in members(tables).items():
        if who:
            for row in _traits(numbers[numbers.index.isin(who)], everybody):
                key = (segmentation, name, row["feature"])
                found = told.get(key)
                has_trait = row.pop("has_trait")
                row |= {"segmentation": segmentation, "segment": name, "is_sensitive": is_sensitive(segmentation, name)}
                row |= {"topic": topics[row["feature"]][0] if len(topics[row["feature"]]) == 1 else None}
                row |= {"trait": (found if _tells(found, row) else "both means") if has_trait else None}
                rows.append(row)
    return pd.DataFrame(rows)


def numeric(tables: Published) -> pd.DataFrame:
    """The numeric columns of features but the RFM scores; to four decimals."""
    features = tables["features"].set_index("customer_id")
    columns = {}
    for name in features.columns.difference([*SCORES, *UNMEASURED]):
        values = features[name].map({True: 1, False: 0}) if name.startswith("is_") else features[name]
        columns[name] = _rounded(values.astype(float) / (10_000 if name in MONEY else 1))
    return pd.DataFrame(columns)


def _rounded(values: pd.Series) -> pd.Series:
    """To four decimals, halves away from 0."""
    return np.sign(values) * np.floor(values.abs() * 10_000 + 0.5) / 10_000


def _traits(segment: pd.DataFrame, everybody: "Everybody") -> list[dict[str, Any]]:
    known, means = segment.count(), segment.mean()
    rows = []
    for feature in segment.columns:
        hidden = not known[feature] or (feature in PRIVATE and known[feature] < FEW)
        mean = None if hidden else float(means[feature])
        of_all, deviation = everybody.means[feature], everybody.deviations[feature]
        difference = (mean - of_all) / deviation if mean is not None and deviation else None
        is_usual = known[feature] / len(segment) >= everybody.known[feature] / 2
        is_apart = difference is not None and abs(difference) >= max(STANDARD, 3 / known[feature] ** 0.5)
        row = {
            "feature": feature,
            "customer_count": len(segment),
            "known_count": known[feature],
            "mean": mean,
            "population_mean": of_all,
            "population_deviation": deviation,
            "standardised_difference": difference,
            "has_trait": is_apart and is_usual and known[feature] >= FEW,
            "rank": None,
        }
        rows.append(row)
    ranked = [row for row in rows if row["standardised_difference"] is not None]
    ranked.sort(key=lambda row: (-round(abs(row["standardised_difference"]), 6), row["feature"]))
    for place, row in enumerate(ranked, 1):
        row["rank"] = place
    return rows


class Everybody:
    """All customers, whom segments are compared with; `known` is a share."""

    def __init__(self, numbers: pd.DataFrame) -> None:
        told = numbers.count() >= [FEW if name in PRIVATE else 1 for name in numbers.columns]
        self.known = numbers.count() / len(numbers)
        self.means = numbers.mean().astype(object).where(told, None)
        alike = numbers.nunique() < 2
        self.deviations = numbers.std(ddof=0).where(~alike, 0.0).astype(object).where(told, None)


def _tells(trait: Any, row: dict[str, Any]) -> bool:
    """Whether the words tell the mean of the segment against that of all, rounded as they are."""
    told = re.search(r": (-?[\d.]+)(%?)(?: \w+)? against (-?[\d.]+)%?$", str(trait).replace(",", ""))
    if not told:
        return False
    factor = 100 if told[2] else 1
    pairs = ((told[1], row["mean"]), (told[3], row["population_mean"]))
    return all(abs(float(text) - mean * factor) <= 0.51 * 10.0 ** -len(text.partition(".")[2]) for text, mean in pairs)


DELTAS = ("recency_days", "frequency", "monetary", "average_order_amount", "item_count", "category_count")
DELTAS += ("return_rate", "discount_rate", "session_count")


def segment_summary(tables: Published) -> pd.DataFrame:
    everybody = tables["features"].set_index("customer_id")
    measured = numeric(tables)
    told = tables["segment_summary"]
    rules, playbook = _version(told.rule_version, RULES), _version(told.playbook_version, PLAYBOOK)
    consents = tables["customers"].set_index("customer_id")[["accepts_email", "accepts_sms", "accepts_phone"]]
    total = everybody.historical_value.sum()
    every_member = members(tables)
    best = _most_valuable(every_member, everybody)
    expected = _expected(tables)
    place: dict[str, int] = {}
    rows = []
    for (segmentation, segment_name), who in every_member.items():
        place[segmentation] = place.get(segmentation, 0) + 1
        segment = everybody[everybody.index.isin(who)]
        value = segment.historical_value.sum()
        theirs = measured[measured.index.isin(who)]
        deltas = {f"{name}_delta": _over(theirs[name], measured[name]) for name in DELTAS}
        agreed = consents[consents.index.isin(who)].eq(True).any(axis=1)
        row = {
            "segment_id": f"{segmentation}/{re.sub('[^a-z0-9]+', '-', segment_name.lower()).strip('-')}",
            "segmentation": segmentation,
            "segment_name": segment_name,
            "is_sensitive": is_sensitive(segmentation, segment_name),
            "precedence": place[segmentation],
            "customer_count": len(segment),
            "customer_share": len(segment) / len(everybody) if len(everybody) else None,
            "historical_value": value,
            "value_share": value / total if total > 0 else None,
            **deltas,
            "premium_share": share(segment.is_premium),
            "premium_share_delta": _over(segment.is_premium, everybody.is_premium),
            **{f"mean_{name}": _mean(values[values.index.isin(who)]) for name, values in expected.items()},
            "stability": _stability(tables, segmentation),
            "actionability": agreed.mean() if consents.notna().any(axis=None) and len(segment) else None,
            "business_relevance": max(value, 0) / best[segmentation] if best[segmentation] > 0 else None,
            "reason": None if len(segment) else "some reason",
            "rule_version": rules,
            "playbook_version": playbook,
            **_advice(tables, segmentation, segment_name, len(segment)),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _expected(tables: Published) -> dict[str, pd.Series]:
    """What models expect of each customer, by the name of the column."""
    keys = ("churn_scores", "next_actions", "lifetime_value")
    churn, soon, worth = (tables[key].set_index("customer_id") for key in keys)
    said = {"churn_probability": churn.churn_probability, "purchase_probability": soon.probability_purchase}
    return said | {name: worth[name] for name in ("p_alive", "expected_purchases", "clv")}


def _mean(values: pd.Series) -> float | None:
    return float(values.astype(float).mean()) if values.notna().any() else None


def _most_valuable(every_member: dict[tuple[str, str], set[str]], everybody: pd.DataFrame) -> dict[str, float]:
    """Per segmentation; customers in no segment are one."""
    best = {}
    for segmentation in {segmentation for segmentation, _ in every_member}:
        groups = [who for (of, _), who in every_member.items() if of == segmentation]
        groups.append(set(everybody.index).difference(*groups))
        best[segmentation] = max(everybody.historical_value[everybody.index.isin(who)].sum() for who in groups)
    return best


def _over(segment: pd.Series, everybody: pd.Series) -> float | None:
    mean, of_all = segment.astype(float).mean(), everybody.astype(float).mean()
    return mean / of_all - 1 if of_all else None


def _stability(tables: Published, segmentation: str) -> float | None:
    told = tables["segment_stability"]
    told = told[(told.segmentation == segmentation) & told.is_whole.astype(bool)].sort_values("month_on")
    return told.adjusted_rand_index.iloc[-1] if len(told) else None


# Of features of one topic those that come first.
BEFORE = ("activity_change", "recent_order_count", "recent_session_count", "session_count", "engagement_minutes")


def _advice(tables: Published, segmentation: str, name: str, size: int) -> dict[str, Any]:
    traits = _of_each_topic(tables, segmentation, name)
    named = PLAYBOOK["segments"].get(segmentation, {}).get(name)
    general = PLAYBOOK["general"]
    if named:
        actions, risks = _pairs(named["actions"]), list(named["risks"])
    else:
        sides = [PLAYBOOK["traits"].get(row.feature, {}).get(_side(row)) for row in traits.itertuples()]
        actions, risks = _pairs(side["action"] for side in sides if side), [side["risk"] for side in sides if side]
        actions += _pairs(general["actions"])[: max(0, 2 - len(actions))]
    if 0 < size < PLAYBOOK["small"]["below"]:
        risks.insert(0, PLAYBOOK["small"]["risk"])
    risks = risks or general["risks"][:1]
    actions = sorted(actions[:3], key=lambda pair: ("High", "Medium", "Low").index(pair[0]))
    advice: dict[str, Any] = {}
    for place in (1, 2, 3):
        priority, action = actions[place - 1] if place <= len(actions) else (None, None)
        advice |= {f"action_{place}": action, f"priority_{place}": priority}
    for place in (1, 2):
        advice[f"risk_{place}"] = risks[place - 1] if place <= len(risks) else None
    for place in range(1, 6):
        advice[f"trait_{place}"] = traits.trait.iloc[place - 1] if place <= len(traits) else None
    return advice


def _pairs(actions: Iterable[dict[str, str]]) -> list[tuple[str, str]]:
    return [pair for action in actions for pair in action.items()]


def _side(trait: Any) -> str:
    return "high" if trait.standardised_difference > 0 else "low"


def _of_each_topic(tables: Published, segmentation: str, name: str) -> pd.DataFrame:
    """One trait a topic: of those at least half as telling as its best the one that comes first."""
    traits = tables["segment_traits"]
    told = traits[(traits.segmentation == segmentation) & (traits.segment == name) & traits.trait.notna()]
    if segmentation == "premium":
        told = told[told.feature != "is_premium"]
    size = told.standardised_difference.abs()
    clear = told[size >= size.groupby(told.topic).transform("max") / 2]
    order = list(dict.fromkeys([*BEFORE, *tables["features"].columns]))
    listed = clear.iloc[clear.feature.map(order.index).argsort()]
    return listed.drop_duplicates("topic").sort_values("rank")
