"""What a user would pick instead of our models: run by the Python of an environment in which these libraries are.

Reads orders.parquet and order_lines.parquet of a folder; prints CPU seconds, rows and peak memory as JSON. Imports
nothing of ours.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

AS_OF = "2026-06-30"
SUPPORT, CONFIDENCE = 0.001, 0.1
BATCH = 10_000
SERIES = 5_000


def lifetimes(folder: Path) -> Callable[[], int]:
    """BG/NBD and Gamma-Gamma: purchases of a year and discounted value of three, for everybody."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.utils import summary_data_from_transaction_data

    def run() -> int:
        orders = pd.read_parquet(folder / "orders.parquet", columns=["customer_id", "ordered_at", "order_amount"])
        orders["order_amount"] = orders.order_amount.astype(float)
        people = summary_data_from_transaction_data(
            orders, "customer_id", "ordered_at", "order_amount", observation_period_end=AS_OF
        )
        model = BetaGeoFitter().fit(people.frequency, people.recency, people["T"])
        model.conditional_expected_number_of_purchases_up_to_time(365, people.frequency, people.recency, people["T"])
        back = people[(people.frequency > 0) & (people.monetary_value > 0)]
        values = GammaGammaFitter().fit(back.frequency, back.monetary_value)
        worth = values.customer_lifetime_value(
            model, people.frequency, people.recency, people["T"], people.monetary_value, time=36, discount_rate=0.008
        )
        return int(worth.notna().sum())

    return run


def mlxtend(folder: Path) -> Callable[[], int]:
    """FP-growth and its rules, of the same support and confidence."""
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    def run() -> int:
        matrix, products = _matrix(folder, "order_id")
        sparse: Any = pd.DataFrame.sparse
        baskets = sparse.from_spmatrix(matrix.astype(bool), columns=products)
        found = fpgrowth(baskets, min_support=SUPPORT, use_colnames=True)
        return len(association_rules(found, metric="confidence", min_threshold=CONFIDENCE)) if len(found) else 0

    return run


def implicit(folder: Path) -> Callable[[], int]:
    """Alternating least squares with 64 factors, and ten products for everybody."""
    import numpy as np
    from implicit.als import AlternatingLeastSquares

    def run() -> int:
        matrix, _ = _matrix(folder, "customer_id")
        model = AlternatingLeastSquares(factors=64, iterations=15, random_state=0)
        model.fit(matrix, show_progress=False)
        count = matrix.shape[0]
        for start in range(0, count, BATCH):
            people = np.arange(start, min(start + BATCH, count))
            model.recommend(people, matrix[people], N=10)
        return int(count) * 10

    return run


def statsforecast(folder: Path) -> Callable[[], int]:
    """Exponential smoothing chosen series by series, with intervals, of the weekly sales of 5,000 products."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    def run() -> int:
        lines = pd.read_parquet(folder / "order_lines.parquet", columns=["product_id", "ordered_at"])
        weeks = lines.ordered_at.dt.to_period("W-SUN").dt.start_time
        sold: Any = lines.groupby(["product_id", weeks]).size().unstack(fill_value=0).iloc[:SERIES, 1:]
        long = sold.stack().rename_axis(["unique_id", "ds"]).rename("y").astype(float).reset_index()
        engine = StatsForecast([AutoETS(season_length=1)], freq="W-MON")
        return len(engine.forecast(df=long, h=13, level=[80, 95]))

    return run


def _matrix(folder: Path, who: str) -> tuple[Any, Any]:
    """How often each customer, or order, has each product; and the products."""
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    lines = pd.read_parquet(folder / "order_lines.parquet", columns=[who, "product_id"])
    rows, _ = pd.factorize(lines[who])
    columns, products = pd.factorize(lines.product_id)
    return csr_matrix((np.ones(len(lines), dtype=np.float32), (rows, columns))), products


def _peak_megabytes() -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / 1e6


def main() -> None:
    """Time the library named first on the files of the folder named second."""
    name, folder = sys.argv[1:]
    run = {"lifetimes": lifetimes, "mlxtend": mlxtend, "implicit": implicit, "statsforecast": statsforecast}[name](
        Path(folder)
    )
    started = time.process_time()
    rows = run()
    seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "rows": rows, "megabytes": _peak_megabytes()}))


if __name__ == "__main__":
    main()
