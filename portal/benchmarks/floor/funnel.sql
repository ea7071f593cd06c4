with visits as (
  select
    entity_id,
    coalesce(traffic_channel, 'unknown') as traffic_channel,
    coalesce(device, 'unknown') as device,
    coalesce(customer_segment, 'unknown') as customer_segment,
    coalesce(engagement_level, 'unknown') as engagement_level,
    product_view_count > 0 as viewed,
    favorite_count > 0 as marked,
    cart_count > 0 as carted,
    order_count > 0 as ordered
  from sessions
  left join customer_segments on customer_id = entity_id
),
counted as (
  select
    case
      when grouping(traffic_channel) = 0 then 'traffic_channel'
      when grouping(device) = 0 then 'device'
      when grouping(customer_segment) = 0 then 'customer_segment'
      when grouping(engagement_level) = 0 then 'engagement_level'
      else 'all' end as dimension,
    coalesce(traffic_channel, device, customer_segment, engagement_level, 'all') as value,
    count(*) as visits,
    count(*) filter (viewed) as views,
    count(*) filter (marked) as favorites,
    count(*) filter (carted) as carts,
    count(*) filter (ordered) as orders,
    count(*) filter (viewed or marked or carted or ordered) as reached_view,
    count(*) filter (marked or carted or ordered) as reached_favorite,
    count(*) filter (carted or ordered) as reached_cart,
    count(*) filter (viewed and marked) as view_favorite,
    count(*) filter (viewed and carted) as view_cart,
    count(*) filter (viewed and ordered) as view_order,
    count(*) filter (marked and carted) as favorite_cart,
    count(*) filter (carted and ordered) as cart_order,
    count(distinct entity_id) filter (viewed) as viewers,
    count(distinct entity_id) filter (marked) as markers,
    count(distinct entity_id) filter (carted) as carters,
    count(distinct entity_id) filter (ordered) as buyers
  from visits
  group by grouping sets ((), (traffic_channel), (device), (customer_segment), (engagement_level))
),
stepped as (
  select dimension, value, visits, 1 as step, 'view' as step_name, views as did, reached_view as reached,
    reached_favorite as reached_next, views as with_view, views, null as with_previous, null as previous,
    viewers as customers
  from counted
  union all
  select dimension, value, visits, 2, 'favorite', favorites, reached_favorite, reached_cart, view_favorite, views,
    view_favorite, views, markers
  from counted
  union all
  select dimension, value, visits, 3, 'cart', carts, reached_cart, orders, view_cart, views, favorite_cart, favorites,
    carters
  from counted
  union all
  select dimension, value, visits, 4, 'order', orders, orders, null, view_order, views, cart_order, carts, buyers
  from counted
)
select
  dimension,
  value,
  step,
  step_name,
  case when visits > 0 then did end as session_count,
  case when visits > 0 then reached end as reached_count,
  with_view / nullif(views, 0) as rate_of_views,
  with_previous / nullif(previous, 0) as rate_of_previous,
  (reached - reached_next) / nullif(reached, 0) as drop_off_rate,
  case when visits > 0 then customers end as customer_count,
  case when visits = 0 then 'no web events' end as reason
from stepped
