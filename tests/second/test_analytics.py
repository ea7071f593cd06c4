"""Every analytics table of the golden company is what its contract says: each column of each row, computed again."""

from collections.abc import Iterator

import pandas as pd
import pytest

from governance import contracts
from resources.deployment import Deployment
from tests.second.analytics import TABLES, differing
from tests.second.published import Published

# Models: their tables are held against their definition, and published figures, elsewhere.
NOT_COMPUTED = {"clusters", "cluster_trials", "lifetime_model", "lifetime_value", "basket_rules"}
NOT_COMPUTED |= {"churn_examples", "churn_model", "churn_metrics", "churn_deciles", "churn_scores"}
NOT_COMPUTED |= {"recommendation_model", "recommendations", "action_model", "next_actions", "churn_predictions"}
NOT_COMPUTED |= {"forecast_model", "forecasts", "reorder_points"}


@pytest.fixture(scope="module")
def published(golden: Deployment) -> Iterator[Published]:
    return Published(golden)


@pytest.mark.parametrize("table", TABLES)
def test_the_table_is_what_its_contract_says(published: Published, table: str) -> None:
    assert differing(published, table) == []
    assert len(published[table])


def test_every_analytics_table_is_computed_again() -> None:
    analytics = {key for key, contract in contracts.ours().items() if contract.layer in ("analytics", "models")}
    assert analytics - NOT_COMPUTED == set(TABLES)


@pytest.mark.parametrize("column", ["monetary", "recency_score", "rfm_code"])
def test_another_value_is_told(published: Published, column: str) -> None:
    rows = published["rfm"]
    other: pd.Series = rows[column].where(rows.index > 0, rows[column].iloc[0] * 2)
    broken = Published(published.held, rfm=rows.assign(**{column: other}))
    assert differing(broken, "rfm")[0].startswith(f"{column}: 1 differ")


def test_a_row_too_few_is_told(published: Published) -> None:
    broken = Published(published.held, cohorts=published["cohorts"].iloc[1:])
    assert differing(broken, "cohorts")[0].startswith("1 rows missing")
