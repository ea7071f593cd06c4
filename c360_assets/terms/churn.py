"""Churn: who counts as lost, by which features it is foreseen, and when there is enough to learn it from.

A customer has churned by a cutoff if no completed order follows within the horizon: twice the usual interval between
two of the customer's own orders, at least 30 and at most 90 days; 90 days where there is no interval yet.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from c360_assets.terms.arrays import Floats, floats
from c360_assets.terms.classifiers import Fitted, from_text
from c360_assets.terms.rates import rate
from c360_assets.terms.trials import Known

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

INTERVALS = 2
LEAST_HORIZON, LONGEST_HORIZON = 30, 90
# Judged are customers as they were so many days ago: the longest horizon is over for all of them. What happened to
# those of the other cutoffs was known by then, so that nothing judged was seen in training.
JUDGED_AGO = LONGEST_HORIZON
TRAINED_AGO = (180, 240)
# With less of a history behind it, a cutoff shows everybody as new.
LEAST_HISTORY = 56
LEAST_CUSTOMERS, LEAST_OF_EACH = 200, 20
FOLDS = 4
DECIMALS = 6
# More customers teach a model nothing new.
SAMPLE, DIGITS = 100_000, 8
# Of what is counted, the first of something says more than one more of many.
LOGGED = (
    "recency_days",
    "history_days",
    "frequency",
    "monetary",
    "average_order_amount",
    "last_order_amount",
    "order_interval_days",
    "item_count",
    "category_count",
    "product_count",
    "recent_order_count",
    "former_order_count",
    "session_count",
    "recent_session_count",
    "visit_recency_days",
    "product_view_count",
    "favorite_count",
    "abandoned_cart_count",
    "engagement_minutes",
    "review_count",
    "support_ticket_count",
    "horizon_days",
    "orders_per_year",
    "overdue",
)
PLAIN = ("return_rate", "discount_rate", "average_rating", "nps_score", "csat_score")
FEATURES = (*LOGGED, *PLAIN)
# Features of which so many customers share one value tell nobody apart.
USUAL_SHARE = 0.995
DAYS_PER_YEAR = 365.0
# A history of a day is no rate: as if every history were this much longer.
SETTLING_DAYS = 30


def foreseen_by(features: ir.Table) -> ir.Table:
    """One row per buyer of `features`: the customer and FEATURES, as they are of training and of scoring."""
    buyers = features.filter(features.frequency > 0, features.recency_days.notnull())
    own = (INTERVALS * buyers.order_interval_days.nullif(0)).ceil().cast("int32")
    horizon = own.clip(LEAST_HORIZON, LONGEST_HORIZON).fill_null(LONGEST_HORIZON).cast("int32")
    usual = buyers.order_interval_days.nullif(0).fill_null(buyers.history_days.cast("float64"))
    described = buyers.mutate(
        horizon_days=horizon,
        orders_per_year=rate(buyers.frequency * DAYS_PER_YEAR, buyers.history_days + SETTLING_DAYS),
        overdue=rate(buyers.recency_days + 1, usual + 1),
    )
    return described.select("customer_id", *FEATURES)


def columns_of(rows: pa.Table) -> dict[str, Floats]:
    """Customers as a model sees them: numbers by feature, NaN where unknown; of counts and amounts the logarithm."""
    logged = {name: np.log1p(np.maximum(floats(rows[name]), 0)) for name in LOGGED}
    return logged | {name: floats(rows[name]) for name in PLAIN}


def telling(columns: Mapping[str, Floats]) -> list[str]:
    """The features that tell customers apart."""
    return [name for name, values in columns.items() if _usual_share(values) < USUAL_SHARE]


@dataclass(frozen=True)
class Examples:
    """Rows of churn_examples, ordered by customer and cutoff: what was known, and what happened."""

    columns: Mapping[str, Floats]
    has_churned: Flags
    folds: Integers
    cutoffs: list[datetime]
    next_order_days: Floats
    observed_days: Floats

    @classmethod
    def of(cls, rows: pa.Table) -> "Examples":
        """From the table's rows."""
        return cls(
            columns_of(rows),
            rows["has_churned"].to_numpy(zero_copy_only=False).astype(bool),
            folds(rows["customer_id"].to_pylist()),
            rows["cutoff_at"].to_pylist(),
            floats(rows["next_order_days"]),
            floats(rows["observed_days"]),
        )

    @property
    def known(self) -> Known:
        """The same for trials, where churn is what happens."""
        return Known(self.columns, self.has_churned, self.folds)

    def __len__(self) -> int:
        return len(self.has_churned)

    def lacking(self) -> str | None:
        """What of these there is too little of to learn or to judge from; None where there is enough."""
        lost = int(self.has_churned.sum())
        if len(self) < LEAST_CUSTOMERS:
            return f"{len(self)} customers, needed are {LEAST_CUSTOMERS}"
        if lost < LEAST_OF_EACH:
            return f"{lost} who did not come back, needed are {LEAST_OF_EACH}"
        if len(self) - lost < LEAST_OF_EACH:
            return f"{len(self) - lost} who came back, needed are {LEAST_OF_EACH}"
        return None


def sampled(examples: ir.Table) -> ir.Table:
    """The examples of at most 100,000 customers, chosen by their IDs alone."""
    count = examples.customer_id.nunique().to_pyarrow().as_py()
    if count <= SAMPLE:
        return examples
    bound = f"{int(SAMPLE / count * 16**DIGITS):0{DIGITS}x}"
    return examples.filter(examples.customer_id.hexdigest("md5").substr(0, DIGITS) < bound)


def unseen(examples: ir.Table) -> Examples:
    """The examples that candidates are judged by."""
    rows = sampled(examples)
    return Examples.of(rows.filter(rows.is_judged).order_by("customer_id").to_pyarrow())


def judged_models(churn_model: ir.Table) -> dict[str, Fitted]:
    """The models that were judged, by candidate."""
    found = churn_model.filter(churn_model.judged_model.notnull()).select("candidate", "judged_model").to_pyarrow()
    return {row["candidate"]: from_text(row["judged_model"]) for row in found.to_pylist()}


def folds(ids: Sequence[str]) -> Integers:
    """In which part each customer is when models are tried in turn; the same at every cutoff."""
    return np.array([hashlib.blake2b(one.encode(), digest_size=4).digest()[0] % FOLDS for one in ids], dtype=np.int64)


def returns(said: Floats, examples: Examples) -> Fitted:
    """When customers of each probability of churn come back: `upto`, the greatest probability of each tenth but the
    last, and `days`, after how many days half of the tenth have ordered; None where fewer than half are seen to.

    By Kaplan and Meier (1958): whoever has not ordered by as_of has only been watched until then.
    """
    edges = np.unique(np.quantile(said, np.linspace(0.1, 0.9, 9)))
    groups = np.searchsorted(edges, said)
    days = [_median_days(examples, groups == group) for group in range(len(edges) + 1)]
    return {"upto": edges.round(DECIMALS).tolist(), "days": days}


def _median_days(examples: Examples, rows: Flags) -> int | None:
    has_ordered = ~np.isnan(examples.next_order_days[rows])
    days = np.where(has_ordered, examples.next_order_days[rows], examples.observed_days[rows])
    staying = 1.0
    for day in np.unique(days[has_ordered]):
        staying *= 1 - (has_ordered & (days == day)).sum() / (days >= day).sum()
        if staying <= 0.5:
            return int(day)
    return None


def _usual_share(values: Floats) -> float:
    """The share of the most common value, unknown being one."""
    if not len(values):
        return 1.0
    _, counts = np.unique(values, return_counts=True)
    return float(counts.max() / len(values))
