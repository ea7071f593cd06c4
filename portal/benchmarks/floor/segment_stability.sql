with kept as (select * from segment_migrations where from_segment <> '(new)'),
formerly as (
  select segmentation, month_on, sum(n * (n - 1) // 2) as pairs
  from (select segmentation, month_on, from_segment, sum(customer_count) as n from kept group by all) group by all
),
now as (
  select segmentation, month_on, sum(n * (n - 1) // 2) as pairs
  from (select segmentation, month_on, to_segment, sum(customer_count) as n from kept group by all) group by all
),
months as (
  select
    segmentation,
    month_on,
    is_whole,
    coalesce(sum(customer_count) filter (from_segment <> '(new)'), 0)::bigint as customer_count,
    coalesce(sum(customer_count) filter (from_segment = '(new)'), 0)::bigint as new_customer_count,
    coalesce(sum(customer_count) filter (from_segment = to_segment), 0)::bigint as stayed_count,
    sum(customer_count::hugeint * (customer_count - 1) // 2) filter (from_segment <> '(new)') as pairs
  from segment_migrations
  group by all
),
compared as (
  select
    months.*,
    months.pairs::hugeint as s,
    formerly.pairs::hugeint as a,
    now.pairs::hugeint as b,
    customer_count::hugeint * (customer_count - 1) // 2 as t
  from months
  left join formerly using (segmentation, month_on)
  left join now using (segmentation, month_on)
)
select
  segmentation,
  month_on,
  is_whole,
  customer_count,
  new_customer_count,
  stayed_count,
  stayed_count::double / nullif(customer_count, 0)::double as stayed_rate,
  case
    when customer_count > 0 and (a + b) * t = 2 * a * b then 1
    else (2 * (s * t - a * b))::double / nullif((a + b) * t - 2 * a * b, 0)::double
  end as adjusted_rand_index
from compared
