with valued as (
  select 'recency_score' as measure, recency_score::varchar as value, monetary, recency_days::decimal(18, 4) as amount
  from rfm
  union all
  select 'frequency_score', frequency_score::varchar, monetary, frequency::decimal(18, 4) from rfm
  union all
  select 'monetary_score', monetary_score::varchar, monetary, monetary from rfm
  union all
  select 'rfm_code', rfm_code, monetary, monetary from rfm
  union all
  select 'engagement_level', engagement_level, monetary, monetary from customer_segments
),
counted as (
  select
    measure,
    value,
    count(*) as customer_count,
    coalesce(sum(monetary), 0)::decimal(18, 4) as monetary,
    min(amount)::double as least,
    median((amount * 10000)::bigint) / 10000.0::double as median,
    max(amount)::double as greatest
  from valued where value is not null
  group by all
)
select
  *,
  customer_count::double / (sum(customer_count) over of_measure)::double as customer_share,
  monetary::double / nullif((sum(monetary) over of_measure)::double, 0) as monetary_share
from counted
window of_measure as (partition by measure)
