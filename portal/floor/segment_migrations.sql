with paired as (
  select
    month_on,
    engagement_level,
    customer_segment,
    coalesce(lag(engagement_level) over past, '(new)') as from_level,
    coalesce(lag(customer_segment) over past, '(new)') as from_segment
  from monthly_segments
  window past as (partition by customer_id order by month_on)
),
moves as (
  select *, count(*) as customers
  from paired where month_on > (select min(month_on) from monthly_segments)
  group by all
),
counted as (
  select
    'engagement_level' as segmentation,
    month_on,
    from_level as from_segment,
    engagement_level as to_segment,
    sum(customers)::bigint as customer_count
  from moves group by all
  union all
  select 'customer_segment', month_on, from_segment, customer_segment, sum(customers)::bigint
  from moves group by all
)
select
  *,
  customer_count::double / (sum(customer_count) over (partition by segmentation, month_on, from_segment))::double
    as rate
from counted
