with viewed as (select entity_id, count(*) as views from product_views group by 1),
carted as (select entity_id, count(*) as carts from items_added_to_cart group by 1),
described as (
  select
    customers.customer_id,
    customers.is_premium,
    rfm.* exclude (customer_id, frequency, monetary),
    coalesce(frequency, 0) as frequency,
    coalesce(monetary, 0)::decimal(18, 4) as monetary,
    coalesce(views, 0) as views,
    coalesce(carts, 0) as carts,
    date_diff('day', first_ordered_at, {as_of}) as history_days
  from customers
  left join rfm on rfm.customer_id = customers.customer_id
  left join viewed on viewed.entity_id = customers.customer_id
  left join carted on carted.entity_id = customers.customer_id
)
select
  customer_id,
  case when history_days >= 365 and monetary > 5000 then 'VIP' when history_days >= 365 then 'Regular' else 'New' end
    as customer_segment,
  case
    when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'Champions'
    when recency_score <= 2 and monetary_score >= 4 then 'At Risk (High Value)'
    when recency_score >= 3 and frequency_score >= 3 then 'Loyal Customers'
    when recency_score >= 3 then 'Needs Attention'
    else 'Churn Risk'
  end as engagement_level,
  case
    when monetary_score = 5 then 'High Spending Customers'
    when frequency >= 3 and frequency_score = 5 then 'Frequent Buyers'
    when carts >= 5 and frequency <= 1 then 'Frequent Cart Abandoner'
    when views >= 10 and frequency = 0 then 'Window Shoppers'
    when frequency = 1 then 'One-Time Buyers'
    when frequency >= 2 then 'Repeat Buyers'
    else 'Prospects'
  end as primary_segment,
  is_premium,
  '1' as rule_version,
  recency_days,
  frequency,
  monetary,
  recency_score,
  frequency_score,
  monetary_score,
  rfm_code
from described
