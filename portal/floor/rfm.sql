with measured as (
  select
    customer_id,
    date_diff('day', max(ordered_at) filter (is_completed), {as_of})::integer as recency_days,
    count(*) filter (is_completed) as frequency,
    coalesce(sum(order_amount), 0)::decimal(18, 4) as monetary,
    sum(returned_amount)::decimal(18, 4) as returned_amount,
    min(ordered_at) filter (is_completed) as first_ordered_at,
    max(ordered_at) filter (is_completed) as last_ordered_at
  from orders where customer_id is not null
  group by 1
  having count(*) filter (is_completed) > 0
),
scored as (
  select
    *,
    case when recency_days is not null then
      1 + (rank() over (partition by recency_days is null order by recency_days desc) - 1) * 5
      // count(*) over (partition by recency_days is null) end as recency_score,
    1 + (rank() over (order by frequency) - 1) * 5 // count(*) over () as frequency_score,
    1 + (rank() over (order by monetary) - 1) * 5 // count(*) over () as monetary_score
  from measured
)
select
  customer_id,
  recency_days,
  frequency,
  monetary,
  recency_score::integer as recency_score,
  frequency_score::integer as frequency_score,
  monetary_score::integer as monetary_score,
  recency_score::varchar || frequency_score::varchar || monetary_score::varchar as rfm_code,
  returned_amount,
  first_ordered_at,
  last_ordered_at
from scored
