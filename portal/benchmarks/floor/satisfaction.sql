with said as (
  select metric, customer_id, answered_at as said_at, score::decimal(38, 4) as amount
  from answers where score is not null
  union all
  select 'rating', customer_id, reviewed_at, rating from ratings where rating is not null
  union all
  select 'resolution', customer_id, resolved_at, resolution_seconds from tickets where resolution_seconds is not null
),
counted as (
  select
    metric,
    case grouping(month, engagement_level, customer_segment, persona, value_tier, premium)
      when 63 then 'all'
      when 31 then 'month'
      when 47 then 'engagement_level'
      when 55 then 'customer_segment'
      when 59 then 'persona'
      when 61 then 'value_tier'
      else 'is_premium'
    end as dimension,
    coalesce(month, engagement_level, customer_segment, persona, value_tier, premium, 'all') as value,
    count(*) as n,
    count(*) filter (amount >= 9) as promoters,
    count(*) filter (amount <= 6) as detractors,
    count(*) filter (amount >= 4) as satisfied,
    sum(amount)::double as total,
    sum(amount * amount)::double as squares,
    min(amount) = max(amount) as is_same
  from (
    select
      metric,
      amount,
      coalesce(strftime(said_at, '%Y-%m'), 'unknown') as month,
      coalesce(engagement_level, 'unknown') as engagement_level,
      coalesce(customer_segment, 'unknown') as customer_segment,
      coalesce(persona, 'unknown') as persona,
      coalesce(value_tier, 'unknown') as value_tier,
      coalesce(is_premium::varchar, 'unknown') as premium
    from said left join customer_segments using (customer_id)
  )
  group by grouping sets (
    (metric), (metric, month), (metric, engagement_level), (metric, customer_segment), (metric, persona),
    (metric, value_tier), (metric, premium)
  )
),
metrics (metric, unit, lowest, highest, nothing) as (
  values
    ('nps', 'points', -100, 100, 'no NPS answers'),
    ('csat', 'percent', 0, 100, 'no CSAT answers'),
    ('ces', '1 to 7', 1, 7, 'no CES answers'),
    ('rating', 'stars', 1, 5, 'no ratings'),
    ('resolution', 'hours', 0, null, 'no resolved tickets')
),
constants as (
  select
    1.95996398454::double as z,
    3.84145882069::double as z_squared,
    [
      12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139
    ]::double[] as t_of_few
),
measured as (
  select
    *,
    n::double as m,
    (promoters - detractors)::double / n as net,
    case when metric = 'resolution' then 3600 else 1 end::double as size,
    case
      when n - 1 between 1 and 10 then t_of_few[n - 1]
      when n > 1 then z + 2.372271::double / (n::double - 1)
        + 2.822499::double / ((n::double - 1) * (n::double - 1))
        + 2.55585::double / ((n::double - 1) * (n::double - 1) * (n::double - 1))
    end as t
  from metrics left join counted using (metric) cross join constants
),
scored as (
  select
    *,
    case metric
      when 'nps' then (100 * (promoters - detractors))::double / m
      when 'csat' then (100 * satisfied)::double / m
      else total / (m * size)
    end as score,
    case metric
      when 'nps'
        then 100 * (z * sqrt(((promoters + detractors) / m - net * net) / m))
      else t * sqrt(greatest(squares - total * total / m, 0) / nullif(m - 1, 0) / m) / size
    end as half,
    (satisfied + z_squared / 2) / (m + z_squared) as centre,
    z * sqrt(satisfied * (m - satisfied) / m + z_squared / 4) / (m + z_squared) as spread,
    case
      when n is null then nothing
      when metric = 'csat' then null
      when n = 1 then 'one alone says nothing of how others vary'
      when metric = 'nps' and greatest(promoters, detractors, n - promoters - detractors) = n
        or metric <> 'nps' and is_same then 'all are alike, which says nothing of how others vary'
    end as reason
  from measured
)
select
  metric,
  coalesce(dimension, 'all') as dimension,
  coalesce(value, 'all') as value,
  coalesce(n, 0) as answer_count,
  score,
  case when reason is null
    then greatest(if(metric = 'csat', least(100 * (centre - spread), score), score - half), lowest)
  end as low,
  case when reason is null
    then least(if(metric = 'csat', greatest(100 * (centre + spread), score), score + half), highest)
  end as high,
  unit,
  case when metric = 'nps' then coalesce(promoters, 0) end as promoter_count,
  case when metric = 'nps' then coalesce(n - promoters - detractors, 0) end as passive_count,
  case when metric = 'nps' then coalesce(detractors, 0) end as detractor_count,
  case when metric = 'csat' then coalesce(satisfied, 0) end as satisfied_count,
  coalesce(reason, case when n < 10 then 'fewer than ten answers are too few to compare' end) as reason
from scored
