"""Candidates of a model in the Dagster UI: a table in Markdown, whatever stands in the reasons."""

from resources.candidates import are_told, markdown
from tests.tables import CONTRACTS

CHURN = CONTRACTS["churn_model"]
NOTHING = dict.fromkeys(CHURN.column_names)


def test_the_chosen_one_is_in_bold_and_figures_bear_their_intervals() -> None:
    best = {"candidate": "tree", "is_chosen": True, "reason": "chosen: best"}
    best |= {"auc": 0.75, "auc_low": 0.74, "auc_high": 0.7612, "auc_gain": 0.02, "auc_gain_low": 0.01}
    best |= {"auc_gain_high": 0.03}
    other = {"candidate": "recency", "is_chosen": False, "reason": "a | b * c", "auc": 0.7}
    assert markdown(CHURN, [NOTHING | best, NOTHING | other]).splitlines() == [
        "| candidate | auc | auc_gain | reason |",
        "| --- | --- | --- | --- |",
        "| **tree** | **0.750 (0.740 to 0.761)** | **+0.020 (+0.010 to +0.030)** | **chosen: best** |",
        r"| recency | 0.700 |  | a \| b \* c |",
    ]


def test_where_nothing_was_judged_the_reason_is_told() -> None:
    rows = [NOTHING | {"candidate": "tree", "is_chosen": False, "reason": "not enough data: 3 customers"}]
    assert markdown(CHURN, rows).splitlines()[0] == "| candidate | reason |"


def test_every_model_tells_its_candidates_and_no_other_table_does() -> None:
    told = {key for key, contract in CONTRACTS.items() if are_told(contract)}
    assert told == {
        "action_model",
        "churn_model",
        "cluster_trials",
        "forecast_model",
        "lifetime_model",
        "recommendation_model",
    }
