with paths as (
  select path, count(*) as visits from session_paths group by 1
),
passed as (
  select
    visits,
    path,
    unnest(list_prepend('(start)', string_split(path, ' > '))) as from_action,
    unnest(list_append(string_split(path, ' > '), '(end)')) as to_action
  from paths
),
per_path as (
  select path, visits, from_action, to_action, count(*) as times from passed group by all
),
counted as (
  select
    from_action,
    to_action,
    sum(times * visits)::bigint as transition_count,
    sum(visits)::bigint as session_count
  from per_path group by 1, 2
)
select
  *,
  transition_count / sum(transition_count) over (partition by from_action) as share_of_from,
  to_action = '(end)' as is_drop_off
from counted
