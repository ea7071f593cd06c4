with measured as (
  select
    customer_id,
    date_diff('day', max(ordered_at) filter (is_completed), {as_of})::integer as recency_days,
    date_diff('day', min(ordered_at) filter (is_completed), {as_of}) as history_days,
    count(*) filter (is_completed) as frequency,
    sum(coalesce(order_amount, 0) - refunded_amount)::decimal(18, 4) as monetary,
    coalesce(sum(order_amount), 0)::decimal(18, 4) as gross_monetary,
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
    case when recency_days is not null and count(distinct recency_days) over () >= 5
      and max(history_days) over () + 1 >= 56 then
      1 + (2 * (rank() over (order by recency_days is null, recency_days desc) - 1)
        + count(*) over (partition by recency_days)) * 5 // (2 * count(recency_days) over ()) end as recency_score,
    case when count(distinct frequency) over () >= 5 then
      1 + (2 * (rank() over (order by frequency) - 1) + count(*) over (partition by frequency)) * 5
        // (2 * count(*) over ()) end as frequency_score,
    case when count(distinct monetary) over () >= 5 then
      1 + (2 * (rank() over (order by monetary) - 1) + count(*) over (partition by monetary)) * 5
        // (2 * count(*) over ()) end as monetary_score
  from measured
)
select
  customer_id,
  recency_days,
  frequency,
  monetary,
  gross_monetary,
  recency_score::integer as recency_score,
  frequency_score::integer as frequency_score,
  monetary_score::integer as monetary_score,
  recency_score::varchar || frequency_score::varchar || monetary_score::varchar as rfm_code,
  returned_amount,
  first_ordered_at,
  last_ordered_at
from scored
