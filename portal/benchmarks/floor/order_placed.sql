with clicks as (
  select * from "sources/web_analytics" where event_action = 'order_placed' and activity_ts <= {as_of}
),
session as (
  select order_id, session_id, traffic_channel, traffic_source
  from clicks where order_id is not null
  qualify row_number() over (partition by order_id order by session_id is null, activity_ts, activity_uuid) = 1
),
activities as (
  select
    session_id, traffic_channel, traffic_source, orders.order_id, quantity, unit_price, net_amount, is_completed,
    order_line_id as activity_uuid, orders.customer_id as entity_id, orders.ordered_at as activity_ts,
    coalesce(transaction_id, orders.order_id) as transaction_id, sku_id as product_sku, orders.order_id as order_key
  from order_lines
  join orders on orders.order_id = order_lines.order_id and orders.order_status <> 'adjustment'
  left join session on session.order_id = orders.order_id
  where quantity > 0 and coalesce(net_amount >= 0, true)
  union all
  select
    session_id, traffic_channel, traffic_source, order_id, quantity, price::decimal(18, 4), null, false,
    activity_uuid, entity_id, activity_ts, order_id, product_sku, activity_uuid
  from clicks where not exists (from orders where orders.order_id = clicks.order_id)
),
placed as (
  select entity_id, order_key, min(activity_ts) as activity_ts from activities group by all
),
counted as (
  select
    entity_id,
    order_key,
    case when entity_id is not null and activity_ts is not null then row_number() over in_order end
      as activity_occurrence,
    case when entity_id is not null and activity_ts is not null then lead(activity_ts) over in_order end
      as activity_repeated_at
  from placed window in_order as (partition by entity_id order by activity_ts, order_key)
)
select
  activity_uuid,
  session_id,
  entity_id,
  activity_ts,
  year(activity_ts)::integer as activity_year,
  month(activity_ts)::integer as activity_month,
  order_id,
  transaction_id,
  product_sku,
  product_name,
  product_category as category_name,
  product_subcategory as subcategory_name,
  brand_name,
  parent_company,
  coalesce(unit_price, sale_price, list_price) as product_price,
  quantity,
  coalesce(net_amount, coalesce(unit_price, sale_price, list_price) * quantity)::decimal(18, 4) as order_value,
  is_completed,
  traffic_channel,
  traffic_source,
  'order_placed' as event_action,
  activity_occurrence,
  activity_repeated_at
from activities
left join counted using (entity_id, order_key)
left join products on products.sku_id = product_sku
