with abandoned as (
  select session_id, 'abandoned_cart' as kind, exit_page as page, cart_count as examples
  from sessions where cart_count > 0 and order_count = 0
  union all
  select session_id, 'abandoned_checkout', exit_page, checkout_count
  from sessions where checkout_count > 0 and order_count = 0
),
addresses as (
  select
    page,
    coalesce(nullif(regexp_replace(
      regexp_replace(
        regexp_replace(regexp_replace(page, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*', ''), '[?#;].*$', ''),
        '[^/]*(@|%40|[0-9][^/]*[0-9][^/]*[0-9][^/]*[0-9])[^/]*', '*', 'g'),
      '(.)/+$', '\1'), ''), '/') as path
  from (select distinct page from abandoned where page is not null)
),
placed as (
  select session_id, kind, coalesce(path, '(unknown)') as place, examples
  from abandoned left join addresses using (page)
  union all
  select session_id, kind, place, example_count from stumbles
),
top as (
  select kind, place from placed group by 1, 2
  qualify row_number() over (partition by kind order by count(*) desc, place) <= 50
),
gathered as (
  select session_id, placed.kind, coalesce(top.place, '(other)') as place, sum(examples) as examples
  from placed left join top on top.kind = placed.kind and top.place = placed.place
  group by 1, 2, 3
),
carts as (
  select session_id, sum(order_value) as value
  from items_added_to_cart
  where session_id in (select session_id from sessions where is_cart_abandoned)
  group by 1
),
summed as (
  select
    kind,
    place,
    count(*) as session_count,
    count(distinct entity_id) as customer_count,
    count(*) / (select count(*) from sessions) as session_share,
    sum(value)::decimal(18, 4) as lost_value,
    sum(examples)::bigint as example_count
  from gathered join sessions using (session_id) left join carts using (session_id)
  group by 1, 2
)
select
  *,
  case when session_share >= 0.05 then 'High' when session_share >= 0.01 then 'Medium' else 'Low' end as priority,
  row_number() over (order by session_count desc, kind, place)::integer as rank
from summed
