with met as (
  select 'web' as channel_kind, entity_id as customer_id, traffic_channel as channel, started_at as met_at, 0 as cost,
    order_count
  from sessions
  union all
  select 'sales', customer_id, sales_channel, ordered_at, 0, 1 from orders where is_completed
  union all
  select 'marketing', customer_id, traffic_channel, touched_at, cost, 0 from contacts
  union all
  select 'support', customer_id, contact_channel, opened_at, 0, 0 from tickets
  union all
  select 'feedback', customer_id, 'survey', answered_at, 0, 0 from answers
  union all
  select 'feedback', customer_id, 'review', reviewed_at, 0, 0 from ratings
)
select
  customer_id,
  channel_kind,
  coalesce(channel, 'unknown') as channel,
  count(*) as touch_count,
  count(*) filter (date_diff('day', met_at, {as_of}) < 90) as recent_touch_count,
  min(met_at) as first_at,
  max(met_at) as last_at,
  coalesce(sum(cost), 0)::decimal(18, 4) as cost,
  sum(order_count)::bigint as order_count
from met
where customer_id is not null
group by 1, 2, 3
