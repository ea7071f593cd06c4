"""Tables about models computed a second time, in pandas and plain loops, from what their contracts say."""

from datetime import timedelta

import numpy as np
import pandas as pd

from c360_assets.terms.churn import FEATURES
from tests.second.published import Published

LEAST = 500
FIGURES = ("churn_share", "auc", "brier")


def feature_drift(tables: Published) -> pd.DataFrame:
    """Features of today beside those of the examples."""
    now, then = _buyers(tables["features"]), tables["churn_examples"]
    chosen = tables["churn_model"].query("is_chosen")
    used = set(chosen.features_used.iloc[0].split(", ")) if len(chosen) else set()
    has_enough = min(len(now), len(then)) >= LEAST
    return pd.DataFrame([_drift(name, then, now, has_enough) | {"is_used": name in used} for name in FEATURES])


def _buyers(features: pd.DataFrame) -> pd.DataFrame:
    buyers = features[(features.frequency > 0) & features.recency_days.notna()].copy()
    interval = buyers.order_interval_days.astype(float).replace(0, np.nan)
    history = buyers.history_days.astype(float)
    buyers["horizon_days"] = np.ceil(2 * interval).clip(30, 90).fillna(90)
    buyers["orders_per_year"] = buyers.frequency.astype(float) * 365 / (history + 30)
    buyers["overdue"] = (buyers.recency_days.astype(float) + 1) / (interval.fillna(history) + 1)
    return buyers


def _drift(name: str, then: pd.DataFrame, now: pd.DataFrame, has_enough: bool) -> dict[str, object]:
    before, after = (rows[name].astype(float).to_numpy() for rows in (then, now))
    told = {
        "feature": name,
        "psi": None,
        "drift": None,
        "example_count": len(before),
        "customer_count": len(after),
        "example_unknown_share": np.isnan(before).mean() if len(before) else None,
        "customer_unknown_share": np.isnan(after).mean() if len(after) else None,
        "reason": "fewer than 500 examples or customers",
    }
    if not has_enough:
        return told
    index = _psi(before, after)
    drift = "none" if index < 0.1 else "some" if index < 0.25 else "much"
    return told | {"psi": round(index, 6), "drift": drift, "reason": None}


def _psi(before: np.ndarray, after: np.ndarray) -> float:
    known = before[~np.isnan(before)]
    edges = np.sort(known)[[-(-tenth * len(known) // 10) - 1 for tenth in range(1, 10)]] if len(known) else known
    total = 0.0
    for place in range(-1, 10):
        counts = _count(before, edges, place), _count(after, edges, place)
        if any(counts):
            p, q = (max(count, 0.5) / len(values) for count, values in zip(counts, (before, after), strict=True))
            total += (q - p) * np.log(q / p)
    return total


def _count(values: np.ndarray, edges: np.ndarray, place: int) -> int:
    """How many values lie above so many edges; those unknown for -1."""
    unknown = np.isnan(values)
    if place < 0:
        return int(unknown.sum())
    return int((np.searchsorted(edges, values[~unknown], side="left") == place).sum())


def churn_performance(tables: Published) -> pd.DataFrame:
    """Predictions beside what came of them, pair by pair."""
    as_of = tables["as_of"].as_of.iloc[0]
    orders = tables["orders"].query("is_completed")
    days = orders.groupby("customer_id").ordered_at.apply(list).to_dict()
    rows = []
    for at, said in tables["churn_predictions"].groupby("predicted_at"):
        known_at = at + timedelta(days=90)
        lost = np.array([not _came(days.get(who, []), at, within) for who, within in _asked(said)])
        probability = said.churn_probability.astype(float).to_numpy()
        figures = _figures(probability, lost) if known_at <= as_of else dict.fromkeys(FIGURES)
        told = {
            "predicted_at": at,
            "model_hash": said.model_hash.iloc[0],
            "customer_count": len(said),
            "mean_probability": round(probability.mean(), 6),
            "promised_auc": said.promised_auc.iloc[0],
            "known_at": known_at,
            "is_known": known_at <= as_of,
        }
        rows.append(told | figures)
    return pd.DataFrame(rows)


def _asked(said: pd.DataFrame) -> list[tuple[str, int]]:
    return list(zip(said.customer_id, said.horizon_days, strict=True))


def _came(moments: list[pd.Timestamp], at: pd.Timestamp, within: int) -> bool:
    """Whether an order followed within so many days of the calendar."""
    return any(one > at and (one.normalize() - at.normalize()).days <= within for one in moments if pd.notna(one))


def _figures(probability: np.ndarray, lost: np.ndarray) -> dict[str, float | None]:
    left, stayed = probability[lost], probability[~lost]
    above = (left[:, None] > stayed).sum() + (left[:, None] == stayed).sum() / 2
    return {
        "churn_share": round(lost.mean(), 6),
        "auc": round(above / (len(left) * len(stayed)), 6) if len(left) and len(stayed) else None,
        "brier": round(((probability - lost) ** 2).mean(), 6),
    }
