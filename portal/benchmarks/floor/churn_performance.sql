with outcomes as (
  select
    predicted_at,
    model_hash,
    promised_auc,
    churn_probability,
    not exists (
      from orders
      where orders.customer_id = churn_predictions.customer_id and is_completed and ordered_at > predicted_at
        and date_diff('day', predicted_at, ordered_at) <= horizon_days
    ) as has_churned
  from churn_predictions
),
ranked as (
  select
    *,
    rank() over (partition by predicted_at order by churn_probability)
      + (count(*) over (partition by predicted_at, churn_probability) - 1) / 2 as place
  from outcomes
),
judged as (
  select
    predicted_at,
    min(model_hash) as model_hash,
    count(*) as customer_count,
    round(avg(churn_probability), 6) as mean_probability,
    min(promised_auc) as promised_auc,
    predicted_at + interval 90 day as known_at,
    predicted_at + interval 90 day <= {as_of} as is_known,
    count(*) filter (has_churned) as left_count,
    sum(place) filter (has_churned) as places,
    avg((churn_probability - has_churned::double) ** 2) as squares
  from ranked group by 1
)
select
  * exclude (left_count, places, squares),
  case when is_known then round(left_count / customer_count, 6) end as churn_share,
  case when is_known then
    round((places - left_count * (left_count + 1) / 2) / nullif(left_count * (customer_count - left_count), 0), 6)
  end as auc,
  case when is_known then round(squares, 6) end as brier
from judged
