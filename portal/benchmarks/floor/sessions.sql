with placed as (
  select
    *,
    epoch_us(activity_ts)::hugeint * 18446744073709551616 + hash(activity_uuid) as place
  from "sources/web_analytics"
  where session_id is not null and activity_ts <= {as_of}
),
visits as (
  select
    session_id,
    max(entity_id) as entity_id,
    max(visitor_id) as visitor_id,
    least(min(visit_start_ts), min(activity_ts)) as started_at,
    max(activity_ts) as ended_at,
    count(*) as event_count,
    count(*) filter (event_action = 'product_view') as product_view_count,
    count(*) filter (event_action = 'add_to_favorite') as favorite_count,
    count(*) filter (event_action = 'add_to_cart') as cart_count,
    count(*) filter (event_action = 'checkout') as checkout_count,
    count(distinct coalesce(order_id, activity_uuid)) filter (event_action = 'order_placed') as order_count,
    arg_min(device, place) as device,
    arg_min(traffic_channel, place) as traffic_channel,
    arg_min(traffic_source, place) as traffic_source,
    arg_min(page_url, place) as entry_page,
    arg_max(page_url, place) as exit_page
  from placed
  group by 1
)
select
  *,
  date_diff('second', started_at, ended_at) / 60 as engagement_minutes,
  event_count = 1 as is_bounce,
  cart_count > 0 and order_count = 0 as is_cart_abandoned
from visits
