"""Actions: what a customer may do next, within which time, and when that is known to have happened."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from c360_assets.terms.arrays import Floats, floats
from c360_assets.terms.churn import LEAST_CUSTOMERS, LEAST_OF_EACH, columns_of, folds
from c360_assets.terms.trials import Known

# A month is what marketing plans ahead, and what happened in it is known for every cutoff of the past.
HORIZON_DAYS = 30
# An order so many days after a contact is called a response to it; nobody knows whether it is because of it.
RESPONSE_DAYS = 7
# An order is clearly above the usual one from a quarter more on: orders of one customer differ by less from week to
# week, and a smaller rise pays no campaign.
CLEARLY_ABOVE = 1.25


@dataclass(frozen=True)
class Target:
    """Something that may happen: `outcome` says of rows of churn_examples whether it did, 1, 0, or NaN if not known.

    `did` and `did_not` are the customers in words, `unknown` is what the shop lacks where no outcome is known.
    """

    name: str
    outcome: Callable[[pa.Table], Floats]
    did: str
    did_not: str
    unknown: str

    def lacking(self, happened: Floats) -> str | None:
        """What there is too little of to learn or to judge from; None where there is enough."""
        known, did = int((~np.isnan(happened)).sum()), int(np.nansum(happened))
        if not known:
            return self.unknown
        if known < LEAST_CUSTOMERS:
            return f"{known} customers of whom it is known, needed are {LEAST_CUSTOMERS}"
        if did < LEAST_OF_EACH:
            return f"{did} {self.did}, needed are {LEAST_OF_EACH}"
        if known - did < LEAST_OF_EACH:
            return f"{known - did} {self.did_not}, needed are {LEAST_OF_EACH}"
        return None


def known(target: Target, rows: pa.Table) -> Known:
    """The rows whose outcome is known, for trials."""
    outcome = target.outcome(rows)
    is_known = ~np.isnan(outcome)
    columns = {name: values[is_known] for name, values in columns_of(rows).items()}
    return Known(columns, outcome[is_known] == 1, folds(rows.filter(pa.array(is_known))["customer_id"].to_pylist()))


def _ordered(rows: pa.Table) -> Floats:
    return (floats(rows["next_order_days"]) <= HORIZON_DAYS).astype(np.float64)


def _browsed(rows: pa.Table) -> Floats:
    """Of whoever does not order."""
    has_visited = (floats(rows["next_visit_days"]) <= HORIZON_DAYS).astype(np.float64)
    is_known = ~np.isnan(floats(rows["session_count"])) & (_ordered(rows) == 0)
    return np.where(is_known, has_visited, np.nan)


def _bought_dearer(rows: pa.Table) -> Floats:
    usual, amount = floats(rows["average_order_amount"]), floats(rows["next_order_amount"])
    return np.where(
        usual > 0, _of_orders(rows, np.where(np.isnan(amount), np.nan, amount >= CLEARLY_ABOVE * usual)), np.nan
    )


def _bought_elsewhere(rows: pa.Table) -> Floats:
    return np.where(floats(rows["category_count"]) > 0, _of_orders(rows, floats(rows["bought_new_category"])), np.nan)


def _of_orders(rows: pa.Table, told: Floats) -> Floats:
    """What is told of the next order, if there is one in time; else it did not happen."""
    return np.where(_ordered(rows) == 1, told, 0.0)


def _responded(rows: pa.Table) -> Floats:
    return floats(rows["has_responded"])


PURCHASE = Target("purchase", _ordered, "who ordered", "who did not order", "no order is known")
BROWSE = Target("browse", _browsed, "who visited without ordering", "who neither visited nor ordered", "no web events")
UPSELL = Target(
    "upsell", _bought_dearer, "who ordered for more", "who did not order for more", "no order has a known value"
)
CROSS_SELL = Target(
    "cross_sell", _bought_elsewhere, "who bought from a new category", "who did not", "no category is known"
)
CAMPAIGN = Target(
    "campaign_response", _responded, "who ordered after a contact", "who did not", "no contact of marketing is known"
)
TARGETS = (PURCHASE, BROWSE, UPSELL, CROSS_SELL, CAMPAIGN)
CATEGORY_SHIFT = "category_shift"
