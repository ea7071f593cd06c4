with ordered as (
  select
    customer_id,
    count(*) filter (is_completed and date_diff_days < 90) as recent,
    count(*) filter (is_completed and date_diff_days between 90 and 179) as former,
    count(*) filter (order_status <> 'adjustment') as order_count,
    count(*) filter (order_status in ('pending', 'unknown')) as open_order_count,
    sum(coalesce(order_amount, 0) - refunded_amount) as historical_value,
    sum(returned_amount) as returned_amount,
    count(*) filter (is_completed) as sales,
    count(*) filter (order_status in ('returned', 'refunded') or not is_completed and returned_amount > 0) as returns,
    count(*) filter (is_completed and has_discount) as discounted,
    count(*) filter (is_completed and has_discount is not null) as told,
    sum(order_amount) filter (is_completed)::double / nullif(count(order_amount) filter (is_completed), 0)
      as average_order_amount,
    (max(date_diff_days) filter (is_completed) - min(date_diff_days) filter (is_completed))::double
      / nullif(count(date_diff_days) filter (is_completed) - 1, 0) as order_interval_days
  from (select *, date_diff('day', ordered_at, {as_of}) as date_diff_days from orders where customer_id is not null)
  group by 1
),
latest as (
  select customer_id, arg_max_null(order_amount, (ordered_at, order_id)) as last_order_amount
  from orders where is_completed and ordered_at is not null and customer_id is not null
  group by 1
),
sold as (
  select customer_id, product_category, order_lines.product_id, quantity, net_amount
  from order_lines left join products using (sku_id)
  where line_kind = 'sale'
),
bought as (
  select
    customer_id,
    sum(case when quantity = floor(quantity) then quantity else 1 end) as item_count,
    count(distinct product_category) as category_count,
    count(distinct product_id) as product_count,
    sum(net_amount) as paid,
    sum(quantity) filter (net_amount is not null) as priced
  from sold where customer_id is not null
  group by 1
),
usual as (
  select product_category, median(net_amount::double / quantity::double) as usual
  from sold where net_amount is not null and product_category is not null
  group by 1
),
weighed as (
  select
    customer_id,
    net_amount::double / quantity::double / nullif(usual, 0) as ratio,
    sum(quantity) over (partition by customer_id order by ratio) as so_far,
    sum(quantity) over (partition by customer_id) as total
  from sold join usual using (product_category)
  where customer_id is not null and net_amount is not null and usual <> 0
),
indexed as (
  select customer_id, min(ratio) filter (so_far * 2 >= total) as price_index from weighed group by 1
),
facts as (
  select
    exists (from browsing) as has_web,
    exists (from orders) as has_orders,
    exists (from order_lines) as has_lines,
    exists (from sold where product_category is not null) as has_categories,
    exists (from sold where product_id is not null) as has_products,
    exists (from feedback where review_count > 0) as has_reviews,
    exists (from feedback where support_ticket_count > 0) as has_tickets,
    (select date_diff('day', min(ordered_at), {as_of}) + 1 from orders) as orders_span,
    (select date_diff('day', min(first_seen_at), {as_of}) + 1 from browsing) as visits_span
),
wide as (
  select
    customers.*,
    facts.* exclude (has_web, has_orders, has_lines, has_categories, has_reviews, has_tickets),
    case when has_orders then coalesce(rfm.frequency, 0) end as frequency,
    (case when has_orders then coalesce(rfm.monetary, 0) end)::decimal(18, 4) as monetary,
    (case when has_orders then coalesce(rfm.gross_monetary, 0) end)::decimal(18, 4) as gross_monetary,
    (case when has_orders then coalesce(ordered.historical_value, 0) end)::decimal(18, 4) as historical_value,
    (case when has_orders then coalesce(ordered.returned_amount, 0) end)::decimal(18, 4) as returned_amount,
    case when has_orders then coalesce(order_count, 0) end as order_count,
    case when has_orders then coalesce(open_order_count, 0) end as open_order_count,
    rfm.first_ordered_at,
    rfm.last_ordered_at,
    rfm.recency_days,
    recency_score,
    frequency_score,
    monetary_score,
    rfm_code,
    sales, returns, discounted, told, average_order_amount, order_interval_days,
    paid, priced, price_index,
    case when has_lines then coalesce(item_count, 0) end as item_count,
    case when has_categories then coalesce(category_count, 0) end as category_count,
    case when has_products then coalesce(product_count, 0) end as product_count,
    last_order_amount,
    case when has_reviews then coalesce(review_count, 0) end as review_count,
    average_rating,
    case when has_tickets then coalesce(support_ticket_count, 0) end as support_ticket_count,
    nps_score,
    csat_score,
    ces_score,
    points_balance,
    first_seen_at,
    last_seen_at,
    case when orders_span > 0 then coalesce(recent, 0) end as recent_order_count,
    case when orders_span >= 180 then coalesce(former, 0) end as former_order_count,
    case when has_web then coalesce(session_count, 0) end as session_count,
    case when has_web then coalesce(product_view_count, 0) end as product_view_count,
    case when has_web then coalesce(favorite_count, 0) end as favorite_count,
    case when has_web then coalesce(cart_count, 0) end as cart_count,
    case when has_web then coalesce(abandoned_cart_count, 0) end as abandoned_cart_count,
    case when has_web then coalesce(engagement_minutes, 0) end as engagement_minutes,
    case when has_web then coalesce(recent_session_count, 0) end as recent_session_count,
    case when visits_span >= 180 then coalesce(former_session_count, 0) end as former_session_count
  from customers
  cross join facts
  left join rfm on rfm.customer_id = customers.customer_id
  left join ordered on ordered.customer_id = customers.customer_id
  left join latest on latest.customer_id = customers.customer_id
  left join bought on bought.customer_id = customers.customer_id
  left join indexed on indexed.customer_id = customers.customer_id
  left join browsing on browsing.customer_id = customers.customer_id
  left join feedback on feedback.customer_id = customers.customer_id
  left join loyalty_members on loyalty_members.customer_id = customers.customer_id
),
active as (
  select
    *,
    date_diff('day', least(registered_at, first_ordered_at, first_seen_at), {as_of})::integer as tenure_days,
    case when orders_span >= 180 then recent_order_count else 0 end
      + coalesce(case when visits_span >= 180 then recent_session_count end, 0) as now_active,
    coalesce(former_order_count, 0) + coalesce(former_session_count, 0) as once_active
  from wide
),
ranked as (
  select historical_value as worth,
    (sum(sum(historical_value)) over (order by historical_value desc) - sum(historical_value))::double
      / (sum(sum(historical_value)) over ())::double as value_share_above
  from active where frequency > 0 and historical_value > 0
  group by 1
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
  tenure_days,
  date_diff('day', first_ordered_at, {as_of})::integer as history_days,
  recency_days,
  frequency,
  order_count,
  open_order_count,
  monetary,
  gross_monetary,
  historical_value,
  value_share_above,
  average_order_amount,
  last_order_amount,
  price_index,
  paid::double / nullif(priced, 0)::double as average_unit_price,
  item_count::bigint as item_count,
  category_count,
  product_count,
  order_interval_days,
  returns::double / nullif(sales + returns, 0) as return_rate,
  returned_amount,
  discounted::double / nullif(told, 0) as discount_rate,
  recent_order_count,
  former_order_count,
  case when tenure_days >= 180 then (now_active - once_active)::double / nullif(now_active + once_active, 0) end
    as activity_change,
  orders_span::integer as orders_span_days,
  greatest(orders_span, visits_span)::integer as activity_span_days,
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
  review_count,
  average_rating,
  support_ticket_count,
  nps_score,
  csat_score,
  ces_score,
  points_balance,
  recency_score,
  frequency_score,
  monetary_score,
  rfm_code
from active left join ranked on ranked.worth = active.historical_value and frequency > 0
