with summed as (
  select
    customer_id,
    sum(earned)::bigint as points_earned,
    sum(burned)::bigint as points_burned,
    sum(expired)::bigint as points_expired,
    count(*) filter (is_earn) as earn_count,
    count(*) filter (is_burn) as burn_count,
    min(entry_at) as joined_at,
    max(entry_at) as last_entry_at,
    max(entry_at) filter (is_earn or is_burn) as last_activity_at,
    min(date_diff('day', entry_at, {as_of})) filter (is_earn or is_burn) as idle_days,
    case when count(entry_at) > 0
      then count(*) filter (is_earn and date_diff('day', entry_at, {as_of}) < 90) end as recent_earn_count,
    case when count(entry_at) > 0
      then count(*) filter (is_burn and date_diff('day', entry_at, {as_of}) < 90) end as recent_burn_count
  from points group by 1
)
select
  * exclude (idle_days),
  points_earned - points_burned - points_expired as points_balance,
  points_burned::double / nullif(points_earned, 0) as burn_rate,
  idle_days < 90 as is_engaged,
  case when idle_days < 90 then 'active' when idle_days < 365 then 'dormant' when idle_days >= 365 then 'lapsed'
  end as member_state
from summed
