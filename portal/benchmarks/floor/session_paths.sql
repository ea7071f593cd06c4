with known as (
  select list(distinct event_action order by event_action)[:1023] as names from "sources/web_analytics"
),
-- Sorted by time and then by the alphabet: text in the lists would not fit into memory.
visits as (
  select
    session_id,
    list_sort(list(
      (epoch_us(activity_ts) - epoch_us(timestamp '1900-01-01')) * 1024
      + coalesce(list_position(names, event_action), 0)
    )) as events
  from "sources/web_analytics", known
  where session_id is not null and activity_ts <= {as_of}
  group by 1
),
done as (
  select session_id, list_transform(events, lambda event: event % 1024) as codes from visits
),
steps as (
  select session_id, list_filter(codes, lambda code, place: place = 1 or code <> codes[place - 1]) as codes from done
)
select
  session_id,
  array_to_string(list_transform(codes, lambda code: coalesce(names[code], '(other)')), ' > ') as path,
  len(codes) as step_count
from steps, known
