with customers as (
  select segments.* exclude (is_premium, frequency, monetary),
    features.is_premium, features.frequency, features.gross_monetary, features.historical_value
  from customer_segments as segments join features on features.customer_id = segments.customer_id
),
placed as (
  unpivot (
    select
      coalesce(engagement_level, 'unknown') as engagement_level,
      coalesce(customer_segment, 'unknown') as customer_segment,
      coalesce(primary_segment, 'unknown') as primary_segment,
      coalesce(value_tier, 'unknown') as value_tier,
      coalesce(lifecycle_stage, 'unknown') as lifecycle_stage,
      coalesce(persona, 'unknown') as persona,
      case when is_premium then 'premium' when not is_premium then 'not premium' else 'unknown' end as premium,
      is_premium, frequency, gross_monetary, historical_value
    from customers
  )
  on engagement_level, customer_segment, primary_segment, value_tier, lifecycle_stage, persona, premium
  into name segmentation value segment
)
select
  case segmentation when 'premium' then 'is_premium' else segmentation end as segmentation,
  segment,
  count(*) as customer_count,
  count(*) filter (frequency > 0) as buyer_count,
  sum(historical_value)::decimal(18, 4) as historical_value,
  sum(historical_value)::double / nullif((select sum(historical_value)::double from customers), 0) as value_share,
  sum(historical_value)::double / count(*)::double as average_value,
  median((historical_value * 10000)::bigint) / 10000.0::double as median_value,
  sum(gross_monetary)::double / nullif(sum(frequency)::double, 0) as average_order_amount,
  sum(frequency)::double / count(*)::double as orders_per_customer,
  (count(*) filter (is_premium))::double / nullif(count(is_premium), 0)::double as premium_share
from placed
group by all
