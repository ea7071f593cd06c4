with hours as (
  select weekday::integer as weekday, hour::integer as hour
  from range(1, 8) w(weekday), range(0, 24) h(hour)
),
visited as (
  select
    isodow(started_at) as weekday,
    hour(started_at) as hour,
    count(*) as session_count,
    sum(product_view_count) as product_view_count,
    sum(cart_count) as cart_count,
    min(started_at) as first_at,
    max(started_at) as last_at,
    bool_or(started_at <> date_trunc('day', started_at)) as is_timed
  from sessions group by 1, 2
),
ordered as (
  select
    isodow(ordered_at) as weekday,
    hour(ordered_at) as hour,
    count(*) as order_count,
    min(ordered_at) as first_at,
    max(ordered_at) as last_at,
    bool_or(ordered_at <> date_trunc('day', ordered_at)) as is_timed
  from orders where is_completed and ordered_at is not null group by 1, 2
),
facts as (
  select
    case
      when (select count(*) from visited) = 0 then 'no web events'
      when not (select bool_or(is_timed) from visited) then 'web events carry dates, not times'
      when (select max(last_at) < min(first_at) + interval 6 days from visited)
        then 'web events of less than a week are held' end as no_visits,
    case
      when (select count(*) from ordered) = 0 then 'no dated orders'
      when not (select bool_or(is_timed) from ordered) then 'orders carry dates, not times'
      when (select max(last_at) < min(first_at) + interval 6 days from ordered)
        then 'orders of less than a week are held' end as no_orders
)
select
  weekday,
  hour,
  case when no_visits is null then coalesce(session_count, 0) end as session_count,
  case when no_visits is null
    then coalesce(session_count, 0) / (select sum(session_count) from visited)::bigint end as session_share,
  case when no_visits is null then coalesce(product_view_count, 0)::bigint end as product_view_count,
  case when no_visits is null then coalesce(cart_count, 0)::bigint end as cart_count,
  case when no_orders is null then coalesce(order_count, 0) end as order_count,
  case when no_orders is null
    then coalesce(order_count, 0) / (select sum(order_count) from ordered)::bigint end as order_share,
  nullif(concat_ws('; ', no_visits, no_orders), '') as reason
from hours
cross join facts
left join visited using (weekday, hour)
left join ordered using (weekday, hour)
