select
  answer_id,
  customer_id,
  answered_at,
  lower(trim(survey_type, E' \t\n\r')) as metric,
  case
    when metric = 'nps' and score between 0 and 10 or metric = 'csat' and score between 1 and 5
      or metric = 'ces' and score between 1 and 7 then score
  end as score
from "sources/survey_answer"
where coalesce(answered_at <= {as_of}, true)
