with months as (
  select
    range as back,
    case when range = 0 then {as_of}::date else last_day({as_of}::date - to_months(range::integer)) end as month_on
  from range(0, 13)
),
monthly as (
  select
    customer_id,
    coalesce(least(date_diff('month', ordered_at, {as_of}), 12), 12) as back,
    count(*) as orders,
    sum(order_amount) as amount,
    min(ordered_at)::date as first_on,
    max(ordered_at)::date as last_on
  from orders where is_completed and customer_id is not null
  group by all
),
spans as (
  select
    customer_id,
    back,
    (sum(orders) over so_far)::bigint as frequency,
    coalesce(sum(amount) over so_far, 0)::decimal(18, 4) as monetary,
    min(first_on) over so_far as first_on,
    max(last_on) over so_far as last_on,
    coalesce(lead(back) over so_far, -1) as next_back
  from monthly
  window so_far as (partition by customer_id order by back desc)
),
measured as (
  select
    customer_id,
    month_on,
    frequency,
    monetary,
    month_on - last_on as recency_days,
    month_on - first_on as history_days
  from spans join months on months.back <= spans.back and months.back > spans.next_back
),
scored as (
  select
    *,
    case when recency_days is not null then
      1 + (rank() over (partition by month_on, recency_days is null order by recency_days desc) - 1) * 5
      // count(*) over (partition by month_on, recency_days is null) end as recency_score,
    1 + (rank() over (partition by month_on order by frequency) - 1) * 5 // count(*) over (partition by month_on)
      as frequency_score,
    1 + (rank() over (partition by month_on order by monetary) - 1) * 5 // count(*) over (partition by month_on)
      as monetary_score
  from measured
)
select
  customer_id,
  month_on,
  recency_days::integer as recency_days,
  frequency,
  monetary,
  recency_score::integer as recency_score,
  frequency_score::integer as frequency_score,
  monetary_score::integer as monetary_score,
  case
    when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'Champions'
    when recency_score <= 2 and monetary_score >= 4 then 'At Risk (High Value)'
    when recency_score >= 3 and frequency_score >= 3 then 'Loyal Customers'
    when recency_score >= 3 or recency_score is null then 'Needs Attention'
    else 'Churn Risk'
  end as engagement_level,
  case when history_days >= 365 and monetary > 5000 then 'VIP' when history_days >= 365 then 'Regular' else 'New' end
    as customer_segment
from scored
