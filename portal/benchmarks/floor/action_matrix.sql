with cells(engagement_level, value_tier, action, priority) as (
  values
    ('Champions', 'High', 'protect', 'High'),
    ('Champions', 'Medium', 'protect', 'Medium'),
    ('Champions', 'Low', 'grow', 'Medium'),
    ('Loyal Customers', 'High', 'protect', 'High'),
    ('Loyal Customers', 'Medium', 'grow', 'Medium'),
    ('Loyal Customers', 'Low', 'grow', 'Low'),
    ('Needs Attention', 'High', 'activate', 'High'),
    ('Needs Attention', 'Medium', 'activate', 'Medium'),
    ('Needs Attention', 'Low', 'nurture', 'Low'),
    ('At Risk (High Value)', 'High', 'at risk of revenue loss', 'High'),
    ('At Risk (High Value)', 'Medium', 'at risk of revenue loss', 'Medium'),
    ('At Risk (High Value)', 'Low', 'deprioritise', 'Low'),
    ('Churn Risk', 'High', 'at risk of revenue loss', 'High'),
    ('Churn Risk', 'Medium', 'win back', 'Medium'),
    ('Churn Risk', 'Low', 'deprioritise', 'Low')
),
customers as (
  select engagement_level, value_tier, historical_value, features.recency_days, features.is_premium
  from customer_segments join features on features.customer_id = customer_segments.customer_id
  where engagement_level is not null and value_tier is not null
)
select
  cells.engagement_level,
  cells.value_tier,
  action,
  priority,
  case when exists (from customers) then count(customers.value_tier) end as customer_count,
  count(customers.value_tier)::double / nullif((select count(*) from customers), 0)::double as customer_share,
  case when exists (from customers) then coalesce(sum(historical_value), 0)::decimal(18, 4) end as historical_value,
  coalesce(sum(historical_value), 0)::double / nullif((select sum(historical_value)::double from customers), 0)
    as value_share,
  sum(historical_value)::double / count(historical_value)::double as average_value,
  sum(recency_days)::double / count(recency_days)::double as average_recency_days,
  (count(*) filter (is_premium))::double / nullif(count(is_premium), 0)::double as premium_share,
  case when not exists (from customers) then 'no customer has both an engagement level and a value tier' end as reason
from cells
left join customers
  on customers.engagement_level = cells.engagement_level and customers.value_tier = cells.value_tier
group by all
