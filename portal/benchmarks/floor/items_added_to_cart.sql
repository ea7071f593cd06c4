select
  activity_uuid,
  session_id,
  entity_id,
  activity_ts,
  product_sku,
  product_name,
  product_category as category_name,
  product_subcategory as subcategory_name,
  brand_name,
  parent_company,
  coalesce(price, sale_price, list_price)::decimal(18, 4) as product_price,
  quantity,
  (coalesce(price::decimal(18, 4), sale_price, list_price) * quantity)::decimal(18, 4) as order_value,
  traffic_channel,
  traffic_source,
  event_action,
  case when entity_id is not null then row_number() over in_order end as activity_occurrence,
  case when entity_id is not null then lead(activity_ts) over in_order end as activity_repeated_at
from "sources/web_analytics" web
left join products on products.sku_id = web.product_sku
where event_action = 'add_to_cart' and activity_ts <= {as_of}
window in_order as (partition by entity_id order by activity_ts, activity_uuid)
