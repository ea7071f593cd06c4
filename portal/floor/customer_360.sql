with bought as (
  select
    customer_id,
    min(ordered_at) filter (is_completed) as first_ordered_at,
    max(ordered_at) filter (is_completed) as last_ordered_at,
    sum(returned_amount)::decimal(18, 4) as returned_amount,
    sum(item_count) filter (is_completed) as item_count
  from orders group by 1
),
sold as (
  select customer_id, product_category, brand_name, sum(line_amount) as spent
  from order_lines join products on products.sku_id = order_lines.sku_id
  where line_kind = 'sale' and customer_id is not null
  group by all
),
category as (
  select customer_id, product_category from sold where product_category is not null
  group by 1, 2
  qualify row_number() over (partition by customer_id order by sum(spent) desc, product_category) = 1
),
brand as (
  select customer_id, brand_name from sold where brand_name is not null
  group by 1, 2
  qualify row_number() over (partition by customer_id order by sum(spent) desc, brand_name) = 1
),
payment as (
  select customer_id, payment_method from orders
  where is_completed and customer_id is not null and payment_method is not null
  group by 1, 2
  qualify row_number() over (partition by customer_id order by count(*) desc, payment_method) = 1
),
viewed as (select entity_id, count(*) as n, max(activity_ts) as last_at from product_views group by 1),
favored as (select entity_id, count(*) as n, max(activity_ts) as last_at from items_added_to_favorite group by 1),
carted as (select entity_id, count(*) as n, max(activity_ts) as last_at from items_added_to_cart group by 1)
select
  customers.customer_id,
  {as_of} as as_of,
  is_registered,
  gender,
  age,
  education_level,
  marital_status,
  number_of_children,
  occupation,
  annual_income,
  city,
  state_code,
  state,
  country,
  registered_at,
  customers.is_premium,
  degree_of_loyalty,
  accepts_email,
  accepts_sms,
  accepts_phone,
  preferred_channel,
  previous_purchases,
  purchase_frequency,
  bought.first_ordered_at,
  bought.last_ordered_at,
  recency_days,
  frequency,
  monetary,
  monetary::double / nullif(frequency, 0) as average_order_amount,
  coalesce(bought.returned_amount, 0)::decimal(18, 4) as returned_amount,
  coalesce(item_count, 0)::bigint as item_count,
  product_category as preferred_category,
  brand.brand_name as preferred_brand,
  payment.payment_method as preferred_payment_method,
  coalesce(viewed.n, 0) as product_view_count,
  coalesce(favored.n, 0) as favorite_count,
  coalesce(carted.n, 0) as cart_count,
  greatest(bought.last_ordered_at, viewed.last_at, favored.last_at, carted.last_at) as last_seen_at,
  recency_score,
  frequency_score,
  monetary_score,
  rfm_code,
  customer_segment,
  engagement_level,
  primary_segment,
  rule_version
from customers
left join customer_segments on customer_segments.customer_id = customers.customer_id
left join bought on bought.customer_id = customers.customer_id
left join category on category.customer_id = customers.customer_id
left join brand on brand.customer_id = customers.customer_id
left join payment on payment.customer_id = customers.customer_id
left join viewed on viewed.entity_id = customers.customer_id
left join favored on favored.entity_id = customers.customer_id
left join carted on carted.entity_id = customers.customer_id
