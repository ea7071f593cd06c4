with entries as (
  select
    customer_id,
    lower(trim(entry_type, E' \t\n\r')) as kind,
    coalesce(abs(points::bigint), 0) as amount,
    entry_ts,
    date_diff('day', entry_ts, {as_of}) as days
  from "sources/loyalty_ledger"
  where customer_id is not null and coalesce(entry_ts <= {as_of}, true)
),
summed as (
  select
    customer_id,
    coalesce(sum(amount) filter (kind = 'earn'), 0)::bigint as points_earned,
    coalesce(sum(amount) filter (kind = 'burn'), 0)::bigint as points_burned,
    coalesce(sum(amount) filter (kind = 'expire'), 0)::bigint as points_expired,
    count(*) filter (kind = 'earn') as earn_count,
    count(*) filter (kind = 'burn') as burn_count,
    min(entry_ts) as joined_at,
    max(entry_ts) as last_entry_at,
    max(entry_ts) filter (kind in ('earn', 'burn')) as last_activity_at,
    min(days) filter (kind in ('earn', 'burn')) as idle_days,
    case when count(days) > 0 then count(*) filter (kind = 'earn' and days < 90) end as recent_earn_count,
    case when count(days) > 0 then count(*) filter (kind = 'burn' and days < 90) end as recent_burn_count
  from entries group by 1
)
select
  * exclude (idle_days),
  points_earned - points_burned - points_expired as points_balance,
  points_burned::double / nullif(points_earned, 0) as burn_rate,
  idle_days < 90 as is_engaged,
  case when idle_days < 90 then 'active' when idle_days < 365 then 'dormant' when idle_days >= 365 then 'lapsed'
  end as member_state
from summed
