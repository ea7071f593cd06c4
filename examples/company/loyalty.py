"""The loyalty programme: points earned with orders, spent at later orders, lost after a quiet year."""

import numpy as np
import pyarrow as pa

from examples.company import season
from examples.company.columns import ids, picked, timestamps
from examples.company.purchases import CANCELLED, RETURNED_STATUS, Orders, order_ids
from examples.company.records import Floats, Ints, starts

ENTRY_TYPES = ("earn", "burn", "expire")
EARN, BURN, EXPIRE = range(3)
BURN_SHARE = 0.25  # of the orders at which enough points are there
LEAST_BURNED = 50
POINTS_PER_DOLLAR = 1
VALID_FOR = 365 * season.DAY


def table(rng: np.random.Generator, orders: Orders, customer_ids: pa.StringArray) -> pa.Table:
    """One row per ledger entry. Points are signed: what is burnt or expires is negative."""
    kept = (orders.status != CANCELLED) & (orders.status != RETURNED_STATUS)
    earned = np.where(kept, orders.total * POINTS_PER_DOLLAR // 100, 0)
    appetite = np.where(rng.random(len(earned)) < BURN_SHARE, rng.uniform(0.3, 1.0, len(earned)), 0)
    burned, expired = _balances(orders, earned, appetite, len(customer_ids))
    points = np.stack([earned, -burned, -expired], axis=1)
    order, kind = np.nonzero(points)
    at = orders.at[order] + np.where(kind == EXPIRE, VALID_FOR, 0)
    return pa.table(
        {
            "entry_id": ids("LE", orders.number[order] * 10 + kind + 1, 9),
            "customer_id": picked(customer_ids, orders.customer[order]),
            "entry_ts": timestamps(at),
            "entry_type": picked(ENTRY_TYPES, kind),
            "points": pa.array(points[order, kind], pa.int32()),
            "order_id": picked(order_ids(orders.number), order, kind == EXPIRE),
        }
    )


def _balances(orders: Orders, earned: Ints, appetite: Floats, customers: int) -> tuple[Ints, Ints]:
    """Points burned at each order, and expired a year after it; every customer's k-th order together.

    A burn spends points of earlier orders only, so the balance holds whichever of two entries of one moment
    is read first.
    """
    burned, expired = np.zeros_like(earned), np.zeros_like(earned)
    counts = np.bincount(orders.customer, minlength=customers)
    first, balance = starts(counts), np.zeros(customers, dtype=np.int64)
    quiet_until = _next_order(orders) - orders.at
    for rank in range(counts.max(initial=0)):
        buyer = np.flatnonzero(counts > rank)
        row = first[buyer] + rank
        spent = (balance[buyer] * appetite[row]).astype(np.int64)
        burned[row] = np.where(spent >= LEAST_BURNED, spent, 0)
        balance[buyer] += earned[row] - burned[row]
        expired[row] = np.where(quiet_until[row] > VALID_FOR, balance[buyer], 0)
        balance[buyer] -= expired[row]
    return burned, expired


def _next_order(orders: Orders) -> Ints:
    """When the same customer orders again; the end of the span where he does not."""
    following = np.full(len(orders.at), season.END)
    same = orders.customer[1:] == orders.customer[:-1]
    following[:-1][same] = orders.at[1:][same]
    return following
