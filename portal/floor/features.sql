with ordered as (
  select
    customer_id,
    count(*) filter (is_completed and date_diff_days < 90) as recent,
    count(*) filter (is_completed and date_diff_days between 90 and 179) as former,
    count(*) filter (is_completed) as sales,
    count(*) filter (order_status = 'returned') as returns,
    count(*) filter (is_completed and has_discount) as discounted,
    count(*) filter (is_completed and has_discount is not null) as told
  from (select *, date_diff('day', ordered_at, {as_of}) as date_diff_days from orders where customer_id is not null)
  group by 1
),
sums as (
  select
    customer_id,
    product_category,
    sum(quantity) filter (line_kind = 'sale') as items,
    sum(quantity) filter (line_kind = 'sale' and line_amount is not null) as priced_items,
    sum(line_amount) filter (line_kind = 'sale') as spent,
    sum(line_amount) filter (line_kind = 'return' and quantity < 0) as refunds,
    bool_or(line_kind = 'sale') as bought
  from order_lines left join products using (sku_id)
  where customer_id is not null
  group by 1, 2
),
usual as (
  select product_category, (sum(spent) / sum(priced_items))::decimal(18, 4) as usual_price
  from sums group by 1 having sum(priced_items) > 0
),
priced as (
  select
    customer_id,
    coalesce(sum(items), 0) as item_count,
    count(*) filter (bought and sums.product_category is not null) as category_count,
    sum(spent) as spent,
    sum(priced_items) as priced_items,
    sum(usual_price * priced_items) as usually,
    sum(refunds) as refunds
  from sums left join usual on usual.product_category is not distinct from sums.product_category
  group by 1
),
facts as (
  select
    exists (from browsing) as has_web,
    exists (from orders where ordered_at is not null) as has_dates
),
wide as (
  select
    customers.*,
    coalesce(rfm.frequency, 0) as frequency,
    coalesce(rfm.monetary, 0)::decimal(18, 4) as monetary,
    rfm.first_ordered_at,
    rfm.last_ordered_at,
    rfm.recency_days,
    recency_score,
    frequency_score,
    monetary_score,
    rfm_code,
    ordered.*  exclude (customer_id, recent, former),
    priced.* exclude (customer_id),
    review_count,
    average_rating,
    support_ticket_count,
    nps_score,
    csat_score,
    ces_score,
    points_balance,
    last_seen_at,
    case when has_dates then coalesce(recent, 0) end as recent_order_count,
    case when has_dates then coalesce(former, 0) end as former_order_count,
    case when has_web then coalesce(session_count, 0) end as session_count,
    case when has_web then coalesce(product_view_count, 0) end as product_view_count,
    case when has_web then coalesce(favorite_count, 0) end as favorite_count,
    case when has_web then coalesce(cart_count, 0) end as cart_count,
    case when has_web then coalesce(abandoned_cart_count, 0) end as abandoned_cart_count,
    case when has_web then coalesce(engagement_minutes, 0) end as engagement_minutes,
    case when has_web then coalesce(recent_session_count, 0) end as recent_session_count,
    case when has_web then coalesce(former_session_count, 0) end as former_session_count
  from customers
  cross join facts
  left join rfm on rfm.customer_id = customers.customer_id
  left join ordered on ordered.customer_id = customers.customer_id
  left join priced on priced.customer_id = customers.customer_id
  left join browsing on browsing.customer_id = customers.customer_id
  left join feedback on feedback.customer_id = customers.customer_id
  left join loyalty_members on loyalty_members.customer_id = customers.customer_id
)
select
  customer_id,
  is_registered,
  is_premium,
  gender,
  age,
  country,
  annual_income,
  number_of_children,
  degree_of_loyalty,
  date_diff('day', least(registered_at, first_ordered_at), {as_of})::integer as tenure_days,
  date_diff('day', first_ordered_at, {as_of})::integer as history_days,
  recency_days,
  frequency,
  monetary,
  (monetary + coalesce(refunds, 0))::decimal(18, 4) as historical_value,
  monetary::double / nullif(frequency, 0) as average_order_amount,
  spent::double / nullif(priced_items, 0)::double as average_unit_price,
  spent::double / nullif(usually, 0)::double as price_index,
  coalesce(item_count, 0)::bigint as item_count,
  coalesce(category_count, 0) as category_count,
  date_diff('day', first_ordered_at, last_ordered_at)::double / nullif(frequency - 1, 0) as order_interval_days,
  returns::double / nullif(sales + returns, 0) as return_rate,
  discounted::double / nullif(told, 0) as discount_rate,
  recent_order_count,
  former_order_count,
  (coalesce(recent_order_count, 0) + coalesce(recent_session_count, 0)
    - coalesce(former_order_count, 0) - coalesce(former_session_count, 0))::double
    / nullif(coalesce(recent_order_count, 0) + coalesce(recent_session_count, 0)
    + coalesce(former_order_count, 0) + coalesce(former_session_count, 0), 0) as activity_change,
  previous_purchases,
  case lower(purchase_frequency)
    when 'weekly' then 52
    when 'fortnightly' then 26
    when 'bi-weekly' then 26
    when 'monthly' then 12
    when 'every 3 months' then 4
    when 'quarterly' then 4
    when 'annually' then 1
  end::double as stated_orders_per_year,
  session_count,
  product_view_count,
  favorite_count,
  cart_count,
  abandoned_cart_count,
  engagement_minutes,
  date_diff('day', last_seen_at, {as_of})::integer as visit_recency_days,
  recent_session_count,
  former_session_count,
  coalesce(review_count, 0) as review_count,
  average_rating,
  coalesce(support_ticket_count, 0) as support_ticket_count,
  nps_score,
  csat_score,
  ces_score,
  points_balance,
  recency_score,
  frequency_score,
  monetary_score,
  rfm_code
from wide
