"""All tables of the analytics layer computed a second time, from their inputs as published."""

from collections.abc import Callable

import pandas as pd

from governance import contracts
from tests.second import customers, frictions, goods, predictions, sales, segments, visits, voices
from tests.second.published import Published, differences

COMPUTED: tuple[Callable[[Published], pd.DataFrame], ...] = (
    customers.rfm,
    customers.features,
    segments.customer_segments,
    segments.audiences,
    segments.value_by_segment,
    segments.segment_traits,
    segments.segment_summary,
    segments.action_matrix,
    segments.revenue_concentration,
    segments.rfm_distribution,
    segments.monthly_segments,
    segments.segment_migrations,
    segments.segment_stability,
    segments.cohorts,
    sales.weekly_sales,
    voices.loyalty_members,
    voices.loyalty_programme,
    voices.reward_effects,
    voices.satisfaction,
    voices.feedback,
    visits.hourly_activity,
    visits.funnel,
    visits.journeys,
    visits.journey_steps,
    visits.moments,
    visits.touches,
    visits.browsing,
    visits.category_interest,
    visits.category_distribution,
    visits.interest_trend,
    visits.communication_preferences,
    frictions.frictions,
    predictions.feature_drift,
    predictions.churn_performance,
    goods.offers,
)
TABLES = {compute.__name__: compute for compute in COMPUTED}


def differing(tables: Published, table: str) -> list[str]:
    """How a published table differs from what its contract says; nothing where it does not."""
    return differences(TABLES[table](tables), tables[table], contracts.ours()[table].primary_key)
