with bought as (
  select
    customer_id,
    min(ordered_at) filter (is_completed) as first_ordered_at,
    max(ordered_at) filter (is_completed) as last_ordered_at
  from orders group by 1
),
sold as (
  select customer_id, product_category, brand_name, sum(net_amount) as spent
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
liked as (
  select customer_id, string_agg(category, '; ' order by preference_rank) as category_preferences
  from category_interest where preference_rank <= 3 group by 1
),
listed as (
  select customer_id, string_agg(audience, '; ' order by precedence) as audiences
  from audiences where not is_sensitive group by 1
),
recommended as (
  select customer_id, coalesce(product_name, product_id) as top_recommendation from recommendations where rank = 1
),
touched as (
  select customer_id, sum(touch_count)::bigint as touch_count, count(distinct channel) as channel_count
  from touches group by 1
)
select
  customers.customer_id,
  {as_of} as as_of,
  customers.is_registered,
  customers.gender,
  customers.age,
  age_band,
  education_level,
  marital_status,
  customers.number_of_children,
  household_size,
  household_composition,
  occupation,
  customers.annual_income,
  income_band,
  city,
  state_code,
  state,
  customers.country,
  registered_at,
  customers.is_premium,
  customers.degree_of_loyalty,
  accepts_email,
  accepts_sms,
  accepts_phone,
  preferred_channel,
  customers.previous_purchases,
  purchase_frequency,
  bought.first_ordered_at,
  bought.last_ordered_at,
  features.* exclude (
    customer_id, is_registered, is_premium, gender, age, country, annual_income, number_of_children,
    degree_of_loyalty, previous_purchases, orders_span_days, activity_span_days
  ),
  category.product_category as preferred_category,
  category_preferences,
  brand.brand_name as preferred_brand,
  payment.payment_method as preferred_payment_method,
  preferred_device,
  preferred_traffic_channel,
  greatest(bought.last_ordered_at, browsing.last_seen_at) as last_seen_at,
  case when exists (from touches) then coalesce(touch_count, 0) end as touch_count,
  case when exists (from touches) then coalesce(channel_count, 0) end as channel_count,
  member_state,
  points_earned,
  points_burned,
  customer_segment,
  engagement_level,
  primary_segment,
  value_tier,
  lifecycle_stage,
  price_range,
  activity_trend,
  persona,
  persona_traits,
  rule_version,
  listed.audiences,
  cluster_name,
  churn_probability,
  churn_band,
  next_action,
  next_action_probability,
  next_best_action,
  next_best_action_priority,
  lifetime_value.p_alive,
  lifetime_value.expected_purchases,
  lifetime_value.clv,
  top_recommendation,
  nullif(concat_ws(
    '; ',
    customer_segments.unknown_because,
    case when customers.age is null and age_band is null then 'demographics: the customer system does not know the '
      || case when customers.is_registered then 'age' else 'customer' end end,
    case when features.session_count is null then 'web behaviour: no web events' end,
    case when nps_score is null then 'satisfaction: no NPS answer' end,
    case when cluster_name is null then 'cluster: ' || clusters.reason end,
    case when churn_probability is null then 'churn: ' || churn_scores.unknown_because end,
    case when next_action is null then 'next action: ' || split_part(next_actions.unknown_because, '; ', 1) end,
    case when clv is null then 'lifetime value: '
      || coalesce(lifetime_value.reason, 'no completed order when values were last expected') end
  ), '') as unknown_because
from customers
left join features on features.customer_id = customers.customer_id
left join customer_segments on customer_segments.customer_id = customers.customer_id
left join listed on listed.customer_id = customers.customer_id
left join clusters on clusters.customer_id = customers.customer_id
left join churn_scores on churn_scores.customer_id = customers.customer_id
left join next_actions on next_actions.customer_id = customers.customer_id
left join lifetime_value on lifetime_value.customer_id = customers.customer_id
left join bought on bought.customer_id = customers.customer_id
left join category on category.customer_id = customers.customer_id
left join brand on brand.customer_id = customers.customer_id
left join payment on payment.customer_id = customers.customer_id
left join liked on liked.customer_id = customers.customer_id
left join browsing on browsing.customer_id = customers.customer_id
left join touched on touched.customer_id = customers.customer_id
left join recommended on recommended.customer_id = customers.customer_id
left join loyalty_members on loyalty_members.customer_id = customers.customer_id
