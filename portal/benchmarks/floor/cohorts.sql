with bought as (
  select customer_id, date_trunc('month', ordered_at)::date as month, count(*) as orders, sum(order_amount) as amount
  from orders
  where is_completed and customer_id is not null and ordered_at is not null
  group by all
),
firsts as (select customer_id, min(month) as cohort_month from bought group by 1),
sizes as (select cohort_month, count(*) as customer_count from firsts group by 1),
grid as (
  select *, unnest(range(0, date_diff('month', cohort_month, {as_of}) + 1)) as month_offset
  from sizes
),
active as (
  select
    cohort_month,
    date_diff('month', cohort_month, month) as month_offset,
    count(*) as retained_count,
    sum(orders) as order_count,
    sum(amount) as revenue
  from bought join firsts on firsts.customer_id = bought.customer_id
  group by all
),
filled as (
  select
    grid.cohort_month,
    grid.month_offset,
    customer_count,
    coalesce(retained_count, 0) as retained_count,
    coalesce(order_count, 0) as order_count,
    coalesce(revenue, 0) as revenue,
    sum(coalesce(revenue, 0)) over (partition by grid.cohort_month order by grid.month_offset) as cumulative_revenue
  from grid
  left join active on active.cohort_month = grid.cohort_month and active.month_offset = grid.month_offset
)
select
  cohort_month,
  month_offset::integer as month_offset,
  customer_count,
  retained_count,
  retained_count::double / customer_count::double as retention_rate,
  order_count::bigint as order_count,
  revenue::decimal(18, 4) as revenue,
  cumulative_revenue::decimal(18, 4) as cumulative_revenue,
  cumulative_revenue::decimal(18, 4)::double / customer_count::double as cumulative_revenue_per_customer,
  cohort_month + to_months((month_offset + 1)::integer) <= {as_of} as is_complete
from filled
