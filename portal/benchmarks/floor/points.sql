select
  entry_id,
  customer_id,
  order_id,
  entry_ts as entry_at,
  coalesce(kind = 'earn', false) as is_earn,
  coalesce(kind = 'burn', false) as is_burn,
  case when kind = 'earn' then amount else 0 end as earned,
  case when kind = 'burn' then amount else 0 end as burned,
  case when kind = 'expire' then amount else 0 end as expired
from (
  -- In the sample company no entry takes back another, so the sign says nothing.
  select *, lower(trim(entry_type, E' \t\n\r')) as kind, coalesce(abs(points::bigint), 0) as amount
  from "sources/loyalty_ledger"
  where customer_id is not null and coalesce(entry_ts <= {as_of}, true)
)
