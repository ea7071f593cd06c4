with paths as (
  select string_split(path, ' > ') as steps, list_contains(steps, 'order_placed') as has_ordered, count(*) as visits
  from session_paths group by path
),
-- Only what came before the first order can have led to it.
deciding as (
  select
    visits,
    has_ordered,
    unnest(list_distinct(case when has_ordered then steps[:list_position(steps, 'order_placed') - 1] else steps end))
      as action
  from paths
),
everything as (
  select sum(visits)::bigint as visits, coalesce(sum(visits) filter (has_ordered), 0)::bigint as ordered from paths
),
counted as (
  select action, sum(visits)::bigint as n1, coalesce(sum(visits) filter (has_ordered), 0)::bigint as k1
  from deciding group by 1
),
rated as (
  select
    action, n1, k1, visits, visits - n1 as n2, ordered - k1 as k2, k1 / n1 as p1, k2 / nullif(n2, 0) as p2,
    case when n1 >= 30 and n2 >= 30 then 1.95996398454 * sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) end as half
  from counted, everything
)
select
  action,
  n1 as session_count,
  n1 / visits as session_share,
  k1 as order_count,
  p1 as conversion_rate,
  n2 as other_session_count,
  k2 as other_order_count,
  p2 as other_conversion_rate,
  p1 / nullif(p2, 0) as lift,
  p1 - p2 as difference,
  p1 - p2 - half as difference_low,
  p1 - p2 + half as difference_high,
  abs(p1 - p2) > half as is_significant,
  row_number() over (order by abs(p1 - p2) desc nulls last, action)::integer as rank
from rated
