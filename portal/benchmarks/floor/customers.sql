with seen as (
  select customer_id as id from "sources/orders" where coalesce(ordered_at <= {as_of}, true)
  union
  select entity_id from "sources/web_analytics" where coalesce(activity_ts <= {as_of}, true)
  union
  select customer_id from "sources/customer" where coalesce(registration_date <= {as_of}, true)
),
registered as (
  select
    * exclude (age),
    age as stored_age,
    case when month({as_of}) * 100 + day({as_of}) < month(date_of_birth) * 100 + day(date_of_birth)
      then year({as_of}) - year(date_of_birth) - 1 else year({as_of}) - year(date_of_birth) end as years,
    nullif(trim(state, E' \t\n\r'), '') as state_name,
    upper(nullif(trim(state_code, E' \t\n\r'), '')) as code
  from "sources/customer"
)
select
  seen.id as customer_id,
  nullif(trim(first_name, E' \t\n\r'), '') as first_name,
  nullif(trim(last_name, E' \t\n\r'), '') as last_name,
  case
    when lower(trim(gender, E' \t\n\r')) in ('female', 'f', 'woman', 'w') then 'female'
    when lower(trim(gender, E' \t\n\r')) in ('male', 'm', 'man') then 'male'
    when lower(trim(gender, E' \t\n\r')) in ('other', 'non-binary', 'nonbinary', 'diverse', 'x') then 'other'
  end as gender,
  case when regexp_matches(phone_number, '^[^0-9]*\+') then '+' else '' end || nullif(regexp_replace(regexp_replace(
    phone_number, '(?i)[\s,;/]*(ext(ension)?|x|#|durchwahl|poste|anexo)[\s.:]*[0-9]+\s*$', ''
  ), '[^0-9]', '', 'g'), '') as phone_number,
  lower(nullif(trim(email_address, E' \t\n\r'), '')) as email_address,
  date_of_birth::date as date_of_birth,
  coalesce(
    case when years between 13 and 115 then years end,
    case when stored_age between 13 and 115 then stored_age end
  )::integer as age,
  nullif(trim(age_band, E' \t\n\r'), '') as age_band,
  nullif(trim(education_level, E' \t\n\r'), '') as education_level,
  nullif(trim(marital_status, E' \t\n\r'), '') as marital_status,
  no_of_children as number_of_children,
  household_size,
  nullif(trim(household_composition, E' \t\n\r'), '') as household_composition,
  case when registration_date <= {as_of} then registration_date end as registered_at,
  nullif(trim(occupation, E' \t\n\r'), '') as occupation,
  nullif(trim(hobbies, E' \t\n\r'), '') as hobbies,
  annual_income,
  nullif(trim(income_band, E' \t\n\r'), '') as income_band,
  degree_of_loyalty,
  nullif(trim(mailing_street, E' \t\n\r'), '') as mailing_street,
  nullif(trim(city, E' \t\n\r'), '') as city,
  coalesce(code, by_name.state_code) as state_code,
  coalesce(state_name, by_code.state) as state,
  nullif(trim(country, E' \t\n\r'), '') as country,
  nullif(trim(zipcode, E' \t\n\r'), '') as zipcode,
  is_premium,
  accepts_email,
  accepts_sms,
  accepts_phone,
  nullif(trim(preferred_channel, E' \t\n\r'), '') as preferred_channel,
  previous_purchases,
  nullif(trim(purchase_frequency, E' \t\n\r'), '') as purchase_frequency,
  registered.customer_id is not null as is_registered
from seen
left join registered on registered.customer_id = seen.id
left join us_states by_name on by_name.state = state_name
left join us_states by_code on by_code.state_code = code
where seen.id is not null
