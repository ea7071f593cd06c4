with walked as (
  select
    session_id,
    case when step_count <= 8 then path
      else array_to_string(string_split(path, ' > ')[:8], ' > ') || ' > ...' end as way,
    least(step_count, 8) as steps,
    split_part(path, ' > ', -1) as ending
  from session_paths
),
named as (
  select way, row_number() over (order by count(*) desc, way)::integer as rank
  from walked group by 1 qualify rank <= 100
),
visits as (
  select
    coalesce(named.way, '(other)') as path,
    coalesce(rank, 101) as rank,
    case when named.way is not null then steps end as steps,
    ending,
    entity_id,
    order_count > 0 as has_ordered,
    date_diff('second', started_at, ended_at) as seconds
  from walked
  left join named on named.way = walked.way
  join sessions on sessions.session_id = walked.session_id
),
endings as (
  select rank, ending from visits group by 1, 2
  qualify row_number() over (partition by rank order by count(*) desc, ending) = 1
),
counted as (
  select
    path,
    rank,
    steps as step_count,
    count(*) as session_count,
    count(distinct entity_id) as customer_count,
    count(*) filter (has_ordered) as order_count,
    sum(seconds)::double / (60 * count(*)) as average_minutes
  from visits group by 1, 2, 3
)
select
  path,
  step_count,
  session_count,
  session_count / sum(session_count) over () as session_share,
  customer_count,
  order_count,
  order_count / session_count as conversion_rate,
  ending as last_action,
  average_minutes,
  rank
from counted join endings using (rank)
