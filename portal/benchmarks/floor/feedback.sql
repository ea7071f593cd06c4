with latest as (
  select * from answers
  where customer_id is not null and score is not null
  qualify row_number() over (
    partition by customer_id, metric order by answered_at desc nulls last, answer_id desc
  ) = 1
),
scores as (
  select
    customer_id,
    any_value(score) filter (metric = 'nps') as nps_score,
    any_value(score) filter (metric = 'csat') as csat_score,
    any_value(score) filter (metric = 'ces') as ces_score,
    any_value(answered_at) filter (metric = 'nps') as nps_answered_at
  from latest group by 1
),
answered as (select customer_id, count(*) as answer_count from answers where customer_id is not null group by 1),
reviewed as (
  select
    customer_id,
    count(*) as review_count,
    sum(rating)::double / count(rating) as average_rating,
    max(reviewed_at) as last_review_at
  from ratings where customer_id is not null
  group by 1
),
asked as (
  select
    customer_id,
    count(*) as ticket_count,
    count(*) filter (resolved_at is null) as open_count,
    sum(resolution_seconds)::double / (3600 * count(resolution_seconds)) as resolution_hours,
    max(opened_at) as last_ticket_at
  from tickets where customer_id is not null group by 1
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
