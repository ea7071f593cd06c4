with channels as (
  select 'email' as channel, accepts_email as accepts, email_address as address, preferred_channel from customers
  union all
  select 'sms', accepts_sms, phone_number, preferred_channel from customers
  union all
  select 'phone', accepts_phone, phone_number, preferred_channel from customers
),
counted as (
  select
    channel,
    count(accepts) as told,
    count(*) filter (accepts) as accepted,
    count(*) filter (not accepts) as declined,
    count(*) filter (accepts and address is not null) as reachable,
    count(*) filter (lower(preferred_channel) = channel) as preferred
  from channels group by 1
),
used as (
  select lower(trim(traffic_channel, E' \t\n\r')) as channel, count(*) as touches from contacts group by 1
),
known as (
  select (select count(*) from customers) as customers, (select count(preferred_channel) from customers) as choices,
    (select sum(touches) from used) as contacts
)
select
  channel,
  known.customers as customer_count,
  case when told > 0 then accepted end as accepted_count,
  case when told > 0 then declined end as declined_count,
  known.customers - coalesce(told, 0) as unknown_count,
  accepted / nullif(told, 0) as acceptance_rate,
  case when told > 0 then reachable end as reachable_count,
  case when choices > 0 then preferred end as preferred_count,
  case when known.contacts > 0 then coalesce(touches, 0) end as touch_count,
  case when coalesce(told, 0) = 0 then 'no customer''s consent is known' end as reason
from (values ('email'), ('sms'), ('phone')) named (channel)
left join counted using (channel)
left join used using (channel)
cross join known
