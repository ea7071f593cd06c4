with months as (
  select
    range as back,
    last_day({as_of}::date - to_months(range::integer)) as last_on,
    case when range = 0 then {as_of}::date else last_on end as month_on,
    month_on = last_on as is_whole
  from range(0, 13)
),
monthly as (
  select
    customer_id,
    coalesce(least(date_diff('month', ordered_at, {as_of}), 12), 12) as back,
    count(*) filter (is_completed) as orders,
    sum(coalesce(order_amount, 0) - refunded_amount) as amount,
    min(ordered_at) filter (is_completed)::date as first_on,
    max(ordered_at) filter (is_completed)::date as last_on
  from orders where customer_id is not null and (is_completed or refunded_amount > 0)
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
    is_whole,
    frequency,
    monetary,
    month_on - spans.last_on as recency_days,
    month_on - first_on as history_days,
    {as_of}::date - min(first_on) over () + 1 as span
  from spans join months on months.back <= spans.back and months.back > spans.next_back
  where frequency > 0
),
scored as (
  select
    *,
    case when recency_days is not null and count(distinct recency_days) over (partition by month_on) >= 5
      and max(history_days) over (partition by month_on) + 1 >= 56 then
      1 + (2 * (rank() over (partition by month_on order by recency_days is null, recency_days desc) - 1)
        + count(*) over (partition by month_on, recency_days)) * 5
        // (2 * count(recency_days) over (partition by month_on)) end as recency_score,
    case when count(distinct frequency) over (partition by month_on) >= 5 then
      1 + (2 * (rank() over (partition by month_on order by frequency) - 1)
        + count(*) over (partition by month_on, frequency)) * 5 // (2 * count(*) over (partition by month_on))
      end as frequency_score,
    case when count(distinct monetary) over (partition by month_on) >= 5 then
      1 + (2 * (rank() over (partition by month_on order by monetary) - 1)
        + count(*) over (partition by month_on, monetary)) * 5 // (2 * count(*) over (partition by month_on))
      end as monetary_score
  from measured
)
select
  customer_id,
  month_on,
  is_whole,
  recency_days::integer as recency_days,
  frequency,
  monetary,
  recency_score::integer as recency_score,
  frequency_score::integer as frequency_score,
  monetary_score::integer as monetary_score,
  case
    when frequency_score is null or monetary_score is null then null
    when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'Champions'
    when recency_score <= 2 and monetary_score >= 4 then 'At Risk (High Value)'
    when recency_score >= 3 and frequency_score >= 3 then 'Loyal Customers'
    when recency_score >= 3 or recency_days is null and span >= 56 then 'Needs Attention'
    when recency_score <= 2 then 'Churn Risk'
  end as engagement_level,
  case
    when span < 720 or span is null then null
    when history_days >= 365 and monetary > 5000 then 'VIP'
    when history_days >= 365 then 'Regular'
    when history_days < 365 then 'New'
  end as customer_segment
from scored
