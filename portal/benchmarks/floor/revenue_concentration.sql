with ranked as (
  select monetary, row_number() over (order by monetary desc, customer_id) as place, count(*) over () as buyers
  from rfm
),
totals as (
  select
    count(*) as buyers,
    sum(monetary) as total,
    sum((buyers + 1 - 2 * place) * monetary) as outranking
  from ranked
),
shares as (select unnest([1, 5, 10, 20, 30, 50, 100]) as percent),
tops as (
  select percent, count(place) as customer_count, coalesce(sum(monetary), 0)::decimal(18, 4) as revenue
  from shares left join ranked on place <= (percent * buyers + 99) // 100
  group by 1
)
select
  percent::double / 100.0 as top_share,
  customer_count,
  revenue,
  revenue::double / nullif(total::double, 0) as revenue_share,
  outranking::double / (buyers::double * nullif(total::double, 0)) as gini,
  case when coalesce(total, 0) = 0 then 'no revenue from known customers' end as reason
from tops cross join totals
