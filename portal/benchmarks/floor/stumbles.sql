with events as not materialized (
  select
    session_id, activity_ts, event_action, product_sku, nullif(split_part(page_url, '?', 1), '') as page,
    coalesce(page, event_action) as step
  from "sources/web_analytics" where session_id is not null and activity_ts <= {as_of}
),
failures as (
  select session_id, step, count(distinct activity_ts) as times
  from (
    select
      *,
      regexp_matches(event_action, '(?i)error|fail|(^|[^a-z])bugs?([^a-z]|$)')
      or coalesce(product_sku is null and regexp_matches(page, '(?i)error|fail|(^|[^a-z])bugs?([^a-z]|$)'), false)
        as is_failure
    from events
  )
  join sessions using (session_id)
  where is_failure or (event_action = 'checkout' and order_count = 0)
  group by session_id, event_action, step
  having count(distinct activity_ts) >= 2
),
moves as (
  select
    session_id, activity_ts, step,
    lag(step) over in_order as step_before,
    coalesce(
      activity_ts - lag(activity_ts, 3) over in_order <= interval 10 seconds
      and step = lag(step, 1) over in_order and event_action = lag(event_action, 1) over in_order
      and step = lag(step, 2) over in_order and event_action = lag(event_action, 2) over in_order
      and step = lag(step, 3) over in_order and event_action = lag(event_action, 3) over in_order, false) as is_rage
  from events
  where event_action not in ('add_to_favorite', 'add_to_cart', 'order_placed')
    and session_id in (select session_id from sessions where event_count >= 4)
  window in_order as (partition by session_id order by activity_ts, step, event_action)
),
turns as (
  select session_id, step, step_before
  from (
    select session_id, activity_ts, step, step_before
    from moves where step_before is distinct from step
  )
  window in_order as (partition by session_id order by activity_ts, step)
  qualify step = lag(step, 2) over in_order and step_before = lag(step, 3) over in_order
),
met as (
  select session_id, 'repeated_failure' as kind, step as page, null as other, times as examples from failures
  union all
  select session_id, 'rage_repeat', step, null, 1 from moves where is_rage
  union all
  select session_id, 'back_and_forth', step, step_before, 1 from turns
),
addresses as (
  select
    page,
    coalesce(nullif(regexp_replace(
      regexp_replace(
        regexp_replace(regexp_replace(page, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*', ''), '[?#;].*$', ''),
        '[^/]*(@|%40|[0-9][^/]*[0-9][^/]*[0-9][^/]*[0-9])[^/]*', '*', 'g'),
      '(.)/+$', '\1'), ''), '/') as path
  from (select page from met where page is not null union select other from met where other is not null)
)
select
  session_id,
  kind,
  coalesce(case when other is null then here.path
    else least(here.path, there.path) || ' <> ' || greatest(here.path, there.path) end, '(unknown)') as place,
  sum(examples)::bigint as example_count
from met
left join addresses here on here.page = met.page
left join addresses there on there.page = met.other
group by 1, 2, 3
