with paired as (
  unpivot (
    select
      month_on,
      is_whole,
      engagement_level,
      customer_segment,
      coalesce(lag(engagement_level) over past, '(new)') as from_level,
      coalesce(lag(customer_segment) over past, '(new)') as from_segment
    from monthly_segments
    window past as (partition by customer_id order by month_on)
  )
  on (engagement_level, from_level) as engagement_level, (customer_segment, from_segment) as customer_segment
  into name segmentation value to_segment, from_segment
),
counted as (
  select segmentation, month_on, is_whole, from_segment, to_segment, count(*) as customer_count
  from paired
  where to_segment is not null
  group by all
)
select
  *,
  customer_count::double / (sum(customer_count) over (partition by segmentation, month_on, from_segment))::double
    as rate
from counted
where month_on > (select min(month_on) from counted as others where others.segmentation = counted.segmentation)
