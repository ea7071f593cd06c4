with answers as (
  select
    customer_id,
    lower(trim(survey_type, E' \t\n\r')) as survey,
    answered_at,
    answer_id,
    case lower(trim(survey_type, E' \t\n\r'))
      when 'nps' then score between 0 and 10
      when 'csat' then score between 1 and 5
      when 'ces' then score between 1 and 7
    end as is_scored,
    score
  from "sources/survey_answer"
  where customer_id is not null and coalesce(answered_at <= {as_of}, true)
),
latest as (
  select * from answers
  where is_scored
  qualify row_number() over (
    partition by customer_id, survey order by answered_at desc nulls last, answer_id desc
  ) = 1
),
scores as (
  select
    customer_id,
    any_value(score) filter (survey = 'nps') as nps_score,
    any_value(score) filter (survey = 'csat') as csat_score,
    any_value(score) filter (survey = 'ces') as ces_score,
    any_value(answered_at) filter (survey = 'nps') as nps_answered_at
  from latest group by 1
),
answered as (select customer_id, count(*) as answer_count from answers group by 1),
reviewed as (
  select
    customer_id,
    count(*) as review_count,
    sum(rating::decimal(18, 4)) filter (rating between 1 and 5)::double
      / count(*) filter (rating between 1 and 5) as average_rating,
    max(reviewed_at) as last_review_at
  from "sources/review"
  where customer_id is not null and coalesce(reviewed_at <= {as_of}, true)
  group by 1
),
tickets as (
  select
    customer_id,
    opened_at,
    resolved_at is null as is_open,
    case when resolved_at >= opened_at then date_diff('second', opened_at, resolved_at) end as seconds
  from (
    select customer_id, opened_at, case when coalesce(resolved_at <= {as_of}, true) then resolved_at end as resolved_at
    from "sources/support_ticket"
    where customer_id is not null and coalesce(opened_at <= {as_of}, true)
  )
),
asked as (
  select
    customer_id,
    count(*) as ticket_count,
    count(*) filter (is_open) as open_count,
    sum(seconds)::double / (3600 * count(seconds)) as resolution_hours,
    max(opened_at) as last_ticket_at
  from tickets group by 1
)
select
  customer_id,
  nps_score,
  csat_score,
  ces_score,
  nps_answered_at,
  coalesce(answer_count, 0) as survey_answer_count,
  coalesce(review_count, 0) as review_count,
  average_rating,
  last_review_at,
  coalesce(ticket_count, 0) as support_ticket_count,
  coalesce(open_count, 0) as open_ticket_count,
  resolution_hours,
  last_ticket_at
from answered
left join scores using (customer_id)
full join reviewed using (customer_id)
full join asked using (customer_id)
