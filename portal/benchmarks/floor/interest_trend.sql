with days as (
  select unnest(range({as_of}::date - 29, {as_of}::date + 1, interval 1 day))::date as active_on
),
views as (select activity_ts::date as active_on, count(*) as n from product_views group by 1),
favorites as (select activity_ts::date as active_on, count(*) as n from items_added_to_favorite group by 1),
carts as (select activity_ts::date as active_on, count(*) as n from items_added_to_cart group by 1),
visits as (select started_at::date as active_on, count(*) as n from sessions group by 1),
sales as (
  select ordered_at::date as active_on, count(*) as n
  from orders where is_completed and ordered_at is not null group by 1
),
engaged as (
  select active_on, count(distinct entity_id) as n
  from (
    select activity_ts::date as active_on, entity_id from product_views where activity_ts >= {as_of}::date - 29
    union all
    select activity_ts::date, entity_id from items_added_to_favorite where activity_ts >= {as_of}::date - 29
    union all
    select activity_ts::date, entity_id from items_added_to_cart where activity_ts >= {as_of}::date - 29
  ) group by 1
),
facts as (
  select
    (
      select min(active_on) from (from views union all from favorites union all from carts union all from visits)
    ) as web,
    (select min(active_on) from sales) as shop
),
averages as (
  select days.active_on, coalesce(sum(n), 0)::bigint / 7 as average
  from days left join views on views.active_on between days.active_on - 6 and days.active_on
  group by 1
)
select
  active_on,
  case when active_on >= web then coalesce(views.n, 0) end as product_view_count,
  case when active_on >= web then coalesce(favorites.n, 0) end as favorite_count,
  case when active_on >= web then coalesce(carts.n, 0) end as cart_count,
  case when active_on >= web then coalesce(visits.n, 0) end as session_count,
  case when active_on >= web then coalesce(engaged.n, 0) end as customer_count,
  case when active_on >= shop then coalesce(sales.n, 0) end as order_count,
  case when active_on - 6 >= web then average end as seven_day_average,
  nullif(concat_ws('; ',
    case when not coalesce(active_on >= web, false) then 'no web events' end,
    case when not coalesce(active_on >= shop, false) then 'no dated orders' end), '') as reason
from days
cross join facts
join averages using (active_on)
left join views using (active_on)
left join favorites using (active_on)
left join carts using (active_on)
left join visits using (active_on)
left join engaged using (active_on)
left join sales using (active_on)
