select
  activity_uuid,
  session_id,
  entity_id,
  visit_start_ts,
  activity_ts,
  year(activity_ts)::integer as activity_year,
  month(activity_ts)::integer as activity_month,
  product_sku,
  device,
  traffic_channel,
  traffic_source,
  event_action,
  case when entity_id is not null then row_number() over in_order end as activity_occurrence,
  case when entity_id is not null then lead(activity_ts) over in_order end as activity_repeated_at
from "sources/web_analytics"
where event_action = 'product_view' and activity_ts <= {as_of}
window in_order as (partition by entity_id order by activity_ts, activity_uuid)
