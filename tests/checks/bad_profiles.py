"""Rows of derived tables that fail a rule each: by table and rule, how many rows fail it, and the rows."""

from datetime import date, datetime, timedelta
from typing import Any

NOON, EVENING = datetime(2026, 6, 30, 12), datetime(2026, 6, 30, 20)
ANN = {"customer_id": "C1"}
EXAMPLE = ANN | {
    "horizon_days": 30,
    "next_order_days": 20,
    "has_churned": False,
    "observed_days": 90,
    "is_judged": True,
}
METRIC = {"candidate": "a", "metric": "lift", "value": 0.5, "value_low": 0.4, "value_high": 0.6}
DECILE = {"candidate": "a", "decile": 1, "mean_probability": 0.5, "churn_share": 0.5}
DRIFT = {"feature": "recency_days", "psi": 0.3, "drift": "much", "is_used": True}
KNOWN = {
    "predicted_at": NOON - timedelta(days=90), "known_at": NOON, "is_known": True, "customer_count": 0,
    "mean_probability": 0.5, "churn_share": 0.5, "auc": 0.8, "promised_auc": 0.8, "brier": 0.1,
}  # fmt: skip
CANDIDATE = {
    "candidate": "a", "is_baseline": False, "is_chosen": False, "reason": "lower", "fitted_model": "{}",
    "model_hash": "h", "trained_until": datetime(2026, 1, 1), "judged_at": NOON, "auc": 0.7, "auc_low": 0.6,
    "auc_high": 0.8, "brier": 0.1, "brier_low": 0.1, "brier_high": 0.1,
}  # fmt: skip
FORESEEN = CANDIDATE | {
    "target": "purchase", "is_chosen": True, "happened_share": 0.3, "said_share": 0.32, "features_used": "frequency",
}  # fmt: skip
SHIFT = {
    "target": "category_shift", "candidate": "own shares", "is_baseline": False, "is_chosen": True, "reason": "chosen",
    "trained_until": NOON, "judged_at": NOON, "log_loss": 1.2, "fitted_model": "{}", "model_hash": "h",
}  # fmt: skip
NEXT = ANN | {
    "probability_purchase": 0.6, "probability_churn_risk": 0.4, "next_action": "Purchase",
    "next_action_probability": 0.6, "is_overridden": False, "next_best_action": "Wait",
    "next_best_action_priority": "Low", "next_best_action_reason": "nothing", "next_best_action_basis": "orders 3",
    "next_best_action_rule": "Nothing to do",
}  # fmt: skip
OFFER = ANN | {"kind": "upsell", "rank": 1, "product_id": "P1", "because_product_id": "P2"}
FITTED = {"model": "BG/NBD", "r": 0.2, "alpha": 4.0, "a": 0.8, "b": 2.0, "mae": 1.0, "rmse": 1.5, "is_chosen": True}
WEEK = {"level": "total", "week_on": date(2026, 6, 15), "revenue": 1}
TRIED = {"candidate": "a", "series_kind": "total", "is_baseline": False, "is_chosen": True, "mae": 1.0}
FORETOLD = {
    "level": "total", "candidate": "a", "week_number": 1, "expected": 5.0, "low_80": 3.0, "low_95": 2.0,
    "high_80": 7.0, "high_95": 8.0, "total_expected": 5.0, "total_low_80": 3.0, "total_low_95": 2.0,
    "total_high_80": 7.0, "total_high_95": 8.0,
}  # fmt: skip
BAD: dict[str, dict[str, tuple[int, list[dict[str, Any]]]]] = {
    "as_of": {"moment_known": (1, [{}])},
    "customers": {"registered_reconcile": (1, [ANN | {"is_registered": False}])},
    "products": {
        "launched_reconcile": (1, [{"sku_id": "S1"}, {"sku_id": "S2"}]),
        "prices_reconcile": (1, [{"sku_id": "S1", "list_price": 1}]),
    },
    "transactions": {
        "payments_reconcile": (1, [{"transaction_id": "T1"}, {"transaction_id": "T2"}]),
        "money_reconciles": (1, [{"transaction_id": "T1", "amount": 1}]),
    },
    "order_lines": {
        "quantity_as_in_source": (1, [{"order_line_id": "L1", "quantity": 7}]),
        "net_is_amount_less_discount": (1, [{"line_amount": 5, "discount_amount": 1, "net_amount": 5}]),
    },
    "product_views": {"events_reconcile": (1, [{"activity_uuid": "A1"}])},
    "items_added_to_cart": {"events_reconcile": (1, [{"activity_uuid": "A1"}])},
    "items_added_to_favorite": {"events_reconcile": (1, [{"activity_uuid": "A1"}])},
    "sessions": {
        "events_reconcile": (1, [{"event_count": 5}]),
        "events_add_up": (1, [{"product_view_count": 2, "event_count": 1}]),
        "visits_last_hours": (1, [{"engagement_minutes": 1441.0}]),
    },
    "session_paths": {
        "sessions_complete": (1, [{"session_id": "W1", "path": "page_view"}]),
        "steps_match_path": (1, [{"path": "page_view > checkout", "step_count": 1}]),
    },
    "features": {
        "everyone_described": (1, [ANN]),
        "money_reconciles": (1, [ANN | {"monetary": 3}]),
        "value_reconciles": (1, [ANN | {"historical_value": 3}]),
        "rates_in_range": (2, [ANN | {"return_rate": 1.5}, {"customer_id": "C2", "activity_change": -2.0}]),
    },
    "customer_segments": {
        "gaps_explained": (1, [ANN | {"lifecycle_stage": "New", "price_range": "Budget"}]),
        "everyone_in_one_row": (1, [ANN]),
    },
    "audiences": {
        "one_primary_each": (1, [ANN | {"is_primary": True}]),
        "sensitive_never_primary": (1, [ANN | {"is_primary": True, "is_sensitive": True}]),
    },
    "touches": {
        "seen_at_least_once": (1, [ANN | {"touch_count": 0}]),
        "times_in_order": (1, [ANN | {"first_at": EVENING, "last_at": NOON}]),
    },
    "customer_360": {"money_reconciles": (1, [ANN | {"historical_value": 3}])},
    "orders_enriched": {
        "no_line_lost": (1, [{"order_line_id": "L1"}]),
        "money_reconciles": (1, [{"order_line_id": "L1", "line_amount": 3}]),
    },
    "action_matrix": {
        "everyone_in_one_cell": (1, [{"customer_count": 2}]),
        "value_reconciles": (1, [{"historical_value": 2}]),
        "all_cells_there": (1, [{}]),
    },
    "browsing": {
        "rates_in_range": (2, [ANN | {"bounce_rate": 1.5}, {"customer_id": "C2", "bounce_rate": -0.1}]),
        "sessions_reconcile": (1, [ANN | {"session_count": 2}]),
        "minutes_reconcile": (1, [ANN | {"engagement_minutes": 9.0}]),
        "parts_within_sessions": (1, [ANN | {"abandoned_cart_count": 2, "session_count": 1}]),
    },
    "category_distribution": {
        "money_reconciles": (1, [{"revenue": 2}]),
        "views_reconcile": (1, [{"view_count": 2}]),
        "rates_in_range": (1, [{"revenue_share": 1.5}]),
        "categories_known": (1, [{"category": "unknown", "revenue_share": 0.5}]),
    },
    "category_interest": {
        "carts_reconcile": (1, [ANN | {"cart_count": 2}]),
        "shares_add_up": (1, [ANN | {"interest_share": 0.5}]),
        "interest_of_some_kind": (1, [ANN | {"interest_share": 0.0}]),
    },
    "cluster_trials": {
        "every_number_tried": (1, [{"k": 2}]),
        "choice_is_measured": (1, [{"is_chosen": True}]),
        "choice_is_stable": (1, [{"is_chosen": True, "stability": 0.5}]),
        "measures_in_range": (1, [{"silhouette": 1.5}]),
    },
    "churn_deciles": {
        "everybody_is_in_a_tenth": (1, [DECILE]),
        "all_are_captured": (1, [DECILE | {"decile": 10, "captured_share": 0.9}]),
        "said_as_it_was": (1, [DECILE | {"mean_probability": 0.9}]),
    },
    "churn_examples": {
        "outcome_follows_from_the_next_order": (1, [EXAMPLE | {"next_order_days": 31}]),
        "outcome_is_known": (1, [EXAMPLE | {"observed_days": 29}]),
        "trained_before_judged": (1, [EXAMPLE | {"is_judged": False, "observed_days": 90}]),
        "next_order_or_nothing_of_it": (
            1,
            [EXAMPLE | {"next_order_days": None, "has_churned": True, "next_order_amount": 5}],
        ),
        "responses_are_of_those_contacted": (1, [EXAMPLE | {"is_contacted": True}]),
    },
    "action_model": {
        "one_chosen_or_none": (1, [FORESEEN, FORESEEN | {"candidate": "b"}]),
        "judged_or_reason": (1, [FORESEEN | {"fitted_model": None}]),
        "judged_after_training": (1, [FORESEEN | {"trained_until": NOON - timedelta(days=10)}]),
        "shifts_are_judged_after_training": (1, [SHIFT | {"trained_until": EVENING}]),
        "bounds_hold_the_figure": (1, [FORESEEN | {"brier_low": 0.15}]),
        "said_as_it_came": (1, [FORESEEN | {"said_share": 0.5}]),
    },
    "offers": {
        "kinds_are_known": (1, [OFFER | {"kind": "gift"}]),
        "one_best_each": (1, [OFFER | {"rank": 2}]),
        "not_of_itself": (1, [OFFER | {"because_product_id": "P1"}]),
    },
    "next_actions": {
        "everyone_described": (1, [NEXT]),
        "probabilities_sum_to_one": (1, [NEXT | {"probability_browse": 0.1}]),
        "action_or_reason": (1, [NEXT | {"next_action": None}]),
        "likeliest_unless_overridden": (1, [NEXT | {"is_overridden": True}]),
        "best_action_is_whole": (1, [NEXT | {"next_best_action_priority": "Urgent"}]),
        "category_with_probability": (1, [NEXT | {"category_to": "Tea"}]),
    },
    "churn_metrics": {
        "same_auc_as_the_model": (1, [METRIC | {"metric": "AUC-ROC"}]),
        "every_metric_of_every_candidate": (1, [METRIC, METRIC | {"candidate": "other", "metric": "F1"}]),
        "shares_are_shares": (1, [METRIC | {"metric": "F1", "value": 1.2}]),
    },
    "churn_model": {
        "one_chosen_or_none": (1, [CANDIDATE | {"is_chosen": True}, CANDIDATE | {"candidate": "b", "is_chosen": True}]),
        "judged_or_reason": (1, [CANDIDATE | {"fitted_model": None}]),
        "judged_after_training": (1, [CANDIDATE | {"trained_until": NOON - timedelta(days=10)}]),
        "bounds_hold_the_figure": (1, [CANDIDATE | {"auc_low": 0.75}]),
        "better_than_one_number": (1, [CANDIDATE | {"is_baseline": True, "is_chosen": True}]),
    },
    "churn_performance": {
        "told_once_it_is_known": (1, [KNOWN | {"is_known": False}]),
        "everybody_is_judged": (1, [KNOWN | {"customer_count": 1}]),
        "as_good_as_judged": (1, [KNOWN | {"auc": 0.74}]),
        "as_many_as_said": (1, [KNOWN | {"mean_probability": 0.61}]),
    },
    "churn_predictions": {
        "one_model_at_a_time": (
            1,
            [
                ANN | {"predicted_at": NOON, "model_hash": "a"},
                {"customer_id": "C2", "predicted_at": NOON, "model_hash": "b"},
            ],
        ),
    },
    "feature_drift": {
        "index_or_reason": (1, [DRIFT | {"reason": "fewer than 500 examples or customers"}]),
        "customers_are_alike": (1, [DRIFT, DRIFT | {"feature": "history_days"}, DRIFT | {"is_used": False}]),
    },
    "churn_scores": {
        "everyone_described": (1, [ANN]),
        "probability_or_reason": (1, [ANN | {"churn_probability": 0.5, "horizon_days": 90}]),
        "scored_by_the_chosen_model": (1, [ANN | {"model_hash": "other"}]),
    },
    "basket_rules": {
        "counts_fit_together": (
            1,
            [{"rule_count": 9, "antecedent_count": 8, "consequent_count": 10, "basket_count": 20}],
        ),
        "rules_have_grounds": (
            2,
            [
                {"antecedent_ids": "A", "rule_count": 4, "minimum_count": 5, "q_value": 0.0},
                {"antecedent_ids": "B", "rule_count": 9, "minimum_count": 5, "q_value": 0.2},
            ],
        ),
        "measures_follow_from_counts": (
            1,
            [
                {
                    "rule_count": 5,
                    "antecedent_count": 10,
                    "consequent_count": 10,
                    "basket_count": 100,
                    "support": 0.05,
                    "confidence": 0.6,
                    "lift": 5.0,
                }
            ],
        ),
    },
    "recommendation_model": {
        "every_way_tried": (1, [{"list": "discover"}]),
        "measures_in_range": (1, [{"list": "discover", "ndcg": 1.5}]),
        "interval_holds_the_gain": (1, [{"ndcg_gain": 0.3, "ndcg_gain_low": 0.1, "ndcg_gain_high": 0.2}]),
        "choice_beats_the_baseline": (1, [{"candidate": "EASE", "is_chosen": True, "ndcg_gain_low": -0.1}]),
        "judged_by_enough": (1, [{"ndcg": 0.2, "customer_count": 29}]),
    },
    "recommendations": {
        "once_per_customer": (
            2,
            [ANN | {"product_id": "P1", "rank": 1}, ANN | {"product_id": "P1", "rank": 2}],
        ),
        "ranks_in_range": (1, [ANN | {"rank": 21}]),
        "list_fits_the_past": (1, [ANN | {"list": "buy again", "is_bought_before": False}]),
    },
    "clusters": {
        "everyone_placed": (1, [ANN]),
        "cluster_or_reason": (1, [ANN | {"cluster_id": 1, "reason": "lost"}]),
        "one_name_each": (
            1,
            [
                {"customer_id": who, "cluster_id": 1, "cluster_name": name}
                for who, name in (("C1", "Recent"), ("C2", "Recent"), ("C3", "Lapsed"))
            ],
        ),
        "as_many_as_chosen": (1, [ANN | {"cluster_id": 4}]),
    },
    "lifetime_model": {
        "every_way_tried": (1, [{"model": "BG/NBD"}]),
        "one_chosen_where_fitted": (1, [{"model": "BG/NBD", "r": 0.2, "is_chosen": False}]),
        "choice_is_judged": (1, [FITTED | {"a": 0.0}]),
        "choice_expects_enough": (1, [FITTED | {"total_bias": -0.5}]),
        "intervals_in_order": (1, [FITTED | {"rmse_low": 2.0, "rmse_high": 1.0}]),
    },
    "lifetime_value": {
        "every_buyer_scored": (1, [ANN]),
        "value_or_reason": (1, [ANN | {"frequency": 1}]),
        "scores_in_range": (1, [ANN | {"p_alive": 1.5}]),
        "no_more_than_days": (1, [ANN | {"expected_purchases": 366.0, "expected_purchases_soon": 1.0}]),
    },
    "cohorts": {
        "first_month_is_whole": (1, [{"retained_count": 2, "customer_count": 1}]),
        "everyone_in_one_cohort": (1, [{"customer_count": 2, "month_offset": 0}]),
        "money_reconciles": (1, [{"revenue": 2}]),
    },
    "feedback": {
        "scores_on_scale": (1, [ANN | {"nps_score": 11}]),
        "something_was_said": (1, [{"survey_answer_count": 0, "review_count": 0, "support_ticket_count": 0}]),
        "customer_known": (1, [ANN]),
    },
    "funnel": {
        "never_widens": (1, [{"session_count": 2, "reached_count": 1, "drop_off_rate": 0.5}]),
        "rates_in_range": (1, [{"rate_of_views": 1.5}]),
        "orders_reconcile": (1, [{"step": 4, "session_count": 3}]),
    },
    "hourly_activity": {
        "week_complete": (1, [{}]),
        "sessions_reconcile": (1, [{"session_count": 3}]),
        "empty_for_a_reason": (1, [{"session_count": None}]),
    },
    "interest_trend": {
        "interest_seen": (1, [{"product_view_count": 0}]),
        "empty_for_a_reason": (1, [{"session_count": None}]),
    },
    "loyalty_members": {
        "no_account_overdrawn": (1, [ANN | {"points_balance": -1}]),
        "points_add_up": (1, [ANN | {"points_balance": 1}]),
        "engaged_members_are_active": (1, [ANN | {"is_engaged": True, "member_state": "lapsed"}]),
        "member_known": (1, [ANN]),
    },
    "loyalty_programme": {
        "points_reconcile": (1, [{"points_earned": 3}]),
        "liability_not_negative": (1, [{"points_outstanding": -1}]),
        "members_active_and_compared": (1, [{"active_member_count": 2, "member_count": 1}]),
    },
    "monthly_segments": {
        "scores_in_range": (1, [ANN | {"recency_score": 6, "frequency_score": 1, "monetary_score": 1}]),
        "everyone_followed": (1, [ANN | {"recency_days": 1}]),
    },
    "revenue_concentration": {
        "money_reconciles": (1, [{"top_share": 1.0, "revenue": 2}]),
        "best_customers_first": (1, [{"top_share": 0.5, "revenue_share": 0.4, "gini": 0.1}]),
        "all_shares_there": (1, [{}]),
    },
    "reward_effects": {
        "difference_within_interval": (1, [{"difference": 1.0, "difference_low": 2.0, "difference_high": 3.0}]),
        "compared_are_of_the_band": (1, [{"compared_order_count": 2, "order_count": 1}]),
        "gaps_explained": (1, [{"difference": 1.0}]),
    },
    "rfm_distribution": {
        "everyone_scored_once": (1, [{"measure": "frequency_score", "customer_count": 2}]),
        "everyone_at_one_level": (1, [{"measure": "engagement_level", "customer_count": 2}]),
        "spread_in_order": (1, [{"least": 3.0, "median": 2.0, "greatest": 4.0}]),
    },
    "satisfaction": {
        "score_within_interval": (1, [{"metric": "csat", "score": 101}]),
        "nps_adds_up": (1, [{"metric": "nps", "promoter_count": 1, "passive_count": 0, "detractor_count": 1}]),
        "gaps_explained": (1, [{"metric": "ces", "score": 5}]),
    },
    "segment_migrations": {
        "somebody_moved": (1, [{"customer_count": 0}]),
        "everyone_moves_once": (1, [{"segmentation": "engagement_level", "customer_count": 2}]),
    },
    "segment_stability": {
        "index_in_range": (1, [{"stayed_rate": 1.0, "adjusted_rand_index": 0.5}]),
        "everyone_compared": (1, [{"customer_count": 2}]),
    },
    "segment_summary": {
        "everyone_counted_once": (1, [{"segmentation": "persona", "customer_count": 2}]),
        "value_reconciles": (1, [{"segmentation": "persona", "historical_value": 2}]),
        "advice_given": (1, [{"action_1": " "}]),
        "emptiness_explained": (1, [{"customer_count": 0}]),
    },
    "segment_traits": {
        "few_stay_untold": (1, [{"feature": "age", "mean": 40.0, "known_count": 9}]),
        "ranked_once": (1, [{"rank": 1}]),
        "personas_add_up": (1, [{"segmentation": "persona", "feature": "frequency", "known_count": 2}]),
    },
    "value_by_segment": {
        "everyone_placed_once": (1, [{"customer_count": 2}]),
        "value_reconciles": (1, [{"historical_value": 2}]),
        "no_more_buyers_than_customers": (1, [{"buyer_count": 2, "customer_count": 1}]),
    },
    "journeys": {
        "sessions_reconcile": (1, [{"session_count": 2}]),
        "orders_reconcile": (1, [{"order_count": 2}]),
        "counts_fit": (1, [{"customer_count": 2, "session_count": 1}]),
    },
    "journey_steps": {
        "visits_begin": (1, [{"from_action": "(start)", "transition_count": 2}]),
        "visits_end": (1, [{"is_drop_off": True, "transition_count": 2}]),
        "counts_fit": (1, [{"session_count": 2, "transition_count": 1}]),
    },
    "moments": {
        "orders_fit": (1, [{"order_count": 2, "session_count": 1}]),
        "interval_in_order": (1, [{"difference": 0.5, "difference_low": 0.6, "difference_high": 0.7}]),
        "rates_in_range": (1, [{"conversion_rate": 1.5}]),
    },
    "frictions": {
        "carts_reconcile": (1, [{"kind": "abandoned_cart", "session_count": 2}]),
        "counts_fit": (1, [{"session_count": 2, "example_count": 1}]),
        "no_addresses": (1, [{"place": "/account/ann@example.com"}]),
    },
    "communication_preferences": {
        "answers_add_up": (1, [{"accepted_count": 1, "declined_count": 1, "unknown_count": 1, "customer_count": 2}]),
        "reachable_agreed": (1, [{"reachable_count": 2, "accepted_count": 1}]),
        "reason_given": (1, [{"accepted_count": None}]),
    },
    "weekly_sales": {
        **{
            f"{level}_reconciles": (1, [WEEK, WEEK | {"level": level, "series_id": "a", "revenue": 4}])
            for level in ("category", "brand", "country", "product")
        },
        "quantities_reconcile": (1, [WEEK | {"quantity": 3}, WEEK | {"level": "brand", "quantity": 2}]),
        "orders_reconcile": (1, [WEEK | {"order_count": 3}, WEEK | {"level": "country", "order_count": 2}]),
        "weeks_whole": (2, [WEEK | {"week_on": date(2026, 6, 29)}, WEEK | {"week_on": date(2026, 6, 16)}]),
    },
    "forecast_model": {
        "one_chosen_or_none": (1, [TRIED, TRIED | {"candidate": "b"}]),
        "judged_or_reason": (2, [TRIED | {"mae": None}, TRIED | {"series_count": 0}]),
        "bounds_hold_the_figure": (1, [TRIED | {"gain": 0.5, "gain_low": 0.6, "gain_high": 0.7}]),
        "better_than_baseline": (1, [TRIED | {"is_baseline": True}]),
        "intervals_hold_what_they_say": (1, [TRIED | {"coverage_80": 0.7, "coverage_95": 0.9}]),
    },
    "forecasts": {
        "intervals_nested": (2, [FORETOLD | {"low_95": 4.0}, FORETOLD | {"week_number": 2, "total_high_80": 4.0}]),
        "gaps_explained": (2, [FORETOLD | {"reason": "x"}, FORETOLD | {"week_number": 2, "candidate": None}]),
        "all_weeks_there": (1, [FORETOLD]),
    },
    "reorder_points": {
        "point_covers_demand": (1, [{"covered_demand": 2.2, "safety_stock": 1.1, "reorder_point": 3}]),
        "gaps_explained": (1, [{"reorder_point": None, "reason": None}]),
    },
}
