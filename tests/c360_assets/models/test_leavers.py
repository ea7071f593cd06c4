"""Who has left the golden company is known: scores rank leavers better than orders alone could, even of who knew how
these were made.
"""

import duckdb
import numpy as np

from c360_assets.terms import judging
from c360_assets.terms.expectations import alive, customers
from c360_assets.terms.histories import histories
from c360_assets.terms.lifetimes import Lifetimes
from c360_assets.terms.time import clock
from examples.company import habits
from resources.deployment import Deployment

# Orders are thinned by those that are cancelled, so that completed ones come less often than planted.
COMPLETED = 0.85
PLANTED = Lifetimes(
    habits.RATE_SHAPE, 1 / habits.RATE_SCALE / COMPLETED, habits.LEAVE_A, habits.LEAVE_B, leaves_at_once=True
)


def test_leavers_are_ranked_better_than_by_the_very_process_of_their_orders(golden: Deployment) -> None:
    shop = clock(golden.read("as_of"))
    assert shop.date
    rows = histories(golden.read("orders"), shop, shop.date).order_by("customer_id").to_pyarrow()
    scores = golden.read("churn_scores").select("customer_id", "churn_probability").to_pyarrow()
    said = dict(zip(*(column.to_pylist() for column in scores.columns), strict=True))
    left = _left(golden)
    ids = rows["customer_id"].to_pylist()
    has_left = np.array([left[one] is not None and left[one] <= shop.moment for one in ids])
    # The best that orders alone can tell. Visits, tickets and stars tell more.
    best = judging.measured(1 - alive(PLANTED, customers(rows)), has_left)
    ours = judging.measured(np.array([said[one] for one in ids]), has_left)
    assert best > 0.75
    assert ours > best + 0.05


def _left(golden: Deployment) -> dict[str, object]:
    """When each customer left for good, if so."""
    files = golden.folder / "data/truth_customer/*.parquet"
    return dict(duckdb.sql(f"SELECT customer_id, left_at FROM '{files}'").fetchall())
