with measured as (
  select
    entity_id as customer_id,
    count(*) as session_count,
    sum(product_view_count)::bigint as product_view_count,
    sum(favorite_count)::bigint as favorite_count,
    sum(cart_count)::bigint as cart_count,
    count(*) filter (is_cart_abandoned) as abandoned_cart_count,
    sum(order_count)::bigint as web_order_count,
    sum(date_diff('second', started_at, ended_at))::double / 60 as engagement_minutes,
    count(*) filter (is_bounce) / count(*) as bounce_rate,
    min(started_at) as first_seen_at,
    max(ended_at) as last_seen_at,
    count(*) filter (date_diff('day', started_at, {as_of}) < 90) as recent_session_count,
    count(*) filter (date_diff('day', started_at, {as_of}) between 90 and 179) as former_session_count
  from sessions where entity_id is not null group by 1
),
devices as (
  select entity_id, device, count(*) as visits
  from sessions where entity_id is not null and device is not null group by all
),
channels as (
  select entity_id, traffic_channel, count(*) as visits
  from sessions where entity_id is not null and traffic_channel is not null group by all
),
preferred_devices as (
  select entity_id, first(device order by visits desc, device) as preferred_device from devices group by 1
),
preferred_channels as (
  select entity_id, first(traffic_channel order by visits desc, traffic_channel) as preferred_traffic_channel
  from channels group by 1
)
select measured.*, preferred_device, preferred_traffic_channel
from measured
left join preferred_devices on preferred_devices.entity_id = customer_id
left join preferred_channels on preferred_channels.entity_id = customer_id
